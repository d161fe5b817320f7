//! An event in the words of IHE's Basic Audit Log Patterns, as FHIR R5 `AuditEvent`. People are named by their ids alone.

use infoblood_agreement::audit::{Action, AuditEvent as Event, Outcome, Purpose};
use infoblood_clinical::fhir::system;
use serde_json::{Map, Value, json};

use crate::clock::rfc3339;
use crate::storage::{AuditEvent, Device};

const TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://hl7.org/fhir/restful-interaction";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const OUTCOME: &str = "http://terminology.hl7.org/CodeSystem/audit-event-outcome";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const SOURCE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// Category, code in a published system, and what was done to the data (R, E).
struct Pattern {
    category: (&'static str, &'static str),
    code: Option<(&'static str, &'static str)>,
    action: &'static str,
}

const fn pattern(action: Action) -> Pattern {
    let rest = (TYPE, "rest");
    let user = (DCM, "110114");
    let alert = (DCM, "110113");
    let (category, code, action) = match action {
        Action::PatientRead => (rest, Some((REST, "read")), "R"),
        Action::PatientQuery => (rest, Some((REST, "search")), "E"),
        Action::AccessRefused => (rest, None, "R"),
        Action::PatientPrint | Action::PatientCopy => ((DCM, "110106"), None, "R"),
        Action::SignIn | Action::SignInFailed => (user, Some((DCM, "110122")), "E"),
        Action::Lock => (user, Some((DCM, "110123")), "E"),
        Action::BreakGlass => (alert, Some((DCM, "110127")), "E"),
        Action::PassphraseChanged => (alert, Some((DCM, "110137")), "E"),
        Action::ClockJump => (alert, None, "E"),
    };
    Pattern {
        category,
        code,
        action,
    }
}

/// The published code nearest to a purpose.
const fn reason(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treatment => "TREAT",
        Purpose::Donation => "HOPERAT",
        Purpose::Lookback => "PATSFTY",
        Purpose::Quality => "HQUALIMP",
    }
}

/// The whole resource.
pub(super) fn resource(
    event: &Event,
    stored: &AuditEvent,
    device: &Device,
    role: Option<&str>,
) -> Value {
    let pattern = pattern(event.action);
    let mut codes = vec![coding("urn:infoblood:audit-action", event.action.as_str())];
    codes.extend(pattern.code.map(|(system, code)| coding(system, code)));
    let mut resource = Map::new();
    let mut put = |name: &str, value: Value| {
        resource.insert(name.to_owned(), value);
    };
    put("resourceType", json!("AuditEvent"));
    put("id", json!(hex::encode(event.id)));
    put("extension", json!([chain(stored)]));
    let (system, code) = pattern.category;
    put("category", json!([{ "coding": [coding(system, code)] }]));
    put("code", json!({ "coding": codes }));
    put("action", json!(pattern.action));
    put("recorded", json!(rfc3339(event.time)));
    put("outcome", outcome(event));
    let authorization = authorization(event);
    if !authorization.is_empty() {
        put("authorization", Value::Array(authorization));
    }
    let subject = event.reference.as_deref().map(Subject::of);
    if let Some(Subject::Patient(reference)) = subject {
        put("patient", json!({ "reference": reference }));
    }
    put("agent", agents(event, device, role));
    put("source", source(device));
    let entities = entities(event, subject);
    if !entities.is_empty() {
        put("entity", Value::Array(entities));
    }
    Value::Object(resource)
}

/// The place in the device's chain: with it a reader proves that nothing was left out.
fn chain(stored: &AuditEvent) -> Value {
    let mut parts = vec![
        json!({ "url": "sequence", "valueString": stored.sequence.to_string() }),
        json!({ "url": "hash", "valueString": hex::encode(stored.hash) }),
        json!({ "url": "received", "valueInstant": rfc3339(stored.received_at) }),
    ];
    parts.extend(
        stored
            .previous
            .map(|hash| json!({ "url": "previous", "valueString": hex::encode(hash) })),
    );
    json!({ "url": "urn:infoblood:audit-chain", "extension": parts })
}

