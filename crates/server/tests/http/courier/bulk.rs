//! A great deal of everything, in bounded pieces.

use infoblood_agreement::courier::{ItemState, MAX_CHUNK_BYTES, Stream};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::sealed::Kind;
use infoblood_server::service::{administration, load};
use infoblood_server::storage::{AuditStorage, Database};

use crate::common::World;

#[tokio::test]
async fn five_thousand_audit_events_in_one_pack() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let events: Vec<_> = (0..5_000)
        .map(|_| (Kind::AuditEvent, person.audit_event()))
        .collect();
    let answer = world.answered(&person, world.pack(&person, &events)).await;
    assert_eq!(answer.items.len(), events.len());
    assert!(answer.items.values().all(|s| *s == ItemState::Stored));
    assert!(answer.receipts.is_empty());
    assert!(answer.longest <= MAX_CHUNK_BYTES);
    let device = person.device_id();
    let mut tx = world.context.database.read().await.unwrap();
    assert_eq!(tx.last_audit_sequence(&device).await.unwrap(), 5_000);
    assert_eq!(tx.audit_gaps(&device).await.unwrap(), []);
}

#[tokio::test]
async fn thousands_of_donors_stream_in_chunks() {
    let world = World::new(DeviceApproval::Auto).await;
    let loaded = load::seed(&world.context, 6_000, 1, Some("A"))
        .await
        .unwrap();
    let person = world.accepted("a", "A").await;
    let answer = world.answered(&person, world.pack(&person, &[])).await;
    assert!(answer.longest <= MAX_CHUNK_BYTES);
    assert_eq!(answer.grants.len(), 1);
    assert_eq!(answer.lines(Stream::All), loaded.resources);
    assert!(answer.lines(Stream::Safety) > 0);
    assert!(
        answer
            .changes
            .iter()
            .all(|change| change.lines.len() < 512 * 1024)
    );
    for stream in [Stream::Safety, Stream::All] {
        let records: Vec<_> = answer
            .changes
            .iter()
            .filter(|change| change.stream == stream)
            .collect();
        assert_eq!(records.iter().filter(|c| c.is_end).count(), 1);
        assert_eq!(records.iter().filter(|c| c.from_start).count(), 1);
        assert!(records.is_sorted_by(|a, b| a.cursor < b.cursor));
    }
}

#[tokio::test]
async fn what_is_revoked_while_an_answer_is_written_cuts_it() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 1_500, 1, Some("A"))
        .await
        .unwrap();
    let person = world.accepted("a", "A").await;
    let response = world.courier(world.pack(&person, &[])).await;
    assert_eq!(response.status(), 200);
    // The answer is longer than what waits on the way: most of it is not written yet.
    administration::revoke_person(&world.context, "a")
        .await
        .unwrap();
    assert!(response.bytes().await.is_err(), "the connection was cut");
}
