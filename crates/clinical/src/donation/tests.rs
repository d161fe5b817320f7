use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::{blood::Antigen, fhir::Record};

const TODAY: Date = date(2026, 11, 22);
pub(crate) const DIN: &str = "KZ00126000001";

pub(crate) fn read(lines: &[String]) -> Vec<Resource> {
    lines
        .iter()
        .map(|line| Record::parse_line(line.as_bytes()).unwrap().resource)
        .collect()
}

pub(crate) fn person(id: &str, family: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}","given":["Әсел"]}}],"gender":"female","birthDate":"1985-07-15"}}"#
    )
}

pub(crate) fn donation(id: &str, donor: &str, din: &str, day: &str) -> String {
    format!(
        r#"{{"resourceType":"Procedure","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"{din}"}}],"status":"completed","code":{{"coding":[{{"system":"urn:infoblood:donation-kind","code":"whole-blood"}}]}},"subject":{{"reference":"Patient/{donor}"}},"occurrenceDateTime":"{day}"}}"#
    )
}

pub(crate) fn component(id: &str, din: &str, product: &str, parents: &[&str]) -> String {
    let parents: Vec<String> = parents
        .iter()
        .map(|id| format!(r#"{{"reference":"BiologicallyDerivedProduct/{id}"}}"#))
        .collect();
    format!(
        r#"{{"resourceType":"BiologicallyDerivedProduct","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"{din}"}},{{"system":"urn:infoblood:id:component","value":"{din}-{product}-00"}}],"productCode":{{"coding":[{{"system":"urn:infoblood:product","code":"{product}"}}]}},"productStatus":{{"system":"urn:infoblood:product-status","code":"transfused"}},"parent":[{}],"collection":{{"source":{{"reference":"Patient/d-1"}}}}}}"#,
        parents.join(",")
    )
}

pub(crate) fn transfusion(id: &str, recipient: &str, component: &str, day: &str) -> String {
    format!(
        r#"{{"resourceType":"Procedure","id":"{id}","status":"completed","code":{{"coding":[{{"system":"urn:infoblood:procedure","code":"transfusion"}}]}},"subject":{{"reference":"Patient/{recipient}"}},"basedOn":[{{"reference":"ServiceRequest/q-1"}}],"occurrenceDateTime":"{day}","used":[{{"reference":{{"reference":"BiologicallyDerivedProduct/{component}"}}}}]}}"#
    )
}

pub(crate) fn issue(id: &str, recipient: &str, component: &str, status: &str) -> String {
    format!(
        r#"{{"resourceType":"BiologicallyDerivedProductDispense","id":"{id}","status":"{status}","product":{{"reference":"BiologicallyDerivedProduct/{component}"}},"patient":{{"reference":"Patient/{recipient}"}},"whenHandedOver":"2026-03-04T09:00:00+05:00","destination":{{"reference":"Location/l-1"}}}}"#
    )
}

pub(crate) fn hospital() -> Vec<String> {
    vec![
        r#"{"resourceType":"Location","id":"l-1","name":"Бөлімше","managingOrganization":{"reference":"Organization/h-1"}}"#.into(),
        r#"{"resourceType":"Organization","id":"h-1","name":"№ 1 аурухана"}"#.into(),
        r#"{"resourceType":"ServiceRequest","id":"q-1","status":"active","intent":"order","subject":{"reference":"Patient/r-1"},"requester":{"reference":"Organization/h-1"}}"#.into(),
    ]
}

pub(crate) fn modified(line: &str) -> String {
    line.replacen(
        "\"id\"",
        "\"modifierExtension\":[{\"url\":\"urn:x\"}],\"id\"",
        1,
    )
}

fn facts(lines: &[String]) -> Option<Facts> {
    let din = Din::parse(DIN).unwrap();
    Facts::assemble(din, &read(lines), TODAY, Rules::builtin())
}

/// Id, parent and depth.
fn shape(facts: &Facts) -> Vec<(&str, Option<&str>, u32)> {
    facts
        .components
        .iter()
        .map(|part| {
            (
                part.component.id.as_str(),
                part.parent.as_deref(),
                part.depth,
            )
        })
        .collect()
}

#[test]
fn the_tree_and_where_it_went() {
    let mut lines = vec![
        person("d-1", "Қасымова"),
        person("r-1", "Ким"),
        donation("p-1", "d-1", DIN, "2026-03-01T10:00:00+05:00"),
        component("c4", DIN, "cryo", &["c3"]),
        component("c3", DIN, "ffp", &["c1"]),
        component("c2", DIN, "red-cells-sagm", &["c1"]),
        component("c1", DIN, "whole-blood", &[]),
        component("x", "KZ00126000002", "ffp", &[]),
        transfusion("t-1", "r-1", "c2", "2026-03-05"),
        issue("i-1", "r-1", "c2", "issued"),
        issue("i-2", "r-9", "c4", "issued"),
        issue("i-3", "r-1", "c3", "returned"),
        r#"{"resourceType":"Specimen","id":"s","subject":{"reference":"Patient/d-1"},"collection":{"quantity":{"value":450,"code":"mL"},"procedure":{"reference":"Procedure/p-1"}}}"#.into(),
    ];
    lines.extend(hospital());
    let facts = facts(&lines).unwrap();
    assert_eq!(
        shape(&facts),
        [
            ("c1", None, 0),
            ("c2", Some("c1"), 1),
            ("c3", Some("c1"), 1),
            ("c4", Some("c3"), 2)
        ]
    );
    assert_eq!(facts.donor.unwrap().name.as_deref(), Some("Қасымова Әсел"));
    assert_eq!(facts.date.as_deref(), Some("2026-03-01"));
    assert_eq!(facts.kind, Some(DonationKind::WholeBlood));
    assert_eq!(facts.status, Some(DonationStatus::Completed));
    assert_eq!(facts.volume_ml, Some(450));
    assert_eq!((facts.others.len(), facts.further_donors.len()), (0, 0));
    let gone = |at: usize| facts.components[at].gone_to.clone();
    let transfused = gone(1).unwrap();
    assert_eq!(transfused.kind, GoneKind::Transfused);
    assert_eq!(transfused.at.as_deref(), Some("2026-03-05"));
    assert_eq!(transfused.recipient.name.as_deref(), Some("Ким Әсел"));
    assert_eq!(transfused.organization.as_deref(), Some("№ 1 аурухана"));
    assert_eq!(gone(2), None, "it came back");
    let issued = gone(3).unwrap();
    assert_eq!(
        (issued.kind, issued.recipient.name),
        (GoneKind::Issued, None)
    );
    assert_eq!(issued.organization.as_deref(), Some("№ 1 аурухана"));
}

#[test]
fn a_number_that_nothing_bears() {
    assert_eq!(facts(&[]), None);
    let mistaken =
        donation("p-1", "d-1", DIN, "2026-03-01").replace("completed", "entered-in-error");
    assert_eq!(facts(&[mistaken, person("d-1", "Ким")]), None);
    let alone = facts(&[component("c1", DIN, "ffp", &["gone"])]).unwrap();
    assert_eq!(shape(&alone), [("c1", None, 0)]);
    assert_eq!((alone.date, alone.kind, alone.status), (None, None, None));
    assert_eq!(alone.donor.unwrap().id, "d-1");
}

#[test]
fn one_number_twice() {
    let flag = r#"{"resourceType":"Flag","id":"f","status":"active","code":{"coding":[{"system":"urn:infoblood:deferral-reason","code":"hiv"}]},"subject":{"reference":"Patient/d-2"},"period":{"start":"2026-01-01"}}"#;
    let facts = facts(&[
        person("d-1", "Ким"),
        donation("p-2", "d-2", DIN, "2026-04-01"),
        donation("p-1", "d-1", DIN, "2026-03-01"),
        flag.into(),
    ])
    .unwrap();
    assert_eq!(facts.donor.unwrap().id, "d-1");
    assert_eq!(facts.others, ["p-2"]);
    let further = Named {
        id: "d-2".into(),
        name: None,
    };
    assert_eq!(facts.further_donors, [further]);
    assert_eq!(facts.deferrals.len(), 1, "of whoever it may be");

    let strangers = [
        donation("p-2", "d-2", DIN, "2026-04-01"),
        component("c1", DIN, "ffp", &[]),
    ];
    let facts = self::facts(&strangers).unwrap();
    assert_eq!(facts.donor.unwrap().id, "d-2");
    assert_eq!(facts.others, ["c1"], "it names another donor");
}

fn group(id: &str, person: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},"subject":{{"reference":"Patient/{person}"}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}}}"#
    )
}

