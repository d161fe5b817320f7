use super::*;
use crate::donation::tests::{
    DIN, component, donation, hospital, issue, modified, person, read, transfusion,
};

fn facts(lines: &[String]) -> Option<Facts> {
    Facts::assemble(Din::parse(DIN).unwrap(), &read(lines))
}

fn test(id: &str, donation: &str, result: &str, day: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","subject":{{"reference":"Patient/d-1"}},"partOf":[{{"reference":"Procedure/{donation}"}}],"code":{{"coding":[{{"system":"urn:infoblood:screening","code":"hcv"}}]}},"effectiveDateTime":"{day}","interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{result}"}}]}}]}}"#
    )
}

fn world() -> Vec<String> {
    let mut lines = vec![
        person("d-1", "Қасымова"),
        person("r-1", "Ким"),
        donation("p-1", "d-1", DIN, "2026-03-01"),
        donation("p-0", "d-1", "KZ00125000007", "2025-12-01"),
        donation("p-2", "d-1", "KZ00126000009", "2026-06-01"),
        donation("p-3", "d-1", "KZ00126000010", "2026-08-01").replace("completed", "not-done"),
        test("o-1", "p-1", "NEG", "2026-03-02"),
        test("o-2", "p-2", "POS", "2026-06-02"),
        test("o-3", "p-0", "IND", "2025-12-02"),
        component("c1", DIN, "whole-blood", &[]),
        component("c2", DIN, "red-cells-sagm", &["c1"]),
        component("c3", DIN, "ffp", &["c1"]),
        component("pool", "KZ00126000002", "cryo", &["c3"]),
        transfusion("t-1", "r-1", "c2", "2026-03-05"),
        transfusion("t-2", "r-2", "c2", "2026-03-06"),
        issue("i-1", "r-1", "c2", "issued"),
        issue("i-2", "r-3", "pool", "issued"),
        r#"{"resourceType":"AdverseEvent","id":"a-1","status":"completed","actuality":"actual","code":{"coding":[{"system":"urn:infoblood:reaction","code":"fever"}]},"subject":{"reference":"Patient/r-1"},"suspectEntity":[{"instanceReference":{"reference":"BiologicallyDerivedProduct/c2"}}]}"#.into(),
    ];
    lines.extend(hospital());
    lines
}

#[test]
fn everybody_whom_a_donation_reached() {
    let facts = facts(&world()).unwrap();
    let reached: Vec<_> = facts
        .reached
        .iter()
        .map(|r| (r.recipient.id.as_str(), r.component.as_str(), r.transfused))
        .collect();
    assert_eq!(
        reached,
        [
            ("r-2", "c2", true),
            ("r-1", "c2", true),
            ("r-3", "pool", false)
        ],
        "two recipients of one component contradict each other: both are named"
    );
    let kim = &facts.reached[1];
    assert_eq!(kim.recipient.name.as_deref(), Some("Ким Әсел"));
    assert_eq!(kim.birth_date.as_deref(), Some("1985-07-15"));
    assert_eq!(kim.reaction.as_deref(), Some("fever"));
    assert_eq!(
        kim.at.as_deref(),
        Some("2026-03-05"),
        "not when it was handed over"
    );
    assert_eq!(kim.organization.as_deref(), Some("№ 1 аурухана"));
    assert_eq!(facts.reached[0].reaction, None, "another person's");
    assert_eq!(facts.reached[2].recipient.name, None);
    assert_eq!(facts.reached[2].product, Some(Product::Cryo));
    assert_eq!(facts.people(), ["d-1", "r-2", "r-1", "r-3"]);
    let reason = facts.reason.unwrap();
    assert_eq!(
        (reason.date.as_str(), reason.is_positive()),
        ("2026-06-02", true)
    );
    let others: Vec<_> = facts.donations.iter().map(|d| d.date.as_str()).collect();
    assert_eq!(others, ["2026-06-01", "2025-12-01"]);
    assert_eq!(facts.not_understood, 0);
}

#[test]
fn other_donations_of_a_kind_that_is_not_known_are_among_them() {
    let mut lines = world();
    lines.push(
        donation("p-4", "d-1", "KZ00126000011", "2026-09-01")
            .replace("whole-blood", "granulocytes"),
    );
    let facts = facts(&lines).unwrap();
    let others: Vec<_> = facts.donations.iter().map(|d| d.date.as_str()).collect();
    assert_eq!(others, ["2026-09-01", "2026-06-01", "2025-12-01"]);
}

#[test]
fn the_order_of_the_records_does_not_matter() {
    let mut lines = world();
    let expected = facts(&lines);
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        assert_eq!(facts(&lines), expected);
    }
}

#[test]
fn what_is_not_understood_is_counted() {
    let lines = [
        component("c1", DIN, "ffp", &[]),
        modified(&component("c2", DIN, "ffp", &["c1"])),
        modified(&issue("i-1", "r-1", "c1", "issued")),
        issue("i-2", "r-2", "c2", "issued"),
    ];
    let facts = facts(&lines).unwrap();
    assert_eq!(facts.not_understood, 2);
    assert_eq!(facts.people(), ["d-1", "r-2"]);
    assert_eq!(facts.reached[0].product, None);
    assert_eq!(facts.reason, None);
}

fn reaction(id: &str, recipient: &str, component: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"AdverseEvent","id":"{id}","status":"completed","actuality":"actual","code":{{"coding":[{{"system":"urn:infoblood:reaction","code":"{code}"}}]}},"subject":{{"reference":"Patient/{recipient}"}},"suspectEntity":[{{"instanceReference":{{"reference":"BiologicallyDerivedProduct/{component}"}}}}]}}"#
    )
}

#[test]
fn whoever_reacted_is_named_without_a_transfusion_too() {
    let mut lines = vec![
        person("r-2", "Ким"),
        component("c1", DIN, "red-cells-sagm", &[]),
        issue("i-1", "r-1", "c1", "issued"),
        reaction("a-1", "r-2", "c1", "fever"),
        reaction("a-2", "r-2", "c1", "fever"),
    ];
    let found = facts(&lines).unwrap();
    let reached: Vec<_> = found
        .reached
        .iter()
        .map(|r| (r.recipient.id.as_str(), r.transfused, r.reaction.as_deref()))
        .collect();
    assert_eq!(
        reached,
        [("r-1", false, None), ("r-2", false, Some("fever"))],
        "once, after those to whom it went"
    );
    assert_eq!(found.reached[1].recipient.name.as_deref(), Some("Ким Әсел"));
    assert_eq!(found.people(), ["d-1", "r-1", "r-2"]);
    let gone = found.components[0].gone_to.as_ref().unwrap();
    assert_eq!(gone.recipient.id, "r-1");
    let leads_to = donation::references(&read(&lines));
    assert!(leads_to.contains(&("Patient", "r-2".to_owned())));

    lines.remove(2);
    let found = facts(&lines).unwrap();
    assert_eq!(found.people(), ["d-1", "r-2"]);
    assert_eq!(
        found.components[0].gone_to, None,
        "where it went nobody wrote"
    );
    let mistaken = reaction("a-1", "r-2", "c1", "fever").replace("completed", "entered-in-error");
    let found = facts(&[component("c1", DIN, "ffp", &[]), mistaken]).unwrap();
    assert_eq!(found.people(), ["d-1"]);
}

#[test]
fn nothing_bears_the_number() {
    assert_eq!(facts(&[]), None);
    assert_eq!(
        facts(&[person("d-1", "Ким"), transfusion("t", "r", "c", "2026")]),
        None
    );
}
