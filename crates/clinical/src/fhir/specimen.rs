//! Specimen: what was taken at a donation.

use serde::{Deserialize, Serialize};

use super::{Extension, FhirError, Identifier, Meta, Quantity, Reference, demand, is_date};

/// What was taken at a donation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Specimen {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
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
    /// Millilitres taken, if given in that unit and not by mistake.
    pub fn volume_ml(&self) -> Option<u32> {
        if self.status.as_deref() == Some("entered-in-error") {
            return None;
        }
        let quantity = self.collection.as_ref()?.quantity.as_ref()?;
        let value = quantity.number()?;
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
        demand(self.subject.id_of("Patient").is_some(), "Specimen.subject")?;
        let collected = self.collection.as_ref();
        demand(
            is_date(collected.and_then(|c| c.collected_date_time.as_deref())),
            "Specimen.collection.collectedDateTime",
        )
    }
}
