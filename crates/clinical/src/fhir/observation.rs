//! Observation: blood group, antigens, antibodies, screening, vital signs.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use super::{
    ABO_RH, CodeableConcept, Extension, FhirDate, FhirError, Meta, Quantity, Reference, demand,
    system,
};
use crate::blood::{Antigen, BloodGroup};

/// A determination: blood group (LOINC 882-1 with a component for Kell), antigens and antibodies, screening, vital signs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implicit_rules: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    /// FHIR observation status; `final`, `amended` and `corrected` count.
    pub status: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<CodeableConcept>,
    pub code: CodeableConcept,
    pub subject: Reference,
    /// The donation at which it was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub part_of: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_date_time: Option<String>,
    /// The laboratory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub performer: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_codeable_concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_quantity: Option<Quantity>,
    /// It has a value of another type.
    #[serde(
        default,
        rename = "valueString",
        alias = "valueBoolean",
        alias = "valueInteger",
        alias = "valueRange",
        alias = "valueRatio",
        alias = "valueSampledData",
        alias = "valueTime",
        alias = "valueDateTime",
        alias = "valuePeriod",
        alias = "valueAttachment",
        alias = "valueReference",
        deserialize_with = "is_there",
        skip_serializing
    )]
    pub(crate) other_value: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_absent_reason: Option<CodeableConcept>,
    /// `NEG`, `POS` or `IND` in [`system::INTERPRETATION`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interpretation: Vec<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub specimen: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub component: Vec<ObservationComponent>,
}

/// `Observation.component`: a value or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservationComponent {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modifier_extension: Vec<Extension>,
    pub code: CodeableConcept,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_codeable_concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_quantity: Option<Quantity>,
    /// It has a value of another type.
    #[serde(
        default,
        rename = "valueString",
        alias = "valueBoolean",
        alias = "valueInteger",
        alias = "valueRange",
        alias = "valueRatio",
        alias = "valueSampledData",
        alias = "valueTime",
        alias = "valueDateTime",
        alias = "valuePeriod",
        alias = "valueAttachment",
        alias = "valueReference",
        deserialize_with = "is_there",
        skip_serializing
    )]
    pub(crate) other_value: bool,
    /// It is interpreted, which the profile does at the whole only.
    #[serde(
        default,
        rename = "interpretation",
        deserialize_with = "is_there",
        skip_serializing
    )]
    pub(crate) is_interpreted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_absent_reason: Option<CodeableConcept>,
}

impl Observation {
    /// The blood group, if this observation is one that counts and has a value; several if it contradicts itself: which of them is
    /// safer depends on whose it is.
    pub fn blood_groups(&self) -> Vec<BloodGroup> {
        if !self.counts() || !self.is_blood_group() || self.is_modified() {
            return Vec::new();
        }
        let values = self.value_codeable_concept.iter();
        let values = values.flat_map(|value| value.codes_in(system::BLOOD_GROUP));
        let groups: BTreeSet<BloodGroup> = values.filter_map(BloodGroup::from_code).collect();
        let kells: BTreeSet<Antigen> = self
            .component
            .iter()
            .filter(|c| c.code.code_in(system::ANTIGEN) == Some("kell"))
            .filter_map(|c| c.value_codeable_concept.as_ref())
            .flat_map(|value| value.codes_in(system::INTERPRETATION))
            .filter_map(antigen)
            .collect();
        if kells.is_empty() {
            return groups.into_iter().collect();
        }
        let with = |group: BloodGroup| {
            kells.iter().map(move |kell| BloodGroup {
                kell: Some(*kell),
                ..group
            })
        };
        groups.into_iter().flat_map(with).collect()
    }

    /// Whether it counts: final, or changed after that.
    pub fn counts(&self) -> bool {
        matches!(self.status.as_str(), "final" | "amended" | "corrected")
    }

    /// The test of a screening, in [`system::SCREENING`].
    pub fn screening(&self) -> Option<&str> {
        self.code.code_in(system::SCREENING)
    }

    /// The interpretation: `NEG`, `POS`, `IND` or another code of that system; of several the one that is on the safe side.
    pub fn interpreted(&self) -> Option<&str> {
        let concepts = self.interpretation.iter();
        concepts
            .flat_map(|concept| concept.codes_in(system::INTERPRETATION))
            .max_by_key(|code| match *code {
                "POS" => 3,
                "IND" => 2,
                "NEG" => 0,
                _ => 1,
            })
    }

