mod profile;

use std::collections::HashMap;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::Value;

use super::*;
use crate::blood::{Abo, Antigen, BloodGroup};

fn code(line: &str) -> &'static str {
    Record::parse_line(line.as_bytes()).map_or_else(|e| e.code(), |_| "ok")
}

fn what(line: &str) -> &'static str {
    match Record::parse_line(line.as_bytes()) {
        Err(FhirError::Broken { what }) => what,
        other => panic!("{other:?}"),
    }
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"d-1","name":[{"use":"usual","family":"Бірі"},{"use":"official","family":"Қасымова","given":["Әсел","Ерланқызы"]}],"gender":"female","birthDate":"1985-07-15"}"#;
const FLAG: &str = r#"{"resourceType":"Flag","id":"f-1","status":"active","code":{"text":"x"},"subject":{"reference":"Patient/d-1"},"period":{"start":"2026-11-20"}}"#;
const PROCEDURE: &str = r#"{"resourceType":"Procedure","id":"p-1","status":"completed","subject":{"reference":"Patient/d-1"},"occurrenceDateTime":"2026-09-02T10:00:00+05:00"}"#;
const GROUP: &str = r#"{"resourceType":"Observation","id":"o-1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"882-1"}]},"subject":{"reference":"Patient/d-1"},"valueCodeableConcept":{"coding":[{"system":"urn:infoblood:blood-group","code":"A-"}]},"component":[{"code":{"coding":[{"system":"urn:infoblood:antigen","code":"kell"}]},"dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"not-performed"}]}}]}"#;

#[test]
fn known_resources_read() {
    for line in [PATIENT, FLAG, PROCEDURE, GROUP] {
        let record = Record::parse_line(line.as_bytes()).unwrap();
        assert_eq!(record.resource.patient_id(), Some("d-1"));
        assert_eq!(record.resource.site(), None);
        assert_eq!(
            Record::parse_line(record.resource.to_line().unwrap().as_bytes())
                .unwrap()
                .resource,
            record.resource
        );
    }
    let Resource::Patient(patient) = Record::parse_line(PATIENT.as_bytes()).unwrap().resource
    else {
        panic!()
    };
    assert_eq!(
        patient.official_name().unwrap().family.as_deref(),
        Some("Қасымова")
    );
    let Resource::Observation(group) = Record::parse_line(GROUP.as_bytes()).unwrap().resource
    else {
        panic!()
    };
    assert_eq!(
        group.blood_groups(),
        [BloodGroup {
            abo: Abo::A,
            rh: Antigen::Negative,
            kell: None
        }]
    );
    assert!(
        Record::parse_line(FLAG.as_bytes())
            .unwrap()
            .resource
            .is_safety()
    );
    assert!(
        !Record::parse_line(GROUP.as_bytes())
            .unwrap()
            .resource
            .is_safety()
    );
}

#[test]
fn unknown_elements_survive_in_the_raw_line() {
    let line = PATIENT.replacen(
        '{',
        r#"  {"multipleBirthInteger":2,"extension":[{"url":"urn:x","valueDate":"2020"}],"#,
        1,
    ) + "\r\n";
    let record = Record::parse_line(line.as_bytes()).unwrap();
    assert_eq!(record.raw, line.trim());
    assert_eq!(record.resource.id(), "d-1");
}

