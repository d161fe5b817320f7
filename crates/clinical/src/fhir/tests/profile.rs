//! The resources of the profile, one example each (`tests/data/profile`), and what is wrong with changed ones.

use super::*;
use crate::fhir::{
    AdverseEvent, BiologicallyDerivedProduct, BiologicallyDerivedProductDispense, ServiceRequest,
};

macro_rules! examples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/data/profile/", $name, ".json")))),*]
    };
}

const EXAMPLES: [(&str, &str); 21] = examples![
    "component",
    "component-recalled",
    "component-whole",
    "dispense",
    "flag",
    "location",
    "observation-alt",
    "observation-antibodies",
    "observation-group",
    "observation-haemoglobin",
    "observation-phenotype",
    "observation-pressure",
    "observation-screening",
    "organization",
    "patient-donor",
    "patient-recipient",
    "procedure-donation",
    "procedure-transfusion",
    "reaction",
    "request",
    "specimen",
];

fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|(n, _)| *n == name).unwrap().1
}

fn read(name: &str) -> Resource {
    Record::parse_line(example(name).as_bytes())
        .unwrap()
        .resource
}

fn component(name: &str) -> BiologicallyDerivedProduct {
    match read(name) {
        Resource::BiologicallyDerivedProduct(r) => r,
        other => panic!("{other:?}"),
    }
}

/// What is wrong once a text of an example is replaced.
fn wrong(name: &str, from: &str, to: &str) -> &'static str {
    let line = example(name);
    assert!(line.contains(from), "{name}: {from}");
    what(&line.replace(from, to))
}

#[test]
fn every_example_reads_completely_and_knows_its_person() {
    for (name, line) in EXAMPLES {
        let resource = read(name);
        // Nothing of an example is lost on the way through the types.
        let back: Value = serde_json::from_str(&resource.to_line().unwrap()).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(line).unwrap(), "{name}");
        assert_eq!(resource.site(), Some("KZ001"), "{name}");
        assert!(!resource.not_understood(), "{name}");
        assert_eq!(
            resource.is_safety(),
            ["flag", "component-recalled"].contains(&name),
            "{name}"
        );
        let person = match name {
            "organization" | "location" => None,
            "patient-recipient"
            | "procedure-transfusion"
            | "request"
            | "dispense"
            | "reaction"
            | "observation-antibodies" => Some("r-1"),
            _ => Some("d-1"),
        };
        assert_eq!(resource.patient_id(), person, "{name}");
    }
}

#[test]
fn what_the_profile_says() {
    let Resource::Patient(donor) = read("patient-donor") else {
        panic!()
    };
    let Resource::Patient(recipient) = read("patient-recipient") else {
        panic!()
    };
    assert!(!donor.is_recipient() && recipient.is_recipient());
    assert_eq!(
        (donor.phone(), recipient.phone()),
        (Some("+7 700 000 00 01"), None)
    );

    let cells = component("component");
    assert_eq!(cells.din(), Some("KZ00126000001"));
    assert_eq!(cells.component(), Some("KZ00126000001-red-cells-sagm-00"));
    assert_eq!(
        (cells.product(), cells.status()),
        (Some("red-cells-sagm"), Some("transfused"))
    );
    assert_eq!(cells.parents().collect::<Vec<_>>(), ["b-0"]);
    assert_eq!(
        cells.blood_groups().map(|g| g.code()).collect::<Vec<_>>(),
        ["A-"]
    );
    assert_eq!(
        (cells.place(), cells.donor_id()),
        (Some("Т-1, 4"), Some("d-1"))
    );

    let Resource::Procedure(transfusion) = read("procedure-transfusion") else {
        panic!()
    };
    assert!(transfusion.is_transfusion());
    assert_eq!(transfusion.components().collect::<Vec<_>>(), ["b-1"]);
    let Resource::ServiceRequest(request) = read("request") else {
        panic!()
    };
    let request: ServiceRequest = request;
    assert_eq!(request.product(), Some("red-cells-sagm"));
    assert_eq!(request.requirements().collect::<Vec<_>>(), ["k-negative"]);
    let Resource::BiologicallyDerivedProductDispense(issue) = read("dispense") else {
        panic!()
    };
    let issue: BiologicallyDerivedProductDispense = issue;
    assert_eq!(issue.product_id(), Some("b-1"));
    let Resource::AdverseEvent(reaction) = read("reaction") else {
        panic!()
    };
    let reaction: AdverseEvent = reaction;
    assert_eq!(reaction.components().collect::<Vec<_>>(), ["b-1"]);

    let Resource::Observation(screening) = read("observation-screening") else {
        panic!()
    };
    assert_eq!(
        (screening.screening(), screening.interpreted()),
        (Some("hcv"), Some("NEG"))
    );
    assert_eq!(screening.donation_id(), Some("p-1"));
    let Resource::Observation(antibodies) = read("observation-antibodies") else {
        panic!()
    };
    let found: Vec<_> = antibodies
        .component
        .iter()
        .map(ObservationComponent::found)
        .collect();
    assert_eq!(found, [[true].into(), [false].into()]);
}

