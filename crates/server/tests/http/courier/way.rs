//! The good way: a site that never had a network.

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::courier::{DeviceState, ItemState, RequestRecord, Stream};
use infoblood_agreement::document::Document;
use infoblood_agreement::grant::{Expected, VerifiedGrant};
use infoblood_agreement::keys::PublicKey;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::receipt;
use infoblood_agreement::sealed::{Kind, item_id};
use infoblood_agreement::statement::{self, Decision};
use infoblood_server::service::{administration, load};
use infoblood_server::storage::{self, Database, FeedStorage, NewResource, Transaction};
use serde_json::json;

use super::{NONCE, PACK, head, later, rejected};
use crate::common::{T0, World, ndjson};

#[tokio::test]
async fn a_first_enrolment_by_courier() {
    first_enrolment(&World::new(DeviceApproval::Auto).await).await;
}

pub(crate) async fn first_enrolment<D: Database>(world: &World<D>) {
    load::seed(&world.context, 10, 1, Some("A")).await.unwrap();
    let mut person = world.person("a", "A").await;
    let enrolment = person.enrolment();
    let acceptance = person.decide(Decision::Accepted, T0);
    let seen = person.audit_event();
    // In the wrong order: what builds on another is taken after it.
    let items = [
        (Kind::AuditEvent, seen.clone()),
        (Kind::Acceptance, acceptance.clone()),
        (Kind::Enrolment, enrolment.clone()),
    ];
    let answer = world.answered(&person, world.pack(&person, &items)).await;

    assert_eq!(answer.head.device_id, person.device_id());
    assert_eq!(answer.head.site, "A");
    assert_eq!((answer.head.nonce, answer.head.request), (NONCE, PACK));
    assert_eq!(answer.head.time, T0);
    assert_eq!(answer.head.device, DeviceState::Approved);
    for (_, plain) in &items {
        assert_eq!(answer.items[&item_id(plain)], ItemState::Stored);
    }
    let log_key = PublicKey::of(&world.context.keys.log);
    for (plain, sub) in [
        (&acceptance, statement::terms_urn(1)),
        (&enrolment, statement::person_urn(&person.person_id)),
    ] {
        let leaf = statement::leaf_hash(plain, &Limits::DEFAULT).unwrap();
        let receipt = &answer.receipts[&item_id(plain)];
        receipt::verify(receipt, &leaf, &sub, &log_key, &Limits::DEFAULT).unwrap();
    }
    assert_eq!(answer.receipts.len(), 2, "events have none");

    let (name, role, grant) = &answer.grants[&person.person_id];
    assert_eq!((name.as_str(), role.as_str()), ("Айгерім", "clinician"));
    let device_id = person.device_id();
    let leaf = statement::leaf_hash(&acceptance, &Limits::DEFAULT).unwrap();
    let expected = Expected {
        person_id: &person.person_id,
        device_id: &device_id,
        document: Document::builtin().digest(),
        leaf: &leaf,
    };
    let grant = VerifiedGrant::verify(grant, &world.context.key_set, &expected).unwrap();
    assert_eq!(grant.terms().offline_until, T0 + 30 * 86_400);

    // The lines are those of the change feed, safety first.
    let token = world.token(&person).await;
    let mut seen = Vec::new();
    for (stream, name) in [(Stream::Safety, "safety"), (Stream::All, "all")] {
        let path = format!("/v1/changes?stream={name}&limit=2000");
        let feed = world.get(&path, Some(&token)).await.text().await.unwrap();
        let end = feed.trim_end().rfind('\n').map_or(0, |at| at + 1);
        let records: Vec<_> = answer
            .changes
            .iter()
            .filter(|change| change.stream == stream)
            .collect();
        let lines: Vec<u8> = records.iter().flat_map(|c| c.lines.clone()).collect();
        assert_eq!(String::from_utf8(lines).unwrap(), feed[..end]);
        assert!(records.first().unwrap().from_start);
        assert!(records.last().unwrap().is_end);
        assert!(feed[end..].contains(&records.last().unwrap().cursor));
        seen.push(records.len());
    }
    assert!(matches!(answer.changes[0].stream, Stream::Safety));
    assert_eq!(answer.changes.len(), seen.iter().sum::<usize>());
}

