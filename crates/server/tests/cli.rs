//! The command line, through the built program.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod publish;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::document::Document;
use infoblood_agreement::enrolment_code::EnrolmentCode;
use infoblood_agreement::profile::SiteProfile;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_infoblood-server");

struct Cli {
    dir: tempfile::TempDir,
}

struct Ran {
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Cli {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn initialised() -> Self {
        let cli = Self::new();
        cli.ok(&["init", "--issuer", "https://central.example"]);
        cli.ok(&[
            "site",
            "add",
            "ALM",
            "--name-kk",
            "Алматы",
            "--name-ru",
            "Алматы",
            "--device-approval",
            "auto",
        ]);
        cli
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--data-dir").arg(self.path("data"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command().args(arguments).output().unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn ok(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, 0, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), 1, "one value on one line");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Exit code and error code.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
        (ran.exit, answer["error"].as_str().unwrap().to_owned())
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

fn is(exit: i32, code: &str) -> (i32, String) {
    (exit, code.to_owned())
}

#[test]
fn people_sites_and_devices() {
    let cli = Cli::initialised();
    let added = cli.ok(&[
        "person",
        "add",
        "Aigerim",
        "--site",
        "ALM",
        "--name",
        "Айгерім",
        "--role",
        "clinician",
    ]);
    assert_eq!(added["login"], "aigerim");
    let code = added["enrolment_code"].as_str().unwrap();
    assert_eq!(code.len(), 25);
    assert!(EnrolmentCode::parse(code).is_ok());
    assert!(added["expires_at"].as_str().unwrap().ends_with('Z'));

    let profile = cli.ok(&[
        "site",
        "profile",
        "ALM",
        "--url",
        "http://127.0.0.1:8080",
        "--workstation",
        "W-1",
    ]);
    let profile = SiteProfile::parse(profile.to_string().as_bytes()).unwrap();
    assert_eq!(
        profile.person_id("AIGERIM"),
        added["person_id"].as_str().unwrap()
    );
    assert_eq!(profile.key_set().issuer(), "https://central.example");
    assert_eq!(profile.fields().workstation.as_deref(), Some("W-1"));

    let again = cli.ok(&["person", "code", "aigerim"]);
    assert_ne!(again["enrolment_code"], added["enrolment_code"]);
    let revoked = cli.ok(&["person", "revoke", "aigerim"]);
    assert_eq!(
        cli.ok(&["person", "revoke", "aigerim"]),
        revoked,
        "again changes nothing"
    );
    assert_eq!(
        cli.fails(&["person", "code", "aigerim"]),
        is(1, "person-revoked")
    );
    assert_eq!(
        cli.ok(&["device", "list"])["devices"],
        Value::Array(Vec::new())
    );

    let person = [
        "person",
        "add",
        "b",
        "--name",
        "B",
        "--role",
        "clinician",
        "--site",
    ];
    assert_eq!(
        cli.fails(&[&person[..], &["XXX"]].concat()),
        is(1, "site-unknown")
    );
    let person = [
        "person",
        "add",
        "AIGERIM",
        "--name",
        "B",
        "--role",
        "clinician",
        "--site",
        "ALM",
    ];
    assert_eq!(cli.fails(&person), is(1, "login-exists"));
    assert_eq!(
        cli.fails(&["person", "code", "nobody"]),
        is(1, "login-unknown")
    );
    assert_eq!(
        cli.fails(&["person", "revoke", "nobody"]),
        is(1, "login-unknown")
    );
    assert_eq!(
        cli.fails(&["device", "approve", "nobody"]),
        is(1, "device-unknown")
    );
    assert_eq!(
        cli.fails(&["device", "revoke", "nobody"]),
        is(1, "device-unknown")
    );
    let site = ["site", "add", "ALM", "--name-kk", "x", "--name-ru", "x"];
    assert_eq!(cli.fails(&site), is(1, "site-exists"));
    let site = ["site", "add", "A M/", "--name-kk", "x", "--name-ru", "x"];
    assert_eq!(cli.fails(&site), is(1, "profile-malformed"));
    assert_eq!(
        cli.fails(&["site", "profile", "XXX", "--url", "https://a.example"]),
        is(1, "site-unknown")
    );
    assert_eq!(
        cli.fails(&["site", "profile", "ALM", "--url", "http://a.example"]),
        is(1, "profile-malformed")
    );
}

#[test]
fn usage_is_2() {
    let cli = Cli::initialised();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["serve"],
        &["serve", "--listen", "nonsense"],
        &["serve", "--listen", "127.0.0.1:0", "--tls-cert", "x"],
        &["serve", "--listen", "0.0.0.0:0"],
        &[
            "person", "add", "x", "--site", "ALM", "--name", "x", "--role", "king",
        ],
        &[
            "site",
            "add",
            "x",
            "--name-kk",
            "x",
            "--name-ru",
            "x",
            "--device-approval",
            "maybe",
        ],
        &["init", "--issuer", "ftp://x"],
        &["import"],
        &["verify", "x"],
        &["device", "list", "--database-url", "postgres://host/db"],
        &["device", "list", "--database-url", "sqlite::memory:"],
        // Of a later issue: absent.
        &["agreement", "publish"],
        &["courier"],
    ] {
        let ran = cli.run(arguments);
        assert_eq!(ran.exit, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty());
    }
}

#[test]
fn init_happens_once_and_other_commands_need_it() {
    let cli = Cli::new();
    assert_eq!(cli.fails(&["device", "list"]), is(3, "not-initialised"));
    assert_eq!(
        cli.fails(&["serve", "--listen", "127.0.0.1:0"]),
        is(3, "not-initialised")
    );
    let made = cli.ok(&["init"]);
    assert_eq!(made["issuer"], "https://infoblood.example");
    assert_eq!(cli.fails(&["init"]), is(1, "already-initialised"));
    assert_eq!(
        cli.ok(&["device", "list"])["devices"],
        Value::Array(Vec::new())
    );
    let url = format!("sqlite:{}", cli.path("elsewhere.db").display());
    assert_eq!(cli.fails(&["device", "list", "--database-url", &url]).0, 3);
}

#[test]
fn a_revocation_that_did_not_happen_is_never_0() {
    let cli = Cli::initialised();
    cli.ok(&[
        "person",
        "add",
        "a",
        "--site",
        "ALM",
        "--name",
        "A",
        "--role",
        "clinician",
    ]);
    let database = cli.path("data/server.db");
    let aside = cli.path("aside.db");
    assert!(
        !cli.path("data/server.db-wal").exists(),
        "a command leaves one file that can be copied"
    );
    // Away, damaged, and held by somebody else.
    std::fs::rename(&database, &aside).unwrap();
    assert_eq!(
        cli.fails(&["person", "revoke", "a"]),
        is(3, "storage-unavailable")
    );
    std::fs::write(&database, "nonsense ".repeat(1000)).unwrap();
    assert_eq!(
        cli.fails(&["person", "revoke", "a"]),
        is(3, "storage-unavailable")
    );
    std::fs::rename(&aside, &database).unwrap();
    let lock = std::fs::File::options()
        .write(true)
        .open(format!("{}.lock", database.display()))
        .unwrap();
    lock.lock().unwrap();
    assert_eq!(
        cli.fails(&["person", "revoke", "a"]),
        is(3, "storage-unavailable")
    );
    lock.unlock().unwrap();
    assert!(cli.ok(&["person", "revoke", "a"])["revoked_at"].is_string());
}

#[test]
fn seed_and_import() {
    let cli = Cli::new();
    cli.ok(&["init"]);
    assert_eq!(
        cli.fails(&["seed", "--donors", "1", "--seed", "1"]),
        is(1, "seed-no-site")
    );
    cli.ok(&["site", "add", "ALM", "--name-kk", "x", "--name-ru", "x"]);
    assert_eq!(
        cli.fails(&["seed", "--donors", "1", "--seed", "1", "--site", "X"]),
        is(1, "seed-no-site")
    );
    let seeded = cli.ok(&["seed", "--donors", "1200", "--seed", "1"]);
    assert_eq!(seeded["donors"], 1200);

    let good = r#"{"resourceType":"Organization","id":"o1","name":"Орталық"}"#;
    let broken = format!("{good}\n{{\"resourceType\":\"Patient\",\n");
    let unknown = format!("{good}\n\n{{\"resourceType\":\"Unicorn\",\"id\":\"u\"}}\n");
    let huge = format!(
        "{good}\n{{\"resourceType\":\"Organization\",\"id\":\"o2\",\"name\":\"{}\"}}\n",
        "x".repeat(300_000)
    );
    let foreign = r#"{"resourceType":"Organization","id":"o3","meta":{"tag":[{"system":"urn:infoblood:site","code":"ZZZ"}]}}"#;
    let good = cli.write("good.ndjson", &format!("{good}\r\n\n"));
    for (content, code) in [
        (broken.as_str(), "fhir-broken"),
        (&unknown, "fhir-unknown-type"),
        (&huge, "fhir-too-large"),
        (foreign, "site-unknown"),
    ] {
        let bad = cli.write("bad.ndjson", content);
        assert_eq!(cli.fails(&["import", &good, &bad]), is(1, code));
    }
    assert_eq!(
        cli.fails(&["import", &good, "absent.ndjson"]),
        is(3, "file-unreadable")
    );
    assert_eq!(cli.ok(&["import", &good])["resources"], 1);
}

#[test]
fn serve_speaks_once_ready_and_ends_on_sigterm() {
    let cli = Cli::initialised();
    let mut serving = cli
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serving.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .unwrap()
        .to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    // Commands work beside a running server.
    cli.ok(&[
        "person", "add", "a", "--site", "ALM", "--name", "A", "--role", "dpo",
    ]);
    let taken = cli.run(&["serve", "--listen", &address]);
    assert_eq!(taken.exit, 3);
    let pid = serving.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(serving.wait().unwrap().code(), Some(0));
    assert_eq!(
        std::fs::metadata(cli.path("data/server.db-wal")).map_or(0, |file| file.len()),
        0
    );
}

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
