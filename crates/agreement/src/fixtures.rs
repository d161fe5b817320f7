//! Keys and messages for the tests: every one the same on every run.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};

use crate::document::{Change, Document, Documents};
use crate::grant::{Role, Terms};
use crate::key_set::{KeyEntry, KeySet, KeyUse};
use crate::keys::{PublicKey, SigningKey};

pub(crate) const ISSUER: &str = "https://central.example";
/// 2026-11-01T00:00:00Z.
pub(crate) const T0: i64 = 1_793_491_200;
pub(crate) const DAY: i64 = 86_400;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn signing(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn authority() -> SigningKey {
    signing(0xa0)
}

pub(crate) fn log_key() -> SigningKey {
    signing(0xa1)
}

pub(crate) fn grant_key() -> SigningKey {
    signing(0xa2)
}

pub(crate) fn document_key() -> SigningKey {
    signing(0xa3)
}

pub(crate) fn sealing() -> StaticSecret {
    StaticSecret::from([0xa4; 32])
}

pub(crate) fn sealing_public() -> [u8; 32] {
    X25519Public::from(&sealing()).to_bytes()
}

pub(crate) fn person_x25519() -> StaticSecret {
    StaticSecret::from([0xb1; 32])
}

pub(crate) fn entries() -> Vec<KeyEntry> {
    let public = |key: &SigningKey| *PublicKey::of(key).as_bytes();
    vec![
        KeyEntry::new(KeyUse::Log, public(&log_key()), T0 - DAY),
        KeyEntry::new(KeyUse::Grant, public(&grant_key()), T0 - DAY),
        KeyEntry::new(KeyUse::Document, public(&document_key()), T0 - DAY),
        KeyEntry::new(KeyUse::Sealing, sealing_public(), T0 - DAY),
    ]
}

pub(crate) fn key_set() -> KeySet {
    KeySet::issue(ISSUER, 1, &entries(), T0, &authority()).unwrap()
}

pub(crate) fn terms() -> Terms {
    Terms {
        person_id: "00112233445566778899aabbccddeeff".into(),
        device_id: "ffeeddccbbaa99887766554433221100".into(),
        document: [0xd0; 32],
        leaf: [0x1e; 32],
        epoch: 1,
        issued_at: T0,
        offline_until: T0 + 30 * DAY,
        read_only_until: T0 + 37 * DAY,
        site: "ALA-01".into(),
        role: Role::Clinician,
    }
}

/// A version after the newest: every one says something else.
pub(crate) fn next_version(documents: &Documents, change: Change, effective_from: i64) -> Document {
    let newest = documents.newest();
    let version = newest.meta().version + 1;
    let kk = newest.kk().replacen("құпия", "аса құпия", 1);
    let ru = newest
        .ru()
        .replacen("конфиденциальн", "строго конфиденциальн", 1);
    Document::new(
        version,
        effective_from,
        change,
        &kk,
        &ru,
        newest.structure_json(),
    )
    .unwrap()
}

/// The built-in version and these after it, each with its time.
pub(crate) fn documents(versions: &[(Change, i64)]) -> Documents {
    let mut documents = Documents::new();
    for (change, effective_from) in versions {
        let next = next_version(&documents, *change, *effective_from);
        let message = next.meta().sign(ISSUER, T0, &document_key());
        let (kk, ru, json) = (next.kk(), next.ru(), next.structure_json());
        documents.add(&message, kk, ru, json, &key_set()).unwrap();
    }
    documents
}

/// Compares `fields` (name, hex) with `vectors/<name>.json` byte by byte. With `UPDATE_VECTORS` set it writes the file.
pub(crate) fn assert_vector(name: &str, note: &str, fields: &[(&str, &[u8])]) {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        let mut json = serde_json::Map::new();
        json.insert("note".into(), note.into());
        for (field, bytes) in fields {
            json.insert((*field).into(), hex::encode(bytes).into());
        }
        let text = serde_json::to_string_pretty(&json).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (field, bytes) in fields {
        assert_eq!(json[*field], hex::encode(bytes), "{name}.{field}");
    }
}

/// Flips every bit of `bytes` in turn and asserts that `accepts` refuses each.
pub(crate) fn assert_every_bit_counts(bytes: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(bytes), "the unchanged bytes");
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut changed = bytes.to_vec();
            changed[at] ^= bit;
            assert!(!accepts(&changed), "byte {at}, bit {bit:#x}");
        }
    }
    for cut in 0..bytes.len() {
        assert!(!accepts(&bytes[..cut]), "cut after {cut}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(!accepts(&longer), "one byte more");
}
