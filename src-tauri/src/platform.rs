//! What differs between operating systems: places for files, drawing without a graphics card, and how the process that
//! drew patient data is ended.

use std::{env, path::PathBuf};

#[cfg(target_os = "linux")]
#[path = "platform/linux.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "platform/macos.rs"]
mod os;
#[cfg(target_os = "windows")]
#[path = "platform/windows.rs"]
mod os;

pub(crate) use os::{asked_to_end, end_web_process, suit_the_graphics};

/// Folder name of the application's own data.
const APP_DIR: &str = "kz.infoblood.desktop";

/// Where the OS wants an application's local data; `None` when the account has no home.
pub fn default_data_dir() -> Option<PathBuf> {
    os::local_data_dir().map(|dir| dir.join(APP_DIR))
}

/// The site profile that an administrator installs for every account of the machine.
pub fn machine_profile() -> PathBuf {
    os::machine_profile()
}

/// Where people look for files an application saved for them.
pub fn downloads_dir() -> Option<PathBuf> {
    os::downloads_dir()
}

/// A path from the environment; relative or empty values are not paths.
fn env_dir(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
