//! A donation by its number: what was drawn of whom, the tree of its components, and where each one went.
//!
//! Records may be missing, contradict each other or lead round in a circle: every component is shown once, in a finite tree; a number
//! that two donations bear names both.

mod label;
mod tree;
mod ways;

use std::collections::{BTreeSet, HashSet};

use jiff::civil::Date;

pub(crate) use self::{
    label::{compare, determined},
    tree::tree,
    ways::Ways,
};
use crate::{
    blood::{BloodGroup, Determined},
    component::Component,
    donor::{Deferral, DonationKind, DonationStatus, Person, conflict, deferrals},
    fhir::{Procedure, Resource, Specimen, shown_day},
    isbt128::Din,
    laboratory::{Screening, screenings},
    rules::Rules,
    source::Stated,
};

/// Somebody by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    /// `None` if the record is not here.
    pub name: Option<String>,
}

/// How a component left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GoneKind {
    /// Somebody received it.
    Transfused,
    /// It was handed over for somebody.
    Issued,
}

/// Where a component went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    pub kind: GoneKind,
    /// As written.
    pub at: Option<String>,
    pub recipient: Named,
    /// The hospital, if its name is known.
    pub organization: Option<String>,
}

/// A component in its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// With the safer value as its group, and every value, also if label and donor disagree.
    pub component: Component,
    /// Every value of the group with its sources, if the label contradicts itself or what was determined of the donor: for a label the
    /// component itself.
    pub blood_conflict: Vec<Stated<BloodGroup>>,
    /// Id of the component under which it stands.
    pub parent: Option<String>,
    /// Steps from the root of its tree.
    pub depth: u32,
    /// The latest transfusion, else the latest issue.
    pub gone_to: Option<Gone>,
    /// An issue or a transfusion is not understood: it may have gone elsewhere, or to somebody else too.
    pub way_unclear: bool,
}

/// Everything a card shows about a donation, as of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub din: Din,
    /// Ids of further records that claim the number: other donations, components of another donor.
    pub others: Vec<String>,
    pub donor: Option<Named>,
    /// Records name others as its donor, too.
    pub further_donors: Vec<Named>,
    /// `YYYY-MM-DD`, or less where less is known; `None` if the donation itself is not here, or not understood.
    pub date: Option<String>,
    pub kind: Option<DonationKind>,
    pub status: Option<DonationStatus>,
    pub volume_ml: Option<u32>,
    /// The donor's, the safer value; of everybody who is named as the donor, joined.
    pub blood: Option<BloodGroup>,
    /// Every determination if they disagree, the safer one first.
    pub blood_conflict: Vec<Stated<BloodGroup>>,
    /// The donor is invented, for training.
    pub training: bool,
    /// Of everybody who is named as the donor.
    pub deferrals: Vec<Deferral>,
    pub screening: Option<Screening>,
    /// Each under what it was made from.
    pub components: Vec<Part>,
    /// Resources about this donation that say something this version does not know: their values are not shown.
    pub not_understood: u64,
}

/// Under what a store finds a resource that belongs to a donation: `d` and the donation's number, or `c` and the id of the component that it
/// was made from, issues, transfuses or is suspected.
pub fn keys(resource: &Resource) -> BTreeSet<String> {
    let of = |id: &str| format!("c{id}");
    match resource {
        Resource::Procedure(procedure) if procedure.is_transfusion() => {
            procedure.components().map(of).collect()
        }
        Resource::Procedure(procedure) => procedure.dins().map(donation_key).collect(),
        Resource::BiologicallyDerivedProduct(product) => {
            let din = product.din().and_then(|din| Din::parse(din).ok());
            product
                .parents()
                .map(of)
                .chain(din.map(donation_key))
                .collect()
        }
        Resource::BiologicallyDerivedProductDispense(issue) => {
            issue.product_id().map(of).into_iter().collect()
        }
        Resource::AdverseEvent(event) => event.components().map(of).collect(),
        _ => BTreeSet::new(),
    }
}

/// The key of a donation's number.
pub fn donation_key(din: Din) -> String {
    format!("d{din}")
}

/// The keys under which more stands that belongs to the same donation.
pub fn further_keys(resources: &[Resource]) -> BTreeSet<String> {
    resources
        .iter()
        .filter_map(|r| match r {
            Resource::BiologicallyDerivedProduct(product) => Some(format!("c{}", product.id)),
            _ => None,
        })
        .collect()
}