#[test]
fn what_would_be_misread_is_refused() {
    for (name, from, to, expected) in [
        (
            "component",
            "KZ00126000001\"",
            "KZ0012600000X\"",
            "BiologicallyDerivedProduct.identifier",
        ),
        (
            "component",
            "2026-10-14T10",
            "2026-02-30T10",
            "BiologicallyDerivedProduct.expirationDate",
        ),
        (
            "component",
            "2026-09-02T10",
            "2026-13-02T10",
            "BiologicallyDerivedProduct.collection.collectedDateTime",
        ),
        (
            "component",
            "BiologicallyDerivedProduct/b-0",
            "Specimen/b-0",
            "BiologicallyDerivedProduct.parent",
        ),
        (
            "component",
            "BiologicallyDerivedProduct/b-0",
            "BiologicallyDerivedProduct/b-1",
            "BiologicallyDerivedProduct.parent",
        ),
        (
            "component",
            "Patient/d-1",
            "Patient/d 1",
            "BiologicallyDerivedProduct.collection.source",
        ),
        (
            "component",
            "\"A-\"",
            "\"А-\"",
            "BiologicallyDerivedProduct.property",
        ),
        (
            "procedure-transfusion",
            "BiologicallyDerivedProduct/",
            "Device/",
            "Procedure.used",
        ),
        (
            "procedure-transfusion",
            "13:30",
            "25:30",
            "Procedure.occurrencePeriod.end",
        ),
        (
            "observation-screening",
            "\"NEG\"",
            "\"neg\"",
            "Observation.interpretation",
        ),
        (
            "observation-screening",
            "\"interpretation\"",
            "\"x\"",
            "Observation.interpretation",
        ),
        (
            "observation-screening",
            "2026-09-02",
            "2026-09-31",
            "Observation.effectiveDateTime",
        ),
        (
            "observation-alt",
            "\"valueQuantity\"",
            "\"x\"",
            "Observation.valueQuantity",
        ),
        ("observation-alt", "24", "-24", "Observation.valueQuantity"),
        (
            "observation-antibodies",
            "\"POS\"",
            "\"maybe\"",
            "Observation.component.valueCodeableConcept",
        ),
        (
            "request",
            "\"urgent\"",
            "\"now\"",
            "ServiceRequest.priority",
        ),
        (
            "request",
            "\"completed\"",
            "\"done\"",
            "ServiceRequest.status",
        ),
        (
            "request",
            "\"value\": 1",
            "\"value\": 0",
            "ServiceRequest.quantityQuantity",
        ),
        ("request", "Patient/", "Group/", "ServiceRequest.subject"),
        (
            "dispense",
            "\"issued\"",
            "\"given\"",
            "BiologicallyDerivedProductDispense.status",
        ),
        (
            "dispense",
            "Patient/",
            "Group/",
            "BiologicallyDerivedProductDispense.patient",
        ),
        (
            "dispense",
            "BiologicallyDerivedProduct/b",
            "Device/b",
            "BiologicallyDerivedProductDispense.product",
        ),
        (
            "dispense",
            "09:00:00",
            "9",
            "BiologicallyDerivedProductDispense.whenHandedOver",
        ),
        (
            "reaction",
            "\"actual\"",
            "\"real\"",
            "AdverseEvent.actuality",
        ),
        ("reaction", "Patient/", "Group/", "AdverseEvent.subject"),
        ("reaction", "\"code\": {", "\"x\": {", "AdverseEvent.code"),
        ("location", "\"active\"", "\"open\"", "Location.status"),
    ] {
        assert_eq!(wrong(name, from, to), expected, "{name}: {from} → {to}");
    }
    // Two donation numbers on one component.
    let two = example("component").replacen("KZ00126000001\"", "KZ00126000002\"", 1);
    assert_eq!(what(&two), "BiologicallyDerivedProduct.identifier");
}

