//! `cargo xtask faults`: what crashes, power cuts, full disks and wrong clocks do to the real server and to the client's store.
//!
//! Every fault has an oracle: what a person was told is present exactly once on both sides, or it is counted as lost or doubled.
//! A seed plans a run; it is printed with every failure.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

mod centre;
mod chance;
mod client;
mod clock;
mod full;
mod keyring;
mod kill;
mod ledger;
mod machine;
mod mount;
mod played;
mod power;
mod report;
mod store;
mod window;
mod world;
mod writes;

use ledger::Tally;

/// Short for a result whose error is words.
pub(crate) type Result<T = (), E = infoblood_e2e::Error> = std::result::Result<T, E>;

/// Measures faults.
#[derive(Parser)]
#[command(name = "faults")]
struct Arguments {
    /// Go on for so many minutes with fresh seeds
    #[arg(long, value_name = "MINUTES")]
    long: Option<u64>,
    /// Only this fault
    #[arg(long, value_enum)]
    only: Option<Fault>,
    /// Run that fault once, with this seed
    #[arg(long, requires = "only")]
    seed: Option<u64>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// A client's process; the faults start it themselves
    #[command(hide = true)]
    Client(client::Arguments),
    /// A bare store's process
    #[command(hide = true)]
    Store(store::Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// kill -9 of client and server
    Kill,
    /// Power cuts of client and server
    Power,
    /// Power cuts of a store that does not wait for its device
    Control,
    /// Full disks of client and server
    Full,
    /// A full disk at every write of client and server
    Writes,
    /// Wrong clocks of client and server
    Clock,
    /// All of it with the real window
    Window,
    /// The simulated world
    World,
}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 of client and server",
            Self::Power => "power cut of client and server",
            Self::Control => "control, NORMAL: must lose",
            Self::Full => "full disk of client and server",
            Self::Writes => "full disk at every write",
            Self::Clock => "wrong clock of client and server",
            Self::Window => "the real window: full, killed, late",
            Self::World => "simulated world",
        }
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What the machine lacks for it.
    fn missing(self) -> Option<&'static str> {
        match self {
            Self::Kill | Self::World => None,
            Self::Power | Self::Control | Self::Full | Self::Writes => mount::missing(),
            Self::Clock => clock::missing(),
            Self::Window => window::missing(),
        }
    }

    /// How long its short form goes on with fresh seeds.
    fn share(self) -> Duration {
        match self {
            Self::Kill | Self::Power | Self::Full | Self::Clock => Duration::from_secs(8),
            Self::Control => Duration::from_secs(3),
            Self::Window | Self::Writes => Duration::from_secs(1),
            Self::World => Duration::from_secs(6),
        }
    }

    async fn once(self, folder: &Path, seed: u64) -> Result<Tally> {
        match self {
            Self::Kill => kill::once(folder, seed).await,
            Self::Power => power::once(folder, seed).await,
            Self::Control => power::control(folder, seed).await,
            Self::Full => full::once(folder, seed).await,
            Self::Writes => writes::once(folder).await,
            Self::Clock => clock::once(folder, seed).await,
            Self::Window => window::once(seed).await,
            Self::World => world::once(seed).await,
        }
    }
}

/// What came of one fault so far.
struct Line {
    fault: Fault,
    /// Why it is not measured on this machine.
    missing: Option<&'static str>,
    tally: Tally,
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match arguments.role {
        Some(Role::Client(client)) => runtime.block_on(client::child(client::run(&client))),
        Some(Role::Store(store)) => runtime.block_on(client::child(store::write(&store))),
        None => runtime.block_on(interruptible(&arguments)),
    }
}

/// Ctrl+C drops the running fault, and with it its processes and mounts.
async fn interruptible(arguments: &Arguments) -> ExitCode {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        say("no signal handlers");
        return ExitCode::FAILURE;
    };
    tokio::select! {
        code = measure(arguments) => code,
        _ = interrupt.recv() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}

async fn measure(arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let mut lines: Vec<Line> = match arguments.only {
        Some(fault) => vec![fault],
        None => Fault::value_variants().to_vec(),
    }
    .into_iter()
    .map(|fault| Line {
        fault,
        missing: fault.missing(),
        tally: Tally::default(),
    })
    .collect();
    let long = arguments
        .long
        .map(|minutes| Duration::from_secs(60 * minutes));
    loop {
        for line in lines.iter_mut().filter(|line| line.missing.is_none()) {
            let share = Instant::now() + line.fault.share();
            loop {
                run(line, arguments.seed).await;
                let is_over = long.is_some_and(|long| started.elapsed() >= long);
                if arguments.seed.is_some() || is_over || Instant::now() >= share {
                    break;
                }
            }
        }
        table(&lines);
        if long.is_none_or(|long| started.elapsed() >= long) {
            break;
        }
    }
    say(&format!("{} s", started.elapsed().as_secs()));
    if lines.iter().all(|line| line.tally.failures.is_empty()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One run with a seed of its own; prints the counts so far.
async fn run(line: &mut Line, seed: Option<u64>) {
    let fault = line.fault;
    let seed = seed.unwrap_or_else(fresh_seed);
    let tally = match folder() {
        Ok(folder) => {
            let outcome = fault.once(folder.path(), seed).await;
            let tally = outcome.unwrap_or_else(|error| Tally::failed(&error));
            if !tally.failures.is_empty() {
                last_errors(folder.path());
            }
            tally
        }
        Err(error) => Tally::failed(&error.into()),
    };
    for failure in tally.failures.iter().take(20) {
        say(&format!("FAILED {}: {failure}", fault.name()));
    }
    if !tally.failures.is_empty() {
        let name = fault.name();
        say(&format!(
            "  seed {seed}; again: cargo xtask faults --only {name} --seed {seed}"
        ));
    }
    let is_worth_a_line = !tally.failures.is_empty() || fault != Fault::World;
    line.tally.add(tally);
    let tally = &line.tally;
    // Worlds are small and many.
    if !is_worth_a_line && !tally.runs.is_multiple_of(10) {
        return;
    }
    say(&format!(
        "{}: seed {seed}: so far {} runs, {} acknowledged, {} lost, {} doubled",
        fault.name(),
        tally.runs,
        tally.acknowledged,
        tally.lost,
        tally.doubled
    ));
}

/// What the server complained about last.
fn last_errors(folder: &Path) {
    let log = std::fs::read_to_string(folder.join("server/server.log")).unwrap_or_default();
    let errors: Vec<_> = log
        .lines()
        .filter(|line| line.contains("\"ERROR\"") || line.contains("panicked"))
        .collect();
    for line in errors.iter().rev().take(3).rev() {
        say(&format!("  server: {line}"));
    }
}

fn folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("infoblood-faults-")
        .tempdir()
}

/// From the operating system; printed with everything that it plans.
fn fresh_seed() -> u64 {
    getrandom::u64().unwrap_or(1) >> 32
}

fn table(lines: &[Line]) {
    say(&format!(
        "\nfault: {:<34} {:>6} {:>13} {:>6} {:>8} {:>9}",
        "", "runs", "acknowledged", "lost", "doubled", "failures"
    ));
    for Line {
        fault,
        missing,
        tally,
    } in lines
    {
        if let Some(missing) = missing {
            say(&format!("fault: {:<34} skipped: {missing}", fault.words()));
            continue;
        }
        say(&format!(
            "fault: {:<34} {:>6} {:>13} {:>6} {:>8} {:>9}",
            fault.words(),
            tally.runs,
            tally.acknowledged,
            tally.lost,
            tally.doubled,
            tally.failures.len()
        ));
    }
}
