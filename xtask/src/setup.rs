//! What a fresh machine needs. Safe to run again: each part first looks whether there is anything to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::process::{Failure, Outcome, command, output, root, say, step, succeeds};

/// Debian's and Ubuntu's packages for building the app and driving its real window.
const PACKAGES: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libssl-dev",
    "libwebkit2gtk-4.1-dev",
    "webkit2gtk-driver",
    "xvfb",
    "xauth",
    "dbus",
    "gnome-keyring",
    "fonts-dejavu-core",
];

/// Moves the clock; the server's other database.
const TESTS: [&str; 2] = ["libfaketime", "postgresql"];

/// The browser that stands for a phone in the tests. Ubuntu's packages of these names only fetch snaps.
const BROWSER: [&str; 2] = ["chromium", "chromium-driver"];

/// The oldest Node that the interface builds with.
const NODE: u32 = 20;

/// What the machine is set up for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Building and running.
    Demo,
    /// The checks too: two of them come as Python packages, the faults move the clock, and the server has two databases.
    Test,
}

/// Installs what is missing and builds the interface.
pub(crate) fn run(purpose: For) -> Outcome {
    packages(purpose)?;
    node()?;
    let ui = root().join("ui");
    interface_dependencies(&ui)?;
    interface(&ui)
}

/// The operating system's packages alone.
pub(crate) fn packages(purpose: For) -> Outcome {
    if !succeeds("dpkg-query", &["--version"]) {
        say(
            "no dpkg-query: this is not Debian or Ubuntu; its counterparts of these packages are needed:",
        );
        say(&format!("  {}", PACKAGES.join(" ")));
        return Ok(());
    }
    let mut missing: Vec<&str> = PACKAGES
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect();
    if purpose == For::Test && !succeeds("python3", &["-c", "import venv, ensurepip"]) {
        missing.extend(["python3", "python3-venv"]);
    }
    if purpose == For::Test {
        missing.extend(TESTS.into_iter().filter(|name| !installed(name)));
    }
    if purpose == For::Test && !is_ubuntu() {
        missing.extend(BROWSER.into_iter().filter(|name| !installed(name)));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!(
        "apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    let root_already = output("id", &["-u"]).as_deref() == Some("0");
    let program = if root_already {
        "env"
    } else if succeeds("sudo", &["-n", "true"]) {
        "sudo"
    } else {
        return Err(Failure::environment(format!(
            "these packages are missing, and installing them needs root:\n\n    sudo {line}\n"
        )));
    };
    let prefix: &[&str] = if root_already { &[] } else { &["-n", "env"] };
    let apt = |arguments: &[&str]| {
        let mut command = command(program, prefix);
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments);
        command
    };
    let outcome = step("apt-get update", &mut apt(&["-qq", "update"])).and_then(|()| {
        let mut install = apt(&["-qq", "install", "-y", "--no-install-recommends"]);
        step(
            &format!("apt-get install {}", missing.join(" ")),
            install.args(&missing),
        )
    });
    outcome.map_err(|failure| Failure::environment(failure.message))
}

fn is_ubuntu() -> bool {
    fs::read_to_string("/etc/os-release")
        .is_ok_and(|release| release.lines().any(|line| line == "ID=ubuntu"))
}

fn installed(package: &str) -> bool {
    output("dpkg-query", &["-W", "-f=${db:Status-Status} ", package])
        .is_some_and(|status| status.split(' ').any(|word| word == "installed"))
}

fn node() -> Outcome {
    let version = output("node", &["--version"]);
    let major = version
        .as_deref()
        .and_then(|text| text.trim_start_matches('v').split('.').next())
        .and_then(|number| number.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE => Ok(()),
        found => Err(Failure::environment(format!(
            "Node {NODE} or newer is needed, with npm; found {}",
            found.map_or_else(|| "none".to_owned(), |major| major.to_string())
        ))),
    }
}

/// `npm ci`, only when the lock file is not the one that was installed last.
fn interface_dependencies(ui: &Path) -> Outcome {
    let lock = fs::read(ui.join("package-lock.json"))
        .map_err(|error| Failure::check(format!("ui/package-lock.json: {error}")))?;
    let stamp = ui.join("node_modules/.infoblood-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut install = command("npm", &["ci", "--no-audit", "--no-fund"]);
    step("npm ci", install.current_dir(ui))
        .map_err(|failure| Failure::environment(failure.message))?;
    fs::write(&stamp, lock).map_err(|error| Failure::check(format!("{}: {error}", stamp.display())))
}

/// `npm run build`, only when a source is newer than the last build.
fn interface(ui: &Path) -> Outcome {
    let built = modified(&ui.join("dist/index.html"));
    let newest = [ui.to_owned(), root().join("src-tauri/locales")]
        .into_iter()
        .filter_map(newest)
        .max();
    if built.is_some() && newest <= built {
        return Ok(());
    }
    let mut build = command("npm", &["run", "build"]);
    step("npm run build", build.current_dir(ui))
}

/// The latest change below a folder, without what npm and the build write.
fn newest(folder: PathBuf) -> Option<SystemTime> {
    let mut latest = None;
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name == "node_modules" || name == "dist" {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                latest = latest.max(modified(&path));
            }
        }
    }
    latest
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}
