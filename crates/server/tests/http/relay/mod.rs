//! What a phone carries: the page, its question, the server's answer in frames.

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::document::Document;
use infoblood_agreement::grant::{Expected, VerifiedGrant};
use infoblood_agreement::keys::SigningKey;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::relay::{Answer, Collector, Question};
use infoblood_agreement::statement::{self, Decision};
use infoblood_server::service::administration;
use reqwest::Response;
use serde_json::Value;

use crate::common::{T0, Workstation, World, problem};

impl World {
    async fn relay(&self, kind: &str, body: impl Into<reqwest::Body>) -> Response {
        self.http
            .post(self.url("/v1/relay"))
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// Asks as the page does, and puts the frames together.
    async fn ask(&self, question: &Question) -> Answer {
        let url = question.url("");
        let text = url.strip_prefix("/relay#").unwrap().to_owned();
        let response = self.relay("text/plain", text).await;
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        let frames = body["frames"].as_array().unwrap();
        let pictures = body["svg"].as_array().unwrap();
        assert_eq!(frames.len(), pictures.len());
        let mut collector = Collector::default();
        for (frame, picture) in frames.iter().zip(pictures) {
            collector.take(frame.as_str().unwrap()).unwrap();
            let picture = picture.as_str().unwrap();
            assert!(picture.contains("<svg") && !picture.contains("script"));
        }
        let answer = Answer::decode(&collector.answer().unwrap()).unwrap();
        assert_eq!(body["refusal"].as_str(), answer.refusal.as_deref());
        answer
    }

    async fn log_size(&self) -> u64 {
        let checkpoint: Value = self
            .get("/v1/log/checkpoint", None)
            .await
            .json()
            .await
            .unwrap();
        checkpoint["tree_size"].as_u64().unwrap()
    }
}

fn question(workstation: &mut Workstation) -> Question {
    Question {
        enrolment: workstation.enrolment(),
        acceptance: workstation.decide(Decision::Accepted, T0),
    }
}

fn verify_receipt(world: &World, receipt: Option<&Vec<u8>>, statement: &[u8]) {
    let leaf = statement::leaf_hash(statement, &Limits::DEFAULT).unwrap();
    let sub = statement::peek(statement, &Limits::DEFAULT).unwrap().sub;
    world
        .context
        .key_set
        .verify_receipt(receipt.unwrap(), &leaf, &sub)
        .unwrap();
}

fn grant(world: &World, workstation: &Workstation, question: &Question, answer: &Answer) -> i64 {
    let expected = Expected {
        person_id: &workstation.person_id,
        device_id: &workstation.device_id(),
        document: Document::builtin().digest(),
        leaf: &statement::leaf_hash(&question.acceptance, &Limits::DEFAULT).unwrap(),
    };
    let grant = answer.grant.as_ref().unwrap();
    let grant = VerifiedGrant::verify(grant, &world.context.key_set, &expected).unwrap();
    grant.terms().issued_at
}

#[tokio::test]
async fn a_question_is_registered_once_and_answered_each_time() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut workstation = world.person("a", "A").await;
    let question = question(&mut workstation);
    let before = world.log_size().await;

    let first = world.ask(&question).await;
    assert_eq!(first.person_id, workstation.person_id);
    assert_eq!((first.refusal.as_deref(), &first.key_set), (None, &None));
    verify_receipt(
        &world,
        first.enrolment_receipt.as_ref(),
        &question.enrolment,
    );
    verify_receipt(
        &world,
        first.acceptance_receipt.as_ref(),
        &question.acceptance,
    );
    assert_eq!(grant(&world, &workstation, &question, &first), T0);
    assert_eq!(world.log_size().await, before + 2);

    world.clock.advance(100);
    let body = question.encode();
    let again = world.relay("application/octet-stream", body).await;
    assert_eq!(again.status(), 200);
    let again = world.ask(&question).await;
    assert_eq!(again.enrolment_receipt, first.enrolment_receipt);
    assert_eq!(again.acceptance_receipt, first.acceptance_receipt);
    assert_eq!(grant(&world, &workstation, &question, &again), T0 + 100);
    assert_eq!(world.log_size().await, before + 2);

    // What the network registered meanwhile is no obstacle.
    let mut other = world.person("b", "A").await;
    let question = self::question(&mut other);
    assert_eq!(world.enrol(&question.enrolment).await.status(), 201);
    let answer = world.ask(&question).await;
    assert_eq!(grant(&world, &other, &question, &answer), T0 + 100);
}

#[tokio::test]
async fn what_the_server_refuses_is_told_by_its_code() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut known = world.person("known", "A").await;
    let asked = question(&mut known);
    world.ask(&asked).await;
    let size = world.log_size().await;

    let mut used = world.person("used", "A").await;
    (used.person_id, used.code) = (known.person_id.clone(), known.code.clone());
    let mut wrong = world.person("wrong", "A").await;
    wrong.code = SigningKey::from_bytes(&[42; 32]);
    let mut moved = world.person("moved", "A").await;
    moved.site = "B".to_owned();
    let mut revoked = world.person("revoked", "A").await;
    administration::revoke_person(&world.context, "revoked")
        .await
        .unwrap();
    let acts = world.log_size().await - size;
    for (workstation, code) in [
        (&mut used, "code-used"),
        (&mut wrong, "code-wrong"),
        (&mut moved, "site-wrong"),
        (&mut revoked, "person-revoked"),
    ] {
        let answer = world.ask(&question(workstation)).await;
        let nothing = Answer {
            person_id: workstation.person_id.clone(),
            refusal: Some(code.to_owned()),
            ..Answer::default()
        };
        assert_eq!(answer, nothing);
    }
    assert_eq!(world.log_size().await, size + acts);

    let mut late = world.person("late", "A").await;
    world.clock.advance((14 + 30) * 86_400);
    let answer = world.ask(&question(&mut late)).await;
    assert_eq!(answer.refusal.as_deref(), Some("code-expired"));

    // Registered before, revoked since: the receipts are a matter of record, the grant is not given.
    administration::revoke_device(&world.context, &known.device_id())
        .await
        .unwrap();
    let answer = world.ask(&asked).await;
    assert_eq!(answer.refusal.as_deref(), Some("device-revoked"));
    assert!(answer.acceptance_receipt.is_some() && answer.grant.is_none());
}