#[test]
fn wrong_types_everywhere_are_refused_without_their_content() {
    for (name, line) in EXAMPLES {
        let whole: Value = serde_json::from_str(line).unwrap();
        for (element, _) in whole.as_object().unwrap() {
            for bad in [Value::from(7), Value::from(vec![vec![true]])] {
                let mut changed = whole.clone();
                changed[element] = bad;
                assert_eq!(
                    code(&changed.to_string()),
                    "fhir-broken",
                    "{name}.{element}"
                );
            }
        }
    }
}

#[test]
fn an_unknown_modifier_is_kept_and_seen_at_any_depth() {
    const MODIFIER: &str =
        r#""modifierExtension":[{"url":"urn:x:not-given","valueBoolean":true}],"#;
    for (name, line) in EXAMPLES {
        for modifier in [MODIFIER, r#""implicitRules":"urn:x:rules","#] {
            let changed = line.replacen('{', &format!("{{{modifier}"), 1);
            let record = Record::parse_line(changed.as_bytes()).unwrap();
            assert!(record.resource.not_understood(), "{name}");
            assert_eq!(record.raw, changed.trim(), "{name}");
            assert_eq!(record.resource.id(), read(name).id());
        }
    }
    for (name, element) in [
        ("component", "\"property\": [\n    {"),
        ("component", "\"collection\": {"),
        ("specimen", "\"collection\": {"),
        ("procedure-donation", "\"performer\": [\n    {"),
        ("observation-group", "\"component\": [\n    {"),
        ("request", "\"orderDetail\": [\n    {"),
        ("request", "\"parameter\": [\n        {"),
        ("reaction", "\"suspectEntity\": [\n    {"),
    ] {
        assert!(example(name).contains(element), "{name}: {element}");
        let changed = example(name).replacen(element, &format!("{element}{MODIFIER}"), 1);
        let resource = Record::parse_line(changed.as_bytes()).unwrap().resource;
        assert!(resource.not_understood(), "{name}: {element}");
        if let Resource::Observation(group) = resource {
            assert_eq!(group.blood_groups(), [], "its value is not used");
        }
    }
}

#[test]
fn text_stays_text_and_a_long_narrative_is_too_large() {
    let script = "<script>alert(1)</script>";
    let line = example("patient-donor").replace("Қасымова", script);
    let Resource::Patient(patient) = Record::parse_line(line.as_bytes()).unwrap().resource else {
        panic!()
    };
    assert_eq!(
        patient.official_name().unwrap().family.as_deref(),
        Some(script)
    );
    let narrative = format!(
        r#"{{"text":{{"status":"generated","div":"{}"}},"#,
        "я".repeat(5_000_000)
    );
    let long = example("patient-donor").replacen('{', &narrative, 1);
    assert!(long.len() > 10_000_000);
    assert_eq!(code(&long), "fhir-too-large");
}

#[test]
fn parents_that_are_missing_or_lead_round_are_only_names() {
    // b-0 ← b-2 ← b-0: each resource for itself is right, and reading follows nothing.
    let round = example("component-whole").replacen(
        "\"division\"",
        r#""parent":[{"reference":"BiologicallyDerivedProduct/b-2"},{"reference":"BiologicallyDerivedProduct/gone"}],"division""#,
        1,
    );
    let Resource::BiologicallyDerivedProduct(whole) =
        Record::parse_line(round.as_bytes()).unwrap().resource
    else {
        panic!()
    };
    assert_eq!(whole.parents().collect::<Vec<_>>(), ["b-2", "gone"]);
    assert_eq!(
        component("component-recalled")
            .parents()
            .collect::<Vec<_>>(),
        ["b-0"]
    );
}

proptest! {
    #[test]
    fn changed_examples_never_panic(which in 0_usize..EXAMPLES.len(), at in 0_usize..4000, by in any::<u8>(), cut in any::<bool>()) {
        let mut line = EXAMPLES[which].1.as_bytes().to_vec();
        let at = at % line.len();
        line[at] = by;
        if cut {
            line.truncate(at);
        }
        if let Ok(record) = Record::parse_line(&line) {
            let _ = (record.resource.patient_id(), record.resource.site(), record.resource.not_understood());
            let again = record.resource.to_line().unwrap();
            prop_assert_eq!(Record::parse_line(again.as_bytes()).unwrap().resource, record.resource);
        }
    }
}