/// Type and id of what issues, transfusions and reactions lead to: recipients, requests, places, hospitals. Some may be missing, and
/// what is found may lead further.
pub fn references(resources: &[Resource]) -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    for resource in resources {
        let requests = match resource {
            Resource::BiologicallyDerivedProductDispense(issue) => &issue.based_on[..],
            Resource::Procedure(procedure) if procedure.is_transfusion() => &procedure.based_on[..],
            _ => &[],
        };
        let mut add = |kind, reference: Option<&crate::fhir::Reference>| {
            let id = reference.and_then(|reference| reference.id_of(kind));
            found.extend(id.map(|id| (kind, id.to_owned())));
        };
        for request in requests {
            add("ServiceRequest", Some(request));
        }
        match resource {
            Resource::BiologicallyDerivedProductDispense(issue) => {
                add("Patient", Some(&issue.patient));
                add("Location", issue.destination.as_ref());
            }
            Resource::Procedure(procedure) if procedure.is_transfusion() => {
                add("Patient", Some(&procedure.subject));
            }
            Resource::AdverseEvent(event) => add("Patient", Some(&event.subject)),
            Resource::ServiceRequest(request) => add("Organization", request.requester.as_ref()),
            Resource::Location(place) => {
                add("Organization", place.managing_organization.as_ref());
            }
            _ => {}
        }
    }
    found
}

/// Ids of everybody whom records name as the donor, the most probable first.
pub fn donors(din: Din, resources: &[Resource]) -> Vec<String> {
    let of_procedures = procedures(din, resources)
        .into_iter()
        .filter_map(|procedure| procedure.subject.id_of("Patient"));
    let of_components = resources.iter().filter_map(|r| match r {
        Resource::BiologicallyDerivedProduct(product)
            if product.din().and_then(|d| Din::parse(d).ok()) == Some(din) =>
        {
            product.donor_id()
        }
        _ => None,
    });
    let mut seen = HashSet::new();
    let mut components: Vec<&str> = of_components.collect();
    components.sort_unstable();
    of_procedures
        .chain(components)
        .filter(|id| seen.insert(*id))
        .map(ToOwned::to_owned)
        .collect()
}

impl Facts {
    /// Reads the donation out of everything that belongs to it: what its number and [`further_keys`] find, what [`references`] names, and
    /// all about its [`donors`]. `None` if nothing bears the number.
    pub fn assemble(din: Din, resources: &[Resource], today: Date, rules: &Rules) -> Option<Self> {
        let procedures = procedures(din, resources);
        let mut components = tree(din, resources, &Ways::read(resources));
        if procedures.is_empty() && components.is_empty() {
            return None;
        }
        let first = procedures
            .first()
            .copied()
            .filter(|procedure| !is_modified(procedure));
        let mut donors = donors(din, resources).into_iter();
        let (donor, further): (Option<String>, Vec<String>) = (donors.next(), donors.collect());
        let named = |id: String| Named {
            name: name(&id, resources),
            id,
        };
        let all = || donor.iter().chain(&further);
        let all_deferrals = all().flat_map(|id| deferrals(id, resources, today, rules));
        let all_deferrals = all_deferrals.collect();
        let determined = determined(all(), resources);
        compare(din, &mut components, &determined);
        let groups: Vec<BloodGroup> = determined.iter().map(|(group, _)| *group).collect();
        let blood = Determined::from_groups(&groups);
        let status = first.and_then(|procedure| DonationStatus::from_code(&procedure.status));
        Some(Self {
            din,
            others: others(din, &procedures, donor.as_deref(), resources),
            date: first.and_then(Procedure::occurred).map(shown_day),
            kind: first.and_then(Procedure::donation_kind),
            status,
            volume_ml: first
                .filter(|_| status != Some(DonationStatus::NotDone))
                .and_then(|procedure| volume(procedure, resources)),
            blood: blood.group,
            blood_conflict: conflict(&blood, &determined),
            training: is_invented(donor.as_deref(), resources),
            deferrals: all_deferrals,
            screening: screening(&procedures, all(), resources),
            not_understood: not_understood(&procedures, &components, resources),
            components,
            donor: donor.map(named),
            further_donors: further.into_iter().map(named).collect(),
        })
    }
}

impl Facts {
    /// Ids of everybody who is named, each once.
    pub fn people(&self) -> Vec<&str> {
        let donors = self.donor.iter().chain(&self.further_donors);
        let gone = self
            .components
            .iter()
            .filter_map(|part| part.gone_to.as_ref());
        once(donors.chain(gone.map(|gone| &gone.recipient)))
    }
}

/// Ids, each once.
pub(crate) fn once<'a>(people: impl Iterator<Item = &'a Named>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    people
        .map(|person| person.id.as_str())
        .filter(|id| seen.insert(*id))
        .collect()
}

