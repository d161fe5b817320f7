use super::*;
use crate::fixtures::{ISSUER, T0, assert_every_bit_counts, assert_vector, log_key, signing};
use crate::keys::PublicKey;
use crate::log::{Hash, tests::Tree};
use crate::receipt::{self, Inclusion};
use crate::statement::tests::{PERSON, decision, enrolment, person};
use crate::statement::{leaf_hash, peek, sign_acceptance};

const LIMITS: Limits = Limits::DEFAULT;

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn key(value: &serde_json::Value) -> PublicKey {
    PublicKey::from_bytes(&bytes(value).try_into().unwrap()).unwrap()
}

/// What a stranger's library does: signature, leaf, receipt, root; the payload stays opaque.
fn verify_opaque(
    statement: &[u8],
    receipt: &[u8],
    person: &PublicKey,
    log: &PublicKey,
) -> Option<VerifiedReceipt> {
    let message = Sign1::parse(statement, &LIMITS).ok()?;
    message
        .unprotected()
        .is_empty()
        .then(|| message.verify(person))?
        .ok()?;
    let leaf = leaf_hash(statement, &LIMITS).ok()?;
    let sub = &message.unverified_header().sub;
    receipt::verify(receipt, &leaf, sub, log, &LIMITS).ok()
}

/// Calls `try_it` with every single-bit change of `bytes`.
fn every_bit(bytes: &[u8], mut try_it: impl FnMut(&[u8])) {
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() * 8 {
        changed[at / 8] ^= 1 << (at % 8);
        try_it(&changed);
        changed[at / 8] ^= 1 << (at % 8);
    }
}

#[test]
fn the_independent_vectors_verify_and_every_change_is_refused() {
    let text = include_str!("../../vectors/scitt.json");
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    let (person, log) = (key(&file["person_key"]), key(&file["log_key"]));
    assert_eq!(person.kid().to_vec(), bytes(&file["person_kid"]));
    assert_eq!(log.kid().to_vec(), bytes(&file["log_kid"]));
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let statement = bytes(&case["statement"]);
        let receipt = bytes(&case["receipt"]);
        let transparent = bytes(&case["transparent"]);
        let verified = verify_opaque(&statement, &receipt, &person, &log).unwrap();
        assert_eq!(verified.root().to_vec(), bytes(&case["root"]));
        assert_eq!(verified.tree_size(), case["tree_size"].as_u64().unwrap());
        assert_eq!(verified.leaf_index(), case["leaf_index"].as_u64().unwrap());
        assert_eq!(verified.bytes(), receipt);

        let parts = split(&transparent, &LIMITS).unwrap();
        assert_eq!(parts.statement, statement);
        assert_eq!(parts.receipt, receipt);
        assert_eq!(join(&statement, &receipt, &LIMITS).unwrap(), transparent);

        every_bit(&statement, |changed| {
            assert!(verify_opaque(changed, &receipt, &person, &log).is_none());
        });
        // Other indices may describe the same way to the same root: nothing else may change.
        let same_root = |changed: VerifiedReceipt| {
            assert_eq!(changed.root(), verified.root());
            assert_eq!(changed.leaf(), verified.leaf());
            assert_ne!(
                (changed.tree_size(), changed.leaf_index()),
                (verified.tree_size(), verified.leaf_index())
            );
        };
        every_bit(&receipt, |changed| {
            if let Some(changed) = verify_opaque(&statement, changed, &person, &log) {
                same_root(changed);
            }
        });
        every_bit(&transparent, |changed| {
            if let Ok(parts) = split(changed, &LIMITS)
                && let Some(changed) =
                    verify_opaque(&parts.statement, &parts.receipt, &person, &log)
            {
                same_root(changed);
            }
        });
    }
    // One case's receipt is no receipt for another's statement.
    for (n, case) in cases.iter().enumerate() {
        for (m, other) in cases.iter().enumerate() {
            let (statement, receipt) = (bytes(&case["statement"]), bytes(&other["receipt"]));
            let fits = verify_opaque(&statement, &receipt, &person, &log).is_some();
            assert!(fits == (n == m) || case["statement"] == other["statement"]);
        }
    }
}

struct Registered {
    acceptance: Vec<u8>,
    acceptance_receipt: Vec<u8>,
    enrolment: Vec<u8>,
}

/// The fixtures' enrolment and acceptance in a log with a few others.
fn registered() -> Registered {
    let acceptance = sign_acceptance(&decision(), PERSON, T0, &person());
    let statements = [enrolment(), acceptance.clone()];
    let mut tree = Tree::default();
    tree.push([1; 32]);
    let mut receipts = statements.iter().map(|statement| {
        let leaf = leaf_hash(statement, &LIMITS).unwrap();
        let index = tree.push(leaf);
        receipt_for(statement, &tree, index, &leaf)
    });
    let enrolment_receipt = receipts.next().unwrap();
    let acceptance_receipt = receipts.next().unwrap();
    Registered {
        enrolment: join(&statements[0], &enrolment_receipt, &LIMITS).unwrap(),
        acceptance,
        acceptance_receipt,
    }
}

fn receipt_for(statement: &[u8], tree: &Tree, index: u64, leaf: &Hash) -> Vec<u8> {
    let inclusion = Inclusion {
        tree_size: tree.size(),
        leaf_index: index,
        path: tree.proof(index),
    };
    let sub = peek(statement, &LIMITS).unwrap().sub;
    receipt::issue(leaf, &inclusion, ISSUER, &sub, T0 + 60, &log_key()).unwrap()
}

