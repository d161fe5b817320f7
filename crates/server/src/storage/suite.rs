//! What every engine must do, one generic function per concern.

mod scopes;
mod writers;

use std::collections::BTreeSet;
use std::time::Duration;

use infoblood_agreement::profile::DeviceApproval;

use super::*;

pub(super) use writers::many_writers;

/// Everything, on an empty database.
pub(super) async fn run<D: Database>(database: &D) {
    dropped(database).await;
    settings(database).await;
    sites(database).await;
    people(database).await;
    devices(database).await;
    log(database).await;
    keys(database).await;
    agreements(database).await;
    sessions(database).await;
    feed(database).await;
    large_changes(database).await;
    scopes::scopes(database).await;
    audit(database).await;
    courier(database).await;
}

fn site(code: &str) -> Site {
    Site {
        code: code.into(),
        name_kk: "Қан орталығы".into(),
        name_ru: "Центр крови".into(),
        device_approval: DeviceApproval::Manual,
        time_zone: "Asia/Almaty".into(),
        support_contact: None,
        offline_days: 30,
        read_only_days: 7,
        idle_lock_minutes: 10,
        break_glass: true,
        created_at: 5,
    }
}

fn person() -> Person {
    Person {
        person_id: "p1".into(),
        login: "aigerim".into(),
        site: "A".into(),
        name: "Айгерім".into(),
        role: "clinician".into(),
        created_at: 7,
        revoked_at: None,
    }
}

fn device() -> Device {
    Device {
        device_id: "d1".into(),
        signing_key: [1; 32],
        exchange_key: [2; 32],
        kid: [3; 32],
        site: "A".into(),
        workstation: "W".into(),
        status: DeviceStatus::Pending,
        epoch: 1,
        registered_at: 9,
    }
}

fn conflict<T: std::fmt::Debug>(result: &Stored<T>) {
    assert!(matches!(result, Err(StorageError::Conflict)), "{result:?}");
}

async fn dropped<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    tx.add_setting("a", b"1").await.unwrap();
    drop(tx);
    let mut tx = database.read().await.unwrap();
    assert_eq!(tx.setting("a").await.unwrap(), None);
    drop(tx);
    let mut tx = database.write().await.unwrap();
    tx.add_setting("a", b"2").await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = database.read().await.unwrap();
    assert_eq!(tx.setting("a").await.unwrap().unwrap(), b"2");
}

/// A request may end at any moment: no transaction is left behind, and the next one begins.
pub(super) async fn given_up<D: Database>(database: &D) {
    for moment in 0..200 {
        let give_up = tokio::time::sleep(Duration::from_micros(moment * 10));
        tokio::select! {
            biased;
            () = give_up => {}
            tx = async {
                let mut tx = database.write().await?;
                tx.add_setting("given up", b"1").await?;
                tx.commit().await
            } => drop(tx),
        }
        database.write().await.unwrap().commit().await.unwrap();
    }
}

/// Two processes, each with a connection of its own to one database.
pub(super) async fn one_after_the_other<D: Database>(first: D, second: D) {
    let mut tx = first.write().await.unwrap();
    tx.add_setting("first", b"1").await.unwrap();
    let waiting = tokio::spawn(async move {
        let mut tx = second.write().await.unwrap();
        tx.setting("first").await.unwrap()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished(), "writers follow one another");
    tx.commit().await.unwrap();
    assert_eq!(waiting.await.unwrap().as_deref(), Some(b"1".as_slice()));
}

async fn settings<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    assert_eq!(tx.setting("x").await.unwrap(), None);
    tx.add_setting("x", b"1").await.unwrap();
    conflict(&tx.add_setting("x", b"2").await);
    tx.commit().await.unwrap();
    assert_eq!(
        database
            .read()
            .await
            .unwrap()
            .setting("x")
            .await
            .unwrap()
            .unwrap(),
        b"1"
    );
}

async fn sites<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    assert_eq!(tx.site("A").await.unwrap(), None);
    tx.add_site(&site("B")).await.unwrap();
    tx.add_site(&site("A")).await.unwrap();
    conflict(&tx.add_site(&site("A")).await);
    assert_eq!(tx.site("A").await.unwrap(), Some(site("A")));
    assert_eq!(tx.sites().await.unwrap(), [site("A"), site("B")]);
    tx.commit().await.unwrap();
}

