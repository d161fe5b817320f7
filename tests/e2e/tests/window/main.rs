//! The real window against the real server. One test at a time: each has a display, a keyring and a server of its own, and two
//! cores are soon busy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use infoblood_e2e::process::{find, kill, signal};
use infoblood_e2e::server::Person;
use infoblood_e2e::tour::{self, Outcome};
use infoblood_e2e::window::{STEP, Window};
use infoblood_e2e::world::World;
use infoblood_e2e::{Result, evidence};
use serde_json::json;
use tokio::sync::Mutex;

mod anew;
#[path = "../common/mod.rs"]
mod common;
mod courier;
mod sync;
mod terms;
mod views;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Where a test leaves what it saw: `e2e/NAME` in the target directory.
fn evidence_folder(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).ok_or("no target directory")?;
    let folder = target.join("e2e").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
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
    let mut gone_on = views::looked_at(&window, &out).await;
    if gone_on.is_ok() {
        gone_on = terms::accepted_anew(&world, &window, &out).await;
    }
    world.keep_logs(&out.join("logs"))?;
    if gone_on.is_err() {
        window.snapshot(&out.join("failed.png")).await?;
    }
    gone_on?;
    window.close()?;
    the_next_launch_needs_a_passphrase_only(world).await
}

async fn the_next_launch_needs_a_passphrase_only(mut world: World) -> Result {
    world.server.stop();
    let window = world.launch().await?;
    tour::sign_in(&window, &world.people[0]).await?;
    window.wait("donor-row").await?;
    window.close()
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

    let shared = two_share_the_workstation(&world, &window, &out).await;
    world.keep_logs(&out.join("logs"))?;
    shared?;
    assert_eq!(world.server.tree_size().await?, before + 2 * REGISTRATION);
    let revoked = one_is_revoked(&world, &window, &out).await;
    world.keep_logs(&out.join("logs"))?;
    revoked?;
    window.close()
}

/// The server takes back the right of who is working: that person's session ends and opens no more, the colleague works on.
async fn one_is_revoked(world: &World, window: &Window, out: &Path) -> Result {
    let [first, second] = &world.people;
    tour::sign_in(window, first).await?;
    window.wait("donor-row").await?;
    world.server.ask(&["person", "revoke", &first.login])?;
    window.click("sync-screen").await?;
    window.click("sync-retry").await?;
    window.wait("person-select").await?;
    window.wait_gone("sync-screen").await?;
    window.picture(out, "revoked").await?;
    let state = window.state().await?;
    let row = state["screen"]["people"]
        .as_array()
        .and_then(|rows| rows.iter().find(|row| row["login"] == first.login.as_str()))
        .ok_or("the revoked person is not named")?;
    assert_eq!(row["revoked"], true, "{row}");
    // Not even past the screen: the command itself refuses.
    let script = "return window.__TAURI_INTERNALS__.invoke('sign_in', { personId: arguments[0], passphrase: arguments[1] })
        .then(() => 'opened', (error) => error.code)";
    let arguments = [&first.person_id, &first.passphrase].map(|text| text.as_str().into());
    let answer = window.script(script, arguments.to_vec()).await?;
    assert_eq!(answer, "person-revoked");
    assert!(window.find("donor-search").await.is_none());

    tour::sign_in(window, second).await?;
    window.wait("donor-row").await?;
    signed_in_as(window, second).await
}

/// A second person enrols where one is enrolled; then each takes over from the other, and neither opens what is the other's.
async fn two_share_the_workstation(world: &World, window: &Window, out: &Path) -> Result {
    let [first, second] = &world.people;
    signed_in_as(window, first).await?;
    lock(window).await?;
    window.click("other-person").await?;
    // Nothing is taken over from the first person: neither the reading nor the decision.
    tour::agreement(window, None).await?;
    tour::enrol(window, second, None).await?;
    tour::registered(window).await?;
    window.wait("donor-row").await?;
    signed_in_as(window, second).await?;
    lock(window).await?;
    window.picture(out, "two-people").await?;

    for (person, other) in [(first, second), (second, first)] {
        tour::try_passphrase(window, person, &other.passphrase).await?;
        window.wait("error").await?;
        assert_eq!(
            window.error_code().await.as_deref(),
            Some("passphrase-wrong")
        );
        assert!(window.find("donor-search").await.is_none());
        tour::sign_in(window, person).await?;
        window.wait("donor-row").await?;
        signed_in_as(window, person).await?;
        lock(window).await?;
    }
    tour::sign_in(window, first).await?;
    window.wait("donor-row").await?;
    // Left for a person to read: a shift is handed over within 5 seconds.
    let started = Instant::now();
    lock(window).await?;
    tour::sign_in(window, second).await?;
    window.wait("donor-row").await?;
    let seconds = started.elapsed().as_secs_f64();
    fs::write(
        out.join("handover.json"),
        json!({ "seconds": seconds }).to_string(),
    )?;
    lock(window).await?;
    evidence::nothing_of(&evidence::donors_words(&world.server)?, &world.data_dir)
}

/// The bar names who is signed in.
async fn signed_in_as(window: &Window, person: &Person) -> Result {
    window.wait_words("status-bar", &person.name).await
}

async fn lock(window: &Window) -> Result {
    window.click("lock").await?;
    window.wait("person-select").await?;
    window.wait_gone("donor-search").await
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
    let window = launch_beside_a_dying_one(&world, window).await?;
    let signed_in = tour::sign_in(&window, &world.people[0]).await;
    world.keep_logs(&out.join("logs"))?;
    signed_in?;
    window.wait("donor-row").await?;
    assert_eq!(world.server.tree_size().await?, before + REGISTRATION);
    lock(&window).await?;
    evidence::nothing_of(&evidence::donors_words(&world.server)?, &world.data_dir)?;

    // A killed window cannot remove the browser data that a driven one keeps; the world does.
    let folder = world.folder().to_owned();
    assert_eq!(
        browser_data(&folder)?,
        3,
        "of two killed windows and this one"
    );
    window.close()?;
    assert_eq!(browser_data(&folder)?, 2, "of the killed windows");
    anew::without_the_keyrings_item(&mut world, &out).await?;
    drop(world);
    assert!(!folder.exists(), "{} is left", folder.display());
    Ok(())
}

/// The next start comes while the first instance holds its name and answers nothing, and it ends while it is asked: a dying process
/// does the same, only too briefly for a test to meet it each time.
async fn launch_beside_a_dying_one(world: &World, first: Window) -> Result<Window> {
    let dying = first.processes();
    for id in &dying {
        signal("-STOP", *id)?;
    }
    let program = fs::read_link(format!("/proc/{}/exe", dying.first().ok_or("no app")?))?;
    let data_dir = world.data_dir.clone();
    let end = tokio::spawn(async move {
        let started = Instant::now();
        while find(&program, &data_dir).len() <= dying.len() && started.elapsed() < STEP {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Time to find the name taken; less than a hung instance is given.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        dying.into_iter().try_for_each(kill)
    });
    let next = world.launch().await?;
    end.await??;
    drop(first);
    Ok(next)
}

fn browser_data(folder: &Path) -> Result<usize> {
    let entries = fs::read_dir(folder.join("tmp"))?.flatten();
    let names = entries.map(|entry| entry.file_name());
    Ok(names
        .filter(|name| name.to_string_lossy().starts_with("infoblood-webdriver-"))
        .count())
}
