//! Power cuts: data directories stand on an ext4 behind a loop device. A cut stops the process, takes the bytes that are on the device
//! (what was only in the machine's memory is not among them), kills the process, and starts again from those bytes.
//!
//! The process is stopped at the boundary of a system call, so a cut in the middle of one write is not modelled.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use infoblood_e2e::process::signal;

use crate::Result;
use crate::centre::Centre;
use crate::chance::Chance;
use crate::ledger::Tally;
use crate::machine::Client;
use crate::mount::Mount;
use crate::store::{self, Synchronous};

/// Cuts in one world.
const CUTS: u64 = 6;
/// Room of one file system, MiB.
const ROOM: u64 = 48;

/// One world: a server and a workstation, each on a device of its own, cuts, and the comparison at the end.
pub(crate) async fn once(folder: &Path, seed: u64) -> Result<Tally> {
    let mut chance = Chance::new(seed);
    let mut tally = Tally::default();
    let mut server_disk = Mount::ext4(&folder.join("server/data"), ROOM)?;
    let mut client_disk = Mount::ext4(&folder.join("disk"), ROOM)?;
    let mut centre = Centre::new(folder)?;
    let mut machine = centre.machine(3)?;
    machine.data = folder.join("disk/data");
    let mut client = machine.start(chance.below(u64::MAX), &[])?;
    for _ in 0..CUTS {
        tokio::time::sleep(chance.millis(30, 1_800)).await;
        if chance.below(2) == 0 {
            let id = centre.server.id().ok_or("the server does not run")?;
            stop(id).await?;
            let cut = server_disk.cut()?;
            centre.server.stop();
            server_disk.restore(cut)?;
            centre.server.start()?;
        } else {
            stop(client.id()).await?;
            let cut = client_disk.cut()?;
            machine.kill(client)?;
            client_disk.restore(cut)?;
            client = machine.start(chance.below(u64::MAX), &[])?;
        }
        tally.runs += 1;
    }
    machine.kill(client)?;
    machine.allow(&mut tally, |what, code| {
        what == "unlock" && code.starts_with("server-")
    });
    let machines = [machine];
    centre.compare(&machines, &mut tally).await?;
    Ok(tally)
}

/// The control: the same cut on a bare store. With `NORMAL` it must lose records that were told to be stored, or the model is worth
/// nothing; with `FULL` it must not.
pub(crate) async fn control(folder: &Path, seed: u64) -> Result<Tally> {
    let mut chance = Chance::new(seed);
    let mut tally = Tally::default();
    let (told, lost) = cut_store(folder, Synchronous::Full, &mut chance).await?;
    if lost > 0 {
        tally.fail(format!("FULL lost {lost} of {told} records"));
    }
    // Mostly before the first checkpoint; a cut just after one loses nothing, but not all three come then.
    for _ in 0..3 {
        let (told, lost) = cut_store(folder, Synchronous::Normal, &mut chance).await?;
        tally.runs += 1;
        tally.acknowledged += told;
        tally.lost += lost;
    }
    if tally.lost == 0 {
        let told = tally.acknowledged;
        tally.fail(format!("NORMAL lost none of {told} records"));
    }
    Ok(tally)
}

/// How many records were told to be stored, and how many of them are not there after the cut.
async fn cut_store(
    folder: &Path,
    synchronous: Synchronous,
    chance: &mut Chance,
) -> Result<(u64, u64)> {
    let name = match synchronous {
        Synchronous::Full => "full",
        Synchronous::Normal => "normal",
    };
    let disk_folder = folder.join(name);
    let mut disk = Mount::ext4(&disk_folder, ROOM)?;
    let file = disk_folder.join("store.db");
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["store", "--synchronous", name, "--file"])
        .arg(&file);
    let mut writer = Client::spawn(command)?;
    writer
        .wait_for("told stored 20", Duration::from_secs(20))
        .await?;
    tokio::time::sleep(chance.millis(1, 60)).await;
    stop(writer.id()).await?;
    let cut = disk.cut()?;
    let told = writer.end();
    disk.restore(cut)?;
    let there = store::read(&file).await?;
    let told: Vec<i64> = told
        .iter()
        .filter_map(|line| line.strip_prefix("told stored ")?.parse().ok())
        .collect();
    let lost = told
        .iter()
        .filter(|number| there.binary_search(number).is_err())
        .count();
    Ok((told.len() as u64, lost as u64))
}

/// Stops the process and waits until none of its threads is inside a system call that writes.
async fn stop(id: u32) -> Result {
    signal("-STOP", id)?;
    let until = Instant::now() + Duration::from_secs(10);
    while !is_stopped(id)? {
        if Instant::now() > until {
            return Err(format!("process {id} did not stop").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

fn is_stopped(id: u32) -> Result<bool> {
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        // The name may hold anything; the state follows its last bracket.
        let state = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.trim_start().chars().next());
        if state != Some('T') {
            return Ok(false);
        }
    }
    Ok(true)
}
