//! A PostgreSQL of one's own: an ordinary user's cluster in a temporary folder, on a free loopback port, gone at the end.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs until it is dropped.
pub(crate) struct Cluster {
    dir: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Cluster {
    /// Made and started: about 2 seconds.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if is_root() {
            // PostgreSQL refuses to run as root.
            for path in [dir.path(), &data] {
                run(Command::new("chown").arg("nobody").arg(path));
            }
        }
        run(ordinary_user("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "infoblood", "-A", "trust", "-E", "UTF8"])
            .args(["--locale=C", "--no-sync", "--no-instructions"]));
        // Between asking for a free port and taking it somebody else may take it.
        for _ in 0..5 {
            let port = free_port();
            let mut process = postgres(dir.path(), port);
            if ready(&data, &mut process) {
                return Self { dir, port, process };
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("PostgreSQL does not start: {}", log(dir.path()));
    }

    /// A new empty database.
    pub(crate) fn database(&self, name: &str) -> String {
        run(ordinary_user("createdb")
            .args(["-h", "127.0.0.1", "-U", "infoblood", "-p"])
            .arg(self.port.to_string())
            .arg(name));
        self.url(name)
    }

    /// The address of a database.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://infoblood@127.0.0.1:{}/{name}", self.port)
    }

    /// Everything that the database wrote into its log.
    pub(crate) fn log(&self) -> String {
        log(self.dir.path())
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&mut self) {
        self.process = postgres(self.dir.path(), self.port);
        let ready = ready(&self.dir.path().join("data"), &mut self.process);
        assert!(ready, "PostgreSQL does not start: {}", self.log());
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        let pid = self.process.id().to_string();
        // «Fast»: transactions are rolled back, everything else is finished.
        run(Command::new("kill").args(["-INT", &pid]));
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

fn postgres(dir: &Path, port: u16) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .unwrap();
    let mut command = ordinary_user("postgres");
    command
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(["-c", "dynamic_shared_memory_type=mmap"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().unwrap()
}

/// A program of PostgreSQL, as root under another user; it ends with the thread that starts it.
fn ordinary_user(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root() {
        command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    }
    command
        .arg(binaries().join(program))
        .env("LC_ALL", "C")
        .current_dir("/");
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Debian keeps each version's programs in a folder of its own, outside PATH.
fn binaries() -> PathBuf {
    let version = |path: &Path| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path));
    if let Some(path) = debian {
        return path.join("bin");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|path| path.join("initdb").exists());
    assert!(found.is_some(), "PostgreSQL's programs are needed");
    found.unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until it takes connections; false if it ended.
fn ready(data: &Path, process: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        if let Ok(Some(_)) = process.try_wait() {
            return false;
        }
        // The last line of this file says how far it is.
        let state = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).map(str::trim) == Some("ready") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn log(dir: &Path) -> String {
    let bytes = std::fs::read(dir.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