#[tokio::test]
async fn the_same_pack_again_is_the_same_answer_with_a_higher_count() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.person("a", "A").await;
    let items = [
        (Kind::Enrolment, person.enrolment()),
        (Kind::Acceptance, person.decide(Decision::Accepted, T0)),
        (Kind::AuditEvent, person.audit_event()),
    ];
    let pack = world.pack(&person, &items);
    let first = world.answered(&person, pack.clone()).await;
    let facts = world.facts(&person).await;
    let again = world.answered(&person, pack.clone()).await;
    assert_eq!(again.receipts, first.receipts);
    assert_eq!(again.items, first.items);
    assert_eq!(again.grants.len(), 1);
    assert!(again.head.counter > first.head.counter);
    assert_eq!(world.facts(&person).await, facts);
    // The clock may have moved, or a backup been put back: the count follows it.
    world.clock.advance(1_000);
    let third = world.answered(&person, pack).await;
    assert!(third.head.counter >= (T0 as u64) + 1_000);
}

#[tokio::test]
async fn the_feed_goes_on_from_its_cursors() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 5, 1, Some("A")).await.unwrap();
    let person = world.accepted("a", "A").await;
    let first = world.answered(&person, world.pack(&person, &[])).await;
    let cursor = |stream| {
        let mut changes = first.changes.iter();
        changes
            .rfind(|change| change.stream == stream)
            .map(|change| change.cursor.clone())
    };
    let mut goes_on = head(&person);
    goes_on.safety_cursor = cursor(Stream::Safety);
    goes_on.all_cursor = cursor(Stream::All);
    let pack = world.pack_of(&person, vec![RequestRecord::Head(goes_on.clone())]);
    let second = world.answered(&person, pack).await;
    assert_eq!(second.changes.len(), 2, "one record each, to say so");
    for change in &second.changes {
        assert!(change.lines.is_empty() && change.is_end && !change.from_start);
    }

    // What left the site since then is told by courier too.
    let mut tx = world.context.database.write().await.unwrap();
    let moved = tx.changes("A", storage::Stream::All, 0, 1).await.unwrap();
    let moved = moved.into_iter().next().unwrap();
    let elsewhere = NewResource {
        kind: moved.kind,
        id: moved.id.clone(),
        site: "B".to_owned(),
        safety: false,
        national: false,
        body: moved.body.unwrap(),
    };
    tx.put_resources(&[elsewhere]).await.unwrap();
    tx.commit().await.unwrap();
    let pack = world.pack_of(&person, vec![RequestRecord::Head(goes_on.clone())]);
    let since = world.answered(&person, pack).await;
    let told: Vec<_> = since
        .changes
        .iter()
        .map(|one| (one.stream, ndjson(str::from_utf8(&one.lines).unwrap())))
        .collect();
    let [(Stream::Safety, safety), (Stream::All, all)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(safety.is_empty());
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["op"], &all[0]["id"]),
        (&json!("delete"), &json!(moved.id))
    );

    // A cursor above the head: given out before this server was restored from a backup.
    for cursor in ["00000000ffffffff", "no cursor"] {
        goes_on.all_cursor = Some(cursor.to_owned());
        let pack = world.pack_of(&person, vec![RequestRecord::Head(goes_on.clone())]);
        let third = world.answered(&person, pack).await;
        let all: Vec<_> = third
            .changes
            .iter()
            .filter(|change| change.stream == Stream::All)
            .collect();
        assert!(all[0].from_start && !all[0].lines.is_empty(), "{cursor}");
        assert!(third.changes[0].from_start, "both: there is one cache");
    }
}

