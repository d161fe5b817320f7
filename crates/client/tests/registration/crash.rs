//! Crashes, full disks and lost answers between «sign» and «registered».

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use infoblood_client::{
    Decision, Options,
    disk::{Disk, RealDisk},
    sync,
};

use crate::common::{Central, Fault, Machine, enrolled, evidence, request};

/// What the n-th operation does, and every later one.
enum End {
    /// It fails, as on a full disk.
    Fails,
    /// It never returns, as when the process ends there; released when the test is over.
    Hangs(Mutex<mpsc::Receiver<()>>),
}

struct DyingDisk {
    left: AtomicUsize,
    end: End,
    reached: tokio::sync::Notify,
}

impl DyingDisk {
    fn new(steps: usize, end: End) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(steps),
            end,
            reached: tokio::sync::Notify::new(),
        })
    }

    fn step(&self) -> io::Result<()> {
        if self.left.load(Ordering::SeqCst) == 0 {
            self.reached.notify_one();
            if let End::Hangs(release) = &self.end {
                let _ = release.lock().unwrap().recv();
            }
            return Err(io::ErrorKind::StorageFull.into());
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
        let (over, release) = mpsc::channel();
        let disk = DyingDisk::new(steps, End::Hangs(Mutex::new(release)));
        let options = Options {
            disk: Arc::clone(&disk) as Arc<dyn Disk>,
            ..Machine::options()
        };
        let workstation = machine.open_with(&central.profile, options).await.unwrap();
        let told = tokio::select! {
            told = workstation.enrol(request(&login, &code)) => told.is_ok(),
            () = disk.reached.notified() => false,
        };
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
        drop(over);
    }
}

#[tokio::test]
async fn a_full_disk_while_signing_leaves_nothing_half_done() {
    let central = Central::start().await;
    let code = central.person("full").await;
    let machine = Machine::new();
    for steps in 0..4 {
        let disk = DyingDisk::new(steps, End::Fails);
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
async fn a_full_disk_while_accepting_again_leaves_the_person_and_nothing_half_done() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "again").await;
    drop(workstation);
    for steps in 0..2 {
        let options = Options {
            disk: DyingDisk::new(steps, End::Fails),
            ..Machine::options()
        };
        let workstation = machine.open_with(&central.profile, options).await.unwrap();
        let declined = workstation
            .accept_again(&session, &evidence(), Decision::Declined)
            .await;
        assert_eq!(declined.unwrap_err().code(), "disk-full");
        assert_eq!(workstation.waiting().await.unwrap(), 0);
        assert!(workstation.people().await.unwrap()[0].is_registered);
        let outbox = std::fs::read_dir(machine.path().join("outbox")).unwrap();
        assert_eq!(outbox.count(), 0);
    }
    let workstation = machine.open(&central.profile).await;
    workstation
        .accept_again(&session, &evidence(), Decision::Declined)
        .await
        .unwrap();
    assert_eq!(sync::run_once(&workstation).await.unwrap().sent, 1);
    let proofs = workstation.proofs(session.person_id()).await.unwrap();
    assert_eq!(proofs.len(), 2);
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
