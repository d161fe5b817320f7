//! Registering through a phone, by pixels: the code that the workstation shows, the real page in headless Chromium, the codes on the
//! phone's screen.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use infoblood_agreement::profile::SiteProfile;
use infoblood_client::clock::SystemClock;
use infoblood_client::relay::{Collector, picture, typed};
use infoblood_client::{Decision, EnrolRequest, Evidence, Language, PersonSession, Workstation};
use infoblood_e2e::Result;
use infoblood_e2e::phone::Phone;
use infoblood_e2e::server::{Person, Server};
use tokio::sync::Mutex as Turn;

use common::MemoryKeyring;

mod common;

static ONE_AT_A_TIME: Turn<()> = Turn::const_new(());

/// A server, and a workstation that never speaks to it.
struct Site {
    server: Server,
    profile: SiteProfile,
    people: [Person; 2],
    folder: tempfile::TempDir,
    pictures: PathBuf,
}

impl Site {
    fn new(name: &str) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new()
            .prefix("infoblood-relay-")
            .tempdir()?;
        let mut server = Server::set_up(&folder.path().join("server"))?;
        let passphrase = "алтын күз 27 жаңбыр mountain";
        let people = [
            server.add_person("a.nurlanova", "Айгүл Нұрланова", passphrase)?,
            server.add_person("s.petrov", "Сергей Петров", passphrase)?,
        ];
        server.start()?;
        let profile = folder.path().join("site.json");
        server.profile(&profile)?;
        let profile = SiteProfile::parse(&std::fs::read(profile)?)?;
        let own = std::env::current_exe()?;
        let target = own.ancestors().nth(3).ok_or("no target directory")?;
        let pictures = target.join("e2e").join(name);
        if pictures.exists() {
            std::fs::remove_dir_all(&pictures)?;
        }
        std::fs::create_dir_all(&pictures)?;
        Ok(Self {
            server,
            profile,
            people,
            folder,
            pictures,
        })
    }

    /// Signed on a machine of its own, nothing sent.
    async fn signed(
        &self,
        machine: &str,
        person: usize,
        code: usize,
    ) -> Result<(Workstation, PersonSession)> {
        let workstation = Workstation::open(
            &self.folder.path().join(machine),
            &self.profile,
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
        let pending = workstation
            .enrol(EnrolRequest {
                login: self.people[person].login.clone(),
                code: self.people[code].code.clone().into(),
                passphrase: self.people[person].passphrase.clone().into(),
                evidence,
                decision: Decision::Accepted,
            })
            .await?;
        Ok((workstation, pending.session))
    }

    fn keep(&self, name: &str, pixels: &[u8]) -> Result {
        Ok(std::fs::write(self.pictures.join(name), pixels)?)
    }
}

/// The one code in these pixels.
fn decode(pixels: &[u8]) -> Result<String> {
    let image = image::load_from_memory_with_format(pixels, image::ImageFormat::Png)?.to_luma8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let raw = image.into_raw();
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| raw[y * width + x]);
    let grids = prepared.detect_grids();
    let [grid] = &grids[..] else {
        return Err(format!("{} codes in the picture", grids.len()).into());
    };
    Ok(grid.decode()?.1)
}

/// The workstation's screen with its code, read back as a camera sees it.
async fn outward(phone: &Phone, site: &Site, url: &str) -> Result<String> {
    let svg = picture(url).ok_or("too long for a code")?;
    let page = site.folder.path().join("shown.html");
    let style = "<style>body{margin:0}svg{width:100vw;height:100vw}</style>";
    std::fs::write(&page, format!("<!doctype html>{style}{svg}"))?;
    phone.open(&format!("file://{}", page.display())).await?;
    let pixels = phone.pixels().await?;
    site.keep("outward.png", &pixels)?;
    decode(&pixels)
}

