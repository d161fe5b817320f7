//! What anybody may read, and what a server in trouble answers.

use super::concise;
use crate::common::{ISSUER, T0, World, problem, unbase64};
use infoblood_agreement::cbor::{self, Limits, Value as Cbor};
use infoblood_agreement::document::{self, Document};
use infoblood_agreement::keys::PublicKey;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::Decision;
use infoblood_server::storage::Database;
use serde_json::Value;

#[tokio::test]
async fn the_document_and_the_checkpoint_are_signed() {
    let world = World::new(DeviceApproval::Auto).await;
    let message = world.get("/v1/agreements/current", None).await;
    assert_eq!(message.headers()["content-type"], "application/cose");
    let key = PublicKey::of(&world.context.keys.document);
    let signed = document::verify(&message.bytes().await.unwrap(), &key, &Limits::DEFAULT).unwrap();
    assert_eq!(signed.meta().digest(), *Document::builtin().digest());
    assert_eq!(signed.issuer(), ISSUER);

    let checkpoint: Value = world
        .get("/v1/log/checkpoint", None)
        .await
        .json()
        .await
        .unwrap();
    // The document and two sites: every act of an administrator is in the log.
    assert_eq!(checkpoint["tree_size"], 3);
    let log_key = PublicKey::of(&world.context.keys.log);
    let message =
        infoblood_agreement::cose::Sign1::parse(&unbase64(&checkpoint["signed"]), &Limits::DEFAULT)
            .unwrap();
    let payload = cbor::decode(message.verify(&log_key).unwrap(), &Limits::DEFAULT).unwrap();
    let Cbor::Map(fields) = payload else {
        panic!("a map")
    };
    assert_eq!(fields[0].1.as_u64(), Some(3));
    assert_eq!(
        hex::encode(fields[1].1.as_bytes().unwrap()),
        checkpoint["root"].as_str().unwrap()
    );
}

#[tokio::test]
async fn health_unknown_paths_and_methods() {
    let world = World::new(DeviceApproval::Auto).await;
    assert_eq!(world.get("/healthz", None).await.status(), 200);
    assert_eq!(world.get("/readyz", None).await.status(), 200);
    assert_eq!(problem(world.get("/nothing", None).await).await.0, 404);
    assert_eq!(problem(world.get("/v1/grants", None).await).await.0, 405);
    let response = world.get("/healthz", None).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_database_that_is_held_elsewhere_is_503() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.person("a", "A").await;
    assert_eq!(world.enrol(&person.enrolment()).await.status(), 201);
    let acceptance = person.decide(Decision::Accepted, T0);
    let held = world.context.database.write().await.unwrap();
    let response = world.entry(acceptance.clone()).await;
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(
        concise(response).await,
        (503, "storage-unavailable".to_owned())
    );
    drop(held);
    assert_eq!(world.entry(acceptance).await.status(), 201);
}
