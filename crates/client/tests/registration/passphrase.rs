//! A passphrase changed or forgotten, a second workstation, one code in two hands.

use std::sync::atomic::Ordering;

use infoblood_client::{EnrolRequest, PersonSession, Workstation, sync};

use crate::common::{Central, Machine, PASSPHRASE, enrolled, request};

const OTHER: &str = "сорок тюльпанов у перевала";

async fn donors(session: &PersonSession, workstation: &Workstation, online: bool) -> u64 {
    let open = session.unlock(workstation, online).await.unwrap();
    if online {
        open.refresh().await.unwrap();
    }
    let page = open.search(open.gate(), "", None, 5).await.unwrap();
    open.lock().await.unwrap();
    page.total
}

async fn wrong(workstation: &Workstation, person: &str, passphrase: &str) -> &'static str {
    let opened = workstation.sign_in(person, passphrase.into()).await;
    opened.err().unwrap().code()
}

fn with(login: &str, code: &str, passphrase: &str) -> EnrolRequest {
    EnrolRequest {
        passphrase: passphrase.into(),
        ..request(login, code)
    }
}

#[tokio::test]
async fn it_is_changed_by_the_rules_and_the_old_one_opens_nothing_any_more() {
    let central = Central::start().await;
    central.seed(4).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "changer").await;
    assert_eq!(donors(&session, &workstation, true).await, 4);
    let person = session.person_id().to_owned();
    let before = machine.copy(None);
    let change = async |old: &str, new: &str| {
        let changed = workstation.change_passphrase(&person, old.into(), new.into());
        changed.await.map_err(|error| error.code())
    };
    for (new, code) in [
        ("short", "passphrase-short"),
        ("password1234", "passphrase-weak"),
        ("changer сорок тюльпанов", "passphrase-has-login"),
    ] {
        assert_eq!(change(PASSPHRASE, new).await, Err(code));
    }
    let nobody = "e".repeat(32);
    let stranger = workstation.change_passphrase(&nobody, OTHER.into(), OTHER.into());
    assert_eq!(stranger.await.unwrap_err().code(), "login-unknown");

    // Guessing here costs what it costs at signing in.
    assert_eq!(change("not this one", OTHER).await, Err("passphrase-wrong"));
    for _ in 0..2 {
        assert_eq!(
            wrong(&workstation, &person, "nor this").await,
            "passphrase-wrong"
        );
    }
    // A wait long enough for a slow machine.
    for seconds in [40, 80, 120, 160] {
        machine.clock.0.store(seconds, Ordering::SeqCst);
        assert_eq!(change("nor that", OTHER).await, Err("passphrase-wrong"));
    }
    assert_eq!(change(PASSPHRASE, OTHER).await, Err("passphrase-wait"));
    machine.clock.0.store(160 + 33, Ordering::SeqCst);
    let waiting = workstation.waiting().await.unwrap();
    change(PASSPHRASE, OTHER).await.unwrap();
    assert_eq!(workstation.waiting().await.unwrap(), waiting + 1);
    assert_eq!(
        donors(&session, &workstation, false).await,
        4,
        "the session goes on"
    );
    drop(session);
    workstation.close().await.unwrap();

    let workstation = machine.open(&central.profile).await;
    assert_eq!(
        wrong(&workstation, &person, PASSPHRASE).await,
        "passphrase-wrong"
    );
    let session = workstation.sign_in(&person, OTHER.into()).await.unwrap();
    assert_eq!(donors(&session, &workstation, false).await, 4);
    assert_eq!(
        donors(&session, &workstation, true).await,
        4,
        "the same keys"
    );
    // The store of before, which the old passphrase would open.
    *before.keyring.0.lock().unwrap() = machine.item();
    assert_eq!(before.refused(&central.profile).await, "store-replaced");
}

