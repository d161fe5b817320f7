//! `cargo xtask bench`: filling, searching and carrying the patient cache, measured by the `bench` program of `tests/bench`, and from a key
//! to rows on the screen, in the real window, by the `keystrokes` program of `tests/e2e`.

use crate::process::{Outcome, cargo, command, step, target};
use crate::setup;

/// What is measured, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Records of a centre; for searching, of people alone
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Only this part
    #[arg(long, value_name = "PART", value_parser = ["probe", "feed", "store", "search", "courier", WINDOW])]
    only: Option<String>,
}

const WINDOW: &str = "window";

/// Records that come with one donor of the synthetic centre.
const RECORDS_OF_A_DONOR: u64 = 26;

/// Sets up, builds optimised and measures.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let only = arguments.only.as_deref();
    if only != Some(WINDOW) {
        store(arguments.records, only)?;
    }
    if only.is_none_or(|only| only == WINDOW) {
        window(arguments.records)?;
    }
    Ok(())
}

/// The client's stores, in the program itself.
fn store(records: u64, only: Option<&str>) -> Outcome {
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
    bench.arg("--records").arg(records.to_string());
    if let Some(only) = only {
        bench.arg("--only").arg(only);
    }
    step("bench", &mut bench)
}

/// The window with its interface, the server, and what types.
fn window(records: u64) -> Outcome {
    setup::run(setup::For::Demo)?;
    let packages = ["infoblood", "infoblood-server", "infoblood-e2e"];
    let mut build = cargo(&["build", "--profile", "bench", "--bins"]);
    build.args(packages.map(|package| format!("--package={package}")));
    step("cargo build", &mut build)?;
    let mut keystrokes = command(target().join("release/keystrokes"), &[]);
    let donors = records.div_ceil(RECORDS_OF_A_DONOR);
    keystrokes.arg("--donors").arg(donors.to_string());
    step("keystrokes", &mut keystrokes)
}
