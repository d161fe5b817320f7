//! Writing packs: records in, framed chunks out, never more than one chunk in memory.

use rand_core::CryptoRng;

use super::chunk::{Chunk, Direction, Place};
use super::frames::frame;
use super::{
    AnswerRecord, CourierError, MAX_CHUNKS, MAX_PLAIN_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_ITEMS,
    PackId, RequestRecord, ShareKey,
};
use crate::cbor::{self, Value};
use crate::cose::{self, Header, content_type};
use crate::keys::{PublicKey, SigningKey, device_id};

/// Room for the array's own head.
const HEAD_ROOM: usize = 16;
/// What a record has besides its sealed item, and more than that.
const ITEM_ROOM: usize = 128;
/// Room for everything else in a request: heads, signatures, seals.
const REQUEST_ROOM: usize = 2 * 1024 * 1024;

/// Writes what a workstation sends. The chunks are signed by the device and sealed to the server.
pub struct RequestWriter<'a> {
    inner: Writer<'a>,
    items: usize,
    sealed: usize,
}

impl<'a> RequestWriter<'a> {
    /// A new pack. `to` is the server's sealing key, `now` Unix seconds.
    pub fn new(device: &'a SigningKey, to: [u8; 32], pack: PackId, now: i64) -> Self {
        let public = PublicKey::of(device);
        let issuer = format!("urn:infoblood:device:{}", device_id(public.as_bytes()));
        Self {
            inner: Writer {
                key: device,
                issuer,
                to,
                pack,
                direction: Direction::Request,
                credential: Some(public.as_bytes().to_vec()),
                now,
                n: 0,
                records: Vec::new(),
                bytes: 0,
                share: None,
            },
            items: 0,
            sealed: 0,
        }
    }

    /// Whether an item of so many bytes still fits into what a server reads.
    pub fn has_room_for(&self, sealed: usize) -> bool {
        let items = self.items + 1;
        items <= MAX_REQUEST_ITEMS
            && self.sealed + sealed + items * ITEM_ROOM + REQUEST_ROOM <= MAX_REQUEST_BYTES
    }

    /// Adds a record; returns bytes of the file once a chunk is full.
    pub fn push(
        &mut self,
        record: RequestRecord,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<Vec<u8>>, CourierError> {
        if let RequestRecord::Item { sealed, .. } = &record {
            self.items += 1;
            self.sealed += sealed.len();
        }
        self.inner.push(record.encode(), false, rng)
    }

    /// The last chunk's bytes.
    pub fn finish(mut self, rng: &mut impl CryptoRng) -> Result<Vec<u8>, CourierError> {
        self.inner.flush(true, rng)
    }
}

/// Writes the server's answer. The chunks are signed by the grant key and sealed to the device; those with patient data also
/// under the server's share.
pub struct AnswerWriter<'a> {
    inner: Writer<'a>,
}

/// Whom an answer goes to.
#[derive(Clone)]
pub struct Recipient {
    /// The device's X25519 key.
    pub device_x25519: [u8; 32],
    /// Needed for patient data; without it [`AnswerRecord::Change`] is refused.
    pub share: Option<ShareKey>,
}

impl<'a> AnswerWriter<'a> {
    /// A new pack. `key_set` is the authority's signed set, which travels in the open.
    pub fn new(
        grant_key: &'a SigningKey,
        issuer: &str,
        key_set: &[u8],
        to: Recipient,
        pack: PackId,
        now: i64,
    ) -> Self {
        Self {
            inner: Writer {
                key: grant_key,
                issuer: issuer.to_owned(),
                to: to.device_x25519,
                pack,
                direction: Direction::Answer,
                credential: Some(key_set.to_vec()),
                now,
                n: 0,
                records: Vec::new(),
                bytes: 0,
                share: to.share,
            },
        }
    }

    /// Adds a record; returns bytes of the file once a chunk is full. Records with patient data begin a new chunk and are the
    /// last of an answer.
    pub fn push(
        &mut self,
        record: AnswerRecord,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<Vec<u8>>, CourierError> {
        let needs_share = record.needs_share();
        if needs_share && self.inner.share.is_none() {
            return Err(CourierError::ShareNeeded);
        }
        self.inner.push(record.encode(), needs_share, rng)
    }

    /// The last chunk's bytes.
    pub fn finish(mut self, rng: &mut impl CryptoRng) -> Result<Vec<u8>, CourierError> {
        self.inner.flush(true, rng)
    }
}

struct Writer<'a> {
    key: &'a SigningKey,
    issuer: String,
    to: [u8; 32],
    pack: PackId,
    direction: Direction,
    credential: Option<Vec<u8>>,
    now: i64,
    n: u64,
    records: Vec<(Value, bool)>,
    bytes: usize,
    share: Option<ShareKey>,
}

impl Writer<'_> {
    fn push(
        &mut self,
        record: Value,
        needs_share: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<Vec<u8>>, CourierError> {
        let size = cbor::encode(&record).len();
        if size + HEAD_ROOM > MAX_PLAIN_BYTES {
            return Err(CourierError::TooLarge);
        }
        let mixes = self
            .records
            .last()
            .is_some_and(|(_, other)| *other != needs_share);
        let full = self.bytes + size + HEAD_ROOM > MAX_PLAIN_BYTES;
        let out = if mixes || full {
            Some(self.flush(false, rng)?)
        } else {
            None
        };
        self.records.push((record, needs_share));
        self.bytes += size;
        Ok(out)
    }

    fn flush(&mut self, is_final: bool, rng: &mut impl CryptoRng) -> Result<Vec<u8>, CourierError> {
        if self.n >= MAX_CHUNKS {
            return Err(CourierError::TooLarge);
        }
        let place = Place {
            pack: self.pack,
            direction: self.direction,
            n: self.n,
            is_final,
        };
        let needs_share = self.records.first().is_some_and(|(_, needs)| *needs);
        let share = self.share.as_ref().filter(|_| needs_share);
        let records = std::mem::take(&mut self.records);
        self.bytes = 0;
        // The key set is needed once, the device's key in every chunk.
        let credential = self
            .credential
            .clone()
            .filter(|_| self.n == 0 || self.direction == Direction::Request);
        let records = records.into_iter().map(|(record, _)| record).collect();
        let chunk = Chunk::seal(place, records, &self.to, share, credential, rng)?;
        let header = Header::new(
            content_type::COURIER_CHUNK,
            self.key,
            &self.issuer,
            &place.subject(),
            self.now,
        );
        let message = cose::sign(&header, &chunk.payload(), self.key);
        let framed = frame(&message, self.n == 0)?;
        self.n += 1;
        Ok(framed)
    }
}
