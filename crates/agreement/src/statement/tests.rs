use super::*;
use crate::cbor::{self, Limits};
use crate::enrolment_code::EnrolmentCode;
use crate::fixtures::{
    ISSUER, T0, assert_every_bit_counts, assert_vector, log_key, person_x25519, rng, signing,
};
use crate::keys::{SigningKey, device_id};
use std::collections::BTreeMap;
use x25519_dalek::PublicKey as X25519Public;

pub(crate) const PERSON: &str = "00112233445566778899aabbccddeeff";
const LIMITS: Limits = Limits::DEFAULT;

pub(crate) fn person() -> SigningKey {
    signing(0xb0)
}

fn device() -> SigningKey {
    signing(0xb2)
}

fn device_x25519() -> [u8; 32] {
    X25519Public::from([0xb3; 32]).to_bytes()
}

fn code() -> EnrolmentCode {
    EnrolmentCode::generate(&mut rng(1))
}

pub(crate) fn enrolment() -> Vec<u8> {
    sign_enrolment(
        &request(),
        EnrolmentSecrets {
            person: &person(),
            device: &device(),
            code: &code().signing_key(),
        },
    )
}

fn request() -> EnrolmentRequest<'static> {
    EnrolmentRequest {
        person_id: PERSON,
        site: "ALA-01",
        workstation: "Тіркеу 1",
        person_x25519: X25519Public::from(&person_x25519()).to_bytes(),
        device_x25519: device_x25519(),
        issued_at: T0,
        nonce: [0x11; 16],
    }
}

pub(crate) fn decision() -> Acceptance {
    Acceptance {
        decision: Decision::Accepted,
        device_id: device_id(PublicKey::of(&device()).as_bytes()),
        site: "ALA-01".into(),
        document_sha256: *crate::document::Document::builtin().digest(),
        document_version: 1,
        languages_shown: vec![Language::Kk, Language::Ru],
        evidence: Evidence {
            opened_at: T0 - 300,
            visible_seconds: 240,
            end_reached: vec![Language::Kk],
        },
        local_time: "2026-11-01T05:00:00+05:00".into(),
        checkpoint: Some(Checkpoint {
            tree_size: 7,
            root: [0x22; 32],
        }),
        sequence: 1,
        previous: None,
        nonce: [0x33; 16],
        app_version: "0.1.0".into(),
    }
}

fn key() -> PublicKey {
    PublicKey::of(&person())
}

fn accept(acceptance: &Acceptance) -> Result<Verified<Acceptance>, StatementError> {
    let bytes = sign_acceptance(acceptance, PERSON, T0, &person());
    check(&bytes)
}

fn check(bytes: &[u8]) -> Result<Verified<Acceptance>, StatementError> {
    let device_id = decision().device_id;
    let signer = Signer {
        key: &key(),
        person_id: PERSON,
        device_id: &device_id,
    };
    verify_acceptance(bytes, &signer, &LIMITS)
}

#[test]
fn an_enrolment_verifies_and_every_bit_counts() {
    let bytes = enrolment();
    let verified = verify_enrolment(&bytes, &LIMITS).unwrap();
    assert_eq!(verified.bytes(), bytes);
    assert_eq!(verified.iss(), person_urn(PERSON));
    assert_eq!(verified.issued_at(), T0);
    assert_eq!(verified.kid(), &key().kid());
    assert_eq!(*verified.leaf(), leaf_hash(&bytes, &LIMITS).unwrap());
    let payload = verified.payload();
    assert_eq!(payload.workstation, "Тіркеу 1");
    assert_eq!(payload.code_key, code().public_key());
    assert_eq!(payload.device_id, decision().device_id);
    assert_every_bit_counts(&bytes, |b| verify_enrolment(b, &LIMITS).is_ok());
    assert_vector(
        "enrolment",
        "Keys are Ed25519 seeds of 32 equal bytes: person b0, device b2. The code is ASCII.",
        &[
            ("code", code().display().as_bytes()),
            ("code_key", code().public_key().as_bytes()),
            ("person_key", key().as_bytes()),
            ("statement", &bytes),
            ("leaf", verified.leaf()),
        ],
    );
}

/// An enrolment whose fields went through `change` before they were signed by the three keys.
fn changed(change: impl Fn(&mut BTreeMap<i64, Value>)) -> Result<(), StatementError> {
    let code = code().signing_key();
    changed_by(change, &person(), &device(), &code)
}