async fn people<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    tx.add_person(&person()).await.unwrap();
    conflict(
        &tx.add_person(&Person {
            person_id: "p2".into(),
            ..person()
        })
        .await,
    );
    assert_eq!(tx.person("p1").await.unwrap(), Some(person()));
    assert_eq!(tx.person("p2").await.unwrap(), None);
    tx.revoke_person("p1", 50).await.unwrap();
    tx.revoke_person("p1", 60).await.unwrap();
    assert_eq!(tx.person("p1").await.unwrap().unwrap().revoked_at, Some(50));

    let code = |byte| EnrolmentCode {
        public_key: [byte; 32],
        person_id: "p1".into(),
        issued_at: 1,
        expires_at: 100,
        used_at: None,
        revoked_at: None,
    };
    tx.add_code(&code(1)).await.unwrap();
    tx.add_code(&code(2)).await.unwrap();
    conflict(&tx.add_code(&code(1)).await);
    tx.use_code(&[1; 32], 20).await.unwrap();
    conflict(&tx.use_code(&[1; 32], 21).await);
    tx.revoke_codes("p1", 30).await.unwrap();
    assert_eq!(
        tx.code(&[1; 32]).await.unwrap(),
        Some(EnrolmentCode {
            used_at: Some(20),
            ..code(1)
        })
    );
    assert_eq!(
        tx.code(&[2; 32]).await.unwrap(),
        Some(EnrolmentCode {
            revoked_at: Some(30),
            ..code(2)
        })
    );
    assert_eq!(tx.code(&[3; 32]).await.unwrap(), None);
    tx.commit().await.unwrap();
}

async fn devices<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    tx.add_device(&device()).await.unwrap();
    conflict(&tx.add_device(&device()).await);
    assert_eq!(tx.device("d1").await.unwrap(), Some(device()));
    assert_eq!(tx.device_by_kid(&[3; 32]).await.unwrap(), Some(device()));
    assert_eq!(tx.device_by_kid(&[4; 32]).await.unwrap(), None);
    tx.set_device_status("d1", DeviceStatus::Approved, 2)
        .await
        .unwrap();
    let changed = Device {
        status: DeviceStatus::Approved,
        epoch: 2,
        ..device()
    };
    assert_eq!(tx.devices().await.unwrap(), [changed]);
    assert_eq!(
        tx.share_or_insert("d1", 2, &[8; 32]).await.unwrap(),
        [8; 32]
    );
    assert_eq!(
        tx.share_or_insert("d1", 2, &[9; 32]).await.unwrap(),
        [8; 32]
    );
    assert_eq!(
        tx.share_or_insert("d1", 3, &[9; 32]).await.unwrap(),
        [9; 32]
    );
    tx.commit().await.unwrap();
}

fn entry(index: u64) -> Entry {
    Entry {
        leaf_index: index,
        leaf: [index as u8 + 1; 32],
        kind: "acceptance".into(),
        statement: vec![1, 2],
        receipt: vec![3],
        registered_at: 4,
    }
}

async fn log<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    assert_eq!(tx.tree_size().await.unwrap(), 0);
    tx.add_entry(&entry(0)).await.unwrap();
    conflict(&tx.add_entry(&entry(0)).await);
    conflict(
        &tx.add_entry(&Entry {
            leaf_index: 1,
            ..entry(0)
        })
        .await,
    );
    tx.add_entry(&entry(1)).await.unwrap();
    assert_eq!(tx.tree_size().await.unwrap(), 2);
    assert_eq!(tx.entry(&[2; 32]).await.unwrap(), Some(entry(1)));
    assert_eq!(tx.entry(&[9; 32]).await.unwrap(), None);
    tx.add_node(1, 0, &[7; 32]).await.unwrap();
    conflict(&tx.add_node(1, 0, &[8; 32]).await);
    assert_eq!(tx.node(1, 0).await.unwrap(), Some([7; 32]));
    assert_eq!(tx.node(0, 1).await.unwrap(), None);
    tx.commit().await.unwrap();
}

