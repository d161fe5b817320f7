//! Linux: XDG directories, WebKitGTK.

use std::{
    fs,
    path::{Path, PathBuf},
};

use webkit2gtk::{HardwareAccelerationPolicy, SettingsExt as _, WebViewExt as _};

use super::env_dir;

pub(super) fn local_data_dir() -> Option<PathBuf> {
    env_dir("XDG_DATA_HOME").or_else(|| Some(env_dir("HOME")?.join(".local/share")))
}

pub(super) fn machine_profile() -> PathBuf {
    PathBuf::from("/etc/infoblood/site.json")
}

pub(super) fn downloads_dir() -> Option<PathBuf> {
    if let Some(dir) = env_dir("XDG_DOWNLOAD_DIR") {
        return Some(dir);
    }
    let home = env_dir("HOME")?;
    let config = env_dir("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let named = fs::read_to_string(config.join("user-dirs.dirs"))
        .ok()
        .and_then(|text| user_dir(&text, &home));
    let usual = Some(home.join("Downloads")).filter(|dir| dir.is_dir());
    Some(named.or(usual).unwrap_or(home))
}

/// `XDG_DOWNLOAD_DIR="$HOME/…"` of `user-dirs.dirs` (xdg-user-dirs).
fn user_dir(text: &str, home: &Path) -> Option<PathBuf> {
    let value = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("XDG_DOWNLOAD_DIR="))?;
    let value = value.trim().trim_matches('"');
    let dir = match value.strip_prefix("$HOME") {
        Some(rest) => home.join(rest.trim_start_matches('/')),
        None => PathBuf::from(value),
    };
    dir.is_absolute().then_some(dir)
}

/// Ends the process that drew the page, and with it every string the page held. A reload starts a new one.
/// Must be called on the main thread (inside `with_webview`).
pub(crate) fn end_web_process(webview: &tauri::webview::PlatformWebview) {
    webview.inner().terminate_web_process();
}

/// Without a graphics card the page is drawn by the processor, and drawing as for a card takes three times as long.
/// Must be called on the main thread (inside `with_webview`).
pub(crate) fn suit_the_graphics(webview: &tauri::webview::PlatformWebview) {
    if has_graphics_card(Path::new("/dev/dri")) {
        return;
    }
    if let Some(settings) = webview.inner().settings() {
        settings.set_hardware_acceleration_policy(HardwareAccelerationPolicy::Never);
    }
}

/// A card that can draw has a render node (the kernel's DRM documentation).
fn has_graphics_card(devices: &Path) -> bool {
    fs::read_dir(devices).is_ok_and(|mut devices| {
        devices.any(|device| {
            device.is_ok_and(|device| {
                device
                    .file_name()
                    .as_encoded_bytes()
                    .starts_with(b"renderD")
            })
        })
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphics_card_has_a_render_node() {
        let devices = tempfile::tempdir().unwrap();
        assert!(!has_graphics_card(&devices.path().join("dri")));
        fs::write(devices.path().join("card0"), "").unwrap();
        assert!(!has_graphics_card(devices.path()));
        fs::write(devices.path().join("renderD128"), "").unwrap();
        assert!(has_graphics_card(devices.path()));
    }

    #[test]
    fn the_download_folder_is_read_from_the_user_dirs() {
        let home = Path::new("/home/a");
        let dir = |text| user_dir(text, home);
        assert_eq!(
            dir("# comment\nXDG_DOWNLOAD_DIR=\"$HOME/Жүктемелер\"\n"),
            Some("/home/a/Жүктемелер".into())
        );
        assert_eq!(dir("XDG_DOWNLOAD_DIR=\"/mnt/d\""), Some("/mnt/d".into()));
        assert_eq!(dir("XDG_DOWNLOAD_DIR=\"relative\""), None);
        assert_eq!(dir("XDG_MUSIC_DIR=\"$HOME/m\""), None);
    }
}
