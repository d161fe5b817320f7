//! Flag: a deferral.

use serde::{Deserialize, Serialize};

use super::{CodeableConcept, Extension, FhirDate, FhirError, Meta, Period, Reference, demand};

/// A deferral. No `period.end` means permanent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
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
