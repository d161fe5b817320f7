//! A workstation of the faults: its folder, its client process, and what its people were told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;
use crate::ledger::{Tally, Told};
use crate::report::ClientReport;

/// The records of one process are numbered from here; the next process starts as much higher.
const NUMBERS: i64 = 1_000_000;
/// How long a settling process may take in all.
const SETTLED: Duration = Duration::from_mins(1);

/// A machine: folder, keyring and data outlive the process.
#[derive(Debug)]
pub(crate) struct Machine {
    folder: PathBuf,
    /// Where the data directory is; another place is a file system of its own.
    pub(crate) data: PathBuf,
    /// Environment of the client's processes.
    pub(crate) environment: Vec<(String, String)>,
    starts: i64,
    pub(crate) told: BTreeSet<Told>,
    /// `(what, code)` of every refusal.
    pub(crate) refused: Vec<(String, String)>,
}

/// A client process; dropping it kills it by its id.
#[derive(Debug)]
pub(crate) struct Client {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Machine {
    /// An empty machine in this folder.
    pub(crate) fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let data = folder.join("data");
        Ok(Self {
            folder,
            data,
            environment: Vec::new(),
            starts: 0,
            told: BTreeSet::new(),
            refused: Vec::new(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the client, and what people do with it.
    pub(crate) fn start(&mut self, seed: u64, options: &[&str]) -> Result<Client> {
        self.starts += 1;
        let mut command = self.command()?;
        command
            .arg("--seed")
            .arg(seed.to_string())
            .arg("--first")
            .arg((self.starts * NUMBERS).to_string())
            .args(options);
        Client::spawn(command)
    }

    /// Kills the client and learns what it had told.
    pub(crate) fn kill(&mut self, mut client: Client) -> Result {
        let ended = client.child.try_wait()?;
        let lines = client.end();
        self.learn(&lines);
        match ended {
            Some(status) => Err(format!("the client ended by itself ({status}): {lines:?}").into()),
            None => Ok(()),
        }
    }

    /// What lines of a client say.
    pub(crate) fn learn(&mut self, lines: &[String]) {
        for line in lines {
            self.told.extend(Told::parse(line));
            if let Some((what, code)) = line
                .strip_prefix("refused ")
                .and_then(|rest| rest.split_once(' '))
            {
                self.refused.push((what.to_owned(), code.to_owned()));
            }
        }
    }

    /// Sends everything that waits and says what the store holds.
    pub(crate) async fn settle(&self, options: &[&str]) -> Result<ClientReport> {
        let mut command = self.command()?;
        command.arg("--settle").args(options);
        let mut client = Client::spawn(command)?;
        let until = Instant::now() + SETTLED;
        while client.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Err("the client did not come to an end".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let lines = client.end();
        let report = lines.iter().find_map(|line| line.strip_prefix("report "));
        let report = report.ok_or_else(|| format!("no report: {lines:?}"))?;
        Ok(serde_json::from_str(report)?)
    }

    /// Refusals that are not among the allowed ones are failures.
    pub(crate) fn allow(&mut self, tally: &mut Tally, is_allowed: impl Fn(&str, &str) -> bool) {
        for (what, code) in self.refused.drain(..) {
            if !is_allowed(&what, &code) {
                tally.fail(format!("{what} was refused: {code}"));
            }
        }
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("client")
            .arg("--machine")
            .arg(&self.folder)
            .arg("--data")
            .arg(&self.data)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

impl Client {
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no stdout")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output)
                .lines()
                .map_while(std::result::Result::ok)
            {
                into.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        Ok(Self {
            child,
            lines,
            reader: Some(reader),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its store is open, or it ended without.
    pub(crate) async fn opens(&mut self, limit: Duration) -> Result<bool> {
        let until = Instant::now() + limit;
        while self.child.try_wait()?.is_none() {
            if self.lines().iter().any(|line| line == "open") {
                return Ok(true);
            }
            if Instant::now() > until {
                return Err("the client neither opens nor ends".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(false)
    }

    /// What it said so far.
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it said a line that starts like this.
    pub(crate) async fn wait_for(&mut self, start: &str, limit: Duration) -> Result {
        let until = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait()?;
            if self.lines().iter().any(|line| line.starts_with(start)) {
                return Ok(());
            }
            if ended.is_some() || Instant::now() > until {
                let lines = self.end();
                return Err(format!("no «{start}» from the client: {lines:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it, and returns what it had said.
    pub(crate) fn end(&mut self) -> Vec<String> {
        // Both fail only for a process that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        std::mem::take(&mut *self.lines())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}
