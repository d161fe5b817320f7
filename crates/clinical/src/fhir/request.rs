//! ServiceRequest: what a hospital asks for.

use serde::{Deserialize, Serialize};

use super::{
    Annotation, CodeableConcept, CodeableReference, Extension, FhirError, Identifier, Meta,
    Quantity, Reference, demand, is_date, system,
};

/// A hospital's request for components for one recipient.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRequest {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub based_on: Vec<Reference>,
    /// FHIR request status.
    pub status: String,
    pub intent: String,
    /// True turns the meaning round: that this must not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_perform: Option<bool>,
    /// `routine`, `urgent`, `asap` or `stat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// What is asked for, in [`system::PRODUCT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeableReference>,
    /// Special requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_detail: Vec<OrderDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity_quantity: Option<Quantity>,
    /// The recipient.
    pub subject: Reference,
    /// For when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authored_on: Option<String>,
    /// The hospital.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub note: Vec<Annotation>,
}

/// `ServiceRequest.orderDetail`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDetail {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    pub parameter: Vec<OrderParameter>,
}

/// `ServiceRequest.orderDetail.parameter`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderParameter {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    pub code: CodeableConcept,
    /// In [`system::REQUIREMENT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_codeable_concept: Option<CodeableConcept>,
}

impl ServiceRequest {
    /// The code of the component asked for.
    pub fn product(&self) -> Option<&str> {
        self.code
            .as_ref()?
            .concept
            .as_ref()?
            .code_in(system::PRODUCT)
    }

    /// Codes of [`system::REQUIREMENT`]: `irradiated`, `leukodepleted`, `washed`, `k-negative`.
    pub fn requirements(&self) -> impl Iterator<Item = &str> {
        self.order_detail
            .iter()
            .flat_map(|detail| &detail.parameter)
            .filter_map(|parameter| {
                parameter
                    .value_codeable_concept
                    .as_ref()?
                    .code_in(system::REQUIREMENT)
            })
    }

    pub(crate) fn is_modified(&self) -> bool {
        self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
            || self.do_not_perform == Some(true)
            || self.order_detail.iter().any(|detail| {
                !detail.modifier_extension.is_empty()
                    || detail
                        .parameter
                        .iter()
                        .any(|p| !p.modifier_extension.is_empty())
            })
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(
            matches!(
                self.status.as_str(),
                "draft"
                    | "active"
                    | "on-hold"
                    | "revoked"
                    | "completed"
                    | "entered-in-error"
                    | "unknown"
            ),
            "ServiceRequest.status",
        )?;
        demand(!self.intent.is_empty(), "ServiceRequest.intent")?;
        demand(
            matches!(
                self.priority.as_deref(),
                None | Some("routine" | "urgent" | "asap" | "stat")
            ),
            "ServiceRequest.priority",
        )?;
        demand(
            self.subject.id_of("Patient").is_some(),
            "ServiceRequest.subject",
        )?;
        demand(
            self.quantity_quantity
                .as_ref()
                .is_none_or(|q| q.number().is_some_and(|n| n > 0.0)),
            "ServiceRequest.quantityQuantity",
        )?;
        demand(
            is_date(self.occurrence_date_time.as_deref()) && is_date(self.authored_on.as_deref()),
            "ServiceRequest.occurrenceDateTime",
        )
    }
}
