//! `verify`: files and public keys, nothing else.

use super::{Cli, is};

use std::path::Path;

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::document::Document;
use serde_json::Value;

/// A log of one person made without a server, in files.
fn evidence(dir: &Path) -> [String; 3] {
    use infoblood_agreement::keys::{CoseKeySet, PublicKey, SigningKey};
    use infoblood_agreement::{receipt, statement, transparent};
    let key = |byte| SigningKey::from_bytes(&[byte; 32]);
    let public = |byte| {
        x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from([byte; 32])).to_bytes()
    };
    let request = statement::EnrolmentRequest {
        person_id: "00112233445566778899aabbccddeeff",
        site: "ALM",
        workstation: "W",
        person_x25519: public(1),
        device_x25519: public(2),
        issued_at: 1_793_491_200,
        nonce: [0; 16],
    };
    let secrets = statement::EnrolmentSecrets {
        person: &key(1),
        device: &key(2),
        code: &key(3),
    };
    let bytes = statement::sign_enrolment(&request, secrets);
    let leaf = statement::leaf_hash(&bytes, &Limits::DEFAULT).unwrap();
    let alone = receipt::Inclusion {
        tree_size: 1,
        leaf_index: 0,
        path: Vec::new(),
    };
    let sub = statement::person_urn(request.person_id);
    let receipt = receipt::issue(
        &leaf,
        &alone,
        "https://a.example",
        &sub,
        1_793_491_300,
        &key(4),
    )
    .unwrap();
    let file = transparent::join(&bytes, &receipt, &Limits::DEFAULT).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.join(name), bytes).unwrap();
        dir.join(name).display().to_string()
    };
    let keys = CoseKeySet::new([PublicKey::of(&key(4))]).encode();
    let others = CoseKeySet::new([PublicKey::of(&key(5))]).encode();
    [
        write("enrolment.cose", &file),
        write("keys.cbor", &keys),
        write("other-keys.cbor", &others),
    ]
}

#[test]
fn verify_needs_files_only() {
    let cli = Cli::new();
    let [file, keys, others] = evidence(cli.dir.path());
    let document = cli.path("document");
    std::fs::create_dir(&document).unwrap();
    for (name, content) in Document::builtin().files() {
        std::fs::write(document.join(name), content).unwrap();
    }
    let document = document.display().to_string();

    let verdicts = cli.ok(&["verify", &file, "--keys", &keys, "--document", &document]);
    let verdict = &verdicts[0];
    assert_eq!(
        (&verdict["ok"], &verdict["kind"]),
        (&Value::Bool(true), &Value::from("enrolment"))
    );
    assert_eq!(verdict["person_id"], "00112233445566778899aabbccddeeff");
    assert_eq!(
        (&verdict["tree_size"], &verdict["leaf_index"]),
        (&Value::from(1), &Value::from(0))
    );
    assert_eq!(verdict["issued_at"], "2026-11-01T00:00:00Z");
    assert!(!cli.path("data").exists(), "no database, no directory");

    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let bad = cli.path("bad.cose");
    std::fs::write(&bad, bytes).unwrap();
    let bad = bad.display().to_string();
    let ran = cli.run(&[
        "verify",
        &file,
        &bad,
        "absent.cose",
        "--keys",
        &keys,
        "--json",
    ]);
    assert_eq!(ran.exit, 1);
    let verdicts: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(verdicts[0]["ok"], true);
    assert!(verdicts[1]["error"].is_string());
    assert_eq!(verdicts[2]["error"], "file-unreadable");
    let ran = cli.run(&["verify", &file, "--keys", &others, "--json"]);
    let verdicts: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.exit, &verdicts[0]["error"]),
        (1, &Value::from("receipt-invalid"))
    );

    assert_eq!(
        cli.fails(&["verify", &file, "--keys", &file]),
        is(1, "key-set-malformed")
    );
    assert_eq!(
        cli.fails(&["verify", &file, "--keys", "absent"]),
        is(3, "file-unreadable")
    );
    std::fs::write(cli.path("document/ru.txt"), "another text").unwrap();
    let refused = cli.fails(&["verify", &file, "--keys", &keys, "--document", &document]);
    assert_eq!(refused.0, 1);
}

/// The file that an independent implementation made: its payloads are its own.
#[test]
fn verify_reads_what_another_implementation_made() {
    let cli = Cli::new();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agreement/vectors/scitt.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let write = |name: String, bytes: &[u8]| {
        std::fs::write(cli.path(&name), bytes).unwrap();
        cli.path(&name).display().to_string()
    };
    let key = |name: &str| {
        let key = bytes(&vectors[name]).try_into().unwrap();
        infoblood_agreement::keys::PublicKey::from_bytes(&key).unwrap()
    };
    let set = |keys: Vec<_>| infoblood_agreement::keys::CoseKeySet::new(keys).encode();
    let log = write("log.cbor".to_owned(), &set(vec![key("log_key")]));
    let both = write(
        "both.cbor".to_owned(),
        &set(vec![key("log_key"), key("person_key")]),
    );

    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (n, case) in vectors["cases"].as_array().unwrap().iter().enumerate() {
        let transparent = bytes(&case["transparent"]);
        // One change each in the signature, which ends the file, and in the payload before it.
        for (at, name) in [
            (transparent.len() - 1, "signature"),
            (transparent.len() - 80, "payload"),
        ] {
            let mut changed = transparent.clone();
            changed[at] ^= 1;
            bad.push(write(format!("{n}-{name}.cose"), &changed));
        }
        good.push(write(format!("{n}.cose"), &transparent));
    }
    let verify = |files: &[String], keys: &str| {
        let mut arguments = vec!["verify", "--json", "--keys", keys];
        arguments.extend(files.iter().map(String::as_str));
        let ran = cli.run(&arguments);
        (
            ran.exit,
            serde_json::from_str::<Vec<Value>>(&ran.stdout).unwrap(),
        )
    };
    for (keys, checked) in [(&log, false), (&both, true)] {
        let (exit, verdicts) = verify(&good, keys);
        assert_eq!(exit, 0, "{verdicts:?}");
        for (verdict, case) in verdicts.iter().zip(vectors["cases"].as_array().unwrap()) {
            assert_eq!(verdict["tree_size"], case["tree_size"]);
            assert_eq!(verdict["signature_checked"], checked);
            assert_eq!(
                verdict["decision"],
                Value::Null,
                "an opaque payload says nothing"
            );
        }
        let (exit, verdicts) = verify(&bad, keys);
        assert_eq!(exit, 1);
        assert!(
            verdicts.iter().all(|verdict| verdict["ok"] == false),
            "{verdicts:?}"
        );
    }
}
