//! Statements: what goes into the log (SCITT Signed Statements, RFC 9943).
//!
//! A payload is reachable only inside a [`Verified`], and only the `verify_*` functions make one.

mod acceptance;
mod administration;
mod enrolment;

pub use acceptance::{
    Acceptance, Checkpoint, Decision, Evidence, Language, sign_acceptance, sign_device_refusal,
    verify_acceptance, verify_device_refusal,
};
pub(crate) use acceptance::{attested as attested_decision, verify_acceptance_by_key};
pub use administration::{Action, Administration, sign_administration, verify_administration};
pub use enrolment::{
    Enrolment, EnrolmentRequest, EnrolmentSecrets, sign_enrolment, verify_enrolment,
};

use crate::cbor::{CborError, Limits, Value};
use crate::cose::{self, CoseError, Header, Sign1, content_type};
use crate::keys::{KeyError, Kid, PublicKey};
use crate::log::{self, Hash};
use crate::receipt::VerifiedReceipt;

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("not a message of this kind, or not signed by this key")]
    Cose(#[from] CoseError),
    #[error("the payload is malformed")]
    Payload(#[from] CborError),
    #[error("a key in the payload is refused")]
    Key(#[from] KeyError),
    #[error("the code's or the device's proof does not verify")]
    Proof,
    #[error("the issuer is not who signed")]
    Issuer,
    #[error("the subject is not what the payload is about")]
    Subject,
    #[error("the device is not the one enrolled")]
    Device,
    #[error("a value of the payload is not allowed")]
    Value,
    #[error("not a kind of statement")]
    Kind,
    #[error("the receipt is about another statement")]
    Receipt,
}

impl StatementError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Cose(inner) => inner.code(),
            Self::Payload(inner) => inner.code(),
            Self::Key(inner) => inner.code(),
            Self::Proof => "statement-proof",
            Self::Issuer => "statement-issuer",
            Self::Subject => "statement-subject",
            Self::Device => "statement-device",
            Self::Value => "statement-value",
            Self::Kind => "statement-kind",
            Self::Receipt => "receipt-invalid",
        }
    }
}

/// The kinds of statements the log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Enrolment,
    Acceptance,
    DeviceRefusal,
    Administration,
}

impl Kind {
    /// The kind's name, also in content types and sealed items.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enrolment => "enrolment",
            Self::Acceptance => "acceptance",
            Self::DeviceRefusal => "device-refusal",
            Self::Administration => "administration",
        }
    }

    /// The kind's content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Enrolment => content_type::ENROLMENT,
            Self::Acceptance => content_type::ACCEPTANCE,
            Self::DeviceRefusal => content_type::DEVICE_REFUSAL,
            Self::Administration => content_type::ADMINISTRATION,
        }
    }

    /// The kind of a content type.
    pub fn of(content_type: &str) -> Option<Self> {
        [
            Self::Enrolment,
            Self::Acceptance,
            Self::DeviceRefusal,
            Self::Administration,
        ]
        .into_iter()
        .find(|kind| kind.content_type() == content_type)
    }
}

/// What a statement *claims* in its header: enough to find the key, nothing to act upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedHeader {
    pub kind: Kind,
    pub content_type: String,
    pub kid: Kid,
    pub iss: String,
    pub sub: String,
}

impl UnverifiedHeader {
    /// The person the issuer URN names.
    pub fn person_id(&self) -> Option<&str> {
        person_of(&self.iss)
    }

    /// The device the issuer URN names.
    pub fn device_id(&self) -> Option<&str> {
        device_of(&self.iss)
    }
}

/// Reads the header of a statement without verifying anything, for routing.
pub fn peek(bytes: &[u8], limits: &Limits) -> Result<UnverifiedHeader, StatementError> {
    let message = Sign1::parse(bytes, limits)?;
    let header = message.unverified_header();
    let content_type = header.content_type.clone().ok_or(StatementError::Kind)?;
    Ok(UnverifiedHeader {
        kind: Kind::of(&content_type).ok_or(StatementError::Kind)?,
        content_type,
        kid: header.kid,
        iss: header.iss.clone(),
        sub: header.sub.clone(),
    })
}