#[tokio::test]
async fn a_grant_follows_the_same_rules_as_in_a_session() {
    let world = World::new(DeviceApproval::Manual).await;
    let mut workstation = world.person("a", "A").await;
    let asked = question(&mut workstation);
    let answer = world.ask(&asked).await;
    assert_eq!(answer.refusal.as_deref(), Some("device-pending"));
    assert!(answer.acceptance_receipt.is_some() && answer.grant.is_none());
    administration::approve_device(&world.context, &workstation.device_id())
        .await
        .unwrap();
    let answer = world.ask(&asked).await;
    grant(&world, &workstation, &asked, &answer);

    // Declined later: the older acceptance entitles no more.
    let declined = workstation.decide(Decision::Declined, T0 + 1);
    assert_eq!(world.entry(declined).await.status(), 201);
    let answer = world.ask(&asked).await;
    assert_eq!(answer.refusal.as_deref(), Some("agreement-required"));
    assert_eq!(answer.grant, None);

    // Enrolled anew on the same device: the old keys get nothing more.
    let issued = administration::new_code(&world.context, "a").await.unwrap();
    workstation.code = issued.code.signing_key();
    workstation.person = SigningKey::from_bytes(&[43; 32]);
    let anew = question(&mut workstation);
    let answer = world.ask(&anew).await;
    grant(&world, &workstation, &anew, &answer);
    let answer = world.ask(&asked).await;
    assert_eq!(answer.refusal.as_deref(), Some("key-superseded"));
    assert_eq!(answer.grant, None);
}

#[tokio::test]
async fn malformed_questions_register_nothing() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut workstation = world.person("a", "A").await;
    let mut other = world.person("b", "A").await;
    let good = question(&mut workstation);
    let text = good.url("").split_once('#').unwrap().1.to_owned();
    let before = world.log_size().await;
    let refused = async |kind: &str, body: Vec<u8>| {
        let (status, code, _) = problem(world.relay(kind, body).await).await;
        (status, code)
    };
    for cut in (0..text.len()).step_by(41) {
        let (status, code) = refused("text/plain", text.as_bytes()[..cut].to_vec()).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "relay-malformed"),
            "cut after {cut}"
        );
    }
    // Whichever byte is changed, neither half is registered.
    let bytes = good.encode();
    for at in (0..bytes.len()).step_by(23) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let (status, code) = refused("application/octet-stream", changed).await;
        assert_eq!(status, 400, "{code}: byte {at}");
    }
    let swapped = Question {
        enrolment: good.acceptance.clone(),
        acceptance: good.enrolment.clone(),
    };
    let mixed = Question {
        acceptance: question(&mut other).acceptance,
        ..good.clone()
    };
    let refusal = Question {
        acceptance: workstation.refuse_as_device(),
        ..good.clone()
    };
    for strange in [swapped, mixed, refusal] {
        let (status, _) = refused("application/octet-stream", strange.encode()).await;
        assert_eq!(status, 400);
    }
    let nonsense = refused("text/plain", vec![0xff, 0xfe]).await;
    assert_eq!(nonsense, (400, "relay-malformed".to_owned()));
    let long = refused("text/plain", vec![b'A'; 16 * 1024 + 1]).await;
    assert_eq!(long, (413, "too-large".to_owned()));
    let json = refused("application/json", b"{}".to_vec()).await;
    assert_eq!(json, (415, "media-type".to_owned()));
    assert_eq!(world.log_size().await, before);
    let answer = world.ask(&good).await;
    grant(&world, &workstation, &good, &answer);
}

#[tokio::test]
async fn guessing_codes_through_the_relay_is_as_slow() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut guesser = world.person("a", "A").await;
    guesser.code = SigningKey::from_bytes(&[42; 32]);
    let body = question(&mut guesser).encode();
    for _ in 0..200 {
        let response = world.relay("application/octet-stream", body.clone()).await;
        if response.status() == 429 {
            assert!(response.headers().contains_key("retry-after"));
            assert_eq!(problem(response).await.1, "too-many-requests");
            return;
        }
        assert_eq!(response.status(), 200);
    }
    panic!("never slowed down");
}

#[tokio::test]
async fn the_page_is_of_this_server_alone() {
    let world = World::new(DeviceApproval::Auto).await;
    let page = world.get("/relay", None).await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
    let text = page.text().await.unwrap();
    assert!(text.contains("Жұмыс орнын тіркеу") && text.contains("Регистрация рабочего места"));
    for (path, kind) in [
        ("/relay.js", "text/javascript; charset=utf-8"),
        ("/relay.css", "text/css; charset=utf-8"),
    ] {
        let file = world.get(path, None).await;
        assert_eq!(file.headers()["content-type"], kind);
        let text = file.text().await.unwrap();
        assert!(!text.contains("http:") && !text.contains("https:"));
        assert!(!text.contains("innerHTML"));
    }
}