/// Every code of the answer, one after the other, from the phone's screen.
async fn frames(phone: &Phone, site: &Site) -> Result<Vec<String>> {
    phone.wait("#picture svg").await?;
    let total = phone
        .script("return document.getElementById('place').textContent")
        .await?;
    let total: usize = total
        .as_str()
        .and_then(|place| place.split_once(" / "))
        .ok_or("no place")?
        .1
        .parse()?;
    let mut texts = Vec::new();
    phone
        .script("document.getElementById('picture').scrollIntoView({ block: 'center' })")
        .await?;
    for n in 0..total {
        let pixels = phone.pixels().await?;
        site.keep(&format!("frame-{n}.png"), &pixels)?;
        texts.push(decode(&pixels)?);
        if total > 1 {
            phone.touch("#next").await?;
        }
    }
    Ok(texts)
}

/// `cargo xtask test` says so where the system has no browser to install.
fn without_browser() -> bool {
    std::env::var_os("INFOBLOOD_WITHOUT_BROWSER").is_some()
}

async fn code_on_screen(phone: &Phone) -> Result<String> {
    phone.wait("#error").await?;
    let code = phone
        .script("return document.getElementById('error').dataset.code")
        .await?;
    Ok(code.as_str().unwrap_or_default().to_owned())
}

/// No fault that axe-core finds by the rules of WCAG 2.2 AA.
async fn accessible(phone: &Phone) -> Result {
    let axe =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/node_modules/axe-core/axe.min.js");
    phone.script(&std::fs::read_to_string(axe)?).await?;
    let tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']";
    let faults = phone
        .script_later(&format!(
            "const done = arguments[arguments.length - 1];
             axe.run(document, {{ runOnly: {tags} }}).then((found) => done(found.violations.map(
               (one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' '))), (error) => done([String(error)]))"
        ))
        .await?;
    assert_eq!(faults, serde_json::json!([]));
    Ok(())
}

