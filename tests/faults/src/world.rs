//! The simulated world of the client's tests: many clients and one server on a network that loses, doubles, delays and reorders, with
//! crashes, partitions and clock jumps; its own oracle looks after every step. One seed is one world, step by step.

use std::process::Stdio;

use crate::Result;
use crate::ledger::Tally;
use crate::played::program;

/// The test that plays one seed.
const TEST: &str = "nothing_acknowledged_is_lost_or_doubled_in_any_world";

/// Plays the world of this seed.
pub(crate) async fn once(seed: u64) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut play = tokio::process::Command::new(program("world")?);
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
