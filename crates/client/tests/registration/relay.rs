//! Through a phone: the workstation has no network, the phone has one of its own, and frames are all that comes back.

use std::time::Duration;

use infoblood_agreement::key_set::{KeyEntry, KeySet, KeyUse};
use infoblood_agreement::keys::{PublicKey, SigningKey};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::relay::{Answer, frames};
use infoblood_client::{
    PersonSession, Workstation,
    relay::{Collector, RelayedError, picture, typed},
    sync,
};
use infoblood_server::service::administration;

use crate::common::{Central, Machine, PASSPHRASE, request};
use crate::way::bytes_of;

/// A site without a network.
async fn cut_off(approval: DeviceApproval) -> Central {
    let mut central = Central::start_with(approval).await;
    central.unplug().await;
    central
}

async fn signed(
    central: &Central,
    machine: &Machine,
    login: &str,
    code: &str,
) -> (Workstation, PersonSession) {
    let workstation = machine.open(&central.profile).await;
    let pending = workstation.enrol(request(login, code)).await.unwrap();
    (workstation, pending.session)
}

/// Shows the code, lets the phone ask, and puts the answer together.
async fn ask(central: &Central, workstation: &Workstation, session: &PersonSession) -> Vec<u8> {
    let url = workstation.relay_url(session.person_id()).await.unwrap();
    read(&central.phone(&url.unwrap()).await)
}

fn read(texts: &[String]) -> Vec<u8> {
    let mut collector = Collector::default();
    for text in texts {
        collector.take(&typed(text)).unwrap();
    }
    collector.answer().unwrap()
}

/// Asserts that the answer is refused with this code and that no byte of the data directory changed.
async fn refused(machine: &Machine, workstation: &Workstation, answer: &[u8], code: &str) {
    let before = bytes_of(machine.path());
    let error = workstation.accept_relay(answer).await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(bytes_of(machine.path()) == before, "the store is as before");
}

fn changed(answer: &[u8], change: impl Fn(&mut Answer)) -> Vec<u8> {
    let mut answer = Answer::decode(answer).unwrap();
    change(&mut answer);
    answer.encode()
}

#[tokio::test]
async fn registered_and_unlocked_by_frames_alone() {
    let mut central = cut_off(DeviceApproval::Auto).await;
    let code = central.person("aidana").await;
    let machine = Machine::new();
    let (workstation, session) = signed(&central, &machine, "aidana", &code).await;
    let before = central.tree_size().await;
    assert_eq!(workstation.relay_url("stranger").await.unwrap(), None);

    let url = workstation.relay_url(session.person_id()).await.unwrap();
    let url = url.unwrap();
    assert!(picture(&url).is_some(), "{} characters", url.len());
    let texts = central.phone(&url).await;
    assert!(texts.len() <= 12, "{} frames", texts.len());
    // Scanned backwards and doubled, in small letters, and one under the Kazakh layout.
    let mut collector = Collector::default();
    for text in texts.iter().rev().chain(&texts) {
        collector.take(&typed(&text.to_lowercase())).unwrap();
    }
    let kazakh = texts[0]
        .replace('K', "л")
        .replace('1', "\"")
        .replace('0', "қ");
    collector.take(&typed(&kazakh)).unwrap();
    assert!(collector.progress().missing.is_empty());

    let answer = collector.answer().unwrap();
    let relayed = workstation.accept_relay(&answer).await.unwrap();
    assert_eq!(relayed.person_id, session.person_id());
    assert!(relayed.is_registered && relayed.is_granted);
    assert_eq!(relayed.refusal, None);
    assert_eq!(workstation.waiting().await.unwrap(), 0);
    let outbox = std::fs::read_dir(machine.path().join("outbox")).unwrap();
    assert_eq!(outbox.count(), 0, "what is registered need not be sent");
    let progress = workstation.progress(session.person_id()).await.unwrap();
    let progress = progress.unwrap();
    assert!(progress.receipt.is_some() && progress.receipt_verified_at.is_some());
    assert!(
        workstation
            .proof(session.person_id())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        workstation.relay_url(session.person_id()).await.unwrap(),
        None
    );
    // The same once more changes nothing.
    let again = workstation.accept_relay(&answer).await.unwrap();
    assert!(again.is_registered && again.is_granted);

    session
        .unlock(&workstation, false)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
    // Also after a restart, with the passphrase and without a network.
    drop((session, workstation));
    let workstation = machine.open(&central.profile).await;
    let person = workstation.people().await.unwrap().remove(0);
    assert!(person.is_registered && person.offline_until.is_some());
    assert_eq!(person.role.as_deref(), Some("clinician"));
    let session = workstation
        .sign_in(&person.person_id, PASSPHRASE.into())
        .await
        .unwrap();
    let open = session.unlock(&workstation, false).await.unwrap();
    open.lock().await.unwrap();

    // A network that comes later finds nothing to register twice.
    central.plug().await;
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    assert_eq!(central.tree_size().await, before + 2);
    session.unlock(&workstation, true).await.unwrap();
}

