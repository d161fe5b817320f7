//! Old copies put back, lost keyrings, damaged stores: recognised, set aside, begun anew.

use std::path::Path;

use infoblood_client::{PersonSession, Workstation, keyring::KeyringError, sync};
use infoblood_server::storage::{AuditStorage as _, Database as _};

use crate::common::{Central, Machine, PASSPHRASE, copy_directory, enrolled, request};

async fn open_and_lock(session: &PersonSession, workstation: &Workstation, online: bool) {
    let open = session.unlock(workstation, online).await.unwrap();
    open.lock().await.unwrap();
}

/// Enrols again on what was begun anew, and opens.
async fn works_again(central: &Central, workstation: &Workstation, login: &str) {
    let code = central.another_code(login).await;
    let pending = workstation.enrol(request(login, &code)).await.unwrap();
    let outcome = sync::run_once(workstation).await.unwrap();
    assert_eq!(outcome.registered, [pending.person_id]);
    open_and_lock(&pending.session, workstation, true).await;
    open_and_lock(&pending.session, workstation, false).await;
}

fn item(machine: &Machine) -> Option<Vec<u8>> {
    machine.keyring.0.lock().unwrap().clone()
}

fn set_item(machine: &Machine, item: Option<Vec<u8>>) {
    *machine.keyring.0.lock().unwrap() = item;
}

fn sealed(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("outbox")).unwrap().count()
}

#[tokio::test]
async fn an_old_copy_of_the_data_directory_is_set_aside_and_everything_works_again() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "copy").await;
    let device = workstation.device_id();
    open_and_lock(&session, &workstation, true).await;
    let waiting = workstation.waiting().await.unwrap();
    assert!(waiting > 0, "the access log is not sent yet");
    workstation.close().await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_directory(machine.path(), copy.path());

    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .sign_in(session.person_id(), PASSPHRASE.into())
        .await
        .unwrap();
    open_and_lock(&session, &workstation, true).await;
    drop(session);
    workstation.close().await.unwrap();

    for name in ["workstation.db", "patients.db", "outbox"] {
        let path = machine.path().join(name);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }
    copy_directory(copy.path(), machine.path());
    let before = item(&machine);
    assert_eq!(machine.refused(&central.profile).await, "store-replaced");
    assert_eq!(item(&machine), before);
    for name in ["workstation", "patients"] {
        let aside = machine.path().join(format!("{name}.quarantine-0.db"));
        let copied = copy.path().join(format!("{name}.db"));
        assert_eq!(
            std::fs::read(aside).unwrap(),
            std::fs::read(copied).unwrap()
        );
        assert!(!machine.path().join(format!("{name}.db")).exists());
    }
    // Nobody begins anew by starting again.
    assert_eq!(machine.refused(&central.profile).await, "store-replaced");
    assert_eq!(item(&machine), before);

    let workstation = machine.start_anew(&central.profile).await;
    assert!(workstation.people().await.unwrap().is_empty());
    assert_ne!(
        workstation.device_id(),
        device,
        "its chains begin anew, so it is another device"
    );
    // What was sealed before is still delivered; what the server has is a duplicate to it.
    assert_eq!(workstation.waiting().await.unwrap(), waiting);
    works_again(&central, &workstation, "copy").await;
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    assert_eq!(sealed(machine.path()), 0);
    workstation.close().await.unwrap();
    machine.open(&central.profile).await.close().await.unwrap();

    // The copy once more, over the new store.
    std::fs::remove_file(machine.path().join("workstation.db")).unwrap();
    copy_directory(copy.path(), machine.path());
    assert_eq!(machine.refused(&central.profile).await, "store-replaced");
    assert!(machine.path().join("workstation.quarantine-1.db").exists());
}

#[tokio::test]
async fn a_crash_between_store_and_keyring_is_no_old_copy() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "between").await;
    open_and_lock(&session, &workstation, true).await;
    let behind = item(&machine);
    open_and_lock(&session, &workstation, true).await;
    let ahead = item(&machine);
    assert_ne!(behind, ahead, "a grant raises the generation");
    drop(session);
    workstation.close().await.unwrap();

    set_item(&machine, behind);
    let workstation = machine.open(&central.profile).await;
    assert_eq!(item(&machine), ahead, "the keyring follows the store");
    workstation.close().await.unwrap();
    machine.open(&central.profile).await;
}

#[tokio::test]
async fn a_keyring_that_cannot_be_written_leaves_a_usable_workstation() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "unwritable").await;
    open_and_lock(&session, &workstation, true).await;
    let before = item(&machine);
    *machine.keyring.1.lock().unwrap() = Some(KeyringError::Locked);
    for _ in 0..3 {
        open_and_lock(&session, &workstation, true).await;
    }
    assert_eq!(item(&machine), before);
    drop(session);
    workstation.close().await.unwrap();

    // However often it failed, the store is one step ahead at most; later the keyring follows.
    *machine.keyring.1.lock().unwrap() = None;
    let workstation = machine.open(&central.profile).await;
    assert_ne!(item(&machine), before);
    let person = workstation.people().await.unwrap().remove(0).person_id;
    let session = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
    open_and_lock(&session, &workstation, false).await;
}

