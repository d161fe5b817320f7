//! New versions of the agreement: who gets them, and what an acceptance is worth before and after.

use infoblood_agreement::document::{Change, Document, Documents};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::statement::{self, Acceptance, Decision};
use infoblood_server::service::publication::publish;
use infoblood_server::storage::{Database as _, LogStorage as _, Texts};
use serde_json::{Value, json};

use crate::common::{T0, Workstation, World, problem, unbase64};

const DAY: i64 = 24 * 60 * 60;

impl World {
    /// Publishes the newest version with one word changed.
    pub(crate) async fn publish(&self, change: Change, effective_from: i64) -> Document {
        let newest = self.documents(0).await;
        let newest = newest.all().last().unwrap();
        let texts = Texts {
            kk: newest.kk().replacen("құпия", "аса құпия", 1),
            ru: newest
                .ru()
                .replacen("конфиденциальн", "строго конфиденциальн", 1),
            structure: newest.structure_json().to_owned(),
        };
        publish(&self.context, &texts, change, effective_from)
            .await
            .unwrap()
            .document
    }

    /// What a workstation makes of the answer.
    async fn documents(&self, after: u64) -> Documents {
        let mut documents = Documents::new();
        for document in self.answer(after).await {
            documents
                .add(
                    &unbase64(&document["message"]),
                    document["kk"].as_str().unwrap(),
                    document["ru"].as_str().unwrap(),
                    document["structure"].as_str().unwrap(),
                    &self.context.key_set,
                )
                .unwrap();
        }
        documents
    }

    async fn answer(&self, after: u64) -> Vec<Value> {
        let response = self
            .get(&format!("/v1/agreements?after={after}"), None)
            .await;
        assert_eq!(response.status(), 200);
        let answer: Value = response.json().await.unwrap();
        answer["documents"].as_array().unwrap().clone()
    }

    /// Status of a grant and of the change feed.
    async fn may(&self, token: &str, document: &Document) -> (u16, u16) {
        let body = json!({ "document_sha256": document.digest_hex() });
        let grant = self.post("/v1/grants", Some(token), &body).await;
        let feed = self.get("/v1/changes?stream=all", Some(token)).await;
        (grant.status().as_u16(), feed.status().as_u16())
    }
}

pub(crate) fn accept(
    person: &mut Workstation,
    document: &Document,
    decision: Decision,
    at: i64,
) -> Vec<u8> {
    let contents = Acceptance {
        document_sha256: *document.digest(),
        document_version: document.meta().version,
        ..person.contents(decision)
    };
    person.sequence += 1;
    statement::sign_acceptance(&contents, &person.person_id, at, &person.person)
}

#[tokio::test]
async fn published_versions_are_given_with_their_texts() {
    let world = World::new(DeviceApproval::Auto).await;
    assert_eq!(world.answer(1).await.len(), 0);
    assert_eq!(world.answer(0).await.len(), 1, "the built-in one too");
    let before = world
        .context
        .database
        .read()
        .await
        .unwrap()
        .tree_size()
        .await
        .unwrap();
    let second = world.publish(Change::Material, T0 + DAY).await;
    let third = world.publish(Change::Editorial, T0 + 2 * DAY).await;

    let documents = world.documents(0).await;
    let digests: Vec<_> = documents
        .all()
        .iter()
        .map(|document| *document.digest())
        .collect();
    assert_eq!(
        digests,
        [
            *Document::builtin().digest(),
            *second.digest(),
            *third.digest()
        ]
    );
    let versions: Vec<_> = world
        .answer(1)
        .await
        .iter()
        .map(|one| one["version"].clone())
        .collect();
    assert_eq!(versions, [2, 3]);
    assert_eq!(world.answer(3).await.len(), 0);
    assert_eq!(world.answer(u64::MAX).await.len(), 0);
    let (status, code, _) = problem(world.get("/v1/agreements?after=x", None).await).await;
    assert_eq!((status, code.as_str()), (400, "version-malformed"));

    // Each publication is an act of an administrator in the log.
    let mut tx = world.context.database.read().await.unwrap();
    assert_eq!(tx.tree_size().await.unwrap(), before + 2);
}

#[tokio::test]
async fn large_versions_come_one_by_one() {
    let world = World::new(DeviceApproval::Auto).await;
    for n in 1..=3 {
        let texts = Texts {
            kk: format!("{n}{}", "ә".repeat(120_000)),
            ru: format!("{n}{}", "ы".repeat(130_000)),
            structure: json!({"format": 1, "title": "", "units": [
                {"id": 1, "kind": "para", "kk": [{"line": 1}], "ru": [{"line": 1}]}]})
            .to_string(),
        };
        publish(&world.context, &texts, Change::Editorial, T0)
            .await
            .unwrap();
    }
    for (after, expected) in (1..).zip([vec![2], vec![3], vec![4], vec![]]) {
        let answer = world.answer(after).await;
        let versions: Vec<_> = answer
            .iter()
            .map(|one| one["version"].as_u64().unwrap())
            .collect();
        assert_eq!(versions, expected);
    }
}

#[tokio::test]
async fn a_material_version_needs_a_new_acceptance_from_its_date_on() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let first = Document::builtin();
    let second = world.publish(Change::Material, T0 + 100).await;
    let token = world.token(&person).await;
    assert_eq!(world.may(&token, first).await, (201, 200));
    assert_eq!(
        world.may(&token, &second).await,
        (403, 200),
        "not in force yet"
    );

    // Accepted ahead: it is registered, and counts from the date.
    let mut early = world.accepted("b", "A").await;
    let accepted = accept(&mut early, &second, Decision::Accepted, T0);
    assert_eq!(world.entry(accepted).await.status(), 201);
    let early_token = world.token(&early).await;
    assert_eq!(world.may(&early_token, first).await, (201, 200));

    world.clock.advance(100);
    assert_eq!(world.may(&token, first).await, (403, 403));
    let (_, code, body) = problem(world.get("/v1/changes?stream=all", Some(&token)).await).await;
    assert_eq!(code, "agreement-required");
    assert_eq!(body["document_sha256"], second.digest_hex());
    assert_eq!(world.may(&early_token, &second).await, (201, 200));

    let accepted = accept(&mut person, &second, Decision::Accepted, T0 + 100);
    assert_eq!(world.entry(accepted).await.status(), 201);
    assert_eq!(world.may(&token, &second).await, (201, 200));
    let declined = accept(&mut person, &second, Decision::Declined, T0 + 101);
    world.clock.advance(1);
    assert_eq!(world.entry(declined).await.status(), 201);
    assert_eq!(world.may(&token, &second).await, (403, 403));
}

#[tokio::test]
async fn an_editorial_version_leaves_earlier_acceptances_standing() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.accepted("a", "A").await;
    let second = world.publish(Change::Editorial, T0).await;
    let token = world.token(&person).await;
    assert_eq!(world.may(&token, Document::builtin()).await, (201, 200));
    assert_eq!(world.may(&token, &second).await, (201, 200));
    // Who comes new accepts the newest.
    let mut fresh = world.person("c", "A").await;
    assert_eq!(world.enrol(&fresh.enrolment()).await.status(), 201);
    let accepted = accept(&mut fresh, &second, Decision::Accepted, T0);
    assert_eq!(world.entry(accepted).await.status(), 201);
    let token = world.token(&fresh).await;
    assert_eq!(world.may(&token, &second).await, (201, 200));
}
