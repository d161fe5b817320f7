use super::*;
use crate::fixtures::{
    DAY, ISSUER, T0, assert_every_bit_counts, assert_vector, grant_key, key_set, log_key, signing,
};

const CHALLENGE: Challenge = [1; 32];
const NONCE: Nonce = [2; 16];
const DEVICE: &str = "ffeeddccbbaa99887766554433221100";

#[test]
fn a_session_signature_is_for_its_challenge_device_and_nonce() {
    let person = signing(3);
    let public = PublicKey::of(&person);
    let signature = sign(&person, &CHALLENGE, DEVICE, &NONCE).unwrap();
    let other_device = DEVICE.replace('f', "e");
    let ok = |key: &PublicKey, challenge, device, nonce| {
        verify(key, challenge, device, nonce, &signature).is_ok()
    };
    assert!(ok(&public, &CHALLENGE, DEVICE, &NONCE));
    assert!(!ok(&PublicKey::of(&signing(4)), &CHALLENGE, DEVICE, &NONCE));
    assert!(!ok(&public, &[9; 32], DEVICE, &NONCE));
    assert!(!ok(&public, &CHALLENGE, &other_device, &NONCE));
    assert!(!ok(&public, &CHALLENGE, DEVICE, &[9; 16]));
    for bad in ["", "ff", &DEVICE.to_uppercase(), &DEVICE.replace('f', "g")] {
        let signed = sign(&person, &CHALLENGE, bad, &NONCE);
        assert_eq!(signed, Err(SessionError::DeviceId));
    }
    for at in 0..64 {
        let mut changed = signature;
        changed[at] ^= 1;
        assert!(verify(&public, &CHALLENGE, DEVICE, &NONCE, &changed).is_err());
    }
}

#[test]
fn the_signed_text_is_as_the_protocol_says() {
    let text = message(&CHALLENGE, DEVICE, &NONCE).unwrap();
    let device = hex::decode(DEVICE).unwrap();
    let expected = [b"infoblood/session/v1", &CHALLENGE[..], &device, &NONCE].concat();
    assert_eq!(text, expected);
}

#[test]
fn the_fixed_time_has_these_bytes_and_verifies() {
    let bytes = SignedTime::issue(ISSUER, &NONCE, T0, &grant_key());
    assert_vector(
        "signed-time",
        "grant_seed is an Ed25519 seed; nonce is 16 times 02; time 2026-11-01T00:00:00Z",
        &[
            ("grant_seed", grant_key().as_bytes()),
            ("nonce", &NONCE),
            ("signed_time", &bytes),
        ],
    );
    let time = SignedTime::verify(&bytes, &key_set(), &NONCE).unwrap();
    assert_eq!(time.time(), T0);
    let keys = key_set();
    assert_every_bit_counts(&bytes, |bytes| {
        SignedTime::verify(bytes, &keys, &NONCE).is_ok()
    });
}

#[test]
fn a_time_for_another_nonce_issuer_or_by_another_key_is_refused() {
    let keys = key_set();
    let refused = |bytes: &[u8]| SignedTime::verify(bytes, &keys, &NONCE).unwrap_err();
    let other_nonce = SignedTime::issue(ISSUER, &[3; 16], T0, &grant_key());
    assert_eq!(refused(&other_nonce), SessionError::Nonce);
    let other_issuer = SignedTime::issue("https://other.example", &NONCE, T0, &grant_key());
    assert_eq!(refused(&other_issuer), SessionError::Header);
    let log_signed = SignedTime::issue(ISSUER, &NONCE, T0, &log_key());
    assert_eq!(refused(&log_signed), SessionError::Signer);
    let before_the_key = SignedTime::issue(ISSUER, &NONCE, T0 - 2 * DAY, &grant_key());
    assert_eq!(refused(&before_the_key), SessionError::Signer);
    assert_eq!(refused(&before_the_key).code(), "signed-time-invalid");
}
