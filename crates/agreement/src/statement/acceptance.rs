//! Acceptance and refusal of one document on one device.

use jiff::{Timestamp, Zoned};

use super::{
    Kind, Signer, StatementError, Verified, device_urn, person_urn, short, terms_urn, verify,
};
use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, Header, Sign1};
use crate::keys::{PublicKey, SigningKey, device_id, is_id};
use crate::log::Hash;
use crate::receipt::VerifiedReceipt;

/// How the decision was given. Honest: a click is no electronic digital signature.
const METHOD: &str = "click";

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Accepted,
    Declined,
}

impl Decision {
    /// The word in the payload.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        }
    }
}

/// A language of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    Kk,
    Ru,
}

impl Language {
    /// The BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Kk => "kk",
            Self::Ru => "ru",
        }
    }

    /// The language of a tag.
    pub fn of(tag: &str) -> Option<Self> {
        match tag {
            "kk" => Some(Self::Kk),
            "ru" => Some(Self::Ru),
            _ => None,
        }
    }
}

/// How the document was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Unix seconds when the document was shown.
    pub opened_at: i64,
    /// Seconds it was visible.
    pub visible_seconds: u64,
    /// Languages whose end was reached.
    pub end_reached: Vec<Language>,
}

/// A state of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    pub tree_size: u64,
    pub root: Hash,
}

/// The contents of an acceptance or a device's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    pub decision: Decision,
    pub device_id: String,
    /// Code of the site.
    pub site: String,
    /// The document's digest.
    pub document_sha256: [u8; 32],
    pub document_version: u64,
    pub languages_shown: Vec<Language>,
    pub evidence: Evidence,
    /// RFC 3339 with the local offset, see [`Acceptance::local_time`].
    pub local_time: String,
    /// The last checkpoint seen: the statement is not older than it.
    pub checkpoint: Option<Checkpoint>,
    /// Counts this device's statements, from 1.
    pub sequence: u64,
    /// Leaf hash of this device's previous statement.
    pub previous: Option<Hash>,
    pub nonce: [u8; 16],
    pub app_version: String,
}