async fn keys<D: Database>(database: &D) {
    let key = |byte, leaf| PersonKey {
        kid: [byte; 32],
        person_id: "p1".into(),
        device_id: "d1".into(),
        signing_key: [byte; 32],
        exchange_key: [byte; 32],
        leaf: [leaf; 32],
        registered_at: 1,
    };
    let mut tx = database.write().await.unwrap();
    tx.add_person_key(&key(11, 2)).await.unwrap();
    tx.add_person_key(&key(12, 1)).await.unwrap();
    conflict(&tx.add_person_key(&key(11, 3)).await);
    assert_eq!(tx.person_key(&[12; 32]).await.unwrap(), Some(key(12, 1)));
    assert_eq!(
        tx.newest_person_key("p1", "d1").await.unwrap(),
        Some(key(11, 2))
    );
    assert_eq!(tx.newest_person_key("p1", "d2").await.unwrap(), None);
    let here = tx.people_of_device("d1").await.unwrap();
    assert_eq!(here.len(), 1, "two keys, one person");
    assert_eq!(here[0].person_id, "p1");
    assert_eq!(tx.people_of_device("d2").await.unwrap(), []);
    tx.commit().await.unwrap();
}

async fn agreements<D: Database>(database: &D) {
    let document = |version: u64, effective_from, material| Document {
        digest: [version as u8; 32],
        version,
        effective_from,
        material,
        message: vec![9],
    };
    let mut tx = database.write().await.unwrap();
    for new in [
        document(1, 0, true),
        document(2, 100, false),
        document(3, 200, true),
    ] {
        tx.add_document(&new).await.unwrap();
    }
    conflict(&tx.add_document(&document(3, 0, true)).await);
    assert_eq!(
        tx.document(&[2; 32]).await.unwrap(),
        Some(document(2, 100, false))
    );
    assert_eq!(
        tx.documents_in_force(150).await.unwrap(),
        [document(2, 100, false), document(1, 0, true)]
    );

    assert_eq!(
        tx.documents_after(1).await.unwrap(),
        [document(2, 100, false), document(3, 200, true)]
    );
    assert_eq!(tx.documents_after(u64::MAX).await.unwrap(), []);
    let texts = Texts {
        kk: "қазақша\n\nмәтін".into(),
        ru: "по-русски".into(),
        structure: "{}".into(),
    };
    tx.add_texts(&[2; 32], &texts).await.unwrap();
    conflict(&tx.add_texts(&[2; 32], &texts).await);
    assert_eq!(tx.texts(&[2; 32]).await.unwrap(), Some(texts));
    assert_eq!(tx.texts(&[1; 32]).await.unwrap(), None);

    let decision = |leaf, effective_at, sequence, accepted| Decision {
        leaf: [leaf; 32],
        leaf_index: leaf.into(),
        person_id: Some("p1".into()),
        device_id: "d1".into(),
        document: [1; 32],
        accepted,
        effective_at,
        sequence,
    };
    assert_eq!(
        tx.latest_decision("p1", "d1", &[1; 32]).await.unwrap(),
        None
    );
    // The later decision counts, however late it arrives; within a second the device's own count.
    for new in [
        decision(1, 10, 1, true),
        decision(2, 30, 3, false),
        decision(3, 20, 2, true),
    ] {
        tx.add_decision(&new).await.unwrap();
    }
    assert_eq!(
        tx.latest_decision("p1", "d1", &[1; 32]).await.unwrap(),
        Some(decision(2, 30, 3, false))
    );
    tx.add_decision(&decision(4, 30, 4, true)).await.unwrap();
    assert_eq!(
        tx.latest_decision("p1", "d1", &[1; 32]).await.unwrap(),
        Some(decision(4, 30, 4, true))
    );
    tx.add_decision(&Decision {
        person_id: None,
        ..decision(5, 99, 9, false)
    })
    .await
    .unwrap();
    assert!(
        tx.latest_decision("p1", "d1", &[1; 32])
            .await
            .unwrap()
            .unwrap()
            .accepted
    );
    conflict(&tx.add_decision(&decision(4, 1, 1, true)).await);
    tx.commit().await.unwrap();
}

