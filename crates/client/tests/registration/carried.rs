//! A site that never had a network: one file out, one file back.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use infoblood_agreement::profile::DeviceApproval;
use infoblood_client::{
    UnlockedWorkstation, Workstation,
    courier::{Exported, PackError, Progress, Taken},
};
use infoblood_server::{
    service::{
        administration,
        courier::{self, Intake, MAX_WRONG_CODES},
    },
    storage::{Database as _, Site, SiteStorage as _},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::common::{Central, Machine, PASSPHRASE, request};
use crate::way::bytes_of;

/// Somebody with a medium in the pocket.
struct Carrier(TempDir);

impl Carrier {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Fetches the request, lets the server answer it, and gives the answer's place.
    async fn ask(&self, central: &Central, workstation: &Workstation) -> (Exported, PathBuf) {
        let (request, answer) = (self.path("request.ibpack"), self.path("answer.ibpack"));
        let exported = workstation.export_pack(&request).await.unwrap();
        serve(central, &request, &answer).await;
        (exported, answer)
    }

    async fn way(&self, central: &Central, workstation: &Workstation) -> Taken {
        let (_, answer) = self.ask(central, workstation).await;
        read(workstation, &answer).await.unwrap()
    }
}

async fn read(workstation: &Workstation, answer: &Path) -> Result<Taken, PackError> {
    workstation.read_answer(answer, &Progress::default()).await
}

/// What `infoblood-server courier` does.
pub(crate) async fn serve(central: &Central, request: &Path, answer: &Path) {
    let context = &central.context;
    let mut intake = Intake::new(&context.keys.sealing).unwrap();
    for piece in std::fs::read(request).unwrap().chunks(10_000) {
        intake.push(piece).await.unwrap();
    }
    let mut request = intake.end().unwrap();
    let taken = courier::take(context, &mut request, MAX_WRONG_CODES)
        .await
        .unwrap();
    let reply = courier::settle(context, &request, taken).await.unwrap();
    let (pieces, mut receiver) = mpsc::channel(1);
    let writing = async {
        let summary = reply.write(context, &pieces).await;
        drop(pieces);
        summary
    };
    let (summary, bytes) = tokio::join!(writing, async {
        let mut bytes = Vec::new();
        while let Some(piece) = receiver.recv().await {
            bytes.extend(piece.unwrap());
        }
        bytes
    });
    summary.unwrap();
    std::fs::write(answer, bytes).unwrap();
}

async fn donors(open: &UnlockedWorkstation) -> u64 {
    let page = open.search(open.gate(), "", None, 5).await.unwrap();
    page.total
}

#[tokio::test]
async fn registered_opened_and_revoked_by_files_alone() {
    let mut central = Central::start().await;
    central.unplug().await;
    central.seed(30).await;
    let code = central.person("aidana").await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .enrol(request("aidana", &code))
        .await
        .unwrap()
        .session;

    let (exported, answer) = carrier.ask(&central, &workstation).await;
    assert_eq!(exported.items, 2);
    let taken = read(&workstation, &answer).await.unwrap();
    assert_eq!((taken.receipts, taken.grants, taken.refused), (2, 1, 0));
    assert_eq!(taken.registered, [session.person_id()]);
    assert!(taken.has_patients);
    assert_eq!(workstation.waiting().await.unwrap(), 0);

    let open = session.unlock(&workstation, false).await.unwrap();
    let applied = open.apply_answer(&Progress::default()).await.unwrap();
    assert_eq!(applied.unwrap().skipped, 0);
    assert_eq!(donors(&open).await, 30);
    assert!(
        open.apply_answer(&Progress::default())
            .await
            .unwrap()
            .is_none()
    );
    open.lock().await.unwrap();

    // The same answer again is an old one.
    let before = bytes_of(machine.path());
    let error = read(&workstation, &answer).await.unwrap_err();
    assert_eq!(error.code(), "courier-old");
    assert!(bytes_of(machine.path()) == before);

    // The access log of what was done comes along the second time, and more donors come back.
    central.seed(60).await;
    let (exported, answer) = carrier.ask(&central, &workstation).await;
    assert!(exported.items > 0);
    let taken = read(&workstation, &answer).await.unwrap();
    assert_eq!((taken.stored, taken.grants), (exported.items, 1));
    let session = workstation
        .sign_in(session.person_id(), PASSPHRASE.into())
        .await
        .unwrap();
    let open = session.unlock(&workstation, false).await.unwrap();
    let applied = open.apply_answer(&Progress::default()).await.unwrap();
    assert!(applied.unwrap().applied > 0);
    assert_eq!(donors(&open).await, 60);
    open.lock().await.unwrap();

    administration::revoke_person(&central.context, "aidana")
        .await
        .unwrap();
    let taken = carrier.way(&central, &workstation).await;
    assert_eq!((taken.grants, taken.revoked), (0, 1));
    assert!(
        workstation
            .sign_in(session.person_id(), PASSPHRASE.into())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_device_that_waits_is_approved_by_the_next_file() {
    let mut central = Central::start_with(DeviceApproval::Manual).await;
    central.unplug().await;
    let code = central.person("aidana").await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .enrol(request("aidana", &code))
        .await
        .unwrap()
        .session;
    let taken = carrier.way(&central, &workstation).await;
    assert_eq!((taken.receipts, taken.grants), (2, 0));
    assert!(!taken.has_patients);
    assert!(session.unlock(&workstation, false).await.is_err());

    let device = administration::devices(&central.context).await.unwrap();
    administration::approve_device(&central.context, &device[0].device_id)
        .await
        .unwrap();
    let taken = carrier.way(&central, &workstation).await;
    assert_eq!((taken.receipts, taken.grants), (0, 1));
    let open = session.unlock(&workstation, false).await.unwrap();
    let applied = open.apply_answer(&Progress::default()).await.unwrap();
    assert!(applied.is_some());
}

#[tokio::test]
async fn a_connected_workstation_forwards_it() {
    let central = Central::start().await;
    central.seed(5).await;
    let (near, far) = (Machine::new(), Machine::new());
    let carrier = Carrier::new();
    let code = central.person("aidana").await;
    let workstation = far.open(&central.profile).await;
    workstation.enrol(request("aidana", &code)).await.unwrap();
    let (request, answer) = (carrier.path("request"), carrier.path("answer"));
    workstation.export_pack(&request).await.unwrap();

    let connected = near.open(&central.profile).await;
    connected
        .forward_pack(&request, &answer, &Progress::default())
        .await
        .unwrap();
    let error = read(&connected, &answer).await.unwrap_err();
    assert_eq!(error.code(), "courier-other-device", "it is not theirs");
    let taken = read(&workstation, &answer).await.unwrap();
    assert_eq!((taken.receipts, taken.grants), (2, 1));
}

#[tokio::test]
async fn what_does_not_fit_into_one_file_goes_with_the_next() {
    let central = Central::start().await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    workstation.close().await.unwrap();
    machine
        .by_hand(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
             INSERT INTO outbox (id, kind, sealed, created_at)
             SELECT printf('%064x', i), 'audit-event', zeroblob(60000), 0 FROM n",
        )
        .await;
    let workstation = machine.open(&central.profile).await;
    let (exported, answer) = carrier.ask(&central, &workstation).await;
    assert_eq!(exported.items, 1_081, "as many as a server reads");
    let taken = read(&workstation, &answer).await.unwrap();
    assert_eq!(taken.refused, 1_081, "no sealed item any of them");
}

#[tokio::test]
async fn an_answer_that_was_long_on_its_way_shortens_nothing() {
    let central = Central::start().await;
    let code = central.person("aidana").await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .enrol(request("aidana", &code))
        .await
        .unwrap()
        .session;
    let (_, answer) = carrier.ask(&central, &workstation).await;
    // The connection comes back before the medium does.
    for clock in [&central.clock, &machine.clock] {
        clock.0.fetch_add(24 * 60 * 60, Ordering::SeqCst);
    }
    infoblood_client::sync::run_once(&workstation)
        .await
        .unwrap();
    let open = session.unlock(&workstation, true).await.unwrap();
    let until = open.gate().offline_until();
    open.lock().await.unwrap();

    let taken = read(&workstation, &answer).await.unwrap();
    assert_eq!(taken.grants, 0);
    let open = session.unlock(&workstation, false).await.unwrap();
    assert_eq!(open.gate().offline_until(), until);
}

#[tokio::test]
async fn a_file_that_is_cut_or_no_answer_changes_nothing() {
    let central = Central::start().await;
    let code = central.person("aidana").await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    workstation.enrol(request("aidana", &code)).await.unwrap();
    let (_, answer) = carrier.ask(&central, &workstation).await;
    let whole = std::fs::read(&answer).unwrap();
    let before = bytes_of(machine.path());
    let bad = carrier.path("bad.ibpack");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut files = vec![
        (Vec::new(), "courier-truncated"),
        (whole[..whole.len() - 1].to_vec(), "courier-truncated"),
        (
            std::fs::read(carrier.path("request.ibpack")).unwrap(),
            "courier-direction",
        ),
        (b"a letter".to_vec(), "courier-malformed"),
    ];
    // The frames' lengths are refused for other reasons.
    for at in (200..whole.len()).step_by(97) {
        files.push((flipped(at), ""));
        files.push((whole[..at].to_vec(), "courier-truncated"));
    }
    for (bytes, code) in files {
        std::fs::write(&bad, bytes).unwrap();
        let refused = read(&workstation, &bad).await.unwrap_err();
        assert!(code.is_empty() || refused.code() == code, "{refused:?}");
        assert!(bytes_of(machine.path()) == before, "{refused:?}");
    }
    assert_eq!(read(&workstation, &answer).await.unwrap().receipts, 2);
}

#[tokio::test]
async fn an_answer_that_a_newer_one_overtook_changes_nothing() {
    let mut central = Central::start().await;
    central.unplug().await;
    central.seed(20).await;
    let code = central.person("aidana").await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    let enrolled = workstation.enrol(request("aidana", &code)).await.unwrap();
    let (_, answer) = carrier.ask(&central, &workstation).await;
    let older = carrier.path("older.ibpack");
    std::fs::rename(answer, &older).unwrap();
    administration::revoke_person(&central.context, "aidana")
        .await
        .unwrap();
    let taken = carrier.way(&central, &workstation).await;
    assert_eq!((taken.grants, taken.revoked), (0, 1));

    // The older one still has a grant for her, and her patients.
    let before = bytes_of(machine.path());
    let error = read(&workstation, &older).await.unwrap_err();
    assert_eq!(error.code(), "courier-old");
    assert!(bytes_of(machine.path()) == before);
    let person = enrolled.session.person_id();
    assert!(
        workstation
            .sign_in(person, PASSPHRASE.into())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_answer_of_another_site_or_another_server_changes_nothing() {
    let (central, elsewhere) = (Central::start().await, Central::start().await);
    let site = Site {
        code: "SHY".into(),
        ..central
            .context
            .database
            .read()
            .await
            .unwrap()
            .sites()
            .await
            .unwrap()[0]
            .clone()
    };
    administration::add_site(&central.context, &site)
        .await
        .unwrap();
    let other_site = administration::site_profile(
        &central.context,
        "SHY",
        central.profile.url(),
        None,
        Some("reception-1".into()),
    )
    .await
    .unwrap();
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    let code = central.person("aidana").await;
    workstation.enrol(request("aidana", &code)).await.unwrap();
    let (_, answer) = carrier.ask(&central, &workstation).await;
    let own = std::fs::read(&answer).unwrap();
    let before = bytes_of(machine.path());
    for (profile, server, code) in [
        (&other_site, &central, "courier-other-device"),
        (&elsewhere.profile, &elsewhere, "courier-signer"),
    ] {
        let (there, carrier) = (Machine::new(), Carrier::new());
        let other = there.open(profile).await;
        let (_, answer) = carrier.ask(server, &other).await;
        let error = read(&workstation, &answer).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(bytes_of(machine.path()) == before);
        // Nor does ours do anything there.
        std::fs::write(&answer, &own).unwrap();
        assert!(read(&other, &answer).await.is_err());
    }
    std::fs::write(&answer, own).unwrap();
    assert_eq!(read(&workstation, &answer).await.unwrap().receipts, 2);
}

#[tokio::test]
async fn an_older_answer_takes_no_patients_lease_or_revocation_back() {
    let mut central = Central::start().await;
    central.unplug().await;
    central.seed(5).await;
    let carrier = Carrier::new();
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let mut people = Vec::new();
    for login in ["aidana", "marat"] {
        let code = central.person(login).await;
        let pending = workstation.enrol(request(login, &code)).await.unwrap();
        people.push(pending.session);
    }
    assert_eq!(carrier.way(&central, &workstation).await.grants, 2);
    let open = people[0].unlock(&workstation, false).await.unwrap();
    open.apply_answer(&Progress::default()).await.unwrap();
    open.lock().await.unwrap();

    // Both grants and five donors are in the answer that stays in the pocket.
    let (_, answer) = carrier.ask(&central, &workstation).await;
    let old = std::fs::read(&answer).unwrap();
    for clock in [&central.clock, &machine.clock] {
        clock.0.fetch_add(24 * 60 * 60, Ordering::SeqCst);
    }
    administration::revoke_person(&central.context, "marat")
        .await
        .unwrap();
    // Those of another day are other people.
    central.seed(20).await;
    let taken = carrier.way(&central, &workstation).await;
    assert_eq!((taken.grants, taken.revoked), (1, 1));
    let before = bytes_of(machine.path());
    std::fs::write(&answer, &old).unwrap();
    // Before the newer one's patient data are applied, and after.
    let error = read(&workstation, &answer).await.unwrap_err();
    assert_eq!(error.code(), "courier-old");
    assert!(bytes_of(machine.path()) == before);
    let open = people[0].unlock(&workstation, false).await.unwrap();
    let until = open.gate().offline_until();
    open.apply_answer(&Progress::default()).await.unwrap();
    assert_eq!(donors(&open).await, 25);
    open.lock().await.unwrap();
    assert_eq!(
        read(&workstation, &answer).await.unwrap_err().code(),
        "courier-old"
    );

    let open = people[0].unlock(&workstation, false).await.unwrap();
    assert!(
        open.apply_answer(&Progress::default())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        (donors(&open).await, open.gate().offline_until()),
        (25, until)
    );
    open.lock().await.unwrap();
    let marat = people[1].person_id();
    assert!(
        workstation.sign_in(marat, PASSPHRASE.into()).await.is_err(),
        "whoever was revoked stays so"
    );
}

#[tokio::test]
async fn what_was_cancelled_changes_nothing_and_is_done_the_next_time() {
    let mut central = Central::start().await;
    central.unplug().await;
    central.seed(5).await;
    let code = central.person("aidana").await;
    let (machine, carrier) = (Machine::new(), Carrier::new());
    let workstation = machine.open(&central.profile).await;
    let session = workstation
        .enrol(request("aidana", &code))
        .await
        .unwrap()
        .session;
    let (_, answer) = carrier.ask(&central, &workstation).await;
    let before = bytes_of(machine.path());
    let progress = Progress::default();
    progress.cancel();
    let error = workstation
        .read_answer(&answer, &progress)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "courier-cancelled");
    assert!(bytes_of(machine.path()) == before);

    let progress = Progress::default();
    workstation.read_answer(&answer, &progress).await.unwrap();
    let (done, total) = progress.bytes();
    assert!(total > 0 && done == total, "{done} of {total}");

    let open = session.unlock(&workstation, false).await.unwrap();
    let progress = Progress::default();
    progress.cancel();
    let error = open.apply_answer(&progress).await.unwrap_err();
    assert_eq!(error.code(), "courier-cancelled");
    let (done, total) = progress.bytes();
    assert!(total > 0 && done == total, "nothing goes on any more");
    assert_eq!(donors(&open).await, 0);
    open.apply_answer(&Progress::default()).await.unwrap();
    assert_eq!(donors(&open).await, 5);
}
