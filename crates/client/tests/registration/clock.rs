//! A local clock that jumps, runs behind or ahead: recorded, refused with a clear word, and never the end of a workstation.

use std::sync::atomic::Ordering;

use infoblood_client::{Jump, keyring::KeyringError, sync};

use crate::common::{Central, Machine, PASSPHRASE, enrolled};

const YEAR: i64 = 365 * 24 * 3600;

fn set(machine: &Machine, seconds: i64) {
    machine.clock.0.store(seconds, Ordering::SeqCst);
}

#[tokio::test]
async fn jumps_are_recorded_once_and_a_night_is_none() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "jumps").await;
    sync::run_once(&workstation).await.unwrap();
    let waiting = workstation.waiting().await.unwrap();
    assert_eq!(workstation.watch_clock().await.unwrap(), None);

    set(&machine, -3600);
    assert_eq!(workstation.watch_clock().await.unwrap(), Some(Jump::Back));
    assert_eq!(workstation.watch_clock().await.unwrap(), None);
    set(&machine, 3600);
    assert_eq!(
        workstation.watch_clock().await.unwrap(),
        Some(Jump::Forward)
    );
    // Switched to sleep: both clocks go on.
    set(&machine, 10 * 3600);
    machine.clock.1.store(9 * 3600, Ordering::SeqCst);
    assert_eq!(workstation.watch_clock().await.unwrap(), None);
    assert_eq!(workstation.waiting().await.unwrap(), waiting + 2);
    drop(session);
    workstation.close().await.unwrap();

    // While the process was not there.
    set(&machine, 0);
    let workstation = machine.open(&central.profile).await;
    assert_eq!(workstation.waiting().await.unwrap(), waiting + 3);
    assert_eq!(workstation.watch_clock().await.unwrap(), None);
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
}

#[tokio::test]
async fn a_clock_a_year_ahead_says_so_and_bricks_nothing_when_it_is_put_right() {
    let mut central = Central::start().await;
    central.seed(3).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "ahead").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();

    set(&machine, YEAR);
    let renewed = session.unlock(&workstation, true).await.err().unwrap();
    assert_eq!(renewed.code(), "clock-ahead");
    open.refresh().await.unwrap();
    open.lock().await.unwrap();
    central.unplug().await;
    let stored = session.unlock(&workstation, false).await.err().unwrap();
    assert_eq!(stored.code(), "grant-expired");
    // Everything that is put off is put off by the wrong clock.
    for _ in 0..4 {
        sync::run_once(&workstation).await.unwrap();
        let wrong = workstation
            .sign_in(session.person_id(), "not the passphrase".into())
            .await;
        assert!(wrong.is_err());
    }
    assert!(workstation.waiting().await.unwrap() > 0);
    assert!(workstation.time_floor() < workstation_time(&machine));
    let person = session.person_id().to_owned();
    drop(session);
    workstation.close().await.unwrap();

    set(&machine, 0);
    central.plug().await;
    let workstation = machine.open(&central.profile).await;
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None), "due at once");
    let wait = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap_err()
        .retry_after()
        .unwrap();
    assert!(wait.as_secs() <= 15 * 60);
    set(&machine, 15 * 60 + 1);
    let session = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    let as_of = open.data_as_of().await.unwrap().unwrap();
    assert!(as_of.as_second() <= workstation_time(&machine));
    let page = open.search(open.gate(), "", None, 5).await.unwrap();
    assert_eq!(page.total, 3);
    open.lock().await.unwrap();
    session
        .unlock(&workstation, false)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
}

fn workstation_time(machine: &Machine) -> i64 {
    infoblood_client::clock::Clock::now(machine.clock.as_ref()).as_second()
}

#[tokio::test]
async fn a_clock_behind_is_named_until_it_is_put_right() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "behind").await;
    session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
    assert_eq!(workstation.clock_behind_until(), None);
    set(&machine, -YEAR);
    for online in [true, false] {
        let refused = session.unlock(&workstation, online).await.err().unwrap();
        assert_eq!(refused.code(), "clock-behind");
    }
    let until = workstation.clock_behind_until().unwrap();
    assert_eq!(until.as_second(), workstation.time_floor());
    let person = session.person_id().to_owned();
    drop(session);
    workstation.close().await.unwrap();
    // It starts, and signs in; only the data stay closed.
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
    assert!(session.unlock(&workstation, false).await.is_err());
    set(&machine, 0);
    session.unlock(&workstation, false).await.unwrap();
    assert_eq!(workstation.clock_behind_until(), None);
}

#[tokio::test]
async fn a_clock_behind_before_the_first_contact_keeps_nobody_from_signing() {
    let central = Central::start().await;
    let machine = Machine::new();
    set(&machine, -YEAR);
    let (workstation, session) = enrolled(&central, &machine, "early").await;
    let refused = session.unlock(&workstation, true).await.err().unwrap();
    assert_eq!(refused.code(), "clock-behind");
    set(&machine, 0);
    session.unlock(&workstation, true).await.unwrap();
}

/// Everybody would be locked out for a year, long after the mistake was found.
#[tokio::test]
async fn a_server_that_was_a_year_ahead_bricks_nobody_when_it_is_put_right() {
    let central = Central::start().await;
    central.seed(3).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "wrong-server").await;
    session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();

    central.clock.0.store(YEAR, Ordering::SeqCst);
    let refused = session.unlock(&workstation, true).await.err().unwrap();
    assert_eq!(refused.code(), "clock-behind");
    assert!(workstation.time_floor() > workstation_time(&machine) + YEAR / 2);

    central.clock.0.store(0, Ordering::SeqCst);
    // Nothing of this machine's own takes it back.
    let refused = session.unlock(&workstation, false).await.err().unwrap();
    assert_eq!(refused.code(), "clock-behind");
    // The server's word of now does, also where the keyring cannot be written at that moment, and across a restart.
    *machine.keyring.1.lock().unwrap() = Some(KeyringError::Locked);
    let open = session.unlock(&workstation, true).await.unwrap();
    open.lock().await.unwrap();
    *machine.keyring.1.lock().unwrap() = None;
    let person = session.person_id().to_owned();
    drop(session);
    workstation.close().await.unwrap();
    let workstation = machine.open(&central.profile).await;
    assert_eq!(workstation.clock_behind_until(), None);
    let session = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
    for online in [true, false] {
        let open = session.unlock(&workstation, online).await.unwrap();
        open.lock().await.unwrap();
    }
}
