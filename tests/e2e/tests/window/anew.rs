//! Beginning anew where the keys of the store are gone: it is said, nothing opens, and what was sealed before still arrives.

use std::path::Path;
use std::time::{Duration, Instant};

use infoblood_e2e::server::Person;
use infoblood_e2e::tour;
use infoblood_e2e::window::{STEP, Window};
use infoblood_e2e::world::World;
use infoblood_e2e::{Result, evidence};

use super::{REGISTRATION, sync};

/// The first person is registered here, and no window is open.
pub(crate) async fn without_the_keyrings_item(world: &mut World, out: &Path) -> Result {
    world.server.stop();
    let window = world.launch().await?;
    tour::sign_in(&window, &world.people[0]).await?;
    window.wait("donor-row").await?;
    window.close()?;
    // Closing locks, and that is an event too.
    let before = evidence::files(&world.data_dir.join("outbox"))?.len();
    assert!(before > 0, "what was done without a network waits");

    // For the app that is a keyring without its item.
    world
        .desktop
        .set("INFOBLOOD_KEYRING_SERVICE", "kz.infoblood.demo.other");
    world.server.start()?;
    let window = world.launch().await?;
    let begun = begun_anew(world, &window, out, before).await;
    world.keep_logs(&out.join("logs"))?;
    if begun.is_err() {
        window.snapshot(&out.join("failed.png")).await?;
    }
    begun?;
    window.close()
}

async fn begun_anew(world: &World, window: &Window, out: &Path, before: usize) -> Result {
    window.wait_error("keyring-lost").await?;
    window.wait("start-anew").await?;
    assert!(window.find("donor-search").await.is_none());
    window.picture(out, "blocked").await?;
    window.click("start-anew").await?;
    window.wait("anew-dialog").await?;
    window.click("anew-check").await?;
    window.click("anew-go").await?;

    tour::agreement(window, None).await?;
    let waiting = sync::waiting(&window.state().await?);
    assert!(
        usize::try_from(waiting)? <= before,
        "{waiting} of {before}: nothing is new"
    );
    let person = &world.people[0];
    let answer = world.server.ask(&["person", "code", &person.login])?;
    // The new code is an entry itself.
    let entries = world.server.tree_size().await?;
    let code = answer["enrolment_code"].as_str().ok_or("no code")?;
    let person = Person {
        code: code.to_owned(),
        ..person.clone()
    };
    tour::enrol(window, &person, None).await?;
    tour::registered(window).await?;
    window.wait("donor-row").await?;
    assert_eq!(world.server.tree_size().await?, entries + REGISTRATION);

    // Also what the device that is no more had sealed.
    window.click("sync-screen").await?;
    window.click("sync-retry").await?;
    // A look at the list is an event, of which the window is told a moment later.
    let started = Instant::now();
    while !evidence::files(&world.data_dir.join("outbox"))?.is_empty() {
        assert!(started.elapsed() < STEP, "{}", window.words().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sync::until_done(window).await?;
    assert!(evidence::files(&world.data_dir.join("outbox"))?.is_empty());
    window.picture(out, "sync-after-anew").await
}
