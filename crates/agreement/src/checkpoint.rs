//! The log's size and root at one time, signed by the log key: what a later, smaller or different log contradicts.

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, CoseError, Header, content_type};
use crate::keys::{PublicKey, SigningKey};
use crate::log::Hash;

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("the checkpoint's message is refused")]
    Cose(#[from] CoseError),
    #[error("the checkpoint's payload is malformed")]
    Payload(#[from] CborError),
    #[error("it names another issuer, subject or time")]
    Header,
}

/// What the log said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of entries.
    pub tree_size: u64,
    /// Root of the tree over them (RFC 9162 §2.1).
    pub root: Hash,
    /// Unix seconds.
    pub time: i64,
}

impl Checkpoint {
    /// Signs {1: tree size, 2: root, 3: time} with the log key.
    pub fn sign(&self, issuer: &str, log_key: &SigningKey) -> Vec<u8> {
        let payload = cbor::encode(&Value::map([
            (1, self.tree_size.into()),
            (2, (&self.root).into()),
            (3, self.time.into()),
        ]));
        let header = Header::new(
            content_type::CHECKPOINT,
            log_key,
            issuer,
            &self.subject(),
            self.time,
        );
        cose::sign(&header, &payload, log_key)
    }

    /// Verifies a checkpoint of `issuer` under its log key.
    pub fn verify(bytes: &[u8], issuer: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let opened = cose::open(bytes, content_type::CHECKPOINT, key, &Limits::DEFAULT)?;
        let mut fields = Fields::decode(&opened.payload, &Limits::DEFAULT)?;
        let checkpoint = Self {
            tree_size: fields.uint(1)?,
            root: fields.array(2)?,
            time: fields.int(3)?,
        };
        fields.end()?;
        let header = &opened.header;
        if header.iss != issuer
            || header.sub != checkpoint.subject()
            || header.iat != Some(checkpoint.time)
        {
            return Err(CheckpointError::Header);
        }
        Ok(checkpoint)
    }

    fn subject(&self) -> String {
        format!("urn:infoblood:checkpoint:{}", self.tree_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{ISSUER, T0, assert_every_bit_counts, assert_vector, log_key, signing};

    #[test]
    fn the_fixed_checkpoint_has_these_bytes_and_every_bit_counts() {
        let checkpoint = Checkpoint {
            tree_size: 8,
            root: [0x5a; 32],
            time: T0,
        };
        let bytes = checkpoint.sign(ISSUER, &log_key());
        let note = "A checkpoint of eight entries by the log key (seed a1 × 32).";
        assert_vector("checkpoint", note, &[("message", &bytes)]);

        let key = PublicKey::of(&log_key());
        let read = Checkpoint::verify(&bytes, ISSUER, &key);
        assert_eq!(read, Ok(checkpoint));
        assert_every_bit_counts(&bytes, |changed| {
            Checkpoint::verify(changed, ISSUER, &key).is_ok()
        });
        let other = PublicKey::of(&signing(7));
        assert!(Checkpoint::verify(&bytes, ISSUER, &other).is_err());
        let elsewhere = Checkpoint::verify(&bytes, "https://elsewhere.example", &key);
        assert_eq!(elsewhere, Err(CheckpointError::Header));
    }
}
