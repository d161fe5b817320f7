//! What the server does not take, and what a workstation leaves out if it comes by the feed all the same.

use std::sync::Arc;

use infoblood_client::Purpose;
use infoblood_clinical::{donor::DeferralState, inventory::Filter};
use infoblood_server::service::load::ImportError;

use super::lines::{
    DIN, component, donation, donor, flag, group, head, import, named, transfusion, with,
};
use crate::common::{Central, Fault, Machine, enrolled};

/// Lines that break the profile, each with what is wrong with it.
fn broken() -> Vec<(&'static str, String)> {
    let patient = named("d-9", "Қасымова");
    let component = component("c-9", &[]);
    let of = |from: &str, to: &str, line: &str| {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{from}");
        changed
    };
    let patient_of = |from: &str, to: &str| of(from, to, &patient);
    let component_of = |from: &str, to: &str| of(from, to, &component);
    let group = group("o-9", "d-9", "A+");
    let donation = donation("p-9", "d-9", DIN, "2026-03-01");
    vec![
        ("no object", "[]".into()),
        ("nothing known", "{}".into()),
        ("cut", patient[..patient.len() / 2].into()),
        ("two values", format!("{patient}{patient}")),
        ("no id", patient_of(r#""id":"d-9","#, "")),
        ("an id that is a path", patient_of("d-9", "../d-9")),
        ("an id twice", with(&patient, r#""id":"d-8""#)),
        (
            "a name as text",
            patient_of(r#""name":["#, r#""name":"x","alias":["#),
        ),
        ("a family name as a number", patient_of("\"Қасымова\"", "7")),
        ("no name", patient_of("\"Қасымова\"", "\" \"")),
        (
            "a name of 40,000 letters",
            patient_of("Қасымова", &"ә".repeat(40_000)),
        ),
        (
            "a control character as it is",
            patient_of("Қасымова", "а\0б"),
        ),
        ("half a surrogate", patient_of("Қасымова", "\\ud800")),
        ("an unknown gender", patient_of("female", "robot")),
        (
            "an identifier as an object",
            with(&patient, r#""identifier":{}"#),
        ),
        (
            "an extension without a name",
            with(&patient, r#""modifierExtension":[{}]"#),
        ),
        (
            "no birth date",
            patient_of(r#","birthDate":"1985-07-15""#, ""),
        ),
        (
            "a birth date as a number",
            patient_of("\"1985-07-15\"", "19850715"),
        ),
        ("30 February", patient_of("1985-07-15", "2026-02-30")),
        ("the year 0", patient_of("1985-07-15", "0000-01-01")),
        ("a year below 0", patient_of("1985-07-15", "-999-01-01")),
        (
            "a deferral without a beginning",
            flag("f-9", "d-1", r#"{"end":"2026-01-01"}"#),
        ),
        (
            "a deferral to 30 February",
            flag("f-8", "d-1", r#"{"start":"2026-01-01","end":"2026-02-30"}"#),
        ),
        ("an unknown group", of("A+", "Q+", &group)),
        (
            "a group in words",
            of(
                r#""coding":[{"system":"urn:infoblood:blood-group","code":"A+"}]"#,
                r#""text":"A+""#,
                &group,
            ),
        ),
        ("a status that is none", of("final", "perhaps", &group)),
        (
            "a donation of nobody",
            of("Patient/d-9", "Nobody/d-9", &donation),
        ),
        (
            "a donation at 25 o'clock",
            of("2026-03-01", "2026-03-01T25:00:00Z", &donation),
        ),
        (
            "a transfusion of nothing",
            of(
                "BiologicallyDerivedProduct/c",
                "Device/c",
                &transfusion("t-9", "r-9", "c"),
            ),
        ),
        (
            "a component from itself",
            super::lines::component("c-9", &["c-9"]),
        ),
        (
            "a parent elsewhere",
            component_of(
                r#""parent":[]"#,
                r#""parent":[{"reference":"https://example.org/BiologicallyDerivedProduct/c"}]"#,
            ),
        ),
        ("a number that is none", component_of(DIN, "nothing")),
        (
            "a number with a wrong check",
            component_of(DIN, &format!("{DIN}A")),
        ),
        (
            "two numbers",
            with(
                &component,
                r#""biologicalSourceEvent":{"system":"urn:infoblood:id:din","value":"KZ00126000002"}"#,
            ),
        ),
        (
            "no product",
            component_of(
                r#""coding":[{"system":"urn:infoblood:product","code":"ffp"}]"#,
                "",
            ),
        ),
        ("an unknown group on the label", component_of("A+", "Q+")),
        (
            "an expiry on 31 June",
            component_of("2099-01-01", "2099-06-31"),
        ),
    ]
}

#[tokio::test]
async fn what_is_refused_names_the_line_and_nothing_of_it_is_stored_or_shown() {
    let central = Central::start().await;
    let good = donor("d-1", super::lines::IIN);
    let narrative = |size: usize| {
        let text = format!(
            r#""text":{{"status":"generated","div":"<div>{}</div>"}}"#,
            "x".repeat(size)
        );
        with(&named("d-9", "Қасымова"), &text)
    };
    let born = |day: &str| named("d-9", "Қасымова").replace("1985-07-15", day);
    let broken = broken();
    let others = [
        (
            "a narrative of 10 MB",
            narrative(10 << 20),
            "fhir-too-large",
        ),
        ("just too large", narrative(256 << 10), "fhir-too-large"),
        (
            "an unknown type",
            r#"{"resourceType":"Spaceship","id":"x"}"#.into(),
            "fhir-unknown-type",
        ),
        ("born in 9999", born("9999-12-31"), "birth-in-future"),
        ("not born yet", born("2199-01-01"), "birth-in-future"),
    ];
    let broken_ones = broken
        .iter()
        .map(|(what, line)| (*what, line.clone(), "fhir-broken"));
    for (what, line, expected) in broken_ones.chain(others) {
        let refused = import(&central, &[good.clone(), line]).await.unwrap_err();
        let ImportError::Line {
            line, code, detail, ..
        } = refused
        else {
            panic!("{what}: {refused}");
        };
        assert_eq!((line, code), (2, expected), "{what}: {detail}");
        assert!(
            !detail.contains("асымова") && detail.len() < 120,
            "{what}: {detail}"
        );
        assert_eq!(head(&central).await, 0, "{what}");
    }

    // A server that passes all of it on: what can be read is applied, what cannot is counted, and a deferral bars even so.
    import(&central, &[good]).await.unwrap();
    let count = broken.len() as u64;
    let hostile: Vec<String> = broken
        .into_iter()
        .map(|(_, line)| {
            format!("{{\"cursor\":\"0000000000000001\",\"op\":\"put\",\"resource\":{line}}}\n")
        })
        .collect();
    let hostile = hostile.concat();
    central.fault(
        "/v1/changes",
        Fault::Change(Arc::new(move |bytes| [hostile.as_bytes(), &bytes].concat())),
    );
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    let refreshed = open.refresh().await.unwrap();
    // Both streams.
    let deferrals = 2;
    assert_eq!(
        (refreshed.skipped, refreshed.applied),
        (2 * (count - deferrals), 2 * deferrals + 1)
    );
    open.choose_purpose(Purpose::Treatment).await.unwrap();
    let gate = open.gate();
    let found = open.search(gate, "", None, 50).await.unwrap();
    assert_eq!(found.total, 1);
    assert_eq!(found.rows[0].deferral, DeferralState::Permanent);
    let barred = open.card(gate, "d-1").await.unwrap().facts;
    assert_eq!((barred.deferrals.len(), barred.not_understood), (2, 2));
    assert!(barred.next_dates.iter().all(|next| next.date.is_none()));
    assert_eq!(open.recipients(gate, "", None, 50).await.unwrap().total, 0);
    let stock = open.inventory(gate, Filter::All).await.unwrap().inventory;
    assert_eq!(stock.not_understood, 0);
    assert!(stock.products.iter().all(|product| product.total == 0));
    assert_eq!(
        open.donation(gate, DIN).await.unwrap_err().code(),
        "donation-unknown"
    );
    open.lock().await.unwrap();
}
