//! A machine of its own for one run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::desktop::Desktop;
use crate::server::{Person, Server};
use crate::window::Window;

/// The passphrase that the people of every world choose.
pub const PASSPHRASE: &str = "алтын күз 27 жаңбыр mountain";

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
    folder: tempfile::TempDir,
}

impl World {
    /// Sets everything up and starts the server. Without `visible` the window opens on a display of its own.
    pub fn new(visible: bool) -> Result<Self> {
        // An error means that it is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new()
            .prefix("infoblood-world-")
            .tempdir()?;
        let mut server = Server::set_up(&folder.path().join("server"))?;
        let people = [
            server.add_person("a.nurlanova", "Айгүл Нұрланова", "clinician")?,
            server.add_person("s.petrov", "Сергей Петров", "clinician")?,
        ];
        server.seed(DONORS, 2026)?;
        server.start()?;
        let profile = folder.path().join("site.json");
        server.profile(&profile)?;
        let desktop = Desktop::start(folder.path(), visible)?;
        let data_dir = folder.path().join("data");
        Ok(Self {
            server,
            desktop,
            people,
            data_dir,
            profile,
            folder,
        })
    }

    /// Opens the app.
    pub async fn launch(&self) -> Result<Window> {
        Window::launch(&self.desktop, &self.data_dir, &self.profile).await
    }

    /// Keeps the logs of this run for a person to read.
    pub fn keep_logs(&self, folder: &Path) -> Result {
        fs::create_dir_all(folder)?;
        let logs = fs::read_dir(self.folder.path().join("logs"))?
            .flatten()
            .map(|entry| entry.path());
        for log in logs.chain([self.folder.path().join("server/server.log")]) {
            if let Some(name) = log.file_name() {
                let _ = fs::copy(&log, folder.join(name));
            }
        }
        Ok(())
    }
}
