//! HPKE (RFC 9180) and sealed items: what leaves a workstation, readable by the server alone.
//!
//! Base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, empty aad. A sealed item is the file
//! `outbox/<id>.sealed`: CBOR [1, kind, enc (32), ciphertext, kid of the sealing key (32)].

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::Zeroizing;

use crate::cbor::{self, CborError, Limits, Value};
use crate::keys::{Kid, kid_x25519};

/// The version every sealed item starts with.
const VERSION: u64 = 1;
/// `info` of the sealing, before the kind.
const INFO: &[u8] = b"infoblood/sealed-item/v1";
/// Longest sealed item: a statement of 64 KiB and what surrounds it.
pub const MAX_SEALED_BYTES: usize = 66 * 1024;

/// Why an item cannot be sealed, read or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    #[error("not a sealed item")]
    Malformed(#[from] CborError),
    #[error("a version or kind nobody knows")]
    Unknown,
    #[error("sealed to another key")]
    OtherKey,
    #[error("the public key is of small order")]
    WeakKey,
    #[error("the ciphertext does not open")]
    Open,
}

impl SealedError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "sealed-malformed",
            Self::Unknown => "sealed-unknown",
            Self::OtherKey => "sealed-other-key",
            Self::WeakKey => "key-weak",
            Self::Open => "sealed-unreadable",
        }
    }
}

/// What a sealed item holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Enrolment,
    Acceptance,
    DeviceRefusal,
    AuditEvent,
}

impl Kind {
    /// All kinds, in the order in which they are sent.
    pub const ALL: [Self; 4] = [
        Self::Enrolment,
        Self::Acceptance,
        Self::DeviceRefusal,
        Self::AuditEvent,
    ];

    /// The name on the wire, bound into the sealing.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Acceptance => "acceptance",
            Self::DeviceRefusal => "device-refusal",
            Self::AuditEvent => "audit-event",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The identifier of an item: lowercase hex of SHA-256 of the plaintext.
pub fn item_id(plaintext: &[u8]) -> String {
    hex::encode(Sha256::digest(plaintext))
}

/// One item sealed to a sealing key of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedItem {
    kind: Kind,
    enc: [u8; 32],
    ciphertext: Vec<u8>,
    kid: Kid,
}

impl SealedItem {
    /// Seals `plaintext` to the X25519 key `to`.
    ///
    /// Fails with [`SealedError::WeakKey`] for a key of small order.
    pub fn seal(
        kind: Kind,
        plaintext: &[u8],
        to: &[u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealedError> {
        let (enc, ciphertext) = hpke_seal(&info(kind), plaintext, to, rng)?;
        Ok(Self {
            kind,
            enc,
            ciphertext,
            kid: kid_x25519(to),
        })
    }

    /// Reads the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let value = cbor::decode(bytes, &Limits::bytes(MAX_SEALED_BYTES))?;
        let Value::Array(items) = value else {
            return Err(CborError::Type.into());
        };
        let Ok([version, kind, enc, ciphertext, kid]) = <[Value; 5]>::try_from(items) else {
            return Err(CborError::Type.into());
        };
        if version.as_u64() != Some(VERSION) {
            return Err(SealedError::Unknown);
        }
        let kind = kind.as_text().ok_or(CborError::Type)?;
        let Value::Bytes(ciphertext) = ciphertext else {
            return Err(CborError::Type.into());
        };
        Ok(Self {
            kind: Kind::parse(kind).ok_or(SealedError::Unknown)?,
            enc: enc.as_array().ok_or(CborError::Type)?,
            ciphertext,
            kid: kid.as_array().ok_or(CborError::Type)?,
        })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(&Value::Array(vec![
            VERSION.into(),
            self.kind.as_str().into(),
            self.enc.into(),
            self.ciphertext.as_slice().into(),
            self.kid.into(),
        ]))
    }

    /// What it claims to hold; opening proves it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The thumbprint of the sealing key it was sealed to.
    pub const fn kid(&self) -> &Kid {
        &self.kid
    }

    /// Opens it with the secret half of the sealing key.
    pub fn open(&self, key: &StaticSecret) -> Result<Zeroizing<Vec<u8>>, SealedError> {
        if kid_x25519(X25519Public::from(key).as_bytes()) != self.kid {
            return Err(SealedError::OtherKey);
        }
        hpke_open(&info(self.kind), &self.enc, &self.ciphertext, key)
    }
}

fn info(kind: Kind) -> Vec<u8> {
    [INFO, kind.as_str().as_bytes()].concat()
}

/// `true` for an X25519 key of small order: every exchange with it gives zero.
pub fn is_weak_x25519(key: &[u8; 32]) -> bool {
    // Any clamped scalar is a multiple of the cofactor, so one is as good as another.
    let probe = StaticSecret::from([0x40; 32]);
    !probe
        .diffie_hellman(&X25519Public::from(*key))
        .was_contributory()
}

/// A secret that both sides have besides the recipient's key (HPKE mode PSK); it is named by its purpose.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) secret: &'a [u8; 32],
    pub(crate) name: &'a [u8],
}

/// Seals `plaintext` to the X25519 key `to`; returns (enc, ciphertext with its tag).
pub(crate) fn hpke_seal(
    info: &[u8],
    plaintext: &[u8],
    to: &[u8; 32],
    rng: &mut impl CryptoRng,
) -> Result<([u8; 32], Vec<u8>), SealedError> {
    hpke_seal_shared(info, plaintext, to, None, rng)
}

/// [`hpke_seal`], also under a shared secret if one is given.
pub(crate) fn hpke_seal_shared(
    info: &[u8],
    plaintext: &[u8],
    to: &[u8; 32],
    shared: Option<Shared<'_>>,
    rng: &mut impl CryptoRng,
) -> Result<([u8; 32], Vec<u8>), SealedError> {
    let weak = |_| SealedError::WeakKey;
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to).map_err(weak)?;
    if is_weak_x25519(to) {
        return Err(SealedError::WeakKey);
    }
    let mode = match shared {
        Some(shared) => OpModeS::Psk(bundle(shared)?),
        None => OpModeS::Base,
    };
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&mode, &key, info, plaintext, &[], rng)
    .map_err(weak)?;
    let mut out = [0; 32];
    out.copy_from_slice(&enc.to_bytes());
    Ok((out, ciphertext))
}

/// Opens what [`hpke_seal`] made. An `enc` of small order is refused like any other wrong one.
pub(crate) fn hpke_open(
    info: &[u8],
    enc: &[u8; 32],
    ciphertext: &[u8],
    key: &StaticSecret,
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    hpke_open_shared(info, enc, ciphertext, key, None)
}

/// Opens what [`hpke_seal_shared`] made.
pub(crate) fn hpke_open_shared(
    info: &[u8],
    enc: &[u8; 32],
    ciphertext: &[u8],
    key: &StaticSecret,
    shared: Option<Shared<'_>>,
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let open = |_| SealedError::Open;
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(key.as_bytes()).map_err(open)?;
    let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).map_err(open)?;
    let mode = match shared {
        Some(shared) => OpModeR::Psk(bundle(shared)?),
        None => OpModeR::Base,
    };
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &mode,
        &secret,
        &enc,
        info,
        ciphertext,
        &[],
    )
    .map(Zeroizing::new)
    .map_err(open)
}

fn bundle(shared: Shared<'_>) -> Result<PskBundle<'_>, SealedError> {
    PskBundle::new(shared.secret, shared.name).map_err(|_| SealedError::Open)
}

#[cfg(test)]
mod tests;
