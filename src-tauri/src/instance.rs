//! One running application per data directory: a second start focuses the first.

use std::{fs, path::Path, thread, time::Duration};

use sha2::{Digest as _, Sha256};
use tauri::{Manager as _, Wry, plugin::TauriPlugin};

use crate::window;

/// How long the first instance may take to answer the second.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// A short name for a data directory: the same for every spelling of its path, and nothing personal in it.
pub(crate) fn key(data_dir: &Path) -> String {
    let path = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}

/// An element of a bus name must not begin with a digit.
fn bus_name(key: &str) -> String {
    format!("kz.infoblood.desktop.d{key}")
}

/// Hands a second start over to the first one, which then shows its window. The name on the bus holds the data directory's key, so
/// two directories never meet. Without a session bus only the lock file stands guard (`already-running`).
///
/// macOS and Windows (unchecked): the plugin knows one name per application there.
pub(crate) fn plugin(key: &str) -> TauriPlugin<Wry> {
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(bus_name(key))
        .callback(|app, _arguments, _directory| {
            if let Some(window) = app.get_webview_window(window::LABEL) {
                let shown = window
                    .unminimize()
                    .and_then(|()| window.show())
                    .and_then(|()| window.set_focus());
                if let Err(error) = shown {
                    tracing::warn!(%error, "the window could not be brought to the front");
                }
            }
        })
        .build()
}

/// Waits while an instance that was killed is still dying: it holds its name until its sockets close, and the plugin, handing over to
/// it in that moment, would end this start with an error. One that lives answers at once; one that only hangs is left to [`watch`].
#[cfg(target_os = "linux")]
pub(crate) fn let_the_dying_end(key: &str) {
    // Without a session bus there is no name to wait for; an error of the call is the end that was waited for, or nobody there.
    if let Ok(bus) = zbus::blocking::Connection::session() {
        let name = format!("{}.SingleInstance", bus_name(key));
        let peer = Some("org.freedesktop.DBus.Peer");
        if let Err(error) = bus.call_method(Some(name.as_str()), "/", peer, "Ping", &()) {
            tracing::debug!(%error, "no first instance");
        }
    }
}

/// Ends this start when the first instance holds the name but does not answer: the plugin itself would wait for ever.
/// The returned guard is dropped once this process is known to be the only one.
pub(crate) fn watch(on_silence: impl FnOnce() + Send + 'static) -> impl Send + Sync {
    let (alone, waiting) = std::sync::mpsc::sync_channel::<()>(0);
    let watcher = thread::Builder::new()
        .name("second-start".into())
        .spawn(move || {
            if waiting.recv_timeout(ANSWER_DEADLINE)
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                on_silence();
            }
        });
    if let Err(error) = watcher {
        tracing::warn!(%error, "a silent first instance would not be noticed");
    }
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_has_one_key_and_another_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert_eq!(key(&inner), key(&inner.join("../inner")));
        assert_ne!(key(&inner), key(dir.path()));
        assert_eq!(key(&inner).len(), 16);
    }

    #[test]
    fn silence_is_noticed_only_while_the_guard_lives() {
        let guard = watch(|| panic!("the guard was dropped in time"));
        drop(guard);
        thread::sleep(Duration::from_millis(20));
    }
}
