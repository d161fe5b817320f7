//! Sessions: what they tell, and who gets none.

use crate::common::{T0, World, problem, unbase64};
use infoblood_agreement::key_set::KeySet;
use infoblood_agreement::keys::SigningKey;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::session::SignedTime;
use serde_json::{Value, json};

#[tokio::test]
async fn a_session_tells_time_keys_and_person() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.accepted("a", "A").await;
    let response = world
        .post(
            "/v1/sessions",
            None,
            &person.answer(world.challenge().await, [9; 16]),
        )
        .await;
    assert_eq!(response.status(), 201);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["expires_at"], "2026-11-01T01:00:00Z");
    assert_eq!(body["person"]["id"], person.person_id.as_str());
    assert_eq!(body["person"]["role"], "clinician");
    let key_set = KeySet::verify(&unbase64(&body["key_set"]), &world.context.authority).unwrap();
    let time = SignedTime::verify(&unbase64(&body["signed_time"]), &key_set, &[9; 16]).unwrap();
    assert_eq!(time.time(), T0);
}

#[tokio::test]
async fn sessions_are_refused() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.accepted("a", "A").await;
    let stranger = world.person("b", "A").await;

    for (what, body) in [
        ("login", json!({ "login": "nobody" })),
        ("signature", json!({ "signature": "A".repeat(86) })),
        ("challenge", json!({ "challenge": "A".repeat(43) })),
        ("device", json!({ "device_id": stranger.device_id() })),
    ] {
        let mut answer = person.answer(world.challenge().await, [1; 16]);
        answer
            .as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        let (status, code, _) = problem(world.post("/v1/sessions", None, &answer).await).await;
        assert_eq!((status, code.as_str()), (401, "session-refused"), "{what}");
    }
    let answer = person.answer(world.challenge().await, [1; 16]);
    assert_eq!(
        world.post("/v1/sessions", None, &answer).await.status(),
        201
    );
    assert_eq!(
        world.post("/v1/sessions", None, &answer).await.status(),
        401,
        "a challenge is used once"
    );
    let late = person.answer(world.challenge().await, [1; 16]);
    world.clock.advance(121);
    assert_eq!(
        world.post("/v1/sessions", None, &late).await.status(),
        401,
        "a challenge does not wait"
    );

    let (status, code, _) = problem(
        world
            .post("/v1/sessions", None, &json!({ "login": "a" }))
            .await,
    )
    .await;
    assert_eq!((status, code.as_str()), (400, "session-malformed"));
    let (status, _, _) = problem(world.post("/v1/sessions", None, &json!([1])).await).await;
    assert_eq!(status, 400);
    let (status, code, _) = problem(world.cose("/v1/sessions", b"{}".to_vec()).await).await;
    assert_eq!((status, code.as_str()), (415, "media-type"));

    let paths = [
        "/v1/changes?stream=all",
        "/v1/changes?stream=nonsense&after=zz",
    ];
    for path in paths {
        for token in [None, Some("wrong")] {
            let (status, code, _) = problem(world.get(path, token).await).await;
            assert_eq!((status, code.as_str()), (401, "session-required"));
        }
    }
    let (status, ..) = problem(world.post("/v1/grants", None, &json!("nonsense")).await).await;
    assert_eq!(status, 401);
    let token = world.token(&person).await;
    world.clock.advance(3600);
    assert_eq!(
        world.get(paths[0], Some(&token)).await.status(),
        401,
        "sessions end"
    );
}

#[tokio::test]
async fn guessing_codes_is_slow() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut guesser = world.person("a", "A").await;
    guesser.code = SigningKey::from_bytes(&[42; 32]);
    let guess = guesser.enrolment();
    for _ in 0..200 {
        let response = world.enrol(&guess).await;
        if response.status() == 429 {
            assert!(response.headers().contains_key("retry-after"));
            assert_eq!(problem(response).await.1, "too-many-requests");
            return;
        }
        assert_eq!(response.status(), 403);
    }
    panic!("never slowed down");
}