/// The donations that bear a number: what is understood first, then completed ones, then by time.
pub(crate) fn procedures(din: Din, resources: &[Resource]) -> Vec<&Procedure> {
    let mut found: Vec<&Procedure> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Procedure(procedure)
                if procedure.status != "entered-in-error"
                    && !procedure.is_transfusion()
                    && procedure.dins().any(|borne| borne == din) =>
            {
                Some(procedure)
            }
            _ => None,
        })
        .collect();
    found.sort_by_key(|procedure| {
        (
            is_modified(procedure),
            procedure.status != "completed",
            procedure.occurred().map(ToOwned::to_owned),
            procedure.id.clone(),
        )
    });
    found.dedup_by(|a, b| a.id == b.id);
    found
}

/// Ids of records that claim the number besides the first donation.
pub(crate) fn others(
    din: Din,
    procedures: &[&Procedure],
    donor: Option<&str>,
    resources: &[Resource],
) -> Vec<String> {
    let components = resources.iter().filter_map(|r| match r {
        Resource::BiologicallyDerivedProduct(product)
            if product.din().and_then(|d| Din::parse(d).ok()) == Some(din)
                && product.donor_id().is_some()
                && product.donor_id() != donor =>
        {
            Some(product.id.clone())
        }
        _ => None,
    });
    let procedures = procedures.iter().skip(1).map(|p| p.id.clone());
    let components: BTreeSet<String> = components.collect();
    procedures.chain(components).collect()
}

/// Resources of a donation whose values must not be shown, or say too little; the record of who is named as its donor among them.
pub(crate) fn not_understood(
    donations: &[&Procedure],
    components: &[Part],
    resources: &[Resource],
) -> u64 {
    let procedures: HashSet<&str> = donations.iter().map(|p| p.id.as_str()).collect();
    let components: HashSet<&str> = components
        .iter()
        .map(|part| part.component.id.as_str())
        .collect();
    let is_donor = |id: &str| {
        let mut drawn = donations.iter().map(|p| p.subject.id_of("Patient"));
        drawn.any(|donor| donor == Some(id))
    };
    let concerns = |resource: &&Resource| match resource {
        // A deferral may be what is not understood of the donor.
        Resource::Patient(patient) => is_donor(&patient.id),
        Resource::Procedure(p) => {
            procedures.contains(p.id.as_str()) || p.components().any(|id| components.contains(id))
        }
        Resource::BiologicallyDerivedProduct(p) => components.contains(p.id.as_str()),
        Resource::BiologicallyDerivedProductDispense(issue) => {
            issue.product_id().is_some_and(|id| components.contains(id))
        }
        Resource::AdverseEvent(event) => event.components().any(|id| components.contains(id)),
        Resource::Observation(o) => o.donation_id().is_some_and(|id| procedures.contains(id)),
        Resource::Specimen(s) => s.procedure_id().is_some_and(|id| procedures.contains(id)),
        _ => false,
    };
    let unclear = resources.iter().filter(|r| r.is_unclear());
    unclear.filter(concerns).count() as u64
}

/// Somebody's name, if the record is here.
pub(crate) fn name(id: &str, resources: &[Resource]) -> Option<String> {
    person(id, resources).map(|person| person.full_name())
}

/// Whether somebody is invented, for training.
pub(crate) fn is_invented(id: Option<&str>, resources: &[Resource]) -> bool {
    let person = id.and_then(|id| person(id, resources));
    person.is_some_and(|person| person.training)
}

/// Somebody's record, if it is here.
pub(crate) fn person(id: &str, resources: &[Resource]) -> Option<Person> {
    resources.iter().find_map(|r| match r {
        Resource::Patient(patient) if patient.id == id => Person::read(patient),
        _ => None,
    })
}

pub(crate) fn is_modified(procedure: &Procedure) -> bool {
    procedure.is_modified()
}

fn volume(procedure: &Procedure, resources: &[Resource]) -> Option<u32> {
    resources.iter().find_map(|r| match r {
        Resource::Specimen(s)
            if !r.not_understood() && s.procedure_id() == Some(procedure.id.as_str()) =>
        {
            Specimen::volume_ml(s)
        }
        _ => None,
    })
}

/// Results and groups of all donations that bear the number together.
fn screening<'a>(
    procedures: &[&Procedure],
    donors: impl Iterator<Item = &'a String>,
    resources: &[Resource],
) -> Option<Screening> {
    let is_of_donation = |row: &Screening| {
        let id = row.donation.as_deref();
        procedures.iter().any(|p| Some(p.id.as_str()) == id)
    };
    donors
        .flat_map(|id| screenings(id, resources))
        .filter(is_of_donation)
        .reduce(|mut all, row| {
            all.join(row.results, row.groups);
            all
        })
}

#[cfg(test)]
pub(crate) mod tests;