#[test]
fn the_groups_of_all_who_may_be_the_donor_are_joined() {
    let told = |lines: &[String]| {
        let facts = facts(lines).unwrap();
        let conflict = facts.blood_conflict.iter();
        let conflict: Vec<_> = conflict
            .map(|stated| (stated.value.code(), stated.sources[0].record.clone()))
            .collect();
        (facts.blood.map(|group| group.code()), conflict)
    };
    let one = [
        donation("p-1", "d-1", DIN, "2026-03-01"),
        group("o-1", "d-1", "A-"),
        group("o-2", "d-1", "A+"),
    ];
    let both = vec![("A+", "o-2".to_owned()), ("A-", "o-1".to_owned())];
    assert_eq!(told(&one), (Some("A+"), both));
    let two = [
        donation("p-1", "d-1", DIN, "2026-03-01"),
        donation("p-2", "d-2", DIN, "2026-03-02"),
        group("o-1", "d-1", "A-"),
        group("o-2", "d-2", "O+"),
    ];
    let both = vec![("O+", "o-2".to_owned()), ("A-", "o-1".to_owned())];
    assert_eq!(told(&two), (None, both), "of whoever it may be");
    let alike = [
        donation("p-1", "d-1", DIN, "2026-03-01"),
        donation("p-2", "d-2", DIN, "2026-03-02"),
        group("o-1", "d-1", "A-"),
        group("o-2", "d-2", "A-"),
    ];
    assert_eq!(told(&alike), (Some("A-"), vec![]));
}

