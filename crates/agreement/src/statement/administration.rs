//! Administrators' acts, written by the server into the same log.

use std::collections::BTreeMap;

use super::{Kind, StatementError, Verified, short, verify};
use crate::cbor::{self, Fields, Limits, Value};
use crate::cose::{self, Header, Sign1, content_type};
use crate::keys::{PublicKey, SigningKey};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    PersonAdded,
    CodeIssued,
    PersonRevoked,
    DeviceApproved,
    DeviceRevoked,
    DocumentPublished,
    SiteAdded,
}

impl Action {
    const ALL: [Self; 7] = [
        Self::PersonAdded,
        Self::CodeIssued,
        Self::PersonRevoked,
        Self::DeviceApproved,
        Self::DeviceRevoked,
        Self::DocumentPublished,
        Self::SiteAdded,
    ];

    /// The word in the payload.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PersonAdded => "person-added",
            Self::CodeIssued => "code-issued",
            Self::PersonRevoked => "person-revoked",
            Self::DeviceApproved => "device-approved",
            Self::DeviceRevoked => "device-revoked",
            Self::DocumentPublished => "document-published",
            Self::SiteAdded => "site-added",
        }
    }

    /// What the subject identifies: the word in the subject's URN.
    pub const fn what(self) -> &'static str {
        match self {
            Self::PersonAdded | Self::CodeIssued | Self::PersonRevoked => "person",
            Self::DeviceApproved | Self::DeviceRevoked => "device",
            Self::DocumentPublished => "document",
            Self::SiteAdded => "site",
        }
    }

    fn urn(self, subject: &str) -> String {
        format!("urn:infoblood:{}:{subject}", self.what())
    }
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administration {
    pub action: Action,
    /// Person or device identifier, site code, or the document digest in hex.
    pub subject: String,
    /// More about it; never a login, a name or a code.
    pub detail: BTreeMap<String, String>,
}

/// Signs an act with the log's key; `iss` is the server's URL, `issued_at` in Unix seconds.
pub fn sign_administration(
    act: &Administration,
    iss: &str,
    issued_at: i64,
    log_key: &SigningKey,
) -> Vec<u8> {
    let detail = act
        .detail
        .iter()
        .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
        .collect();
    let payload = cbor::encode(&Value::map([
        (1, act.action.name().into()),
        (2, act.subject.as_str().into()),
        (3, Value::Map(detail)),
    ]));
    let sub = act.action.urn(&act.subject);
    let header = Header::new(content_type::ADMINISTRATION, log_key, iss, &sub, issued_at);
    cose::sign(&header, &payload, log_key)
}

/// Verifies an act with the log's key of its kid.
pub fn verify_administration(
    bytes: &[u8],
    log_key: &PublicKey,
    limits: &Limits,
) -> Result<Verified<Administration>, StatementError> {
    let message = Sign1::parse(bytes, limits)?;
    verify(
        message,
        Kind::Administration,
        log_key,
        |payload, header, _| {
            let act = decode(payload, limits)?;
            if header.sub != act.action.urn(&act.subject) {
                return Err(StatementError::Subject);
            }
            Ok(act)
        },
    )
}

fn decode(payload: &[u8], limits: &Limits) -> Result<Administration, StatementError> {
    let mut fields = Fields::decode(payload, limits)?;
    let name = fields.text(1)?;
    let subject = fields.text(2)?;
    let Value::Map(entries) = fields.value(3)? else {
        return Err(StatementError::Value);
    };
    fields.end()?;
    short(&subject)?;
    let mut detail = BTreeMap::new();
    for entry in entries {
        let (Value::Text(key), Value::Text(value)) = entry else {
            return Err(StatementError::Value);
        };
        detail.insert(key, value);
    }
    Ok(Administration {
        action: Action::ALL
            .into_iter()
            .find(|action| action.name() == name)
            .ok_or(StatementError::Value)?,
        subject,
        detail,
    })
}
