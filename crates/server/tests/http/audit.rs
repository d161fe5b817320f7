//! Audit events: stored once, and gaps in their chain are seen.

use crate::common::{T0, World};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_server::storage::{AuditStorage, Database, GapKind};
use serde_json::{Value, json};

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

/// A place in the chain that no database has room for: signed rightly, and a failure of the store every time.
#[tokio::test]
async fn an_event_that_cannot_be_stored_holds_no_other() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let first = person.audit_event();
    let (sequence, previous) = (person.audit_sequence, person.audit_previous);
    (person.audit_sequence, person.audit_previous) = (u64::MAX - 1, Some([9; 32]));
    let impossible = person.audit_event();
    (person.audit_sequence, person.audit_previous) = (sequence, previous);
    let second = person.audit_event();
    let lines = [&first, &impossible, &second].map(|event| world.sealed_line(event));

    let answers = world.audit(&lines).await;
    let statuses: Vec<_> = answers.iter().map(|answer| &answer["status"]).collect();
    assert_eq!(statuses, ["stored", "stored"]);

    let mut tx = world.context.database.read().await.unwrap();
    let device = person.device_id();
    assert_eq!(tx.last_audit_sequence(&device).await.unwrap(), 2);
}
