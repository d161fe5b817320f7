//! BiologicallyDerivedProduct: a blood component.

use serde::{Deserialize, Serialize};

use super::{
    CodeableConcept, Coding, Extension, FhirError, Identifier, Meta, Quantity, Reference, demand,
    is_date, system, text::optional,
};
use crate::{blood::BloodGroup, isbt128::Din};

/// A blood component.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BiologicallyDerivedProduct {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    /// The donation number in [`system::DIN`] and the component's own in [`system::COMPONENT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<Identifier>,
    /// The donation number again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biological_source_event: Option<Identifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_category: Option<Coding>,
    /// What it is, in [`system::PRODUCT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_code: Option<CodeableConcept>,
    /// `00` for an undivided component.
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub division: Option<String>,
    /// Where it stands, in [`system::PRODUCT_STATUS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_status: Option<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<String>,
    /// What it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent: Vec<Reference>,
    /// Requests it is reserved for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<ProductCollection>,
    /// Blood group, place, volume: types of [`system::PROPERTY`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub property: Vec<ProductProperty>,
}

/// `BiologicallyDerivedProduct.collection`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductCollection {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    /// The donor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected_date_time: Option<String>,
}

/// `BiologicallyDerivedProduct.property`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductProperty {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    #[serde(rename = "type")]
    pub type_: CodeableConcept,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_codeable_concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_quantity: Option<Quantity>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub value_string: Option<String>,
}

impl BiologicallyDerivedProduct {
    /// The donation number, as recorded.
    pub fn din(&self) -> Option<&str> {
        Identifier::find(&self.identifier, system::DIN).or_else(|| {
            let event = self.biological_source_event.as_ref()?;
            Identifier::find(std::slice::from_ref(event), system::DIN)
        })
    }

    /// The component's own number.
    pub fn component(&self) -> Option<&str> {
        Identifier::find(&self.identifier, system::COMPONENT)
    }

    /// The code of what it is.
    pub fn product(&self) -> Option<&str> {
        self.product_code.as_ref()?.code_in(system::PRODUCT)
    }

    /// The code of where it stands.
    pub fn status(&self) -> Option<&str> {
        let status = self.product_status.as_ref()?;
        (status.system.as_deref() == Some(system::PRODUCT_STATUS))
            .then_some(status.code.as_deref())
            .flatten()
    }

    /// Id of the donor.
    pub fn donor_id(&self) -> Option<&str> {
        self.collection.as_ref()?.source.as_ref()?.id_of("Patient")
    }

    /// Ids of the components it was made from. They may be missing, and may lead round in a circle.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.parent
            .iter()
            .filter_map(|parent| parent.id_of("BiologicallyDerivedProduct"))
    }

    /// Its blood groups: one, unless the record contradicts itself.
    pub fn blood_groups(&self) -> impl Iterator<Item = BloodGroup> {
        self.properties("blood-group")
            .flat_map(ProductProperty::groups)
            .filter_map(BloodGroup::from_code)
    }

    /// Where it lies.
    pub fn place(&self) -> Option<&str> {
        self.properties("storage")
            .find_map(|property| property.value_string.as_deref())
    }

    fn properties(&self, code: &str) -> impl Iterator<Item = &ProductProperty> {
        self.property
            .iter()
            .filter(move |p| p.type_.code_in(system::PROPERTY) == Some(code))
    }

    pub(crate) fn is_modified(&self) -> bool {
        self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
            || self
                .property
                .iter()
                .any(|p| !p.modifier_extension.is_empty())
            || self
                .collection
                .as_ref()
                .is_some_and(|c| !c.modifier_extension.is_empty())
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        let code = self.product_code.as_ref();
        demand(
            code.is_some_and(|c| !c.coding.is_empty() || c.text.is_some()),
            "BiologicallyDerivedProduct.productCode",
        )?;
        // A component whose donation cannot be read, or that names two, could not be traced.
        let numbers = self.identifier.iter().chain(&self.biological_source_event);
        let mut numbers = numbers
            .filter(|i| i.system.as_deref() == Some(system::DIN))
            .map(|i| i.value.as_deref().and_then(|value| Din::parse(value).ok()));
        let first = numbers.next();
        demand(
            first != Some(None) && numbers.all(|din| Some(din) == first),
            "BiologicallyDerivedProduct.identifier",
        )?;
        demand(
            is_date(self.expiration_date.as_deref()),
            "BiologicallyDerivedProduct.expirationDate",
        )?;
        demand(
            self.parents().count() == self.parent.len() && self.parents().all(|id| id != self.id),
            "BiologicallyDerivedProduct.parent",
        )?;
        let collection = self.collection.as_ref();
        demand(
            collection.is_none_or(|c| c.source.is_none() || self.donor_id().is_some()),
            "BiologicallyDerivedProduct.collection.source",
        )?;
        demand(
            is_date(collection.and_then(|c| c.collected_date_time.as_deref())),
            "BiologicallyDerivedProduct.collection.collectedDateTime",
        )?;
        // An unreadable group must not pass for an absent one.
        let is_read = |property: &ProductProperty| {
            let mut codes = property.groups().peekable();
            codes.peek().is_some() && codes.all(|code| BloodGroup::from_code(code).is_some())
        };
        demand(
            self.properties("blood-group").all(is_read),
            "BiologicallyDerivedProduct.property",
        )
    }
}

impl ProductProperty {
    /// Codes of blood groups: one, unless the record contradicts itself.
    fn groups(&self) -> impl Iterator<Item = &str> {
        let value = self.value_codeable_concept.iter();
        value.flat_map(|value| value.codes_in(system::BLOOD_GROUP))
    }
}
