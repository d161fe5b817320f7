//! A server that was restored from an old backup, and how synchronisation stands for a person.

use std::{sync::Arc, time::Duration};

use infoblood_agreement::sealed::Kind;
use infoblood_client::{
    Workstation,
    sync::{self, Phase, SERVER_RESTORED, SyncStatus},
};

use infoblood_server::service::load;

use crate::common::{Central, Fault, Machine, SITE, enrolled, evidence, request};

async fn status(workstation: &Workstation) -> SyncStatus {
    workstation.sync_status().await.unwrap()
}

fn waiting(status: &SyncStatus, kind: Kind) -> u64 {
    let queue = status.queues.iter().find(|queue| queue.kind == kind);
    queue.unwrap().waiting
}

#[tokio::test]
async fn a_server_from_an_old_backup_gets_everything_again_and_no_receipt_is_lost() {
    let mut central = Central::start().await;
    let early = Machine::new();
    let (early_station, _) = enrolled(&central, &early, "early").await;
    let codes = [
        central.person("first").await,
        central.person("second").await,
    ];
    let backup = central.back_up().await;

    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let first = workstation
        .enrol(request("first", &codes[0]))
        .await
        .unwrap();
    workstation
        .enrol(request("second", &codes[1]))
        .await
        .unwrap();
    workstation.decline(&evidence()).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    assert_eq!(status(&workstation).await.alarm, None);
    let before = central.tree_size().await;
    let old = workstation.proof(&first.person_id).await.unwrap();

    // In the same second the same place in the log would have the same receipt.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    central.put_back(backup).await;
    assert_eq!(central.tree_size().await, before - 5);
    // Noticed, but the statements do not get through yet: the old receipts open the gate as before.
    for path in ["/v1/enrolments", "/entries"] {
        central.fault(path, Fault::Answer(503, "text/html", Vec::new()));
    }
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.sent, outcome.waiting), (0, 5));
    let alarmed = status(&workstation).await;
    assert_eq!(alarmed.alarm.as_deref(), Some(SERVER_RESTORED));
    assert_eq!(waiting(&alarmed, Kind::Enrolment), 2);
    assert_eq!(workstation.proof(&first.person_id).await.unwrap(), old);
    // A crash in between changes nothing.
    drop((first, workstation));
    central.honest();
    let workstation = machine.open(&central.profile).await;
    assert_eq!(status(&workstation).await.alarm, alarmed.alarm);

    sync::retry_now(&workstation).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.sent, outcome.waiting, outcome.error), (5, 0, None));
    assert_eq!(central.tree_size().await, before, "each once");
    let calm = status(&workstation).await;
    assert_eq!((calm.alarm, calm.phase), (None, Phase::Idle));
    let people = workstation.people().await.unwrap();
    assert!(people.iter().all(|person| person.is_registered));
    sync::run_once(&workstation).await.unwrap();
    assert_eq!(central.tree_size().await, before);

    // The other workstation was in the backup, and its next round finds all as it should be.
    let outcome = sync::run_once(&early_station).await.unwrap();
    assert_eq!((outcome.sent, outcome.error), (0, None));
    assert_eq!(status(&early_station).await.alarm, None);

    drop(workstation);
    assert_eq!(
        machine
            .count("SELECT count(*) FROM superseded_receipt")
            .await,
        5
    );
    assert_eq!(machine.count("SELECT count(*) FROM log_break").await, 1);
    assert_eq!(
        std::fs::read_dir(machine.path().join("outbox"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_restored_server_that_grew_past_the_old_size_is_noticed_too() {
    let mut central = Central::start().await;
    let codes = [central.person("mine").await, central.person("other").await];
    let backup = central.back_up().await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    workstation.enrol(request("mine", &codes[0])).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    let before = central.tree_size().await;

    tokio::time::sleep(Duration::from_millis(1100)).await;
    central.put_back(backup).await;
    let elsewhere = Machine::new();
    let other = elsewhere.open(&central.profile).await;
    other.enrol(request("other", &codes[1])).await.unwrap();
    sync::run_once(&other).await.unwrap();
    central.person("third").await;
    central.person("fourth").await;
    assert!(central.tree_size().await > before);

    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.sent, outcome.waiting, outcome.error), (2, 0, None));
    drop(workstation);
    assert_eq!(
        machine
            .count("SELECT count(*) FROM superseded_receipt")
            .await,
        2
    );
}

#[tokio::test]
async fn what_a_restored_server_refuses_keeps_its_receipt_and_the_alarm() {
    let mut central = Central::start().await;
    let backup = central.back_up().await;
    let machine = Machine::new();
    // The code itself is younger than the backup.
    let (workstation, session) = enrolled(&central, &machine, "young").await;
    central.put_back(backup).await;
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.error.as_deref(), Some("code-wrong"));
    let stuck = status(&workstation).await;
    assert_eq!(stuck.alarm.as_deref(), Some(SERVER_RESTORED));
    assert_eq!(stuck.phase, Phase::Wedged);
    assert_eq!(stuck.wedged.len(), 2);
    assert!(stuck.wedged.iter().all(|item| item.code == "code-wrong"));
    let person = workstation.people().await.unwrap().remove(0);
    assert!(person.is_registered, "the receipt is evidence as before");

    // A new code for the same person: the old statements hold nothing up any more.
    let code = central.person("young").await;
    workstation.enrol(request("young", &code)).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.registered, [session.person_id()]);
    assert_eq!(status(&workstation).await.alarm, None);
}