async fn sessions<D: Database>(database: &D) {
    let session = Session {
        token_hash: [1; 32],
        person_id: "p1".into(),
        device_id: "d1".into(),
        kid: [11; 32],
        expires_at: 100,
    };
    let mut tx = database.write().await.unwrap();
    tx.add_challenge(&[1; 32], 50).await.unwrap();
    tx.add_challenge(&[2; 32], 50).await.unwrap();
    assert!(tx.take_challenge(&[1; 32], 49).await.unwrap());
    assert!(!tx.take_challenge(&[1; 32], 49).await.unwrap(), "used once");
    assert!(!tx.take_challenge(&[2; 32], 50).await.unwrap(), "expired");
    tx.add_session(&session).await.unwrap();
    conflict(&tx.add_session(&session).await);
    tx.delete_expired(100).await.unwrap();
    assert_eq!(tx.session(&[1; 32]).await.unwrap(), Some(session));
    tx.delete_expired(101).await.unwrap();
    assert_eq!(tx.session(&[1; 32]).await.unwrap(), None);
    tx.commit().await.unwrap();
}

fn resource(id: &str, site: &str, safety: bool, national: bool) -> NewResource {
    NewResource {
        kind: "Flag".into(),
        id: id.into(),
        site: site.into(),
        safety,
        national,
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}

async fn feed<D: Database>(database: &D) {
    let ids = |changes: Vec<Change>| {
        changes
            .into_iter()
            .map(|c| (c.sequence, c.id))
            .collect::<Vec<_>>()
    };
    let is = |sequence: u64, id: &str| (sequence, id.to_owned());
    let mut tx = database.write().await.unwrap();
    assert_eq!(
        tx.feed_head().await.unwrap(),
        FeedHead {
            sequence: 0,
            floor: 0
        }
    );
    tx.put_resources(&[
        resource("a", "A", false, false),
        resource("b", "B", true, true),
    ])
    .await
    .unwrap();
    tx.put_resources(&[
        resource("c", "B", true, false),
        resource("d", "A", true, false),
    ])
    .await
    .unwrap();
    tx.put_resources(&[]).await.unwrap();
    assert_eq!(
        ids(tx.changes("A", Stream::All, 0, 9).await.unwrap()),
        [is(1, "a"), is(4, "d")]
    );
    assert_eq!(
        ids(tx.changes("A", Stream::All, 0, 1).await.unwrap()),
        [is(1, "a")]
    );
    assert_eq!(
        ids(tx.changes("A", Stream::Safety, 0, 9).await.unwrap()),
        [is(2, "b"), is(4, "d")]
    );
    // What was put at once has one mark, in whatever order they are asked for.
    let marks = tx.marks(&[4, 0, 1, 2, 3]).await.unwrap();
    let [four, start, one, two, three] = marks[..] else {
        panic!("{marks:?}")
    };
    assert_eq!((start, one, three), (0, two, four));
    assert!(one != 0 && three != 0 && one != three, "{marks:?}");
    // A changed resource moves to the end; nobody who reads on misses it.
    tx.put_resources(&[resource("a", "A", false, false)])
        .await
        .unwrap();
    assert_eq!(
        ids(tx.changes("A", Stream::All, 1, 9).await.unwrap()),
        [is(4, "d"), is(5, "a")]
    );
    assert_eq!(
        tx.resource_site("Flag", "a").await.unwrap().as_deref(),
        Some("A")
    );
    assert!(tx.delete_resource("Flag", "a").await.unwrap());
    assert!(!tx.delete_resource("Flag", "nobody").await.unwrap());
    assert_eq!(tx.resource_site("Flag", "a").await.unwrap(), None);
    let last = tx.changes("A", Stream::All, 5, 9).await.unwrap();
    assert_eq!(
        last,
        [Change {
            sequence: 6,
            kind: "Flag".into(),
            id: "a".into(),
            body: None
        }]
    );
    let marks = tx.marks(&[1, 3, 5, 6]).await.unwrap();
    assert_eq!(marks.iter().collect::<BTreeSet<_>>().len(), 4, "{marks:?}");
    tx.raise_floor(6).await.unwrap();
    tx.raise_floor(2).await.unwrap();
    assert_eq!(tx.marks(&[6]).await.unwrap(), marks[3..]);
    assert_eq!(tx.feed_head().await.unwrap().floor, 6);
    assert_eq!(tx.changes("A", Stream::All, 5, 9).await.unwrap(), []);
    tx.commit().await.unwrap();
}

/// What is large comes a few at a time, each once.
async fn large_changes<D: Database>(database: &D) {
    const COUNT: usize = 70;
    let large = |n: usize| NewResource {
        body: "x".repeat(256 * 1024),
        ..resource(&n.to_string(), "B", false, false)
    };
    // Rolled back at the end.
    let mut tx = database.write().await.unwrap();
    let before = tx.feed_head().await.unwrap().sequence;
    let all: Vec<_> = (0..COUNT).map(large).collect();
    tx.put_resources(&all).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), before);
    loop {
        let page = tx.changes("B", Stream::All, after, 2_000).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        after = last.sequence;
        assert_eq!(is_full(&page), seen.is_empty(), "{}", page.len());
        seen.extend(page.into_iter().map(|change| change.id));
    }
    seen.sort_by_key(|id| id.parse::<usize>().unwrap());
    assert!(
        seen.iter()
            .enumerate()
            .all(|(at, id)| *id == at.to_string())
    );
    assert_eq!(seen.len(), COUNT);
}

