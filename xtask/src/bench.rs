//! `cargo xtask bench`: filling and searching the patient cache, measured by the `bench` program of `tests/bench`; with `--only window`
//! from a key to rows on the screen, in the real window, by the `keystrokes` program of `tests/e2e`.

use crate::process::{Outcome, cargo, command, step, target};
use crate::setup;

/// What is asked of the `bench` program.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Records of the feed for filling, and of people alone for searching; 100,000 without it
    #[arg(long)]
    records: Option<u64>,
    /// Only this part: probe, feed, store, search or window
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Records that come with one donor of the synthetic centre.
const RECORDS_OF_A_DONOR: u64 = 26;

/// Sets up, builds optimised and measures.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if arguments.only.as_deref() == Some("window") {
        return window(arguments.records);
    }
    setup::packages(setup::For::Demo)?;
    step(
        "cargo build",
        &mut cargo(&[
            "build",
            "--profile",
            "bench",
            "--package",
            "infoblood-bench",
        ]),
    )?;
    let mut bench = command(target().join("release/bench"), &[]);
    if let Some(records) = arguments.records {
        bench.arg("--records").arg(records.to_string());
    }
    if let Some(only) = &arguments.only {
        bench.arg("--only").arg(only);
    }
    step("bench", &mut bench)
}

/// The window with its interface, the server, and what types.
fn window(records: Option<u64>) -> Outcome {
    setup::run(setup::For::Demo)?;
    let packages = ["infoblood", "infoblood-server", "infoblood-e2e"];
    let mut build = cargo(&["build", "--profile", "bench", "--bins"]);
    build.args(packages.map(|package| format!("--package={package}")));
    step("cargo build", &mut build)?;
    let mut keystrokes = command(target().join("release/keystrokes"), &[]);
    if let Some(records) = records {
        let donors = records.div_ceil(RECORDS_OF_A_DONOR);
        keystrokes.arg("--donors").arg(donors.to_string());
    }
    step("keystrokes", &mut keystrokes)
}
