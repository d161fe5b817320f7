//! A recipient's card out of good, contradictory, broken and dangling resources.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::{blood::Antigen, fhir::Record};

const TODAY: Date = date(2026, 11, 23);

fn read(lines: &[String]) -> Vec<Resource> {
    lines
        .iter()
        .map(|line| Record::parse_line(line.as_bytes()).unwrap().resource)
        .collect()
}

fn patient(id: &str, tag: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","meta":{{"tag":[{tag}]}},"identifier":[{{"system":"urn:infoblood:id:iin","value":"900101300017"}}],"name":[{{"family":"Қасымов","given":["Асан","Ерболұлы"]}}],"gender":"male","birthDate":"1990-01-01"}}"#
    )
}

fn recipient() -> String {
    patient("r", r#"{"system":"urn:infoblood:role","code":"recipient"}"#)
}

fn group(id: &str, code: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},"subject":{{"reference":"Patient/r"}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}{more}}}"#
    )
}

fn screen(id: &str, status: &str, results: &[(&str, &str)]) -> String {
    let parts: Vec<String> = results
        .iter()
        .map(|(code, result)| {
            format!(
                r#"{{"code":{{"coding":[{{"system":"urn:infoblood:antibody","code":"{code}"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{result}"}}]}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"{status}","code":{{"coding":[{{"system":"urn:infoblood:antibody-screen","code":"antibody-screen"}}]}},"subject":{{"reference":"Patient/r"}},"component":[{}]}}"#,
        parts.join(",")
    )
}

fn request(id: &str, status: &str, on: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"ServiceRequest","id":"{id}","status":"{status}","intent":"order","priority":"urgent","code":{{"concept":{{"coding":[{{"system":"urn:infoblood:product","code":"red-cells-sagm"}}]}}}},"quantityQuantity":{{"value":2}},"orderDetail":[{{"parameter":[{{"code":{{"text":"x"}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:requirement","code":"{id}-need"}}]}}}}]}}],"subject":{{"reference":"Patient/r"}},"requester":{{"reference":"Organization/h"}},"occurrenceDateTime":"{on}"{more}}}"#
    )
}

fn transfusion(id: &str, status: &str, on: &str, component: &str) -> String {
    format!(
        r#"{{"resourceType":"Procedure","id":"{id}","status":"{status}","code":{{"coding":[{{"system":"urn:infoblood:procedure","code":"transfusion"}}]}},"subject":{{"reference":"Patient/r"}},"occurrencePeriod":{{"start":"{on}"}},"used":[{{"reference":{{"reference":"BiologicallyDerivedProduct/{component}"}}}}]}}"#
    )
}

fn reaction(id: &str, status: &str, actuality: &str, component: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"AdverseEvent","id":"{id}","status":"{status}","actuality":"{actuality}","code":{code},"subject":{{"reference":"Patient/r"}},"occurrenceDateTime":"2026-03-01","seriousness":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/adverse-event-seriousness","code":"serious"}}]}},"suspectEntity":[{{"instanceReference":{{"reference":"BiologicallyDerivedProduct/{component}"}}}}]}}"#
    )
}

fn component(id: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"BiologicallyDerivedProduct","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"KZ00126000001"}},{{"system":"urn:infoblood:id:component","value":"KZ00126000001-{id}-00"}}],"productCode":{{"coding":[{{"system":"urn:infoblood:product","code":"red-cells-sagm"}}]}},"collection":{{"source":{{"reference":"Patient/d"}}}}{more}}}"#
    )
}

const FEVER: &str = r#"{"coding":[{"system":"urn:infoblood:reaction","code":"fever"}]}"#;

fn facts(mut lines: Vec<String>) -> Facts {
    lines.push(recipient());
    Facts::assemble("r", &read(&lines), TODAY).unwrap()
}

#[test]
fn who_it_is() {
    let facts = facts(vec![group("g", "O-", "")]);
    assert_eq!((facts.family.as_str(), facts.age), ("Қасымов", 36));
    assert!(facts.iin_valid && !facts.training);
    assert_eq!(facts.blood.unwrap().code(), "O-");
    assert!(facts.blood_conflict.is_empty());
    let resources = read(&[recipient(), group("g", "O-", "")]);
    let summary = Summary::assemble("r", &resources).unwrap();
    assert_eq!(summary.full_name(), "Қасымов Асан Ерболұлы");
    assert_eq!((summary.iin_last4(), summary.blood), ("0017", facts.blood));
}

#[test]
fn a_donor_is_no_recipient() {
    let donor = read(&[patient("r", "")]);
    assert_eq!(
        Facts::assemble("r", &donor, TODAY),
        Err(DonorError::Missing)
    );
    assert_eq!(Summary::assemble("r", &donor), Err(DonorError::Missing));
    assert_eq!(
        Facts::assemble("x", &read(&[recipient()]), TODAY),
        Err(DonorError::Missing)
    );
    assert_eq!(Facts::assemble("r", &[], TODAY), Err(DonorError::Missing));
}

#[test]
fn a_disagreement_shows_the_safer_value_and_both() {
    let facts = facts(vec![
        group("g1", "A+", ""),
        group("g2", "A-", ""),
        // Of somebody else, and without meaning.
        group("g3", "B+", "").replace("Patient/r", "Patient/x"),
        group("g4", "AB+", r#","modifierExtension":[{"url":"urn:x"}]"#),
        group("g5", "O+", "").replace("\"final\"", "\"entered-in-error\""),
    ]);
    assert_eq!(facts.blood.unwrap().code(), "A-");
    let both: Vec<_> = facts
        .blood_conflict
        .iter()
        .map(|stated| (stated.value.code(), stated.sources[0].record.as_str()))
        .collect();
    assert_eq!(both, [("A-", "g2"), ("A+", "g1")], "the safer one first");
    assert_eq!(facts.not_understood, 1);
}

#[test]
fn an_antibody_found_once_stays() {
    let facts = facts(vec![
        screen("s1", "final", &[("anti-K", "POS"), ("anti-D", "NEG")]),
        screen(
            "s2",
            "final",
            &[("anti-K", "NEG"), ("anti-D", "NEG"), ("anti-E", "POS")],
        ),
        screen("s3", "entered-in-error", &[("anti-D", "POS")]),
    ]);
    let found: Vec<_> = facts
        .antibodies
        .iter()
        .map(|a| (a.code.as_str(), a.present, !a.conflict.is_empty()))
        .collect();
    assert_eq!(
        found,
        [
            ("anti-E", true, false),
            ("anti-K", true, true),
            ("anti-D", false, false)
        ]
    );
    let records: Vec<_> = facts.antibodies[1]
        .conflict
        .iter()
        .map(|stated| (stated.value, stated.sources[0].record.as_str()))
        .collect();
    assert_eq!(records, [(true, "s1"), (false, "s2")]);
}

#[test]
fn a_list_says_what_is_doubtful() {
    let summary = |lines: &[String]| Summary::assemble("r", &read(lines)).unwrap();
    let doubts = |found: &Summary| (found.blood_conflict, found.not_understood);
    let plain = summary(&[recipient(), group("g1", "A+", "")]);
    assert_eq!(doubts(&plain), (false, false));
    let two = [recipient(), group("g1", "A+", ""), group("g2", "A-", "")];
    assert_eq!(doubts(&summary(&two)), (true, false));
    for unclear in [
        r#""active":false"#,
        r#""deceasedBoolean":true"#,
        r#""modifierExtension":[{"url":"urn:x"}]"#,
    ] {
        let line = recipient().replacen("\"id\"", &format!("{unclear},\"id\""), 1);
        assert_eq!(doubts(&summary(&[line])), (false, true), "{unclear}");
    }
    let modified = group("g1", "A+", r#","modifierExtension":[{"url":"urn:x"}]"#);
    assert_eq!(doubts(&summary(&[recipient(), modified])), (false, true));
}

#[test]
fn two_kells_of_one_determination_disagree() {
    let kell = |result: &str| {
        format!(
            r#"{{"code":{{"coding":[{{"system":"urn:infoblood:antigen","code":"kell"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{result}"}}]}}}}"#
        )
    };
    let both = format!(r#","component":[{},{}]"#, kell("POS"), kell("NEG"));
    let facts = facts(vec![group("g", "A+", &both)]);
    let kells: Vec<_> = facts.blood_conflict.iter().map(|s| s.value.kell).collect();
    let safer_first = [Antigen::Negative, Antigen::Positive];
    assert_eq!(kells, safer_first.map(Some));
    assert_eq!(facts.blood.unwrap().kell, Some(Antigen::Negative));
}

#[test]
fn what_the_iin_says_otherwise_is_a_warning() {
    let warned = |line: String| {
        let facts = Facts::assemble("r", &read(&[line]), TODAY).unwrap();
        assert!(facts.iin_valid);
        facts.iin_warnings
    };
    assert_eq!(warned(recipient()), []);
    let other = recipient().replace("1990-01-01", "1990-01-02");
    assert_eq!(warned(other.clone()), [Warning::BirthDate]);
    let other = other.replace("\"male\"", "\"female\"");
    assert_eq!(warned(other), [Warning::BirthDate, Warning::Sex]);
}

#[test]
fn requests_transfusions_and_reactions() {
    let facts = facts(vec![
        request("q1", "completed", "2026-02-28", ""),
        request("q2", "active", "2026-11-23", ""),
        request("q3", "entered-in-error", "2026-11-23", ""),
        request(
            "q4",
            "active",
            "2026-11-24",
            r#","modifierExtension":[{"url":"urn:x"}]"#,
        ),
        r#"{"resourceType":"Organization","id":"h","name":"№1 аурухана"}"#.to_owned(),
        transfusion("t1", "completed", "2026-03-01T12:00:00+05:00", "c1"),
        transfusion("t2", "stopped", "2026-04-01T12:00:00+05:00", "c2"),
        transfusion("t3", "not-done", "2026-05-01", "c1"),
        transfusion("t4", "entered-in-error", "2026-05-01", "c1"),
        // Nothing is known of its component; its date lies ahead.
        transfusion("t5", "completed", "9999-12-31", "lost"),
        component("c1", ""),
        component("c2", r#","modifierExtension":[{"url":"urn:x"}]"#),
        reaction("a1", "completed", "actual", "c1", FEVER),
        reaction("a2", "entered-in-error", "actual", "c2", FEVER),
        reaction("a3", "completed", "potential", "c2", FEVER),
        reaction(
            "a4",
            "completed",
            "actual",
            "lost",
            r#"{"text":"<script>"}"#,
        ),
    ]);
    let asked: Vec<_> = facts.requests.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(asked, ["q2", "q1"]);
    let first = &facts.requests[0];
    assert_eq!(
        (first.product, first.quantity),
        (Product::RedCellsSagm, Some(2.0))
    );
    assert_eq!(first.organization.as_deref(), Some("№1 аурухана"));
    assert_eq!(first.date.as_deref(), Some("2026-11-23"));
    assert_eq!(facts.requirements, ["q1-need", "q2-need"]);

    let given: Vec<_> = facts
        .transfusions
        .iter()
        .map(|t| {
            (
                t.date.as_str(),
                t.component.as_str(),
                t.product,
                t.reaction.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        given,
        [
            ("9999-12-31", "lost", None, Some("<script>")),
            ("2026-04-01", "c2", None, None),
            (
                "2026-03-01",
                "c1",
                Some(Product::RedCellsSagm),
                Some("fever")
            ),
        ]
    );
    assert_eq!(facts.transfusions[0].din, None);
    // What traces a component is shown even where its meaning is not understood.
    assert!(facts.transfusions[1].din.is_some());
    assert_eq!(
        facts.transfusions[2].number.as_deref(),
        Some("KZ00126000001-c1-00")
    );

    let suffered: Vec<_> = facts
        .reactions
        .iter()
        .map(|r| (r.code.as_str(), r.component.as_deref(), r.din.is_some()))
        .collect();
    assert_eq!(
        suffered,
        [
            ("<script>", Some("lost"), false),
            ("fever", Some("c1"), true)
        ]
    );
    assert_eq!(facts.reactions[1].seriousness.as_deref(), Some("serious"));
    // The request; the component is about its donor.
    assert_eq!(facts.not_understood, 1);
}

#[test]
fn what_a_card_leads_to_is_named_once() {
    let resources = read(&[
        transfusion("t1", "completed", "2026-03-01", "c1"),
        reaction("a1", "completed", "actual", "c1", FEVER),
        request("q1", "active", "2026-02-28", ""),
        request("q2", "active", "2026-02-28", ""),
    ]);
    assert_eq!(
        references(&resources),
        [
            ("BiologicallyDerivedProduct", "c1".to_owned()),
            ("Organization", "h".to_owned())
        ]
    );
}

proptest! {
    /// In whatever order resources come, the card is the same.
    #[test]
    fn the_order_of_arrival_does_not_matter(seed in 0_u64..1_000) {
        let mut lines = vec![
            recipient(),
            group("g1", "A+", ""),
            group("g2", "B-", ""),
            screen("s1", "final", &[("anti-K", "POS")]),
            screen("s2", "final", &[("anti-K", "NEG")]),
            request("q1", "active", "2026-02-28", ""),
            request("q2", "active", "2026-02-28", ""),
            transfusion("t1", "completed", "2026-03-01", "c1"),
            transfusion("t2", "completed", "2026-03-01", "c2"),
            component("c1", ""),
            reaction("a1", "completed", "actual", "c2", FEVER),
            reaction("a2", "completed", "actual", "c1", FEVER),
        ];
        let whole = Facts::assemble("r", &read(&lines), TODAY).unwrap();
        let length = lines.len();
        for at in 0..length {
            lines.swap(at, (seed as usize).wrapping_mul(31 * at + 7) % length);
        }
        prop_assert_eq!(whole, Facts::assemble("r", &read(&lines), TODAY).unwrap());
    }
}
