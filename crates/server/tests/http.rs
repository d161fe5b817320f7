//! The HTTP interface, over real sockets, as a workstation and as a stranger uses it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod agreements;
mod common;
mod courier;
mod relay;

use common::{ISSUER, T0, World, ndjson, problem, unbase64};
use infoblood_agreement::cbor::{self, Limits, Value as Cbor};
use infoblood_agreement::document::{self, Document};
use infoblood_agreement::grant::{Expected, VerifiedGrant};
use infoblood_agreement::key_set::KeySet;
use infoblood_agreement::keys::{CoseKeySet, PublicKey, SigningKey};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::session::SignedTime;
use infoblood_agreement::statement::{self, Decision};
use infoblood_agreement::{receipt, transparent};
use infoblood_server::service::{administration, load};
use infoblood_server::storage::{AuditStorage, Database, FeedStorage, GapKind, Transaction};
use reqwest::Response;
use serde_json::{Value, json};

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
    let world = World::new(DeviceApproval::Auto).await;
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
    let refused = async |workstation: &common::Workstation| {
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
    let late = common::Workstation {
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

#[tokio::test]
async fn an_event_that_does_not_continue_the_chain_is_seen() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let first = world.sealed_line(&person.audit_event());
    person.audit_previous = Some([9; 32]);
    let second = world.sealed_line(&person.audit_event());
    let answers = world.audit(&[first, second]).await;
    assert_eq!(
        (&answers[0]["status"], &answers[0]["code"]),
        (&json!("stored"), &Value::Null)
    );
    assert_eq!(
        (&answers[1]["status"], &answers[1]["code"]),
        (&json!("stored"), &json!("audit-broken"))
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
    let statuses = async |decision, at, person: &mut common::Workstation| {
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

#[tokio::test]
async fn changes_come_in_pages_within_the_scope() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 40, 7, None).await.unwrap();
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let page = async |query: &str| {
        let response = world
            .get(&format!("/v1/changes?{query}"), Some(&token))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let mut lines = ndjson(&response.text().await.unwrap());
        let end = lines.pop().unwrap();
        assert_eq!(end["end"], true);
        (lines, end)
    };

    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (lines, end) = page(&format!("stream=all&limit=25&after={cursor}")).await;
        assert!(lines.len() <= 25);
        for line in &lines {
            let next = line["cursor"].as_str().unwrap();
            assert!(next > cursor.as_str(), "cursors are ordered");
            cursor = next.to_owned();
        }
        all.extend(lines);
        cursor = end["cursor"].as_str().unwrap().to_owned();
        if end["more"] == false {
            break;
        }
    }
    assert!(
        all.iter()
            .any(|line| line["resource"]["resourceType"] == "Patient")
    );
    let sites: Vec<_> = all
        .iter()
        .map(|line| &line["resource"]["meta"]["tag"][0]["code"])
        .collect();
    assert!(
        sites.iter().all(|site| **site == "A"),
        "only the device's site"
    );
    let (nothing, _) = page(&format!("stream=all&after={cursor}")).await;
    assert_eq!(nothing, Vec::<Value>::new());

    let (safety, _) = page("stream=safety").await;
    assert!(
        !safety.is_empty()
            && safety
                .iter()
                .all(|line| line["resource"]["resourceType"] == "Flag")
    );
    assert!(
        safety
            .iter()
            .any(|line| line["resource"]["meta"]["tag"][0]["code"] == "B"),
        "deferrals are national"
    );

    let mut tx = world.context.database.write().await.unwrap();
    let id = all[3]["resource"]["id"].as_str().unwrap();
    let kind = all[3]["resource"]["resourceType"].as_str().unwrap();
    assert!(tx.delete_resource(kind, id).await.unwrap());
    tx.commit().await.unwrap();
    let (deleted, _) = page(&format!("stream=all&after={cursor}")).await;
    assert_eq!(
        (&deleted[0]["op"], &deleted[0]["type"], &deleted[0]["id"]),
        (&json!("delete"), &json!(kind), &json!(id))
    );

    for (query, code) in [
        ("stream=none", "stream-unknown"),
        ("after=", "stream-unknown"),
        ("stream=all&after=nonsense", "cursor-malformed"),
        ("stream=all&limit=0", "limit-malformed"),
        ("stream=all&limit=x", "limit-malformed"),
    ] {
        let (status, found, _) = problem(
            world
                .get(&format!("/v1/changes?{query}"), Some(&token))
                .await,
        )
        .await;
        assert_eq!((status, found.as_str()), (400, code), "{query}");
    }
    let ahead = "stream=all&after=00000000ffffffff";
    let (status, code, _) = problem(
        world
            .get(&format!("/v1/changes?{ahead}"), Some(&token))
            .await,
    )
    .await;
    assert_eq!((status, code.as_str()), (410, "cursor-expired"));
    let mut tx = world.context.database.write().await.unwrap();
    tx.raise_floor(20).await.unwrap();
    tx.commit().await.unwrap();
    let old = "stream=all&after=0000000000000003";
    let (status, code, _) =
        problem(world.get(&format!("/v1/changes?{old}"), Some(&token)).await).await;
    assert_eq!((status, code.as_str()), (410, "cursor-expired"));
}

#[tokio::test]
async fn changes_are_compressed_on_request() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 5, 7, Some("A")).await.unwrap();
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let plain = reqwest::Client::builder().no_zstd().build().unwrap();
    let request = plain
        .get(world.url("/v1/changes?stream=all"))
        .bearer_auth(&token);
    let response = request
        .try_clone()
        .unwrap()
        .header("accept-encoding", "zstd")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-encoding"], "zstd");
    assert_eq!(
        response.bytes().await.unwrap()[..4],
        [0x28, 0xb5, 0x2f, 0xfd]
    );
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn seeding_is_reproducible() {
    let texts = async || {
        let world = World::new(DeviceApproval::Auto).await;
        load::seed(&world.context, 30, 99, Some("A")).await.unwrap();
        let person = world.accepted("a", "A").await;
        let token = world.token(&person).await;
        world
            .get("/v1/changes?stream=all", Some(&token))
            .await
            .text()
            .await
            .unwrap()
    };
    assert_eq!(texts().await, texts().await);
}

