//! macOS. Unchecked: never compiled or run there.

use std::path::PathBuf;

use super::env_dir;

pub(super) fn local_data_dir() -> Option<PathBuf> {
    Some(env_dir("HOME")?.join("Library/Application Support"))
}

pub(super) fn machine_profile() -> PathBuf {
    PathBuf::from("/Library/Application Support/infoblood/site.json")
}

pub(super) fn downloads_dir() -> Option<PathBuf> {
    Some(env_dir("HOME")?.join("Downloads"))
}

/// The system sees to it.
pub(crate) fn suit_the_graphics(_webview: &tauri::webview::PlatformWebview) {}

/// WKWebView has no public way to end its process; the reload alone drops the page.
pub(crate) fn end_web_process(_webview: &tauri::webview::PlatformWebview) {}

/// Ends when the system asks this process to end (logging out, shutting down, Ctrl+C).
pub(crate) async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
