//! The ways that matter, over PostgreSQL.

use std::sync::Arc;

use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::Decision;
use infoblood_server::Place;
use infoblood_server::service::{administration, load};
use infoblood_server::storage::postgres::PostgresDatabase;
use infoblood_server::storage::{AuditStorage, Database, LogStorage};
use serde_json::json;

use crate::cluster::Cluster;
use crate::common::{T0, World, problem};
use crate::{audit, courier, whole_way};

async fn world(cluster: &Cluster, name: &str) -> World<PostgresDatabase> {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::with_database_url(dir.path(), &cluster.database(name)).unwrap();
    World::at(dir, place, DeviceApproval::Auto).await
}

#[tokio::test]
async fn network_courier_and_revocation() {
    let cluster = Cluster::start();
    whole_way(&world(&cluster, "network").await).await;
    courier::way::first_enrolment(&world(&cluster, "courier").await).await;

    audit::refused_for_good(&world(&cluster, "audit").await).await;

    let world = world(&cluster, "rights").await;
    load::seed(&world.context, 40, 7, None).await.unwrap();
    let mut person = world.accepted("aigerim.s", "A").await;
    let token = world.token(&person).await;
    let page = world.get("/v1/changes?stream=all", Some(&token)).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.lines().count() > 40 && page.contains(r#""end":true"#));

    let event = world.sealed_line(&person.audit_event());
    assert_eq!(
        world.audit(std::slice::from_ref(&event)).await[0]["status"],
        "stored"
    );
    assert_eq!(world.audit(&[event]).await[0]["status"], "duplicate");
    let mut tx = world.context.database.read().await.unwrap();
    let last = tx.last_audit_sequence(&person.device_id()).await.unwrap();
    assert_eq!(last, 1);
    drop(tx);

    // What others have used already.
    let mut taken = world.person("other", "A").await;
    taken.code = person.code.clone();
    assert!(
        world
            .enrol(&taken.enrolment())
            .await
            .status()
            .is_client_error()
    );
    let again = administration::add_person(
        &world.context,
        "aigerim.s",
        "A",
        "Айгерім",
        infoblood_agreement::grant::Role::Clinician,
    );
    assert_eq!(again.await.err().map(|problem| problem.status), Some(409));

    administration::revoke_person(&world.context, "aigerim.s")
        .await
        .unwrap();
    let digest = infoblood_agreement::document::Document::builtin().digest_hex();
    let wanted = json!({ "document_sha256": digest });
    let (status, code, _) = problem(world.post("/v1/grants", Some(&token), &wanted).await).await;
    assert_eq!((status, code.as_str()), (403, "person-revoked"));

    let log = cluster.log();
    assert!(!log.contains("ERROR"), "{log}");
    for personal in ["aigerim", "Айгерім", "Patient"] {
        assert!(!log.contains(personal), "{log}");
    }
}

/// Many people at once: every statement gets one place in the log, and the log has no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_register_once_each() {
    let cluster = Cluster::start();
    let world = Arc::new(world(&cluster, "many").await);
    let before = size(&world).await;
    let people: Vec<_> = (0..12)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut person = world.person(&format!("person-{n}"), "A").await;
                assert_eq!(world.enrol(&person.enrolment()).await.status(), 201);
                let acceptance = person.decide(Decision::Accepted, T0);
                // Doubled on the way.
                let (one, two) =
                    tokio::join!(world.entry(acceptance.clone()), world.entry(acceptance));
                assert_eq!(
                    (one.status(), two.status()),
                    (201.try_into().unwrap(), 201.try_into().unwrap())
                );
                assert_eq!(one.bytes().await.unwrap(), two.bytes().await.unwrap());
            })
        })
        .collect();
    for person in people {
        person.await.unwrap();
    }
    // Each person is four entries: added, given a code, enrolled, accepted.
    assert_eq!(size(&world).await, before + 48);
    assert!(!cluster.log().contains("ERROR"));
}

#[tokio::test]
async fn a_database_that_goes_away_is_503_and_comes_to_no_harm() {
    let mut cluster = Cluster::start();
    let world = world(&cluster, "gone").await;
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    cluster.stop();
    let (status, code, _) = problem(world.get("/v1/changes?stream=all", Some(&token)).await).await;
    assert_eq!((status, code.as_str()), (503, "storage-unavailable"));
    assert_eq!(world.get("/readyz", None).await.status(), 503);
    assert_eq!(world.get("/healthz", None).await.status(), 200);
    cluster.start_again();
    let page = world.get("/v1/changes?stream=all", Some(&token)).await;
    assert_eq!(page.status(), 200);
}

async fn size(world: &World<PostgresDatabase>) -> u64 {
    let mut tx = world.context.database.read().await.unwrap();
    tx.tree_size().await.unwrap()
}
