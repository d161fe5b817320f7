//! Entries and enrolments: what is refused, and what happens once however often it is sent.

use super::concise;
use crate::common::{T0, Workstation, World, problem};
use infoblood_agreement::cbor::Limits;
use infoblood_agreement::keys::{PublicKey, SigningKey};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::receipt;
use infoblood_agreement::statement::{self, Decision};
use infoblood_server::service::administration;
use serde_json::Value;

#[tokio::test]
async fn entries_are_refused() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.person("a", "A").await;
    let acceptance = person.decide(Decision::Accepted, T0);
    assert_eq!(
        concise(world.entry(acceptance).await).await,
        (403, "key-unknown".to_owned())
    );

    let mut person = world.accepted("b", "A").await;
    let good = person.decide(Decision::Accepted, T0 + 1);
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(concise(world.entry(bad).await).await.0, 400);
    for broken in [
        b"".to_vec(),
        b"\xd2\x84".to_vec(),
        [&good[..], b"\x00"].concat(),
        // An indefinite length, a doubled key, too deep.
        b"\xd2\x9f\x40\xa0\x40\x40\xff".to_vec(),
        b"\xd2\x84\x40\xa2\x01\x00\x01\x00\x40\x40".to_vec(),
        b"\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x00".to_vec(),
    ] {
        assert_eq!(concise(world.entry(broken).await).await.0, 400);
    }
    let unknown = statement::Acceptance {
        document_sha256: [9; 32],
        ..person.contents(Decision::Accepted)
    };
    let unknown = statement::sign_acceptance(&unknown, &person.person_id, T0, &person.person);
    assert_eq!(
        concise(world.entry(unknown).await).await,
        (403, "document-unknown".to_owned())
    );
    let elsewhere = statement::Acceptance {
        site: "B".to_owned(),
        ..person.contents(Decision::Accepted)
    };
    let elsewhere = statement::sign_acceptance(&elsewhere, &person.person_id, T0, &person.person);
    assert_eq!(
        concise(world.entry(elsewhere).await).await,
        (400, "statement-site".to_owned())
    );
    let enrolment = world.person("c", "A").await.enrolment();
    assert_eq!(
        concise(world.entry(enrolment).await).await,
        (400, "statement-kind".to_owned())
    );

    let response = world
        .http
        .post(world.url("/entries"))
        .body(good.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(concise(response).await, (415, "media-type".to_owned()));
    assert_eq!(
        concise(world.entry(vec![0; 64 * 1024 + 1]).await).await,
        (413, "too-large".to_owned())
    );
    assert_eq!(
        concise(world.entry(vec![0; 3 * 1024 * 1024]).await).await.0,
        413
    );
    assert_eq!(
        concise(world.entry(vec![0; 64 * 1024]).await).await.0,
        400,
        "64 KiB are read"
    );
    assert_eq!(
        concise(
            world
                .get(&format!("/entries/{}", "0".repeat(64)), None)
                .await
        )
        .await
        .0,
        404
    );
    assert_eq!(concise(world.get("/entries/xyz", None).await).await.0, 404);
    assert_eq!(
        world.entry(good).await.status(),
        201,
        "nothing of this changed the store"
    );
}

#[tokio::test]
async fn enrolments_are_refused() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.person("a", "A").await;
    let enrolment = person.enrolment();
    let mut bad = enrolment.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(problem(world.enrol(&bad).await).await.0, 400);
    assert_eq!(problem(world.enrol(b"nonsense").await).await.0, 400);
    let refused = async |workstation: &Workstation| {
        let (status, code, _) = problem(world.enrol(&workstation.enrolment()).await).await;
        (status, code)
    };

    let mut wrong = world.person("wrong", "A").await;
    wrong.code = SigningKey::from_bytes(&[42; 32]);
    assert_eq!(refused(&wrong).await, (403, "code-wrong".to_owned()));
    wrong.code = person.code.clone();
    assert_eq!(
        refused(&wrong).await,
        (403, "code-wrong".to_owned()),
        "another person's code"
    );
    let mut moved = world.person("moved", "A").await;
    moved.site = "B".to_owned();
    assert_eq!(refused(&moved).await, (403, "site-wrong".to_owned()));

    assert_eq!(world.enrol(&enrolment).await.status(), 201);
    let mut second = world.person("second", "A").await;
    (second.person_id, second.code) = (person.person_id.clone(), person.code.clone());
    assert_eq!(refused(&second).await, (409, "code-used".to_owned()));

    let late = world.person("late", "A").await;
    world.clock.advance((14 + 30) * 86_400);
    assert_eq!(refused(&late).await, (410, "code-expired".to_owned()));
    let issued = administration::new_code(&world.context, "late")
        .await
        .unwrap();
    let late = Workstation {
        code: issued.code.signing_key(),
        ..late
    };
    assert_eq!(world.enrol(&late.enrolment()).await.status(), 201);
}

