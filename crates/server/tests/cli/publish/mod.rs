//! `agreement publish`: what is taken, what is refused and in which words.

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::document::{Change, Document};
use infoblood_agreement::keys::{CoseKeySet, PublicKey, SigningKey};
use infoblood_agreement::statement::{self, Acceptance, Decision, Evidence, Language};
use infoblood_agreement::{receipt, transparent};
use serde_json::{Value, json};

use super::{Cli, is};

/// 2026-11-01T00:00:00Z.
const T0: i64 = 1_793_491_200;
const AHEAD: &str = "2027-01-01T00:00:00+05:00";

/// The folder of a version, as the publisher edits it.
struct Folder {
    kk: String,
    ru: String,
    structure: Value,
}

impl Folder {
    fn builtin() -> Self {
        let document = Document::builtin();
        Self {
            kk: document.kk().to_owned(),
            ru: document.ru().to_owned(),
            structure: serde_json::from_str(document.structure_json()).unwrap(),
        }
    }

    /// The built-in version with a word more in unit 2, in both languages.
    fn changed() -> Self {
        let mut folder = Self::builtin();
        for text in [&mut folder.kk, &mut folder.ru] {
            let mut lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
            lines[2].push_str(" (2027)");
            *text = lines.join("\n");
        }
        folder
    }

    fn write(&self, cli: &Cli) -> String {
        let dir = cli.path("v2");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("kk.txt"), &self.kk).unwrap();
        std::fs::write(dir.join("ru.txt"), &self.ru).unwrap();
        std::fs::write(dir.join("structure.json"), self.structure.to_string()).unwrap();
        dir.display().to_string()
    }

    /// Appends a unit of one line in each language.
    fn append(&mut self, kk: &str, ru: &str) {
        let mut ends = Vec::new();
        for (text, line) in [(&mut self.kk, kk), (&mut self.ru, ru)] {
            text.push_str("\n\n");
            text.push_str(line);
            ends.push(text.split('\n').count());
        }
        let units = self.structure["units"].as_array_mut().unwrap();
        units.push(json!({
            "id": units.len() + 1, "kind": "para", "kk": [{"line": ends[0]}], "ru": [{"line": ends[1]}]
        }));
    }
}

fn publish<'a>(dir: &'a str, change: &'a str, from: &'a str) -> [&'a str; 7] {
    [
        "agreement",
        "publish",
        dir,
        "--change",
        change,
        "--effective-from",
        from,
    ]
}

#[test]
fn a_version_is_published_and_its_folder_is_what_verify_takes() {
    let cli = Cli::initialised();
    let mut folder = Folder::changed();
    let dir = folder.write(&cli);
    // Whatever lies there is replaced.
    std::fs::write(cli.path("v2/document.cbor"), "old").unwrap();
    let published = cli.ok(&publish(&dir, "material", AHEAD));
    assert_eq!(published["version"], 2);
    assert_eq!(published["change"], "material");
    assert_eq!(published["effective_from"], "2026-12-31T19:00:00Z");
    assert_eq!(
        published["units"],
        json!({"changed": [2], "added": [], "removed": []})
    );
    let payload = std::fs::read(cli.path("v2/document.cbor")).unwrap();
    let structure = folder.structure.to_string();
    let document = Document::from_files(&payload, &folder.kk, &folder.ru, &structure).unwrap();
    assert_eq!(published["document_sha256"], document.digest_hex());
    assert_eq!(
        (document.meta().version, document.meta().change),
        (2, Change::Material)
    );

    // The next one, at the same moment, with a clause more.
    folder.append("Жаңа тармақ.", "Новый пункт.");
    let dir = folder.write(&cli);
    let published = cli.ok(&publish(&dir, "editorial", AHEAD));
    assert_eq!(published["version"], 3);
    assert_eq!(
        published["units"],
        json!({"changed": [], "added": [36], "removed": []})
    );
}

/// The acceptance of a document as a file, and the key of its log.
fn acceptance(cli: &Cli, document: &Document) -> [String; 2] {
    let key = |byte| SigningKey::from_bytes(&[byte; 32]);
    let claims = Acceptance {
        decision: Decision::Accepted,
        device_id: "ffeeddccbbaa99887766554433221100".to_owned(),
        site: "ALM".to_owned(),
        document_sha256: *document.digest(),
        document_version: document.meta().version,
        languages_shown: vec![Language::Kk],
        evidence: Evidence {
            opened_at: T0,
            visible_seconds: 60,
            end_reached: vec![Language::Kk],
        },
        local_time: "2026-11-01T05:00:00+05:00".to_owned(),
        checkpoint: None,
        sequence: 1,
        previous: None,
        nonce: [0; 16],
        app_version: "0.1.0".to_owned(),
    };
    let person = "00112233445566778899aabbccddeeff";
    let bytes = statement::sign_acceptance(&claims, person, T0, &key(1));
    let leaf = statement::leaf_hash(&bytes, &Limits::DEFAULT).unwrap();
    let alone = receipt::Inclusion {
        tree_size: 1,
        leaf_index: 0,
        path: Vec::new(),
    };
    let sub = statement::terms_urn(claims.document_version);
    let receipt = receipt::issue(&leaf, &alone, "https://a.example", &sub, T0, &key(4)).unwrap();
    let file = transparent::join(&bytes, &receipt, &Limits::DEFAULT).unwrap();
    let keys = CoseKeySet::new(vec![PublicKey::of(&key(4))]).encode();
    let name = format!("v{}.cose", document.meta().version);
    [(name.as_str(), file), ("keys.cbor", keys)].map(|(name, bytes)| {
        std::fs::write(cli.path(name), bytes).unwrap();
        cli.path(name).display().to_string()
    })
}