/// A component with the group on its label.
fn labelled(id: &str, din: &str, codes: &[&str]) -> String {
    let said: Vec<String> = codes
        .iter()
        .map(|code| {
            format!(
                r#"{{"type":{{"coding":[{{"system":"urn:infoblood:property","code":"blood-group"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}}}"#
            )
        })
        .collect();
    let rest = format!(r#""property":[{}],"parent""#, said.join(","));
    component(id, din, "ffp", &[]).replacen("\"parent\"", &rest, 1)
}

#[test]
fn a_label_that_does_not_say_the_group_of_the_donor() {
    let told = |labels: &[&str], found: &[&str]| {
        let mut lines = vec![
            donation("p-1", "d-1", DIN, "2026-03-01"),
            labelled("c1", DIN, labels),
        ];
        lines.extend(
            (1..)
                .zip(found)
                .map(|(n, code)| group(&format!("o-{n}"), "d-1", code)),
        );
        let facts = facts(&lines).unwrap();
        let back = crate::lookback::Facts::assemble(facts.din, &read(&lines)).unwrap();
        assert_eq!(back.components, facts.components);
        let part = &facts.components[0];
        let values: Vec<_> = part.blood_conflict.iter().map(|one| one.value).collect();
        assert_eq!(values, part.component.blood_conflict);
        let conflict = part.blood_conflict.iter().map(|one| {
            let records: Vec<_> = one.sources.iter().map(|s| s.record.as_str()).collect();
            format!("{} {}", one.value.code(), records.join(" "))
        });
        let conflict: Vec<String> = conflict.collect();
        (part.component.blood.map(|group| group.code()), conflict)
    };
    let none: [String; 0] = [];
    let of = |conflict: &[&str]| conflict.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(&["A-"], &["A-"]), (Some("A-"), none.to_vec()));
    assert_eq!(told(&["A-"], &[]), (Some("A-"), none.to_vec()));
    assert_eq!(told(&[], &["A-"]), (None, none.to_vec()));
    // The safer value is positive, whoever says it.
    assert_eq!(
        told(&["A-"], &["A+"]),
        (Some("A+"), of(&["A+ o-1", "A- c1"]))
    );
    assert_eq!(
        told(&["A+"], &["A-"]),
        (Some("A+"), of(&["A+ c1", "A- o-1"]))
    );
    assert_eq!(told(&["O+"], &["A+"]), (None, of(&["O+ c1", "A+ o-1"])));
    // Determinations that disagree leave one value that a label may say.
    assert_eq!(told(&["A+"], &["A-", "A+"]), (Some("A+"), none.to_vec()));
    assert_eq!(
        told(&["A-"], &["A-", "A+"]),
        (Some("A+"), of(&["A+ o-2", "A- o-1 c1"]))
    );
    assert_eq!(
        told(&["A+"], &["A+", "O+"]),
        (None, of(&["O+ o-2", "A+ o-1 c1"]))
    );
    assert_eq!(
        told(&["A+", "A-"], &[]),
        (Some("A+"), of(&["A+ c1", "A- c1"])),
        "and one that contradicts itself says so as before"
    );
}