#[tokio::test]
async fn of_many_enrolments_with_one_code_one_wins() {
    let world = World::new(DeviceApproval::Auto).await;
    let winner = world.person("a", "A").await;
    let mut statements = Vec::new();
    for n in 0..8 {
        let mut rival = world.person(&format!("rival{n}"), "A").await;
        (rival.person_id, rival.code) = (winner.person_id.clone(), winner.code.clone());
        statements.push(rival.enrolment());
    }
    // Each is sent twice at once, too.
    let requests = statements
        .iter()
        .chain(&statements)
        .map(|statement| world.enrol(statement));
    let mut statuses: Vec<_> = futures::future::join_all(requests)
        .await
        .iter()
        .map(|r| r.status().as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses[..2], [200, 201]);
    assert!(
        statuses[2..].iter().all(|status| *status == 409),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn statements_sent_at_once_are_one_leaf_each() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let statements: Vec<_> = (0..40)
        .map(|n| person.decide(Decision::Accepted, T0 + n))
        .collect();
    let size = async || {
        let answer = world.get("/v1/log/checkpoint", None).await;
        answer.json::<Value>().await.unwrap()["tree_size"]
            .as_u64()
            .unwrap()
    };
    let before = size().await;
    let requests = statements
        .iter()
        .chain(&statements)
        .map(|statement| world.entry(statement.clone()));
    let mut receipts = Vec::new();
    for response in futures::future::join_all(requests).await {
        assert_eq!(response.status(), 201);
        receipts.push(response.bytes().await.unwrap());
    }
    assert_eq!(receipts[..40], receipts[40..], "one statement, one receipt");
    assert_eq!(size().await, before + 40);

    let key = PublicKey::of(&world.context.keys.log);
    let mut places = Vec::new();
    for (statement, receipt) in statements.iter().zip(&receipts) {
        let leaf = statement::leaf_hash(statement, &Limits::DEFAULT).unwrap();
        let sub = statement::terms_urn(1);
        let verified = receipt::verify(receipt, &leaf, &sub, &key, &Limits::DEFAULT).unwrap();
        places.push(verified.leaf_index());
    }
    places.sort_unstable();
    assert!(places.iter().copied().eq(before..before + 40));
}

/// Whatever is asked for at the log's addresses, errors have the log's form.
#[tokio::test]
async fn what_is_no_entry_is_said_in_the_form_of_the_log() {
    let world = World::new(DeviceApproval::Auto).await;
    let unknown = |code: &str| (404, code.to_owned());
    for path in ["/entries/%FF", "/entries/00", "/entries/%00"] {
        assert_eq!(
            concise(world.get(path, None).await).await,
            unknown("entry-unknown")
        );
    }
    for path in [
        "/.well-known/scitt-keys/%FF",
        "/.well-known/scitt-keys/AAAA",
    ] {
        assert_eq!(
            concise(world.get(path, None).await).await,
            unknown("key-unknown")
        );
    }
    assert_eq!(
        concise(world.get("/entries/", None).await).await,
        unknown("not-found")
    );
    let not_allowed = concise(world.get("/entries", None).await).await;
    assert_eq!(not_allowed, (405, "method-not-allowed".to_owned()));
}