#[tokio::test]
async fn items_are_judged_one_by_one() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let stranger = world.person("b", "A").await;
    let event = person.audit_event();
    let refusal = person.refuse_as_device();
    let mut other_id = world.sealed(Kind::AuditEvent, &event);
    let mut cut = other_id.clone();
    let mut other_kind = other_id.clone();
    if let (
        RequestRecord::Item { id, .. },
        RequestRecord::Item { id: cut_id, sealed },
        RequestRecord::Item {
            id: kind_id,
            sealed: kind,
        },
    ) = (&mut other_id, &mut cut, &mut other_kind)
    {
        *id = "ab".repeat(32);
        *cut_id = "cd".repeat(32);
        sealed.pop();
        *kind_id = "ef".repeat(32);
        // The kind is bound into the sealing.
        let at = kind.windows(11).position(|w| w == b"audit-event").unwrap();
        kind.splice(at - 1..at + 11, *b"\x6aacceptance");
    }
    let foreign = {
        let mut foreign = stranger;
        foreign.sequence = 0;
        foreign.decide(Decision::Accepted, T0)
    };
    let records = vec![
        RequestRecord::Head(head(&person)),
        other_id,
        cut,
        other_kind,
        world.sealed(Kind::Acceptance, &foreign),
        world.sealed(Kind::DeviceRefusal, &refusal),
        world.sealed(Kind::AuditEvent, &event),
        world.sealed(Kind::AuditEvent, b"nothing of the kind"),
    ];
    let answer = world
        .answered(&person, world.pack_of(&person, records))
        .await;
    let items = &answer.items;
    assert_eq!(items[&"ab".repeat(32)], rejected("id-mismatch"));
    assert_eq!(items[&"cd".repeat(32)], rejected("sealed-malformed"));
    assert_eq!(items[&"ef".repeat(32)], rejected("sealed-unreadable"));
    assert_eq!(items[&item_id(&foreign)], rejected("key-unknown"));
    assert_eq!(items[&item_id(&refusal)], ItemState::Stored);
    assert_eq!(items[&item_id(&event)], ItemState::Stored);
    assert!(matches!(
        items[&item_id(b"nothing of the kind")],
        ItemState::Rejected { .. }
    ));
    assert_eq!(items.len(), 7);
    assert_eq!(answer.grants.len(), 1, "one bad item takes nothing away");
}

#[tokio::test]
async fn guessing_codes_ends_and_what_builds_on_them_waits() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.accepted("a", "A").await;
    let mut items = Vec::new();
    let mut guesser = world.person("b", "A").await;
    for byte in 1..=12 {
        guesser.code = infoblood_agreement::keys::SigningKey::from_bytes(&[byte; 32]);
        items.push((Kind::Enrolment, guesser.enrolment()));
    }
    let acceptance = guesser.decide(Decision::Accepted, T0);
    items.push((Kind::Acceptance, acceptance.clone()));
    let answer = world.answered(&person, world.pack(&person, &items)).await;
    let count = |state: &ItemState| answer.items.values().filter(|s| *s == state).count();
    assert_eq!(count(&rejected("code-wrong")), 10);
    assert_eq!(count(&later("too-many-requests")), 2);
    assert_eq!(answer.items[&item_id(&acceptance)], later("key-unknown"));

    // Guesses count for every way: 30 of them, and the enrolments of this address wait.
    for _ in 0..2 {
        world.answered(&person, world.pack(&person, &items)).await;
    }
    guesser.code = infoblood_agreement::keys::SigningKey::from_bytes(&[77; 32]);
    let response = world.enrol(&guesser.enrolment()).await;
    assert_eq!(response.status(), 429);
}

#[tokio::test]
async fn statements_of_a_lost_device_are_delivered_by_another() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut lost = world.accepted("a", "A").await;
    let carrier = world.person("b", "A").await;
    let acceptance = lost.decide(Decision::Accepted, T0 + 5);
    let event = lost.audit_event();
    let items = [
        (Kind::Acceptance, acceptance.clone()),
        (Kind::AuditEvent, event.clone()),
    ];
    let answer = world.answered(&carrier, world.pack(&carrier, &items)).await;
    assert_eq!(answer.head.device, DeviceState::Unknown);
    assert_eq!(answer.items[&item_id(&acceptance)], ItemState::Stored);
    assert_eq!(answer.items[&item_id(&event)], ItemState::Stored);
    assert!(answer.receipts.contains_key(&item_id(&acceptance)));
    assert!(answer.is_without_rights(), "the right is the lost device's");
    assert!(!answer.no_grants.contains_key(&lost.person_id));
    assert_eq!(answer.no_grant(&carrier), Some("key-unknown"));

    // Asking for the lost device's person on another device gives nothing, known or not.
    let mut asks = head(&carrier);
    asks.people = vec![lost.person_id.clone(), "00".repeat(16)];
    administration::revoke_person(&world.context, "a")
        .await
        .unwrap();
    let pack = world.pack_of(&carrier, vec![RequestRecord::Head(asks)]);
    let answer = world.answered(&carrier, pack).await;
    let codes: Vec<_> = answer.no_grants.values().collect();
    assert_eq!(codes, ["key-unknown", "key-unknown"]);
}
