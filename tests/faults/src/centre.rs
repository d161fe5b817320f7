//! The central server of a run, the real program, and the machines that belong to it.

use std::fs;
use std::path::{Path, PathBuf};

use infoblood_e2e::server::Server;

use crate::Result;
use crate::ledger::Tally;
use crate::machine::Machine;
use crate::report::{Invitation, ServerDatabase};

/// A server with its machines, in a folder of their own.
pub(crate) struct Centre {
    pub(crate) server: Server,
    folder: PathBuf,
    machines: usize,
}

impl Centre {
    /// Sets a server up below `folder` and starts it.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        Self::with(folder, Vec::new())
    }

    /// [`Centre::new`] with an environment for the serving process.
    pub(crate) fn with(folder: &Path, environment: Vec<(String, String)>) -> Result<Self> {
        let mut server = Server::set_up(&folder.join("server"))?;
        server.set_environment(environment);
        server.start()?;
        Ok(Self {
            server,
            folder: folder.to_owned(),
            machines: 0,
        })
    }

    /// A machine whose site profile is the server's, and so many people who may enrol there.
    pub(crate) fn machine(&mut self, people: usize) -> Result<Machine> {
        self.machines += 1;
        let n = self.machines;
        let machine = Machine::new(self.folder.join(format!("machine-{n}")))?;
        self.server.profile(&machine.folder().join("site.json"))?;
        let mut invitations = Vec::new();
        for person in 0..people {
            let login = format!("p{person}.machine{n}");
            let person = self.server.add_person(&login, "Сынақ А. Б.", "clinician")?;
            invitations.push(Invitation {
                login: person.login,
                person_id: person.person_id,
                code: person.code,
            });
        }
        let file = machine.folder().join("people.json");
        fs::write(file, serde_json::to_vec(&invitations)?)?;
        Ok(machine)
    }

    /// The status of a request that writes to the server's database.
    pub(crate) async fn ask_for_challenge(&self) -> Result<u16> {
        self.server
            .post("/v1/sessions", "application/json", b"{}".to_vec())
            .await
    }

    /// Everything waiting is sent, the server is stopped, and the two sides are compared.
    pub(crate) async fn compare(&mut self, machines: &[Machine], tally: &mut Tally) -> Result {
        let mut reports = Vec::new();
        for machine in machines {
            reports.push(machine.settle(&[]).await?);
        }
        self.server.stop();
        let mut database = ServerDatabase::open(&self.server.data_dir()).await?;
        for (machine, client) in machines.iter().zip(&reports) {
            let server = database.device(&client.device_id).await?;
            tally.compare(&machine.told, client, &server);
        }
        Ok(())
    }
}