#[tokio::test]
async fn a_forgotten_one_needs_a_code_here_and_on_a_second_workstation() {
    let central = Central::start().await;
    central.seed(4).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "forgetful").await;
    assert_eq!(donors(&session, &workstation, true).await, 4);
    let person = session.person_id().to_owned();
    drop(session);

    let code = central.another_code("forgetful").await;
    let pending = workstation
        .enrol(with("forgetful", &code, OTHER))
        .await
        .unwrap();
    assert_eq!(pending.person_id, person);
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.registered, std::slice::from_ref(&person));
    let open = pending.session.unlock(&workstation, true).await.unwrap();
    let page = open.search(open.gate(), "", None, 5).await.unwrap();
    assert_eq!(page.total, 4, "the cache of before");
    open.lock().await.unwrap();
    drop(pending);
    assert_eq!(workstation.people().await.unwrap().len(), 1);
    workstation.close().await.unwrap();
    // The old keys are destroyed, not only hidden.
    machine
        .by_hand(
            "CREATE TABLE check_one (x INTEGER CHECK (x = 1)) STRICT;
             INSERT INTO check_one SELECT count(*) FROM identity WHERE wrapped IS NOT NULL; DROP TABLE check_one;",
        )
        .await;
    let workstation = machine.open(&central.profile).await;
    assert_eq!(
        wrong(&workstation, &person, PASSPHRASE).await,
        "passphrase-wrong"
    );
    let session = workstation.sign_in(&person, OTHER.into()).await.unwrap();
    assert_eq!(donors(&session, &workstation, false).await, 4);

    // A second workstation, with keys and a passphrase of its own; the first goes on.
    let second = Machine::new();
    let elsewhere = second.open(&central.profile).await;
    let code = central.another_code("forgetful").await;
    let pending = elsewhere.enrol(request("forgetful", &code)).await.unwrap();
    sync::run_once(&elsewhere).await.unwrap();
    assert_eq!(donors(&pending.session, &elsewhere, true).await, 4);
    assert_eq!(donors(&session, &workstation, true).await, 4);
    assert_eq!(wrong(&elsewhere, &person, OTHER).await, "passphrase-wrong");
}

#[tokio::test]
async fn one_code_in_two_hands_the_first_registered_wins_and_the_other_loses_nothing() {
    let central = Central::start().await;
    central.seed(4).await;
    let code = central.person("shared").await;
    let (machine, other) = (Machine::new(), Machine::new());
    let (first, late) = (
        machine.open(&central.profile).await,
        other.open(&central.profile).await,
    );
    // Both sign without a network; the one that signed later is registered first.
    let pending_late = late.enrol(with("shared", &code, OTHER)).await.unwrap();
    let pending = first.enrol(request("shared", &code)).await.unwrap();
    let outcome = sync::run_once(&first).await.unwrap();
    assert_eq!(outcome.registered, std::slice::from_ref(&pending.person_id));
    let outcome = sync::run_once(&late).await.unwrap();
    assert_eq!(outcome.error.as_deref(), Some("code-used"));
    let person = pending.person_id.clone();
    let progress = late.progress(&person).await.unwrap().unwrap();
    assert!(progress.is_refused);
    assert_eq!(progress.statement_id, pending_late.statement_id, "kept");
    let code = central.another_code("shared").await;
    let again = late.enrol(with("shared", &code, OTHER)).await.unwrap();
    let outcome = sync::run_once(&late).await.unwrap();
    assert_eq!(outcome.registered, std::slice::from_ref(&person));
    assert_eq!(donors(&again.session, &late, true).await, 4);
    assert_eq!(donors(&pending.session, &first, true).await, 4);

    // On one workstation: the used code a second time changes nothing for who is enrolled.
    let used = central.another_code("shared").await;
    let third = first.enrol(with("shared", &used, OTHER)).await.unwrap();
    sync::run_once(&first).await.unwrap();
    assert_eq!(donors(&third.session, &first, true).await, 4);
    first.enrol(request("shared", &used)).await.unwrap();
    let outcome = sync::run_once(&first).await.unwrap();
    assert_eq!(outcome.error.as_deref(), Some("code-used"));
    let session = first.sign_in(&person, OTHER.into()).await.unwrap();
    assert_eq!(donors(&session, &first, false).await, 4);
    // A colleague's code in another's name.
    let code = central.person("colleague").await;
    first.enrol(request("shared", &code)).await.unwrap();
    let outcome = sync::run_once(&first).await.unwrap();
    assert_eq!(outcome.error.as_deref(), Some("code-wrong"));
    let colleague = first.enrol(request("colleague", &code)).await.unwrap();
    sync::run_once(&first).await.unwrap();
    assert_eq!(donors(&colleague.session, &first, true).await, 4);
    assert_eq!(donors(&session, &first, true).await, 4);
}
