//! Reading a request: every signature, the order and the end are checked before anything of it is acted on.

use std::io::SeekFrom;

use infoblood_agreement::courier::{
    CourierError, Frames, MAX_REQUEST_BYTES, MAX_REQUEST_ITEMS, PackId, RequestHead, RequestReader,
    RequestRecord,
};
use infoblood_agreement::keys::PublicKey;
use infoblood_agreement::sealed::{Kind, MAX_SEALED_BYTES, SealedItem, is_weak_x25519};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use x25519_dalek::StaticSecret;

use crate::problem::Problem;

/// Most people whose grants are asked for.
const MAX_PEOPLE: usize = 1_000;

/// Takes a request in pieces of any size. Holds one chunk; the sealed items go to a nameless file.
pub struct Intake<'a> {
    sealing: &'a StaticSecret,
    frames: Frames,
    reader: RequestReader,
    received: usize,
    head: Option<RequestHead>,
    items: Items,
}

/// A request that was read to its end and holds together.
#[derive(Debug)]
pub struct Request {
    /// Its own id.
    pub pack: PackId,
    /// Who signed it.
    pub device: PublicKey,
    /// What is asked for.
    pub head: RequestHead,
    pub(super) items: Items,
}

impl<'a> Intake<'a> {
    /// At the beginning of a pack. `sealing` is the secret half of the server's sealing key.
    pub fn new(sealing: &'a StaticSecret) -> Result<Self, Problem> {
        Ok(Self {
            sealing,
            frames: Frames::new(),
            reader: RequestReader::new(),
            received: 0,
            head: None,
            items: Items::new()?,
        })
    }

    /// Takes the next piece.
    pub async fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        self.received += piece.len();
        if self.received > MAX_REQUEST_BYTES {
            return Err(refused(&CourierError::TooLarge));
        }
        self.frames.push(piece);
        while let Some(chunk) = self.frames.next_chunk().map_err(|error| refused(&error))? {
            let records = self
                .reader
                .read(&chunk, self.sealing)
                .map_err(|error| refused(&error))?;
            self.keep(records).await?;
        }
        Ok(())
    }

    async fn keep(&mut self, records: Vec<RequestRecord>) -> Result<(), Problem> {
        for record in records {
            match (record, self.head.is_some()) {
                (RequestRecord::Head(head), false) => {
                    if head.people.len() > MAX_PEOPLE {
                        return Err(refused(&CourierError::TooLarge));
                    }
                    if is_weak_x25519(&head.device_x25519) {
                        return Err(malformed("The key for the answer is no key."));
                    }
                    self.head = Some(head);
                }
                (RequestRecord::Item { id, sealed }, true) => self.items.push(&id, &sealed)?,
                _ => return Err(malformed("A pack begins with its one head.")),
            }
        }
        self.items.flush().await
    }

    /// The pack ends here.
    pub fn end(self) -> Result<Request, Problem> {
        self.frames.end().map_err(|error| refused(&error))?;
        let (pack, device) = self.reader.end().map_err(|error| refused(&error))?;
        let head = self
            .head
            .ok_or_else(|| malformed("A pack begins with its one head."))?;
        let mut items = self.items;
        // Whatever their order in the file; within a kind it stays.
        items.slots.sort_by_key(|slot| slot.kind);
        Ok(Request {
            pack,
            device,
            head,
            items,
        })
    }
}

/// 413 for what is too large, 400 for everything else.
fn refused(error: &CourierError) -> Problem {
    let status = match error {
        CourierError::TooLarge => 413,
        _ => 400,
    };
    Problem::new(status, error.code(), error.to_string())
}

fn malformed(detail: &str) -> Problem {
    Problem::malformed(CourierError::Magic.code(), detail)
}

/// 503: the nameless file cannot be written or read.
fn spool(error: std::io::Error) -> Problem {
    crate::storage::StorageError::Unavailable(Box::new(error)).into()
}

/// The sealed items of a request: their places here, their bytes in a file that has no name and ends with this value.
#[derive(Debug)]
pub(super) struct Items {
    file: File,
    slots: Vec<Slot>,
    buffer: Vec<u8>,
    written: u64,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    id: [u8; 32],
    /// By its own word; opening proves it. `None` for what is no sealed item.
    kind: Option<Kind>,
    offset: u64,
    length: usize,
}

/// One item as it was brought.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: [u8; 32],
    /// `None` for what is no sealed item.
    pub(super) sealed: Option<SealedItem>,
}

impl Items {
    fn new() -> Result<Self, Problem> {
        Ok(Self {
            file: File::from_std(tempfile::tempfile().map_err(spool)?),
            slots: Vec::new(),
            buffer: Vec::new(),
            written: 0,
            bytes: 0,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn push(&mut self, id: &str, sealed: &[u8]) -> Result<(), Problem> {
        let mut raw = [0; 32];
        if id.bytes().any(|b| b.is_ascii_uppercase()) || hex::decode_to_slice(id, &mut raw).is_err()
        {
            return Err(malformed("An item's id is 64 hex digits."));
        }
        self.bytes += sealed.len();
        if self.bytes > MAX_REQUEST_BYTES || self.slots.len() >= MAX_REQUEST_ITEMS {
            return Err(refused(&CourierError::TooLarge));
        }
        let kind = match sealed.len() {
            0..=MAX_SEALED_BYTES => SealedItem::parse(sealed).ok().map(|item| item.kind()),
            _ => None,
        };
        let kept: &[u8] = if kind.is_some() { sealed } else { &[] };
        self.slots.push(Slot {
            id: raw,
            kind,
            offset: self.written + self.buffer.len() as u64,
            length: kept.len(),
        });
        self.buffer.extend_from_slice(kept);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Problem> {
        self.file.write_all(&self.buffer).await.map_err(spool)?;
        self.file.flush().await.map_err(spool)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// The item at `index`, in the order in which items are taken.
    pub(super) async fn get(&mut self, index: usize) -> Result<Option<Item>, Problem> {
        let Some(slot) = self.slots.get(index).copied() else {
            return Ok(None);
        };
        let mut bytes = vec![0; slot.length];
        self.file
            .seek(SeekFrom::Start(slot.offset))
            .await
            .map_err(spool)?;
        self.file.read_exact(&mut bytes).await.map_err(spool)?;
        let sealed = slot.kind.and_then(|_| SealedItem::parse(&bytes).ok());
        Ok(Some(Item {
            id: slot.id,
            sealed,
        }))
    }
}
