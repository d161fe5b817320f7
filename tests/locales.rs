//! Kazakh and Russian say the same things: the same keys, the same placeholders, and words for every error code.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_yaml_ng::Value;

/// Every code a person may see (`docs/PROTOCOL.md` and the crates' error types).
const CODES: &[&str] = &[
    "keyring-missing",
    "keyring-locked",
    "keyring-timeout",
    "keyring-lost",
    "profile-missing",
    "profile-malformed",
    "profile-other-server",
    "profile-wrong-authority",
    "code-mistyped",
    "code-wrong",
    "code-used",
    "code-expired",
    "relay-malformed",
    "relay-not-a-frame",
    "relay-frame-cut",
    "relay-frame-damaged",
    "relay-other-answer",
    "relay-mismatch",
    "relay-stale",
    "device-pending",
    "device-revoked",
    "person-revoked",
    "passphrase-short",
    "passphrase-weak",
    "passphrase-has-login",
    "passphrase-mismatch",
    "passphrase-wrong",
    "passphrase-wait",
    "server-unreachable",
    "server-slow",
    "server-not-json",
    "server-refused",
    "server-failed",
    "server-truncated",
    "server-restored",
    "needs-courier",
    "enrolment-first",
    "receipt-invalid",
    "grant-invalid",
    "grant-expired",
    "break-glass-reason",
    "break-glass-forbidden",
    "break-glass-not-now",
    "clock-ahead",
    "clock-behind",
    "store-corrupt",
    "store-newer",
    "store-replaced",
    "disk-full",
    "already-running",
    "agreement-required",
    "login-unknown",
    "document-unknown",
    "purpose-required",
    "read-only-time",
    "patient-locked",
    "record-unknown",
    "donation-unknown",
    "recipient-unknown",
    "internal",
];

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = key.as_str().unwrap();
                let key = if prefix.is_empty() {
                    key.to_owned()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&key, value, into);
            }
        }
        // `_version` is for the library that reads the file.
        _ if prefix == "_version" => {}
        Value::String(text) => {
            assert!(
                into.insert(prefix.to_owned(), text.clone()).is_none(),
                "{prefix} twice"
            );
        }
        other => panic!("{prefix} is not a text: {other:?}"),
    }
}

/// All texts of a language: `locales/<language>.yml` and `locales/**/<language>.yml`.
fn texts(language: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/locales")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                open.push(path);
            } else if stem == language || stem.ends_with(&format!(".{language}")) {
                let value: Value =
                    serde_yaml_ng::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
                flatten("", &value, &mut all);
            }
        }
    }
    assert!(!all.is_empty(), "no texts in {language}");
    all
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split("%{")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn the_same_keys_and_placeholders() {
    let (kk, ru) = (texts("kk"), texts("ru"));
    let keys = |texts: &BTreeMap<String, String>| texts.keys().cloned().collect::<BTreeSet<_>>();
    let difference: Vec<_> = keys(&kk)
        .symmetric_difference(&keys(&ru))
        .cloned()
        .collect();
    assert!(
        difference.is_empty(),
        "only in one language: {difference:?}"
    );
    for (key, text) in &kk {
        assert_eq!(
            placeholders(text),
            placeholders(&ru[key]),
            "placeholders of {key}"
        );
        assert!(
            !text.trim().is_empty() && !ru[key].trim().is_empty(),
            "{key} is empty"
        );
    }
}

#[test]
fn every_error_has_words() {
    let kk = texts("kk");
    for code in CODES {
        for part in ["title", "next"] {
            assert!(
                kk.contains_key(&format!("error.{code}.{part}")),
                "no error.{code}.{part}"
            );
        }
    }
}