    /// Id of the donation it was made at.
    pub fn donation_id(&self) -> Option<&str> {
        self.part_of.iter().find_map(|part| part.id_of("Procedure"))
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
        let values = [
            self.value_codeable_concept.is_some(),
            self.value_quantity.is_some(),
            self.other_value,
        ];
        let values = values.into_iter().filter(|there| *there).count();
        demand(
            values == 0 || self.data_absent_reason.is_none(),
            "Observation.dataAbsentReason",
        )?;
        demand(values <= 1, "Observation.value")?;
        demand(
            self.effective_date_time
                .as_deref()
                .is_none_or(|at| FhirDate::parse(at).is_some()),
            "Observation.effectiveDateTime",
        )?;
        for part in &self.component {
            part.check()?;
        }
        self.check_screening()?;
        // Nor an unreadable group for an absent one.
        if self.is_blood_group()
            && let Some(value) = &self.value_codeable_concept
        {
            let mut codes = value.codes_in(system::BLOOD_GROUP).peekable();
            let known =
                codes.peek().is_some() && codes.all(|code| BloodGroup::from_code(code).is_some());
            return demand(known, "Observation.valueCodeableConcept");
        }
        Ok(())
    }

    /// An unreadable result must not pass for a test that was not made, nor for a negative one.
    fn check_screening(&self) -> Result<(), FhirError> {
        let Some(test) = self.screening().filter(|_| self.counts()) else {
            return Ok(());
        };
        if self.data_absent_reason.is_some() {
            return demand(
                self.interpretation.is_empty(),
                "Observation.dataAbsentReason",
            );
        }
        if test == "alt" {
            let value = self.value_quantity.as_ref().and_then(Quantity::bound);
            return demand(value.is_some_and(|v| v >= 0.0), "Observation.valueQuantity");
        }
        let is_read = matches!(self.interpreted(), Some("NEG" | "POS" | "IND"));
        demand(
            is_read && self.interpretation.len() == 1,
            "Observation.interpretation",
        )
    }

    /// Whether something that this version does not know changes the meaning.
    pub(crate) fn is_modified(&self) -> bool {
        self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
            || self.is_blood_group() && self.says_otherwise()
            || self
                .component
                .iter()
                .any(|c| !c.modifier_extension.is_empty() || c.is_serology() && c.says_otherwise())
    }

    /// Whether it says its result, but not where this version reads one.
    fn says_otherwise(&self) -> bool {
        self.value_codeable_concept.is_none()
            && (self.other_value
                || self.value_quantity.is_some()
                || !self.interpretation.is_empty())
    }
}

impl ObservationComponent {
    /// Whether the antigen or antibody is there: nothing if it was not determined, both if the record contradicts itself.
    pub fn found(&self) -> BTreeSet<bool> {
        let codes = self.codes().filter_map(antigen);
        codes.map(|found| found == Antigen::Positive).collect()
    }

    fn codes(&self) -> impl Iterator<Item = &str> {
        let value = self.value_codeable_concept.iter();
        value.flat_map(|value| value.codes_in(system::INTERPRETATION))
    }

    fn is_serology(&self) -> bool {
        [system::ANTIGEN, system::ANTIBODY]
            .iter()
            .any(|system| self.code.code_in(system).is_some())
    }

    /// As [`Observation::says_otherwise`].
    fn says_otherwise(&self) -> bool {
        self.value_codeable_concept.is_none() && (self.other_value || self.is_interpreted)
    }

    fn check(&self) -> Result<(), FhirError> {
        let has_value = self.value_codeable_concept.is_some() || self.value_quantity.is_some();
        demand(
            !((has_value || self.other_value) && self.data_absent_reason.is_some())
                && !(has_value && self.other_value),
            "Observation.component",
        )?;
        // An unreadable antigen or antibody must not pass for one that was not determined, nor for an absent one.
        let found = self.found();
        let is_read = found.contains(&true)
            || !found.is_empty() && self.codes().all(|code| antigen(code).is_some());
        demand(
            !self.is_serology() || !has_value || is_read,
            "Observation.component.valueCodeableConcept",
        )
    }
}

fn is_there<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

fn antigen(code: &str) -> Option<Antigen> {
    match code {
        "POS" => Some(Antigen::Positive),
        "NEG" => Some(Antigen::Negative),
        _ => None,
    }
}
