//! The stored audit events for whoever answers for data protection: every signature and every chain verified again, each event as a FHIR R5
//! AuditEvent on a line of its own.

use std::collections::HashMap;
use std::io::Write;

use infoblood_agreement::audit::{AuditEvent as Event, message_hash};
use infoblood_agreement::keys::PublicKey;

use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{
    AuditEvent, AuditStorage as _, Database, Device, DeviceStorage as _, PeopleStorage as _,
    StorageError,
};

mod balp;

/// Events that are read at once.
const PAGE: u32 = 500;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file.
    #[error("the file cannot be written")]
    Write(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The server.
    #[error(transparent)]
    Problem(#[from] Problem),
}

/// One device's chain, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Chain {
    /// Whose.
    pub device_id: String,
    /// Its workstation's name.
    pub workstation: String,
    /// Written.
    pub events: u64,
    /// Events that have not come: sequences from and to.
    pub missing: Vec<(u64, u64)>,
    /// Sequences of events that do not continue the one before.
    pub broken: Vec<u64>,
    /// Sequences that two events claim.
    pub forked: Vec<u64>,
    /// Sequences of stored events that do not verify; they are not written.
    pub invalid: Vec<u64>,
}

impl Chain {
    /// Whether nothing in it was changed. What is missing may still come.
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty() && self.forked.is_empty() && self.invalid.is_empty()
    }
}

/// Writes every event, by device and in the order of the chains.
pub async fn export<D: Database>(
    context: &Context<D>,
    out: &mut (impl Write + Send),
) -> Result<Vec<Chain>, ExportError> {
    let mut tx = context.database.read().await?;
    let mut chains = Vec::new();
    let mut roles = HashMap::new();
    for device in tx.devices().await? {
        let key = PublicKey::from_bytes(&device.signing_key)
            .map_err(|_| StorageError::Damaged("devices.signing_key"))?;
        let mut walk = Walk::new(&device);
        let mut after = (0, [0; 32]);
        loop {
            let page = tx.audit_events(&device.device_id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.sequence, last.hash);
            for stored in page {
                let Some(event) = walk.step(&stored, &key) else {
                    continue;
                };
                if let Some(person_id) = &event.person_id
                    && !roles.contains_key(person_id)
                    && let Some(person) = tx.person(person_id).await?
                {
                    roles.insert(person_id.clone(), person.role);
                }
                let role = event.person_id.as_ref().and_then(|id| roles.get(id));
                let resource = balp::resource(&event, &stored, &device, role.map(String::as_str));
                writeln!(out, "{resource}")?;
            }
        }
        if walk.sequence > 0 {
            chains.push(walk.chain);
        }
    }
    out.flush()?;
    Ok(chains)
}

/// Along one chain.
struct Walk {
    chain: Chain,
    sequence: u64,
    /// Hashes of the events at `sequence`.
    here: Vec<[u8; 32]>,
    before: Vec<[u8; 32]>,
}

impl Walk {
    fn new(device: &Device) -> Self {
        Self {
            chain: Chain {
                device_id: device.device_id.clone(),
                workstation: device.workstation.clone(),
                events: 0,
                missing: Vec::new(),
                broken: Vec::new(),
                forked: Vec::new(),
                invalid: Vec::new(),
            },
            sequence: 0,
            here: Vec::new(),
            before: Vec::new(),
        }
    }

    /// The event, if it is the device's own and the row says what it says.
    fn step(&mut self, stored: &AuditEvent, key: &PublicKey) -> Option<Event> {
        let sequence = stored.sequence;
        if sequence == self.sequence {
            self.chain.forked.push(sequence);
        } else {
            self.before = std::mem::take(&mut self.here);
            if sequence > self.sequence + 1 {
                self.chain.missing.push((self.sequence + 1, sequence - 1));
                self.before.clear();
            }
        }
        self.sequence = sequence;
        let event = Event::verify(&stored.message, key)
            .ok()
            .filter(|event| says_the_same(event, stored));
        let Some(event) = event else {
            self.chain.invalid.push(sequence);
            return None;
        };
        if let Some(previous) = event.previous
            && !self.before.is_empty()
            && !self.before.contains(&previous)
        {
            self.chain.broken.push(sequence);
        }
        self.here.push(stored.hash);
        self.chain.events += 1;
        Some(event)
    }
}

/// Whether the row's columns are those of the signed message.
fn says_the_same(event: &Event, stored: &AuditEvent) -> bool {
    stored.hash == message_hash(&stored.message)
        && event.id.as_slice() == stored.id
        && event.sequence == stored.sequence
        && event.previous == stored.previous
        && event.person_id == stored.person_id
        && event.action.as_str() == stored.action
        && event.outcome.as_str() == stored.outcome
        && event.reference == stored.reference
        && event.time == stored.at
}
