//! `cargo xtask bench`: filling and searching the patient cache, measured by the `bench` program of `tests/bench`.

use crate::process::{Outcome, cargo, command, step, target};
use crate::setup;

/// What is asked of the `bench` program.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Records of the feed for filling, and of people alone for searching; 100,000 without it
    #[arg(long)]
    records: Option<u64>,
    /// Only this part: probe, feed, store or search
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Sets up, builds optimised and measures.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
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
