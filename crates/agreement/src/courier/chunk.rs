//! One chunk: its payload, its sealing, its compression.

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};

use super::{CourierError, MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_PLAIN_BYTES, PackId, ShareKey};
use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::keys::{Kid, kid_x25519};
use crate::sealed::{SealedError, Shared, hpke_open_shared, hpke_seal_shared};

const INFO: &[u8] = b"infoblood/courier/v1";
const SHARED_NAME: &[u8] = b"infoblood/courier-share/v1";
/// Enough for text that repeats itself; higher levels cost more than they save.
const LEVEL: i32 = 3;

pub(super) const LIMITS: Limits = Limits::bytes(MAX_CHUNK_BYTES);

/// Which way a pack goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Answer,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Request, Self::Answer]
            .into_iter()
            .find(|direction| direction.as_str() == name)
    }
}

/// The payload of one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) pack: PackId,
    pub(super) direction: Direction,
    pub(super) n: u64,
    pub(super) is_final: bool,
    pub(super) needs_share: bool,
    enc: [u8; 32],
    ciphertext: Vec<u8>,
    to: Kid,
    /// The device's public key, or the signed key set in the first chunk of an answer.
    pub(super) credential: Option<Vec<u8>>,
}

/// Where a chunk stands; all of it is bound into the sealing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) pack: PackId,
    pub(super) direction: Direction,
    pub(super) n: u64,
    pub(super) is_final: bool,
}

impl Place {
    fn info(&self) -> Vec<u8> {
        let bound = cbor::encode(&Value::Array(vec![
            self.pack.into(),
            self.direction.as_str().into(),
            self.n.into(),
            self.is_final.into(),
        ]));
        [INFO, &bound].concat()
    }

    /// Urn of the pack: the subject of its chunks.
    pub(super) fn subject(&self) -> String {
        subject(&self.pack)
    }
}

/// The subject of every chunk of a pack.
pub(super) fn subject(pack: &PackId) -> String {
    format!("urn:infoblood:courier:{}", hex::encode(pack))
}

impl Chunk {
    /// Compresses and seals records to the X25519 key `to`, with `share` also under the server's share.
    pub(super) fn seal(
        place: Place,
        records: Vec<Value>,
        to: &[u8; 32],
        share: Option<&ShareKey>,
        credential: Option<Vec<u8>>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CourierError> {
        let plain = cbor::encode(&Value::Array(records));
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(CourierError::TooLarge);
        }
        let packed = zstd::bulk::compress(&plain, LEVEL).map_err(|_| CourierError::Compression)?;
        Self::seal_raw(place, &packed, to, share, credential, rng)
    }

    /// Seals what is compressed already.
    pub(super) fn seal_raw(
        place: Place,
        packed: &[u8],
        to: &[u8; 32],
        share: Option<&ShareKey>,
        credential: Option<Vec<u8>>,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CourierError> {
        let (enc, ciphertext) =
            hpke_seal_shared(&place.info(), packed, to, share.map(shared), rng)?;
        Ok(Self {
            pack: place.pack,
            direction: place.direction,
            n: place.n,
            is_final: place.is_final,
            needs_share: share.is_some(),
            enc,
            ciphertext,
            to: kid_x25519(to),
            credential,
        })
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        cbor::encode(&Value::map([
            (1, self.pack.into()),
            (2, self.direction.as_str().into()),
            (3, self.n.into()),
            (4, self.is_final.into()),
            (5, self.enc.into()),
            (6, self.ciphertext.as_slice().into()),
            (7, self.to.into()),
            (8, self.needs_share.into()),
            (9, self.credential.clone().map_or(Value::Null, Value::Bytes)),
        ]))
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, CourierError> {
        let mut fields = Fields::decode(payload, &LIMITS)?;
        let chunk = Self {
            pack: fields.array(1)?,
            direction: Direction::parse(&fields.text(2)?).ok_or(CborError::Field(2))?,
            n: fields.uint(3)?,
            is_final: flag(&mut fields, 4)?,
            enc: fields.array(5)?,
            ciphertext: fields.bytes(6)?,
            to: fields.array(7)?,
            needs_share: flag(&mut fields, 8)?,
            credential: match fields.nullable(9)? {
                None => None,
                Some(Value::Bytes(bytes)) => Some(bytes),
                Some(_) => return Err(CborError::Field(9).into()),
            },
        };
        fields.end()?;
        if chunk.n >= MAX_CHUNKS {
            return Err(CourierError::TooLarge);
        }
        Ok(chunk)
    }

    /// Opens, decompresses to at most [`MAX_PLAIN_BYTES`] and gives the records. Only for a chunk whose signature holds.
    pub(super) fn open(
        &self,
        key: &StaticSecret,
        share: Option<&ShareKey>,
    ) -> Result<Vec<Value>, CourierError> {
        if kid_x25519(X25519Public::from(key).as_bytes()) != self.to {
            return Err(SealedError::OtherKey.into());
        }
        let share = match (self.needs_share, share) {
            (true, None) => return Err(CourierError::ShareNeeded),
            (true, Some(share)) => Some(shared(share)),
            (false, _) => None,
        };
        let place = Place {
            pack: self.pack,
            direction: self.direction,
            n: self.n,
            is_final: self.is_final,
        };
        let packed = hpke_open_shared(&place.info(), &self.enc, &self.ciphertext, key, share)?;
        let plain = zstd::bulk::decompress(&packed, MAX_PLAIN_BYTES)
            .map_err(|_| CourierError::Compression)?;
        match cbor::decode(&plain, &Limits::bytes(MAX_PLAIN_BYTES))? {
            Value::Array(records) => Ok(records),
            _ => Err(CborError::Type.into()),
        }
    }
}

fn shared(share: &ShareKey) -> Shared<'_> {
    Shared {
        secret: share.bytes(),
        name: SHARED_NAME,
    }
}

pub(super) fn flag(fields: &mut Fields, key: i64) -> Result<bool, CborError> {
    match fields.value(key)? {
        Value::Bool(flag) => Ok(flag),
        _ => Err(CborError::Field(key)),
    }
}
