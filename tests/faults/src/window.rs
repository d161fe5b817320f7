//! The real window: its disk is full while a person signs, it is killed at a random moment after signing, and its clock is wrong at
//! the next launch. One registration must come of it, and the patients' list at the end.

use std::path::Path;
use std::time::{Duration, Instant};

use infoblood_e2e::tour;
use infoblood_e2e::window::{STEP, Window};
use infoblood_e2e::world::World;

use crate::Result;
use crate::chance::Chance;
use crate::clock::{self, DAY};
use crate::full::Filler;
use crate::ledger::Tally;
use crate::mount::{self, Mount};

/// Entries that one registration adds to the log: the enrolment and the acceptance.
const REGISTRATION: u64 = 2;
/// Room of the data directory, KiB.
const ROOM: u64 = 24 << 10;

/// What the machine lacks for it.
pub(crate) fn missing() -> Option<&'static str> {
    let has = |name: &str| {
        std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
        })
    };
    let is_built = infoblood_e2e::process::binary("infoblood").is_ok();
    if !is_built || !has("WebKitWebDriver") || !has("Xvfb") {
        return Some("needs the app, built by cargo xtask test, and its WebDriver");
    }
    mount::missing().or_else(clock::missing)
}

/// One person, one window after the other.
pub(crate) async fn once(seed: u64) -> Result<Tally> {
    let _leavings = clock::Leavings;
    let mut chance = Chance::new(seed);
    let mut tally = Tally::default();
    let mut world = World::new(false)?;
    let _room = Mount::memory(&world.data_dir, ROOM)?;
    let before = world.server.tree_size().await?;
    world.server.stop();

    // No room at all: it says so, and nothing is signed; with room again the same person signs.
    let window = world.launch().await?;
    tour::agreement(&window, None).await?;
    let filler = Filler::fill(&world.data_dir, 0)?;
    tour::enrol(&window, &world.people[0], None).await?;
    window.wait("error").await?;
    let code = window.error_code().await;
    if code.as_deref() != Some("disk-full") {
        tally.fail(format!("a full disk was called {code:?}"));
    }
    drop(filler);
    tally.runs += 1;
    tour::enrol(&window, &world.people[0], None).await?;

    // Killed while it signs, or after it told that it is stored.
    tokio::time::sleep(chance.millis(0, 3_000)).await;
    let told = window.find("sync-status").await.is_some();
    window.kill()?;
    tally.runs += 1;
    tally.acknowledged += u64::from(told);
    world.server.start()?;
    let window = world.launch().await?;
    let screens = [
        "agreement-kk",
        "sync-status",
        "person-select",
        "donor-search",
    ];
    let (screen, _) = window.wait_any(&screens, STEP).await?;
    if screen == "agreement-kk" {
        if told {
            tally.lost += 1;
            tally.fail("the acceptance that a person was told of is gone");
        }
        tour::agreement(&window, None).await?;
        tour::enrol(&window, &world.people[0], None).await?;
    }
    let until = Instant::now() + STEP;
    while world.server.tree_size().await? < before + REGISTRATION {
        if Instant::now() > until {
            tally.lost += 1;
            tally.fail(format!("not registered: {}", window.words().await));
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The proof, or already the patients' list or the people to choose from.
    let registered = ["proof-card", "donor-search", "person-select"];
    window.wait_any(&registered, STEP).await?;
    window.kill()?;

    // Signed times are known once somebody signed in; two days before them it does not open, and says why.
    let window = world.launch().await?;
    tour::sign_in(&window, &world.people[0]).await?;
    window.kill()?;
    let file = world.folder().join("clock");
    let window = at(&mut world, &file, -2 * DAY).await?;
    let word = told_why(&window, &world).await?;
    if word.as_deref() != Some("clock-behind") {
        tally.fail(format!("a clock two days behind was called {word:?}"));
    }
    window.kill()?;
    tally.runs += 1;
    let window = at(&mut world, &file, 0).await?;
    tour::sign_in(&window, &world.people[0]).await?;
    window.close()?;
    let registered = world.server.tree_size().await? - before;
    if registered > REGISTRATION {
        tally.doubled += 1;
        tally.fail(format!("{registered} entries of one registration"));
    }
    Ok(tally)
}

/// Launches the window with its clock so many seconds from the true time.
async fn at(world: &mut World, file: &Path, offset: i64) -> Result<Window> {
    let library = clock::library().ok_or("libfaketime is not installed")?;
    clock::write(file, offset)?;
    for (name, value) in clock::environment(&library, file) {
        world.desktop.set(&name, &value);
    }
    world.launch().await
}

/// The code of the refusal, at the launch or at signing in.
async fn told_why(window: &Window, world: &World) -> Result<Option<String>> {
    let screens = ["error", "person-select"];
    let (screen, _) = window.wait_any(&screens, STEP).await?;
    if screen == "person-select" && window.error_code().await.is_none() {
        let person = &world.people[0];
        tour::try_passphrase(window, person, &person.passphrase).await?;
        window.wait("error").await?;
    }
    Ok(window.error_code().await)
}
