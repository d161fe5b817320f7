use super::*;
use crate::fixtures::{ISSUER, T0, assert_every_bit_counts, assert_vector, document_key, signing};
use proptest::prelude::*;

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[test]
fn the_texts_are_the_customers_byte_for_byte() {
    let document = Document::builtin();
    assert_eq!(
        sha256(document.kk()),
        "421fbc5bb0f0300dbb1dbb0c00341064be6f90ef8a2c01e77a9be295bd338a5b"
    );
    assert_eq!(
        sha256(document.ru()),
        "269280519aed62da8c425014a45d2e1df5abb379f9e998a833d9b22c5bfcdac4"
    );
    let source = [document.title(), document.kk(), document.ru()].join("\n\n");
    assert_eq!(
        sha256(&source),
        "8f445d2a70fdeebca51bedae673400216104962fc8430e39fcbfa238f09dbbaa"
    );
    assert!(document.kk().contains("болып табылады.\u{a0}\u{a0}\n"));
    assert!(document.ru().contains("обязуюетеся"));
}

#[test]
fn the_digest_of_version_1_never_changes() {
    let document = Document::builtin();
    assert_eq!(document.meta().version, 1);
    assert_eq!(document.digest_hex(), hex::encode(document.meta().digest()));
    assert_eq!(
        document.digest_hex(),
        "78a5c1873e00f26dbd170b01357b2aed111aab8c23f776109f929ea2cf140953"
    );
}

#[test]
fn thirty_five_units_hold_every_line_verbatim() {
    let document = Document::builtin();
    let units = document.units();
    assert_eq!(units.len(), 35);
    for (side, text) in [
        (
            units.iter().flat_map(|u| &u.kk).collect::<Vec<_>>(),
            document.kk(),
        ),
        (
            units.iter().flat_map(|u| &u.ru).collect::<Vec<_>>(),
            document.ru(),
        ),
    ] {
        let mut rebuilt = Vec::new();
        for line in side {
            rebuilt.resize(line.number, String::new());
            rebuilt[line.number - 1] = line.text();
        }
        assert_eq!(rebuilt.join("\n"), text);
    }
    let count = |lines: &[Line], role| {
        let segments = lines.iter().flat_map(|line| &line.segments);
        segments.filter(|segment| segment.role == role).count()
    };
    for (id, items) in [(18, 5), (19, 6), (25, 3)] {
        let unit = &units[id - 1];
        assert_eq!(unit.kind, UnitKind::PointList);
        for lines in [&unit.kk, &unit.ru] {
            assert_eq!(count(lines, Role::Lead), 1);
            assert_eq!(count(lines, Role::Item), items);
        }
        assert_eq!(unit.kk.len(), 1, "Kazakh runs the items inline");
        assert_eq!(count(&unit.kk, Role::Tail), 1);
        assert_eq!(count(&unit.ru, Role::Tail), 0);
        assert_eq!(unit.ru.len(), items + 1);
        assert!(unit.ru[1].text().starts_with(" • "));
    }
    assert_eq!(
        units[31].kk[0].segments[1].text,
        "Параграф 1. Жалпы ережелер"
    );
    assert_eq!(units[31].kind.heading_level(), Some(2));
    assert_eq!(units[0].kind.heading_level(), Some(1));
    assert_eq!(units[10].kind.heading_level(), None);
}

#[test]
fn the_known_mismatches_of_version_1_are_reported() {
    let mismatches = Document::builtin().mismatches();
    assert!(mismatches.contains(&Mismatch {
        unit: 30,
        kind: "numbers"
    }));
    assert!(mismatches.iter().all(|mismatch| mismatch.kind == "numbers"));
    let notes = publisher_notes();
    assert!(notes.len() >= 29);
    let document = Document::builtin();
    for note in &notes {
        let Some(unit) = note.unit else { continue };
        let unit = &document.units()[unit as usize - 1];
        let holds = |lines: &[Line], number: usize| lines.iter().any(|l| l.number == number);
        assert!(note.kk_line.is_none_or(|line| holds(&unit.kk, line)));
        assert!(note.ru_line.is_none_or(|line| holds(&unit.ru, line)));
    }
}

#[test]
fn a_signed_document_opens_with_its_key_only() {
    let document = Document::builtin();
    let bytes = document.meta().sign(ISSUER, T0, &document_key());
    let key = PublicKey::of(&document_key());
    let signed = verify(&bytes, &key, &Limits::DEFAULT).unwrap();
    assert_eq!(signed.meta(), document.meta());
    assert_eq!(signed.issuer(), ISSUER);
    let other = PublicKey::of(&signing(9));
    assert!(verify(&bytes, &other, &Limits::DEFAULT).is_err());
    assert_every_bit_counts(&bytes, |bytes| {
        verify(bytes, &key, &Limits::DEFAULT).is_ok()
    });
    assert_vector(
        "document",
        "Version 1, built in. The document digest is the SHA-256 of the payload.",
        &[
            ("document_key", key.as_bytes()),
            ("payload", &document.meta().payload()),
            ("digest", document.digest()),
            ("message", &bytes),
        ],
    );
}

#[test]
fn a_subject_of_another_version_is_refused() {
    let meta = Document::builtin().meta();
    let key = document_key();
    let header = Header::new(content_type::DOCUMENT, &key, ISSUER, &terms_urn(2), T0);
    let bytes = cose::sign(&header, &meta.payload(), &key);
    let error = verify(&bytes, &PublicKey::of(&key), &Limits::DEFAULT).unwrap_err();
    assert_eq!(error, DocumentError::Subject);
}

#[test]
fn a_folder_is_taken_only_if_everything_fits() {
    let document = Document::builtin();
    let [(_, cbor), ..] = document.files();
    let (kk, ru, json) = (document.kk(), document.ru(), document.structure_json());
    assert_eq!(
        Document::from_files(&cbor, kk, ru, json).as_ref(),
        Ok(document)
    );
    let changed = kk.replacen("құпия", "құпйя", 1);
    let error = Document::from_files(&cbor, &changed, ru, json).unwrap_err();
    assert_eq!(error, DocumentError::Digest);
    for (kk, ru, json) in [
        (format!("{kk}\n").as_str(), ru, json),
        (&kk.replacen('\n', "\r\n", 1), ru, json),
        (&format!("{kk}\nтағы"), ru, json),
        (&kk.replacen("қорғау: э", "қорғау э", 1), ru, json),
        (kk, "", json),
        (kk, ru, "{}"),
        (kk, ru, &json.replacen("\"id\": 2", "\"id\": 3", 1)),
        (kk, ru, &json.replacen("\"line\": 5", "\"line\": 6", 1)),
        (kk, ru, &json.replacen("117, 213", "118, 213", 1)),
        (kk, ru, &json.replacen("\"format\": 1", "\"format\": 2", 1)),
    ] {
        let error = Document::from_files(&cbor, kk, ru, json).unwrap_err();
        assert_eq!(error.code(), "document-structure");
    }
}

proptest! {
    #[test]
    fn a_payload_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        prop_assert!(Meta::decode(&bytes, &Limits::DEFAULT).is_err());
    }
}
