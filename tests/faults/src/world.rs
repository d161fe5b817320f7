//! The simulated world of the client's tests: many clients and one server on a network that loses, doubles, delays and reorders, with
//! crashes, partitions and clock jumps; its own oracle looks after every step. One seed is one world, step by step.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Result;
use crate::ledger::Tally;

/// The test that plays one seed.
const TEST: &str = "nothing_acknowledged_is_lost_or_doubled_in_any_world";

/// Plays the world of this seed.
pub(crate) async fn once(seed: u64) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut play = tokio::process::Command::new(program()?);
    play.args(["--exact", TEST, "--nocapture"])
        .env("INFOBLOOD_SEED", seed.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = play.output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    tally.runs = 1;
    if output.status.success() {
        tally.acknowledged = told(&said).ok_or_else(|| format!("no counts: {said}"))?;
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        tally.fail(words.lines().take(6).collect::<Vec<_>>().join(" "));
    }
    Ok(tally)
}

/// What people were told is stored, from the line of counts.
fn told(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("told: ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The program of the test, built when it is missing.
fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = PROGRAM.get() {
        return Ok(known);
    }
    let mut build = Command::new("cargo");
    build
        .args(["test", "--workspace", "--test", "world", "--no-run"])
        .arg("--message-format=json")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null());
    let output = build.output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "world")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    match program {
        Some(program) if output.status.success() => Ok(PROGRAM.get_or_init(|| program)),
        _ => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counts_are_read() {
        assert_eq!(
            super::told("Counts { steps: 400, told: 31, registered: 2 }"),
            Some(31)
        );
        assert_eq!(super::told("1 passed"), None);
    }
}
