//! From a donation to everything that was made of it and everybody whom it may have reached, with what the laboratory found and the
//! donor's other donations.

use crate::{
    component::Product,
    donation::{
        self, Named, Part, Ways, compare, determined, name, not_understood, procedures, tree,
    },
    donor::donated_at,
    fhir::{FhirDate, Resource, shown_day},
    isbt128::Din,
    laboratory::{Screening, screenings},
};

/// Somebody who received a component, for whom it was handed over, or whose reaction it may have caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub recipient: Named,
    /// `YYYY-MM-DD`; `None` if the record is not here.
    pub birth_date: Option<String>,
    /// Id of the component.
    pub component: String,
    /// Its own number.
    pub number: Option<String>,
    /// `None` if it is not understood.
    pub product: Option<Product>,
    /// Somebody received it; else nothing says so but an issue or a reaction.
    pub transfused: bool,
    /// When, as written.
    pub at: Option<String>,
    pub organization: Option<String>,
    /// Code of the reaction for which the component is suspected.
    pub reaction: Option<String>,
}

/// Another donation of the donor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    pub din: Option<Din>,
    /// `YYYY-MM-DD`, or less where less is known.
    pub date: String,
}

/// Everything that a look back from a donation shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub din: Din,
    /// Ids of further records that claim the number: other donations, components of another donor.
    pub others: Vec<String>,
    pub donor: Option<Named>,
    /// Records name others as its donor, too.
    pub further_donors: Vec<Named>,
    /// `YYYY-MM-DD`, or less where less is known.
    pub date: Option<String>,
    /// The first screening of the donor that found an infection, else the first that could not rule one out.
    pub reason: Option<Screening>,
    /// Each under what it was made from.
    pub components: Vec<Part>,
    /// The donor is invented, for training.
    pub training: bool,
    /// Everybody, in the order of the components.
    pub reached: Vec<Reached>,
    /// Other donations at which blood may have been taken, latest first.
    pub donations: Vec<Other>,
    /// Resources about this donation that say something this version does not know: somebody may be missing in the list.
    pub not_understood: u64,
}

impl Facts {
    /// Looks back over the same resources as [`donation::Facts::assemble`]. `None` if nothing bears the number.
    pub fn assemble(din: Din, resources: &[Resource]) -> Option<Self> {
        let procedures = procedures(din, resources);
        let ways = Ways::read(resources);
        let mut components = tree(din, resources, &ways);
        if procedures.is_empty() && components.is_empty() {
            return None;
        }
        let donors = donation::donors(din, resources);
        compare(din, &mut components, &determined(&donors, resources));
        let mut named = donors.iter().map(|id| Named {
            id: id.clone(),
            name: name(id, resources),
        });
        let first = procedures
            .first()
            .filter(|procedure| !donation::is_modified(procedure));
        Some(Self {
            din,
            others: donation::others(
                din,
                &procedures,
                donors.first().map(String::as_str),
                resources,
            ),
            donor: named.next(),
            further_donors: named.collect(),
            date: first
                .and_then(|procedure| procedure.occurred())
                .map(shown_day),
            training: donation::is_invented(donors.first().map(String::as_str), resources),
            reason: reason(&donors, resources),
            reached: components
                .iter()
                .flat_map(|part| reached(part, &ways))
                .collect(),
            donations: further(din, &donors, resources),
            not_understood: not_understood(&procedures, &components, resources),
            components,
        })
    }

    /// Ids of everybody who is named, each once.
    pub fn people(&self) -> Vec<&str> {
        let donors = self.donor.iter().chain(&self.further_donors);
        let recipients = self.reached.iter().map(|reached| &reached.recipient);
        donation::once(donors.chain(recipients))
    }
}

fn reason(donors: &[String], resources: &[Resource]) -> Option<Screening> {
    let first = |screening: &Screening| FhirDate::parse(&screening.date).map(|date| date.first);
    donors
        .iter()
        .flat_map(|id| screenings(id, resources))
        .filter(Screening::is_reactive)
        .min_by_key(|row| (!row.is_positive(), first(row)))
}

fn reached(part: &Part, ways: &Ways<'_>) -> Vec<Reached> {
    let component = &part.component;
    ways.all(&component.id)
        .into_iter()
        .map(|way| {
            let person = ways.person(&way.recipient);
            Reached {
                birth_date: person.map(|person| person.birth.to_string()),
                recipient: Named {
                    name: person.map(crate::donor::Person::full_name),
                    id: way.recipient,
                },
                component: component.id.clone(),
                number: component.number.clone(),
                product: (!component.not_understood).then_some(component.product),
                transfused: way.transfused,
                at: way.at,
                organization: way.organization,
                reaction: way.reaction,
            }
        })
        .collect()
}

fn further(din: Din, donors: &[String], resources: &[Resource]) -> Vec<Other> {
    let mut found: Vec<(Option<jiff::civil::Date>, Option<&str>, Other)> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Procedure(procedure)
                if !r.not_understood()
                    && donors.iter().any(|id| r.patient_id() == Some(id))
                    && procedure.din() != Some(din) =>
            {
                let (_, last) = donated_at(procedure)?;
                let other = Other {
                    din: procedure.din(),
                    date: procedure.occurred().map(shown_day).unwrap_or_default(),
                };
                Some((last, procedure.occurred(), other))
            }
            _ => None,
        })
        .collect();
    found.sort_by(|(a, a_at, a_other), (b, b_at, b_other)| {
        let number = |other: &Other| other.din.map(|din| din.to_string());
        (b, b_at, number(b_other)).cmp(&(a, a_at, number(a_other)))
    });
    found.into_iter().map(|(.., other)| other).collect()
}

#[cfg(test)]
mod tests;
