//! The resources and what the profile demands of them.

use serde::{Deserialize, Serialize};

use super::{
    ABO_RH, CodeableConcept, FhirDate, FhirError, HumanName, Identifier, Meta, Period, Quantity,
    Reference, TEST_DATA, system,
};
use crate::{blood::BloodGroup, iin::Sex};

/// A donor. The profile demands a family name, a full birth date and male or female as gender.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Patient {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
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
}

/// `Patient.telecom`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContactPoint {
    /// `phone`, `email` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Patient {
    /// Telephone numbers, as written.
    pub fn phones(&self) -> impl Iterator<Item = &str> {
        self.telecom
            .iter()
            .filter(|contact| matches!(contact.system.as_deref(), Some("phone" | "sms")))
            .filter_map(|contact| contact.value.as_deref())
    }

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
            .any(|label| {
                label.system.as_deref() == Some(system::ACT_REASON)
                    && label.code.as_deref() == Some(TEST_DATA)
            })
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
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

/// A deferral. No `period.end` means permanent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// `active`, `inactive` or `entered-in-error`.
    pub status: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<CodeableConcept>,
    /// The reason, in [`system::DEFERRAL`].
    pub code: CodeableConcept,
    pub subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Who deferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Reference>,
}

impl Flag {
    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(
            matches!(
                self.status.as_str(),
                "active" | "inactive" | "entered-in-error"
            ),
            "Flag.status",
        )?;
        demand(self.subject.id_of("Patient").is_some(), "Flag.subject")?;
        demand(
            !self.code.coding.is_empty() || self.code.text.is_some(),
            "Flag.code",
        )?;
        let start = self
            .period
            .as_ref()
            .and_then(|p| p.start.as_deref())
            .and_then(FhirDate::parse);
        demand(start.is_some(), "Flag.period.start")?;
        let end = self.period.as_ref().and_then(|p| p.end.as_deref());
        demand(
            end.is_none_or(|e| FhirDate::parse(e).is_some()),
            "Flag.period.end",
        )
    }
}

/// A donation: completed, or not done with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Procedure {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// The donation number, in [`system::DIN`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    /// FHIR event status; `completed` and `not-done` are shown, `entered-in-error` is not.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<CodeableConcept>,
    /// The kind, in [`system::DONATION`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeableConcept>,
    pub subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence_period: Option<Period>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performer: Vec<Performer>,
}

/// `Procedure.performer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Performer {
    pub actor: Reference,
}

impl Procedure {
    /// When it happened or began, as written.
    pub fn occurred(&self) -> Option<&str> {
        self.occurrence_date_time
            .as_deref()
            .or_else(|| self.occurrence_period.as_ref()?.start.as_deref())
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        const STATUS: [&str; 8] = [
            "preparation",
            "in-progress",
            "not-done",
            "on-hold",
            "stopped",
            "completed",
            "entered-in-error",
            "unknown",
        ];
        demand(STATUS.contains(&self.status.as_str()), "Procedure.status")?;
        demand(self.subject.id_of("Patient").is_some(), "Procedure.subject")?;
        let both = self.occurrence_date_time.is_some() && self.occurrence_period.is_some();
        demand(
            !both
                && self
                    .occurred()
                    .is_some_and(|o| FhirDate::parse(o).is_some()),
            "Procedure.occurrence",
        )
    }
}

/// What was taken at a donation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Specimen {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// The donation number again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accession_identifier: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    pub subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<Collection>,
}

/// `Specimen.collection`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected_date_time: Option<String>,
    /// Volume in millilitres (UCUM `mL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The donation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure: Option<Reference>,
}

impl Specimen {
    /// Millilitres taken, if given in that unit.
    pub fn volume_ml(&self) -> Option<u32> {
        let quantity = self.collection.as_ref()?.quantity.as_ref()?;
        let value = quantity.value.as_ref()?.as_f64()?;
        (quantity.code.as_deref() == Some("mL") && (0.0..=10_000.0).contains(&value))
            .then(|| value.round() as u32)
    }

