//! Audit events: stored once, and gaps in their chain are seen.

use crate::common::{T0, World};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::sealed::item_id;
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

/// Signed rightly, and a failure of the store every time.
#[tokio::test]
async fn an_event_that_cannot_be_stored_holds_no_other() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let device = person.device_id();
    let (first, second) = (person.audit_event(), person.audit_event());
    world.damage_after(&device, 2).await;
    (person.audit_sequence, person.audit_previous) = (3, Some([9; 32]));
    let fourth = person.audit_event();
    let lines = [&first, &second, &fourth].map(|event| world.sealed_line(event));

    // Who stands nowhere in the answer comes again.
    let answers = world.audit(&lines).await;
    let found: Vec<_> = answers.iter().map(|a| (&a["id"], &a["status"])).collect();
    let ids = [&first, &fourth].map(|event| json!(item_id(event)));
    let stored = json!("stored");
    assert_eq!(found, [(&ids[0], &stored), (&ids[1], &stored)]);
}

/// Every line has its verdict, under the id with which it came.
#[tokio::test]
async fn what_is_no_event_is_refused_for_good_under_its_id() {
    let world = World::new(DeviceApproval::Auto).await;
    refused_for_good(&world).await;
}

pub(crate) async fn refused_for_good<D: Database>(world: &World<D>) {
    let mut person = world.accepted("b", "A").await;
    let first = person.audit_event();
    // No database has room for the first two, and PostgreSQL's texts none for NUL.
    let forged = [
        person.forged_event(u64::MAX, "Patient/d-1"),
        person.forged_event(i64::MAX as u64, "Patient/d-1"),
        person.forged_event(2, "Patient/d-1\0"),
        person.forged_event(2, "Patient/\u{1b}"),
    ];
    let lines: Vec<_> = forged
        .iter()
        .chain([&first])
        .map(|event| world.sealed_line(event))
        .collect();
    let answers = world.audit(&lines).await;
    assert_eq!(answers.len(), 5);
    for (event, answer) in forged.iter().zip(&answers) {
        let expected =
            json!({ "id": item_id(event), "status": "rejected", "code": "audit-malformed" });
        assert_eq!(answer, &expected);
    }
    assert_eq!(answers[4]["status"], "stored");

    let (most, more) = ("я".repeat(64), "x".repeat(65));
    let named = |id: &Value| json!({ "id": id, "sealed": "AAAA" }).to_string();
    for (line, id, code) in [
        (named(&json!("not hex")), json!("not hex"), "id-mismatch"),
        (named(&json!("")), json!(""), "id-mismatch"),
        (named(&json!(most)), json!(most), "id-mismatch"),
        (named(&json!(more)), Value::Null, "id-mismatch"),
        (
            json!({ "id": "ab" }).to_string(),
            json!("ab"),
            "json-malformed",
        ),
        (named(&json!(7)), Value::Null, "json-malformed"),
        ("nonsense".to_owned(), Value::Null, "json-malformed"),
    ] {
        let expected = json!({ "id": id, "status": "rejected", "code": code });
        assert_eq!(
            world.audit(std::slice::from_ref(&line)).await,
            [expected],
            "{line}"
        );
    }
}
