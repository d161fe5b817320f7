//! What the server says of itself: FHIR's statement, counts, and the description of this interface.

use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::Decision;
use reqwest::Response;
use serde_json::Value;

use crate::common::{T0, World};

/// Status and code of an `OperationOutcome`.
async fn outcome(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/fhir+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["resourceType"], "OperationOutcome");
    let issue = &body["issue"][0];
    assert_eq!(issue["severity"], "error");
    assert!(!issue["diagnostics"].as_str().unwrap().is_empty());
    let coding = &issue["details"]["coding"][0];
    assert_eq!(coding["system"], "urn:infoblood:error");
    (status, coding["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn fhir_says_what_it_has_and_keeps_the_rules_of_patient_data() {
    let world = World::new(DeviceApproval::Auto).await;
    let response = world.get("/fhir/metadata", None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/fhir+json");
    let statement: Value = response.json().await.unwrap();
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert_eq!(statement["fhirVersion"], "5.0.0");
    assert_eq!(statement["kind"], "instance");
    assert!(statement["rest"][0].get("resource").is_none());

    let posted = world.post("/fhir/metadata", None, &Value::Null).await;
    assert_eq!(
        outcome(posted).await,
        (405, "method-not-allowed".to_owned())
    );
    for path in ["/fhir", "/fhir/"] {
        let refused = outcome(world.get(path, None).await).await;
        assert_eq!(refused, (401, "session-required".to_owned()), "{path}");
    }
    let response = world.get("/fhir/Patient/a", None).await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(
        outcome(response).await,
        (401, "session-required".to_owned())
    );
    let mut person = world.person("a", "A").await;
    assert_eq!(world.enrol(&person.enrolment()).await.status(), 201);
    let token = world.token(&person).await;
    for path in ["/fhir/Patient/a", "/fhir/Patient?name=a"] {
        let refused = outcome(world.get(path, Some(&token)).await).await;
        assert_eq!(refused, (403, "agreement-required".to_owned()));
    }
    let acceptance = person.decide(Decision::Accepted, T0);
    assert_eq!(world.entry(acceptance).await.status(), 201);
    assert_eq!(
        outcome(world.get("/fhir/Patient/a", Some(&token)).await).await,
        (404, "not-found".to_owned())
    );
}

#[tokio::test]
async fn counts_name_routes_and_nobody() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.person("aidana", "A").await;
    assert_eq!(world.enrol(&person.enrolment()).await.status(), 201);
    let acceptance = person.decide(Decision::Accepted, T0);
    let response = world.entry(acceptance).await;
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    for _ in 0..3 {
        world.get(&location, None).await;
    }
    world.get("/donors/850101300123?name=aidana", None).await;

    let response = world.get("/metrics", None).await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = response.text().await.unwrap();
    let count = |labels: &str| {
        let name = format!("infoblood_http_requests_total{{{labels}}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.and_then(|value| value.parse::<u64>().ok())
    };
    let get = "path=\"/entries/{id}\",method=\"GET\",status=\"200\"";
    assert_eq!(count(get), Some(3), "{text}");
    assert_eq!(
        count("path=\"/entries\",method=\"POST\",status=\"201\""),
        Some(1)
    );
    assert_eq!(
        count("path=\"none\",method=\"GET\",status=\"404\""),
        Some(1)
    );
    assert!(text.contains("\ninfoblood_log_entries "));
    let (_, id) = location.rsplit_once('/').unwrap();
    for private in [id, "aidana", "850101", &person.person_id, "127.0.0.1"] {
        assert!(!text.contains(private), "{private}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("infoblood_"), "{line}");
        value.parse::<f64>().unwrap();
    }
}

#[tokio::test]
async fn the_description_is_of_what_answers() {
    let world = World::new(DeviceApproval::Auto).await;
    let response = world.get("/openapi.json", None).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let document: Value = response.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths.iter().filter(|(path, _)| !path.contains('{')) {
        let status = world.get(path, None).await.status().as_u16();
        // A path that is only posted to says so.
        let is_read = methods.get("get").is_some();
        assert_eq!(status == 405, !is_read, "{path}");
        let described = &methods["get"]["responses"];
        assert!(
            !is_read || described.get(status.to_string()).is_some(),
            "{path}: {status}"
        );
    }
}