/// The statement's leaf in the log: SHA-256(0x00 ‖ d2 84 ‖ protected ‖ a0 ‖ payload ‖ signature). The unprotected header is left
/// out: one signature, one leaf.
pub fn leaf_hash(bytes: &[u8], limits: &Limits) -> Result<Hash, StatementError> {
    let message = Sign1::parse(bytes, limits)?;
    message.unverified_payload()?;
    Ok(leaf_of(&message))
}

pub(crate) fn leaf_of(message: &Sign1) -> Hash {
    log::leaf_hash(&message.with_unprotected(&Value::Map(Vec::new())))
}

/// A statement whose signature and contents were checked, with the bytes as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    payload: T,
    raw: Vec<u8>,
    header: Header,
    leaf: Hash,
    issued_at: i64,
}

impl<T> Verified<T> {
    /// What was signed.
    pub fn payload(&self) -> &T {
        &self.payload
    }

    /// Takes what was signed.
    pub fn into_payload(self) -> T {
        self.payload
    }

    /// The statement's bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The statement's leaf hash: its identifier.
    pub fn leaf(&self) -> &Hash {
        &self.leaf
    }

    /// Thumbprint of the key that signed.
    pub fn kid(&self) -> &Kid {
        &self.header.kid
    }

    /// Who signed, as a URN or the server's URL.
    pub fn iss(&self) -> &str {
        &self.header.iss
    }

    /// What it is about, as a URN.
    pub fn sub(&self) -> &str {
        &self.header.sub
    }

    /// Unix seconds by the signer's clock.
    pub fn issued_at(&self) -> i64 {
        self.issued_at
    }
}

/// Checks type, key and signature; `read` sees the payload only afterwards.
fn verify<T>(
    message: Sign1,
    kind: Kind,
    key: &PublicKey,
    read: impl FnOnce(&[u8], &Header, i64) -> Result<T, StatementError>,
) -> Result<Verified<T>, StatementError> {
    cose::expect(&message, kind.content_type())?;
    message.verify(key)?;
    take(message, read)
}

/// The same for a statement that a verified receipt is about: the log's signature covers all of it.
fn attested<T>(
    message: Sign1,
    kind: Kind,
    receipt: &VerifiedReceipt,
    read: impl FnOnce(&[u8], &Header, i64) -> Result<T, StatementError>,
) -> Result<Verified<T>, StatementError> {
    cose::expect(&message, kind.content_type())?;
    if leaf_of(&message) != *receipt.leaf() {
        return Err(StatementError::Receipt);
    }
    take(message, read)
}

/// Only after a signature over all of `message` was checked.
fn take<T>(
    message: Sign1,
    read: impl FnOnce(&[u8], &Header, i64) -> Result<T, StatementError>,
) -> Result<Verified<T>, StatementError> {
    let payload = message.unverified_payload()?;
    let header = message.unverified_header().clone();
    let issued_at = header.iat.ok_or(CoseError::Header)?;
    let payload = read(payload, &header, issued_at)?;
    Ok(Verified {
        payload,
        leaf: leaf_of(&message),
        raw: message.into_raw(),
        header,
        issued_at,
    })
}

const PERSON: &str = "urn:infoblood:person:";
const DEVICE: &str = "urn:infoblood:device:";
const TERMS: &str = "urn:infoblood:agreement:terms:";

/// `urn:infoblood:person:<person_id>`.
pub fn person_urn(person_id: &str) -> String {
    format!("{PERSON}{person_id}")
}

/// `urn:infoblood:device:<device_id>`.
pub fn device_urn(device_id: &str) -> String {
    format!("{DEVICE}{device_id}")
}

/// `urn:infoblood:agreement:terms:<version>`.
pub fn terms_urn(version: u64) -> String {
    format!("{TERMS}{version}")
}

/// The identifier in a person's URN.
pub fn person_of(urn: &str) -> Option<&str> {
    urn.strip_prefix(PERSON).filter(|id| crate::keys::is_id(id))
}

/// The identifier in a device's URN.
pub fn device_of(urn: &str) -> Option<&str> {
    urn.strip_prefix(DEVICE).filter(|id| crate::keys::is_id(id))
}

/// The enrolled key that must have signed, and who and where it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    pub key: &'a PublicKey,
    pub person_id: &'a str,
    pub device_id: &'a str,
}

/// Longest free text in a payload, in bytes.
const MAX_TEXT: usize = 256;

fn short(text: &str) -> Result<(), StatementError> {
    if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(StatementError::Value);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
