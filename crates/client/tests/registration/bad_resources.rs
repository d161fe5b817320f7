//! Bad resources on the whole way: from an import at the server over the feed and the cache to what a clinician sees.

mod accepted;
mod contradictory;
mod lines;
mod refused;

use std::path::PathBuf;

use infoblood_client::{Holder, Purpose, Search};
use infoblood_clinical::{
    blood::BloodGroup, donor::DeferralKind, fhir::MAX_LINE, iin::Iin, inventory::Filter,
};
use infoblood_server::service::load::{self, ImportError};
use serde_json::{Value, json};

use crate::common::{Central, Machine, SITE, enrolled};

const IIN: &str = "850715400129";
const DIN: &str = "KZ00126000001";
const SCRIPT: &str = "<script>alert(1)</script>";

fn resource(kind: &str, id: &str, rest: &Value) -> Value {
    let mut resource = json!({
        "resourceType": kind, "id": id, "meta": { "tag": [{ "system": "urn:infoblood:site", "code": SITE }] },
    });
    for (element, value) in rest.as_object().unwrap() {
        resource[element] = value.clone();
    }
    resource
}

fn person(id: &str, family: &str, given: &str) -> Value {
    resource(
        "Patient",
        id,
        &json!({
            "identifier": [{ "system": "urn:infoblood:id:iin", "value": IIN }], "active": true,
            "name": [{ "use": "official", "family": family, "given": [given] }], "gender": "female", "birthDate": "1985-07-15",
        }),
    )
}

fn donation(id: &str, donor: &str, din: &str) -> Value {
    resource(
        "Procedure",
        id,
        &json!({
            "identifier": [{ "system": "urn:infoblood:id:din", "value": din }], "status": "completed",
            "code": { "coding": [{ "system": "urn:infoblood:donation-kind", "code": "whole-blood" }] },
            "subject": { "reference": format!("Patient/{donor}") },
            "occurrencePeriod": { "start": "2026-09-02T10:00:00+05:00" },
        }),
    )
}

fn component(id: &str, parent: &str) -> Value {
    resource(
        "BiologicallyDerivedProduct",
        id,
        &json!({
            "productCode": { "coding": [{ "system": "urn:infoblood:product", "code": "red-cells-sagm" }] },
            "identifier": [
                { "system": "urn:infoblood:id:din", "value": DIN },
                { "system": "urn:infoblood:id:component", "value": format!("{DIN}-red-cells-sagm-{id}") },
            ],
            "biologicalSourceEvent": { "system": "urn:infoblood:id:din", "value": DIN },
            "productStatus": { "system": "urn:infoblood:product-status", "code": "available" },
            "expirationDate": "9998-12-31T23:59:59+05:00",
            "collection": { "source": { "reference": "Patient/twin-1" } },
            "property": [{
                "type": { "coding": [{ "system": "urn:infoblood:property", "code": "blood-group" }] },
                "valueCodeableConcept": { "coding": [{ "system": "urn:infoblood:blood-group", "code": "A-" }] },
            }],
            "parent": [{ "reference": format!("BiologicallyDerivedProduct/{parent}") }],
        }),
    )
}

fn deferral(id: &str, donor: &str, reason: &str) -> Value {
    resource(
        "Flag",
        id,
        &json!({
            "status": "active", "subject": { "reference": format!("Patient/{donor}") }, "period": { "start": "2026-01-01" },
            "code": { "coding": [{ "system": "urn:infoblood:deferral-reason", "code": reason }] },
        }),
    )
}

fn group(id: &str, donor: &str, code: &str) -> Value {
    resource(
        "Observation",
        id,
        &json!({
            "status": "final", "code": { "coding": [{ "system": "http://loinc.org", "code": "882-1" }] },
            "subject": { "reference": format!("Patient/{donor}") }, "effectiveDateTime": "2026-01-01",
            "valueCodeableConcept": { "coding": [{ "system": "urn:infoblood:blood-group", "code": code }] },
        }),
    )
}

fn with(mut resource: Value, element: &str, value: Value) -> Value {
    resource[element] = value;
    resource
}

fn modified(resource: Value) -> Value {
    let modifier = json!([{ "url": "urn:x:this-is-not-so", "valueBoolean": true }]);
    with(resource, "modifierExtension", modifier)
}

/// Writes the lines to a file and imports it.
async fn import(central: &Central, lines: &[Value]) -> Result<u64, ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("lines.ndjson");
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(&path, text.join("\n")).unwrap();
    let loaded = load::import(&central.context, &[path]).await?;
    Ok(loaded.resources)
}