#[tokio::test]
async fn a_keyring_that_appears_late_finds_everything_as_it_was() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "late").await;
    open_and_lock(&session, &workstation, true).await;
    let person = session.person_id().to_owned();
    drop(session);
    workstation.close().await.unwrap();
    let kept = item(&machine);

    *machine.keyring.1.lock().unwrap() = Some(KeyringError::Missing);
    assert_eq!(machine.refused(&central.profile).await, "keyring-missing");
    *machine.keyring.1.lock().unwrap() = None;
    set_item(&machine, None);
    assert_eq!(machine.refused(&central.profile).await, "keyring-lost");
    assert_eq!(item(&machine), None, "no new keys over a live store");
    set_item(&machine, kept);
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
    open_and_lock(&session, &workstation, false).await;
}

#[tokio::test]
async fn a_lost_keyring_and_a_damaged_store_begin_anew_and_lose_no_sealed_item() {
    for damage in ["keyring-lost", "store-corrupt"] {
        let central = Central::start().await;
        let machine = Machine::new();
        let (workstation, session) = enrolled(&central, &machine, "lost").await;
        open_and_lock(&session, &workstation, true).await;
        let (waiting, device) = (
            workstation.waiting().await.unwrap(),
            workstation.device_id(),
        );
        drop(session);
        workstation.close().await.unwrap();
        let path = machine.path().join("workstation.db");
        if damage == "keyring-lost" {
            set_item(&machine, None);
        } else {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[40..400].fill(0x55);
            std::fs::write(&path, bytes).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        let refused = machine
            .open_with(&central.profile, Machine::options())
            .await
            .err()
            .unwrap();
        assert_eq!(refused.code(), damage);
        assert!(refused.can_start_anew());
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "as it was");

        let workstation = machine.start_anew(&central.profile).await;
        let aside = machine.path().join("workstation.quarantine-0.db");
        assert_eq!(std::fs::read(aside).unwrap(), bytes, "set aside");
        assert!(machine.path().join("patients.quarantine-0.db").exists());
        assert_ne!(workstation.device_id(), device);
        assert_eq!(workstation.waiting().await.unwrap(), waiting);
        works_again(&central, &workstation, "lost").await;
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!((outcome.waiting, outcome.error), (0, None));
        let mut server = central.context.database.read().await.unwrap();
        for device in [&device, &workstation.device_id()] {
            assert!(server.last_audit_sequence(device).await.unwrap() > 0);
            // Sealed items say nothing of their order: a gap may open on the way, and is closed.
            let gaps = server.audit_gaps(device).await.unwrap();
            assert!(gaps.iter().all(|gap| gap.closed_at.is_some()), "{gaps:?}");
        }
    }
}

#[tokio::test]
async fn what_opens_is_not_begun_anew_and_a_store_that_is_gone_is() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "well").await;
    open_and_lock(&session, &workstation, true).await;
    let device = workstation.device_id();
    drop(session);
    workstation.close().await.unwrap();
    let workstation = machine.start_anew(&central.profile).await;
    assert_eq!(workstation.device_id(), device);
    assert_eq!(workstation.people().await.unwrap().len(), 1);
    workstation.close().await.unwrap();

    // Another process holds it; a keyring gives no answer: neither is a reason to begin anew.
    let workstation = machine.open(&central.profile).await;
    let again = Workstation::start_anew(
        machine.path(),
        &central.profile,
        machine.keyring.clone(),
        machine.clock.clone(),
        Machine::options(),
    );
    assert_eq!(again.await.err().unwrap().code(), "already-running");
    workstation.close().await.unwrap();
    *machine.keyring.1.lock().unwrap() = Some(KeyringError::Timeout);
    let again = Workstation::start_anew(
        machine.path(),
        &central.profile,
        machine.keyring.clone(),
        machine.clock.clone(),
        Machine::options(),
    );
    let refused = again.await.err().unwrap();
    assert_eq!(refused.code(), "keyring-timeout");
    assert!(!refused.can_start_anew());
    *machine.keyring.1.lock().unwrap() = None;

    // Somebody emptied the directory: nothing to ask about, but another device.
    std::fs::remove_file(machine.path().join("workstation.db")).unwrap();
    let workstation = machine.open(&central.profile).await;
    assert_ne!(workstation.device_id(), device);
    assert!(machine.path().join("patients.quarantine-0.db").exists());
    works_again(&central, &workstation, "well").await;
}