#[tokio::test]
async fn a_head_that_does_not_verify_or_is_old_raises_no_alarm() {
    let central = Central::start().await;
    let machine = Machine::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    central.fault(
        "/v1/log/checkpoint",
        Fault::Change(Arc::new(move |bytes| {
            keep.lock().unwrap().clone_from(&bytes);
            bytes
        })),
    );
    let code = central.person("head").await;
    let workstation = machine.open(&central.profile).await;
    sync::run_once(&workstation).await.unwrap();
    let old = seen.lock().unwrap().clone();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    workstation.enrol(request("head", &code)).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    central.honest();
    for fault in [
        Fault::Answer(200, "application/json", old),
        Fault::Answer(200, "text/html", b"<html>".to_vec()),
        Fault::Answer(404, "text/html", Vec::new()),
        Fault::Answer(200, "application/json", br#"{"signed":"AAAA"}"#.to_vec()),
        Fault::Change(Arc::new(|bytes| {
            let other = if bytes.contains(&b'A') { b'B' } else { b'A' };
            bytes
                .iter()
                .map(|byte| if *byte == b'A' { other } else { *byte })
                .collect()
        })),
    ] {
        central.fault("/v1/log/checkpoint", fault);
        workstation.decline(&evidence()).await.unwrap();
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!((outcome.sent, outcome.error), (1, None), "sending goes on");
        assert_eq!(status(&workstation).await.alarm, None);
        central.honest();
    }
    // A 404 that is not the server's own word is none.
    central.person("growth").await;
    central.fault("*", Fault::Answer(404, "text/html", Vec::new()));
    sync::run_once(&workstation).await.unwrap();
    assert_eq!(status(&workstation).await.alarm, None);
}

#[tokio::test]
async fn the_status_says_done_only_when_the_proof_is_kept() {
    let mut central = Central::start().await;
    let code = central.person("status").await;
    let wrong = central.person("wrong").await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let empty = status(&workstation).await;
    assert_eq!((empty.phase, empty.last_success), (Phase::Idle, None));
    assert_eq!(empty.queues.len(), Kind::ALL.len());

    workstation.enrol(request("status", &code)).await.unwrap();
    central.unplug().await;
    sync::run_once(&workstation).await.unwrap();
    let offline = status(&workstation).await;
    assert_eq!(
        (offline.phase, offline.last_success),
        (Phase::Waiting, None)
    );
    assert!(offline.next_attempt_at.is_some());
    central.plug().await;

    // Answers that are no receipts are no success.
    central.fault(
        "/v1/enrolments",
        Fault::Change(Arc::new(|mut bytes| {
            bytes.reverse();
            bytes
        })),
    );
    sync::retry_now(&workstation).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    assert_eq!(status(&workstation).await.last_success, None);
    central.honest();
    // What waited for its time goes by itself; here a person asks.
    sync::retry_now(&workstation).await.unwrap();
    assert_eq!(sync::run_once(&workstation).await.unwrap().sent, 2);
    let done = status(&workstation).await;
    assert!(done.last_success.is_some() && done.phase == Phase::Idle);
    let last = |kind| {
        let mut queues = done.queues.iter();
        queues
            .find(|queue| queue.kind == kind)
            .unwrap()
            .last_success
    };
    assert!(last(Kind::Enrolment) <= last(Kind::Acceptance));
    assert_eq!(last(Kind::Acceptance), done.last_success);
    assert!(last(Kind::Enrolment).is_some());
    assert_eq!(last(Kind::DeviceRefusal), None);

    // Refused for good: one item and what depends on it, in plain sight; it can be asked for again.
    let stranger = workstation.enrol(request("nobody", &wrong)).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    let stuck = status(&workstation).await;
    assert_eq!((stuck.phase, stuck.wedged.len()), (Phase::Wedged, 2));
    assert_eq!(stuck.last_success, done.last_success);
    sync::retry_item(&workstation, &stuck.wedged[0].id)
        .await
        .unwrap();
    let again = status(&workstation).await;
    assert!(again.wedged.is_empty() && again.phase == Phase::Waiting);
    let progress = workstation.progress(&stranger.person_id).await.unwrap();
    assert!(!progress.unwrap().is_refused);
    sync::run_once(&workstation).await.unwrap();
    assert_eq!(status(&workstation).await.wedged.len(), 2);
}

#[tokio::test]
async fn what_a_lost_store_left_goes_as_one_pack() {
    let mut central = Central::start().await;
    let code = central.person("lost").await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    workstation.enrol(request("lost", &code)).await.unwrap();
    central.unplug().await;
    sync::run_once(&workstation).await.unwrap();
    drop(workstation);
    central.plug().await;
    // Store and keyring are gone, the sealed files are not.
    for name in ["workstation.db", "workstation.db-wal", "workstation.db-shm"] {
        let _ = std::fs::remove_file(machine.path().join(name));
    }
    *machine.keyring.0.lock().unwrap() = None;
    let workstation = machine.open(&central.profile).await;
    let before = central.tree_size().await;
    central.unplug().await;
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.sent, outcome.waiting), (0, 2));
    let left = status(&workstation).await;
    assert_eq!(left.phase, Phase::Wedged);
    assert!(left.wedged.iter().all(|item| item.code == "needs-courier"));
    assert_eq!((left.wedged.len(), waiting(&left, Kind::Enrolment)), (2, 1));
    let files = || std::fs::read_dir(machine.path().join("outbox")).unwrap();
    assert_eq!(files().count(), 2);
    // Only the server can open them: with a connection they go as one pack, once.
    central.plug().await;
    for _ in 0..2 {
        sync::run_once(&workstation).await.unwrap();
    }
    assert_eq!(central.tree_size().await, before + 2);
    assert_eq!(workstation.waiting().await.unwrap(), 0);
    assert_eq!(files().count(), 0);
}

/// The feed gives out the same sequences again, for other changes: who went on from a cursor of before would never learn of those that were lost,
/// and keep what is not there any more.
#[tokio::test]
async fn a_feed_that_grew_again_after_a_restore_is_read_from_the_beginning() {
    let mut central = Central::start().await;
    central.seed(10).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "mine").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    let total = async || {
        open.refresh().await.unwrap();
        let page = open.search(open.gate(), "", None, 1).await.unwrap();
        page.total
    };
    assert_eq!(total().await, 10);
    let backup = central.back_up().await;
    let more = async |central: &Central, donors, seed| {
        load::seed(&central.context, donors, seed, Some(SITE))
            .await
            .unwrap();
    };
    more(&central, 5, 8).await;
    assert_eq!(total().await, 15);

    central.put_back(backup).await;
    more(&central, 30, 9).await;
    assert_eq!(total().await, 40);
}
