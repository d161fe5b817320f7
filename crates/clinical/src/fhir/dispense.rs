//! BiologicallyDerivedProductDispense: the issue of a component.

use serde::{Deserialize, Serialize};

use super::{
    Annotation, CodeableConcept, Extension, FhirError, Meta, Quantity, Reference, demand, is_date,
};

/// The issue of a component to a hospital.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BiologicallyDerivedProductDispense {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub based_on: Vec<Reference>,
    /// FHIR dispense status.
    pub status: String,
    /// How the component was matched to the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_status: Option<CodeableConcept>,
    /// The component.
    pub product: Reference,
    /// The recipient.
    pub patient: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_handed_over: Option<String>,
    /// The Location it went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub note: Vec<Annotation>,
}

impl BiologicallyDerivedProductDispense {
    /// Id of the component.
    pub fn product_id(&self) -> Option<&str> {
        self.product.id_of("BiologicallyDerivedProduct")
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(
            matches!(
                self.status.as_str(),
                "preparation"
                    | "in-progress"
                    | "allocated"
                    | "issued"
                    | "unfulfilled"
                    | "returned"
                    | "entered-in-error"
                    | "unknown"
            ),
            "BiologicallyDerivedProductDispense.status",
        )?;
        demand(
            self.product_id().is_some(),
            "BiologicallyDerivedProductDispense.product",
        )?;
        demand(
            self.patient.id_of("Patient").is_some(),
            "BiologicallyDerivedProductDispense.patient",
        )?;
        demand(
            is_date(self.prepared_date.as_deref()) && is_date(self.when_handed_over.as_deref()),
            "BiologicallyDerivedProductDispense.whenHandedOver",
        )
    }
}
