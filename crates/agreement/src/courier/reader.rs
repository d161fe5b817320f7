//! Reading packs, chunk by chunk: signature and place first, then the seal, then zstd, then the records.

use x25519_dalek::StaticSecret;

use super::chunk::{Chunk, Direction, LIMITS, subject};
use super::{AnswerRecord, CourierError, PackId, RequestRecord, ShareKey};
use crate::cose::{self, Sign1, content_type};
use crate::key_set::{KeySet, KeyUse};
use crate::keys::{PublicKey, device_id};
use crate::session::SignedTime;
use crate::vault::WorkstationKeys;

/// Where a pack stands while it is read.
#[derive(Debug, Default)]
struct Sequence {
    pack: Option<PackId>,
    next: u64,
    is_ended: bool,
}

impl Sequence {
    /// The chunk continues the pack; nothing follows the last one.
    fn take(&mut self, chunk: &Chunk) -> Result<(), CourierError> {
        if self.is_ended {
            return Err(CourierError::Trailing);
        }
        if self.pack.is_some_and(|pack| pack != chunk.pack) || chunk.n != self.next {
            return Err(CourierError::Order);
        }
        self.pack = Some(chunk.pack);
        self.next += 1;
        self.is_ended = chunk.is_final;
        Ok(())
    }

    fn end(&self) -> Result<PackId, CourierError> {
        match self.pack {
            Some(pack) if self.is_ended => Ok(pack),
            _ => Err(CourierError::Truncated),
        }
    }
}

/// Reads a workstation's pack at the server. The device vouches for itself: every item inside is signed for itself.
#[derive(Debug, Default)]
pub struct RequestReader {
    sequence: Sequence,
    device: Option<PublicKey>,
}

impl RequestReader {
    /// A reader at the beginning of a pack.
    pub fn new() -> Self {
        Self::default()
    }

    /// The records of the next chunk. `sealing` is the secret half of the server's sealing key.
    pub fn read(
        &mut self,
        chunk: &[u8],
        sealing: &StaticSecret,
    ) -> Result<Vec<RequestRecord>, CourierError> {
        let message = Sign1::parse(chunk, &LIMITS)?;
        let claimed = Chunk::decode(message.unverified_payload()?)?;
        if claimed.direction != Direction::Request {
            return Err(CourierError::Direction);
        }
        let key = claimed.credential.as_deref().ok_or(CourierError::Signer)?;
        let key = PublicKey::from_bytes(key.try_into().map_err(|_| CourierError::Signer)?)?;
        if self.device.as_ref().is_some_and(|device| *device != key) {
            return Err(CourierError::Signer);
        }
        let issuer = format!("urn:infoblood:device:{}", device_id(key.as_bytes()));
        let chunk = verified(chunk, &key, &issuer)?;
        self.sequence.take(&chunk)?;
        self.device = Some(key);
        let records = chunk.open(sealing, None)?;
        records
            .into_iter()
            .map(|record| Ok(RequestRecord::decode(record)?))
            .collect()
    }

    /// After the last chunk: the pack was whole. Returns its id and the device's key.
    pub fn end(self) -> Result<(PackId, PublicKey), CourierError> {
        let pack = self.sequence.end()?;
        Ok((pack, self.device.ok_or(CourierError::Truncated)?))
    }
}

/// Reads the server's answer at a workstation.
#[derive(Debug)]
pub struct AnswerReader {
    sequence: Sequence,
    keys: KeySet,
    authority: PublicKey,
    head: Option<([u8; 16], i64)>,
}

impl AnswerReader {
    /// A reader at the beginning of a pack. `known` is the newest key set known so far.
    pub fn new(known: KeySet, authority: PublicKey) -> Self {
        Self {
            sequence: Sequence::default(),
            keys: known,
            authority,
            head: None,
        }
    }

    /// Checks signature and order of the next chunk without opening it: a whole pack is checked so before any of it is used.
    pub fn check(&mut self, chunk: &[u8]) -> Result<(), CourierError> {
        self.next(chunk).map(|_| ())
    }

