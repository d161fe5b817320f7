//! Courier files: copied, damaged, brought late, twice, out of order, or to the wrong workstation.

use infoblood_agreement::{
    cbor::Limits,
    courier::{
        AnswerReader, AnswerRecord, CourierError, Frames, ItemState, RequestHead, RequestRecord,
        RequestWriter,
    },
    sealed::Kind,
    statement::leaf_hash,
};
use infoblood_client::sync::verdict;
use jiff::Timestamp;
use rand_core::Rng as _;

use crate::{
    chance::Chance,
    client::{Client, Died},
    server::{BEGINNING, SITE},
};

/// Files that are under way at once; more and the oldest is lost.
const BAG: usize = 12;
/// Requests whose answers a client still expects.
const REMEMBERED: usize = 16;

/// An item of a request: its id, and the leaf if it is a statement.
pub(crate) type Packed = (String, Option<[u8; 32]>);

#[derive(Clone)]
pub(crate) enum Content {
    Request { from: usize, items: Vec<Packed> },
    Answer { to: usize },
}

/// A file on some medium.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content: Content,
    pub(crate) is_damaged: bool,
    /// Was read to its end by whom it is for.
    pub(crate) is_read: bool,
}

/// What couriers carry.
#[derive(Default)]
pub(crate) struct Bag {
    pub(crate) files: Vec<File>,
    pub(crate) lost: u64,
    pub(crate) damaged: u64,
}

impl Bag {
    pub(crate) fn put(&mut self, bytes: Vec<u8>, content: Content, chance: &mut Chance) {
        let mut file = File {
            bytes,
            content,
            is_damaged: false,
            is_read: false,
        };
        if chance.percent(15) {
            self.damaged += 1;
            // The sound file stays where it was.
            self.files.push(file.clone());
            let at = usize::try_from(chance.below(file.bytes.len() as u64)).unwrap();
            if chance.percent(50) {
                file.bytes.truncate(at);
            } else {
                file.bytes[at] ^= 1 << chance.below(8);
            }
            file.is_damaged = true;
        }
        self.files.push(file);
        while self.files.len() > BAG {
            self.files.remove(0);
            self.lost += 1;
        }
    }
}

/// Why a client refuses an answer. Nothing is changed then.
#[derive(Debug)]
pub(crate) enum Refused {
    Pack,
    OtherDevice,
    Unasked,
    Old,
}

impl From<CourierError> for Refused {
    fn from(_: CourierError) -> Self {
        Self::Pack
    }
}

impl Client {
    /// Everything that waits, as `Workstation::export_pack` writes it.
    pub(crate) fn export(&mut self, chance: &mut Chance) -> (Vec<u8>, Vec<Packed>) {
        let (mut pack, mut nonce) = ([0; 16], [0; 16]);
        chance.0.fill_bytes(&mut pack);
        chance.0.fill_bytes(&mut nonce);
        let to = self.key_set.sealing_key(BEGINNING).unwrap();
        let mut writer = RequestWriter::new(self.keys.device(), to, pack, BEGINNING);
        let head = RequestRecord::Head(RequestHead {
            site: SITE.into(),
            device_x25519: self.keys.device_x25519_public(),
            created_at: BEGINNING,
            nonce,
            key_set_version: self.key_set.version(),
            document_version: 1,
            safety_cursor: None,
            all_cursor: None,
            people: Vec::new(),
        });
        let mut bytes = writer
            .push(head, &mut chance.0)
            .unwrap()
            .unwrap_or_default();
        let mut waiting: Vec<_> = self
            .disk
            .rows
            .values()
            .filter(|(row, _)| !row.is_wedged)
            .collect();
        let rank = |kind| Kind::ALL.iter().position(|other| *other == kind);
        waiting.sort_by_key(|(row, _)| (rank(row.kind), row.order));
        let mut items = Vec::new();
        for (row, sealed) in waiting {
            let record = RequestRecord::Item {
                id: row.id.clone(),
                sealed: sealed.clone(),
            };
            bytes.extend(
                writer
                    .push(record, &mut chance.0)
                    .unwrap()
                    .unwrap_or_default(),
            );
            let leaf = self
                .disk
                .statements
                .get(&row.id)
                .map(|statement| leaf_hash(&statement.bytes, &Limits::DEFAULT).unwrap());
            items.push((row.id.clone(), leaf));
        }
        bytes.extend(writer.finish(&mut chance.0).unwrap());
        self.disk.asked.push(nonce);
        let from = self.disk.asked.len().saturating_sub(REMEMBERED);
        self.disk.asked.drain(..from);
        (bytes, items)
    }

