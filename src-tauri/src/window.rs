//! The one window.

use std::sync::Mutex;

use tauri::{
    App, AppHandle, Emitter as _, Manager as _, WebviewUrl, WebviewWindowBuilder,
    utils::config::Color,
};

use crate::{controller::Shell, platform, view::State};

/// The window's label, which `capabilities/main.json` names.
pub(crate) const LABEL: &str = "main";

const TITLE: &str = "Info Blood";
const SIZE: (f64, f64) = (1366.0, 768.0);
const SMALLEST: (f64, f64) = (800.0, 600.0);
/// `--bg` of the light theme: what is seen until the first paint.
const GROUND: Color = Color(0xf2, 0xf5, 0xf5, 0xff);

/// True when a WebDriver drives the window (the variable is Tauri's own).
pub(crate) fn automation() -> bool {
    std::env::var("TAURI_WEBVIEW_AUTOMATION").is_ok_and(|value| value == "true")
}

/// Browser data of an automated run, removed at exit; `None` in real use, where the page is incognito.
#[derive(Default)]
pub(crate) struct BrowserData(Mutex<Option<tempfile::TempDir>>);

impl BrowserData {
    pub(crate) fn remove(&self) {
        let dir = self.0.lock().ok().and_then(|mut dir| dir.take());
        if let Some(Err(error)) = dir.map(tempfile::TempDir::close) {
            tracing::warn!(%error, "browser data of the automated run stay");
        }
    }
}

/// Opens the window. Real use is incognito: nothing the page held reaches the disk. A WebDriver loses an incognito page, so an
/// automated run keeps its browser data in a temporary directory.
pub(crate) fn open(app: &App) -> Result<(), Box<dyn std::error::Error>> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title(TITLE)
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SMALLEST.0, SMALLEST.1)
        .background_color(GROUND)
        .disable_drag_drop_handler()
        .on_navigation(|url| {
            matches!(url.scheme(), "tauri" | "http" | "https") && own_host(url.host_str())
        });
    let data = BrowserData::default();
    if automation() {
        let dir = tempfile::Builder::new()
            .prefix("infoblood-webdriver-")
            .tempdir()?;
        window.data_directory(dir.path().to_owned()).build()?;
        data.0.lock().map_err(|_| "poisoned")?.replace(dir);
    } else {
        // Kept out of pictures and sharing of the screen where the system can (Windows, macOS; Linux has no such thing).
        let window = window.incognito(true).content_protected(true).build()?;
        // Not in an automated run: WebKitGTK's WebDriver waits for ever for the picture of a page that is drawn without compositing.
        window.with_webview(|webview| platform::suit_the_graphics(&webview))?;
    }
    app.manage(data);
    Ok(())
}

/// The page's own origins (`tauri://localhost`, on Windows `http://tauri.localhost`); nothing else is ever shown.
fn own_host(host: Option<&str>) -> bool {
    matches!(host, Some("localhost" | "tauri.localhost"))
}

/// What the controller does to the real window.
pub(crate) struct WindowShell(pub(crate) AppHandle);

impl Shell for WindowShell {
    fn show(&self, state: &State) {
        if let Err(error) = self.0.emit("state", state) {
            tracing::warn!(%error, "the window was not told of a new state");
        }
    }

    fn forget_page(&self) {
        let Some(window) = self.0.get_webview_window(LABEL) else {
            return;
        };
        // A WebDriver session would end with the process.
        if !automation()
            && let Err(error) = window.with_webview(|webview| platform::end_web_process(&webview))
        {
            tracing::warn!(%error, "the web process stays");
        }
        if let Err(error) = window.reload() {
            tracing::error!(%error, "the page could not be reloaded");
        }
    }
}