fn keys() -> CoseKeySet {
    CoseKeySet::new([PublicKey::of(&log_key())])
}

#[test]
fn an_exported_acceptance_verifies_alone_and_beside_its_enrolment() {
    let r = registered();
    let document = Document::builtin();
    let bare = join(&r.acceptance, &r.acceptance_receipt, &LIMITS).unwrap();
    let alone = verify(&bare, &keys(), Some(document), &LIMITS).unwrap();
    assert!(!alone.signature_checked, "the receipt alone vouches");
    let summary = Summary {
        signature_checked: true,
        ..alone
    };
    assert_eq!(summary.kind, "acceptance");
    assert_eq!(summary.person_id.as_deref(), Some(PERSON));
    assert_eq!(summary.decision, Some("accepted"));
    assert_eq!(summary.document_sha256, Some(document.digest_hex()));
    assert_eq!((summary.tree_size, summary.leaf_index), (3, 2));
    assert_eq!(summary.registered_at.as_second(), T0 + 60);
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["issued_at"], "2026-11-01T00:00:00Z");

    let results = verify_files(&[bare.clone(), r.enrolment.clone()], &keys(), None, &LIMITS);
    assert_eq!(results[0], Ok(summary.clone()));
    assert_eq!(results[1].as_ref().unwrap().kind, "enrolment");
    let with_person = CoseKeySet::new([PublicKey::of(&log_key()), PublicKey::of(&person())]);
    assert_eq!(verify(&bare, &with_person, None, &LIMITS), Ok(summary));

    // Two leaves before it: its place cannot be told otherwise, so every bit counts.
    assert_every_bit_counts(&bare, |b| verify(b, &keys(), None, &LIMITS).is_ok());
    assert_every_bit_counts(&bare, |b| {
        let both = [b, r.enrolment.as_slice()];
        verify_files(&both, &keys(), None, &LIMITS)[0].is_ok()
    });
    assert_every_bit_counts(&r.enrolment, |b| verify(b, &keys(), None, &LIMITS).is_ok());
    assert_vector(
        "transparent",
        "enrolment.json and acceptance.json as leaves 1 and 2 of a log.",
        &[
            ("log_key", PublicKey::of(&log_key()).as_bytes()),
            ("receipt", &r.acceptance_receipt),
            ("transparent", &bare),
            ("enrolment", &r.enrolment),
            ("scitt_keys", &keys().encode()),
        ],
    );
}

#[test]
fn what_is_not_registered_here_is_refused() {
    let r = registered();
    let whole = join(&r.acceptance, &r.acceptance_receipt, &LIMITS).unwrap();
    let other_keys = CoseKeySet::new([PublicKey::of(&signing(9))]);
    let refused = verify(&whole, &other_keys, None, &LIMITS);
    assert_eq!(refused, Err(ReceiptError::UnknownKey.into()));
    assert_eq!(refused.unwrap_err().code(), "receipt-invalid");

    let builtin = Document::builtin();
    let other = Document::new(
        2,
        T0,
        builtin.meta().change,
        builtin.kk(),
        builtin.ru(),
        builtin.structure_json(),
    );
    assert_eq!(
        verify(&whole, &keys(), Some(&other.unwrap()), &LIMITS),
        Err(TransparentError::OtherDocument)
    );

    // The receipt of the enrolment on the acceptance.
    let wrong = split(&r.enrolment, &LIMITS).unwrap().receipt;
    let mixed = join(&r.acceptance, &wrong, &LIMITS).unwrap();
    assert!(matches!(
        verify(&mixed, &keys(), None, &LIMITS),
        Err(TransparentError::Receipt(_))
    ));
    // A statement alone is not transparent, and a transparent one is not joined again.
    assert_eq!(split(&r.acceptance, &LIMITS), Err(CoseError::Unprotected));
    assert_eq!(
        join(&whole, &r.acceptance_receipt, &LIMITS),
        Err(CoseError::Unprotected)
    );
}

#[test]
fn a_receipt_about_another_subject_is_refused() {
    let r = registered();
    let leaf = leaf_hash(&r.acceptance, &LIMITS).unwrap();
    let log = PublicKey::of(&log_key());
    let check = |leaf: &Hash, sub: &str, key: &PublicKey| {
        receipt::verify(&r.acceptance_receipt, leaf, sub, key, &LIMITS)
    };
    let sub = "urn:infoblood:agreement:terms:1";
    assert!(check(&leaf, sub, &log).is_ok());
    let moved = check(&leaf, "urn:infoblood:agreement:terms:2", &log);
    assert_eq!(moved, Err(ReceiptError::Subject));
    let stranger = check(&leaf, sub, &PublicKey::of(&signing(9)));
    assert_eq!(stranger, Err(ReceiptError::Signature(CoseError::Kid)));
    assert!(check(&[0; 32], sub, &log).is_err());
    let nowhere = Inclusion {
        tree_size: 3,
        leaf_index: 3,
        path: Vec::new(),
    };
    assert_eq!(
        receipt::issue(&leaf, &nowhere, ISSUER, sub, T0, &log_key()),
        Err(ReceiptError::Path)
    );
}
