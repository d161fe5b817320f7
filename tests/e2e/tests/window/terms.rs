//! A newer version of the terms: who accepted the old one accepts anew, with their own keys, and both proofs stand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use infoblood_agreement::document::Document;
use infoblood_client::clock::{Clock as _, SystemClock};
use infoblood_e2e::tour;
use infoblood_e2e::window::{STEP, Window};
use infoblood_e2e::world::World;
use infoblood_e2e::{Result, evidence};
use jiff::Timestamp;

/// How far ahead the new version is announced.
const AHEAD: Duration = Duration::from_secs(6);

/// A clause that both texts have, and what is added to it.
const CLAUSE: usize = 2;
const ADDED: &str = "(2027)";

/// The person is signed in and has the proof of the first version in `out`, as the tour leaves it.
pub(crate) async fn accepted_anew(world: &World, window: &Window, out: &Path) -> Result {
    let person = &world.people[0];
    let old = proofs(world)?;
    let folder = out.join("document-2");
    changed(&folder)?;
    let from = SystemClock.now() + AHEAD;
    let published = world.server.ask(&[
        "agreement",
        "publish",
        &folder.to_string_lossy(),
        "--change",
        "material",
        "--effective-from",
        &from.to_string(),
    ])?;
    assert_eq!(published["version"], 2, "{published}");
    // The publication itself is an entry of the log.
    let before = world.server.tree_size().await?;

    window.click("sync-screen").await?;
    announced(window, from).await?;
    until_closed(window).await?;
    tour::try_passphrase(window, person, &person.passphrase).await?;
    window.wait("renew").await?;
    let change = window.wait("change").await?;
    assert_eq!(change.attr("data-kind").await?.as_deref(), Some("changed"));
    let words = change.text().await?;
    assert_eq!(
        words.matches(ADDED).count(),
        2,
        "in both languages, only after: {words}"
    );
    window.scroll_to_end().await?;
    window.click("accept-check").await?;
    window.picture(out, "12-terms-changed").await?;
    let accept = window.wait("accept").await?;
    assert!(!accept.is_enabled().await?, "not without the passphrase");
    window
        .fill("again-passphrase", &world.people[1].passphrase)
        .await?;
    window.click("accept").await?;
    window.wait_error("passphrase-wrong").await?;
    assert_eq!(world.server.tree_size().await?, before);
    window.fill("again-passphrase", &person.passphrase).await?;
    window.click("accept").await?;
    tour::registered(window).await?;
    window.wait("donor-row").await?;
    assert_eq!(
        world.server.tree_size().await?,
        before + 1,
        "one more acceptance, nothing else"
    );
    both_verify(world, window, out, &old, &folder).await
}

/// The proof that the window gives now is of the new version; the old one is what it was.
async fn both_verify(
    world: &World,
    window: &Window,
    out: &Path,
    old: &[PathBuf],
    folder: &Path,
) -> Result {
    window.click("proof-card").await?;
    window.click("save-proof").await?;
    let started = Instant::now();
    let new = loop {
        let mut files = proofs(world)?;
        files.retain(|file| !old.contains(file));
        if files.len() >= 2 {
            break files;
        }
        if started.elapsed() > STEP {
            return Err("the new proof was not saved".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let keys = out.join("scitt-keys-2.cbor");
    fs::write(&keys, world.server.get("/.well-known/scitt-keys").await?)?;
    for (files, document) in [(old, out.join("document")), (&new, folder.to_owned())] {
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let rows = world.server.verify(&files, &keys, &document)?;
        let accepted = rows.iter().filter(|row| row["decision"] == "accepted");
        assert_eq!(accepted.count(), 1, "{rows:?}");
    }
    // Neither stands for the other.
    let new: Vec<&Path> = new.iter().map(PathBuf::as_path).collect();
    let swapped = world.server.verify(&new, &keys, &out.join("document"));
    assert!(swapped.is_err(), "{swapped:?}");
    window.click_css("nav.nav > button:first-of-type").await?;
    window.wait("donor-row").await.map(|_| ())
}

/// The built-in version with one clause changed in both languages.
fn changed(folder: &Path) -> Result {
    fs::create_dir_all(folder)?;
    let old = Document::builtin();
    for (name, text) in [("kk.txt", old.kk()), ("ru.txt", old.ru())] {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let line = lines.get_mut(CLAUSE).ok_or("too few lines")?;
        *line = format!("{line} {ADDED}");
        fs::write(folder.join(name), lines.join("\n"))?;
    }
    Ok(fs::write(
        folder.join("structure.json"),
        old.structure_json(),
    )?)
}

/// Files of proofs among what the app has saved.
fn proofs(world: &World) -> Result<Vec<PathBuf>> {
    let mut files = evidence::files(&world.desktop.downloads)?;
    files.retain(|file| file.extension().is_some_and(|end| end == "cose"));
    Ok(files)
}

/// Until the date the work goes on, and the window says what comes. A machine too slow to see that sees the date itself.
async fn announced(window: &Window, from: Timestamp) -> Result {
    window.click("sync-retry").await?;
    while SystemClock.now() < from {
        let state = window.state().await?;
        if state["terms_change"]["version"] == 2 {
            let is_open = state["screen"]["name"] == "unlocked";
            assert!(is_open || SystemClock.now() >= from, "closed too early");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Synchronises as a person does, until that has closed the donors.
async fn until_closed(window: &Window) -> Result {
    let started = Instant::now();
    while window.find("person-select").await.is_none() {
        if started.elapsed() > STEP {
            let page = window.words().await;
            return Err(format!("it stays open; the window shows:\n{page}").into());
        }
        if let Some(button) = window.find("sync-retry").await {
            // Between the look and the click the screen may have changed.
            let _ = button.click().await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    window.wait_gone("donor-search").await
}
