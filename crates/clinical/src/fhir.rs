//! FHIR R5, the small part this product exchanges: Patient (donor, recipient), Flag (deferral), Procedure (donation, transfusion),
//! Specimen, Observation (blood group, screening, vital signs), BiologicallyDerivedProduct (component), ServiceRequest (hospital
//! request), BiologicallyDerivedProductDispense (issue), AdverseEvent (reaction), Organization and Location (centre, hospital).
//!
//! A [`Record`] keeps the received JSON verbatim beside the typed view, so elements this crate does not know survive. Identifier
//! and code systems are the constants of [`system`]. What changes a meaning in a way this version does not know
//! ([`Resource::not_understood`]) is kept too, but its values must not be shown.

mod adverse;
mod datatypes;
mod dispense;
mod flag;
mod observation;
mod patient;
mod place;
mod procedure;
mod product;
mod request;
mod resource;
mod specimen;
mod text;

pub use adverse::{AdverseEvent, SuspectEntity};
pub(crate) use datatypes::shown_day;
pub use datatypes::{
    Annotation, CodeableConcept, CodeableReference, Coding, Element, Extension, FhirDate,
    HumanName, Identifier, Meta, Period, Quantity, Reference,
};
pub use dispense::BiologicallyDerivedProductDispense;
pub use flag::Flag;
pub use observation::{Observation, ObservationComponent};
pub use patient::{ContactPoint, Patient, PatientLink};
pub use place::{Location, Organization};
pub use procedure::{Performer, Procedure};
pub use product::{BiologicallyDerivedProduct, ProductCollection, ProductProperty};
pub use request::{OrderDetail, OrderParameter, ServiceRequest};
pub use resource::Resource;
use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
pub use specimen::{Collection, Specimen};

/// Longest accepted NDJSON line in bytes, without its line end.
pub const MAX_LINE: usize = 256 * 1024;

/// URIs of identifier and code systems.
pub mod system {
    /// IIN in `Patient.identifier`.
    pub const IIN: &str = "urn:infoblood:id:iin";
    /// Donor number of the blood service in `Patient.identifier`.
    pub const DONOR_NUMBER: &str = "urn:infoblood:id:donor-number";
    /// ISBT 128 donation identification number (13 characters) in `Procedure.identifier`.
    pub const DIN: &str = "urn:infoblood:id:din";
    /// Site code in `meta.tag` of every resource and in `Organization.identifier`.
    pub const SITE: &str = "urn:infoblood:site";
    /// Reason of a deferral in `Flag.code`; the codes of `data/rules.json`.
    pub const DEFERRAL: &str = "urn:infoblood:deferral-reason";
    /// Kind of a donation in `Procedure.code`: `whole-blood`, `plasma`, `platelets`.
    pub const DONATION: &str = "urn:infoblood:donation-kind";
    /// ABO and RhD in `Observation.valueCodeableConcept`: `O-` … `AB+`.
    pub const BLOOD_GROUP: &str = "urn:infoblood:blood-group";
    /// Antigens: `kell` as component of a blood group; `C`, `c`, `E`, `e`, `Cw`, `K` of a phenotype.
    pub const ANTIGEN: &str = "urn:infoblood:antigen";
    /// Part of a person in `Patient.meta.tag`: [`super::RECIPIENT`], or nothing for a donor.
    pub const ROLE: &str = "urn:infoblood:role";
    /// Tests of a screening: `hiv`, `hbv`, `hcv`, `syphilis`, `alt`.
    pub const SCREENING: &str = "urn:infoblood:screening";
    /// A search for antibodies: `antibody-screen`.
    pub const ANTIBODY_SCREEN: &str = "urn:infoblood:antibody-screen";
    /// Antibodies of a recipient: `anti-D`, `anti-K` …
    pub const ANTIBODY: &str = "urn:infoblood:antibody";
    /// A determination of antigens: `phenotype`.
    pub const PHENOTYPE: &str = "urn:infoblood:phenotype";
    /// Procedures other than donations: [`super::TRANSFUSION`].
    pub const PROCEDURE: &str = "urn:infoblood:procedure";
    /// Number of a component: `<DIN>-<product>-<division>`.
    pub const COMPONENT: &str = "urn:infoblood:id:component";
    /// Components: `whole-blood`, `red-cells-sagm`, `red-cells-cpda1`, `platelets`, `ffp`, `cryo`.
    pub const PRODUCT: &str = "urn:infoblood:product";
    /// `quarantine`, `available`, `reserved`, `issued`, `transfused`, `processed` (others were made of it), `discarded`, `expired`, [`super::RECALLED`].
    pub const PRODUCT_STATUS: &str = "urn:infoblood:product-status";
    /// Properties of a component: `blood-group`, `storage`, `volume`.
    pub const PROPERTY: &str = "urn:infoblood:property";
    /// What a request is about besides the component: `special-requirement`.
    pub const REQUEST_PARAMETER: &str = "urn:infoblood:request-parameter";
    /// `irradiated`, `leukodepleted`, `washed`, `k-negative`.
    pub const REQUIREMENT: &str = "urn:infoblood:requirement";
    /// Reactions: `fever`, `allergic`, `hemolytic`.
    pub const REACTION: &str = "urn:infoblood:reaction";
    /// `compatible` or `least-incompatible`.
    pub const MATCH: &str = "urn:infoblood:match-status";
    /// Seriousness of an adverse event: `non-serious`, `serious`.
    pub const SERIOUSNESS: &str = "http://terminology.hl7.org/CodeSystem/adverse-event-seriousness";
    /// LOINC; 882-1 is «ABO and Rh group \[Type\] in Blood».
    pub const LOINC: &str = "http://loinc.org";
    /// HL7 v3 interpretation codes `POS`, `NEG` and `IND`.
    pub const INTERPRETATION: &str =
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    /// Why a value is absent, in `dataAbsentReason`.
    pub const DATA_ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
    /// Category of a flag.
    pub const FLAG_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/flag-category";
    /// Category of an observation.
    pub const OBSERVATION_CATEGORY: &str =
        "http://terminology.hl7.org/CodeSystem/observation-category";
    /// Purposes; its code [`super::TEST_DATA`] in `meta.security` says that a resource is about nobody.
    pub const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    /// Units of measure.
    pub const UCUM: &str = "http://unitsofmeasure.org";
}

