//! A full disk at every write: each act of a workstation, and each command of the server, with ever more blocks left until it succeeds.

use std::path::Path;
use std::process::{Command, Stdio};

use infoblood_agreement::document::Document;
use infoblood_e2e::process::binary;

use crate::Result;
use crate::full::Filler;
use crate::ledger::Tally;
use crate::mount::Mount;
use crate::played::program;

/// The test that does everything a workstation does.
const TEST: &str = "full::every_write_meets_a_full_disk";
/// Room of each file system, in KiB.
const ROOM: u64 = 8 << 10;
const BLOCK: u64 = 4096;
/// The environment is at fault, not the command.
const ENVIRONMENT: i32 = 3;

pub(crate) async fn once(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let at = folder.join("room");
    let _room = Mount::memory(&at, ROOM)?;
    let mut play = tokio::process::Command::new(program("registration")?);
    play.args(["--exact", TEST, "--ignored", "--nocapture"])
        .env("INFOBLOOD_ROOM", &at)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = play.output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        tally.runs = full(&said).ok_or_else(|| format!("no counts: {said}"))?;
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        let panic = words.split_once("panicked").map_or(&*words, |(_, at)| at);
        tally.fail(panic.lines().take(6).collect::<Vec<_>>().join(" "));
    }
    commands(folder, &mut tally)?;
    Ok(tally)
}

/// How often the disk was full, from the test's line of counts.
fn full(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("full: ")?;
    rest.lines().next()?.trim().parse().ok()
}

/// What an administrator types. A command that says it failed has done nothing: the same one succeeds once there is room.
fn commands(folder: &Path, tally: &mut Tally) -> Result {
    let at = folder.join("central");
    let _room = Mount::memory(&at, ROOM)?;
    let terms = folder.join("terms");
    let old = Document::builtin();
    std::fs::create_dir_all(&terms)?;
    for (name, text) in [("kk.txt", old.kk()), ("ru.txt", old.ru())] {
        std::fs::write(terms.join(name), format!("{text} (2)"))?;
    }
    std::fs::write(terms.join("structure.json"), old.structure_json())?;
    let terms = terms.to_string_lossy().into_owned();
    let site = ["site", "add", "S", "--name-kk", "S", "--name-ru", "S"];
    let person = [
        "person", "add", "a", "--site", "S", "--name", "A", "--role", "dpo",
    ];
    let publish = [
        "agreement",
        "publish",
        &terms,
        "--change",
        "editorial",
        "--effective-from",
        "2020-01-01T00:00:00Z",
    ];
    let all: [&[&str]; 7] = [
        &["init"],
        &site,
        &person,
        &["person", "code", "a"],
        &publish,
        &["seed", "--donors", "20", "--seed", "1"],
        &["person", "revoke", "a"],
    ];
    let program = binary("infoblood-server")?;
    for arguments in all {
        let mut leave = 0;
        loop {
            let filler = Filler::fill(&at, leave)?;
            let output = Command::new(&program)
                .args(arguments)
                .args(["--json", "--data-dir"])
                .arg(at.join("data"))
                .stdin(Stdio::null())
                .output()?;
            drop(filler);
            if output.status.success() {
                break;
            }
            tally.runs += 1;
            if output.status.code() != Some(ENVIRONMENT) || leave > ROOM << 10 {
                let words = String::from_utf8_lossy(&output.stderr);
                let command = arguments.join(" ");
                tally.fail(format!(
                    "{command}, {leave} bytes left: {} {words}",
                    output.status
                ));
                return Ok(());
            }
            leave += BLOCK.max(leave / 16 / BLOCK * BLOCK);
        }
        tally.acknowledged += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counts_are_read() {
        assert_eq!(super::full("acts: 18, full: 153\n"), Some(153));
        assert_eq!(super::full("1 passed"), None);
    }
}
