//! Registering through any phone: what a workstation without a network shows as one QR code, and the server's answer.
//!
//! Outward: `BASE/relay#` and base64url of CBOR [enrolment, acceptance]. What stands after `#` stays in the phone's browser until
//! the page posts it, so no address that reaches a server carries it. Back: an [`Answer`] in numbered [`frames`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::keys::is_id;

pub mod frames;

pub use frames::{Collector, FRAME_SYMBOLS, FrameError, Progress, frames};

/// Longest question, as base64url text: what `POST /v1/relay` takes.
pub const MAX_TEXT: usize = 16 * 1024;
/// Longest question in bytes.
const MAX_QUESTION: usize = MAX_TEXT / 4 * 3;
/// Longest refusal code.
const MAX_CODE: usize = 40;

/// Why a question or an answer is not readable. The frames have their own error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    #[error("not an address of the relay page")]
    Address,
    #[error("longer than {MAX_TEXT} characters")]
    TooLong,
    #[error("not base64url, or cut")]
    Base64,
    #[error("not what the relay carries")]
    Cbor(#[from] CborError),
    #[error("an empty statement")]
    Empty,
}

impl RelayError {
    /// Stable kebab-case code: for a person all of them are a link that was cut or mistyped.
    pub const fn code(&self) -> &'static str {
        "relay-malformed"
    }
}

/// What the workstation asks: the two statements to register, as they were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub enrolment: Vec<u8>,
    pub acceptance: Vec<u8>,
}

impl Question {
    /// CBOR [enrolment, acceptance].
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&Value::Array(vec![
            self.enrolment.as_slice().into(),
            self.acceptance.as_slice().into(),
        ]))
    }

    /// Reads the CBOR. The statements themselves are not looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, RelayError> {
        let value = cbor::decode(bytes, &Limits::bytes(MAX_QUESTION))?;
        let Some([enrolment, acceptance]) = value.as_items() else {
            return Err(CborError::Type.into());
        };
        let statement = |value: &Value| match value.as_bytes() {
            Some([]) => Err(RelayError::Empty),
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err(CborError::Type.into()),
        };
        Ok(Self {
            enrolment: statement(enrolment)?,
            acceptance: statement(acceptance)?,
        })
    }

    /// Reads base64url without padding: what stands after `#`.
    pub fn decode_text(text: &str) -> Result<Self, RelayError> {
        if text.len() > MAX_TEXT {
            return Err(RelayError::TooLong);
        }
        Self::decode(&BASE64.decode(text).map_err(|_| RelayError::Base64)?)
    }

    /// The address to show as a QR code; `base` is the server's, with or without a final slash.
    pub fn url(&self, base: &str) -> String {
        let base = base.trim_end_matches('/');
        format!("{base}/relay#{}", BASE64.encode(self.encode()))
    }

    /// Reads an address made by [`Question::url`] for the same `base`.
    pub fn parse_url(url: &str, base: &str) -> Result<Self, RelayError> {
        let text = url
            .strip_prefix(base.trim_end_matches('/'))
            .and_then(|rest| rest.strip_prefix("/relay#"))
            .ok_or(RelayError::Address)?;
        Self::decode_text(text)
    }
}

/// What the server answers: {1: person_id, 2: enrolment receipt, 3: acceptance receipt, 4: grant, 5: refusal code, 6: key set},
/// each of 2 to 6 null where there is none. Unsigned itself: receipts, grant and key set each carry their signature, and the
/// refusal is a word for people that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// 32 hex digits.
    pub person_id: String,
    pub enrolment_receipt: Option<Vec<u8>>,
    pub acceptance_receipt: Option<Vec<u8>>,
    pub grant: Option<Vec<u8>>,
    /// Why what is missing is missing.
    pub refusal: Option<String>,
    /// The newest key set, unless it is the first, which every site profile carries.
    pub key_set: Option<Vec<u8>>,
}

impl Answer {
    /// The CBOR that the frames carry.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |part: &Option<Vec<u8>>| Value::from(part.as_deref());
        cbor::encode(&Value::map([
            (1, self.person_id.as_str().into()),
            (2, bytes(&self.enrolment_receipt)),
            (3, bytes(&self.acceptance_receipt)),
            (4, bytes(&self.grant)),
            (5, self.refusal.as_deref().into()),
            (6, bytes(&self.key_set)),
        ]))
    }

    /// Reads the CBOR. Nothing in it is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, RelayError> {
        let mut fields = Fields::decode(bytes, &Limits::bytes(frames::MAX_BYTES))?;
        let person_id = fields.text(1)?;
        let answer = Self {
            enrolment_receipt: nullable_bytes(&mut fields, 2)?,
            acceptance_receipt: nullable_bytes(&mut fields, 3)?,
            grant: nullable_bytes(&mut fields, 4)?,
            refusal: fields.nullable_text(5)?,
            key_set: nullable_bytes(&mut fields, 6)?,
            person_id,
        };
        fields.end()?;
        if !is_id(&answer.person_id) {
            return Err(CborError::Field(1).into());
        }
        if !answer.refusal.as_deref().is_none_or(is_code) {
            return Err(CborError::Field(5).into());
        }
        Ok(answer)
    }
}

fn nullable_bytes(fields: &mut Fields, key: i64) -> Result<Option<Vec<u8>>, CborError> {
    fields
        .nullable(key)?
        .map(|value| {
            value
                .as_bytes()
                .map(<[u8]>::to_vec)
                .ok_or(CborError::Field(key))
        })
        .transpose()
}

/// Lower-case words joined by hyphens.
fn is_code(code: &str) -> bool {
    code.len() <= MAX_CODE
        && !code.is_empty()
        && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

#[cfg(test)]
mod tests;
