//! Registering by files alone: the server is never reached before the donors are open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use infoblood_agreement::profile::SiteProfile;
use infoblood_client::clock::SystemClock;
use infoblood_client::{Decision, EnrolRequest, Evidence, Language, Workstation};
use infoblood_e2e::server::{Person, Server};
use infoblood_e2e::tour;
use infoblood_e2e::window::{STEP, Window};
use infoblood_e2e::world::World;
use infoblood_e2e::{Result, evidence};

use super::{ONE_AT_A_TIME, REGISTRATION, evidence_folder, sync};
use crate::common::MemoryKeyring;

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_registers_where_no_server_is_reached() -> Result {
    let _turn = ONE_AT_A_TIME.lock().await;
    let out = evidence_folder("courier")?;
    let mut world = World::new(false)?;
    let before = world.server.tree_size().await?;
    world.server.stop();
    let window = world.launch().await?;
    let carried = carried(&world, &window, &out).await;
    world.keep_logs(&out.join("logs"))?;
    if carried.is_err() {
        window.snapshot(&out.join("failed.png")).await?;
    }
    carried?;

    // What was done meanwhile waits, and nothing says that it is done before the server has it.
    window.click("sync-screen").await?;
    let waiting = sync::standing(&window).await?;
    assert!(waiting.waiting > 0, "{waiting:?}");
    assert!(!waiting.says_done, "{waiting:?}");
    window.picture(&out, "sync-offline").await?;
    world.server.start()?;
    window.click("sync-retry").await?;
    let sent = sync::until_done(&window).await;
    world.keep_logs(&out.join("logs"))?;
    sent?;
    window.picture(&out, "sync-done").await?;
    assert_eq!(
        world.server.tree_size().await?,
        before + 2 * REGISTRATION,
        "the person here and the one on the other workstation, each once"
    );
    window.close()
}

/// Out with everything that waits, through the server's own hands, in with the answer.
async fn carried(world: &World, window: &Window, out: &Path) -> Result {
    let [here, elsewhere] = &world.people;
    tour::agreement(window, None).await?;
    tour::enrol(window, here, None).await?;
    window.wait("offline-ways").await?;
    let waiting = sync::waiting(&window.state().await?);
    assert_eq!(waiting, REGISTRATION);

    window.click("courier-export").await?;
    let request = saved(&world.desktop.downloads).await?;
    let answer = taken_in(&world.server, &request)?;
    let words = window.wait("courier-result").await?.text().await?;
    assert!(words.contains(&*request.to_string_lossy()), "{words}");

    let cut = answer.with_file_name("cut.ibpack");
    let whole = std::fs::read(&answer)?;
    std::fs::write(&cut, &whole[..whole.len() / 2])?;
    let foreign = another_workstations(world, elsewhere).await?;
    for (file, code) in [
        (&cut, "courier-truncated"),
        (&foreign, "courier-other-device"),
    ] {
        window.choose("courier-import", file).await?;
        window.wait_error(code).await?;
        let state = window.state().await?;
        assert_eq!(state["screen"]["name"], "registering", "{code}");
        assert_eq!(
            state["screen"]["progress"]["sent_at"],
            serde_json::Value::Null
        );
        assert_eq!(sync::waiting(&state), waiting, "{code}");
        assert!(window.find("donor-search").await.is_none(), "{code}");
    }
    window.picture(out, "courier-refused").await?;

    window.choose("courier-import", &answer).await?;
    tour::registered(window).await?;
    assert_eq!(
        tour::count(window).await?,
        u64::from(infoblood_e2e::world::DONORS)
    );
    assert!(world.server.id().is_none(), "without a server to the end");
    evidence::nothing_of(&evidence::donors_words(&world.server)?, &world.data_dir)
}

/// The server's own command, on its data directory.
fn taken_in(server: &Server, request: &Path) -> Result<PathBuf> {
    let answer = request.with_extension("answer.ibpack");
    let [from, to] = [request, &answer].map(|path| path.to_string_lossy().into_owned());
    let said = server.ask(&["courier", &from, "--out", &to])?;
    assert_eq!(said["stored"], REGISTRATION, "{said}");
    assert_eq!(said["grants"], 1, "{said}");
    Ok(answer)
}

/// The answer to the file of another workstation of the same site.
async fn another_workstations(world: &World, person: &Person) -> Result<PathBuf> {
    let folder = world.folder().join("elsewhere");
    std::fs::create_dir_all(&folder)?;
    let profile = SiteProfile::parse(&std::fs::read(&world.profile)?)?;
    let workstation = Workstation::open(
        &folder.join("data"),
        &profile,
        Arc::new(MemoryKeyring::default()),
        Arc::new(SystemClock),
    )
    .await?;
    let evidence = Evidence {
        document: *workstation.current_document().digest(),
        opened_at: 1_700_000_000,
        visible_seconds: 61,
        languages_shown: vec![Language::Kk, Language::Ru],
        end_reached: vec![Language::Kk],
    };
    let request = EnrolRequest {
        login: person.login.clone(),
        code: person.code.clone().into(),
        passphrase: person.passphrase.clone().into(),
        evidence,
        decision: Decision::Accepted,
    };
    workstation.enrol(request).await?;
    let file = folder.join("request.ibpack");
    workstation.export_pack(&file).await?;
    taken_in(&world.server, &file)
}

/// The courier file that appeared where the app saves files.
async fn saved(downloads: &Path) -> Result<PathBuf> {
    let started = Instant::now();
    loop {
        let mut files = evidence::files(downloads)?;
        files.retain(|file| file.extension().is_some_and(|end| end == "ibpack"));
        if let Some(file) = files.pop() {
            return Ok(file);
        }
        if started.elapsed() > STEP {
            return Err("no courier file was saved".into());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
