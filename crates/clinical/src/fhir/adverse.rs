//! AdverseEvent: a reaction of a recipient.

use serde::{Deserialize, Serialize};

use super::{CodeableConcept, Extension, FhirError, Identifier, Meta, Reference, demand, is_date};

/// A reaction to a transfusion.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdverseEvent {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    /// `in-progress`, `completed`, `entered-in-error` or `unknown`.
    pub status: String,
    /// `actual` or `potential`.
    pub actuality: String,
    /// What happened, in [`super::system::REACTION`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeableConcept>,
    /// The recipient.
    pub subject: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seriousness: Option<CodeableConcept>,
    /// The components that may have caused it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspect_entity: Vec<SuspectEntity>,
}

/// `AdverseEvent.suspectEntity`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuspectEntity {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_reference: Option<Reference>,
}

impl AdverseEvent {
    /// Ids of the components that may have caused it.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.suspect_entity.iter().filter_map(|entity| {
            entity
                .instance_reference
                .as_ref()?
                .id_of("BiologicallyDerivedProduct")
        })
    }

    pub(crate) fn is_modified(&self) -> bool {
        self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
            || self
                .suspect_entity
                .iter()
                .any(|entity| !entity.modifier_extension.is_empty())
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(
            matches!(
                self.status.as_str(),
                "in-progress" | "completed" | "entered-in-error" | "unknown"
            ),
            "AdverseEvent.status",
        )?;
        demand(
            matches!(self.actuality.as_str(), "actual" | "potential"),
            "AdverseEvent.actuality",
        )?;
        demand(
            self.subject.id_of("Patient").is_some(),
            "AdverseEvent.subject",
        )?;
        demand(
            self.code
                .as_ref()
                .is_some_and(|c| !c.coding.is_empty() || c.text.is_some()),
            "AdverseEvent.code",
        )?;
        demand(
            is_date(self.occurrence_date_time.as_deref()) && is_date(self.recorded_date.as_deref()),
            "AdverseEvent.occurrenceDateTime",
        )
    }
}