    /// The records of the next chunk; `None` for patient data without a `share`.
    pub fn read(
        &mut self,
        chunk: &[u8],
        keys: &WorkstationKeys,
        share: Option<&ShareKey>,
    ) -> Result<Option<Vec<AnswerRecord>>, CourierError> {
        let chunk = self.next(chunk)?;
        if chunk.needs_share && share.is_none() {
            return Ok(None);
        }
        let mut out = Vec::new();
        for record in chunk.open(keys.device_x25519(), share)? {
            let record = AnswerRecord::decode(record)?;
            // Under the device's key alone there is never patient data, and the other way round.
            if record.needs_share() != chunk.needs_share {
                return Err(CourierError::ShareNeeded);
            }
            if let AnswerRecord::Head(head) = &record {
                self.head = Some((head.nonce, head.time));
            }
            out.push(record);
        }
        Ok(Some(out))
    }

    fn next(&mut self, bytes: &[u8]) -> Result<Chunk, CourierError> {
        let message = Sign1::parse(bytes, &LIMITS)?;
        let claimed = Chunk::decode(message.unverified_payload()?)?;
        if claimed.direction != Direction::Answer {
            return Err(CourierError::Direction);
        }
        if let Some(set) = claimed.credential.as_deref().filter(|_| claimed.n == 0) {
            let set = KeySet::verify(set, &self.authority)?;
            if set.issuer() != self.keys.issuer() {
                return Err(CourierError::Signer);
            }
            if set.version() > self.keys.version() {
                self.keys = set;
            }
        }
        let header = message.unverified_header();
        let at = header.iat.unwrap_or_default();
        let key = self
            .keys
            .signer(KeyUse::Grant, &header.kid, at)
            .ok_or(CourierError::Signer)?;
        let chunk = verified(bytes, &key, self.keys.issuer())?;
        self.sequence.take(&chunk)?;
        Ok(chunk)
    }

    /// The server's time, if what was read answers this nonce.
    pub fn signed_time(&self, nonce: &[u8; 16]) -> Option<SignedTime> {
        self.head
            .filter(|(answered, _)| answered == nonce)
            .map(|(_, time)| SignedTime::of_answer(time))
    }

    /// The newest key set known after the chunks so far.
    pub fn key_set(&self) -> &KeySet {
        &self.keys
    }

    /// After the last chunk: the pack was whole. Returns its id.
    pub fn end(self) -> Result<PackId, CourierError> {
        self.sequence.end()
    }
}

/// The chunk under a signature that holds, by `key` for `issuer`.
fn verified(bytes: &[u8], key: &PublicKey, issuer: &str) -> Result<Chunk, CourierError> {
    let opened = cose::open(bytes, content_type::COURIER_CHUNK, key, &LIMITS)?;
    let chunk = Chunk::decode(&opened.payload)?;
    if opened.header.iss != issuer || opened.header.sub != subject(&chunk.pack) {
        return Err(CourierError::Signer);
    }
    Ok(chunk)
}

/// Whose pack this claims to be, for the words on a screen: a site's own answer, or somebody's request to forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A workstation's request; 32 hex digits.
    Request { device_id: String },
    /// A server's answer.
    Answer,
}

/// What the first chunk of a pack claims, unverified.
pub fn claim(first: &[u8]) -> Result<Claim, CourierError> {
    let message = Sign1::parse(first, &LIMITS)?;
    let chunk = Chunk::decode(message.unverified_payload()?)?;
    Ok(match chunk.direction {
        Direction::Answer => Claim::Answer,
        Direction::Request => {
            let key = chunk.credential.as_deref().ok_or(CourierError::Signer)?;
            let key = PublicKey::from_bytes(key.try_into().map_err(|_| CourierError::Signer)?)?;
            Claim::Request {
                device_id: device_id(key.as_bytes()),
            }
        }
    })
}