fn outcome(event: &Event) -> Value {
    let code = match (event.outcome, event.action) {
        (Outcome::Permit, _) => "0",
        (Outcome::Deny, Action::SignInFailed) => "4",
        (Outcome::Deny, _) => "8",
    };
    let mut outcome = json!({ "code": coding(OUTCOME, code) });
    if let Some(reason) = &event.reason {
        // Of a broken glass the person's own words, else a code of ours.
        outcome["detail"] = match (event.action, event.outcome) {
            (Action::BreakGlass, Outcome::Permit) => json!([{ "text": reason }]),
            _ => json!([{ "coding": [coding("urn:infoblood:error", reason)] }]),
        };
    }
    outcome
}

fn authorization(event: &Event) -> Vec<Value> {
    let purpose = event.purpose.map(|purpose| {
        json!({ "coding": [
            coding("urn:infoblood:purpose", purpose.as_str()),
            coding(REASON, reason(purpose)),
        ] })
    });
    let emergency = event
        .glass_broken
        .then(|| json!({ "coding": [coding(REASON, "BTG")] }));
    purpose.into_iter().chain(emergency).collect()
}

fn agents(event: &Event, device: &Device, role: Option<&str>) -> Value {
    let application = json!({
        "type": { "coding": [coding(DCM, "110150")] },
        "who": named("urn:infoblood:device", &device.device_id),
        "requestor": event.person_id.is_none(),
    });
    let person = event.person_id.as_ref().map(|person_id| {
        let mut agent = json!({
            "type": { "coding": [coding(PARTICIPATION, "IRCP")] },
            "who": named("urn:infoblood:person", person_id),
            "requestor": true,
        });
        if let Some(role) = role {
            agent["role"] = json!([{ "coding": [coding("urn:infoblood:staff-role", role)] }]);
        }
        agent
    });
    Value::Array(person.into_iter().chain([application]).collect())
}

fn source(device: &Device) -> Value {
    json!({
        "site": named("urn:infoblood:site", &device.site),
        "observer": named("urn:infoblood:device", &device.device_id),
        "type": [{ "coding": [coding(SOURCE, "1")] }],
    })
}

/// What was looked at.
#[derive(Clone, Copy)]
enum Subject<'a> {
    /// Somebody's record: the reference.
    Patient(&'a str),
    /// What became of a donation: its number.
    Donation(&'a str),
    /// Something else, as the workstation names it.
    Other(&'a str),
}

impl<'a> Subject<'a> {
    fn of(reference: &'a str) -> Self {
        match reference.split_once('/') {
            Some(("Patient", _)) => Self::Patient(reference),
            Some(("Donation", number)) => Self::Donation(number),
            _ => Self::Other(reference),
        }
    }

    /// FHIR has no resource of that name for a donation, which is known by its number.
    fn entity(self) -> Value {
        let (what, role) = match self {
            Self::Patient(reference) => (json!({ "reference": reference }), "1"),
            Self::Donation(number) => (named(system::DIN, number), "4"),
            Self::Other(name) => (json!({ "display": name }), "4"),
        };
        json!({ "what": what, "role": { "coding": [coding(ROLE, role)] } })
    }
}

/// What was looked at; of a query, that there was one. Its words are names and numbers of people: they never left the workstation, and the
/// element says that it is withheld.
fn entities(event: &Event, subject: Option<Subject<'_>>) -> Vec<Value> {
    let query = (event.action == Action::PatientQuery).then(|| {
        json!({
            "role": { "coding": [coding(ROLE, "24")] },
            "_query": { "extension": [{ "url": ABSENT, "valueCode": "masked" }] },
        })
    });
    subject
        .map(Subject::entity)
        .into_iter()
        .chain(query)
        .collect()
}

fn coding(system: &str, code: &str) -> Value {
    json!({ "system": system, "code": code })
}

fn named(system: &str, value: &str) -> Value {
    json!({ "identifier": { "system": system, "value": value } })
}

#[cfg(test)]
#[path = "balp_tests.rs"]
mod tests;
