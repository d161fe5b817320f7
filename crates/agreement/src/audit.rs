//! Audit events: every look at a record and every refusal, signed by the device and chained.
//!
//! Payload of version 2 {1: id (16), 2: sequence, 3: null or SHA-256 of the device's previous audit message, 4: time, 5: action,
//! 6: person_id or null, 7: outcome, 8: reference or null, 9: reason code or null, 10: purpose or null, 11: glass broken}. Version 1, with
//! its own content type, ended at 9 and knew neither printing nor copying; it is read, and not written any more.

use sha2::{Digest, Sha256};

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, CoseError, Header, Sign1, content_type};
use crate::keys::{PublicKey, SigningKey, device_id, is_id};

mod words;

pub use words::{Action, Outcome, Purpose};

const DEVICE: &str = "urn:infoblood:device:";
/// The last place in a chain: above it databases, which count in signed numbers, have no room for the next one.
const MAX_SEQUENCE: u64 = i64::MAX as u64 - 1;
/// Longest reference in bytes.
const MAX_REFERENCE: usize = 256;
/// Longest reason in bytes: a code, or the words of a broken glass ([`crate::lease::Reason`]).
const MAX_REASON: usize = 4 * crate::lease::MAX_REASON_CHARS;

/// Why an audit event is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    #[error("the message is refused")]
    Cose(#[from] CoseError),
    #[error("the payload is malformed")]
    Payload(#[from] CborError),
    #[error("header and payload contradict each other or the device's key")]
    Header,
}

impl AuditError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Cose(inner) => inner.code(),
            Self::Payload(_) | Self::Header => "audit-malformed",
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Random, for idempotence.
    pub id: [u8; 16],
    /// Per device, from 1, without gaps, below 2⁶³ − 1.
    pub sequence: u64,
    /// [`message_hash`] of the device's previous audit message; `None` for the first.
    pub previous: Option<[u8; 32]>,
    /// Unix seconds by the workstation's clock.
    pub time: i64,
    pub action: Action,
    /// 32 hex digits; `None` where nobody was identified.
    pub person_id: Option<String>,
    pub outcome: Outcome,
    /// For example `Patient/d-…`; never a name, never an IIN, no control characters.
    pub reference: Option<String>,
    /// Stable code of a refusal; for [`Action::BreakGlass`] the person's words.
    pub reason: Option<String>,
    /// What the person said the look was for; `None` where nobody was asked, and in version 1.
    pub purpose: Option<Purpose>,
    /// Whether the read-only time was lifted.
    pub glass_broken: bool,
}

/// SHA-256 of a whole audit message: the next event's `previous`.
pub fn message_hash(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// The device an audit message *claims* to come from: only for finding the key to verify it with.
pub fn claimed_device(message: &[u8]) -> Result<String, AuditError> {
    let parsed = Sign1::parse(message, &Limits::DEFAULT)?;
    let iss = &parsed.unverified_header().iss;
    iss.strip_prefix(DEVICE)
        .filter(|id| is_id(id))
        .map(str::to_owned)
        .ok_or(AuditError::Header)
}

impl AuditEvent {
    /// Signs the event with the device's key and returns the message.
    ///
    /// Fails with [`AuditError::Payload`] for an event that [`AuditEvent::verify`] would refuse.
    pub fn sign(&self, device: &SigningKey) -> Result<Vec<u8>, AuditError> {
        self.check()?;
        let payload = cbor::encode(&Value::map([
            (1, self.id.into()),
            (2, self.sequence.into()),
            (3, self.previous.into()),
            (4, self.time.into()),
            (5, self.action.as_str().into()),
            (6, self.person_id.clone().into()),
            (7, self.outcome.as_str().into()),
            (8, self.reference.clone().into()),
            (9, self.reason.clone().into()),
            (10, self.purpose.map(Purpose::as_str).into()),
            (11, self.glass_broken.into()),
        ]));
        let iss = issuer(&PublicKey::of(device));
        let header = Header::new(
            content_type::AUDIT_EVENT,
            device,
            &iss,
            &self.subject(),
            self.time,
        );
        Ok(cose::sign(&header, &payload, device))
    }

    /// Verifies a message by this device.
    pub fn verify(message: &[u8], device: &PublicKey) -> Result<Self, AuditError> {
        let (opened, version) =
            match cose::open(message, content_type::AUDIT_EVENT, device, &Limits::DEFAULT) {
                Err(CoseError::ContentType) => {
                    let first = content_type::AUDIT_EVENT_1;
                    (cose::open(message, first, device, &Limits::DEFAULT)?, 1)
                }
                opened => (opened?, 2),
            };
        let mut fields = Fields::decode(&opened.payload, &Limits::DEFAULT)?;
        let mut event = Self {
            id: fields.array(1)?,
            sequence: fields.uint(2)?,
            previous: fields.nullable_array(3)?,
            time: fields.int(4)?,
            action: Action::parse(&fields.text(5)?)
                .filter(|action| version >= action.since())
                .ok_or(CborError::Field(5))?,
            person_id: fields.nullable_text(6)?,
            outcome: Outcome::parse(&fields.text(7)?).ok_or(CborError::Field(7))?,
            reference: fields.nullable_text(8)?,
            reason: fields.nullable_text(9)?,
            purpose: None,
            glass_broken: false,
        };
        if version >= 2 {
            event.purpose = fields
                .nullable_text(10)?
                .map(|name| Purpose::parse(&name).ok_or(CborError::Field(10)))
                .transpose()?;
            event.glass_broken = fields.bool(11)?;
        }
        fields.end()?;
        event.check()?;
        let header = &opened.header;
        if header.iss != issuer(device)
            || header.sub != event.subject()
            || header.iat != Some(event.time)
        {
            return Err(AuditError::Header);
        }
        Ok(event)
    }

    fn subject(&self) -> String {
        format!("urn:infoblood:audit:{}", self.sequence)
    }

    fn check(&self) -> Result<(), AuditError> {
        let field = |ok: bool, key| {
            if ok {
                Ok(())
            } else {
                Err(CborError::Field(key))
            }
        };
        field((1..=MAX_SEQUENCE).contains(&self.sequence), 2)?;
        field((self.sequence == 1) == self.previous.is_none(), 3)?;
        field(self.person_id.as_deref().is_none_or(is_id), 6)?;
        let short = |text: &Option<String>, most| text.as_ref().is_none_or(|t| t.len() <= most);
        field(short(&self.reference, MAX_REFERENCE), 8)?;
        // It stands in a column of text, and PostgreSQL's have no room for NUL.
        let control = |text: &String| text.contains(char::is_control);
        field(!self.reference.as_ref().is_some_and(control), 8)?;
        field(short(&self.reason, MAX_REASON), 9)?;
        Ok(())
    }
}

fn issuer(device: &PublicKey) -> String {
    format!("{DEVICE}{}", device_id(device.as_bytes()))
}

#[cfg(test)]
mod tests;
