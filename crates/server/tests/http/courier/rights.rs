//! Who gets a grant and patient data, and who does not.

use infoblood_agreement::courier::{DeviceState, ItemState, RequestRecord};
use infoblood_agreement::document::Change;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::sealed::{Kind, item_id};
use infoblood_agreement::statement::Decision;
use infoblood_server::service::{administration, load};

use super::{Answer, head, rejected};
use crate::agreements::accept;
use crate::common::{T0, World};

#[tokio::test]
async fn a_pending_device_waits_and_is_then_granted() {
    let world = World::new(DeviceApproval::Manual).await;
    let mut person = world.person("a", "A").await;
    let items = [
        (Kind::Enrolment, person.enrolment()),
        (Kind::Acceptance, person.decide(Decision::Accepted, T0)),
    ];
    let answer = world.answered(&person, world.pack(&person, &items)).await;
    assert_eq!(answer.head.device, DeviceState::Pending);
    assert_eq!(answer.receipts.len(), 2);
    assert_eq!(answer.no_grant(&person), Some("device-pending"));
    assert!(answer.is_without_rights());

    administration::approve_device(&world.context, &person.device_id())
        .await
        .unwrap();
    let answer = world.answered(&person, world.pack(&person, &[])).await;
    assert_eq!(answer.head.device, DeviceState::Approved);
    assert!(answer.grants.contains_key(&person.person_id));
    assert_eq!(answer.changes.len(), 2);
}

#[tokio::test]
async fn without_an_acceptance_there_is_nothing() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.person("a", "A").await;
    let enrolment = [(Kind::Enrolment, person.enrolment())];
    let answer = world
        .answered(&person, world.pack(&person, &enrolment))
        .await;
    assert_eq!(answer.no_grant(&person), Some("agreement-required"));
    assert!(answer.is_without_rights());

    let declined = [(Kind::Acceptance, person.decide(Decision::Declined, T0))];
    let answer = world
        .answered(&person, world.pack(&person, &declined))
        .await;
    assert_eq!(answer.no_grant(&person), Some("agreement-required"));
    assert!(answer.is_without_rights());
}

#[tokio::test]
async fn a_revocation_is_told_without_being_asked_for() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    administration::revoke_person(&world.context, "a")
        .await
        .unwrap();
    let late = person.decide(Decision::Accepted, T0 + 1);
    let event = person.audit_event();
    let mut asks = head(&person);
    asks.people.clear();
    let pack = world.pack_of(
        &person,
        vec![
            RequestRecord::Head(asks),
            world.sealed(Kind::Acceptance, &late),
            world.sealed(Kind::AuditEvent, &event),
        ],
    );
    let answer = world.answered(&person, pack).await;
    assert_eq!(answer.no_grant(&person), Some("person-revoked"));
    assert!(answer.is_without_rights());
    assert_eq!(answer.items[&item_id(&late)], rejected("person-revoked"));
    assert_eq!(answer.items[&item_id(&event)], ItemState::Stored);
}

#[tokio::test]
async fn a_revoked_device_gets_receipts_for_its_events_and_no_more() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    administration::revoke_device(&world.context, &person.device_id())
        .await
        .unwrap();
    let event = person.audit_event();
    let pack = world.pack(&person, &[(Kind::AuditEvent, event.clone())]);
    let answer = world.answered(&person, pack).await;
    assert_eq!(answer.head.device, DeviceState::Revoked);
    assert_eq!(answer.no_grant(&person), Some("device-revoked"));
    assert_eq!(answer.items[&item_id(&event)], ItemState::Stored);
    assert!(answer.is_without_rights());
}

#[tokio::test]
async fn another_site_or_another_key_than_registered_has_no_rights() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 3, 1, None).await.unwrap();
    let mut person = world.accepted("a", "A").await;
    let event = person.audit_event();
    let elsewhere = {
        let mut head = head(&person);
        head.site = "B".to_owned();
        head
    };
    let pack = world.pack_of(
        &person,
        vec![
            RequestRecord::Head(elsewhere),
            world.sealed(Kind::AuditEvent, &event),
        ],
    );
    let answer = world.answered(&person, pack).await;
    assert_eq!(answer.head.device, DeviceState::Approved);
    assert_eq!(answer.no_grant(&person), Some("device-changed"));
    assert_eq!(answer.items[&item_id(&event)], ItemState::Stored);
    assert!(answer.is_without_rights());

    let registered = person.device_x25519.clone();
    person.device_x25519 = x25519_dalek::StaticSecret::from([5; 32]);
    let answer = world.answered(&person, world.pack(&person, &[])).await;
    assert_eq!(answer.no_grant(&person), Some("device-changed"));
    assert!(answer.is_without_rights());

    person.device_x25519 = registered;
    let answer = world.answered(&person, world.pack(&person, &[])).await;
    assert_eq!(answer.grants.len(), 1);
}

#[tokio::test]
async fn each_site_gets_its_own_donors() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 20, 1, Some("A")).await.unwrap();
    load::seed(&world.context, 20, 2, Some("B")).await.unwrap();
    let person = world.accepted("b", "B").await;
    let answer = world.answered(&person, world.pack(&person, &[])).await;
    let all: Vec<u8> = answer
        .changes
        .iter()
        .filter(|change| change.stream == infoblood_agreement::courier::Stream::All)
        .flat_map(|change| change.lines.clone())
        .collect();
    let all = String::from_utf8(all).unwrap();
    assert!(all.contains(r#""Patient""#));
    let token = world.token(&person).await;
    let feed = world
        .get("/v1/changes?stream=all&limit=2000", Some(&token))
        .await
        .text()
        .await
        .unwrap();
    assert!(feed.starts_with(&all));
}

#[tokio::test]
async fn new_versions_of_the_terms_travel_with_the_answer() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let second = world.publish(Change::Material, T0).await;
    let third = world.publish(Change::Editorial, T0 + 100).await;
    let answer = world.answered(&person, world.pack(&person, &[])).await;
    let digests = |answer: &Answer| -> Vec<_> {
        let all = answer.documents.all().iter();
        all.skip(1).map(|document| *document.digest()).collect()
    };
    assert_eq!(digests(&answer), [*second.digest(), *third.digest()]);
    assert_eq!(answer.no_grant(&person), Some("agreement-required"));
    assert!(answer.is_without_rights());

    // Who knows them is not told again; the new acceptance gives the right back.
    let acceptance = accept(&mut person, &second, Decision::Accepted, T0 + 1);
    let mut knows = head(&person);
    knows.document_version = 3;
    let pack = world.pack_of(
        &person,
        vec![
            RequestRecord::Head(knows),
            world.sealed(Kind::Acceptance, &acceptance),
        ],
    );
    let answer = world.answered(&person, pack).await;
    assert_eq!(digests(&answer), [] as [[u8; 32]; 0]);
    assert_eq!(answer.grants.len(), 1);
}
