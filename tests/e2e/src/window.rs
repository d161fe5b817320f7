//! The real window under a WebDriver: each launch has a WebDriver of its own, because a killed app takes its session along.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::desktop::Desktop;
use crate::process::{Running, alive, binary, find, kill, signal, wait_for};
use crate::{Error, Result};

/// How long a step of the window may take. Generous: two cores, an unoptimised build, Argon2id.
pub const STEP: Duration = Duration::from_mins(1);

/// Both languages of the interface, in the order in which pictures are taken.
pub const LANGUAGES: [&str; 2] = ["kk", "ru"];

/// The window's size for pictures, in pixels (that of the mockups).
const SIZE: (u32, u32) = (1366, 768);

/// A launched app.
#[derive(Debug)]
pub struct Window {
    client: Client,
    program: PathBuf,
    data_dir: PathBuf,
    _driver: Running,
}

impl Window {
    /// Starts the app through a WebDriver.
    pub async fn launch(desktop: &Desktop, data_dir: &Path, profile: &Path) -> Result<Self> {
        let program = binary("infoblood")?.canonicalize()?;
        let port = free_port()?;
        let mut command = desktop.command("WebKitWebDriver");
        command
            .arg(format!("--port={port}"))
            .arg("--host=127.0.0.1")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdout(
                fs::File::options()
                    .create(true)
                    .append(true)
                    .open(desktop.log("driver.log"))?,
            );
        let driver = Running::start(&mut command, &desktop.log("app.log"))?;
        wait_for("the WebDriver", Duration::from_secs(20), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        })?;
        let options = json!({
            "binary": program,
            "args": ["--data-dir", data_dir, "--site-profile", profile],
        });
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("webkitgtk:browserOptions".to_owned(), options);
        let connecting = async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        };
        let client = tokio::time::timeout(STEP, connecting).await.map_err(|_| {
            let said = fs::read_to_string(desktop.log("app.log")).unwrap_or_default();
            format!("the app did not open its window; it said:\n{said}")
        })??;
        let window = Self {
            client,
            program,
            data_dir: data_dir.to_owned(),
            _driver: driver,
        };
        window.resize(SIZE).await;
        Ok(window)
    }

    /// Gives the window another size. Without a window manager that is a wish.
    pub async fn resize(&self, (width, height): (u32, u32)) {
        let _ = self.client.set_window_size(width, height).await;
    }

    /// The app's process ids (its own, not those of WebKit's helpers).
    pub fn processes(&self) -> Vec<u32> {
        find(&self.program, &self.data_dir)
    }

    /// Kills the app at once, as a power cut would.
    pub fn kill(self) -> Result {
        let processes = self.processes();
        for id in &processes {
            kill(*id)?;
        }
        // Until then the next start would find the first one's name on the bus.
        wait_for("the app's end", Duration::from_secs(10), || {
            processes.iter().all(|id| !alive(*id)).then_some(())
        })
    }

    /// Ends the app as the system does when it shuts down, and waits until it has closed its databases. (The WebDriver's own way of
    /// ending a session kills the app.)
    pub fn close(self) -> Result {
        let processes = self.processes();
        for id in &processes {
            signal("-TERM", *id)?;
        }
        let ended = wait_for("the app's end", Duration::from_secs(10), || {
            processes.iter().all(|id| !alive(*id)).then_some(())
        });
        if ended.is_err() {
            for id in processes.into_iter().filter(|id| alive(*id)) {
                kill(id)?;
            }
        }
        ended
    }

    /// Waits until the person has closed the window.
    pub async fn closed_by_person(&self) {
        while !self.processes().is_empty() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The first visible element with this test id, if there is one now.
    pub async fn find(&self, id: &str) -> Option<Element> {
        self.find_css(&format!("[data-testid='{id}']")).await
    }

    /// The first visible element that matches, if there is one now.
    pub async fn find_css(&self, css: &str) -> Option<Element> {
        for element in self.client.find_all(Locator::Css(css)).await.ok()? {
            if element.is_displayed().await.unwrap_or(false) {
                return Some(element);
            }
        }
        None
    }

    /// Waits for a visible element with this test id.
    pub async fn wait(&self, id: &str) -> Result<Element> {
        self.wait_any(&[id], STEP).await.map(|(_, element)| element)
    }

    /// Waits for a visible element that matches.
    pub async fn wait_css(&self, css: &str) -> Result<Element> {
        let started = Instant::now();
        loop {
            if let Some(element) = self.find_css(css).await {
                return Ok(element);
            }
            if started.elapsed() > STEP {
                let page = self.words().await;
                return Err(format!("no {css}; the window shows:\n{page}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for whichever of these comes first.
    pub async fn wait_any<'id>(
        &self,
        ids: &[&'id str],
        limit: Duration,
    ) -> Result<(&'id str, Element)> {
        let started = Instant::now();
        loop {
            for id in ids {
                if let Some(element) = self.find(id).await {
                    return Ok((id, element));
                }
            }
            if started.elapsed() > limit {
                let page = self.words().await;
                return Err(format!(
                    "waited {} s for {ids:?}; the window shows:\n{page}",
                    limit.as_secs()
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until nothing visible has this test id.
    pub async fn wait_gone(&self, id: &str) -> Result {
        let started = Instant::now();
        while self.find(id).await.is_some() {
            if started.elapsed() > STEP {
                return Err(
                    format!("{id} did not go; the window shows:\n{}", self.words().await).into(),
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Waits until these words stand in the element with this test id.
    pub async fn wait_words(&self, id: &str, words: &str) -> Result {
        // What is shortened where it is narrow has its whole words as a title.
        let script = "const found = document.querySelector(`[data-testid='${arguments[0]}']`);
            const titles = [...(found?.querySelectorAll('[title]') ?? [])].map((one) => one.title);
            return [found?.innerText ?? '', ...titles].some((words) => words.includes(arguments[1]))";
        let arguments = vec![json!(id), json!(words)];
        let started = Instant::now();
        while self.script(script, arguments.clone()).await?.as_bool() != Some(true) {
            if started.elapsed() > STEP {
                let page = self.words().await;
                return Err(format!("{words:?} is not in {id}; the window shows:\n{page}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Clicks the element with this test id, as soon as it is there, enabled and reachable.
    pub async fn click(&self, id: &str) -> Result {
        self.click_css(&format!("[data-testid='{id}']")).await
    }

    /// Clicks the first visible element that matches, as soon as it is enabled and reachable.
    pub async fn click_css(&self, css: &str) -> Result {
        let started = Instant::now();
        loop {
            let outcome = match self.find_css(css).await {
                Some(element) if element.is_enabled().await.unwrap_or(false) => {
                    element.click().await
                }
                Some(_) => Err(CmdError::NotW3C("disabled".into())),
                None => Err(CmdError::NotW3C("absent".into())),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if started.elapsed() > STEP => {
                    return Err(format!(
                        "click {css}: {error}; the window shows:\n{}",
                        self.words().await
                    )
                    .into());
                }
                // It may be moving, covered or about to be drawn anew.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Types into the field with this test id, in place of what it holds. The test id may stand on the field or around it.
    pub async fn fill(&self, id: &str, text: &str) -> Result {
        self.wait(id).await?;
        let css = format!(
            "input[data-testid='{id}'], textarea[data-testid='{id}'], [data-testid='{id}'] input"
        );
        let field = self
            .find_css(&css)
            .await
            .ok_or_else(|| format!("{id}: no field"))?;
        field.clear().await?;
        field.send_keys(text).await?;
        Ok(())
    }

    /// Presses a key while Control is held, wherever the focus is.
    pub async fn press_with_control(&self, key: &str) -> Result {
        self.type_here(&format!("{}{key}", Key::Control)).await
    }

    /// Chooses a file, as the system's dialog would: the field with this test id may be hidden behind its label.
    pub async fn choose(&self, id: &str, file: &Path) -> Result {
        let css = format!("input[type='file'][data-testid='{id}']:not([aria-disabled='true'])");
        let started = Instant::now();
        let field = loop {
            match self.client.find(Locator::Css(&css)).await {
                Ok(field) => break field,
                Err(error) if started.elapsed() > STEP => {
                    return Err(format!(
                        "{id}: {error}; the window shows:\n{}",
                        self.words().await
                    )
                    .into());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        field
            .send_keys(file.to_str().ok_or("a path that is not text")?)
            .await?;
        Ok(())
    }

    /// What the window is told: the answer of the command that it asks when it starts.
    pub async fn state(&self) -> Result<Value> {
        let script = "return window.__TAURI_INTERNALS__.invoke('get_state')";
        self.script(script, Vec::new()).await
    }

    /// Runs JavaScript in the page.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.client.execute(script, arguments).await?)
    }

    /// Runs JavaScript that answers later, through its last argument.
    pub async fn script_later(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute_async(script, Vec::new()).await?)
    }

    /// Types where the focus is, as a keyboard does.
    pub async fn type_here(&self, text: &str) -> Result {
        let focused = self.client.active_element().await?;
        Ok(focused.send_keys(text).await?)
    }

    /// The same, with a pause after each key.
    pub async fn type_slowly(&self, text: &str, pause: Duration) -> Result {
        let mut keys = KeyActions::new("keyboard".to_owned());
        for value in text.chars() {
            keys = keys
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value })
                .then(KeyAction::Pause { duration: pause });
        }
        Ok(self.client.perform_actions(keys).await?)
    }

    /// What the page shows, as text, for messages: its beginning and its end.
    pub async fn words(&self) -> String {
        let words = self
            .script(
                "const text = document.body?.innerText ?? ''; return text.length < 2000 ? text : `${text.slice(0, 1000)} … ${text.slice(-1000)}`",
                Vec::new(),
            )
            .await;
        words
            .ok()
            .and_then(|text| text.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Waits until an error with this code is on the screen.
    pub async fn wait_error(&self, code: &str) -> Result {
        let css = format!("[data-testid='error'][data-code='{code}']");
        self.wait_css(&css).await.map(|_| ())
    }

    /// The code of the error on the screen, if one is shown.
    pub async fn error_code(&self) -> Option<String> {
        self.find("error").await?.attr("data-code").await.ok()?
    }

    /// Scrolls the agreement to its end, as a person does: in steps, so that the page sees it happen.
    pub async fn scroll_to_end(&self) -> Result {
        self.script(SCROLL, Vec::new()).await?;
        Ok(())
    }

    /// Switches the interface to a language and waits until the page says so.
    pub async fn language(&self, language: &str) -> Result {
        let shown = "return document.documentElement.lang";
        if self.script(shown, Vec::new()).await?.as_str() == Some(language) {
            return Ok(());
        }
        self.click(&format!("lang-{language}")).await?;
        let started = Instant::now();
        while self.script(shown, Vec::new()).await?.as_str() != Some(language) {
            if started.elapsed() > STEP {
                return Err(format!("the page did not switch to {language}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Takes `NAME.kk.png` and `NAME.ru.png` of the whole window.
    pub async fn picture(&self, folder: &Path, name: &str) -> Result {
        for language in LANGUAGES {
            self.language(language).await?;
            self.client.execute_async(FRAMES, Vec::new()).await?;
            self.snapshot(&folder.join(format!("{name}.{language}.png")))
                .await?;
        }
        Ok(())
    }

    /// One picture of the window as it is.
    pub async fn snapshot(&self, file: &Path) -> Result {
        let picture =
            self.client.screenshot().await.map_err(|error| -> Error {
                format!("picture {}: {error}", file.display()).into()
            })?;
        fs::write(file, picture)?;
        Ok(())
    }
}

/// Ends when what the page is now has been drawn: a frame with the text, and one with what is laid out after it.
const FRAMES: &str = r"
const done = arguments[arguments.length - 1];
const frame = (left) => requestAnimationFrame(() => (left > 0 ? frame(left - 1) : setTimeout(done)));
frame(2);
";

/// Moves everything that scrolls around the agreement, or around what changed in it, down to its end, in a few steps.
const SCROLL: &str = r#"
const start = document.querySelector("[data-testid='agreement-kk'], [data-testid='agreement-ru'], [data-testid='changes']");
const scrolling = [document.scrollingElement];
for (let at = start; at; at = at.parentElement) {
  if (at.scrollHeight > at.clientHeight + 1) scrolling.push(at);
}
for (const one of scrolling) {
  for (let step = 1; step <= 10; step += 1) one.scrollTop = one.scrollHeight * step / 10;
  one.dispatchEvent(new Event("scroll"));
}
"#;

/// A port that was free a moment ago; WebKitWebDriver cannot be asked which one it took.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
