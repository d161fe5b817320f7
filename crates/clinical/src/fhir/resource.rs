//! One resource of any type of the profile.

use serde::Serialize;

use super::{
    AdverseEvent, BiologicallyDerivedProduct, BiologicallyDerivedProductDispense, FhirError, Flag,
    Location, Meta, Observation, Organization, Patient, Procedure, RECALLED, ServiceRequest,
    Specimen, demand, is_id, system,
};

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
    BiologicallyDerivedProduct(BiologicallyDerivedProduct),
    BiologicallyDerivedProductDispense(BiologicallyDerivedProductDispense),
    ServiceRequest(ServiceRequest),
    AdverseEvent(AdverseEvent),
    Organization(Organization),
    Location(Location),
}

/// The same expression for every type.
macro_rules! each {
    ($resource:expr, $r:ident => $result:expr) => {
        match $resource {
            Resource::Patient($r) => $result,
            Resource::Flag($r) => $result,
            Resource::Procedure($r) => $result,
            Resource::Specimen($r) => $result,
            Resource::Observation($r) => $result,
            Resource::BiologicallyDerivedProduct($r) => $result,
            Resource::BiologicallyDerivedProductDispense($r) => $result,
            Resource::ServiceRequest($r) => $result,
            Resource::AdverseEvent($r) => $result,
            Resource::Organization($r) => $result,
            Resource::Location($r) => $result,
        }
    };
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
            Self::BiologicallyDerivedProduct(_) => "BiologicallyDerivedProduct",
            Self::BiologicallyDerivedProductDispense(_) => "BiologicallyDerivedProductDispense",
            Self::ServiceRequest(_) => "ServiceRequest",
            Self::AdverseEvent(_) => "AdverseEvent",
            Self::Organization(_) => "Organization",
            Self::Location(_) => "Location",
        }
    }

    /// The logical id, unique within the type.
    pub fn id(&self) -> &str {
        each!(self, r => &r.id)
    }

    /// Id of the Patient this resource is or is about: a component's is its donor. `None` for an organization, a place and a
    /// component without a donor.
    pub fn patient_id(&self) -> Option<&str> {
        match self {
            Self::Patient(r) => Some(&r.id),
            Self::Flag(r) => r.subject.id_of("Patient"),
            Self::Procedure(r) => r.subject.id_of("Patient"),
            Self::Specimen(r) => r.subject.id_of("Patient"),
            Self::Observation(r) => r.subject.id_of("Patient"),
            Self::BiologicallyDerivedProduct(r) => r.donor_id(),
            Self::BiologicallyDerivedProductDispense(r) => r.patient.id_of("Patient"),
            Self::ServiceRequest(r) => r.subject.id_of("Patient"),
            Self::AdverseEvent(r) => r.subject.id_of("Patient"),
            Self::Organization(_) | Self::Location(_) => None,
        }
    }

    /// Code of the site that owns the resource, from `meta.tag`; `None` for what belongs to no single site.
    pub fn site(&self) -> Option<&str> {
        self.meta()?
            .tag
            .iter()
            .find(|tag| tag.system.as_deref() == Some(system::SITE))?
            .code
            .as_deref()
    }

    /// Whether a change of it travels in the `safety` stream: deferrals and recalled components do.
    pub fn is_safety(&self) -> bool {
        match self {
            Self::Flag(_) => true,
            Self::BiologicallyDerivedProduct(r) => r.status() == Some(RECALLED),
            _ => false,
        }
    }

    /// Whether something in it changes its meaning in a way this version does not know (`modifierExtension`, `implicitRules`): it is
    /// shown as not understood, never its values. So is a deferral that cannot be read, or ends before it begins.
    pub fn not_understood(&self) -> bool {
        match self {
            Self::Procedure(r) => r.is_modified(),
            Self::Flag(r) => r.is_modified(),
            Self::Specimen(r) => {
                r.implicit_rules.is_some()
                    || !r.modifier_extension.is_empty()
                    || r.collection
                        .as_ref()
                        .is_some_and(|c| !c.modifier_extension.is_empty())
            }
            Self::Observation(r) => r.is_modified(),
            Self::BiologicallyDerivedProduct(r) => r.is_modified(),
            Self::ServiceRequest(r) => r.is_modified(),
            Self::AdverseEvent(r) => r.is_modified(),
            Self::Patient(r) => r.is_modified(),
            Self::BiologicallyDerivedProductDispense(_)
            | Self::Organization(_)
            | Self::Location(_) => {
                each!(self, r => r.implicit_rules.is_some() || !r.modifier_extension.is_empty())
            }
        }
    }

    /// Whether a card counts it as not understood: [`Resource::not_understood`], and a donation whose kind is not known.
    pub fn is_unclear(&self) -> bool {
        let is_unknown = matches!(self, Self::Procedure(r) if r.is_unknown_donation());
        is_unknown || self.not_understood()
    }

    /// One line of JSON without a line end.
    pub fn to_line(&self) -> Result<String, FhirError> {
        serde_json::to_string(self).map_err(|_| FhirError::broken("not JSON"))
    }

    fn meta(&self) -> Option<&Meta> {
        each!(self, r => r.meta.as_ref())
    }

    pub(super) fn check(&self) -> Result<(), FhirError> {
        demand(is_id(self.id()), "id")?;
        match self {
            Self::Patient(r) => r.check(),
            Self::Flag(r) => r.check(),
            Self::Procedure(r) => r.check(),
            Self::Specimen(r) => r.check(),
            Self::Observation(r) => r.check(),
            Self::BiologicallyDerivedProduct(r) => r.check(),
            Self::BiologicallyDerivedProductDispense(r) => r.check(),
            Self::ServiceRequest(r) => r.check(),
            Self::AdverseEvent(r) => r.check(),
            Self::Location(r) => r.check(),
            Self::Organization(_) => Ok(()),
        }
    }
}
