//! `kill -9` of client and server while people enrol, decline and look, and everything is sent.

use std::path::Path;

use crate::Result;
use crate::centre::Centre;
use crate::chance::Chance;
use crate::ledger::Tally;

/// Kills in one world.
const KILLS: u64 = 10;
/// Workstations in one world.
const MACHINES: usize = 2;

/// One world: a server, workstations, kills, and the comparison at the end.
pub(crate) async fn once(folder: &Path, seed: u64) -> Result<Tally> {
    let mut chance = Chance::new(seed);
    let mut tally = Tally::default();
    let mut centre = Centre::new(folder)?;
    let mut machines = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..MACHINES {
        let mut machine = centre.machine(3)?;
        clients.push(machine.start(chance.below(u64::MAX), &[])?);
        machines.push(machine);
    }
    for _ in 0..KILLS {
        tokio::time::sleep(chance.millis(20, 1_200)).await;
        // The server, one of the workstations, or the server and a workstation in the same moment.
        let what = chance.below(3);
        if what != 1 {
            centre.server.stop();
        }
        if what != 0 {
            let n = chance.below(MACHINES as u64) as usize;
            let again = chance.below(u64::MAX);
            let client = clients.remove(n);
            machines[n].kill(client)?;
            clients.insert(n, machines[n].start(again, &[])?);
        }
        if what != 1 {
            tokio::time::sleep(chance.millis(0, 200)).await;
            centre.server.start()?;
        }
        tally.runs += 1;
    }
    for (machine, client) in machines.iter_mut().zip(clients) {
        machine.kill(client)?;
        // Signing in without a server that answers is refused; nothing else may be.
        machine.allow(&mut tally, |what, code| {
            what == "unlock" && code.starts_with("server-")
        });
    }
    centre.compare(&machines, &mut tally).await?;
    Ok(tally)
}
