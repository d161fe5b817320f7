//! A machine of its own for one run.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::desktop::Desktop;
use crate::process::wait_for;
use crate::server::{Person, Server};
use crate::window::Window;

/// Donors that a world is seeded with.
pub const DONORS: u32 = 60;

/// Server, desktop session and the app's places. Dropping it ends everything that it started; the folder goes with it.
#[derive(Debug)]
pub struct World {
    /// The central server.
    pub server: Server,
    /// The desktop session.
    pub desktop: Desktop,
    /// The people who may enrol.
    pub people: [Person; 2],
    /// The app's data directory.
    pub data_dir: PathBuf,
    /// The site profile.
    pub profile: PathBuf,
    folder: Folder,
}

/// The world's folder. Declared last in [`World`], so that it goes after everything that writes there.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // WebKit's helpers outlive a killed app by a moment, and still write.
        let gone = || match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => None,
            _ => (!self.0.exists()).then_some(()),
        };
        if let Err(error) = wait_for("an empty folder", Duration::from_secs(5), gone) {
            let _ = writeln!(std::io::stderr(), "{}: {error}", self.0.display());
        }
    }
}

impl World {
    /// Sets everything up and starts the server. Without `visible` the window opens on a display of its own.
    pub fn new(visible: bool) -> Result<Self> {
        Self::with_donors(visible, DONORS)
    }

    /// The same with so many donors.
    pub fn with_donors(visible: bool, donors: u32) -> Result<Self> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new()
            .prefix("infoblood-world-")
            .tempdir()?;
        let folder = Folder(folder.keep());
        let mut server = Server::set_up(&folder.0.join("server"))?;
        let people = [
            server.add_person(
                "a.nurlanova",
                "Нұрланова Айгүл",
                "алтын күз 27 жаңбыр mountain",
            )?,
            server.add_person("s.petrov", "Петров Сергей", "тихий снег 41 дорога harbour")?,
        ];
        server.seed(donors, 2026)?;
        server.start()?;
        let profile = folder.0.join("site.json");
        server.profile(&profile)?;
        let desktop = Desktop::start(&folder.0, visible)?;
        let data_dir = folder.0.join("data");
        Ok(Self {
            server,
            desktop,
            people,
            data_dir,
            profile,
            folder,
        })
    }

    /// Everything that this world writes is below it.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Opens the app.
    pub async fn launch(&self) -> Result<Window> {
        Window::launch(&self.desktop, &self.data_dir, &self.profile).await
    }

    /// Keeps the logs of this run for a person to read.
    pub fn keep_logs(&self, folder: &Path) -> Result {
        fs::create_dir_all(folder)?;
        let logs = fs::read_dir(self.folder.0.join("logs"))?
            .flatten()
            .map(|entry| entry.path());
        for log in logs.chain([self.folder.0.join("server/server.log")]) {
            if let Some(name) = log.file_name() {
                let _ = fs::copy(&log, folder.join(name));
            }
        }
        Ok(())
    }
}
