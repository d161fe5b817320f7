use proptest::prelude::*;
use x25519_dalek::PublicKey as X25519Public;

use super::*;
use crate::fixtures::{
    DAY, ISSUER, T0, assert_every_bit_counts, assert_vector, grant_key, key_set, log_key,
    person_x25519, rng, terms,
};

const SHARE: [u8; 32] = [0x5e; 32];

fn sign(terms: &Terms, key: &SigningKey) -> Vec<u8> {
    let person = X25519Public::from(&person_x25519()).to_bytes();
    issue(terms, &SHARE, &person, ISSUER, key, &mut rng(2)).unwrap()
}

fn expected(terms: &Terms) -> Expected<'_> {
    Expected {
        person_id: &terms.person_id,
        device_id: &terms.device_id,
        document: &terms.document,
        leaf: &terms.leaf,
    }
}

#[test]
fn the_fixed_grant_has_these_bytes_verifies_and_opens() {
    let terms = terms();
    let bytes = sign(&terms, &grant_key());
    assert_vector(
        "grant",
        "grant_seed is an Ed25519 seed, person_secret an X25519 secret key, share what the grant seals",
        &[
            ("grant_seed", grant_key().as_bytes()),
            ("person_secret", person_x25519().as_bytes()),
            ("share", &SHARE),
            ("grant", &bytes),
        ],
    );
    let grant = VerifiedGrant::verify(&bytes, &key_set(), &expected(&terms)).unwrap();
    assert_eq!(*grant.terms(), terms);
    assert_eq!(grant.as_bytes(), bytes);
    assert_eq!(grant.issuer(), ISSUER);
    assert_eq!(*grant.open_share(&person_x25519()).unwrap(), SHARE);
    let other = StaticSecret::from([1; 32]);
    let refused = grant.open_share(&other).unwrap_err();
    assert_eq!(refused, GrantError::Share(SealedError::Open));
}

#[test]
fn every_byte_counts() {
    let terms = terms();
    let keys = key_set();
    assert_every_bit_counts(&sign(&terms, &grant_key()), |bytes| {
        VerifiedGrant::verify(bytes, &keys, &expected(&terms)).is_ok()
    });
}

#[test]
fn a_grant_for_somebody_or_something_else_is_refused() {
    let ours = terms();
    let keys = key_set();
    let refused = |other: &Terms| {
        let bytes = sign(other, &grant_key());
        VerifiedGrant::verify(&bytes, &keys, &expected(&ours)).unwrap_err()
    };
    let person_id = "1".repeat(32);
    let device_id = "2".repeat(32);
    let other = |change: &dyn Fn(&mut Terms)| {
        let mut terms = terms();
        change(&mut terms);
        refused(&terms)
    };
    let error = other(&|t| t.person_id.clone_from(&person_id));
    assert_eq!(error, GrantError::Person);
    let error = other(&|t| t.device_id.clone_from(&device_id));
    assert_eq!(error, GrantError::Device);
    assert_eq!(other(&|t| t.document = [1; 32]), GrantError::Document);
    assert_eq!(other(&|t| t.leaf = [1; 32]), GrantError::Leaf);
}

#[test]
fn only_a_grant_key_grants_and_only_in_its_time() {
    let ours = terms();
    let refused =
        |bytes: &[u8]| VerifiedGrant::verify(bytes, &key_set(), &expected(&ours)).unwrap_err();
    assert_eq!(refused(&sign(&ours, &log_key())), GrantError::Signer);
    let early = Terms {
        issued_at: T0 - 2 * DAY,
        ..terms()
    };
    assert_eq!(refused(&sign(&early, &grant_key())), GrantError::Signer);
    let person = X25519Public::from(&person_x25519()).to_bytes();
    let foreign = "https://other.example";
    let bytes = issue(&ours, &SHARE, &person, foreign, &grant_key(), &mut rng(2)).unwrap();
    assert_eq!(refused(&bytes), GrantError::Header);
    assert_eq!(refused(&bytes).code(), "grant-invalid");
}

#[test]
fn the_sealed_share_is_bound_to_every_term() {
    // Even the holder of the grant key cannot move a sealed share to other terms.
    let terms = terms();
    let bytes = sign(&terms, &grant_key());
    let grant = VerifiedGrant::verify(&bytes, &key_set(), &expected(&terms)).unwrap();
    let changes: [&dyn Fn(&mut Terms); 5] = [
        &|t| t.person_id = "1".repeat(32),
        &|t| t.device_id = "2".repeat(32),
        &|t| t.document = [1; 32],
        &|t| t.leaf = [1; 32],
        &|t| t.epoch = 2,
    ];
    for change in changes {
        let mut moved = grant.clone();
        change(&mut moved.terms);
        assert!(moved.open_share(&person_x25519()).is_err());
    }
}

#[test]
fn impossible_terms_are_not_granted() {
    let person = X25519Public::from(&person_x25519()).to_bytes();
    let refused = |change: &dyn Fn(&mut Terms)| {
        let mut terms = terms();
        change(&mut terms);
        issue(&terms, &SHARE, &person, ISSUER, &grant_key(), &mut rng(2)).is_err()
    };
    assert!(refused(&|t| t.offline_until = t.issued_at - 1));
    assert!(refused(&|t| t.read_only_until = t.offline_until - 1));
    assert!(refused(&|t| t.epoch = 0));
    assert!(refused(&|t| t.person_id = "login".into()));
    assert!(refused(&|t| t.site.clear()));
    let weak = issue(
        &terms(),
        &SHARE,
        &[0; 32],
        ISSUER,
        &grant_key(),
        &mut rng(2),
    );
    assert_eq!(weak, Err(GrantError::Share(SealedError::WeakKey)));
    for role in Role::ALL {
        assert_eq!(Role::parse(role.as_str()), Some(role));
    }
    assert_eq!(Role::parse("root"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let terms = terms();
        prop_assert!(VerifiedGrant::verify(&bytes, &key_set(), &expected(&terms)).is_err());
    }
}