#[tokio::test]
async fn audit_events_are_stored_once_and_gaps_are_seen() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let device = person.device_id();
    let events: Vec<_> = (0..5).map(|_| person.audit_event()).collect();
    let line = |n: usize| world.sealed_line(&events[n]);
    let verdicts = async |lines: &[String]| {
        let answers = world.audit(lines).await;
        answers
            .iter()
            .map(|a| {
                (
                    a["status"].as_str().unwrap().to_owned(),
                    a["code"].as_str().unwrap_or("").to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let is = |status: &str, code: &str| (status.to_owned(), code.to_owned());

    assert_eq!(
        verdicts(&[line(0), line(0)]).await,
        [is("stored", ""), is("duplicate", "")]
    );
    assert_eq!(verdicts(&[line(4)]).await, [is("stored", "audit-gap")]);
    let gaps = async || {
        world
            .context
            .database
            .read()
            .await
            .unwrap()
            .audit_gaps(&device)
            .await
            .unwrap()
    };
    let gap = gaps().await.remove(0);
    assert_eq!(
        (gap.kind, gap.first, gap.last, gap.closed_at),
        (GapKind::Missing, 2, 4, None)
    );
    let stored = is("stored", "");
    assert_eq!(
        verdicts(&[line(3), line(1), line(2)]).await,
        [stored.clone(), stored.clone(), stored]
    );
    assert_eq!(gaps().await.remove(0).closed_at, Some(T0));

    // The chain from an older copy of the workstation: the same place again.
    (person.audit_sequence, person.audit_previous) = (4, Some([9; 32]));
    let fork = world.sealed_line(&person.audit_event());
    assert_eq!(verdicts(&[fork]).await, [is("stored", "audit-fork")]);

    let mut stranger = world.person("stranger", "A").await;
    let unknown = world.sealed_line(&stranger.audit_event());
    let other_id = line(1).replacen("\"id\":\"", "\"id\":\"00", 1);
    let garbage = json!({ "id": "00", "sealed": "AAAA" }).to_string();
    let answers = verdicts(&[unknown, "nonsense".to_owned(), other_id, garbage]).await;
    assert!(
        answers
            .iter()
            .all(|(status, code)| status == "rejected" && !code.is_empty()),
        "{answers:?}"
    );
    assert_eq!(answers[0].1, "device-unknown");
}

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
