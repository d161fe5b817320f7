//! The whole way, online and off.

use std::path::Path;

use infoblood_agreement::{cbor::Limits, transparent};
use infoblood_client::{Purpose, sync};
use infoblood_server::storage::{AuditStorage as _, Database as _};

use crate::common::{Central, Machine, PASSPHRASE, enrolled, evidence, request};

/// Every file of the data directory, as one.
pub(crate) fn bytes_of(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
        } else {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

fn contains(haystack: &[u8], text: &str) -> bool {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [text.as_bytes(), &utf16].iter().any(|needle| {
        haystack
            .windows(needle.len())
            .any(|window| window == *needle)
    })
}

#[tokio::test]
async fn the_whole_way_and_back_again_without_a_network() {
    let mut central = Central::start().await;
    central.seed(30).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    assert_eq!(workstation.waiting().await.unwrap(), 0);

    let open = session.unlock(&workstation, true).await.unwrap();
    open.choose_purpose(Purpose::Donation).await.unwrap();
    let refreshed = open.refresh().await.unwrap();
    assert!(refreshed.applied > 30, "{refreshed:?}");
    assert_eq!(refreshed.skipped, 0);
    let first = open.search(open.gate(), "", None, 20).await.unwrap();
    assert_eq!((first.total, first.rows.len()), (30, 20));
    let second = open
        .search(open.gate(), "", first.next.as_deref(), 20)
        .await
        .unwrap();
    assert_eq!((second.rows.len(), second.next.as_deref()), (10, None));
    let donor = &first.rows[3].summary;
    let by_iin = open
        .search(open.gate(), &donor.iin, None, 20)
        .await
        .unwrap();
    assert_eq!(by_iin.rows[0].summary.id, donor.id);
    // In a key `w` is ш.
    let latin = infoblood_clinical::names::search_key(&donor.family).replace('w', "sh");
    let by_name = open.search(open.gate(), &latin, None, 50).await.unwrap();
    let row = by_name
        .rows
        .iter()
        .find(|row| row.summary.id == donor.id)
        .unwrap();
    assert!(row.matched.is_some(), "typed in Latin");
    let card = open.card(open.gate(), &donor.id).await.unwrap();
    assert_eq!(card.facts.iin, donor.iin);
    assert!(card.as_of.is_some());
    assert_eq!(
        open.card(open.gate(), "d-nobody").await.unwrap_err().code(),
        "record-unknown"
    );
    let secrets: Vec<String> = first
        .rows
        .iter()
        .flat_map(|row| [row.summary.iin.clone(), row.summary.family.clone()])
        .collect();
    let donor_id = donor.id.clone();

    // Sign-in, four queries, two cards, a lock: each left an event, and each reaches the server.
    open.lock().await.unwrap();
    assert_eq!(workstation.waiting().await.unwrap(), 8);
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.sent, outcome.waiting, outcome.error), (8, 0, None));

    let mut server = central.context.database.read().await.unwrap();
    assert_eq!(
        server.audit_gaps(&workstation.device_id()).await.unwrap(),
        [],
        "the chain is whole"
    );
    drop(server);

    // After the lock no byte of a patient is readable in the data directory.
    let bytes = bytes_of(machine.path());
    for secret in secrets.iter().chain([&donor_id]) {
        assert!(!contains(&bytes, secret));
    }
    assert!(!contains(&bytes, "SQLite format 3"));

    let proof = workstation
        .proof(session.person_id())
        .await
        .unwrap()
        .unwrap();
    transparent::split(&proof.acceptance, &Limits::DEFAULT).unwrap();

    // The next launch needs the passphrase alone.
    drop((session, workstation));
    central.unplug().await;
    let workstation = machine.open(&central.profile).await;
    let people = workstation.people().await.unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].name.as_deref(), Some("Аружан Қасымова"));
    assert!(
        people[0].is_registered
            && people[0].offline_until.is_some()
            && people[0].last_sign_in.is_some()
    );
    let session = workstation
        .sign_in(&people[0].person_id, PASSPHRASE.into())
        .await
        .unwrap();
    for online in [true, false] {
        let open = session.unlock(&workstation, online).await.unwrap();
        open.choose_purpose(Purpose::Donation).await.unwrap();
        assert_eq!(
            open.card(open.gate(), &donor_id).await.unwrap().facts.id,
            donor_id
        );
        assert_eq!(
            open.refresh().await.unwrap_err().code(),
            "server-unreachable"
        );
        open.lock().await.unwrap();
    }
}

#[tokio::test]
async fn offline_it_waits_survives_a_restart_and_registers_once() {
    let mut central = Central::start().await;
    let code = central.person("aidana").await;
    let machine = Machine::new();
    central.unplug().await;
    let workstation = machine.open(&central.profile).await;
    workstation.decline(&evidence()).await.unwrap();
    assert!(workstation.is_declined().await.unwrap());
    let pending = workstation.enrol(request("aidana", &code)).await.unwrap();
    assert!(!workstation.is_declined().await.unwrap());
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(
        (outcome.is_online, outcome.waiting, outcome.error.as_deref()),
        (Some(false), 3, Some("server-unreachable"))
    );
    let progress = workstation
        .progress(&pending.person_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            progress.attempts,
            progress.error.as_deref(),
            progress.is_refused
        ),
        (1, Some("server-unreachable"), false)
    );
    assert!(progress.next_attempt_at.is_some() && progress.receipt.is_none());
    assert_eq!(
        pending
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "agreement-required"
    );

    let statement_id = pending.statement_id.clone();
    drop((pending, workstation));
    central.plug().await;
    let before = central.tree_size().await;
    let workstation = machine.open(&central.profile).await;
    sync::retry_now(&workstation).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    // Enrolment, acceptance, the earlier refusal, and the refused opening.
    assert_eq!((outcome.sent, outcome.waiting, outcome.error), (4, 0, None));
    assert_eq!(central.tree_size().await, before + 3);
    let person = workstation.people().await.unwrap().remove(0);
    let progress = workstation
        .progress(&person.person_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(progress.statement_id, statement_id);
    assert!(progress.receipt.is_some());
}

#[tokio::test]
async fn a_cache_that_is_damaged_is_filled_again() {
    let central = Central::start().await;
    central.seed(5).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "cache").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    open.lock().await.unwrap();

    let path = machine.path().join("patients.db");
    std::fs::write(&path, vec![0x55; 20_000]).unwrap();
    let open = session.unlock(&workstation, false).await.unwrap();
    assert_eq!(
        open.search(open.gate(), "", None, 10).await.unwrap().total,
        0
    );
    assert_eq!(open.data_as_of().await.unwrap(), None);
    open.lock().await.unwrap();

    // The same for the wrapped key: not without the server, and then under a new one.
    drop((session, workstation));
    machine
        .by_hand("UPDATE setting SET value = x'00' WHERE name = 'wrapped_dek'")
        .await;
    let workstation = machine.open(&central.profile).await;
    let person = workstation.people().await.unwrap().remove(0).person_id;
    let session = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap();
    assert_eq!(
        session
            .unlock(&workstation, false)
            .await
            .err()
            .unwrap()
            .code(),
        "grant-invalid"
    );
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    assert_eq!(
        open.search(open.gate(), "", None, 10).await.unwrap().total,
        5
    );
}
