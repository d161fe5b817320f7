//! Wrong clocks, by libfaketime, in the real server and the client's process: jumps while they run and between two runs, and the
//! correction at the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::centre::Centre;
use crate::chance::Chance;
use crate::ledger::Tally;
use crate::machine::{Client, Machine};

/// Jumps in one world.
const JUMPS: u64 = 6;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// What counts as the true time: the server's keys, which are made at the machine's own time, are so old then.
const TRUE: i64 = 40 * DAY;
/// How far a workstation's clock may be from the true time, in seconds.
const CLIENT: &[i64] = &[
    -3650 * DAY,
    -60 * DAY,
    -2 * DAY,
    -HOUR,
    -4 * MINUTE,
    0,
    4 * MINUTE,
    HOUR,
    10 * DAY,
    33 * DAY,
    200 * DAY,
];
/// How far the server's clock may be: behind, or ahead within the tolerance. What a server ahead of time signs, no workstation can tell
/// from the truth.
const SERVER: &[i64] = &[-2 * DAY, -HOUR, -4 * MINUTE, 0, 4 * MINUTE];
/// How long a workstation may take to enrol, register and open.
const OPEN: Duration = Duration::from_secs(40);

/// One world: a server and a workstation, each with a clock of its own.
pub(crate) async fn once(folder: &Path, seed: u64) -> Result<Tally> {
    let _leavings = Leavings;
    let mut chance = Chance::new(seed);
    let mut tally = Tally::default();
    let library = library().ok_or("libfaketime is not installed")?;
    let (server_clock, client_clock) = (folder.join("server.clock"), folder.join("client.clock"));
    set(&server_clock, 0)?;
    set(&client_clock, 0)?;
    let mut centre = Centre::with(folder, environment(&library, &server_clock))?;
    let mut machine = centre.machine(4)?;
    machine.environment = environment(&library, &client_clock);

    // Signed times of the server are known from here on: they are the floor.
    let mut client = machine.start(chance.below(u64::MAX), &[])?;
    client.wait_for("unlocked", OPEN).await?;
    for _ in 0..JUMPS {
        let is_restart = chance.below(2) == 0;
        if chance.below(3) == 0 {
            set(&server_clock, chance.of(SERVER))?;
            if is_restart {
                centre.server.stop();
                centre.server.start()?;
            }
        } else {
            set(&client_clock, chance.of(CLIENT))?;
            if is_restart {
                client = restart(&mut machine, client, &mut chance)?;
            }
        }
        tokio::time::sleep(chance.millis(300, 1_500)).await;
        tally.runs += 1;
    }

    // Behind the floor for certain: it says so.
    set(&server_clock, 0)?;
    set(&client_clock, -2 * DAY)?;
    client = restart(&mut machine, client, &mut chance)?;
    client.wait_for("refused unlock clock-behind", OPEN).await?;
    tally.runs += 1;

    // Corrected: it opens again.
    set(&client_clock, 0)?;
    client = restart(&mut machine, client, &mut chance)?;
    client.wait_for("unlocked", OPEN).await?;
    client.wait_for("told looked", OPEN).await?;
    machine.kill(client)?;
    let of_clocks = ["clock-behind", "clock-ahead", "grant-expired"];
    machine.allow(&mut tally, |what, code| match what {
        "unlock" => code.starts_with("server-") || of_clocks.contains(&code),
        "look" => of_clocks.contains(&code),
        _ => false,
    });
    centre.compare(&[machine], &mut tally).await?;
    Ok(tally)
}

/// A killed process leaves the shared memory that libfaketime made for it.
pub(crate) struct Leavings;

impl Drop for Leavings {
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let id = name
                .strip_prefix("faketime_shm_")
                .or_else(|| name.strip_prefix("sem.faketime_sem_"));
            let is_left = |id: &str| !Path::new("/proc").join(id).exists();
            if id.is_some_and(is_left) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn restart(machine: &mut Machine, client: Client, chance: &mut Chance) -> Result<Client> {
    machine.kill(client)?;
    machine.start(chance.below(u64::MAX), &[])
}

/// What the machine lacks for it.
pub(crate) fn missing() -> Option<&'static str> {
    library().is_none().then_some("needs libfaketime")
}

/// The library that moves the clocks, for programs with several threads.
pub(crate) fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.is_file())
}

/// A clock that follows the file, also while the process runs; only what time of day it is, not how long something takes.
pub(crate) fn environment(library: &Path, clock: &Path) -> Vec<(String, String)> {
    [
        ("LD_PRELOAD", library.to_string_lossy().into_owned()),
        (
            "FAKETIME_TIMESTAMP_FILE",
            clock.to_string_lossy().into_owned(),
        ),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn set(clock: &Path, offset: i64) -> Result {
    write(clock, TRUE + offset)
}

/// Moves the clock so many seconds from the machine's own.
pub(crate) fn write(clock: &Path, offset: i64) -> Result {
    let beside = clock.with_extension("new");
    fs::write(&beside, format!("{offset:+}\n"))?;
    fs::rename(beside, clock)?;
    Ok(())
}
