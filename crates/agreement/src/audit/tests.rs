use proptest::prelude::*;

use super::*;
use crate::fixtures::{T0, assert_every_bit_counts, assert_vector, signing};

fn event() -> AuditEvent {
    AuditEvent {
        id: [0x1d; 16],
        sequence: 1,
        previous: None,
        time: T0,
        action: Action::PatientRead,
        person_id: Some("00112233445566778899aabbccddeeff".into()),
        outcome: Outcome::Permit,
        reference: Some("Patient/d-1".into()),
        reason: None,
        purpose: Some(Purpose::Donation),
        glass_broken: false,
    }
}

/// An event of version 1, as its code wrote it.
fn first_version(action: Action) -> Vec<u8> {
    let device = signing(5);
    let payload = cbor::encode(&Value::map([
        (1, [0x1d; 16].into()),
        (2, 1_u64.into()),
        (3, None::<[u8; 32]>.into()),
        (4, T0.into()),
        (5, action.as_str().into()),
        (6, event().person_id.into()),
        (7, "permit".into()),
        (8, event().reference.into()),
        (9, None::<String>.into()),
    ]));
    let header = Header::new(
        content_type::AUDIT_EVENT_1,
        &device,
        &issuer(&PublicKey::of(&device)),
        "urn:infoblood:audit:1",
        T0,
    );
    cose::sign(&header, &payload, &device)
}

#[test]
fn the_fixed_event_has_these_bytes_and_verifies() {
    let device = signing(5);
    let bytes = event().sign(&device).unwrap();
    assert_vector(
        "audit-event-2",
        "device_seed is an Ed25519 seed; the device's first event, a permitted patient-read for the sake of a donation",
        &[("device_seed", device.as_bytes()), ("audit_event", &bytes)],
    );
    let public = PublicKey::of(&device);
    assert_eq!(AuditEvent::verify(&bytes, &public), Ok(event()));
    let id = device_id(public.as_bytes());
    assert_eq!(claimed_device(&bytes), Ok(id));
    assert_every_bit_counts(&bytes, |bytes| AuditEvent::verify(bytes, &public).is_ok());
    let other = PublicKey::of(&signing(6));
    assert!(AuditEvent::verify(&bytes, &other).is_err());
}

#[test]
fn an_event_of_version_1_is_still_read() {
    let device = signing(5);
    let bytes = first_version(Action::PatientRead);
    assert_vector(
        "audit-event",
        "device_seed is an Ed25519 seed; the device's first event, a permitted patient-read",
        &[("device_seed", device.as_bytes()), ("audit_event", &bytes)],
    );
    let public = PublicKey::of(&device);
    let expected = AuditEvent {
        purpose: None,
        ..event()
    };
    assert_eq!(AuditEvent::verify(&bytes, &public), Ok(expected));
    assert_every_bit_counts(&bytes, |bytes| AuditEvent::verify(bytes, &public).is_ok());
    for action in [Action::PatientPrint, Action::PatientCopy] {
        let error = AuditEvent::verify(&first_version(action), &public).unwrap_err();
        assert_eq!(
            error.code(),
            "audit-malformed",
            "version 1 knew no {action:?}"
        );
    }
}

#[test]
fn only_what_shows_a_record_needs_a_purpose() {
    let needing: Vec<_> = Action::ALL
        .into_iter()
        .filter(|action| action.needs_purpose())
        .map(Action::as_str)
        .collect();
    assert_eq!(needing, ["patient-read", "patient-print", "patient-copy"]);
}

#[test]
fn a_chain_is_bound_by_hashes() {
    let device = signing(5);
    let first = event().sign(&device).unwrap();
    let second = AuditEvent {
        sequence: 2,
        previous: Some(message_hash(&first)),
        action: Action::AccessRefused,
        outcome: Outcome::Deny,
        person_id: None,
        reference: None,
        reason: Some("grant-expired".into()),
        ..event()
    };
    let bytes = second.sign(&device).unwrap();
    let read = AuditEvent::verify(&bytes, &PublicKey::of(&device)).unwrap();
    assert_eq!(read, second);
    assert_eq!(read.previous, Some(message_hash(&first)));
}

#[test]
fn impossible_events_are_not_signed() {
    let device = signing(5);
    let refused = |event: AuditEvent| event.sign(&device).unwrap_err().code();
    let sequence = |sequence, previous| AuditEvent {
        sequence,
        previous,
        ..event()
    };
    let person_id = Some("800101300123".into());
    let long = Some("x".repeat(257));
    let last = i64::MAX as u64 - 1;
    assert!(sequence(last, Some([0; 32])).sign(&device).is_ok());
    let reference = |text: &str| AuditEvent {
        reference: Some(text.into()),
        ..event()
    };
    for event in [
        sequence(0, None),
        sequence(last + 1, Some([0; 32])),
        sequence(u64::MAX, Some([0; 32])),
        reference("Patient/d\0"),
        reference("Patient/\nd"),
        reference("Patient/d\u{7f}"),
        reference("Patient/d\u{85}"),
        sequence(2, None),
        sequence(1, Some([0; 32])),
        AuditEvent {
            person_id,
            ..event()
        },
        AuditEvent {
            reference: long,
            ..event()
        },
        AuditEvent {
            reason: Some("x".repeat(801)),
            ..event()
        },
    ] {
        assert_eq!(refused(event), "audit-malformed");
    }
}

#[test]
fn the_longest_reason_of_a_broken_glass_fits() {
    let words = "ж".repeat(crate::lease::MAX_REASON_CHARS);
    let event = AuditEvent {
        action: Action::BreakGlass,
        reference: None,
        reason: Some(crate::lease::Reason::parse(&words).unwrap().as_str().into()),
        ..event()
    };
    let device = signing(5);
    let bytes = event.sign(&device).unwrap();
    assert_eq!(
        AuditEvent::verify(&bytes, &PublicKey::of(&device)),
        Ok(event)
    );
}

#[test]
fn names_are_read_as_they_are_written() {
    for action in Action::ALL {
        assert_eq!(Action::parse(action.as_str()), Some(action));
    }
    assert_eq!(Action::parse("patient-write"), None);
    assert_eq!(Outcome::parse("permit"), Some(Outcome::Permit));
    assert_eq!(Outcome::parse("maybe"), None);
    for purpose in Purpose::ALL {
        assert_eq!(Purpose::parse(purpose.as_str()), Some(purpose));
    }
    assert_eq!(Purpose::parse("curiosity"), None);
}

proptest! {
    #[test]
    fn what_is_signed_is_read(
        id: [u8; 16], sequence in 2..i64::MAX as u64, previous: [u8; 32], time: i64,
        action in prop::sample::select(&Action::ALL[..]),
        reference in prop::option::of("[a-zA-Z/0-9-]{0,64}"), reason in prop::option::of("[a-z-]{0,32}"),
        purpose in prop::option::of(prop::sample::select(&Purpose::ALL[..])), glass_broken: bool,
    ) {
        let event = AuditEvent {
            id, sequence, previous: Some(previous), time, action, person_id: None,
            outcome: Outcome::Deny, reference, reason, purpose, glass_broken,
        };
        let device = signing(5);
        let bytes = event.sign(&device).unwrap();
        prop_assert_eq!(AuditEvent::verify(&bytes, &PublicKey::of(&device)), Ok(event));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = claimed_device(&bytes);
        let _ = AuditEvent::verify(&bytes, &PublicKey::of(&signing(5)));
    }
}