#[tokio::test]
async fn what_the_network_brought_first_is_no_obstacle() {
    let mut central = cut_off(DeviceApproval::Auto).await;
    let code = central.person("aidana").await;
    let machine = Machine::new();
    let (workstation, session) = signed(&central, &machine, "aidana", &code).await;
    let answer = ask(&central, &workstation, &session).await;
    central.plug().await;
    sync::run_once(&workstation).await.unwrap();
    let open = session.unlock(&workstation, true).await.unwrap();
    open.lock().await.unwrap();
    // The session's grant is as new or newer: the carried one is equal or refused, and the gate opens as before.
    match workstation.accept_relay(&answer).await {
        Ok(relayed) => assert!(relayed.is_granted),
        Err(error) => assert_eq!(error.code(), "relay-stale"),
    }
    session.unlock(&workstation, false).await.unwrap();
}

#[tokio::test]
async fn answers_to_other_questions_change_nothing() {
    let central = cut_off(DeviceApproval::Auto).await;
    let codes = [
        central.person("aidana").await,
        central.person("berik").await,
        central.another_code("aidana").await,
        central.another_code("aidana").await,
    ];
    let (here, there) = (Machine::new(), Machine::new());
    let (workstation, session) = signed(&central, &here, "aidana", &codes[0]).await;
    let yesterday = ask(&central, &workstation, &session).await;

    // Another workstation: another person there, and the same one.
    let (other, berik) = signed(&central, &there, "berik", &codes[1]).await;
    let theirs = ask(&central, &other, &berik).await;
    refused(&here, &workstation, &theirs, "relay-mismatch").await;
    let pending = other.enrol(request("aidana", &codes[2])).await.unwrap();
    let elsewhere = ask(&central, &other, &pending.session).await;
    refused(&here, &workstation, &elsewhere, "relay-mismatch").await;

    // Yesterday's: the person has enrolled here again since.
    let pending = workstation
        .enrol(request("aidana", &codes[3]))
        .await
        .unwrap();
    refused(&here, &workstation, &yesterday, "relay-mismatch").await;
    let first = ask(&central, &workstation, &pending.session).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let second = ask(&central, &workstation, &pending.session).await;

    // Frames of the two do not mix, and parts of the two neither.
    let texts = |answer: &[u8]| frames(&Answer::decode(answer).unwrap()).unwrap();
    let mut collector = Collector::default();
    collector.take(&texts(&first)[0]).unwrap();
    let error = collector.take(&texts(&second)[1]).unwrap_err();
    assert_eq!(error.code(), "relay-other-answer");
    let foreign = Answer::decode(&theirs).unwrap();
    let with_their_grant = changed(&second, |answer| answer.grant.clone_from(&foreign.grant));
    refused(&here, &workstation, &with_their_grant, "grant-invalid").await;
    let with_their_receipt = changed(&second, |answer| {
        answer
            .enrolment_receipt
            .clone_from(&foreign.enrolment_receipt);
    });
    refused(&here, &workstation, &with_their_receipt, "relay-mismatch").await;

    // An older answer never takes the place of a newer one.
    let relayed = workstation.accept_relay(&second).await.unwrap();
    assert!(relayed.is_granted);
    refused(&here, &workstation, &first, "relay-stale").await;
    pending.session.unlock(&workstation, false).await.unwrap();
}

