//! What is refused: codes, passphrases, time, revocation, a store changed by hand, a start.

use std::sync::atomic::Ordering;

use infoblood_agreement::profile::DeviceApproval;
use infoblood_client::{keyring::KeyringError, sync};
use infoblood_server::service::administration;

use crate::common::{Central, Machine, PASSPHRASE, enrolled, request};

#[tokio::test]
async fn codes_and_passphrases_that_are_not_right() {
    let central = Central::start().await;
    let code = central.person("dana").await;
    let other = central.person("other").await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let typo = format!("{}0", &code[..code.len() - 1]);
    let typo = if typo == code {
        format!("{}1", &code[..code.len() - 1])
    } else {
        typo
    };
    assert_eq!(
        workstation
            .enrol(request("dana", &typo))
            .await
            .unwrap_err()
            .code(),
        "code-mistyped"
    );
    for (passphrase, wanted) in [
        ("short", "passphrase-short"),
        ("password1234", "passphrase-weak"),
        ("dana гроза над степью", "passphrase-has-login"),
    ] {
        let mut request = request("dana", &code);
        request.passphrase = passphrase.into();
        assert_eq!(workstation.enrol(request).await.unwrap_err().code(), wanted);
    }
    assert_eq!(workstation.waiting().await.unwrap(), 0);

    // Somebody else's code: refused for good, and the right one still works.
    let pending = workstation.enrol(request("dana", &other)).await.unwrap();
    assert_eq!(
        sync::run_once(&workstation).await.unwrap().error.as_deref(),
        Some("code-wrong")
    );
    let progress = workstation
        .progress(&pending.person_id)
        .await
        .unwrap()
        .unwrap();
    assert!(progress.is_refused && progress.next_attempt_at.is_none());
    let pending = workstation.enrol(request("dana", &code)).await.unwrap();
    let registered = sync::run_once(&workstation).await.unwrap().registered;
    assert_eq!(registered, std::slice::from_ref(&pending.person_id));
    pending
        .session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();

    // The code again, on another machine.
    let second = Machine::new();
    let elsewhere = second.open(&central.profile).await;
    let late = elsewhere.enrol(request("dana", &code)).await.unwrap();
    assert_eq!(
        sync::run_once(&elsewhere).await.unwrap().error.as_deref(),
        Some("code-used")
    );
    assert_eq!(
        elsewhere
            .progress(&late.person_id)
            .await
            .unwrap()
            .unwrap()
            .error
            .as_deref(),
        Some("code-used")
    );

    // Wrong passphrases: the third costs time, also after a restart, and each leaves an event.
    let before = workstation.waiting().await.unwrap();
    for _ in 0..3 {
        let error = workstation
            .sign_in(&pending.person_id, "not the passphrase".into())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "passphrase-wrong");
    }
    assert_eq!(workstation.waiting().await.unwrap(), before + 3);
    // A wait long enough for a slow machine.
    for seconds in [40, 80, 120, 160] {
        machine.clock.0.store(seconds, Ordering::SeqCst);
        let wrong = workstation.sign_in(&pending.person_id, "nor this".into());
        assert_eq!(wrong.await.unwrap_err().code(), "passphrase-wrong");
    }
    drop((pending, workstation));
    let workstation = machine.open(&central.profile).await;
    let person = workstation.people().await.unwrap().remove(0).person_id;
    let error = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "passphrase-wait");
    assert!(error.retry_after().is_some());
    machine.clock.0.store(160 + 33, Ordering::SeqCst);
    workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_device_waits_for_its_approval_and_a_revoked_person_loses_the_keys() {
    let central = Central::start_with(DeviceApproval::Manual).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "approval").await;
    assert_eq!(
        session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "device-pending"
    );
    administration::approve_device(&central.context, &workstation.device_id())
        .await
        .unwrap();
    session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();

    administration::revoke_person(&central.context, "approval")
        .await
        .unwrap();
    assert_eq!(
        session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "person-revoked"
    );
    assert!(workstation.people().await.unwrap()[0].is_revoked);
    let error = workstation
        .sign_in(session.person_id(), PASSPHRASE.into())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "person-revoked");
    assert!(
        session.unlock(&workstation, false).await.is_err(),
        "the grant went with the keys"
    );
}

