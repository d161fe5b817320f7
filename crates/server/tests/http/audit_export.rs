//! The access log for whoever answers for data protection.

use crate::common::{T0, World, ndjson};
use infoblood_agreement::audit::message_hash;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_server::service::audit_export::{Chain, export};
use infoblood_server::storage::{AuditEvent, AuditStorage as _, Database as _, Transaction as _};
use serde_json::Value;

async fn exported(world: &World) -> (Vec<Chain>, Vec<Value>) {
    let mut file = Vec::new();
    let chains = export(&world.context, &mut file).await.unwrap();
    (chains, ndjson(&String::from_utf8(file).unwrap()))
}

#[tokio::test]
async fn every_event_is_told_once_with_who_whom_and_what_for() {
    let world = World::new(DeviceApproval::Auto).await;
    assert_eq!(exported(&world).await, (Vec::new(), Vec::new()));
    let mut person = world.accepted("a", "A").await;
    let events: Vec<_> = (0..4).map(|_| person.audit_event()).collect();
    let lines: Vec<_> = events
        .iter()
        .map(|event| world.sealed_line(event))
        .collect();
    world
        .audit(&[lines[0].clone(), lines[1].clone(), lines[3].clone()])
        .await;

    let (chains, told) = exported(&world).await;
    let [chain] = &chains[..] else { unreachable!() };
    assert_eq!((chain.events, &chain.missing[..]), (3, &[(3, 3)][..]));
    assert!(chain.is_sound(), "what is missing may come");
    world.audit(&lines[2..3]).await;
    let (chains, all) = exported(&world).await;
    assert_eq!((chains[0].events, chains[0].missing.len()), (4, 0));
    assert_eq!((told.len(), all.len()), (3, 4));

    let event = &all[1];
    assert_eq!(event["resourceType"], "AuditEvent");
    assert_eq!(event["patient"]["reference"], "Patient/d-1");
    let agent = &event["agent"][0];
    assert_eq!(
        agent["who"]["identifier"]["value"],
        person.person_id.as_str()
    );
    assert_eq!(agent["role"][0]["coding"][0]["code"], "clinician");
    let purposes = &event["authorization"][0]["coding"];
    assert_eq!(purposes[0]["code"], "donation");
    let parts = event["extension"][0]["extension"].as_array().unwrap();
    let part = |url| parts.iter().find(|part| part["url"] == url).unwrap();
    let previous = hex::encode(message_hash(&events[0]));
    assert_eq!(part("previous")["valueString"], previous.as_str());
    assert_eq!(part("sequence")["valueString"], "2");
    // Nobody is named.
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("Айгерім"), "{text}");
}

#[tokio::test]
async fn a_log_that_was_changed_is_told() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let first = person.audit_event();
    world.audit(&[world.sealed_line(&first)]).await;
    // By hand, in the database: another sequence than what was signed.
    let mut tx = world.context.database.write().await.unwrap();
    let forged = AuditEvent {
        hash: [7; 32],
        id: vec![7; 16],
        device_id: person.device_id(),
        sequence: 2,
        previous: Some(message_hash(&first)),
        person_id: None,
        action: "lock".into(),
        outcome: "permit".into(),
        reference: None,
        at: T0,
        received_at: T0,
        message: first.clone(),
    };
    tx.add_audit_event(&forged).await.unwrap();
    tx.commit().await.unwrap();
    let (chains, told) = exported(&world).await;
    assert_eq!((told.len(), chains[0].events), (1, 1));
    assert_eq!(chains[0].invalid, [2]);
    assert!(!chains[0].is_sound());

    // Another life of the same place, and one that does not continue the chain.
    (person.audit_sequence, person.audit_previous) = (2, Some([9; 32]));
    let other = person.audit_event();
    let broken = person.audit_event();
    (person.audit_sequence, person.audit_previous) = (3, Some([8; 32]));
    let fork = person.audit_event();
    for event in [other, broken, fork] {
        world.audit(&[world.sealed_line(&event)]).await;
    }
    let (chains, told) = exported(&world).await;
    assert_eq!(chains[0].broken, [4]);
    assert_eq!(chains[0].forked, [4]);
    assert_eq!(told.len(), 4);
}