fn changed_by(
    change: impl Fn(&mut BTreeMap<i64, Value>),
    person: &SigningKey,
    device: &SigningKey,
    code: &SigningKey,
) -> Result<(), StatementError> {
    use ed25519_dalek::Signer as _;
    let request = request();
    let mut fields = BTreeMap::from([
        (1, PERSON.into()),
        (2, decision().device_id.into()),
        (3, request.site.into()),
        (4, request.workstation.into()),
        (5, key().as_bytes().into()),
        (6, request.person_x25519.into()),
        (7, PublicKey::of(&signing(0xb2)).as_bytes().into()),
        (8, request.device_x25519.into()),
        (9, self::code().public_key().as_bytes().into()),
        (10, T0.into()),
        (11, request.nonce.into()),
    ]);
    change(&mut fields);
    let fields = fields.into_iter().map(|(k, v)| (k.into(), v)).collect();
    let fields = cbor::encode(&Value::Map(fields));
    let proof = |key: &SigningKey, context: &str| -> Value {
        let message = [context.as_bytes(), &fields].concat();
        key.sign(&message).to_bytes().into()
    };
    let payload = cbor::encode(&Value::map([
        (1, fields.as_slice().into()),
        (2, proof(code, "infoblood/enrolment-code-proof/v1")),
        (3, proof(device, "infoblood/enrolment-device-proof/v1")),
    ]));
    let urn = person_urn(PERSON);
    let header = Header::new(content_type::ENROLMENT, person, &urn, &urn, T0);
    verify_enrolment(&cose::sign(&header, &payload, person), &LIMITS).map(drop)
}

#[test]
fn an_enrolment_that_does_not_hold_together_is_refused() {
    let code = code().signing_key();
    let same = |_: &mut BTreeMap<i64, Value>| ();
    assert_eq!(changed(same), Ok(()));
    assert_eq!(
        changed_by(same, &person(), &signing(1), &code),
        Err(StatementError::Proof)
    );
    assert_eq!(
        changed_by(same, &person(), &device(), &signing(1)),
        Err(StatementError::Proof)
    );
    assert_eq!(
        changed_by(same, &signing(1), &device(), &code),
        Err(CoseError::Kid.into())
    );

    let mut weak = [0; 32];
    weak[0] = 1;
    let set = |field: i64, value: Value| {
        changed(|fields| {
            fields.insert(field, value.clone());
        })
    };
    for field in [5, 7, 9] {
        assert_eq!(set(field, weak.into()), Err(KeyError::Weak.into()));
    }
    for field in [6, 8] {
        for low_order in [[0; 32], weak] {
            assert_eq!(set(field, low_order.into()), Err(KeyError::Weak.into()));
        }
    }
    let other = "ffffffffffffffffffffffffffffffff";
    assert_eq!(set(1, other.into()), Err(StatementError::Issuer));
    assert_eq!(set(1, "login".into()), Err(StatementError::Issuer));
    assert_eq!(set(2, other.into()), Err(StatementError::Device));
    assert_eq!(set(3, "".into()), Err(StatementError::Value));
    assert_eq!(set(4, "a\nb".into()), Err(StatementError::Value));
    assert_eq!(set(10, (T0 + 1).into()), Err(StatementError::Value));
    assert_eq!(set(12, 0_i64.into()), Err(CborError::UnknownField.into()));
    assert_eq!(set(11, [0; 15].into()), Err(CborError::Field(11).into()));
    let missing = changed(|fields| drop(fields.remove(&8)));
    assert_eq!(missing, Err(CborError::Missing(8).into()));
}

#[test]
fn an_acceptance_verifies_and_every_bit_counts() {
    let bytes = sign_acceptance(&decision(), PERSON, T0, &person());
    let verified = check(&bytes).unwrap();
    assert_eq!(verified.payload(), &decision());
    assert_eq!(verified.sub(), "urn:infoblood:agreement:terms:1");
    assert_every_bit_counts(&bytes, |b| check(b).is_ok());
    assert_vector(
        "acceptance",
        "By the person of enrolment.json.",
        &[
            ("person_key", key().as_bytes()),
            ("statement", &bytes),
            ("leaf", verified.leaf()),
        ],
    );
    let header = peek(&bytes, &LIMITS).unwrap();
    assert_eq!(header.kind, Kind::Acceptance);
    assert_eq!(header.person_id(), Some(PERSON));
    assert_eq!(header.device_id(), None);

    let declined = Acceptance {
        decision: Decision::Declined,
        evidence: Evidence {
            end_reached: Vec::new(),
            ..decision().evidence
        },
        checkpoint: None,
        sequence: 2,
        previous: Some([0x44; 32]),
        ..decision()
    };
    assert_eq!(accept(&declined).unwrap().payload(), &declined);
}