#[test]
fn an_acceptance_is_evidence_of_what_it_covered_and_of_nothing_more() {
    let cli = Cli::initialised();
    let folder = Folder::changed();
    let dir = folder.write(&cli);
    cli.ok(&publish(&dir, "material", AHEAD));
    let payload = std::fs::read(cli.path("v2/document.cbor")).unwrap();
    let structure = folder.structure.to_string();
    let second = Document::from_files(&payload, &folder.kk, &folder.ru, &structure).unwrap();
    let [old, keys] = acceptance(&cli, Document::builtin());
    let [new, _] = acceptance(&cli, &second);

    let verify = [
        "verify",
        &old,
        &new,
        "--keys",
        &keys,
        "--document",
        &dir,
        "--json",
    ];
    let ran = cli.run(&verify);
    assert_eq!(ran.exit, 1);
    let verdicts: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(verdicts[0]["error"], "document-other");
    assert_eq!(
        (&verdicts[1]["ok"], &verdicts[1]["error"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(verdicts[1]["document_sha256"], second.digest_hex());
    // By itself the old one stays what it was.
    assert_eq!(cli.ok(&["verify", &old, "--keys", &keys])[0]["ok"], true);
}

#[test]
fn what_is_refused_is_named_and_publishes_nothing() {
    let cli = Cli::initialised();
    let refused = |folder: &Folder, from: &str| {
        let dir = folder.write(&cli);
        let ran = cli.run(&publish(&dir, "material", from));
        assert_eq!(ran.exit, 1, "{}", ran.stderr);
        assert!(!cli.path("v2/document.cbor").exists());
        let line = ran.stderr.lines().last().unwrap().to_owned();
        let error = line.strip_prefix("error: ").unwrap();
        let (code, words) = error.split_once(": ").unwrap();
        (code.to_owned(), words.to_owned())
    };

    let (code, words) = refused(&Folder::builtin(), AHEAD);
    assert_eq!(code, "document-unchanged");
    assert!(words.contains("version 1"), "{words}");

    // A paragraph that only the Kazakh text has.
    let mut folder = Folder::changed();
    folder.kk.push_str("\n\nАртық тармақ.");
    assert_eq!(refused(&folder, AHEAD).0, "document-structure");
    // The same, with a unit of its own but no counterpart.
    let line = folder.kk.split('\n').count();
    let units = folder.structure["units"].as_array_mut().unwrap();
    units.push(json!({"id": 36, "kind": "para", "kk": [{"line": line}], "ru": []}));
    let (code, words) = refused(&folder, AHEAD);
    assert_eq!(code, "document-structure");
    assert!(
        words.contains("unit 36") && words.contains("counterpart"),
        "{words}"
    );
    // A paragraph that the Russian text lost, in the middle.
    let mut folder = Folder::changed();
    let lines: Vec<_> = folder.ru.split('\n').collect();
    folder.ru = [&lines[..10], &lines[12..]].concat().join("\n");
    let (code, words) = refused(&folder, AHEAD);
    assert_eq!(code, "document-structure", "{words}");

    // A list with one item fewer in Russian, and a number that differs.
    let mut folder = Folder::changed();
    folder.structure["units"][17]["ru"][5]["role"] = "tail".into();
    folder.ru = folder.ru.replacen(" • ", " •  ", 1);
    let (code, words) = refused(&folder, AHEAD);
    assert_eq!(code, "document-pairing");
    assert!(
        words.contains("Unit 18") && words.contains("items"),
        "{words}"
    );
    let mut folder = Folder::changed();
    folder.ru = folder.ru.replacen("(2027)", "(2028)", 1);
    let (code, words) = refused(&folder, AHEAD);
    assert_eq!(code, "document-pairing");
    assert!(words.contains("Unit 2:"), "{words}");

    for (change, expected) in [
        (json!([]), "document-structure"),
        (
            json!({"format": 2, "title": "", "units": []}),
            "document-structure",
        ),
    ] {
        let mut folder = Folder::changed();
        folder.structure = change;
        assert_eq!(refused(&folder, AHEAD).0, expected);
    }
    let mut folder = Folder::changed();
    folder.ru = folder.ru.replace('\n', "\r\n");
    let (code, words) = refused(&folder, AHEAD);
    assert_eq!(code, "document-structure");
    assert!(words.contains("ru.txt, line 1"), "{words}");
    let mut folder = Folder::changed();
    folder.kk.push_str(&" ".repeat(1024 * 1024));
    assert_eq!(refused(&folder, AHEAD).0, "document-too-large");

    let dir = Folder::changed().write(&cli);
    std::fs::write(cli.path("v2/kk.txt"), [0xff, 0xfe]).unwrap();
    assert_eq!(
        cli.fails(&publish(&dir, "material", AHEAD)),
        is(1, "document-structure")
    );
    std::fs::remove_file(cli.path("v2/kk.txt")).unwrap();
    assert_eq!(
        cli.fails(&publish(&dir, "material", AHEAD)),
        is(3, "file-unreadable")
    );
    for (change, from) in [("small", AHEAD), ("material", "tomorrow")] {
        assert_eq!(cli.run(&publish(&dir, change, from)).exit, 2);
    }

    // After all this the first that is in order is version 2.
    let folder = Folder::changed();
    let dir = folder.write(&cli);
    assert_eq!(cli.ok(&publish(&dir, "material", AHEAD))["version"], 2);
    std::fs::remove_file(cli.path("v2/document.cbor")).unwrap();
    let mut folder = folder;
    folder.append("Тағы.", "Ещё.");
    let (code, words) = refused(&folder, "2026-12-31T18:59:59Z");
    assert_eq!(code, "document-effective-from");
    assert!(words.contains("2026-12-31T19:00:00Z"), "{words}");
}
