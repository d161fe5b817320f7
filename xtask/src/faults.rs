//! `cargo xtask faults`: crashes, power cuts, full disks and wrong clocks, measured by the `faults` program of `tests/faults`.

use crate::process::{Outcome, cargo, collect, command, forget_own, step, target};
use crate::setup;

/// Tests of the client that faults play; built before anything is measured.
const PLAYED: [&str; 4] = ["--test", "registration", "--test", "world"];

/// What is asked of the `faults` program.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Go on for so many minutes with fresh seeds, printing counts
    #[arg(long, value_name = "MINUTES")]
    long: Option<u64>,
    /// Only this fault; the names are printed with every line
    #[arg(long, value_name = "FAULT")]
    only: Option<String>,
    /// Run that fault once with this seed
    #[arg(long, requires = "only")]
    seed: Option<u64>,
}

/// Sets up, builds and measures.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    // Always the features of the whole workspace, so that nothing is built twice.
    let without_window = arguments
        .only
        .as_deref()
        .is_some_and(|only| only != "window");
    if without_window {
        setup::packages(setup::For::Test)?;
        let programs = ["--bin", "faults", "--bin", "infoblood-server"];
        let mut build = cargo(&["build", "--workspace"]);
        step("cargo build", build.args(programs).args(PLAYED))?;
    } else {
        setup::run(setup::For::Test)?;
        step(
            "cargo build",
            cargo(&["build", "--workspace", "--bins"]).args(PLAYED),
        )?;
    }
    measure(arguments).map(|_| ())
}

/// The short form, when everything is built; returns the table.
pub(crate) fn short() -> Outcome<Vec<String>> {
    measure(&Arguments {
        long: None,
        only: None,
        seed: None,
    })
}

fn measure(arguments: &Arguments) -> Outcome<Vec<String>> {
    let mut faults = command(target().join("debug/faults"), &[]);
    // It asks cargo for the simulated world.
    forget_own(&mut faults);
    for (name, value) in [("--long", arguments.long), ("--seed", arguments.seed)] {
        if let Some(value) = value {
            faults.arg(name).arg(value.to_string());
        }
    }
    if let Some(only) = &arguments.only {
        faults.arg("--only").arg(only);
    }
    collect("faults", &mut faults, |line| {
        line.starts_with("fault:") || line.starts_with("FAILED")
    })
}
