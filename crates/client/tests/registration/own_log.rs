//! Everybody sees the own access log and nobody another's; closed, it says nothing.

use infoblood_agreement::audit::{Action, Outcome};
use infoblood_client::{Delivery, Purpose, Taking, sync};

use crate::common::{Central, Machine, PASSPHRASE, enrolled, request};
use crate::way::bytes_of;

#[tokio::test]
async fn ones_own_looks_are_listed_with_whom_what_for_and_whether_they_were_delivered() {
    let central = Central::start().await;
    central.seed(12).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "own").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    let gate = open.gate();
    open.refresh().await.unwrap();
    let page = open.search(gate, "", None, 5).await.unwrap();
    let donor = page.rows[0].summary.clone();
    open.card(gate, &donor.id).await.unwrap_err();
    open.choose_purpose(Purpose::Quality).await.unwrap();
    open.card(gate, &donor.id).await.unwrap();
    open.take_away(gate, Taking::Copy, std::slice::from_ref(&donor.id))
        .await
        .unwrap();
    open.card(gate, "d-nobody").await.unwrap_err();

    let log = open.own_log(gate, None, 50).await.unwrap();
    assert_eq!(log.next, None);
    let told: Vec<_> = log
        .rows
        .iter()
        .map(|row| (row.event.action, row.event.outcome, row.event.purpose))
        .collect();
    let quality = Some(Purpose::Quality);
    assert_eq!(
        told,
        [
            // This look itself.
            (Action::PatientQuery, Outcome::Permit, quality),
            (Action::PatientRead, Outcome::Permit, quality),
            (Action::PatientCopy, Outcome::Permit, quality),
            (Action::PatientRead, Outcome::Permit, quality),
            (Action::PatientRead, Outcome::Deny, None),
            (Action::PatientQuery, Outcome::Permit, None),
            (Action::SignIn, Outcome::Permit, None),
        ]
    );
    assert_eq!(log.rows[1].patient, Some(("d-nobody".into(), None)));
    let (id, name) = log.rows[3].patient.clone().unwrap();
    assert_eq!(id, donor.id);
    assert!(name.unwrap().starts_with(&donor.family));
    let refused = log.rows[4].event.reason.as_deref();
    assert_eq!(refused, Some("purpose-required"));
    assert!(log.rows.iter().all(|row| row.delivery == Delivery::Waiting));

    // By pages, and after delivery.
    sync::run_once(&workstation).await.unwrap();
    let first = open.own_log(gate, None, 3).await.unwrap();
    assert_eq!(first.rows.len(), 3);
    assert_eq!(first.rows[0].delivery, Delivery::Waiting);
    assert_eq!(first.rows[1].delivery, Delivery::Delivered);
    let second = open.own_log(gate, first.next, 3).await.unwrap();
    let sequences = |rows: &[infoblood_client::OwnAccess]| -> Vec<u64> {
        rows.iter().map(|row| row.event.sequence).collect()
    };
    let all = [sequences(&first.rows), sequences(&second.rows)].concat();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1] + 1), "{all:?}");
    open.lock().await.unwrap();

    // Whose record it was is nowhere in clear.
    let bytes = bytes_of(machine.path());
    let told = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(!told(&donor.id) && !told(&donor.family) && !told("patient-read"));
}

#[tokio::test]
async fn a_colleague_on_the_same_workstation_sees_only_their_own() {
    let central = Central::start().await;
    central.seed(3).await;
    let machine = Machine::new();
    let (workstation, first) = enrolled(&central, &machine, "first").await;
    let open = first.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    open.search(open.gate(), "", None, 5).await.unwrap();
    open.lock().await.unwrap();

    let code = central.person("second").await;
    workstation.enrol(request("second", &code)).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    let people = workstation.people().await.unwrap();
    let person = people.iter().find(|one| one.login == "second").unwrap();
    let session = workstation
        .sign_in(&person.person_id, PASSPHRASE.into())
        .await
        .unwrap();
    let open = session.unlock(&workstation, true).await.unwrap();
    let log = open.own_log(open.gate(), None, 50).await.unwrap();
    let actions: Vec<_> = log.rows.iter().map(|row| row.event.action).collect();
    assert_eq!(actions, [Action::PatientQuery, Action::SignIn]);
}
