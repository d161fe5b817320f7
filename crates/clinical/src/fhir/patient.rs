//! Patient: donors and recipients.

use serde::{Deserialize, Serialize};

use super::{
    Extension, FhirDate, FhirError, HumanName, Identifier, Meta, RECIPIENT, Reference, TEST_DATA,
    demand, system, text::optional,
};
use crate::iin::Sex;

/// A donor, or a recipient if `meta.tag` says so. The profile demands a family name, a full birth date and male or female as gender.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Patient {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name: Vec<HumanName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub telecom: Vec<ContactPoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managing_organization: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deceased_boolean: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deceased_date_time: Option<String>,
    /// Other records about the same person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link: Vec<PatientLink>,
}

/// `Patient.link`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PatientLink {
    pub other: Reference,
    /// `replaced-by`, `replaces`, `refer` or `seealso`.
    #[serde(rename = "type")]
    pub type_: String,
}

/// Bytes of all names, identifiers and telephones together: what lists show of a person, and searches keep.
const MOST_WORDS: usize = 32 * 1024;

impl Patient {
    /// The name to show: the official one, else the first.
    pub fn official_name(&self) -> Option<&HumanName> {
        self.name
            .iter()
            .find(|n| n.use_.as_deref() == Some("official"))
            .or_else(|| self.name.first())
    }

    /// The gender, if it is one the profile knows.
    pub fn sex(&self) -> Option<Sex> {
        match self.gender.as_deref()? {
            "male" => Some(Sex::Male),
            "female" => Some(Sex::Female),
            _ => None,
        }
    }

    /// Whether the person is invented, for training.
    pub fn is_test(&self) -> bool {
        self.meta
            .iter()
            .flat_map(|meta| &meta.security)
            .any(|label| label.is(system::ACT_REASON, TEST_DATA))
    }

    /// Whether the person receives blood; without a tag in [`system::ROLE`] a person is a donor.
    pub fn is_recipient(&self) -> bool {
        self.meta
            .iter()
            .flat_map(|meta| &meta.tag)
            .any(|tag| tag.is(system::ROLE, RECIPIENT))
    }

    /// The first telephone number, as recorded.
    pub fn phone(&self) -> Option<&str> {
        self.telecom
            .iter()
            .find(|contact| contact.system.as_deref() == Some("phone"))?
            .value
            .as_deref()
    }

    /// Every IIN in it, as recorded: more than one if the record contradicts itself.
    pub fn iins(&self) -> impl Iterator<Item = &str> {
        Identifier::all(&self.identifier, system::IIN)
    }

    /// Whether something in it says more than this version knows to say: also that the record is no longer in use, that another one
    /// took its place, or that the person died; or it bears the numbers of two people.
    pub(crate) fn is_modified(&self) -> bool {
        self.iins().any(|iin| Some(iin) != self.iins().next())
            || self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
            || self.active == Some(false)
            || self.deceased_boolean == Some(true)
            || self.deceased_date_time.is_some()
            || self.link.iter().any(|link| link.type_ == "replaced-by")
    }

    fn words(&self) -> usize {
        let names = self
            .name
            .iter()
            .flat_map(|name| name.given.iter().chain(&name.family));
        let identifiers = self.identifier.iter().filter_map(|i| i.value.as_ref());
        let contacts = self.telecom.iter().filter_map(|c| c.value.as_ref());
        names
            .chain(identifiers)
            .chain(contacts)
            .map(String::len)
            .sum()
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(self.words() <= MOST_WORDS, "Patient.name is too long")?;
        let family = self.official_name().and_then(|n| n.family.as_deref());
        demand(
            family.is_some_and(|f| !f.trim().is_empty()),
            "Patient.name.family",
        )?;
        let birth = self
            .birth_date
            .as_deref()
            .filter(|b| b.len() == 10)
            .and_then(FhirDate::parse);
        demand(birth.is_some(), "Patient.birthDate")?;
        demand(self.sex().is_some(), "Patient.gender")
    }
}

/// `ContactPoint`: a telephone number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactPoint {
    /// `phone`, `email` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub value: Option<String>,
}
