//! Lines of NDJSON to import, good and bad, and a workstation that has them.

use infoblood_client::{Purpose, UnlockedWorkstation};
use infoblood_server::{
    service::load::{self, ImportError, Loaded},
    storage::{Database as _, FeedStorage as _},
};

use crate::common::{Central, Machine, enrolled};

pub(super) const DIN: &str = "KZ00126000001";
/// Twelve digits with a right check digit.
pub(super) const IIN: &str = "850715400129";

/// Puts lines into one file and imports it.
pub(super) async fn import(central: &Central, lines: &[String]) -> Result<Loaded, ImportError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in.ndjson");
    std::fs::write(&file, lines.join("\n")).unwrap();
    load::import(&central.context, &[file]).await
}

/// The last place in the server's feed.
pub(super) async fn head(central: &Central) -> u64 {
    let mut server = central.context.database.read().await.unwrap();
    server.feed_head().await.unwrap().sequence
}

/// A workstation with these resources in its cache.
pub(super) async fn opened(central: &Central, lines: &[String]) -> (Machine, UnlockedWorkstation) {
    import(central, lines).await.unwrap();
    let machine = Machine::new();
    let (workstation, session) = enrolled(central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    let refreshed = open.refresh().await.unwrap();
    assert_eq!(refreshed.skipped, 0, "what is imported is read");
    open.choose_purpose(Purpose::Treatment).await.unwrap();
    (machine, open)
}

/// A line with another element before its id.
pub(super) fn with(line: &str, element: &str) -> String {
    line.replacen("\"id\"", &format!("{element},\"id\""), 1)
}

/// A line whose meaning something changes that nobody here knows.
pub(super) fn modified(line: &str) -> String {
    with(
        line,
        r#""modifierExtension":[{"url":"urn:unknown","valueBoolean":true}]"#,
    )
}

/// `family` as JSON, quotes included.
pub(super) fn named(id: &str, family: &str) -> String {
    let family = serde_json::to_string(family).unwrap();
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":{family},"given":["Әсел"]}}],"gender":"female","birthDate":"1985-07-15"}}"#
    )
}

pub(super) fn donor(id: &str, iin: &str) -> String {
    let iin = format!(r#""identifier":[{{"system":"urn:infoblood:id:iin","value":"{iin}"}}]"#);
    with(&named(id, "Қасымова"), &iin)
}

pub(super) fn recipient(id: &str) -> String {
    let role = r#""meta":{"tag":[{"system":"urn:infoblood:role","code":"recipient"}]}"#;
    with(&named(id, "Ким"), role)
}

pub(super) fn flag(id: &str, donor: &str, period: &str) -> String {
    format!(
        r#"{{"resourceType":"Flag","id":"{id}","status":"active","code":{{"text":"x"}},"subject":{{"reference":"Patient/{donor}"}},"period":{period}}}"#
    )
}

pub(super) fn group(id: &str, person: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},"subject":{{"reference":"Patient/{person}"}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}}}"#
    )
}

pub(super) fn donation(id: &str, donor: &str, din: &str, day: &str) -> String {
    format!(
        r#"{{"resourceType":"Procedure","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"{din}"}}],"status":"completed","code":{{"coding":[{{"system":"urn:infoblood:donation-kind","code":"whole-blood"}}]}},"subject":{{"reference":"Patient/{donor}"}},"occurrenceDateTime":"{day}"}}"#
    )
}

pub(super) fn transfusion(id: &str, recipient: &str, component: &str) -> String {
    format!(
        r#"{{"resourceType":"Procedure","id":"{id}","status":"completed","code":{{"coding":[{{"system":"urn:infoblood:procedure","code":"transfusion"}}]}},"subject":{{"reference":"Patient/{recipient}"}},"occurrenceDateTime":"2026-03-05","used":[{{"reference":{{"reference":"BiologicallyDerivedProduct/{component}"}}}}]}}"#
    )
}

/// A component of [`DIN`] from `d-1`, available and fresh for years.
pub(super) fn component(id: &str, parents: &[&str]) -> String {
    let parents: Vec<String> = parents
        .iter()
        .map(|id| format!(r#"{{"reference":"BiologicallyDerivedProduct/{id}"}}"#))
        .collect();
    format!(
        r#"{{"resourceType":"BiologicallyDerivedProduct","id":"{id}","identifier":[{{"system":"urn:infoblood:id:din","value":"{DIN}"}}],"productCode":{{"coding":[{{"system":"urn:infoblood:product","code":"ffp"}}]}},"productStatus":{{"system":"urn:infoblood:product-status","code":"available"}},"expirationDate":"2099-01-01","parent":[{}],"collection":{{"source":{{"reference":"Patient/d-1"}}}},"property":[{{"type":{{"coding":[{{"system":"urn:infoblood:property","code":"blood-group"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"A+"}}]}}}}]}}"#,
        parents.join(",")
    )
}