/// LOINC code of an observation of ABO and RhD.
pub const ABO_RH: &str = "882-1";

/// LOINC codes of vital signs.
pub mod vital {
    pub const HAEMOGLOBIN: &str = "718-7";
    pub const BLOOD_PRESSURE: &str = "85354-9";
    pub const SYSTOLIC: &str = "8480-6";
    pub const DIASTOLIC: &str = "8462-4";
    pub const PULSE: &str = "8867-4";
    pub const WEIGHT: &str = "29463-7";
}

/// Role of a person who receives blood, in [`system::ROLE`].
pub const RECIPIENT: &str = "recipient";

/// Code of a transfusion, in [`system::PROCEDURE`].
pub const TRANSFUSION: &str = "transfusion";

/// Status of a component that must not be used because of what is known of its donor, in [`system::PRODUCT_STATUS`].
pub const RECALLED: &str = "recalled";

/// Security label of invented data, in [`system::ACT_REASON`].
pub const TEST_DATA: &str = "HTEST";

/// A resource and the JSON it came as.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub resource: Resource,
    /// The line as received, without white space around it.
    pub raw: String,
}

/// Why a line is refused. Never carries the line's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FhirError {
    #[error("broken FHIR resource: {what}")]
    Broken {
        /// The element or the kind of mistake.
        what: &'static str,
    },
    #[error("the resource is larger than {MAX_LINE} bytes")]
    TooLarge,
    #[error("unknown resource type {resource_type}")]
    UnknownType {
        /// At most 64 ASCII letters.
        resource_type: String,
    },
}

impl FhirError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broken { .. } => "fhir-broken",
            Self::TooLarge => "fhir-too-large",
            Self::UnknownType { .. } => "fhir-unknown-type",
        }
    }

    pub(crate) fn broken(what: &'static str) -> Self {
        Self::Broken { what }
    }
}

