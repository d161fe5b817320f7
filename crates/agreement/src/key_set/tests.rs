use proptest::prelude::*;

use super::*;
use crate::fixtures::{
    DAY, ISSUER, T0, assert_every_bit_counts, assert_vector, authority, entries, grant_key,
    key_set, log_key, sealing_public, signing,
};
use crate::receipt::{self, Inclusion};

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::of(key)
}

fn issue(entries: &[KeyEntry]) -> Result<KeySet, KeySetError> {
    KeySet::issue(ISSUER, 1, entries, T0, &authority())
}

#[test]
fn the_fixed_set_has_these_bytes_and_verifies() {
    let set = key_set();
    assert_vector(
        "key-set",
        "authority_seed is an Ed25519 seed",
        &[
            ("authority_seed", authority().as_bytes()),
            ("key_set", set.as_bytes()),
        ],
    );
    let again = KeySet::verify(set.as_bytes(), &public(&authority())).unwrap();
    assert_eq!(again, set);
    assert_eq!(again.issuer(), ISSUER);
    assert_eq!(again.version(), 1);
    assert_eq!(again.entries(), entries());
}

#[test]
fn every_byte_counts() {
    let authority = public(&authority());
    assert_every_bit_counts(key_set().as_bytes(), |bytes| {
        KeySet::verify(bytes, &authority).is_ok()
    });
}

#[test]
fn another_authority_is_refused() {
    let other = public(&signing(1));
    assert!(KeySet::verify(key_set().as_bytes(), &other).is_err());
}

#[test]
fn a_key_serves_its_use_in_its_time_only() {
    let set = key_set();
    let grant = public(&grant_key());
    let found = |key_use, at| set.signer(key_use, &grant.kid(), at);
    assert_eq!(found(KeyUse::Grant, T0), Some(grant));
    assert_eq!(found(KeyUse::Log, T0), None);
    assert_eq!(found(KeyUse::Grant, T0 - DAY - 1), None);
    assert_eq!(set.signers(KeyUse::Log), [public(&log_key())]);
    assert_eq!(set.signers(KeyUse::Sealing), []);
    assert_eq!(set.sealing_key(T0), Some(sealing_public()));
    // A clock far behind keeps nobody from sealing.
    assert_eq!(set.sealing_key(T0 - 2 * DAY), Some(sealing_public()));
}

#[test]
fn an_ended_sealing_key_gives_way_to_the_next() {
    let mut entries = entries();
    entries[3].to = Some(T0);
    let next = [0x09; 32];
    entries.insert(0, KeyEntry::new(KeyUse::Sealing, next, T0 - 10));
    let set = issue(&entries).unwrap();
    assert_eq!(set.sealing_key(T0 - 11), Some(sealing_public()));
    assert_eq!(set.sealing_key(T0 - 10), Some(next));
    assert_eq!(set.sealing_key(T0 + DAY), Some(next));
}

#[test]
fn bad_entries_are_refused() {
    let with = |change: &dyn Fn(&mut Vec<KeyEntry>)| {
        let mut entries = entries();
        change(&mut entries);
        issue(&entries).unwrap_err()
    };
    let mut small_order = [0; 32];
    small_order[0] = 1;
    assert_eq!(with(&|e| e[0].key = small_order), KeyError::Weak.into());
    assert_eq!(with(&|e| e[3].key = [0; 32]), KeyError::Weak.into());
    assert_eq!(with(&|e| e[1].to = Some(e[1].from)), KeySetError::Period);
    assert_eq!(with(&Vec::clear), KeySetError::Count);
    let many = |e: &mut Vec<KeyEntry>| *e = e.iter().cycle().take(257).cloned().collect();
    assert_eq!(with(&many), KeySetError::Count);
}

#[test]
fn a_receipt_needs_this_server_and_a_log_key_of_its_time() {
    let keys = key_set();
    let leaf = [0x1e; 32];
    let inclusion = Inclusion {
        tree_size: 1,
        leaf_index: 0,
        path: Vec::new(),
    };
    let issue = |issuer, at, key: &SigningKey| {
        receipt::issue(&leaf, &inclusion, issuer, "urn:x", at, key).unwrap()
    };
    let verify = |bytes: &[u8]| keys.verify_receipt(bytes, &leaf, "urn:x");
    let good = issue(ISSUER, T0, &log_key());
    assert_eq!(verify(&good).unwrap().registered_at(), T0);
    assert!(keys.verify_receipt(&good, &[0; 32], "urn:x").is_err());
    assert!(keys.verify_receipt(&good, &leaf, "urn:y").is_err());
    for other in [
        issue("https://other.example", T0, &log_key()),
        issue(ISSUER, T0 - 2 * DAY, &log_key()),
        issue(ISSUER, T0, &grant_key()),
        issue(ISSUER, T0, &signing(1)),
    ] {
        assert_eq!(verify(&other), Err(ReceiptError::UnknownKey));
    }
    assert_every_bit_counts(&good, |bytes| verify(bytes).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(KeySet::verify(&bytes, &public(&authority())).is_err());
    }

    #[test]
    fn any_signed_payload_is_read_without_a_panic(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let header = Header::new(content_type::KEY_SET, &authority(), ISSUER, "urn:infoblood:key-set:1", T0);
        let bytes = cose::sign(&header, &payload, &authority());
        prop_assert!(KeySet::verify(&bytes, &public(&authority())).is_err());
    }
}
