//! Flag: a deferral.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    CodeableConcept, Extension, FhirDate, FhirError, Meta, Period, Reference, demand, is_id,
};

/// An end in this year is none: the last one that can be written stands for «for ever».
const NEVER: i16 = 9999;

/// A deferral. No `period.end`, or one in the year 9999, means permanent.
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
    /// It breaks the profile and bars all the same: only whom it is about could be read.
    #[serde(skip)]
    pub(crate) unreadable: bool,
}

/// What has to be readable for a deferral to bar somebody.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bare {
    resource_type: String,
    id: String,
    subject: Bearer,
    #[serde(default)]
    status: serde_json::Value,
}

#[derive(Deserialize)]
struct Bearer {
    reference: String,
}

impl Flag {
    /// Reads no more of a line than whom it defers.
    pub(super) fn bare(raw: &str) -> Option<Self> {
        // A name that stands twice says two things, of which the last one is taken; whatever it says, somebody is deferred.
        let whole: serde_json::Value = serde_json::from_str(raw).ok()?;
        let bare: Bare = serde_json::from_value(whole).ok()?;
        let flag = Self {
            id: bare.id,
            status: bare.status.as_str().unwrap_or_default().to_owned(),
            subject: Reference {
                reference: Some(bare.subject.reference),
                display: None,
            },
            unreadable: true,
            ..Self::default()
        };
        let is_flag = bare.resource_type == "Flag" && is_id(&flag.id);
        (is_flag && flag.subject.id_of("Patient").is_some()).then_some(flag)
    }

    /// First and last day it can mean; no last day is permanent.
    pub fn days(&self) -> (Option<Date>, Option<Date>) {
        let day = |text: Option<&String>| text.and_then(|text| FhirDate::parse(text));
        let period = self.period.as_ref();
        let first = day(period.and_then(|p| p.start.as_ref())).map(|start| start.first);
        let last = day(period.and_then(|p| p.end.as_ref())).map(|end| end.last);
        (first, last.filter(|last| last.year() < NEVER))
    }

    /// Whether something that this version does not know changes the meaning, or it contradicts itself.
    pub(crate) fn is_modified(&self) -> bool {
        let ends_before = matches!(self.days(), (Some(first), Some(last)) if last < first);
        self.unreadable
            || ends_before
            || self.implicit_rules.is_some()
            || !self.modifier_extension.is_empty()
    }

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