impl Acceptance {
    /// A local time as the payload wants it: RFC 3339, whole seconds, with the offset.
    pub fn local_time(at: &Zoned) -> String {
        at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    fn encode(&self) -> Vec<u8> {
        let tags = |languages: &[Language]| {
            Value::Array(languages.iter().map(|l| l.tag().into()).collect())
        };
        let checkpoint = self
            .checkpoint
            .map(|c| Value::Array(vec![c.tree_size.into(), c.root.into()]));
        cbor::encode(&Value::map([
            (1, self.decision.name().into()),
            (2, self.device_id.as_str().into()),
            (3, self.site.as_str().into()),
            (4, self.document_sha256.into()),
            (5, self.document_version.into()),
            (6, tags(&self.languages_shown)),
            (
                7,
                Value::map([
                    (1, self.evidence.opened_at.into()),
                    (2, self.evidence.visible_seconds.into()),
                    (3, tags(&self.evidence.end_reached)),
                ]),
            ),
            (8, self.local_time.as_str().into()),
            (9, checkpoint.into()),
            (10, self.sequence.into()),
            (11, self.previous.into()),
            (12, self.nonce.into()),
            (13, METHOD.into()),
            (14, self.app_version.as_str().into()),
        ]))
    }

    fn decode(payload: &[u8], limits: &Limits) -> Result<Self, StatementError> {
        let mut fields = Fields::decode(payload, limits)?;
        let decision = match fields.text(1)?.as_str() {
            "accepted" => Decision::Accepted,
            "declined" => Decision::Declined,
            _ => return Err(StatementError::Value),
        };
        let device_id = fields.text(2)?;
        let site = fields.text(3)?;
        let document_sha256 = fields.array(4)?;
        let document_version = fields.uint(5)?;
        let languages_shown = languages(fields.texts(6)?)?;
        let mut evidence = Fields::new(fields.value(7)?)?;
        let opened_at = evidence.int(1)?;
        let visible_seconds = evidence.uint(2)?;
        let end_reached = languages(evidence.texts(3)?)?;
        evidence.end()?;
        let local_time = fields.text(8)?;
        let checkpoint = fields.nullable(9)?.as_ref().map(checkpoint).transpose()?;
        let sequence = fields.uint(10)?;
        let previous = fields.nullable_array(11)?;
        let nonce = fields.array(12)?;
        let method = fields.text(13)?;
        let app_version = fields.text(14)?;
        fields.end()?;
        if method != METHOD {
            return Err(StatementError::Value);
        }
        let acceptance = Self {
            decision,
            device_id,
            site,
            document_sha256,
            document_version,
            languages_shown,
            evidence: Evidence {
                opened_at,
                visible_seconds,
                end_reached,
            },
            local_time,
            checkpoint,
            sequence,
            previous,
            nonce,
            app_version,
        };
        acceptance.check()?;
        Ok(acceptance)
    }

    fn check(&self) -> Result<(), StatementError> {
        short(&self.site)?;
        short(&self.app_version)?;
        short(&self.local_time)?;
        // Without an offset it would not be a point in time.
        if self.local_time.parse::<Timestamp>().is_err() {
            return Err(StatementError::Value);
        }
        let reached = &self.evidence.end_reached;
        let shown = |language| self.languages_shown.contains(language);
        // Nobody accepts a text whose end was not reached in any language.
        let unread = self.decision == Decision::Accepted && reached.is_empty();
        if unread || !reached.iter().all(shown) || self.sequence == 0 {
            return Err(StatementError::Value);
        }
        Ok(())
    }
}

fn languages(tags: Vec<String>) -> Result<Vec<Language>, StatementError> {
    let mut languages = Vec::new();
    for tag in tags {
        let language = Language::of(&tag).ok_or(StatementError::Value)?;
        if languages.contains(&language) {
            return Err(StatementError::Value);
        }
        languages.push(language);
    }
    Ok(languages)
}

fn checkpoint(value: &Value) -> Result<Checkpoint, CborError> {
    let Some([tree_size, root]) = value.as_items() else {
        return Err(CborError::Field(9));
    };
    Ok(Checkpoint {
        tree_size: tree_size.as_u64().ok_or(CborError::Field(9))?,
        root: root.as_array().ok_or(CborError::Field(9))?,
    })
}

/// Signs a person's decision; `issued_at` in Unix seconds.
pub fn sign_acceptance(
    acceptance: &Acceptance,
    person_id: &str,
    issued_at: i64,
    person: &SigningKey,
) -> Vec<u8> {
    sign(
        Kind::Acceptance,
        acceptance,
        &person_urn(person_id),
        issued_at,
        person,
    )
}

/// Signs a refusal on a device where nobody is identified yet. The decision is always `declined` and the device the
/// key's own, whatever `refusal` holds there.
pub fn sign_device_refusal(refusal: &Acceptance, issued_at: i64, device: &SigningKey) -> Vec<u8> {
    let device_id = device_id(PublicKey::of(device).as_bytes());
    let urn = device_urn(&device_id);
    let refusal = Acceptance {
        decision: Decision::Declined,
        device_id,
        ..refusal.clone()
    };
    sign(Kind::DeviceRefusal, &refusal, &urn, issued_at, device)
}

fn sign(
    kind: Kind,
    acceptance: &Acceptance,
    iss: &str,
    issued_at: i64,
    key: &SigningKey,
) -> Vec<u8> {
    let sub = terms_urn(acceptance.document_version);
    let header = Header::new(kind.content_type(), key, iss, &sub, issued_at);
    cose::sign(&header, &acceptance.encode(), key)
}

/// Verifies a person's decision against the key enrolled for its kid. Whether the document is known is the caller's to
/// check.
pub fn verify_acceptance(
    bytes: &[u8],
    signer: &Signer<'_>,
    limits: &Limits,
) -> Result<Verified<Acceptance>, StatementError> {
    let iss = person_urn(signer.person_id);
    let device_id = Some(signer.device_id);
    read(bytes, Kind::Acceptance, signer.key, &iss, device_id, limits)
}

/// Verifies a person's decision with a key that came without its enrolment: person and device are only as the statement
/// itself says.
pub(crate) fn verify_acceptance_by_key(
    bytes: &[u8],
    key: &PublicKey,
    limits: &Limits,
) -> Result<Verified<Acceptance>, StatementError> {
    let header = super::peek(bytes, limits)?;
    header.person_id().ok_or(StatementError::Issuer)?;
    read(bytes, Kind::Acceptance, key, &header.iss, None, limits)
}

/// Verifies a device's refusal against that device's enrolled key.
pub fn verify_device_refusal(
    bytes: &[u8],
    device: &PublicKey,
    limits: &Limits,
) -> Result<Verified<Acceptance>, StatementError> {
    let device_id = device_id(device.as_bytes());
    let iss = device_urn(&device_id);
    let kind = Kind::DeviceRefusal;
    let refusal = read(bytes, kind, device, &iss, Some(&device_id), limits)?;
    only_refusal(kind, &refusal)?;
    Ok(refusal)
}

/// Reads a decision whose every byte the log has signed, without the signer's own key.
pub(crate) fn attested(
    bytes: &[u8],
    kind: Kind,
    receipt: &VerifiedReceipt,
    limits: &Limits,
) -> Result<Verified<Acceptance>, StatementError> {
    let message = Sign1::parse(bytes, limits)?;
    let iss = message.unverified_header().iss.clone();
    let device_id = match kind {
        Kind::DeviceRefusal => super::device_of(&iss).map(Some),
        Kind::Acceptance => super::person_of(&iss).map(|_| None),
        Kind::Enrolment | Kind::Administration => return Err(StatementError::Kind),
    };
    let device_id = device_id.ok_or(StatementError::Issuer)?;
    let decision = super::attested(message, kind, receipt, |payload, header, _| {
        decode(payload, header, &iss, device_id, limits)
    })?;
    only_refusal(kind, &decision)?;
    Ok(decision)
}

fn only_refusal(kind: Kind, decision: &Verified<Acceptance>) -> Result<(), StatementError> {
    if kind == Kind::DeviceRefusal && decision.payload.decision != Decision::Declined {
        return Err(StatementError::Value);
    }
    Ok(())
}

fn read(
    bytes: &[u8],
    kind: Kind,
    key: &PublicKey,
    iss: &str,
    device_id: Option<&str>,
    limits: &Limits,
) -> Result<Verified<Acceptance>, StatementError> {
    let message = Sign1::parse(bytes, limits)?;
    verify(message, kind, key, |payload, header, _| {
        decode(payload, header, iss, device_id, limits)
    })
}

fn decode(
    payload: &[u8],
    header: &Header,
    iss: &str,
    device_id: Option<&str>,
    limits: &Limits,
) -> Result<Acceptance, StatementError> {
    let acceptance = Acceptance::decode(payload, limits)?;
    if header.iss != iss {
        return Err(StatementError::Issuer);
    }
    if header.sub != terms_urn(acceptance.document_version) {
        return Err(StatementError::Subject);
    }
    if device_id.is_some_and(|id| id != acceptance.device_id) || !is_id(&acceptance.device_id) {
        return Err(StatementError::Device);
    }
    Ok(acceptance)
}
