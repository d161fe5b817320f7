//! Procedure: donations and transfusions.

use serde::{Deserialize, Serialize};

use super::{
    CodeableConcept, CodeableReference, Extension, FhirDate, FhirError, Identifier, Meta, Period,
    Reference, TRANSFUSION, demand, system,
};
use crate::{donor::DonationKind, isbt128::Din};

/// A donation (completed, or not done with the reason) or a transfusion.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Procedure {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    /// The donation number, in [`super::system::DIN`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    /// FHIR event status; `entered-in-error` and `preparation` are not shown.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<CodeableConcept>,
    /// The kind of a donation, in [`system::DONATION`], or `transfusion` in [`system::PROCEDURE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeableConcept>,
    pub subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence_period: Option<Period>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performer: Vec<Performer>,
    /// The request that a transfusion fulfils.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub based_on: Vec<Reference>,
    /// The components transfused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<CodeableReference>,
}

/// `Procedure.performer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Performer {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    pub actor: Reference,
}

impl Procedure {
    /// The donation number, if it is one.
    pub fn din(&self) -> Option<Din> {
        self.dins().next()
    }

    /// Every donation number that it bears: more than one if the record contradicts itself.
    pub fn dins(&self) -> impl Iterator<Item = Din> {
        Identifier::all(&self.identifier, system::DIN).filter_map(|din| Din::parse(din).ok())
    }

    /// When it happened or began, as written.
    pub fn occurred(&self) -> Option<&str> {
        self.occurrence_date_time
            .as_deref()
            .or_else(|| self.occurrence_period.as_ref()?.start.as_deref())
    }

    /// Whether it is the transfusion of components.
    pub fn is_transfusion(&self) -> bool {
        self.code
            .as_ref()
            .is_some_and(|code| code.code_in(system::PROCEDURE) == Some(TRANSFUSION))
    }

    /// The kind of a donation; `None` if it is not known here, or two are named.
    pub fn donation_kind(&self) -> Option<DonationKind> {
        let mut codes = self.code.as_ref()?.codes_in(system::DONATION);
        let first = codes.next()?;
        codes
            .all(|other| other == first)
            .then(|| DonationKind::from_code(first))?
    }

    /// Whether blood may have been taken of somebody: one that was stopped, or goes on, took some too. A transfusion takes none.
    pub fn may_have_taken(&self) -> bool {
        !self.is_transfusion()
            && !matches!(
                self.status.as_str(),
                "not-done" | "preparation" | "entered-in-error"
            )
    }

    /// Whether blood may have been taken, and it is not known of what kind that donation was: nobody can say when the next one may be.
    pub fn is_unknown_donation(&self) -> bool {
        self.may_have_taken() && self.donation_kind().is_none()
    }

    /// Whether something that this version does not know changes the meaning, or it bears the numbers of two donations.
    pub(crate) fn is_modified(&self) -> bool {
        self.dins().any(|din| Some(din) != self.din())
            || self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
            || self
                .performer
                .iter()
                .any(|p| !p.modifier_extension.is_empty())
    }

    /// Ids of the components used.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.used
            .iter()
            .filter_map(|used| used.reference.as_ref()?.id_of("BiologicallyDerivedProduct"))
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
        )?;
        let end = self
            .occurrence_period
            .as_ref()
            .and_then(|p| p.end.as_deref());
        demand(
            end.is_none_or(|e| FhirDate::parse(e).is_some()),
            "Procedure.occurrencePeriod.end",
        )?;
        // A transfusion without a component could not be traced back.
        demand(
            !self.is_transfusion() || self.components().next().is_some(),
            "Procedure.used",
        )
    }
}
