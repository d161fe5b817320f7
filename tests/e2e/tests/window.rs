//! The real window against the real server. One test at a time: each has a display, a keyring and a server of its own, and two
//! cores are soon busy.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use infoblood_e2e::tour::{self, Outcome};
use infoblood_e2e::window::STEP;
use infoblood_e2e::world::World;
use infoblood_e2e::{Result, evidence};
use tokio::sync::Mutex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Where a test leaves what it saw: `e2e/NAME` in the target directory.
fn evidence_folder(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).ok_or("no target directory")?;
    let folder = target.join("e2e").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Entries that one registration adds to the log: the enrolment and the acceptance.
const REGISTRATION: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn first_launch_leads_to_an_unlocked_donor_card() -> Result {
    let _turn = ONE_AT_A_TIME.lock().await;
    let out = evidence_folder("tour")?;
    let world = World::new(false)?;
    let before = world.server.tree_size().await?;
    let mut outcome = Outcome::default();
    let toured = tour::run(&world, &out, &mut outcome).await;
    world.keep_logs(&out.join("logs"))?;
    let window = toured?;
    assert!(outcome.unlocked);
    assert!(outcome.receipt_verified);
    assert_eq!(
        outcome.patient_rows,
        u64::from(infoblood_e2e::world::DONORS)
    );
    assert_eq!(world.server.tree_size().await?, before + REGISTRATION);
    // Each search leaves an audit event: one look must not search again and again.
    let waiting = evidence::files(&world.data_dir.join("outbox"))?.len();
    assert!(waiting < 50, "{waiting} sealed items after one tour");
    window.close().await?;

    // The next launch asks for a passphrase only, and needs no server.
    let mut world = world;
    world.server.stop();
    let window = world.launch().await?;
    tour::sign_in(&window, &world.people[0]).await?;
    window.wait("donor-row").await?;
    window.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_the_acceptance_waits_and_then_goes_by_itself() -> Result {
    let _turn = ONE_AT_A_TIME.lock().await;
    let out = evidence_folder("offline")?;
    let mut world = World::new(false)?;
    let before = world.server.tree_size().await?;
    world.server.stop();
    let window = world.launch().await?;
    tour::agreement(&window, None).await?;
    tour::enrol(&window, &world.people[0], None).await?;
    window.wait("sync-status").await?;
    window.wait("sync-retry").await?;
    window.picture(&out, "registered-offline").await?;
    assert!(
        window.find("donor-search").await.is_none(),
        "nothing is open before the registration"
    );

    world.server.start()?;
    let gone_on = tour::registered(&window).await;
    world.keep_logs(&out.join("logs"))?;
    gone_on?;
    assert_eq!(world.server.tree_size().await?, before + REGISTRATION);
    window.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_signing_it_registers_exactly_once() -> Result {
    let _turn = ONE_AT_A_TIME.lock().await;
    let out = evidence_folder("killed")?;
    let mut world = World::new(false)?;
    let before = world.server.tree_size().await?;
    world.server.stop();
    let window = world.launch().await?;
    tour::agreement(&window, None).await?;
    tour::enrol(&window, &world.people[0], None).await?;
    // Told that it is stored: from here on nothing may be lost or doubled.
    window.wait("sync-status").await?;
    window.kill()?;
    world.server.start()?;

    let window = world.launch().await?;
    let started = Instant::now();
    while world.server.tree_size().await? < before + REGISTRATION {
        assert!(
            started.elapsed() < STEP,
            "registering needs nobody:\n{}",
            window.words().await
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    window.kill()?;
    let window = world.launch().await?;
    let signed_in = tour::sign_in(&window, &world.people[0]).await;
    world.keep_logs(&out.join("logs"))?;
    signed_in?;
    window.wait("donor-row").await?;
    assert_eq!(world.server.tree_size().await?, before + REGISTRATION);
    window.click("lock").await?;
    window.wait("person-select").await?;
    evidence::nothing_of(&evidence::donors_words(&world.server)?, &world.data_dir)?;
    window.close().await
}