#[test]
fn an_acceptance_by_or_about_another_is_refused() {
    let bytes = sign_acceptance(&decision(), PERSON, T0, &signing(1));
    assert_eq!(check(&bytes).unwrap_err(), CoseError::Kid.into());
    let other = "ffffffffffffffffffffffffffffffff";
    let bytes = sign_acceptance(&decision(), other, T0, &person());
    assert_eq!(check(&bytes).unwrap_err(), StatementError::Issuer);
    let elsewhere = Acceptance {
        device_id: other.into(),
        ..decision()
    };
    assert_eq!(accept(&elsewhere).unwrap_err(), StatementError::Device);
    assert_eq!(
        check(&enrolment()).unwrap_err(),
        CoseError::ContentType.into()
    );
    let bytes = sign_acceptance(&decision(), PERSON, T0, &person());
    assert!(verify_enrolment(&bytes, &LIMITS).is_err());

    // The version in the subject is not the one in the payload.
    let message = Sign1::parse(&bytes, &LIMITS).unwrap();
    let header = Header {
        sub: terms_urn(2),
        ..message.unverified_header().clone()
    };
    let moved = cose::sign(&header, message.unverified_payload().unwrap(), &person());
    assert_eq!(check(&moved).unwrap_err(), StatementError::Subject);

    // Something in the unprotected header, under no signature: refused, though the leaf is the same.
    let stuffed = message.with_unprotected(&Value::map([(99, 1_i64.into())]));
    assert_eq!(check(&stuffed).unwrap_err(), CoseError::Unprotected.into());
    assert_eq!(
        leaf_hash(&stuffed, &LIMITS).unwrap(),
        leaf_hash(&bytes, &LIMITS).unwrap()
    );
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let unread = Acceptance {
        evidence: Evidence {
            end_reached: Vec::new(),
            ..decision().evidence
        },
        ..decision()
    };
    let unseen = Acceptance {
        languages_shown: vec![Language::Ru],
        ..decision()
    };
    let twice = Acceptance {
        languages_shown: vec![Language::Kk, Language::Kk],
        ..decision()
    };
    let no_offset = Acceptance {
        local_time: "2026-11-01T05:00:00".into(),
        ..decision()
    };
    let from_zero = Acceptance {
        sequence: 0,
        ..decision()
    };
    let no_site = Acceptance {
        site: String::new(),
        ..decision()
    };
    for acceptance in [unread, unseen, twice, no_offset, from_zero, no_site] {
        assert_eq!(accept(&acceptance).unwrap_err(), StatementError::Value);
    }
}

#[test]
fn a_local_time_keeps_its_offset() {
    let at = jiff::Timestamp::from_second(T0).unwrap();
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(5));
    assert_eq!(
        Acceptance::local_time(&at.to_zoned(zone)),
        "2026-11-01T05:00:00+05:00"
    );
}

#[test]
fn a_device_refuses_for_itself_only() {
    let refusal = Acceptance {
        decision: Decision::Declined,
        ..decision()
    };
    let bytes = sign_device_refusal(&decision(), T0, &device());
    let public = PublicKey::of(&device());
    let verified = verify_device_refusal(&bytes, &public, &LIMITS).unwrap();
    assert_eq!(verified.payload(), &refusal);
    assert_eq!(device_of(verified.iss()), Some(refusal.device_id.as_str()));
    assert_every_bit_counts(&bytes, |b| {
        verify_device_refusal(b, &public, &LIMITS).is_ok()
    });
    assert_vector(
        "device-refusal",
        "By the device of enrolment.json.",
        &[
            ("device_key", public.as_bytes()),
            ("statement", &bytes),
            ("leaf", verified.leaf()),
        ],
    );

    // A device cannot accept, whatever it signs.
    let payload = sign_acceptance(&decision(), PERSON, T0, &person());
    let payload = Sign1::parse(&payload, &LIMITS).unwrap();
    let urn = device_urn(&refusal.device_id);
    let sub = terms_urn(1);
    let header = Header::new(content_type::DEVICE_REFUSAL, &device(), &urn, &sub, T0);
    let forged = cose::sign(&header, payload.unverified_payload().unwrap(), &device());
    let error = verify_device_refusal(&forged, &public, &LIMITS).unwrap_err();
    assert_eq!(error, StatementError::Value);
}

#[test]
fn an_act_of_the_administration_verifies() {
    let act = Administration {
        action: Action::DeviceApproved,
        subject: decision().device_id,
        detail: BTreeMap::from([("site".into(), "ALA-01".into())]),
    };
    let bytes = sign_administration(&act, ISSUER, T0, &log_key());
    let public = PublicKey::of(&log_key());
    let verified = verify_administration(&bytes, &public, &LIMITS).unwrap();
    assert_eq!(verified.payload(), &act);
    assert_eq!(verified.sub(), device_urn(&act.subject));
    assert_every_bit_counts(&bytes, |b| {
        verify_administration(b, &public, &LIMITS).is_ok()
    });
    assert_vector(
        "administration",
        "By the log's key.",
        &[
            ("log_key", public.as_bytes()),
            ("statement", &bytes),
            ("leaf", verified.leaf()),
        ],
    );
}

#[test]
fn other_messages_are_no_statements() {
    let header = Header::new(content_type::GRANT, &person(), ISSUER, "urn:x", T0);
    let bytes = cose::sign(&header, b"", &person());
    assert_eq!(peek(&bytes, &LIMITS), Err(StatementError::Kind));
    assert!(peek(b"", &LIMITS).is_err());
    for urn in ["urn:infoblood:person:x", "", "urn:infoblood:device:"] {
        assert_eq!((person_of(urn), device_of(urn)), (None, None));
    }
}
