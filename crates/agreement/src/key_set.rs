//! The server's keys as the offline authority signed them: which key may do what, from when to when.
//!
//! Payload {1: [{1: key (32), 2: use, 3: from, 4: to or null, 5: kid (32)}], 2: version, 3: issuer}.

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, CoseError, Header, Sign1, content_type};
use crate::document::{self, DocumentError, SignedMeta};
use crate::keys::{KeyError, Kid, PublicKey, SigningKey, kid, kid_x25519};
use crate::log::Hash;
use crate::receipt::{Receipt, ReceiptError, VerifiedReceipt};
use crate::sealed::is_weak_x25519;

/// Most keys in one set; log keys stay for ever, so there is room.
const MAX_KEYS: usize = 256;

/// Why a key set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("the authority's signature does not hold")]
    Cose(#[from] CoseError),
    #[error("the key set's payload is malformed")]
    Payload(#[from] CborError),
    #[error("a use nobody knows")]
    Use,
    #[error("a key in the set is refused")]
    Key(#[from] KeyError),
    #[error("the times of a key contradict each other")]
    Period,
    #[error("too many keys or none")]
    Count,
    #[error("header and payload name different issuers or versions")]
    Header,
}

impl KeySetError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Cose(inner) => inner.code(),
            Self::Key(inner) => inner.code(),
            Self::Payload(_) | Self::Use | Self::Period | Self::Count | Self::Header => {
                "key-set-malformed"
            }
        }
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Ed25519: signs receipts, checkpoints and administration entries.
    Log,
    /// Ed25519: signs grants and signed times.
    Grant,
    /// Ed25519: signs published documents.
    Document,
    /// X25519: items are sealed to it.
    Sealing,
}

impl KeyUse {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Grant => "grant",
            Self::Document => "document",
            Self::Sealing => "sealing",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Log, Self::Grant, Self::Document, Self::Sealing]
            .into_iter()
            .find(|key_use| key_use.as_str() == name)
    }
}

/// One key of the set. Times are Unix seconds; `to` is exclusive, `None` is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Ed25519 (RFC 8032) or, for sealing, X25519 (RFC 7748) public key.
    pub key: [u8; 32],
    pub key_use: KeyUse,
    pub from: i64,
    pub to: Option<i64>,
}

impl KeyEntry {
    /// A key valid from `from` on, without an end.
    pub const fn new(key_use: KeyUse, key: [u8; 32], from: i64) -> Self {
        Self {
            key,
            key_use,
            from,
            to: None,
        }
    }

    /// The key's thumbprint, over curve 6 or, for sealing, curve 4.
    pub fn kid(&self) -> Kid {
        match self.key_use {
            KeyUse::Sealing => kid_x25519(&self.key),
            _ => kid(&self.key),
        }
    }

    /// Whether the key may be used at `at` (Unix seconds).
    pub fn is_valid_at(&self, at: i64) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    fn check(&self) -> Result<(), KeySetError> {
        match self.key_use {
            KeyUse::Sealing if is_weak_x25519(&self.key) => return Err(KeyError::Weak.into()),
            KeyUse::Sealing => {}
            _ => {
                PublicKey::from_bytes(&self.key)?;
            }
        }
        if self.to.is_some_and(|to| to <= self.from) {
            return Err(KeySetError::Period);
        }
        Ok(())
    }

    fn encode(&self) -> Value {
        Value::map([
            (1, self.key.into()),
            (2, self.key_use.as_str().into()),
            (3, self.from.into()),
            (4, self.to.into()),
            (5, self.kid().into()),
        ])
    }

    fn decode(value: Value) -> Result<Self, KeySetError> {
        let mut fields = Fields::new(value)?;
        let entry = Self {
            key: fields.array(1)?,
            key_use: KeyUse::parse(&fields.text(2)?).ok_or(KeySetError::Use)?,
            from: fields.int(3)?,
            to: fields.nullable_int(4)?,
        };
        let claimed: Kid = fields.array(5)?;
        fields.end()?;
        entry.check()?;
        if claimed != entry.kid() {
            return Err(KeyError::Kid.into());
        }
        Ok(entry)
    }
}

/// A key set whose signature by the authority was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    issuer: String,
    version: u64,
    entries: Vec<KeyEntry>,
    bytes: Vec<u8>,
}

impl KeySet {
    /// Signs a set with the authority's key. `issuer` is the server's issuer URL, `issued_at` Unix seconds.
    ///
    /// Fails for a set that [`KeySet::verify`] would refuse.
    pub fn issue(
        issuer: &str,
        version: u64,
        entries: &[KeyEntry],
        issued_at: i64,
        authority: &SigningKey,
    ) -> Result<Self, KeySetError> {
        let payload = cbor::encode(&Value::map([
            (
                1,
                Value::Array(entries.iter().map(KeyEntry::encode).collect()),
            ),
            (2, version.into()),
            (3, issuer.into()),
        ]));
        let header = Header::new(
            content_type::KEY_SET,
            authority,
            issuer,
            &subject(version),
            issued_at,
        );
        let bytes = cose::sign(&header, &payload, authority);
        Self::verify(&bytes, &PublicKey::of(authority))
    }