#[test]
fn no_label_says_kell_and_a_pool_is_of_several_donors() {
    let kell = group("o-1", "d-1", "A-").replacen(
        "\"subject\"",
        r#""component":[{"code":{"coding":[{"system":"urn:infoblood:antigen","code":"kell"}]},"valueCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"POS"}]}}],"subject""#,
        1,
    );
    let pool = labelled("pool", "KZ00126000002", &["O+"]).replacen(
        r#""parent":["#,
        r#""parent":[{"reference":"BiologicallyDerivedProduct/c1"}"#,
        1,
    );
    let facts = facts(&[
        donation("p-1", "d-1", DIN, "2026-03-01"),
        labelled("c1", DIN, &["A-"]),
        pool,
        kell,
    ])
    .unwrap();
    assert_eq!(facts.blood.unwrap().kell, Some(Antigen::Positive));
    let [own, pool] = &facts.components[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(
        own.component.blood,
        BloodGroup::from_code("A-"),
        "as written"
    );
    assert_eq!(pool.component.blood, BloodGroup::from_code("O+"));
    assert_eq!(own.blood_conflict.len() + pool.blood_conflict.len(), 0);
}

#[test]
fn a_donation_of_a_kind_that_is_not_known_is_counted() {
    let unknown =
        donation("p-1", "d-1", DIN, "2026-03-01T22:00:00Z").replace("whole-blood", "granulocytes");
    let mistaken = r#"{"resourceType":"Specimen","id":"s","status":"entered-in-error","subject":{"reference":"Patient/d-1"},"collection":{"quantity":{"value":450,"code":"mL"},"procedure":{"reference":"Procedure/p-1"}}}"#;
    let known = facts(&[unknown, mistaken.into()]).unwrap();
    assert_eq!((known.kind, known.not_understood), (None, 1));
    assert_eq!(known.date.as_deref(), Some("2026-03-02"), "at the site");
    assert_eq!(known.volume_ml, None);
    let donor = person("d-1", "Ким").replacen("\"id\"", "\"active\":false,\"id\"", 1);
    let facts_of = facts(&[donation("p-1", "d-1", DIN, "2026-03-01"), donor]);
    assert_eq!(facts_of.unwrap().not_understood, 1, "who gave it");
    let stopped = donation("p-1", "d-1", DIN, "2026-03-01").replace("completed", "stopped");
    assert_eq!(
        facts(&[stopped]).unwrap().status,
        Some(DonationStatus::Stopped)
    );
}

#[test]
fn circles_and_two_parents() {
    let facts = facts(&[
        component("a", DIN, "ffp", &["b"]),
        component("b", DIN, "ffp", &["c"]),
        component("c", DIN, "ffp", &["a"]),
        component("w", DIN, "whole-blood", &[]),
        component("k", DIN, "cryo", &["w", "a", "gone"]),
    ])
    .unwrap();
    assert_eq!(
        shape(&facts),
        [
            ("w", None, 0),
            ("k", Some("w"), 1),
            ("a", None, 0),
            ("c", Some("a"), 1),
            ("b", Some("c"), 2)
        ]
    );
}

#[test]
fn a_pool_of_several_donations_belongs_to_each() {
    let other = "KZ00126000002";
    let facts = facts(&[
        component("a", DIN, "platelets", &[]),
        component("b", other, "platelets", &[]),
        component("pool", other, "platelets", &["a", "b"]),
    ])
    .unwrap();
    assert_eq!(shape(&facts), [("a", None, 0), ("pool", Some("a"), 1)]);
}

#[test]
fn what_is_not_understood_keeps_its_values_to_itself() {
    let facts = facts(&[
        modified(&donation("p-1", "d-1", DIN, "2026-03-01")),
        modified(&component("c1", DIN, "ffp", &[])),
        modified(&transfusion("t-1", "r-1", "c1", "2026-03-05")),
    ])
    .unwrap();
    assert_eq!((facts.date, facts.kind, facts.status), (None, None, None));
    assert_eq!(facts.not_understood, 3);
    assert!(facts.components[0].component.not_understood);
    assert_eq!(facts.components[0].gone_to, None);
    assert!(facts.components[0].way_unclear);
    assert_eq!(facts.donor.unwrap().id, "d-1", "it can be traced");
}

#[test]
fn a_way_that_is_not_understood_is_told_beside_the_one_that_is() {
    let way = |line: &str| {
        let facts = facts(&[
            donation("p-1", "d-1", DIN, "2026-03-01"),
            component("c1", DIN, "ffp", &[]),
            component("c2", DIN, "ffp", &[]),
            issue("i-1", "r-1", "c1", "issued"),
            line.to_owned(),
        ])
        .unwrap();
        let [one, other] = &facts.components[..] else {
            panic!("{facts:?}");
        };
        assert!(!other.way_unclear);
        let to = one.gone_to.as_ref().unwrap();
        assert_eq!(
            (to.kind, to.recipient.id.as_str()),
            (GoneKind::Issued, "r-1")
        );
        one.way_unclear
    };
    assert!(way(&modified(&transfusion(
        "t-1",
        "r-2",
        "c1",
        "2026-03-05"
    ))));
    assert!(way(&modified(&issue("i-2", "r-2", "c1", "returned"))));
    let mistaken = issue("i-2", "r-2", "c1", "entered-in-error");
    assert!(!way(&modified(&mistaken)));
}

#[test]
fn keys_lead_to_everything_that_belongs_together() {
    let key = |line: &str| {
        keys(&read(&[line.to_owned()])[0])
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(key(&donation("p", "d-1", DIN, "2026")), ["dKZ00126000001"]);
    assert_eq!(
        key(&component("c", DIN, "ffp", &["a", "b"])),
        ["ca", "cb", "dKZ00126000001"]
    );
    assert_eq!(key(&transfusion("t", "r", "c", "2026")), ["cc"]);
    assert_eq!(key(&issue("i", "r", "c", "issued")), ["cc"]);
    assert_eq!(key(&person("d-1", "Ким")), [""; 0]);
    let lines = [
        component("c", DIN, "ffp", &[]),
        issue("i", "r", "c", "issued"),
    ];
    let resources = read(&lines);
    assert_eq!(
        further_keys(&resources).into_iter().collect::<Vec<_>>(),
        ["cc"]
    );
    let references: Vec<_> = references(&resources).into_iter().collect();
    assert_eq!(
        references,
        [("Location", "l-1".to_owned()), ("Patient", "r".to_owned())]
    );
}

proptest! {
    #[test]
    fn every_component_once_in_a_finite_tree(edges in proptest::collection::vec((0usize..12, 0usize..14), 0..40)) {
        let mut parents: Vec<Vec<String>> = vec![Vec::new(); 12];
        for (child, parent) in edges {
            if child != parent {
                parents[child].push(format!("c{parent}"));
            }
        }
        let lines: Vec<String> = parents.iter().enumerate().map(|(at, parents)| {
            let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
            component(&format!("c{at}"), DIN, "ffp", &parents)
        }).collect();
        let facts = facts(&lines).unwrap();
        prop_assert_eq!(facts.components.len(), 12);
        let mut seen: Vec<(&str, u32)> = Vec::new();
        for (id, parent, depth) in shape(&facts) {
            prop_assert!(seen.iter().all(|(other, _)| *other != id));
            match parent {
                None => prop_assert_eq!(depth, 0),
                Some(parent) => prop_assert!(seen.contains(&(parent, depth - 1))),
            }
            seen.push((id, depth));
        }
        let mut turned = lines.clone();
        turned.reverse();
        prop_assert_eq!(self::facts(&turned).unwrap(), facts);
    }
}

#[test]
fn a_chain_of_any_length() {
    let mut lines = vec![component("c0", DIN, "ffp", &[])];
    for at in 1..20_000 {
        lines.push(component(
            &format!("c{at}"),
            DIN,
            "ffp",
            &[&format!("c{}", at - 1)],
        ));
    }
    let facts = facts(&lines).unwrap();
    assert_eq!(facts.components.last().map(|part| part.depth), Some(19_999));
}
