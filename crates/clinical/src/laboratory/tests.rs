use super::*;
use crate::{blood::Antigen, fhir::Record};

fn read(lines: &[String]) -> Vec<Resource> {
    lines
        .iter()
        .map(|line| Record::parse_line(line.as_bytes()).unwrap().resource)
        .collect()
}

fn observation(id: &str, rest: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","subject":{{"reference":"Patient/d-1"}},{rest}}}"#
    )
}

fn test(id: &str, code: &str, result: &str, donation: Option<&str>, day: &str) -> String {
    let part = donation.map_or(String::new(), |id| {
        format!(r#""partOf":[{{"reference":"Procedure/{id}"}}],"#)
    });
    observation(
        id,
        &format!(
            r#"{part}"code":{{"coding":[{{"system":"urn:infoblood:screening","code":"{code}"}}]}},"effectiveDateTime":"{day}","interpretation":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{result}"}}]}}]"#
        ),
    )
}

fn alt(id: &str, donation: &str, value: &str) -> String {
    observation(
        id,
        &format!(
            r#""partOf":[{{"reference":"Procedure/{donation}"}}],"code":{{"coding":[{{"system":"urn:infoblood:screening","code":"alt"}}]}},"effectiveDateTime":"2026-03-02","valueQuantity":{{"value":{value},"unit":"Ед/л","code":"U/L"}}"#
        ),
    )
}

fn measured(id: &str, code: &str, value: &str, day: &str) -> String {
    observation(
        id,
        &format!(
            r#""code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},"effectiveDateTime":"{day}","valueQuantity":{{"value":{value},"unit":"г/л"}}"#
        ),
    )
}

fn antigens(id: &str, found: &[(&str, &str)]) -> String {
    let parts: Vec<String> = found
        .iter()
        .map(|(antigen, result)| {
            format!(
                r#"{{"code":{{"coding":[{{"system":"urn:infoblood:antigen","code":"{antigen}"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{result}"}}]}}}}"#
            )
        })
        .collect();
    observation(
        id,
        &format!(
            r#""code":{{"coding":[{{"system":"urn:infoblood:phenotype","code":"phenotype"}}]}},"component":[{}]"#,
            parts.join(",")
        ),
    )
}

#[test]
fn one_row_for_a_donation() {
    let donation = r#"{"resourceType":"Procedure","id":"p1","identifier":[{"system":"urn:infoblood:id:din","value":"KZ00126000001"}],"status":"completed","code":{"coding":[{"system":"urn:infoblood:donation-kind","code":"plasma"}]},"subject":{"reference":"Patient/d-1"},"occurrenceDateTime":"2026-03-01"}"#;
    let rows = screenings(
        "d-1",
        &read(&[
            test("o1", "syphilis", "NEG", Some("p1"), "2026-03-02T10:00:00Z"),
            alt("o2", "p1", "23.5"),
            test("o3", "hiv", "NEG", Some("p1"), "2026-03-03"),
            test("o4", "hcv", "IND", Some("p2"), "2026-05-03"),
            test("o5", "hcv", "NEG", None, "2026-04-03"),
            test("o6", "hbv", "NEG", None, "2026-04-03"),
            donation.into(),
        ]),
    );
    let dates: Vec<&str> = rows.iter().map(|row| row.date.as_str()).collect();
    assert_eq!(dates, ["2026-05-03", "2026-04-03", "2026-03-03"]);
    assert!(rows[0].is_reactive() && !rows[0].is_positive());
    assert_eq!(rows[1].results.len(), 2);
    assert_eq!(rows[2].din.unwrap().to_string(), "KZ00126000001");
    assert_eq!(
        rows[2].results,
        [
            (Test::Hiv, Finding::Negative),
            (Test::Syphilis, Finding::Negative),
            (Test::Alt, Finding::Number("23.5 Ед/л".into())),
        ]
    );
}

#[test]
fn the_graver_result_comes_first_and_the_other_stays() {
    let rows = screenings(
        "d-1",
        &read(&[
            test("o1", "hiv", "NEG", Some("p1"), "2026-03-02"),
            test("o2", "hiv", "POS", Some("p1"), "2026-03-02"),
            test("o3", "hiv", "NEG", Some("p1"), "2026-03-02"),
        ]),
    );
    assert_eq!(
        rows[0].results,
        [
            (Test::Hiv, Finding::Positive),
            (Test::Hiv, Finding::Negative)
        ]
    );
    assert!(rows[0].is_positive());
}

fn group(id: &str, code: &str, kell: Option<&str>, donation: Option<&str>, day: &str) -> String {
    let part = donation.map_or(String::new(), |id| {
        format!(r#""partOf":[{{"reference":"Procedure/{id}"}}],"#)
    });
    let kell = kell.map_or(String::new(), |result| {
        format!(
            r#""component":[{{"code":{{"coding":[{{"system":"urn:infoblood:antigen","code":"kell"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"{result}"}}]}}}}],"#
        )
    });
    observation(
        id,
        &format!(
            r#"{part}{kell}"code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},"effectiveDateTime":"{day}","valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}"#
        ),
    )
}

#[test]
fn the_group_of_each_donation() {
    let donation = r#"{"resourceType":"Procedure","id":"p1","status":"completed","code":{"coding":[{"system":"urn:infoblood:donation-kind","code":"plasma"}]},"subject":{"reference":"Patient/d-1"},"occurrenceDateTime":"2026-03-01T22:00:00Z"}"#;
    let mut lines = vec![
        donation.to_owned(),
        test("o1", "hiv", "NEG", Some("p1"), "2026-03-05"),
        test("o2", "hiv", "NEG", Some("p2"), "2026-05-02"),
        test("o3", "hiv", "NEG", None, "2026-06-01"),
        // At the donation, on its day, and of Kell beside the same without.
        group("g1", "A-", None, Some("p1"), "2026-03-04"),
        group("g2", "A-", Some("NEG"), None, "2026-03-02"),
        // Two that disagree.
        group("g3", "A-", None, Some("p2"), "2026-05-01"),
        group("g4", "A+", None, None, "2026-05-02"),
        // No results, but a donation.
        group("g5", "A+", Some("POS"), Some("p3"), "2026-04-01"),
        // Neither.
        group("g6", "O+", None, None, "2026-01-01"),
        group("g7", "O+", None, None, "").replace("\"effectiveDateTime\":\"\",", ""),
    ];
    for _ in 0..2 {
        let rows = screenings("d-1", &read(&lines));
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                let groups = row.groups.iter().map(|g| (g.code(), g.kell));
                let groups: Vec<_> = groups.collect();
                (row.date.as_str(), row.results.len(), groups)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("2026-06-01", 1, vec![]),
                ("2026-05-02", 1, vec![("A+", None), ("A-", None)]),
                ("2026-04-01", 0, vec![("A+", Some(Antigen::Positive))]),
                ("2026-03-05", 1, vec![("A-", Some(Antigen::Negative))]),
            ]
        );
        lines.reverse();
    }
}

