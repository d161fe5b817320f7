//! The HTTP interface, over real sockets, as a workstation and as a stranger uses it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod agreements;
mod audit;
mod audit_export;
mod changes;
#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod courier;
mod described;
mod entries;
mod open;
mod postgres;
mod relay;
mod rights;
mod sessions;

use common::{T0, World, problem};
use infoblood_agreement::cbor::{self, Limits};
use infoblood_agreement::document::Document;
use infoblood_agreement::grant::{Expected, VerifiedGrant};
use infoblood_agreement::keys::CoseKeySet;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::{self, Decision};
use infoblood_agreement::{receipt, transparent};
use infoblood_server::storage::Database;
use reqwest::Response;
use serde_json::json;

async fn concise(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "application/concise-problem-details+cbor"
    );
    let body = cbor::decode(&response.bytes().await.unwrap(), &Limits::DEFAULT).unwrap();
    let mut fields = cbor::Fields::new(body).unwrap();
    let title = fields.text(-1).unwrap();
    assert!(!fields.text(-2).unwrap().is_empty());
    fields.end().unwrap();
    (status, title)
}

#[tokio::test]
async fn the_whole_way() {
    whole_way(&World::new(DeviceApproval::Auto).await).await;
}

/// Enrolment, refusal without an acceptance, acceptance, receipt, grant, changes.
async fn whole_way<D: Database>(world: &World<D>) {
    let mut person = world.person("Айгерім.С", "A").await;

    let enrolment = person.enrolment();
    let first = world.enrol(&enrolment).await;
    assert_eq!(first.status(), 201);
    assert_eq!(first.headers()["content-type"], "application/cose");
    let enrolled = first.bytes().await.unwrap();
    let again = world.enrol(&enrolment).await;
    assert_eq!(again.status(), 200);
    assert_eq!(again.bytes().await.unwrap(), enrolled);

    let keys = world.get("/.well-known/scitt-keys", None).await;
    assert_eq!(keys.headers()["content-type"], "application/cbor");
    let keys = CoseKeySet::parse(&keys.bytes().await.unwrap(), &Limits::DEFAULT).unwrap();
    let log_key = keys.keys()[0];
    let kid = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        log_key.kid(),
    );
    assert_eq!(
        world
            .get(&format!("/.well-known/scitt-keys/{kid}"), None)
            .await
            .status(),
        200
    );
    assert_eq!(
        world
            .get("/.well-known/scitt-keys/AAAA", None)
            .await
            .status(),
        404
    );

    let token = world.token(&person).await;
    let digest = Document::builtin().digest_hex();
    let (status, code, body) =
        problem(world.get("/v1/changes?stream=all", Some(&token)).await).await;
    assert_eq!((status, code.as_str()), (403, "agreement-required"));
    assert_eq!(body["document_sha256"], digest.as_str());
    let wanted = json!({ "document_sha256": digest });
    let (status, code, body) = problem(world.post("/v1/grants", Some(&token), &wanted).await).await;
    assert_eq!((status, code.as_str()), (403, "agreement-required"));
    assert_eq!(body["document_sha256"], digest.as_str());

    let acceptance = person.decide(Decision::Accepted, T0);
    let leaf = statement::leaf_hash(&acceptance, &Limits::DEFAULT).unwrap();
    let response = world.entry(acceptance.clone()).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["content-type"], "application/cose");
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("/entries/{}", hex::encode(leaf)));
    let receipt = response.bytes().await.unwrap();
    world.clock.advance(100);
    let again = world.entry(acceptance.clone()).await;
    assert_eq!(again.status(), 201);
    assert_eq!(again.bytes().await.unwrap(), receipt);
    assert_eq!(
        world.get(&location, None).await.bytes().await.unwrap(),
        receipt
    );

    let sub = statement::terms_urn(1);
    let verified = receipt::verify(&receipt, &leaf, &sub, &log_key, &Limits::DEFAULT).unwrap();
    assert_eq!(verified.registered_at(), T0);
    let files = [
        transparent::join(&enrolment, &enrolled, &Limits::DEFAULT).unwrap(),
        transparent::join(&acceptance, &receipt, &Limits::DEFAULT).unwrap(),
    ];
    for summary in
        transparent::verify_files(&files, &keys, Some(Document::builtin()), &Limits::DEFAULT)
    {
        assert_eq!(
            summary.unwrap().person_id.as_deref(),
            Some(person.person_id.as_str())
        );
    }

    let response = world.post("/v1/grants", Some(&token), &wanted).await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["content-type"], "application/cose");
    let device_id = person.device_id();
    let expected = Expected {
        person_id: &person.person_id,
        device_id: &device_id,
        document: Document::builtin().digest(),
        leaf: &leaf,
    };
    let grant = VerifiedGrant::verify(
        &response.bytes().await.unwrap(),
        &world.context.key_set,
        &expected,
    )
    .unwrap();
    assert_eq!(
        (grant.terms().epoch, grant.terms().offline_until),
        (1, T0 + 100 + 30 * 86_400)
    );
    assert_eq!(
        world
            .get("/v1/changes?stream=all", Some(&token))
            .await
            .status(),
        200
    );
}
