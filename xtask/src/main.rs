//! The developers' commands: `cargo xtask setup | test | demo | faults | bench`.
//!
//! This package builds without WebKit and OpenSSL, because it is what installs them.
//! Exit codes: 0 success, 1 a check or the demo failed, 2 usage, 3 the machine lacks something that needs root or a person.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod check;
mod demo;
mod faults;
mod process;
mod setup;
mod tools;

use process::Failure;

/// What a developer can ask for.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Info Blood: the developers' commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the machine lacks (apt, npm) and build the interface
    Setup,
    /// Set up and run every check and test, the real window included
    Test,
    /// Set up, start a central server with seeded data, and run the tour through the real window
    Demo {
        /// Under an own Xvfb, even when there is a display
        #[arg(long)]
        headless: bool,
    },
    /// Crashes, power cuts, full disks and wrong clocks against the real server and the client's store, within 5 minutes
    Faults(faults::Arguments),
    /// Filling and searching the patient cache, with baselines in the same run; alone on the machine
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Setup => setup::run(setup::For::Demo),
        Command::Test => check::run(),
        Command::Demo { headless } => demo::run(headless),
        Command::Faults(arguments) => faults::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            process::say(&format!("\nFAILED: {message}"));
            ExitCode::from(code)
        }
    }
}