    /// Verifies a signed set under the pinned authority.
    pub fn verify(bytes: &[u8], authority: &PublicKey) -> Result<Self, KeySetError> {
        let opened = cose::open(bytes, content_type::KEY_SET, authority, &Limits::DEFAULT)?;
        let mut fields = Fields::decode(&opened.payload, &Limits::DEFAULT)?;
        let items = fields.items(1)?;
        let version = fields.uint(2)?;
        let issuer = fields.text(3)?;
        fields.end()?;
        if items.is_empty() || items.len() > MAX_KEYS {
            return Err(KeySetError::Count);
        }
        if opened.header.iss != issuer || opened.header.sub != subject(version) {
            return Err(KeySetError::Header);
        }
        Ok(Self {
            issuer,
            version,
            entries: items
                .into_iter()
                .map(KeyEntry::decode)
                .collect::<Result<_, _>>()?,
            bytes: bytes.to_vec(),
        })
    }

    /// The message as received or issued.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The server's issuer URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Grows with each set; an older one never replaces a newer one.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// All keys, in the order of the message.
    pub fn entries(&self) -> &[KeyEntry] {
        &self.entries
    }

    /// The key with this thumbprint, if it had this use at `at` (Unix seconds). `None` for [`KeyUse::Sealing`].
    pub fn signer(&self, key_use: KeyUse, kid: &Kid, at: i64) -> Option<PublicKey> {
        self.entries
            .iter()
            .filter(|entry| entry.key_use == key_use && entry.key_use != KeyUse::Sealing)
            .find(|entry| entry.is_valid_at(at) && entry.kid() == *kid)
            .and_then(|entry| PublicKey::from_bytes(&entry.key).ok())
    }

    /// Every key of this use, whenever it was valid: for receipts, which live for ever.
    pub fn signers(&self, key_use: KeyUse) -> Vec<PublicKey> {
        self.entries
            .iter()
            .filter(|entry| entry.key_use == key_use && entry.key_use != KeyUse::Sealing)
            .filter_map(|entry| PublicKey::from_bytes(&entry.key).ok())
            .collect()
    }

    /// Verifies that this server's log has `leaf`, registered under subject `sub` with a log key that was valid then.
    pub fn verify_receipt(
        &self,
        bytes: &[u8],
        leaf: &Hash,
        sub: &str,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        let receipt = Receipt::parse(bytes, &Limits::DEFAULT)?;
        let kid = *receipt.unverified_kid();
        let key = self
            .signers(KeyUse::Log)
            .into_iter()
            .find(|key| key.kid() == kid)
            .ok_or(ReceiptError::UnknownKey)?;
        let verified = receipt.verify(leaf, sub, &key)?;
        let valid_then = self.signer(KeyUse::Log, &kid, verified.registered_at());
        if valid_then.is_none() || verified.issuer() != self.issuer {
            return Err(ReceiptError::UnknownKey);
        }
        Ok(verified)
    }

    /// Verifies what this server signed about a document, with a document key that was valid then.
    pub fn verify_document(&self, bytes: &[u8]) -> Result<SignedMeta, DocumentError> {
        let message = Sign1::parse(bytes, &Limits::DEFAULT)?;
        let header = message.unverified_header();
        let key = header
            .iat
            .and_then(|at| self.signer(KeyUse::Document, &header.kid, at))
            .ok_or(DocumentError::Signer)?;
        let signed = document::verify(bytes, &key, &Limits::DEFAULT)?;
        if signed.issuer() != self.issuer {
            return Err(DocumentError::Signer);
        }
        Ok(signed)
    }

    /// The X25519 key to seal to at `at` (Unix seconds): the one that became valid last. Before all of them the first one: a local clock that
    /// is far behind must not keep anybody from signing.
    pub fn sealing_key(&self, at: i64) -> Option<[u8; 32]> {
        let mut sealing: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.key_use == KeyUse::Sealing)
            .collect();
        sealing.sort_by_key(|entry| entry.from);
        sealing
            .iter()
            .rev()
            .find(|entry| entry.is_valid_at(at))
            .or_else(|| sealing.first().filter(|first| at < first.from))
            .map(|entry| entry.key)
    }
}

fn subject(version: u64) -> String {
    format!("urn:infoblood:key-set:{version}")
}

#[cfg(test)]
mod tests;
