//! A real `kill -9`: the test starts itself as a child that signs and sends, kills it at many moments, and opens the same directory.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use infoblood_agreement::profile::SiteProfile;
use infoblood_client::{
    Workstation,
    clock::SystemClock,
    keyring::{Keyring, KeyringError, SecretBytes},
    sync,
};
use zeroize::Zeroizing;

use crate::common::{Central, request};

const DIR: &str = "INFOBLOOD_TEST_KILL_DIR";

/// A keyring that outlives the process, for this test alone.
struct FileKeyring(std::path::PathBuf, Mutex<()>);

impl FileKeyring {
    fn at(dir: &Path) -> Arc<Self> {
        Arc::new(Self(dir.join("keyring"), Mutex::default()))
    }
}

impl Keyring for FileKeyring {
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        let _one = self.1.lock().unwrap();
        Ok(std::fs::read(&self.0).ok().map(Zeroizing::new))
    }

    fn set(&self, item: &[u8]) -> Result<(), KeyringError> {
        let _one = self.1.lock().unwrap();
        let beside = self.0.with_extension("new");
        std::fs::write(&beside, item).unwrap();
        std::fs::rename(beside, &self.0).unwrap();
        Ok(())
    }
}

async fn open(dir: &Path, profile: &SiteProfile) -> Workstation {
    Workstation::open(
        &dir.join("data"),
        profile,
        FileKeyring::at(dir),
        Arc::new(SystemClock),
    )
    .await
    .unwrap()
}

/// The child: signs, says so on the disk, sends, and stays.
#[tokio::test]
async fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let profile = SiteProfile::parse(&std::fs::read(dir.join("site.json")).unwrap()).unwrap();
    let code = std::fs::read_to_string(dir.join("code")).unwrap();
    let workstation = open(dir, &profile).await;
    std::fs::write(dir.join("signing"), "").unwrap();
    workstation.enrol(request("killed", &code)).await.unwrap();
    std::fs::write(dir.join("told"), "").unwrap();
    sync::run_once(&workstation).await.unwrap();
    std::fs::write(dir.join("sent"), "").unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_the_acceptance_is_registered_once() {
    let mut told = 0;
    let central = Central::start().await;
    let code = central.person("killed").await;
    // Milliseconds after signing began; key stretching takes most of the first half second. At last, just after the person was told,
    // however slow the machine is.
    let told_at_last = 60_000;
    for wait in [0, 150, 300, 400, 500, 600, 700, 900, told_at_last] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("site.json"),
            central.profile.to_json().unwrap(),
        )
        .unwrap();
        let code = if wait == 0 {
            code.clone()
        } else {
            central.another_code("killed").await
        };
        std::fs::write(dir.path().join("code"), &code).unwrap();
        let before = central.tree_size().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !dir.path().join("signing").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let end = tokio::time::Instant::now() + Duration::from_millis(wait);
        while tokio::time::Instant::now() < end
            && !(wait == told_at_last && dir.path().join("told").exists())
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let was_told = dir.path().join("told").exists();
        told += usize::from(was_told);
        let workstation = open(dir.path(), &central.profile).await;
        let people = workstation.people().await.unwrap();
        assert!(
            !was_told || people.len() == 1,
            "what the person was told is stored ({wait} ms)"
        );
        for _ in 0..2 {
            sync::retry_now(&workstation).await.unwrap();
            sync::run_once(&workstation).await.unwrap();
        }
        // The enrolment and the acceptance, each once, or nothing at all and the agreement opens again.
        assert_eq!(
            central.tree_size().await - before,
            2 * people.len() as u64,
            "{wait} ms"
        );
        assert_eq!(workstation.waiting().await.unwrap(), 0);
        assert_eq!(
            std::fs::read_dir(dir.path().join("data/outbox"))
                .unwrap()
                .count(),
            0
        );
    }
    assert!(told > 0, "some child came far enough");
}
