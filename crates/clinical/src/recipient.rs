//! What a list row and a card show about somebody who receives blood, assembled from FHIR resources at a given day.
//!
//! An antibody that was found once counts for ever: it falls below what a test can see, and comes back with the next wrong transfusion.
//! A disagreement on the group shows the value that is safer for a recipient ([`Determined::of_recipient`]).

mod assemble;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use self::assemble::{
    antibodies, determinations, groups, not_understood, reactions, requests, requirements,
    transfusions,
};
use crate::{
    blood::{BloodGroup, Determined},
    component::Product,
    donor::{DonorError, Person, age},
    fhir::{Patient, Resource},
    iin::{Iin, Sex, Warning},
    isbt128::Din,
    source::{Stated, stated},
};

/// What a list keeps about a recipient apart from the resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub id: String,
    pub family: String,
    pub given: String,
    pub patronymic: Option<String>,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// As recorded; empty if there is none.
    pub iin: String,
    /// Invented, for training.
    pub training: bool,
    /// The safer value for a recipient.
    pub blood: Option<BloodGroup>,
    /// Determinations of the group disagree.
    pub blood_conflict: bool,
    /// Something about this person is not understood: an antibody, a transfusion, who it is.
    pub not_understood: bool,
}

/// An antibody that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Antibody {
    /// As in [`crate::fhir::system::ANTIBODY`].
    pub code: String,
    /// It was found, at least once.
    pub present: bool,
    /// Found, and not found, each with its sources; empty unless they disagree.
    pub conflict: Vec<Stated<bool>>,
}

/// What a hospital asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub id: String,
    pub product: Product,
    pub quantity: Option<f64>,
    /// FHIR request status.
    pub status: String,
    pub priority: Option<String>,
    /// For when; else when it was asked. `YYYY-MM-DD`, or less where less is known.
    pub date: Option<String>,
    /// The hospital, if its name is known.
    pub organization: Option<String>,
}

/// A component that this person received, or was to receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfusion {
    /// `YYYY-MM-DD`, or less where less is known.
    pub date: String,
    /// Id of the component.
    pub component: String,
    /// Its own number.
    pub number: Option<String>,
    /// Its donation; `None` if the component is not here.
    pub din: Option<Din>,
    /// `None` if the component is not here, or not understood.
    pub product: Option<Product>,
    /// Code of the reaction for which it is suspected.
    pub reaction: Option<String>,
}

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// `YYYY-MM-DD`, or less where less is known; `None` if it was not written down.
    pub date: Option<String>,
    /// As in [`crate::fhir::system::REACTION`], else its words.
    pub code: String,
    /// `serious` or `non-serious`.
    pub seriousness: Option<String>,
    /// Id of the component that is suspected first.
    pub component: Option<String>,
    /// That component's own number.
    pub number: Option<String>,
    /// That component's donation.
    pub din: Option<Din>,
}

/// Everything a card shows about a recipient, as of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub id: String,
    pub family: String,
    pub given: String,
    pub patronymic: Option<String>,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    pub sex: Sex,
    /// Completed years.
    pub age: i16,
    /// As recorded; empty if there is none.
    pub iin: String,
    /// Twelve digits with a right check digit.
    pub iin_valid: bool,
    /// What of the record does not agree with the number.
    pub iin_warnings: Vec<Warning>,
    /// Invented, for training.
    pub training: bool,
    /// The safer value for a recipient.
    pub blood: Option<BloodGroup>,
    /// Every determination if they disagree, the safer one first.
    pub blood_conflict: Vec<Stated<BloodGroup>>,
    /// Found ones first.
    pub antibodies: Vec<Antibody>,
    /// Codes of special requirements that any request named.
    pub requirements: Vec<String>,
    /// Latest first.
    pub requests: Vec<Request>,
    /// Latest first.
    pub transfusions: Vec<Transfusion>,
    /// Latest first.
    pub reactions: Vec<Reaction>,
    /// Resources about this person that say something this version does not know; of those, only the Patient's own name and numbers
    /// are shown, which say who it is.
    pub not_understood: u64,
}

impl Summary {
    /// Reads the recipient `id` from resources; those about other people are ignored.
    pub fn assemble(id: &str, resources: &[Resource]) -> Result<Self, DonorError> {
        let person = person(id, resources)?;
        let Determined { group, conflict } = Determined::of_recipient(&groups(id, resources));
        Ok(Self {
            id: id.to_owned(),
            family: person.family,
            given: person.given,
            patronymic: person.patronymic,
            birth_date: person.birth.to_string(),
            iin: person.iin,
            training: person.training,
            blood: group,
            blood_conflict: !conflict.is_empty(),
            not_understood: not_understood(id, resources) > 0,
        })
    }

    /// Last four characters of the IIN.
    pub fn iin_last4(&self) -> &str {
        let start = self.iin.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        &self.iin[start..]
    }

    /// The name in one text, for [`crate::names::search_key`] and [`crate::names::Query::compare`].
    pub fn full_name(&self) -> String {
        let patronymic = self.patronymic.as_deref().unwrap_or_default();
        [self.family.as_str(), self.given.as_str(), patronymic]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Facts {
    /// Reads the recipient `id` as of `today`. Beside the resources about this person, `resources` may hold what [`references`] names:
    /// without it components have no number and hospitals no name.
    pub fn assemble(id: &str, resources: &[Resource], today: Date) -> Result<Self, DonorError> {
        let person = person(id, resources)?;
        let Determined { group, conflict } = Determined::of_recipient(&groups(id, resources));
        Ok(Self {
            iin_warnings: person.iin_warnings(),
            id: id.to_owned(),
            family: person.family,
            given: person.given,
            patronymic: person.patronymic,
            birth_date: person.birth.to_string(),
            sex: person.sex,
            age: age(person.birth, today),
            iin_valid: Iin::parse(&person.iin).is_ok(),
            iin: person.iin,
            training: person.training,
            blood: group,
            blood_conflict: stated(conflict, &determinations(id, resources)),
            antibodies: antibodies(id, resources),
            requirements: requirements(id, resources),
            requests: requests(id, resources),
            transfusions: transfusions(id, resources),
            reactions: reactions(id, resources),
            not_understood: not_understood(id, resources),
        })
    }
}

/// Type and id of what the resources about a recipient lead to: components, hospitals. Some of them may be missing.
pub fn references(resources: &[Resource]) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for resource in resources {
        match resource {
            Resource::Procedure(procedure) => found.extend(
                procedure
                    .components()
                    .map(|id| ("BiologicallyDerivedProduct", id.to_owned())),
            ),
            Resource::AdverseEvent(event) => found.extend(
                event
                    .components()
                    .map(|id| ("BiologicallyDerivedProduct", id.to_owned())),
            ),
            Resource::ServiceRequest(request) => found.extend(
                request
                    .requester
                    .iter()
                    .filter_map(|by| by.id_of("Organization"))
                    .map(|id| ("Organization", id.to_owned())),
            ),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn person(id: &str, resources: &[Resource]) -> Result<Person, DonorError> {
    let patient = resources.iter().find_map(|resource| match resource {
        Resource::Patient(patient) if patient.id == id && patient.is_recipient() => Some(patient),
        _ => None,
    });
    let patient: &Patient = patient.ok_or(DonorError::Missing)?;
    Person::read(patient).ok_or(DonorError::Incomplete)
}

#[cfg(test)]
mod tests;