#[test]
fn what_does_not_count_or_is_not_understood_is_left_out() {
    let positive = test("o1", "hiv", "POS", Some("p1"), "2026-03-02");
    let modified = positive.replace(
        "\"status\"",
        "\"modifierExtension\":[{\"url\":\"urn:x\"}],\"status\"",
    );
    let mistaken = positive.replace("final", "entered-in-error");
    assert_eq!(screenings("d-1", &read(&[modified, mistaken])), []);
    assert_eq!(screenings("d-2", &read(&[positive])), []);
    let unknown = test("o2", "htlv", "POS", Some("p1"), "2026-03-02");
    let rows = screenings("d-1", &read(&[unknown]));
    assert!(rows[0].is_positive(), "an infection counts, whatever it is");
    assert_eq!(rows[0].results[0].0.code(), "htlv");
}

#[test]
fn antigens_in_their_usual_order() {
    let found = phenotype(
        "d-1",
        &read(&[
            antigens(
                "o1",
                &[("K", "NEG"), ("Fya", "POS"), ("e", "POS"), ("C", "NEG")],
            ),
            antigens("o2", &[("C", "POS"), ("e", "POS")]),
        ]),
    );
    let told: Vec<_> = found
        .iter()
        .map(|p| (p.antigen.as_str(), p.present, !p.conflict.is_empty()))
        .collect();
    assert_eq!(
        told,
        [
            ("C", true, true),
            ("e", true, false),
            ("K", false, false),
            ("Fya", true, false)
        ]
    );
    let [present, absent] = &found[0].conflict[..] else {
        panic!("{found:?}");
    };
    assert!(present.value && !absent.value);
    assert_eq!(present.sources[0].record, "o2");
    assert_eq!(absent.sources[0].record, "o1");
}

#[test]
fn of_one_day_the_later_measurement_counts() {
    let at = |id: &str, value: &str, when: &str| measured(id, "718-7", value, when);
    for (lines, latest) in [
        // The time counts, and not the id.
        (
            [
                at("o-9", "110", "2026-05-01T08:00:00+05:00"),
                at("o-10", "140", "2026-05-01T09:00:00+05:00"),
            ],
            "140",
        ),
        // 04:30 UTC is 09:30 at the site.
        (
            [
                at("o-9", "110", "2026-05-01T09:00:00+05:00"),
                at("o-1", "140", "2026-05-01T04:30:00Z"),
            ],
            "140",
        ),
        // A number that has grown.
        (
            [
                at("o-9", "110", "2026-05-01"),
                at("o-10", "140", "2026-05-01"),
            ],
            "140",
        ),
        // 22:00 UTC is the next day at the site.
        (
            [
                at("o-9", "110", "2026-05-01T23:00:00+05:00"),
                at("o-1", "140", "2026-05-01T22:00:00Z"),
            ],
            "140",
        ),
    ] {
        let turned = [lines[1].clone(), lines[0].clone()];
        for lines in [lines, turned] {
            assert_eq!(vitals("d-1", &read(&lines))[0].value, latest, "{lines:?}");
        }
    }
}

#[test]
fn the_latest_vital_signs() {
    let pressure = observation(
        "o4",
        r#""code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"effectiveDateTime":"2026-03-01","component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":80,"unit":"мм"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120,"unit":"мм"}}]"#,
    );
    let mut lines = vec![
        measured("o1", "718-7", "140", "2026-03-01"),
        measured("o2", "718-7", "133.5", "2026-05-01T09:00:00+05:00"),
        measured("o3", "8867-4", "70", "2026-03-01"),
        measured("o5", "9999-9", "1", "2026-03-01"),
        pressure.clone(),
    ];
    let expected = [
        (Measure::Haemoglobin, "133.5", "2026-05-01"),
        (Measure::Pressure, "120/80", "2026-03-01"),
        (Measure::Pulse, "70", "2026-03-01"),
    ];
    for _ in 0..2 {
        let found = vitals("d-1", &read(&lines));
        let found: Vec<_> = found
            .iter()
            .map(|v| (v.measure, v.value.as_str(), v.date.as_str()))
            .collect();
        assert_eq!(found, expected);
        lines.reverse();
    }
    let two_units = pressure.replacen("мм", "kPa", 1);
    assert_eq!(vitals("d-1", &read(&[two_units])), []);
}