    /// Reads an answer as `Workstation::read_answer` does: checked to its end first, then record by record.
    pub(crate) fn read_answer(
        &mut self,
        file: &[u8],
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Result<(), Refused>, Died> {
        let (counter, records) = match self.check_answer(file) {
            Ok(checked) => checked,
            Err(refused) => return Ok(Err(refused)),
        };
        for record in records {
            match record {
                AnswerRecord::Receipt { id, receipt } => self.keep_receipt(&id, receipt)?,
                AnswerRecord::Item { id, state } => self.take_item(&id, state)?,
                _ => {}
            }
        }
        self.step()?;
        self.disk.counter = counter;
        // The next round begins with what is stored.
        self.load(now, chance)?;
        Ok(Ok(()))
    }

    fn check_answer(&self, file: &[u8]) -> Result<(u64, Vec<AnswerRecord>), Refused> {
        let mut frames = Frames::new();
        frames.push(file);
        let mut chunks = Vec::new();
        while let Some(chunk) = frames.next_chunk()? {
            chunks.push(chunk);
        }
        frames.end()?;
        let reader = || AnswerReader::new(self.key_set.clone(), self.authority);
        let mut checking = reader();
        for chunk in &chunks {
            checking.check(chunk)?;
        }
        checking.end()?;
        let mut reading = reader();
        let mut records = Vec::new();
        for chunk in &chunks {
            records.extend(reading.read(chunk, &self.keys, None)?.unwrap_or_default());
        }
        let Some(AnswerRecord::Head(head)) = records.first() else {
            return Err(CourierError::Order.into());
        };
        if head.device_id != self.keys.device_id() {
            return Err(Refused::OtherDevice);
        }
        if !self.disk.asked.contains(&head.nonce) {
            return Err(Refused::Unasked);
        }
        if head.counter <= self.disk.counter {
            return Err(Refused::Old);
        }
        Ok((head.counter, records))
    }

    fn keep_receipt(&mut self, id: &str, receipt: Vec<u8>) -> Result<(), Died> {
        let Some(statement) = self.disk.statements.get(id) else {
            return Ok(());
        };
        if verdict::of_receipt(&self.key_set, &statement.bytes, &receipt).is_err() {
            return Ok(());
        }
        self.step()?;
        if let Some(statement) = self.disk.statements.get_mut(id) {
            statement.receipt = Some(receipt);
        }
        self.disk.rows.remove(id);
        self.step()?;
        self.disk.files.remove(id);
        Ok(())
    }

    fn take_item(&mut self, id: &str, state: ItemState) -> Result<(), Died> {
        let is_statement = self.disk.statements.contains_key(id);
        match state {
            ItemState::Stored if !is_statement && self.disk.rows.contains_key(id) => {
                self.step()?;
                self.disk.rows.remove(id);
                self.step()?;
                self.disk.files.remove(id);
            }
            ItemState::Rejected { code } => {
                let Some((row, _)) = self.disk.rows.get(id) else {
                    return Ok(());
                };
                if !verdict::is_final_by_courier(row.kind, &code) {
                    return Ok(());
                }
                self.step()?;
                let statement = self.disk.statements.get(id);
                let is_enrolment = statement.is_some_and(|statement| {
                    statement.kind == Kind::Enrolment && statement.receipt.is_none()
                });
                if let Some((row, _)) = self.disk.rows.get_mut(id) {
                    row.is_wedged = true;
                    row.attempts += 1;
                    row.error = Some(code.clone());
                    if let Some(identity) = row.identity.filter(|_| is_enrolment) {
                        self.disk.refused.insert(identity, code);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
