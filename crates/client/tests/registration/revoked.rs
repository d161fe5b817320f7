//! What the server takes back is destroyed here: tried with copies of all files, the keyring's item and the right passphrase.

use infoblood_agreement::vault::WorkstationKeys;
use infoblood_client::{PersonSession, Revocation, Workstation, keyring::KeyringError, sync};
use infoblood_server::service::administration;

use crate::common::{Central, Machine, PASSPHRASE, enrolled, request};

async fn opens(session: &PersonSession, workstation: &Workstation, online: bool) {
    let open = session.unlock(workstation, online).await.unwrap();
    open.search(open.gate(), "", None, 5).await.unwrap();
    open.lock().await.unwrap();
}

async fn refused(session: &PersonSession, workstation: &Workstation, online: bool) -> &'static str {
    let opened = session.unlock(workstation, online).await;
    opened.err().unwrap().code()
}

async fn sign_in(workstation: &Workstation, person_id: &str) -> Result<PersonSession, String> {
    let opened = workstation.sign_in(person_id, PASSPHRASE.into()).await;
    opened.map_err(|error| error.code().to_owned())
}

async fn all_is_sent(workstation: &Workstation) {
    sync::retry_now(workstation).await.unwrap();
    let outcome = sync::run_once(workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
}

/// Both people of one workstation, each with an own session.
async fn two(central: &Central, machine: &Machine) -> (Workstation, PersonSession, PersonSession) {
    let (workstation, first) = enrolled(central, machine, "first").await;
    let code = central.person("second").await;
    let second = workstation.enrol(request("second", &code)).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    opens(&first, &workstation, true).await;
    opens(&second.session, &workstation, true).await;
    (workstation, first, second.session)
}

#[tokio::test]
async fn a_revoked_persons_keys_are_gone_and_colleagues_work_on() {
    let mut central = Central::start().await;
    central.seed(2).await;
    let machine = Machine::new();
    let (workstation, first, second) = two(&central, &machine).await;
    let before = machine.copy(None);
    assert!(workstation.waiting().await.unwrap() > 0);

    administration::revoke_person(&central.context, "first")
        .await
        .unwrap();
    assert_eq!(refused(&first, &workstation, true).await, "person-revoked");
    assert_eq!(refused(&first, &workstation, false).await, "person-revoked");
    all_is_sent(&workstation).await;
    central.unplug().await;
    opens(&second, &workstation, true).await;
    opens(&second, &workstation, false).await;
    let people = workstation.people().await.unwrap();
    let listed: Vec<_> = people
        .iter()
        .map(|person| (person.login.as_str(), person.is_revoked))
        .collect();
    assert_eq!(listed, [("second", false), ("first", true)]);
    // The evidence stays.
    let proof = workstation.proof(first.person_id()).await.unwrap();
    assert!(proof.is_some());

    let (first, second) = (first.person_id().to_owned(), second.person_id().to_owned());
    workstation.close().await.unwrap();
    let after = machine.copy(machine.item());
    let workstation = after.open(&central.profile).await;
    assert_eq!(
        sign_in(&workstation, &first).await.unwrap_err(),
        "person-revoked"
    );
    let session = sign_in(&workstation, &second).await.unwrap();
    opens(&session, &workstation, false).await;
    // The files of before, with the keyring of now.
    *before.keyring.0.lock().unwrap() = machine.item();
    assert_eq!(before.refused(&central.profile).await, "store-replaced");
}

#[tokio::test]
async fn a_refused_statement_tells_it_too_and_an_open_cache_is_closed() {
    let central = Central::start().await;
    central.seed(2).await;
    let machine = Machine::new();
    let (workstation, first, second) = two(&central, &machine).await;
    let open = first.unlock(&workstation, true).await.unwrap();
    let code = central.another_code("first").await;
    administration::revoke_person(&central.context, "first")
        .await
        .unwrap();
    // Nobody unlocks: only what waits is sent.
    workstation.enrol(request("first", &code)).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.error.as_deref(), Some("person-revoked"));
    let closed = open.search(open.gate(), "", None, 5).await.unwrap_err();
    assert_eq!(closed.code(), "person-revoked");
    assert_eq!(open.refresh().await.unwrap_err().code(), "person-revoked");
    open.lock().await.unwrap();
    assert_eq!(
        sign_in(&workstation, first.person_id()).await.unwrap_err(),
        "person-revoked"
    );

    // Of a person whom nobody knows, and again: nothing changes.
    let item = machine.item();
    for person in [first.person_id(), &"e".repeat(32)] {
        workstation
            .apply_revocation(Revocation::Person(person))
            .await
            .unwrap();
    }
    assert_eq!(machine.item(), item);
    let open = second.unlock(&workstation, false).await.unwrap();
    // A colleague's revocation closes nothing of others.
    workstation
        .apply_revocation(Revocation::Person(first.person_id()))
        .await
        .unwrap();
    open.search(open.gate(), "", None, 5).await.unwrap();
}

fn database_key(item: Option<Vec<u8>>) -> [u8; 32] {
    *WorkstationKeys::from_item(&item.unwrap())
        .unwrap()
        .database_key()
}