fn mentions(folder: &Path, text: &str) -> Result<bool> {
    let log = std::fs::read_to_string(folder.join("server/server.log"))?;
    Ok(log.contains(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn pixels_of_the_real_page_unlock_a_workstation() -> Result {
    if without_browser() {
        return Ok(());
    }
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut site = Site::new("relay")?;
    let before = site.server.tree_size().await?;
    let (workstation, session) = site.signed("here", 0, 0).await?;
    let phone = Phone::start(site.folder.path(), false).await?;

    let url = workstation.relay_url(session.person_id()).await?;
    let url = url.ok_or("nothing to ask")?;
    let read = outward(&phone, &site, &url).await?;
    assert_eq!(read, url);

    phone.open(&read).await?;
    phone.wait("#done").await?;
    site.keep("answer.png", &phone.pixels().await?)?;
    accessible(&phone).await?;
    // The code and its buttons are on the screen without scrolling.
    let bottom =
        "return document.getElementById('controls').getBoundingClientRect().bottom <= innerHeight";
    assert_eq!(phone.script(bottom).await?, true);
    // Without a touch the codes change by themselves; a touch stops them.
    let shown = "return document.body.dataset.frame";
    let first = phone.script(shown).await?;
    let started = Instant::now();
    while phone.script(shown).await? == first {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "the codes stand still"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    phone.touch("#pause").await?;
    assert!(phone.shows("#play-word").await?);
    let texts = frames(&phone, &site).await?;
    assert!((2..=12).contains(&texts.len()), "{} frames", texts.len());
    let text = phone
        .script("return document.getElementById('text').value")
        .await?;
    let pasted = text.as_str().ok_or("no text")?.to_owned();

    // Nothing came from elsewhere, and no address that the server saw carries the question.
    let requested = "return performance.getEntriesByType('resource').map(entry => entry.name)";
    let requested = phone.script(requested).await?;
    let question = url.split_once('#').ok_or("no fragment")?.1;
    for address in requested.as_array().ok_or("no list")? {
        let address = address.as_str().unwrap_or_default();
        assert!(address.starts_with(&site.server.url()), "{address}");
        assert!(!address.contains(question));
    }
    assert!(!mentions(site.folder.path(), question)?);
    assert!(!mentions(site.folder.path(), session.person_id())?);
    assert_eq!(site.server.tree_size().await?, before + 2);

    // From here on there is no server at all.
    site.server.stop();
    let mut collector = Collector::default();
    for text in texts.iter().rev() {
        collector.take(&typed(text))?;
    }
    let answer = collector.answer().ok_or("frames are missing")?;
    let mut at_once = Collector::default();
    at_once.take(&typed(&pasted))?;
    assert_eq!(at_once.answer().as_ref(), Some(&answer));
    let relayed = workstation.accept_relay(&answer).await?;
    assert!(relayed.is_registered && relayed.is_granted);
    session.unlock(&workstation, false).await?.lock().await?;
    phone.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_in_both_languages() -> Result {
    if without_browser() {
        return Ok(());
    }
    let _turn = ONE_AT_A_TIME.lock().await;
    let mut site = Site::new("relay-errors")?;
    let phone = Phone::start(site.folder.path(), true).await?;
    let page = format!("{}/relay", site.server.url());

    phone.open(&page).await?;
    assert_eq!(code_on_screen(&phone).await?, "nothing-to-send");
    for language in ["kk", "ru"] {
        assert!(
            phone
                .shows(&format!("#error-words h2 [lang={language}]"))
                .await?
        );
        assert!(
            phone
                .shows(&format!("#error-words p [lang={language}]"))
                .await?
        );
    }
    accessible(&phone).await?;
    site.keep("nothing.png", &phone.pixels().await?)?;
    phone.open(&format!("{page}#gkllbn*")).await?;
    assert_eq!(code_on_screen(&phone).await?, "relay-malformed");

    let (workstation, session) = site.signed("here", 0, 0).await?;
    let url = workstation.relay_url(session.person_id()).await?;
    let url = url.ok_or("nothing to ask")?;
    phone.open(&url[..url.len() - 40]).await?;
    assert_eq!(code_on_screen(&phone).await?, "relay-malformed");
    assert!(!phone.shows("#answer").await?);

    // The server goes while the page is open: the link stays good, and a touch asks again.
    phone.open(&page).await?;
    code_on_screen(&phone).await?;
    site.server.stop();
    let question = url.split_once('#').ok_or("no fragment")?.1;
    phone
        .script(&format!("location.hash = '{question}'"))
        .await?;
    phone.wait("#retry").await?;
    assert_eq!(code_on_screen(&phone).await?, "server-unreachable");
    site.keep("unreachable.png", &phone.pixels().await?)?;
    site.server.start()?;
    phone.touch("#retry").await?;
    phone.wait("#done").await?;
    // Whoever asked for less motion turns the codes by hand.
    assert!(phone.shows("#play-word").await? && !phone.shows("#pause-word").await?);
    let texts = frames(&phone, &site).await?;
    let mut collector = Collector::default();
    for text in &texts {
        collector.take(text)?;
    }
    let answer = collector.answer().ok_or("frames are missing")?;
    workstation.accept_relay(&answer).await?;

    // A code that somebody used: the reason is on the phone, and one code carries it to the workstation.
    let (late, session) = site.signed("there", 0, 0).await?;
    let url = late.relay_url(session.person_id()).await?;
    phone.open(&url.ok_or("nothing to ask")?).await?;
    assert_eq!(code_on_screen(&phone).await?, "code-used");
    site.keep("used.png", &phone.pixels().await?)?;
    let mut collector = Collector::default();
    for text in frames(&phone, &site).await? {
        collector.take(&text)?;
    }
    let answer = collector.answer().ok_or("frames are missing")?;
    let Err(error) = late.accept_relay(&answer).await else {
        return Err("a refusal was taken".into());
    };
    assert_eq!(error.code(), "code-used");

    // Another person's code.
    let (wrong, session) = site.signed("elsewhere", 1, 0).await?;
    let url = wrong.relay_url(session.person_id()).await?;
    phone.open(&url.ok_or("nothing to ask")?).await?;
    assert_eq!(code_on_screen(&phone).await?, "code-wrong");
    site.server
        .ask(&["person", "revoke", &site.people[0].login])?;
    let url = workstation.relay_url(&site.people[0].person_id).await?;
    assert_eq!(url, None, "registered and granted: nothing to ask");
    phone.close().await
}