#[test]
fn broken_resources() {
    for line in [
        "",
        "null",
        "[]",
        "{}",
        "\"Patient\"",
        "{",
        "{\"resourceType\":1}",
        "{\"resourceType\":\"\"}",
        &format!("{PATIENT}{PATIENT}"),
    ] {
        assert_eq!(code(line), "fhir-broken", "{line}");
    }
    assert_eq!(code(&PATIENT[..60]), "fhir-broken");
    assert_eq!(
        code(&PATIENT.replace("\"id\":\"d-1\"", "\"id\":\"d-1\",\"id\":\"d-2\"")),
        "fhir-broken"
    );
    assert_eq!(
        code(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
        "fhir-broken"
    );
    assert_eq!(
        Record::parse_line(b"{\"resourceType\":\"Patient\xff\"}")
            .unwrap_err()
            .code(),
        "fhir-broken"
    );
    assert_eq!(what(&PATIENT.replace("d-1", "d/1")), "id");
    assert_eq!(
        what(&PATIENT.replace("Қасымова", " ")),
        "Patient.name.family"
    );
    assert_eq!(what(&PATIENT.replace("-07-15", "-07")), "Patient.birthDate");
    assert_eq!(
        what(&PATIENT.replace("-07-15", "-02-30")),
        "Patient.birthDate"
    );
    assert_eq!(
        what(&PATIENT.replace("female", "unknown")),
        "Patient.gender"
    );
    assert_eq!(what(&FLAG.replace("active", "on")), "Flag.status");
    assert_eq!(what(&FLAG.replace("Patient/", "Group/")), "Flag.subject");
    assert_eq!(what(&FLAG.replace("start", "end")), "Flag.period.start");
    assert_eq!(
        what(&FLAG.replace("\"}}", "\",\"end\":\"soon\"}}")),
        "Flag.period.end"
    );
    assert_eq!(
        what(&PROCEDURE.replace("completed", "done")),
        "Procedure.status"
    );
    assert_eq!(
        what(&PROCEDURE.replace("10:00", "25:00")),
        "Procedure.occurrence"
    );
    assert_eq!(
        what(&GROUP.replace("A-", "Q-")),
        "Observation.valueCodeableConcept"
    );
    assert_eq!(
        what(&GROUP.replace(
            "\"valueCodeableConcept\"",
            "\"dataAbsentReason\":{},\"valueCodeableConcept\""
        )),
        "Observation.dataAbsentReason"
    );
    // A message names an element, never a value.
    let error = Record::parse_line(PATIENT.replace("\"Қасымова\"", "7").as_bytes()).unwrap_err();
    assert!(!error.to_string().contains('7'), "{error}");
}

#[test]
fn huge_and_unknown_resources() {
    let huge = PATIENT.replace("Әсел", &"Ә".repeat(MAX_LINE));
    assert_eq!(code(&huge), "fhir-too-large");
    let largest = format!("{PATIENT}{}", " ".repeat(MAX_LINE - PATIENT.len()));
    assert_eq!(code(&largest), "ok");
    assert_eq!(code(&(largest + " ")), "fhir-too-large");
    let unknown = Record::parse_line(br#"{"resourceType":"Spaceship","id":"x"}"#).unwrap_err();
    assert_eq!(
        unknown,
        FhirError::UnknownType {
            resource_type: "Spaceship".into()
        }
    );
    assert_eq!(unknown.code(), "fhir-unknown-type");
    assert_eq!(
        code(&format!(r#"{{"resourceType":"{}"}}"#, "a".repeat(65))),
        "fhir-broken"
    );
    assert_eq!(code(r#"{"resourceType":"Қан"}"#), "fhir-broken");
}

/// Wherever the type stands, it stands there once.
#[test]
fn the_type_is_said_once() {
    let members = &PATIENT[r#"{"resourceType":"Patient","#.len()..PATIENT.len() - 1];
    assert_eq!(
        code(&format!(r#"{{"resourceType":"Patient",{members}}}"#)),
        "ok"
    );
    assert_eq!(
        code(&format!(r#"{{{members},"resourceType":"Patient"}}"#)),
        "ok"
    );
    assert_eq!(
        code(&format!(
            r#"{{ "resource\u0054ype" : "Patient",{members}}}"#
        )),
        "ok"
    );
    for twice in ["Patient", "Flag"] {
        let doubled = format!(r#"{{"resourceType":"Patient",{members},"resourceType":"{twice}"}}"#);
        assert_eq!(code(&doubled), "fhir-broken");
    }
    for cut in [
        r#"{"resourceType":"Patient""#,
        r#"{"resourceType":"Spaceship","id":"#,
    ] {
        let error = Record::parse_line(cut.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("cut JSON"), "{error}");
    }
}

#[test]
fn a_person_with_too_many_words() {
    let long = |words: &str| PATIENT.replace("Әсел", words);
    assert_eq!(code(&long(&"ә".repeat(10_000))), "ok");
    assert_eq!(what(&long(&"ә".repeat(20_000))), "Patient.name is too long");
    let iin = |digits: usize| {
        PATIENT.replacen(
            "\"id\"",
            &format!(
                "\"identifier\":[{{\"system\":\"{}\",\"value\":\"{}\"}}],\"id\"",
                system::IIN,
                "1".repeat(digits)
            ),
            1,
        )
    };
    assert_eq!(code(&iin(30_000)), "ok");
    assert_eq!(what(&iin(40_000)), "Patient.name is too long");
}

#[test]
fn modifiers_that_are_elements_count_as_such() {
    let is_clear = |line: &str, more: &str| {
        let line = line.replacen("\"id\"", &format!("{more},\"id\""), 1);
        let record = Record::parse_line(line.as_bytes()).unwrap();
        !record.resource.not_understood()
    };
    for clear in [
        r#""active":true"#,
        r#""deceasedBoolean":false"#,
        r#""link":[{"other":{"reference":"Patient/d-2"},"type":"seealso"}]"#,
        r#""modifierExtension":[]"#,
    ] {
        assert!(is_clear(PATIENT, clear), "{clear}");
    }
    for unclear in [
        r#""active":false"#,
        r#""deceasedBoolean":true"#,
        r#""deceasedDateTime":"2026""#,
        r#""link":[{"other":{"reference":"Patient/d-2"},"type":"replaced-by"}]"#,
        r#""modifierExtension":[{"url":"urn:x","valueBoolean":true}]"#,
        r#""implicitRules":"urn:x""#,
    ] {
        assert!(!is_clear(PATIENT, unclear), "{unclear}");
    }
    let request = r#"{"resourceType":"ServiceRequest","id":"s","status":"active","intent":"order","subject":{"reference":"Patient/r"}}"#;
    assert!(is_clear(request, r#""doNotPerform":false"#));
    assert!(!is_clear(request, r#""doNotPerform":true"#));
}

#[test]
fn a_bound_is_no_quantity() {
    let quantity = |text: &str| serde_json::from_str::<Quantity>(text).unwrap();
    let exact = quantity(r#"{"value":40}"#);
    assert_eq!(
        (exact.number(), exact.written().as_deref()),
        (Some(40.0), Some("40"))
    );
    let bound = quantity(r#"{"value":40,"comparator":">="}"#);
    assert_eq!(
        (bound.number(), bound.written().as_deref()),
        (None, Some(">=40"))
    );
    let unknown = quantity(r#"{"value":40,"comparator":"ad"}"#);
    assert_eq!((unknown.number(), unknown.written()), (None, None));
}

#[test]
fn dates_of_any_precision() {
    let span = |text| FhirDate::parse(text).map(|d| (d.first.to_string(), d.last.to_string()));
    assert_eq!(
        span("2024"),
        Some(("2024-01-01".into(), "2024-12-31".into()))
    );
    assert_eq!(
        span("2024-02"),
        Some(("2024-02-01".into(), "2024-02-29".into()))
    );
    assert_eq!(
        span("2024-02-29"),
        Some(("2024-02-29".into(), "2024-02-29".into()))
    );
    assert_eq!(
        span("2026-09-02T10:15:00+05:00"),
        Some(("2026-09-02".into(), "2026-09-02".into()))
    );
    for bad in [
        "",
        "24",
        "2024-13",
        "2023-02-29",
        "2024-02T10:00:00Z",
        "2026-09-02T10:15",
        "2026-09-02T99:15:00Z",
        "20240229",
        "ᠠᠠ",
        "0000",
        "0000-01-01",
        "-999",
        "-999-01-01",
        "2026-02-30",
        "10000-01-01",
        "9999-12-31T23:59:60.x+05:00",
        "2026-09-02T10:15:00",
        "2026-09-02T10:15:00+5:00",
        "2026-09-02T10:15:00+15:00",
        "2026-09-02T10:15:00+05:60",
        "2026-09-02T10:15:00+05",
        "2026-09-02T10:15:00 05:00",
        "2026-09-02T10:15:00ZZ",
        "2026-09-02TZ",
        "2026-09-02T",
        "2026-02-30T10:15:00Z",
    ] {
        assert_eq!(span(bad), None, "{bad}");
    }
}

#[test]
fn a_moment_is_the_day_that_it_is_at_the_site() {
    for (written, day) in [
        ("2026-09-02T22:00:00Z", "2026-09-03"),
        ("2026-09-02T18:59:59Z", "2026-09-02"),
        ("2026-09-02T19:00:00.000Z", "2026-09-03"),
        ("2026-09-02T23:59:59+05:00", "2026-09-02"),
        ("2026-09-02T01:00:00+06:30", "2026-09-01"),
        ("2026-09-02T20:30:00-02:30", "2026-09-03"),
        ("2026-09-02T23:00:00+00:30", "2026-09-03"),
        ("2024-02-28T23:00:00Z", "2024-02-29"),
        // Where the calendar ends, its last day is as far as one can go.
        ("9999-12-31T23:59:59+05:00", "9999-12-31"),
        ("9999-12-31T23:59:59Z", "9999-12-31"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01"),
    ] {
        let read = FhirDate::parse(written).unwrap();
        assert_eq!(read.day().map(|day| day.to_string()).as_deref(), Some(day));
        assert_eq!(shown_day(written), day, "{written}");
    }
    for less in ["2026", "2026-09", "2026-09-02"] {
        assert_eq!(shown_day(less), less);
    }
}

#[test]
fn a_specimen_of_no_day_is_refused() {
    let specimen = |at: &str| {
        format!(
            r#"{{"resourceType":"Specimen","id":"s","subject":{{"reference":"Patient/d-1"}},"collection":{{"collectedDateTime":"{at}"}}}}"#
        )
    };
    assert_eq!(code(&specimen("2026-02-28")), "ok");
    assert_eq!(
        what(&specimen("2026-02-30")),
        "Specimen.collection.collectedDateTime"
    );
}

#[test]
fn two_groups_of_one_determination_are_both_told() {
    let kell = GROUP.replace(
        r#""dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"not-performed"}]}"#,
        r#""valueCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"NEG"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"POS"}]}"#,
    );
    assert_ne!(kell, GROUP);
    let two = kell.replace(
        r#""A-"}]"#,
        r#""A-"},{"system":"urn:infoblood:blood-group","code":"O+"}]"#,
    );
    let groups = |line: &str| match Record::parse_line(line.as_bytes()).unwrap().resource {
        Resource::Observation(group) => group.blood_groups(),
        other => panic!("{other:?}"),
    };
    assert_eq!(groups(&kell).len(), 2);
    assert_eq!(groups(&two).len(), 4);
    assert_eq!(
        what(&two.replace("O+", "Q+")),
        "Observation.valueCodeableConcept",
        "none of them is left out"
    );
}

const SAYS: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";

fn observation(rest: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"o","status":"final","subject":{{"reference":"Patient/d-1"}},{rest}}}"#
    )
}

fn read_observation(rest: &str) -> Observation {
    match Record::parse_line(observation(rest).as_bytes()) {
        Ok(Record {
            resource: Resource::Observation(found),
            ..
        }) => found,
        other => panic!("{other:?}"),
    }
}

/// Codings of one concept may contradict each other: none of them is passed over because it comes later.
#[test]
fn what_is_on_the_safe_side_counts_of_two_codings() {
    let codings = |codes: &[&str]| {
        let codings: Vec<String> = codes
            .iter()
            .map(|code| format!(r#"{{"system":"{SAYS}","code":"{code}"}}"#))
            .collect();
        format!(r#"{{"coding":[{}]}}"#, codings.join(","))
    };
    let screening = |codes: &[&str]| {
        format!(
            r#""code":{{"coding":[{{"system":"urn:infoblood:screening","code":"hiv"}}]}},"interpretation":[{}]"#,
            codings(codes)
        )
    };
    for (codes, expected) in [
        (["NEG", "POS"], "POS"),
        (["POS", "NEG"], "POS"),
        (["NEG", "IND"], "IND"),
        (["POS", "A"], "POS"),
        (["NEG", "NEG"], "NEG"),
    ] {
        let found = read_observation(&screening(&codes));
        assert_eq!(found.interpreted(), Some(expected), "{codes:?}");
    }
    assert_eq!(
        what(&observation(&screening(&["NEG", "A"]))),
        "Observation.interpretation"
    );

    let antibody = |codes: &[&str]| {
        format!(
            r#""code":{{"text":"x"}},"component":[{{"code":{{"coding":[{{"system":"urn:infoblood:antibody","code":"anti-K"}}]}},"valueCodeableConcept":{}}}]"#,
            codings(codes)
        )
    };
    let found = |codes: &[&str]| -> Vec<bool> {
        let found = read_observation(&antibody(codes));
        found.component[0].found().into_iter().collect()
    };
    assert_eq!(found(&["NEG", "POS"]), [false, true]);
    assert_eq!(found(&["POS", "A"]), [true]);
    assert_eq!(found(&["NEG"]), [false]);
    assert_eq!(
        what(&observation(&antibody(&["NEG", "A"]))),
        "Observation.component.valueCodeableConcept"
    );

    let label = |codes: &str| {
        format!(
            r#"{{"resourceType":"BiologicallyDerivedProduct","id":"b","productCode":{{"text":"x"}},"property":[{{"type":{{"coding":[{{"system":"urn:infoblood:property","code":"blood-group"}}]}},"valueCodeableConcept":{{"coding":[{codes}]}}}}]}}"#
        )
    };
    let both = r#"{"system":"urn:infoblood:blood-group","code":"O-"},{"system":"urn:infoblood:blood-group","code":"A+"}"#;
    match Record::parse_line(label(both).as_bytes()).unwrap().resource {
        Resource::BiologicallyDerivedProduct(product) => {
            assert_eq!(product.blood_groups().count(), 2);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        what(&label(&both.replace("A+", "Q+"))),
        "BiologicallyDerivedProduct.property"
    );
}

/// Which of two numbers is right nobody can say: both lead to the record, and its values are not shown.
#[test]
fn two_numbers_of_one_kind_are_not_understood() {
    let with = |line: &str, system: &str, values: &[&str]| {
        let identifiers: Vec<String> = values
            .iter()
            .map(|value| format!(r#"{{"system":"{system}","value":"{value}"}}"#))
            .collect();
        let line = line.replacen(
            '{',
            &format!(r#"{{"identifier":[{}],"#, identifiers.join(",")),
            1,
        );
        Record::parse_line(line.as_bytes()).unwrap().resource
    };
    let (one, other) = ("KZ00126000001", "KZ00126000002");
    for (dins, count, is_modified) in [
        (vec![one], 1, false),
        (vec![one, one], 2, false),
        (vec!["KZ", other], 1, false),
        (vec![one, other], 2, true),
    ] {
        let resource = with(PROCEDURE, system::DIN, &dins);
        assert_eq!(resource.not_understood(), is_modified, "{dins:?}");
        let Resource::Procedure(donation) = resource else {
            panic!()
        };
        assert_eq!(donation.dins().count(), count);
    }
    for (iins, is_modified) in [
        (vec!["850715400122"], false),
        (vec!["850715400122", "850715400122"], false),
        (vec!["850715400122", "900101300017"], true),
    ] {
        let resource = with(PATIENT, system::IIN, &iins);
        assert_eq!(resource.not_understood(), is_modified, "{iins:?}");
    }
}

/// A result that stands where this version does not read it must not pass for one that was not determined.
#[test]
fn what_is_said_otherwise_is_not_understood() {
    let group = r#""code":{"coding":[{"system":"http://loinc.org","code":"882-1"}]}"#;
    let antibody = |said: &str| {
        format!(
            r#""code":{{"text":"x"}},"component":[{{"code":{{"coding":[{{"system":"urn:infoblood:antibody","code":"anti-K"}}]}}{said}}}]"#
        )
    };
    let present = format!(r#"{{"coding":[{{"system":"{SAYS}","code":"POS"}}]}}"#);
    for rest in [
        format!(r#"{group},"valueString":"O-""#),
        format!(r#"{group},"interpretation":[{present}]"#),
        format!(r#"{group},"valueQuantity":{{"value":1}}"#),
        antibody(r#","valueBoolean":true"#),
        antibody(&format!(r#","interpretation":[{present}]"#)),
    ] {
        assert!(read_observation(&rest).is_modified(), "{rest}");
    }
    for rest in [
        group.to_owned(),
        antibody(""),
        antibody(&format!(
            r#","valueCodeableConcept":{present},"interpretation":[{present}]"#
        )),
        r#""code":{"text":"x"},"valueString":"a note""#.to_owned(),
        format!(
            r#""code":{{"coding":[{{"system":"urn:infoblood:screening","code":"hiv"}}]}},"valueString":"x","interpretation":[{present}]"#
        ),
    ] {
        assert!(!read_observation(&rest).is_modified(), "{rest}");
    }
    for (rest, expected) in [
        (
            format!(r#"{group},"valueString":"O-","valueQuantity":{{"value":1}}"#),
            "Observation.value",
        ),
        (
            antibody(&format!(
                r#","valueString":"x","valueCodeableConcept":{present}"#
            )),
            "Observation.component",
        ),
    ] {
        assert_eq!(what(&observation(&rest)), expected);
    }
    // Of two types that are not read neither is.
    assert_eq!(
        code(&observation(&format!(
            r#"{group},"valueString":"O-","valueBoolean":true"#
        ))),
        "fhir-broken"
    );
}

/// Every element we write is one that the R5 definitions know (`tests/data/r5-elements.json`, from the published definitions).
#[test]
fn what_we_write_is_r5() {
    let elements: HashMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../../tests/data/r5-elements.json")).unwrap();
    let sites = ["KZ001".to_owned()];
    let today = jiff::civil::Date::constant(2026, 11, 22);
    let donors =
        crate::synthetic::donors(ChaCha20Rng::seed_from_u64(1), today, &sites, 300).unwrap();
    let places = crate::synthetic::hospitals("KZ001")
        .into_iter()
        .chain([crate::synthetic::organization("KZ001", "Оқу орталығы")]);
    for resource in donors.flat_map(|d| d.resources).chain(places) {
        let mut value = serde_json::to_value(&resource).unwrap();
        let name = value
            .as_object_mut()
            .unwrap()
            .remove("resourceType")
            .unwrap();
        assert_eq!(name, resource.resource_type());
        known(&elements, resource.resource_type(), &value);
    }
}

fn known(elements: &HashMap<String, Vec<String>>, of: &str, value: &Value) {
    match value {
        Value::Array(list) => {
            assert!(!list.is_empty(), "FHIR knows no empty list");
            for item in list {
                known(elements, of, item);
            }
        }
        Value::Object(map) => {
            assert!(!map.is_empty(), "FHIR knows no empty object");
            for (name, child) in map {
                let plain = name.strip_prefix('_').unwrap_or(name);
                let here = elements.get(of);
                let here = here.unwrap_or_else(|| panic!("what {name} is in"));
                assert!(here.iter().any(|e| e == plain), "{of}.{name}");
                let child_type = match (of, name.as_str()) {
                    (_, "meta") => "Meta",
                    (_, "security" | "tag" | "coding" | "productStatus" | "productCategory") => {
                        "Coding"
                    }
                    (_, "identifier" | "accessionIdentifier" | "biologicalSourceEvent") => {
                        "Identifier"
                    }
                    ("Patient", "name") => "HumanName",
                    (_, "period" | "occurrencePeriod") => "Period",
                    (_, "quantity" | "quantityQuantity" | "valueQuantity") => "Quantity",
                    ("Specimen", "collection") => "SpecimenCollection",
                    ("Procedure", "performer") => "ProcedurePerformer",
                    ("Observation", "component") => "ObservationComponent",
                    ("BiologicallyDerivedProduct", "collection") => {
                        "BiologicallyDerivedProductCollection"
                    }
                    ("BiologicallyDerivedProduct", "property") => {
                        "BiologicallyDerivedProductProperty"
                    }
                    (_, "orderDetail") => "ServiceRequestOrderDetail",
                    (_, "parameter") => "ServiceRequestOrderDetailParameter",
                    (_, "suspectEntity") => "AdverseEventSuspectEntity",
                    (_, "telecom") => "ContactPoint",
                    (_, "note") => "Annotation",
                    (_, "used") | ("ServiceRequest", "code") => "CodeableReference",
                    (
                        _,
                        "managingOrganization"
                        | "subject"
                        | "author"
                        | "actor"
                        | "procedure"
                        | "parent"
                        | "request"
                        | "source"
                        | "product"
                        | "patient"
                        | "destination"
                        | "basedOn"
                        | "partOf"
                        | "specimen"
                        | "requester"
                        | "instanceReference",
                    )
                    | ("CodeableReference", "reference") => "Reference",
                    ("Coding" | "Identifier", _) => "",
                    (
                        _,
                        "code"
                        | "category"
                        | "statusReason"
                        | "valueCodeableConcept"
                        | "interpretation"
                        | "method"
                        | "type"
                        | "concept"
                        | "productCode"
                        | "matchStatus"
                        | "seriousness"
                        | "dataAbsentReason",
                    ) => "CodeableConcept",
                    (_, "extension" | "_text") => "Extension",
                    _ => "",
                };
                if child.is_object() || child.is_array() && child[0].is_object() {
                    known(elements, child_type, child);
                }
            }
        }
        Value::String(text) => assert!(!text.trim().is_empty(), "FHIR knows no empty string"),
        _ => assert!(!value.is_null(), "FHIR knows no null"),
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..1000, by in any::<u8>()) {
        let _ = Record::parse_line(&bytes);
        for line in [PATIENT, FLAG, PROCEDURE, GROUP] {
            let mut changed = line.as_bytes().to_vec();
            let at = at % changed.len();
            changed[at] = by;
            let _ = Record::parse_line(&changed);
            let _ = Record::parse_line(&changed[..at]);
        }
    }

    /// As the library of times computes it, by way of UTC.
    #[test]
    fn moments_are_days_at_the_site(
        year in 2_i16..9998, month in 1_i8..13, day in 1_i8..29, hour in 0_i8..24, minute in 0_i8..60, second in 0_i8..60,
        sign in "[+-]", hours in 0_i8..14, minutes in 0_i8..60, is_utc: bool,
    ) {
        let offset = if is_utc { "Z".to_owned() } else { format!("{sign}{hours:02}:{minutes:02}") };
        prop_assume!(offset != "-00:00");
        let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}");
        let at: jiff::Timestamp = text.parse().unwrap();
        let site = at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(5)));
        let read = FhirDate::parse(&text).unwrap();
        prop_assert_eq!((read.first, read.last), (site.date(), site.date()));
        prop_assert_eq!(read.time, Some(site.time()));
    }

    #[test]
    fn dates_never_panic(text in "[0-9TZ:+.-]{0,26}") {
        let _ = FhirDate::parse(&text);
    }
}
