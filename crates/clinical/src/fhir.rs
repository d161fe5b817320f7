//! FHIR R5, the small part this product exchanges: Patient (donor), Flag (deferral), Procedure and Specimen (donation),
//! Observation (blood group), Organization (centre).
//!
//! A [`Record`] keeps the received JSON verbatim beside the typed view, so elements this crate does not know survive. Identifier
//! and code systems are the constants of [`system`].

mod datatypes;
mod resources;

pub use datatypes::{
    CodeableConcept, Coding, Element, Extension, FhirDate, HumanName, Identifier, Meta, Period,
    Quantity, Reference,
};
pub use resources::{
    Collection, Flag, Observation, ObservationComponent, Organization, Patient, Performer,
    Procedure, Specimen,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
    /// Code of the Kell component of a blood group observation: `kell`.
    pub const ANTIGEN: &str = "urn:infoblood:antigen";
    /// LOINC; 882-1 is «ABO and Rh group \[Type\] in Blood».
    pub const LOINC: &str = "http://loinc.org";
    /// HL7 v3 interpretation codes `POS` and `NEG`.
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

/// Security label of invented data, in [`system::ACT_REASON`].
pub const TEST_DATA: &str = "HTEST";

/// A resource of one of the known types. Serialises as FHIR JSON with `resourceType`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "resourceType")]
#[non_exhaustive]
pub enum Resource {
    Patient(Patient),
    Flag(Flag),
    Procedure(Procedure),
    Specimen(Specimen),
    Observation(Observation),
    Organization(Organization),
}

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
    /// Reads one line of NDJSON: one JSON object of a known type that keeps the profile's rules (id, status, references, dates).
    pub fn parse_line(line: &[u8]) -> Result<Self, FhirError> {
        if line.len() > MAX_LINE {
            return Err(FhirError::TooLarge);
        }
        let raw = str::from_utf8(line)
            .map_err(|_| FhirError::broken("not UTF-8"))?
            .trim();
        let head: Head = read(raw)?;
        let resource = match head.resource_type.as_str() {
            "Patient" => Resource::Patient(read(raw)?),
            "Flag" => Resource::Flag(read(raw)?),
            "Procedure" => Resource::Procedure(read(raw)?),
            "Specimen" => Resource::Specimen(read(raw)?),
            "Observation" => Resource::Observation(read(raw)?),
            "Organization" => Resource::Organization(read(raw)?),
            other
                if !other.is_empty()
                    && other.len() <= 64
                    && other.bytes().all(|b| b.is_ascii_alphabetic()) =>
            {
                return Err(FhirError::UnknownType {
                    resource_type: head.resource_type,
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

impl Resource {
    /// `Patient`, `Flag` …
    pub fn resource_type(&self) -> &'static str {
        match self {
            Self::Patient(_) => "Patient",
            Self::Flag(_) => "Flag",
            Self::Procedure(_) => "Procedure",
            Self::Specimen(_) => "Specimen",
            Self::Observation(_) => "Observation",
            Self::Organization(_) => "Organization",
        }
    }

    /// The logical id, unique within the type.
    pub fn id(&self) -> &str {
        match self {
            Self::Patient(r) => &r.id,
            Self::Flag(r) => &r.id,
            Self::Procedure(r) => &r.id,
            Self::Specimen(r) => &r.id,
            Self::Observation(r) => &r.id,
            Self::Organization(r) => &r.id,
        }
    }

    /// Id of the Patient this resource is or is about; `None` for an Organization.
    pub fn donor_id(&self) -> Option<&str> {
        match self {
            Self::Patient(r) => Some(&r.id),
            Self::Flag(r) => r.subject.id_of("Patient"),
            Self::Procedure(r) => r.subject.id_of("Patient"),
            Self::Specimen(r) => r.subject.id_of("Patient"),
            Self::Observation(r) => r.subject.id_of("Patient"),
            Self::Organization(_) => None,
        }
    }

    /// Code of the site that owns the resource, from `meta.tag`; `None` for what belongs to no single site.
    pub fn site(&self) -> Option<&str> {
        let meta = match self {
            Self::Patient(r) => &r.meta,
            Self::Flag(r) => &r.meta,
            Self::Procedure(r) => &r.meta,
            Self::Specimen(r) => &r.meta,
            Self::Observation(r) => &r.meta,
            Self::Organization(r) => &r.meta,
        };
        meta.as_ref()?
            .tag
            .iter()
            .find(|tag| tag.system.as_deref() == Some(system::SITE))?
            .code
            .as_deref()
    }

    /// Whether a change of it travels in the `safety` stream: deferrals do.
    pub fn is_safety(&self) -> bool {
        matches!(self, Self::Flag(_))
    }

    /// One line of JSON without a line end.
    pub fn to_line(&self) -> Result<String, FhirError> {
        serde_json::to_string(self).map_err(|_| FhirError::broken("not JSON"))
    }

    fn check(&self) -> Result<(), FhirError> {
        if !is_id(self.id()) {
            return Err(FhirError::broken("id"));
        }
        match self {
            Self::Patient(r) => r.check(),
            Self::Flag(r) => r.check(),
            Self::Procedure(r) => r.check(),
            Self::Specimen(r) => r.check(),
            Self::Observation(r) => r.check(),
            Self::Organization(_) => Ok(()),
        }
    }
}

/// FHIR `id`: 1–64 of `A–Z a–z 0–9 - .`.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    resource_type: String,
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
