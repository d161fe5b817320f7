//! Processes that end with the value that started them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// How long a process may take to say that it is ready.
const READY: Duration = Duration::from_mins(1);

/// How long a process that was asked to end may clean up after itself.
const CLEANING_UP: Duration = Duration::from_secs(2);

/// A started process; dropping it kills it by its id.
#[derive(Debug)]
pub struct Running {
    child: Child,
    polite: bool,
}

impl Running {
    /// Starts the program; what it says on stderr goes to `log` (appended).
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let program = PathBuf::from(command.get_program());
        let file = File::options().create(true).append(true).open(log)?;
        command.stderr(file);
        let child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self {
            child,
            polite: false,
        })
    }

    /// Asks the process to end, before it is killed: for programs that leave files where the world's folder does not reach.
    #[must_use]
    pub fn politely(mut self) -> Self {
        self.polite = true;
        self
    }

    /// Starts the program and returns the first line of its stdout that `wanted` turns into something.
    pub fn start_until<T: Send + 'static>(
        command: &mut Command,
        log: &Path,
        wanted: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Result<(Self, T)> {
        command.stdout(Stdio::piped());
        let mut running = Self::start(command, log)?;
        let (sender, receiver) = mpsc::channel();
        let output = running.child.stdout.take().ok_or("no stdout")?;
        thread::spawn(move || {
            // Read to the end, so that the program never meets a closed or full pipe.
            for line in BufReader::new(output)
                .lines()
                .map_while(std::result::Result::ok)
            {
                if let Some(found) = wanted(&line) {
                    let _ = sender.send(found);
                }
            }
        });
        let Ok(found) = receiver.recv_timeout(READY) else {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            return Err(format!(
                "{} said nothing of being ready\n{said}",
                command.get_program().display()
            )
            .into());
        };
        Ok((running, found))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's own handle, to write to its stdin.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.polite && signal("-TERM", self.child.id()).is_ok() {
            let child = &mut self.child;
            let _ = wait_for("an end", CLEANING_UP, || child.try_wait().ok().flatten());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the process as a power cut would: no handler of its runs.
pub fn kill(id: u32) -> Result {
    signal("-KILL", id)
}

/// Sends a signal (`-KILL`, `-STOP`, `-CONT`).
pub fn signal(name: &str, id: u32) -> Result {
    let status = Command::new("kill")
        .args([name, &id.to_string()])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("kill {name} {id}: {status}").into())
    }
}

/// Whether the process is still there. A zombie is not, once its last thread has ended: until then its sockets are open.
pub fn alive(id: u32) -> bool {
    let threads = || std::fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count);
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit(')').next().unwrap_or_default();
        !state.trim_start().starts_with('Z') || threads() > 1
    })
}

/// The processes whose executable is `program` and whose command line names `argument`.
pub fn find(program: &Path, argument: &Path) -> Vec<u32> {
    let wanted = argument.as_os_str().as_encoded_bytes();
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| {
            std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe == program)
                && std::fs::read(format!("/proc/{id}/cmdline"))
                    .is_ok_and(|line| line.split(|byte| *byte == 0).any(|part| part == wanted))
                && alive(*id)
        })
        .collect()
}

/// Tries again until `ready` gives something, or says what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = ready() {
            return Ok(found);
        }
        if started.elapsed() > limit {
            return Err(format!("waited {} s for {what}", limit.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A program of this workspace: beside the running one, or one folder up (tests run from `deps`).
pub fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            format!(
                "{name} is not built beside {}: cargo build --workspace --all-targets",
                own.display()
            )
            .into()
        })
}