async fn audit<D: Database>(database: &D) {
    let event = |sequence: u64, hash, previous| AuditEvent {
        hash: [hash; 32],
        id: vec![hash],
        device_id: "d1".into(),
        sequence,
        previous,
        person_id: None,
        action: "lock".into(),
        outcome: "permit".into(),
        reference: None,
        at: 1,
        received_at: 2,
        message: vec![3],
    };
    let mut tx = database.write().await.unwrap();
    assert_eq!(tx.last_audit_sequence("d1").await.unwrap(), 0);
    tx.add_audit_event(&event(1, 1, None)).await.unwrap();
    tx.add_audit_event(&event(3, 3, Some([2; 32])))
        .await
        .unwrap();
    conflict(&tx.add_audit_event(&event(1, 1, None)).await);
    assert!(tx.has_audit_event(&[3; 32]).await.unwrap());
    assert!(!tx.has_audit_event(&[2; 32]).await.unwrap());
    assert_eq!(tx.last_audit_sequence("d1").await.unwrap(), 3);
    assert_eq!(tx.audit_hashes("d1", 3).await.unwrap(), [[3; 32]]);
    assert_eq!(tx.audit_successor("d1", 2).await.unwrap(), [Some([2; 32])]);
    assert_eq!(tx.count_audit_events("d1", 1, 3).await.unwrap(), 2);
    let both = [event(1, 1, None), event(3, 3, Some([2; 32]))];
    for (device, after, limit, expected) in [
        ("d1", (0, [0; 32]), 9, &both[..]),
        ("d1", (0, [0; 32]), 1, &both[..1]),
        ("d1", (1, [1; 32]), 9, &both[1..]),
        ("d1", (3, [3; 32]), 9, &[]),
        ("d2", (0, [0; 32]), 9, &[]),
    ] {
        let page = tx.audit_events(device, after, limit).await.unwrap();
        assert_eq!(page, expected);
    }
    let gap = AuditGap {
        device_id: "d1".into(),
        kind: GapKind::Missing,
        first: 2,
        last: 2,
        detected_at: 5,
        closed_at: None,
    };
    tx.add_audit_gap(&gap).await.unwrap();
    tx.add_audit_gap(&gap).await.unwrap();
    assert_eq!(
        tx.audit_gaps("d1").await.unwrap(),
        std::slice::from_ref(&gap)
    );
    tx.close_audit_gap("d1", 2, 8).await.unwrap();
    assert_eq!(
        tx.audit_gaps("d1").await.unwrap(),
        [AuditGap {
            closed_at: Some(8),
            ..gap
        }]
    );
    tx.commit().await.unwrap();
}

async fn courier<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    assert_eq!(tx.raise_courier_counter("d1", 50).await.unwrap(), 50);
    assert_eq!(tx.raise_courier_counter("d1", 50).await.unwrap(), 51);
    assert_eq!(tx.raise_courier_counter("d1", 9).await.unwrap(), 52);
    assert_eq!(tx.raise_courier_counter("d1", 90).await.unwrap(), 90);
    drop(tx);
    let mut tx = database.write().await.unwrap();
    assert_eq!(tx.raise_courier_counter("d1", 1).await.unwrap(), 1);
    tx.commit().await.unwrap();
}
