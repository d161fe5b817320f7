//! Full disks: the data directories stand on small file systems that are filled at random moments, while people enrol and the server
//! serves, and emptied again. Processes are also killed and started while there is no room.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Result;
use crate::centre::Centre;
use crate::chance::Chance;
use crate::ledger::Tally;
use crate::machine::{Client, Machine};
use crate::mount::Mount;

/// Fillings in one world.
const FILLINGS: u64 = 8;
/// How long a server that answers nothing is asked.
const ANSWER: Duration = Duration::from_secs(20);

/// One world: a server and a workstation, each with a small file system of its own.
pub(crate) async fn once(folder: &Path, seed: u64) -> Result<Tally> {
    let mut chance = Chance::new(seed);
    let mut tally = Tally::default();
    let is_ext4 = chance.below(2) == 0;
    let small = |at: PathBuf| {
        if is_ext4 {
            Mount::ext4(&at, 20)
        } else {
            Mount::memory(&at, 8 << 10)
        }
    };
    let _server_room = small(folder.join("server/data"))?;
    let _client_room = small(folder.join("room"))?;
    let mut centre = Centre::new(folder)?;
    let mut machine = centre.machine(4)?;
    machine.data = folder.join("room/data");
    let mut world = World {
        client: None,
        centre,
        machine,
        folder,
        refusals: 0,
    };
    world.start_client(&mut chance).await?;
    for filling in 0..FILLINGS {
        tokio::time::sleep(chance.millis(30, 700)).await;
        if filling % 2 == 0 {
            world.fill_client(&mut chance).await?;
        } else {
            world.fill_server(&mut chance, &mut tally).await?;
        }
        tally.runs += 1;
    }
    let World {
        centre: mut done,
        mut machine,
        client,
        refusals,
        ..
    } = world;
    if let Some(client) = client {
        machine.kill(client)?;
    }
    let told_full = machine.refused.iter().any(|(_, code)| code == "disk-full");
    if !told_full && refusals == 0 {
        tally.fail("no disk was ever full: the fault did not bite");
    }
    machine.allow(&mut tally, |what, code| {
        code == "disk-full" || (what == "unlock" && code.starts_with("server-"))
    });
    done.compare(&[machine], &mut tally).await?;
    Ok(tally)
}

struct World<'a> {
    centre: Centre,
    machine: Machine,
    client: Option<Client>,
    folder: &'a Path,
    /// Requests that the server answered with 503.
    refusals: u64,
}

impl World<'_> {
    async fn fill_client(&mut self, chance: &mut Chance) -> Result {
        let filler = Filler::fill(&self.folder.join("room"), chance.below(48 << 10))?;
        if chance.below(3) == 0 {
            if let Some(client) = self.client.take() {
                self.machine.kill(client)?;
            }
            let mut client = self.machine.start(chance.below(u64::MAX), &[])?;
            if client.opens(ANSWER).await? {
                self.client = Some(client);
            } else {
                // Without room for its store it does not open, and says why (see the allowed refusals); it opens below.
                let lines = client.end();
                self.machine.learn(&lines);
            }
        }
        tokio::time::sleep(chance.millis(100, 900)).await;
        drop(filler);
        if self.client.is_none() {
            self.start_client(chance).await?;
        }
        Ok(())
    }

    /// There is room: it opens.
    async fn start_client(&mut self, chance: &mut Chance) -> Result {
        let mut client = self.machine.start(chance.below(u64::MAX), &[])?;
        if !client.opens(ANSWER).await? {
            return Err(format!("with room the client does not open: {:?}", client.end()).into());
        }
        self.client = Some(client);
        Ok(())
    }

    async fn fill_server(&mut self, chance: &mut Chance, tally: &mut Tally) -> Result {
        let filler = Filler::fill(&self.folder.join("server/data"), chance.below(48 << 10))?;
        for _ in 0..8 {
            match self.centre.ask_for_challenge().await? {
                200 => {}
                503 => self.refusals += 1,
                status => tally.fail(format!("a server on a full disk answered {status}")),
            }
            tokio::time::sleep(chance.millis(5, 80)).await;
        }
        let mut is_running = true;
        if chance.below(3) == 0 {
            self.centre.server.stop();
            is_running = self.centre.server.start().is_ok();
        }
        drop(filler);
        if !is_running {
            self.centre.server.start()?;
        }
        let until = Instant::now() + ANSWER;
        while self.centre.ask_for_challenge().await? != 200 {
            if Instant::now() > until {
                return Err("there is room again, and the server still refuses".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// A file that takes all the room but some; dropping it gives the room back.
pub(crate) struct Filler(PathBuf);

impl Filler {
    /// Leaves so many bytes, rounded down to whole blocks.
    pub(crate) fn fill(folder: &Path, leave: u64) -> Result<Self> {
        let filler = Self(folder.join("filler"));
        let mut file = File::create(&filler.0)?;
        let mut piece = vec![0x5a; 64 << 10];
        while !piece.is_empty() {
            match file.write(&piece) {
                Ok(_) => {}
                // Ever smaller pieces, to the last block.
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let size = file.metadata()?.len();
        file.set_len(size.saturating_sub(leave))?;
        Ok(filler)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
