//! Windows. Unchecked: never compiled or run there.

use std::path::PathBuf;

use super::env_dir;

pub(super) fn local_data_dir() -> Option<PathBuf> {
    env_dir("LOCALAPPDATA")
}

pub(super) fn machine_profile() -> PathBuf {
    env_dir("PROGRAMDATA")
        .unwrap_or_else(|| PathBuf::from(r"C:\ProgramData"))
        .join(r"infoblood\site.json")
}

pub(super) fn downloads_dir() -> Option<PathBuf> {
    Some(env_dir("USERPROFILE")?.join("Downloads"))
}

/// The system sees to it.
pub(crate) fn suit_the_graphics(_webview: &tauri::webview::PlatformWebview) {}

/// WebView2 has no way to end only its renderer; the reload alone drops the page.
pub(crate) fn end_web_process(_webview: &tauri::webview::PlatformWebview) {}

/// Ends at Ctrl+C; when the session ends, the window is closed first.
pub(crate) async fn asked_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
