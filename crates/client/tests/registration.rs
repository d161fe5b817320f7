//! From signing to an open donor card, against a real server, with crashes, bad networks and bad answers on the way.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::{Central, Fault, Machine, PASSPHRASE, evidence, request};
use infoblood_agreement::{cbor::Limits, profile::DeviceApproval, transparent};
use infoblood_client::{
    Options, PersonSession, Workstation,
    disk::{Disk, RealDisk},
    keyring::KeyringError,
    sync,
};
use infoblood_server::service::administration;

async fn enrolled(
    central: &Central,
    machine: &Machine,
    login: &str,
) -> (Workstation, PersonSession) {
    let code = central.person(login).await;
    let workstation = machine.open(&central.profile).await;
    let pending = workstation.enrol(request(login, &code)).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.registered, [pending.person_id]);
    (workstation, pending.session)
}

/// Every file of the data directory, as one.
fn bytes_of(dir: &Path) -> Vec<u8> {
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
    let latin = infoblood_clinical::names::search_key(&donor.family);
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
        "patient-locked"
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

/// Fails every operation from the n-th on: as if the process, or the disk, ended there.
struct DyingDisk {
    left: AtomicUsize,
    error: io::ErrorKind,
}

impl DyingDisk {
    fn step(&self) -> io::Result<()> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return Err(self.error.into());
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Disk for DyingDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step() {
            // What a disk that ends leaves: the first half.
            std::fs::write(path, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        RealDisk.write(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        RealDisk.rename(from, to)
    }
}

#[tokio::test]
async fn a_crash_at_any_step_of_signing_leads_to_one_registration_or_none() {
    let central = Central::start().await;
    // Two files: write, write, (commit,) rename, rename.
    for steps in 0..=4 {
        let login = format!("crash-{steps}");
        let code = central.person(&login).await;
        let machine = Machine::new();
        let disk = Arc::new(DyingDisk {
            left: AtomicUsize::new(steps),
            error: io::ErrorKind::Other,
        });
        let options = Options {
            disk,
            ..Machine::options()
        };
        let workstation = machine.open_with(&central.profile, options).await.unwrap();
        let told = workstation.enrol(request(&login, &code)).await.is_ok();
        assert_eq!(told, steps == 4);
        drop(workstation);

        let before = central.tree_size().await;
        let workstation = machine.open(&central.profile).await;
        let is_kept = steps >= 2;
        assert_eq!(
            workstation.waiting().await.unwrap(),
            if is_kept { 2 } else { 0 },
            "step {steps}"
        );
        for _ in 0..2 {
            sync::run_once(&workstation).await.unwrap();
        }
        assert_eq!(
            central.tree_size().await - before,
            if is_kept { 2 } else { 0 },
            "step {steps}"
        );
        assert_eq!(
            workstation.people().await.unwrap().len(),
            usize::from(is_kept)
        );
        assert_eq!(
            std::fs::read_dir(machine.path().join("outbox"))
                .unwrap()
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn a_full_disk_while_signing_leaves_nothing_half_done() {
    let central = Central::start().await;
    let code = central.person("full").await;
    let machine = Machine::new();
    for steps in 0..2 {
        let disk = Arc::new(DyingDisk {
            left: AtomicUsize::new(steps),
            error: io::ErrorKind::StorageFull,
        });
        let workstation = machine
            .open_with(
                &central.profile,
                Options {
                    disk,
                    ..Machine::options()
                },
            )
            .await
            .unwrap();
        assert_eq!(
            workstation
                .enrol(request("full", &code))
                .await
                .unwrap_err()
                .code(),
            "disk-full"
        );
        assert_eq!(workstation.waiting().await.unwrap(), 0);
        assert!(workstation.people().await.unwrap().is_empty());
        assert_eq!(
            std::fs::read_dir(machine.path().join("outbox"))
                .unwrap()
                .count(),
            0
        );
    }
    let workstation = machine.open(&central.profile).await;
    workstation.enrol(request("full", &code)).await.unwrap();
    assert_eq!(sync::run_once(&workstation).await.unwrap().sent, 2);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_doubles_nothing() {
    let central = Central::start().await;
    for path in ["/v1/enrolments", "/entries"] {
        let login = format!("lost-{}", path.len());
        let code = central.person(&login).await;
        let machine = Machine::new();
        let workstation = machine.open(&central.profile).await;
        workstation.enrol(request(&login, &code)).await.unwrap();
        let before = central.tree_size().await;
        central.fault(path, Fault::Break(10));
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!(outcome.error.as_deref(), Some("server-truncated"));
        drop(workstation);
        central.honest();
        let workstation = machine.open(&central.profile).await;
        sync::retry_now(&workstation).await.unwrap();
        assert_eq!(sync::run_once(&workstation).await.unwrap().waiting, 0);
        assert_eq!(central.tree_size().await, before + 2);
    }
}

#[tokio::test]
async fn receipts_that_do_not_verify_are_not_kept() {
    let central = Central::start().await;
    let code = central.person("receipt").await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let pending = workstation.enrol(request("receipt", &code)).await.unwrap();
    let other = Central::start().await;
    let other_code = other.person("receipt").await;
    let other_machine = Machine::new();
    let other_station = other_machine.open(&other.profile).await;
    let other_pending = other_station
        .enrol(request("receipt", &other_code))
        .await
        .unwrap();
    sync::run_once(&other_station).await.unwrap();
    let foreign = other_station
        .proof(&other_pending.person_id)
        .await
        .unwrap()
        .unwrap();
    let foreign = transparent::split(&foreign.enrolment, &Limits::DEFAULT)
        .unwrap()
        .receipt;

    let changes: Vec<(&str, Fault)> = vec![
        (
            "a bit of the signature",
            Fault::Change(Arc::new(|mut bytes| {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                bytes
            })),
        ),
        (
            "a bit in the middle",
            Fault::Change(Arc::new(|mut bytes| {
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                bytes
            })),
        ),
        (
            "trailing bytes",
            Fault::Change(Arc::new(|mut bytes| {
                bytes.push(0);
                bytes
            })),
        ),
        (
            "another server's",
            Fault::Change(Arc::new(move |_| foreign.clone())),
        ),
        (
            "nothing",
            Fault::Answer(201, "application/cose", Vec::new()),
        ),
    ];
    for (what, fault) in changes {
        central.fault("/v1/enrolments", fault);
        sync::retry_now(&workstation).await.unwrap();
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!(
            (outcome.error.as_deref(), outcome.sent, outcome.waiting),
            (Some("receipt-invalid"), 0, 2),
            "{what}"
        );
        let progress = workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(progress.error.as_deref(), Some("receipt-invalid"));
        assert!(progress.receipt.is_none() && !progress.is_refused);
        central.honest();
    }
    sync::retry_now(&workstation).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    assert!(
        workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap()
            .receipt
            .is_some()
    );

    // A receipt of the same log for another statement.
    let code = central.person("second").await;
    let second = workstation.enrol(request("second", &code)).await.unwrap();
    let first = workstation
        .proof(&pending.person_id)
        .await
        .unwrap()
        .unwrap();
    let receipt = transparent::split(&first.acceptance, &Limits::DEFAULT)
        .unwrap()
        .receipt;
    central.fault(
        "/entries",
        Fault::Change(Arc::new(move |_| receipt.clone())),
    );
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(
        (outcome.error.as_deref(), outcome.sent),
        (Some("receipt-invalid"), 1)
    );
    assert_eq!(
        second
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "agreement-required"
    );
}

#[tokio::test]
async fn a_server_that_misbehaves_is_named() {
    let central = Central::start().await;
    let code = central.person("faults").await;
    let machine = Machine::new();
    let mut options = Machine::options();
    options.deadlines.total = std::time::Duration::from_secs(2);
    let workstation = machine.open_with(&central.profile, options).await.unwrap();
    let pending = workstation.enrol(request("faults", &code)).await.unwrap();
    let html = b"<html>Welcome to the hotel</html>".to_vec();
    for (fault, code) in [
        (
            Fault::Answer(200, "text/html", html.clone()),
            "server-not-json",
        ),
        (
            Fault::Answer(302, "text/html", html.clone()),
            "server-not-json",
        ),
        (
            Fault::Answer(201, "application/cose", vec![0; 70_000]),
            "server-not-json",
        ),
        (
            Fault::Answer(403, "text/html", html.clone()),
            "server-refused",
        ),
        (
            Fault::Answer(
                429,
                "application/problem+json",
                br#"{"code":"too-many-requests"}"#.to_vec(),
            ),
            "server-refused",
        ),
        (
            Fault::Answer(500, "text/html", html.clone()),
            "server-failed",
        ),
        (
            Fault::Answer(503, "application/problem+json", b"{}".to_vec()),
            "server-failed",
        ),
        (Fault::Silence, "server-slow"),
    ] {
        central.fault("*", fault);
        sync::retry_now(&workstation).await.unwrap();
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!((outcome.error.as_deref(), outcome.waiting), (Some(code), 2));
        let progress = workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap();
        assert!(
            !progress.is_refused && progress.next_attempt_at.is_some(),
            "{code}"
        );
        central.honest();
    }
    sync::retry_now(&workstation).await.unwrap();
    assert_eq!(sync::run_once(&workstation).await.unwrap().sent, 2);

    // The same while opening: without a stored grant the reason is the server's.
    central.fault("/v1/sessions", Fault::Answer(200, "text/html", html));
    assert_eq!(
        pending
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "server-not-json"
    );
    central.honest();
    central.fault(
        "/v1/grants",
        Fault::Change(Arc::new(|mut bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            bytes
        })),
    );
    assert_eq!(
        pending
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "grant-invalid"
    );
    central.honest();
    pending
        .session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
}

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
    assert_eq!(
        sync::run_once(&workstation).await.unwrap().registered,
        [pending.person_id.clone()]
    );
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
    drop((pending, workstation));
    let workstation = machine.open(&central.profile).await;
    let person = workstation.people().await.unwrap().remove(0).person_id;
    let error = workstation
        .sign_in(&person, PASSPHRASE.into())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "passphrase-wait");
    assert!(error.retry_after().is_some());
    machine.clock.0.store(5, Ordering::SeqCst);
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
    assert!(workstation.people().await.unwrap().is_empty());
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
    machine.clock.0.store(31 * 24 * 3600, Ordering::SeqCst);
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
async fn a_cut_feed_resumes_where_it_ended() {
    let central = Central::start().await;
    central.seed(60).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "feed").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    // Cut without an error, without the end line; then broken; then bad lines among good ones.
    central.fault(
        "/v1/changes",
        Fault::Change(Arc::new(|bytes| bytes[..bytes.len() * 2 / 3].to_vec())),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-truncated");
    central.honest();
    central.fault("/v1/changes", Fault::Break(20_000));
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-truncated");
    central.honest();
    central.fault(
        "/v1/changes",
        Fault::Answer(200, "text/html", b"<html>".to_vec()),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-not-json");
    central.honest();
    central.fault(
        "/v1/changes",
        Fault::Change(Arc::new(|bytes| {
            let huge = format!(
                "{{\"cursor\":\"1\",\"op\":\"put\",\"resource\":{{\"resourceType\":\"Patient\",\"id\":\"x\",\"x\":\"{}\"}}}}\n",
                "x".repeat(300 * 1024)
            );
            let bad = b"{broken\n{\"cursor\":\"1\",\"op\":\"put\",\"resource\":{\"resourceType\":\"Spaceship\",\"id\":\"x\"}}\n";
            [bad.as_slice(), huge.as_bytes(), &bytes].concat()
        })),
    );
    let refreshed = open.refresh().await.unwrap();
    assert!(refreshed.skipped >= 6, "{refreshed:?}");
    let page = open.search(open.gate(), "", None, 100).await.unwrap();
    assert_eq!(page.total, 60);
    assert!(open.data_as_of().await.unwrap().is_some());
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