#[tokio::test]
async fn time_that_runs_out_or_back_closes_the_gate() {
    let central = Central::start().await;
    central.seed(2).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "time").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    assert!(workstation.time_floor() > 0);
    machine.clock.0.store(-3600, Ordering::SeqCst);
    assert_eq!(
        open.search(open.gate(), "", None, 5)
            .await
            .unwrap_err()
            .code(),
        "clock-behind"
    );
    assert_eq!(
        session
            .unlock(&workstation, false)
            .await
            .err()
            .unwrap()
            .code(),
        "clock-behind"
    );
    machine.clock.0.store(38 * 24 * 3600, Ordering::SeqCst);
    let before = workstation.waiting().await.unwrap();
    assert_eq!(
        open.search(open.gate(), "", None, 5)
            .await
            .unwrap_err()
            .code(),
        "grant-expired"
    );
    assert_eq!(
        session
            .unlock(&workstation, false)
            .await
            .err()
            .unwrap()
            .code(),
        "grant-expired"
    );
    assert_eq!(
        workstation.waiting().await.unwrap(),
        before + 2,
        "refusals are recorded"
    );
}

#[tokio::test]
async fn no_row_of_the_store_is_the_gate() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "first").await;
    session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
    let code = central.person("second").await;
    let second = workstation.enrol(request("second", &code)).await.unwrap();
    let second_id = second.person_id.clone();
    let first_id = session.person_id().to_owned();
    drop((session, second, workstation));

    let columns = "receipt = (SELECT receipt FROM statement WHERE receipt IS NOT NULL AND kind = s.kind LIMIT 1), verified_at = 1, registered_at = 1, tree_size = 9, leaf_index = 1";
    let grant =
        "INSERT OR REPLACE INTO grant_message SELECT '{id}', bytes, received_at FROM grant_message";
    machine
        .by_hand(&format!(
            "UPDATE statement AS s SET {columns} WHERE receipt IS NULL; {}",
            grant.replace("{id}", &second_id)
        ))
        .await;
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .sign_in(&second_id, PASSPHRASE.into())
        .await
        .unwrap();
    assert_eq!(
        session
            .unlock(&workstation, false)
            .await
            .err()
            .unwrap()
            .code(),
        "agreement-required"
    );
    drop((session, workstation));

    // The whole of the first person's rows under the second one's name: the keys are not the ones that accepted.
    machine
        .by_hand(&format!(
            "UPDATE statement SET identity = (SELECT max(id) FROM identity) WHERE identity = 1 AND kind IN ('enrolment', 'acceptance');
             DELETE FROM statement WHERE identity = 2 AND id NOT IN (SELECT id FROM statement WHERE created_at = (SELECT min(created_at) FROM statement));
             {}",
            grant.replace("{id}", &second_id)
        ))
        .await;
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .sign_in(&second_id, PASSPHRASE.into())
        .await
        .unwrap();
    assert!(session.unlock(&workstation, false).await.is_err());
    drop((session, workstation));

    // The first person, without receipts.
    machine
        .by_hand("UPDATE statement SET identity = 1, receipt = NULL")
        .await;
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .sign_in(&first_id, PASSPHRASE.into())
        .await
        .unwrap();
    assert_eq!(
        session
            .unlock(&workstation, false)
            .await
            .err()
            .unwrap()
            .code(),
        "agreement-required"
    );
    drop((session, workstation));

    // A floor put back by hand, which is also what an older copy of the store looks like.
    machine
        .by_hand("UPDATE setting SET value = zeroblob(8) WHERE name = 'time_floor'")
        .await;
    let error = machine
        .open_with(&central.profile, Machine::options())
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), "store-replaced");
}

#[tokio::test]
async fn starts_that_are_refused_change_nothing() {
    let central = Central::start().await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let second = machine
        .open_with(&central.profile, Machine::options())
        .await
        .err()
        .unwrap();
    assert_eq!(second.code(), "already-running");
    drop(workstation);

    let other = Central::start().await;
    assert_eq!(
        machine
            .open_with(&other.profile, Machine::options())
            .await
            .err()
            .unwrap()
            .code(),
        "profile-other-server"
    );

    for (error, code) in [
        (KeyringError::Missing, "keyring-missing"),
        (KeyringError::Locked, "keyring-locked"),
        (KeyringError::Timeout, "keyring-timeout"),
    ] {
        *machine.keyring.1.lock().unwrap() = Some(error);
        assert_eq!(
            machine
                .open_with(&central.profile, Machine::options())
                .await
                .err()
                .unwrap()
                .code(),
            code
        );
    }
    *machine.keyring.1.lock().unwrap() = None;
    let item = machine.keyring.0.lock().unwrap().take();
    assert_eq!(
        machine
            .open_with(&central.profile, Machine::options())
            .await
            .err()
            .unwrap()
            .code(),
        "keyring-lost"
    );
    assert_eq!(
        *machine.keyring.0.lock().unwrap(),
        None,
        "no new keys over a live store"
    );
    *machine.keyring.0.lock().unwrap() = item;
    machine.open(&central.profile).await;
}
