//! A desktop session of its own: home, session bus, keyring daemon and, unless the real display is wanted, an X server.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::process::{Running, wait_for};

/// The size of the virtual screen, in pixels; the mockups' size and a margin.
const SCREEN: &str = "1440x900x24";

/// The password of the throw-away keyring. It protects nothing: the keyring lives as long as the world.
const KEYRING_PASSWORD: &[u8] = b"demo\n";

/// The session. Fields are dropped in order: the keyring before the bus it lives on.
#[derive(Debug)]
pub struct Desktop {
    keyring: Option<Running>,
    display: Option<Running>,
    _bus: Running,
    environment: Vec<(String, String)>,
    logs: PathBuf,
    /// Where the app saves files for the person.
    pub downloads: PathBuf,
}

impl Desktop {
    /// Starts the session below `folder`. Without `visible` it has its own display.
    pub fn start(folder: &Path, visible: bool) -> Result<Self> {
        let home = folder.join("home");
        let runtime = folder.join("run");
        let temporary = folder.join("tmp");
        let downloads = home.join("Downloads");
        let logs = folder.join("logs");
        for dir in [&home, &runtime, &temporary, &downloads, &logs] {
            fs::create_dir_all(dir)?;
        }
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700))?;
        let mut environment = vec![
            ("HOME".to_owned(), text(&home)),
            // The browser data of an app that is killed stay there, and go with the world.
            ("TMPDIR".to_owned(), text(&temporary)),
            ("XDG_DATA_HOME".to_owned(), text(&home.join(".local/share"))),
            ("XDG_CONFIG_HOME".to_owned(), text(&home.join(".config"))),
            ("XDG_CACHE_HOME".to_owned(), text(&home.join(".cache"))),
            ("XDG_DOWNLOAD_DIR".to_owned(), text(&downloads)),
            // Apart from real use also by name, although the whole keyring is one of our own.
            (
                "INFOBLOOD_KEYRING_SERVICE".to_owned(),
                "kz.infoblood.demo".to_owned(),
            ),
            ("NO_AT_BRIDGE".to_owned(), "1".to_owned()),
        ];

        let mut display = None;
        if visible {
            // The display's own runtime directory (Wayland's socket) stays; only home is another one.
            if let (None, Some(home)) = (std::env::var_os("XAUTHORITY"), std::env::var_os("HOME")) {
                let authority = PathBuf::from(home).join(".Xauthority");
                environment.push(("XAUTHORITY".to_owned(), text(&authority)));
            }
        } else {
            let mut xvfb = Command::new("Xvfb");
            xvfb.args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                SCREEN,
                "-nolisten",
                "tcp",
            ]);
            let (running, number) =
                Running::start_until(&mut xvfb, &logs.join("xvfb.log"), |line| {
                    line.trim().parse::<u32>().ok()
                })?;
            // A killed X server leaves its socket in /tmp/.X11-unix.
            display = Some(running.politely());
            environment.push(("DISPLAY".to_owned(), format!(":{number}")));
            environment.push(("GDK_BACKEND".to_owned(), "x11".to_owned()));
            environment.push(("XDG_RUNTIME_DIR".to_owned(), text(&runtime)));
        }

        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        apply(&mut daemon, &environment, visible);
        let (bus, address) = Running::start_until(&mut daemon, &logs.join("bus.log"), |line| {
            line.contains("unix:").then(|| line.trim().to_owned())
        })?;
        environment.push(("DBUS_SESSION_BUS_ADDRESS".to_owned(), address));

        let mut desktop = Self {
            keyring: None,
            display,
            _bus: bus,
            environment,
            logs,
            downloads,
        };
        desktop.start_keyring(&runtime)?;
        Ok(desktop)
    }

    /// Sets an environment variable of what is started in the session from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// A command inside the session.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        apply(&mut command, &self.environment, self.display.is_none());
        command
    }

    /// Where logs of the session's programs go.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    fn start_keyring(&mut self, runtime: &Path) -> Result {
        let mut daemon = self.command("gnome-keyring-daemon");
        daemon
            .args([
                "--foreground",
                "--unlock",
                "--components=secrets",
                "--control-directory",
            ])
            .arg(runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut running = Running::start(&mut daemon, &self.log("keyring.log"))?;
        let mut stdin = running.child().stdin.take().ok_or("no stdin")?;
        stdin.write_all(KEYRING_PASSWORD)?;
        drop(stdin);
        self.keyring = Some(running);
        wait_for("the keyring daemon", Duration::from_secs(20), || {
            let mut ask = self.command("dbus-send");
            ask.args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus.NameHasOwner",
                "string:org.freedesktop.secrets",
            ]);
            let answer = ask.stderr(Stdio::null()).output().ok()?;
            String::from_utf8_lossy(&answer.stdout)
                .contains("boolean true")
                .then_some(())
        })
    }
}

fn apply(command: &mut Command, environment: &[(String, String)], visible: bool) {
    if !visible {
        command
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XAUTHORITY");
    }
    command
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("GNOME_KEYRING_CONTROL");
    for (name, value) in environment {
        command.env(name, value);
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::alive;

    #[test]
    fn a_session_starts_with_a_keyring_and_leaves_nothing_running() {
        let folder = tempfile::tempdir().unwrap();
        let desktop = Desktop::start(folder.path(), false).unwrap();
        let started = [&desktop.keyring, &desktop.display].map(|one| one.as_ref().unwrap().id());
        assert!(started.into_iter().all(alive));
        drop(desktop);
        assert!(!started.into_iter().any(alive));
    }
}