    /// Id of the donation it came from.
    pub fn procedure_id(&self) -> Option<&str> {
        self.collection
            .as_ref()?
            .procedure
            .as_ref()?
            .id_of("Procedure")
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(self.subject.id_of("Patient").is_some(), "Specimen.subject")
    }
}

/// A determination; the blood group is LOINC 882-1 with a component for Kell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// FHIR observation status; `final`, `amended` and `corrected` count.
    pub status: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<CodeableConcept>,
    pub code: CodeableConcept,
    pub subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_codeable_concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_absent_reason: Option<CodeableConcept>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub component: Vec<ObservationComponent>,
}

/// `Observation.component`: a value or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservationComponent {
    pub code: CodeableConcept,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_codeable_concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_absent_reason: Option<CodeableConcept>,
}

impl Observation {
    /// The blood group, if this observation is one that counts and has a value.
    pub fn blood_group(&self) -> Option<BloodGroup> {
        if !matches!(self.status.as_str(), "final" | "amended" | "corrected")
            || !self.is_blood_group()
        {
            return None;
        }
        let value = self
            .value_codeable_concept
            .as_ref()?
            .code_in(system::BLOOD_GROUP)?;
        let kell = self
            .component
            .iter()
            .find(|c| c.code.code_in(system::ANTIGEN) == Some("kell"));
        let kell = kell.and_then(|c| {
            c.value_codeable_concept
                .as_ref()?
                .code_in(system::INTERPRETATION)
        });
        Some(BloodGroup {
            kell: kell.and_then(antigen),
            ..BloodGroup::from_code(value)?
        })
    }

    fn is_blood_group(&self) -> bool {
        self.code.code_in(system::LOINC) == Some(ABO_RH)
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        const STATUS: [&str; 9] = [
            "registered",
            "specimen-in-process",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "cancelled",
            "entered-in-error",
            "unknown",
        ];
        demand(STATUS.contains(&self.status.as_str()), "Observation.status")?;
        demand(
            self.subject.id_of("Patient").is_some(),
            "Observation.subject",
        )?;
        demand(
            !self.code.coding.is_empty() || self.code.text.is_some(),
            "Observation.code",
        )?;
        // obs-6: a reason for absence only without a value.
        let contradiction = |value: &Option<CodeableConcept>, absent: &Option<CodeableConcept>| {
            value.is_some() && absent.is_some()
        };
        demand(
            !contradiction(&self.value_codeable_concept, &self.data_absent_reason),
            "Observation.dataAbsentReason",
        )?;
        for part in &self.component {
            demand(
                !contradiction(&part.value_codeable_concept, &part.data_absent_reason),
                "Observation.component",
            )?;
            // An unreadable antigen must not pass for one that was not determined.
            if part.code.code_in(system::ANTIGEN) == Some("kell")
                && let Some(value) = &part.value_codeable_concept
            {
                let known = value
                    .code_in(system::INTERPRETATION)
                    .and_then(antigen)
                    .is_some();
                demand(known, "Observation.component.valueCodeableConcept")?;
            }
        }
        // Nor an unreadable group for an absent one.
        if self.is_blood_group()
            && let Some(value) = &self.value_codeable_concept
        {
            let known = value
                .code_in(system::BLOOD_GROUP)
                .and_then(BloodGroup::from_code)
                .is_some();
            return demand(known, "Observation.valueCodeableConcept");
        }
        Ok(())
    }
}

/// A centre or one of its sites.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

fn antigen(code: &str) -> Option<crate::blood::Antigen> {
    match code {
        "POS" => Some(crate::blood::Antigen::Positive),
        "NEG" => Some(crate::blood::Antigen::Negative),
        _ => None,
    }
}

fn demand(holds: bool, what: &'static str) -> Result<(), FhirError> {
    if holds {
        Ok(())
    } else {
        Err(FhirError::broken(what))
    }
}