#[tokio::test]
async fn a_wiped_device_opens_nothing_with_whatever_copies_and_sends_what_waits() {
    let central = Central::start().await;
    central.seed(2).await;
    let machine = Machine::new();
    let (workstation, first, second) = two(&central, &machine).await;
    let device = workstation.device_id();
    workstation.close().await.unwrap();
    let before = machine.copy(machine.item());
    let workstation = machine.open(&central.profile).await;
    let first_id = first.person_id().to_owned();
    let first = sign_in(&workstation, &first_id).await.unwrap();
    let waiting = workstation.waiting().await.unwrap();
    assert!(waiting > 0);

    // While a colleague has the cache open.
    let open = second.unlock(&workstation, false).await.unwrap();
    administration::revoke_device(&central.context, &device)
        .await
        .unwrap();
    assert_eq!(refused(&first, &workstation, true).await, "device-revoked");
    assert!(workstation.is_revoked().await.unwrap());
    let closed = open.search(open.gate(), "", None, 5).await.unwrap_err();
    assert_eq!(closed.code(), "device-revoked");
    open.lock().await.unwrap();
    for name in ["patients.db", "patients.db-wal", "workstation.rewrite.db"] {
        assert!(!machine.path().join(name).exists(), "{name}");
    }
    assert_ne!(
        database_key(machine.item()),
        database_key(before.item()),
        "S is another"
    );
    for session in [&first, &second] {
        for online in [true, false] {
            assert_eq!(
                refused(session, &workstation, online).await,
                "device-revoked"
            );
        }
        let refused = sign_in(&workstation, session.person_id()).await;
        assert_eq!(refused.unwrap_err(), "device-revoked");
    }
    let people = workstation.people().await.unwrap();
    assert!(people.len() == 2 && people.iter().all(|person| person.is_revoked));
    let code = central.another_code("first").await;
    let enrolled = workstation.enrol(request("first", &code)).await;
    assert_eq!(enrolled.unwrap_err().code(), "device-revoked");
    assert_eq!(workstation.device_id(), device);
    all_is_sent(&workstation).await;
    assert!(workstation.proof(&first_id).await.unwrap().is_some());
    workstation.close().await.unwrap();

    // All files of before with the keyring of now, and the other way round.
    let stale = before.copy(machine.item());
    assert_eq!(stale.refused(&central.profile).await, "store-corrupt");
    let stale = machine.copy(before.item());
    assert_eq!(stale.refused(&central.profile).await, "store-corrupt");
    // All of now.
    let now = machine.copy(machine.item());
    let workstation = now.open(&central.profile).await;
    assert_eq!(
        sign_in(&workstation, &first_id).await.unwrap_err(),
        "device-revoked"
    );
    drop(workstation);

    // The machine may serve again, as another device, with a new code.
    let workstation = machine.start_anew(&central.profile).await;
    assert_ne!(workstation.device_id(), device);
    let pending = workstation.enrol(request("first", &code)).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.registered, [first_id]);
    opens(&pending.session, &workstation, true).await;
}

#[tokio::test]
async fn a_wipe_that_is_cut_short_comes_to_its_end_at_the_next_start() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "cut").await;
    opens(&session, &workstation, true).await;
    let person = session.person_id().to_owned();
    drop(session);
    workstation.close().await.unwrap();
    let before = machine.copy(machine.item());

    // The keyring cannot be written: all that opens anything is gone already, S follows later.
    let workstation = machine.open(&central.profile).await;
    *machine.keyring.1.lock().unwrap() = Some(KeyringError::Locked);
    workstation
        .apply_revocation(Revocation::Device)
        .await
        .unwrap();
    assert!(!machine.path().join("patients.db").exists());
    assert_eq!(
        sign_in(&workstation, &person).await.unwrap_err(),
        "device-revoked"
    );
    workstation.close().await.unwrap();
    assert_eq!(machine.item(), before.item());
    *machine.keyring.1.lock().unwrap() = None;
    machine.open(&central.profile).await.close().await.unwrap();
    let after = machine.item();
    assert_ne!(database_key(after.clone()), database_key(before.item()));
    machine.open(&central.profile).await.close().await.unwrap();
    assert_eq!(machine.item(), after, "once");

    // The process ended between the keyring and the file: the rewritten store takes its place.
    let at = |name: &str| machine.path().join(name);
    std::fs::rename(at("workstation.db"), at("workstation.rewrite.db")).unwrap();
    std::fs::copy(before.path().join("workstation.db"), at("workstation.db")).unwrap();
    std::fs::write(at("workstation.db-wal"), "a log of the old store").unwrap();
    let workstation = machine.open(&central.profile).await;
    assert_eq!(
        sign_in(&workstation, &person).await.unwrap_err(),
        "device-revoked"
    );
    workstation.close().await.unwrap();
    assert!(!at("workstation.rewrite.db").exists());

    // Before the keyring: what was written beside goes.
    std::fs::copy(
        before.path().join("workstation.db"),
        at("workstation.rewrite.db"),
    )
    .unwrap();
    let workstation = machine.open(&central.profile).await;
    assert!(workstation.is_revoked().await.unwrap());
    assert!(!at("workstation.rewrite.db").exists());
}
