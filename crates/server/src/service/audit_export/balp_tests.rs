use std::path::Path;

use super::*;
use crate::storage::DeviceStatus;

const ACTIONS: [(Action, Outcome, Option<&str>); 14] = [
    (Action::SignIn, Outcome::Permit, None),
    (
        Action::SignInFailed,
        Outcome::Deny,
        Some("passphrase-wrong"),
    ),
    (Action::PatientQuery, Outcome::Permit, None),
    (Action::PatientRead, Outcome::Permit, None),
    (Action::PatientPrint, Outcome::Permit, None),
    (Action::PatientPrint, Outcome::Deny, Some("read-only-time")),
    (Action::PatientCopy, Outcome::Permit, None),
    (
        Action::AccessRefused,
        Outcome::Deny,
        Some("purpose-required"),
    ),
    (
        Action::BreakGlass,
        Outcome::Permit,
        Some("Жедел ота, байланыс жоқ"),
    ),
    (Action::ClockJump, Outcome::Permit, Some("back")),
    (Action::PassphraseChanged, Outcome::Permit, None),
    (Action::Lock, Outcome::Permit, None),
    (Action::PatientRead, Outcome::Permit, None),
    (Action::PatientRead, Outcome::Permit, None),
];

/// What an event that is about something is about: a person; of the last two a donation, and what no version knows yet.
fn reference(n: u8) -> &'static str {
    match n {
        13 => "Donation/KZ00126000001",
        14 => "shelf 3",
        _ => "Patient/d-1",
    }
}

fn device() -> Device {
    Device {
        device_id: "ffeeddccbbaa99887766554433221100".into(),
        signing_key: [1; 32],
        exchange_key: [2; 32],
        kid: [3; 32],
        site: "ALM".into(),
        workstation: "W-1".into(),
        status: DeviceStatus::Approved,
        epoch: 1,
        registered_at: 0,
    }
}

fn one(n: u8, (action, outcome, reason): (Action, Outcome, Option<&str>)) -> Value {
    let of_a_person = action.needs_purpose() || action == Action::AccessRefused;
    let event = Event {
        id: [n; 16],
        sequence: n.into(),
        previous: (n > 1).then_some([n - 1; 32]),
        time: 1_793_491_200 + i64::from(n),
        action,
        person_id: (action != Action::ClockJump).then(|| "00112233445566778899aabbccddeeff".into()),
        outcome,
        reference: of_a_person.then(|| reference(n).into()),
        reason: reason.map(str::to_owned),
        purpose: Purpose::ALL.get(usize::from(n) % 5).copied(),
        glass_broken: n > 9,
    };
    let stored = AuditEvent {
        hash: [n; 32],
        id: event.id.to_vec(),
        device_id: device().device_id,
        sequence: event.sequence,
        previous: event.previous,
        person_id: event.person_id.clone(),
        action: action.as_str().into(),
        outcome: outcome.as_str().into(),
        reference: event.reference.clone(),
        at: event.time,
        received_at: event.time + 60,
        message: Vec::new(),
    };
    resource(&event, &stored, &device(), Some("clinician"))
}

/// The file is what the published FHIR R5 definitions are held against in `cargo xtask test`.
#[test]
fn every_kind_of_event_is_as_the_validated_file_has_it() {
    let lines: Vec<String> = (1..)
        .zip(ACTIONS)
        .map(|(n, kind)| one(n, kind).to_string() + "\n")
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audit.ndjson");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, lines.concat()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines.concat());
}

#[test]
fn a_query_tells_that_its_words_are_withheld_and_a_refusal_its_code() {
    let query = one(3, ACTIONS[2]);
    assert_eq!(query["entity"][0]["query"], Value::Null);
    assert_eq!(
        query["entity"][0]["_query"]["extension"][0]["valueCode"],
        "masked"
    );
    let refused = one(8, ACTIONS[7]);
    assert_eq!(refused["outcome"]["code"]["code"], "8");
    assert_eq!(
        refused["outcome"]["detail"][0]["coding"][0]["code"],
        "purpose-required"
    );
    assert_eq!(refused["patient"]["reference"], "Patient/d-1");
    let broken = one(9, ACTIONS[8]);
    assert_eq!(
        broken["outcome"]["detail"][0]["text"],
        "Жедел ота, байланыс жоқ"
    );
    let jump = one(10, ACTIONS[9]);
    let agents = jump["agent"].as_array().unwrap();
    assert_eq!((agents.len(), &agents[0]["requestor"]), (1, &json!(true)));
}

/// A donation's number is no reference to a resource, and nobody's record.
#[test]
fn a_look_at_a_donation_names_its_number() {
    let look = one(13, ACTIONS[12]);
    assert_eq!(look["patient"], Value::Null);
    let entity = &look["entity"][0];
    assert_eq!(
        entity["what"]["identifier"],
        json!({ "system": "urn:infoblood:id:din", "value": "KZ00126000001" })
    );
    assert_eq!(entity["role"]["coding"][0]["code"], "4");
    let other = one(14, ACTIONS[13]);
    assert_eq!(other["patient"], Value::Null);
    assert_eq!(other["entity"][0]["what"], json!({ "display": "shelf 3" }));
}
