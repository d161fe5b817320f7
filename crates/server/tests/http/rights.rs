//! Who may do what: revoked, not yet approved, no longer accepting.

use super::concise;
use crate::common::{T0, Workstation, World, problem};
use infoblood_agreement::document::Document;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::Decision;
use infoblood_server::service::administration;
use serde_json::json;

#[tokio::test]
async fn revocation_comes_before_everything_but_the_session() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let mut other = world.accepted("b", "A").await;
    let token = world.token(&person).await;
    let others = world.token(&other).await;
    let wanted = json!({ "document_sha256": "00".repeat(32) });

    administration::revoke_person(&world.context, "a")
        .await
        .unwrap();
    administration::revoke_device(&world.context, &other.device_id())
        .await
        .unwrap();
    for (token, revoked) in [(&token, "person-revoked"), (&others, "device-revoked")] {
        for response in [
            world
                .get("/v1/changes?stream=all&after=zz", Some(token))
                .await,
            world.post("/v1/grants", Some(token), &wanted).await,
        ] {
            let (status, code, _) = problem(response).await;
            assert_eq!((status, code.as_str()), (403, revoked));
        }
    }
    let answer = person.answer(world.challenge().await, [1; 16]);
    assert_eq!(
        problem(world.post("/v1/sessions", None, &answer).await)
            .await
            .1,
        "person-revoked"
    );
    let late = person.decide(Decision::Accepted, T0 + 5);
    assert_eq!(
        concise(world.entry(late).await).await,
        (403, "person-revoked".to_owned())
    );
    let late = other.decide(Decision::Accepted, T0 + 5);
    assert_eq!(
        concise(world.entry(late).await).await,
        (403, "device-revoked".to_owned())
    );
    let refusal = other.refuse_as_device();
    assert_eq!(
        concise(world.entry(refusal).await).await,
        (403, "device-revoked".to_owned())
    );
    // The rest work on.
    let third = world.accepted("c", "A").await;
    assert_eq!(
        world
            .get("/v1/changes?stream=all", Some(&world.token(&third).await))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn a_device_waits_for_approval() {
    let world = World::new(DeviceApproval::Manual).await;
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let wanted = json!({ "document_sha256": Document::builtin().digest_hex() });
    assert_eq!(
        problem(world.post("/v1/grants", Some(&token), &wanted).await)
            .await
            .1,
        "device-pending"
    );
    assert_eq!(
        problem(world.get("/v1/changes?stream=all", Some(&token)).await)
            .await
            .1,
        "device-pending"
    );
    administration::approve_device(&world.context, &person.device_id())
        .await
        .unwrap();
    assert_eq!(
        world
            .post("/v1/grants", Some(&token), &wanted)
            .await
            .status(),
        201
    );
    let other = json!({ "document_sha256": "11".repeat(32) });
    assert_eq!(
        problem(world.post("/v1/grants", Some(&token), &other).await)
            .await
            .1,
        "agreement-required"
    );
    let nonsense = json!({ "document_sha256": "zz" });
    assert_eq!(
        problem(world.post("/v1/grants", Some(&token), &nonsense).await)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn the_latest_decision_counts() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let statuses = async |decision, at, person: &mut Workstation| {
        assert_eq!(world.entry(person.decide(decision, at)).await.status(), 201);
        world
            .get("/v1/changes?stream=all", Some(&token))
            .await
            .status()
            .as_u16()
    };
    world.clock.advance(100);
    assert_eq!(
        statuses(Decision::Declined, T0 + 10, &mut person).await,
        403
    );
    assert_eq!(
        statuses(Decision::Accepted, T0 + 20, &mut person).await,
        200
    );
    // A refusal made before, arriving late, does not count; a device's own refusal binds no person.
    assert_eq!(
        statuses(Decision::Declined, T0 + 15, &mut person).await,
        200
    );
    assert_eq!(world.entry(person.refuse_as_device()).await.status(), 201);
    assert_eq!(
        world
            .get("/v1/changes?stream=all", Some(&token))
            .await
            .status(),
        200
    );
}