#[tokio::test]
async fn what_cannot_be_understood_never_gets_in() {
    let central = Central::start().await;
    let good = person("d-1", "Қасымова", "Әсел");
    let narrative = json!({ "status": "generated", "div": "я".repeat(5_000_000) });
    let bad = [
        (group("o-3", "d-1", "C+"), "fhir-broken"),
        (component("c-3", "c-3"), "fhir-broken"),
        (json!(["Patient"]), "fhir-broken"),
        (json!({ "resourceType": "Patient" }), "fhir-broken"),
        (
            with(good.clone(), "resourceType", json!("Claim")),
            "fhir-unknown-type",
        ),
        (
            with(good.clone(), "id", json!("../etc/passwd")),
            "fhir-broken",
        ),
        (with(good.clone(), "id", json!("")), "fhir-broken"),
        (with(good.clone(), "name", json!("Қасымова")), "fhir-broken"),
        (
            with(good.clone(), "birthDate", json!("2026-02-30")),
            "fhir-broken",
        ),
        (
            with(good.clone(), "birthDate", json!("0001")),
            "fhir-broken",
        ),
        (
            with(good.clone(), "birthDate", json!("yesterday")),
            "fhir-broken",
        ),
        (with(good.clone(), "text", narrative), "fhir-too-large"),
        (
            with(
                good.clone(),
                "name",
                json!([{ "family": "Ә".repeat(MAX_LINE) }]),
            ),
            "fhir-too-large",
        ),
        (
            with(
                good.clone(),
                "meta",
                json!({ "tag": [{ "system": "urn:infoblood:site", "code": "ZZZ" }] }),
            ),
            "site-unknown",
        ),
        (
            with(
                donation("p-1", "d-1", DIN),
                "subject",
                json!({ "reference": "https://elsewhere.example/Patient/1" }),
            ),
            "fhir-broken",
        ),
        (
            with(
                component("c-1", "c-2"),
                "expirationDate",
                json!("2026-10-32"),
            ),
            "fhir-broken",
        ),
        (
            with(
                deferral("f-1", "d-1", "hepatitis-c"),
                "status",
                json!("perhaps"),
            ),
            "fhir-broken",
        ),
    ];
    for (line, expected) in bad {
        let shown: String = line.to_string().chars().take(200).collect();
        match import(&central, &[good.clone(), line]).await {
            Err(ImportError::Line {
                line: 2,
                code,
                detail,
                ..
            }) => {
                assert_eq!(code, expected, "{shown}");
                assert!(
                    !detail.contains("Қасымова"),
                    "nothing of it is told: {detail}"
                );
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
    // Nothing came of the good lines before the bad ones either.
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    assert_eq!(
        open.search(open.gate(), "", None, 20).await.unwrap().total,
        0
    );
}

#[tokio::test]
async fn what_is_strange_is_shown_as_what_it_is() {
    let central = Central::start().await;
    let long = "Ә".repeat(10_000);
    let lines = [
        with(
            person("d-script", SCRIPT, "' OR 1=1 --"),
            "text",
            json!({ "status": "generated", "div": "<div><img src=x onerror=alert(1)></div>" }),
        ),
        person("d-long", &long, "Бір"),
        person("d-signs", "\u{202e}вонавИ\u{0}\u{7}\u{200b}", "👩🏽‍⚕️"),
        with(
            person("d-first", "Ежелгіұлы", "Адам"),
            "birthDate",
            json!("1901-01-01"),
        ),
        modified(person("d-modified", "Өзгертілген", "Аты")),
        // One IIN and one donation number, twice; a donation of nobody who is here.
        person("twin-1", "Егізова", "Айша"),
        person("twin-2", "Егізова", "Әлия"),
        donation("p-1", "twin-1", DIN),
        donation("p-2", "twin-2", DIN),
        donation("p-3", "nobody", "KZ00126000003"),
        modified(donation("p-4", "twin-1", "KZ00126000004")),
        donation("p-5", "d-script", "KZ0012600000!"),
        // Each made of the other, one of nothing that is here, one under terms nobody knows.
        component("c-1", "c-2"),
        component("c-2", "c-1"),
        component("c-4", "gone"),
        modified(component("c-5", "c-4")),
        with(
            component("c-6", "c-4"),
            "productStatus",
            json!({ "system": "urn:infoblood:product-status", "code": "sold" }),
        ),
        // Deferrals and groups: unknown words, and others that only seem to be known.
        deferral("f-1", "d-script", "nobody-knows"),
        modified(deferral("f-2", "twin-2", "hepatitis-c")),
        group("o-1", "twin-1", "A-"),
        modified(group("o-2", "twin-1", "O-")),
    ];
    let count = lines.len() as u64;
    assert_eq!(import(&central, &lines).await.unwrap(), count);
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    open.choose_purpose(Purpose::Lookback).await.unwrap();
    let gate = open.gate();

    // Everybody can be found and opened; text is text.
    let all = open.search(gate, "", None, 50).await.unwrap();
    let mut ids: Vec<&str> = all.rows.iter().map(|row| row.summary.id.as_str()).collect();
    ids.sort_unstable();
    let people = [
        "d-first",
        "d-long",
        "d-modified",
        "d-script",
        "d-signs",
        "twin-1",
        "twin-2",
    ];
    assert_eq!(ids, people);
    for id in people {
        open.card(gate, id).await.unwrap();
    }
    let script = open.card(gate, "d-script").await.unwrap().facts;
    assert_eq!(
        (script.family.as_str(), script.given.as_str()),
        (SCRIPT, "' OR 1=1 --")
    );
    assert_eq!(
        script.deferrals.len(),
        1,
        "a reason nobody knows is a deferral all the same"
    );
    assert_eq!(script.donations[0].din, None, "no number is made of it");
    assert_eq!(open.card(gate, "d-long").await.unwrap().facts.family, long);
    let found = open.search(gate, "ежелгиулы", None, 20).await.unwrap();
    assert_eq!(found.rows[0].summary.id, "d-first");
    assert!(
        open.card(gate, "d-modified")
            .await
            .unwrap()
            .facts
            .not_understood
            > 0
    );

    // Two people with one IIN are both told.
    let found = open.search(gate, IIN, None, 20).await.unwrap();
    assert_eq!(found.total, people.len() as u64);
    let holders = open.holders(gate, &Iin::parse(IIN).unwrap()).await.unwrap();
    assert!(holders.contains(&Holder::Donor("twin-1".into())));
    assert!(holders.contains(&Holder::Donor("twin-2".into())));

    // What is not understood does not count, and says so.
    let first = open.card(gate, "twin-1").await.unwrap().facts;
    assert_eq!(first.blood, BloodGroup::from_code("A-"));
    assert_eq!(first.blood_conflict, []);
    assert_eq!(first.donations.len(), 1);
    assert_eq!(first.not_understood, 3, "donation, group, component");
    let second = open.card(gate, "twin-2").await.unwrap().facts;
    assert_eq!(second.blood, None);
    assert!(second.not_understood > 0);
    assert_eq!(
        second.deferrals[0].kind,
        DeferralKind::Permanent,
        "a deferral that is not understood bars until somebody has looked"
    );
    assert!(
        second.next_dates.iter().all(|next| next.date.is_none()),
        "nothing is promised beside it"
    );

    // One number, two donations; circles end; all of it can be looked back from.
    for (din, donor) in [(DIN, Some("twin-1")), ("KZ00126000003", Some("nobody"))] {
        let facts = open.donation(gate, din).await.unwrap().facts;
        assert_eq!(facts.donor.as_ref().map(|donor| donor.id.as_str()), donor);
        open.lookback(gate, din).await.unwrap();
    }
    let facts = open.donation(gate, DIN).await.unwrap().facts;
    assert_eq!(facts.others, ["p-2"]);
    let mut parts: Vec<&str> = facts
        .components
        .iter()
        .map(|part| part.component.id.as_str())
        .collect();
    parts.sort_unstable();
    assert_eq!(parts, ["c-1", "c-2", "c-4", "c-5", "c-6"]);
    let hidden = facts
        .components
        .iter()
        .filter(|part| part.component.not_understood);
    assert_eq!(
        hidden
            .map(|part| part.component.id.as_str())
            .collect::<Vec<_>>(),
        ["c-5"]
    );

    // The stock counts what is understood to be there.
    let stock = open
        .inventory(gate, Filter::Available)
        .await
        .unwrap()
        .inventory;
    let red = stock
        .products
        .iter()
        .map(|product| product.total)
        .sum::<u64>();
    assert_eq!(red, 3);
}

#[tokio::test]
async fn whatever_is_searched_for_is_only_text() {
    let central = Central::start().await;
    central.seed(30).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    let gate = open.gate();
    for text in [
        "\"",
        "'",
        "*",
        "-",
        "^",
        ":",
        "(",
        ")",
        "а*",
        "\"а",
        "а OR б",
        "а NOT б",
        "NEAR(а б, 2)",
        "terms:а",
        "{terms}:а",
        "'; DROP TABLE donor; --",
        "\" OR 1=1 --",
        "%",
        "_",
        "\\",
        "\0",
        "а\0б",
        "👩🏽‍⚕️",
        "\u{301}",
        "\u{202e}а",
        "٣٤٥",
        "+",
        "+7",
        "+++",
        "&amp;",
        &"а".repeat(10_000),
        &"1".repeat(10_000),
        &"а ".repeat(5_000),
        &"\"".repeat(10_000),
        &"\u{301}".repeat(10_000),
    ] {
        for search in [
            Search::from(text),
            Search {
                blood: BloodGroup::from_code("O+"),
                ..Search::from(text)
            },
        ] {
            open.search(gate, search, None, 20).await.unwrap();
        }
        open.recipients(gate, text, None, 20).await.unwrap();
        for nothing in [
            open.card(gate, text).await.err(),
            open.donation(gate, text).await.err(),
            open.lookback(gate, text).await.err(),
            open.recipient(gate, text).await.err(),
        ] {
            assert!(nothing.is_some(), "{text:.40}");
        }
        // A place in the list that nobody was given.
        open.search(gate, "", Some(text), 20).await.unwrap();
        open.recipients(gate, "", Some(text), 20).await.unwrap();
    }
    assert_eq!(
        open.search(gate, "", None, 50).await.unwrap().total,
        30,
        "nothing was dropped"
    );
}
