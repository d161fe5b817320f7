//! `cargo xtask demo`: the tour through the real window, with its evidence in `target/demo`.

use crate::process::{Outcome, cargo, command, say, step, target};
use crate::setup;

/// Sets up, builds, and hands over to the `tour` program of `tests/e2e`.
pub(crate) fn run(headless: bool) -> Outcome {
    setup::run(setup::For::Demo)?;
    step(
        "cargo build",
        &mut cargo(&["build", "--workspace", "--bins"]),
    )?;
    let mut tour = command(target().join("debug/tour"), &["--out"]);
    tour.arg(target().join("demo"));
    if headless {
        tour.arg("--headless");
    }
    step("tour", &mut tour)?;
    say(&format!(
        "evidence and pictures: {}",
        target().join("demo").display()
    ));
    Ok(())
}