#[tokio::test]
async fn changed_answers_change_nothing() {
    let central = cut_off(DeviceApproval::Auto).await;
    let code = central.person("aidana").await;
    let machine = Machine::new();
    let (workstation, session) = signed(&central, &machine, "aidana", &code).await;
    let answer = ask(&central, &workstation, &session).await;
    let before = bytes_of(machine.path());
    for at in 0..answer.len() {
        for cut in [true, false] {
            let changed = if cut {
                answer[..at].to_vec()
            } else {
                let mut changed = answer.clone();
                changed[at] ^= 1;
                changed
            };
            let error = workstation.accept_relay(&changed).await.unwrap_err();
            let named = matches!(
                error,
                RelayedError::Malformed(_) | RelayedError::Mismatch | RelayedError::Grant(_)
            );
            assert!(named, "byte {at}: {error}");
        }
    }
    let only_grant = changed(&answer, |answer| {
        answer.enrolment_receipt = None;
        answer.acceptance_receipt = None;
    });
    refused(&machine, &workstation, &only_grant, "relay-mismatch").await;
    let half = changed(&answer, |answer| answer.acceptance_receipt = None);
    refused(&machine, &workstation, &half, "relay-mismatch").await;
    let key_set = changed(&answer, |answer| answer.key_set.clone_from(&answer.grant));
    refused(&machine, &workstation, &key_set, "profile-wrong-authority").await;
    // A refusal is only a word: whoever forges it changes nothing.
    for (word, code) in [
        ("person-revoked", "person-revoked"),
        ("no-such-code", "server-refused"),
    ] {
        let forged = changed(&answer, |answer| {
            *answer = Answer {
                person_id: answer.person_id.clone(),
                refusal: Some(word.to_owned()),
                ..Answer::default()
            };
        });
        refused(&machine, &workstation, &forged, code).await;
    }
    assert!(bytes_of(machine.path()) == before);
    let gate = session.unlock(&workstation, false).await.err().unwrap();
    assert_eq!(gate.code(), "agreement-required");

    // The honest one is still welcome, also with the key set that is known already.
    let key_set = central.context.key_set.as_bytes().to_vec();
    let honest = changed(&answer, |answer| answer.key_set = Some(key_set.clone()));
    workstation.accept_relay(&honest).await.unwrap();
    session.unlock(&workstation, false).await.unwrap();
}

#[tokio::test]
async fn a_newer_key_set_comes_with_the_answer_or_not_at_all() {
    let central = cut_off(DeviceApproval::Auto).await;
    let code = central.person("aidana").await;
    let machine = Machine::new();
    let (workstation, session) = signed(&central, &machine, "aidana", &code).await;
    let answer = ask(&central, &workstation, &session).await;
    let known = &central.context.key_set;
    let signed_by = |authority: &SigningKey, entries: &[KeyEntry]| {
        let set = KeySet::issue(known.issuer(), 2, entries, central.context.now(), authority);
        let set = set.unwrap().as_bytes().to_vec();
        changed(&answer, |answer| answer.key_set = Some(set.clone()))
    };
    let stranger = SigningKey::from_bytes(&[7; 32]);
    let forged = signed_by(&stranger, known.entries());
    refused(&machine, &workstation, &forged, "profile-wrong-authority").await;
    // Genuine, but the receipts are by a key that it does not name.
    let mut others = known.entries().to_vec();
    for entry in &mut others {
        if entry.key_use == KeyUse::Log {
            entry.key = *PublicKey::of(&stranger).as_bytes();
        }
    }
    let other = signed_by(&central.authority(), &others);
    refused(&machine, &workstation, &other, "relay-mismatch").await;

    let newer = signed_by(&central.authority(), known.entries());
    workstation.accept_relay(&newer).await.unwrap();
    session
        .unlock(&workstation, false)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
    drop((session, workstation));
    // Fails unless the key set is stored: a value may not be null.
    machine
        .by_hand(
            "INSERT INTO setting (name, value) SELECT 'test',
             (SELECT value FROM setting WHERE name = 'key_set')",
        )
        .await;
}

#[tokio::test]
async fn a_device_that_waits_asks_again_after_its_approval() {
    let central = cut_off(DeviceApproval::Manual).await;
    let code = central.person("aidana").await;
    let machine = Machine::new();
    let (workstation, session) = signed(&central, &machine, "aidana", &code).await;
    let answer = ask(&central, &workstation, &session).await;
    let relayed = workstation.accept_relay(&answer).await.unwrap();
    assert!(relayed.is_registered && !relayed.is_granted);
    assert_eq!(relayed.refusal, Some("device-pending"));
    let closed = session.unlock(&workstation, false).await.err().unwrap();
    assert_eq!(closed.code(), "agreement-required");

    administration::approve_device(&central.context, &workstation.device_id())
        .await
        .unwrap();
    let answer = ask(&central, &workstation, &session).await;
    let relayed = workstation.accept_relay(&answer).await.unwrap();
    assert!(relayed.is_granted && relayed.refusal.is_none());
    session.unlock(&workstation, false).await.unwrap();
}

#[tokio::test]
async fn a_code_that_somebody_used_is_said_and_the_record_stays() {
    let central = cut_off(DeviceApproval::Auto).await;
    let code = central.person("aidana").await;
    let (here, there) = (Machine::new(), Machine::new());
    let (first, session) = signed(&central, &there, "aidana", &code).await;
    ask(&central, &first, &session).await;
    let (workstation, session) = signed(&central, &here, "aidana", &code).await;
    let answer = ask(&central, &workstation, &session).await;
    refused(&here, &workstation, &answer, "code-used").await;
    assert_eq!(workstation.waiting().await.unwrap(), 2);
}