impl Record {
    /// Reads one line of a feed or a store as [`Record::parse_line`] does, but a deferral that breaks the profile bars: of it no more is
    /// read than whom it is about, and it counts as not understood. Left out it would be no deferral. Of one that is too large no more is
    /// kept either.
    pub fn received(line: &[u8]) -> Result<Self, FhirError> {
        Self::parse_line(line).or_else(|error| {
            let raw = str::from_utf8(line).unwrap_or_default().trim();
            let resource = Resource::Flag(Flag::bare(raw).ok_or(error)?);
            let raw = match line.len() {
                0..=MAX_LINE => raw.to_owned(),
                _ => resource.to_line()?,
            };
            Ok(Self { resource, raw })
        })
    }

    /// Reads one line of NDJSON: one JSON object of a known type that keeps the profile's rules (id, status, references, dates).
    pub fn parse_line(line: &[u8]) -> Result<Self, FhirError> {
        if line.len() > MAX_LINE {
            return Err(FhirError::TooLarge);
        }
        let raw = str::from_utf8(line)
            .map_err(|_| FhirError::broken("not UTF-8"))?
            .trim();
        let first = type_that_comes_first(raw).map(Cow::Borrowed);
        let kind = first.map_or_else(|| resource_type(raw).map(Cow::Owned), Ok)?;
        let resource = match &*kind {
            "Patient" => Resource::Patient(read(raw)?),
            "Flag" => Resource::Flag(read(raw)?),
            "Procedure" => Resource::Procedure(read(raw)?),
            "Specimen" => Resource::Specimen(read(raw)?),
            "Observation" => Resource::Observation(read(raw)?),
            "BiologicallyDerivedProduct" => Resource::BiologicallyDerivedProduct(read(raw)?),
            "BiologicallyDerivedProductDispense" => {
                Resource::BiologicallyDerivedProductDispense(read(raw)?)
            }
            "ServiceRequest" => Resource::ServiceRequest(read(raw)?),
            "AdverseEvent" => Resource::AdverseEvent(read(raw)?),
            "Organization" => Resource::Organization(read(raw)?),
            "Location" => Resource::Location(read(raw)?),
            other
                if !other.is_empty()
                    && other.len() <= 64
                    && other.bytes().all(|b| b.is_ascii_alphabetic()) =>
            {
                return Err(FhirError::UnknownType {
                    resource_type: resource_type(raw)?,
                });
            }
            _ => return Err(FhirError::broken("resourceType")),
        };
        resource.check()?;
        Ok(Self {
            resource,
            raw: raw.to_owned(),
        })
    }
}

/// Type and id of a line that may break every other rule.
pub fn named(line: &[u8]) -> Option<(String, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        resource_type: String,
        id: String,
    }
    let Named { resource_type, id } = serde_json::from_slice(line).ok()?;
    is_id(&id).then_some((resource_type, id))
}

/// FHIR `id`: 1–64 of `A–Z a–z 0–9 - .`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

fn demand(holds: bool, what: &'static str) -> Result<(), FhirError> {
    if holds {
        Ok(())
    } else {
        Err(FhirError::broken(what))
    }
}

/// Nothing, or a date that exists.
fn is_date(text: Option<&str>) -> bool {
    text.is_none_or(|text| FhirDate::parse(text).is_some())
}

/// The type as most write it, so that they are read only once: at the beginning, and nowhere else.
fn type_that_comes_first(raw: &str) -> Option<&str> {
    let rest = raw.strip_prefix(r#"{"resourceType":""#)?;
    let (first, rest) = rest.split_once('"')?;
    let is_alone = !first.contains('\\') && !rest.contains(r#""resourceType""#);
    is_alone.then_some(first)
}

fn resource_type(raw: &str) -> Result<String, FhirError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        resource_type: String,
    }
    read(raw).map(|head: Head| head.resource_type)
}

fn read<T: DeserializeOwned>(raw: &str) -> Result<T, FhirError> {
    use serde_json::error::Category;
    serde_json::from_str(raw).map_err(|error| {
        FhirError::broken(match error.classify() {
            Category::Syntax | Category::Io => "not JSON",
            Category::Eof => "cut JSON",
            Category::Data => "an element is missing, doubled or of another type",
        })
    })
}

#[cfg(test)]
mod tests;
