//! Opening a session: the person's key signs the server's challenge, the server answers with its signed time.

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, CoseError, Header, Sign1, content_type};
use crate::key_set::{KeySet, KeyUse};
use crate::keys::{KeyError, PublicKey, SigningKey};
use ed25519_dalek::Signer;

const CONTEXT: &[u8] = b"infoblood/session/v1";
const TIME_SUBJECT: &str = "urn:infoblood:signed-time";

/// The server's challenge, 32 random bytes, used once.
pub type Challenge = [u8; 32];
/// The client's nonce, 16 random bytes; the signed time answers it.
pub type Nonce = [u8; 16];

/// Why a session signature or a signed time is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("not a device identifier")]
    DeviceId,
    #[error("the key or its signature is refused")]
    Key(#[from] KeyError),
    #[error("the signed time's message is refused")]
    Cose(#[from] CoseError),
    #[error("the signed time's payload is malformed")]
    Payload(#[from] CborError),
    #[error("signed by a key that may not sign times")]
    Signer,
    #[error("it names another issuer or subject")]
    Header,
    #[error("it answers another nonce")]
    Nonce,
}

impl SessionError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DeviceId | Self::Key(_) => "session-signature",
            Self::Cose(_) | Self::Payload(_) | Self::Signer | Self::Header | Self::Nonce => {
                "signed-time-invalid"
            }
        }
    }
}

/// Signs `"infoblood/session/v1" ‖ challenge ‖ device_id (16 raw bytes) ‖ nonce`. `device_id` is 32 hex digits.
pub fn sign(
    person: &SigningKey,
    challenge: &Challenge,
    device_id: &str,
    nonce: &Nonce,
) -> Result<[u8; 64], SessionError> {
    Ok(person
        .sign(&message(challenge, device_id, nonce)?)
        .to_bytes())
}

/// Checks what [`sign`] made, strictly.
pub fn verify(
    person: &PublicKey,
    challenge: &Challenge,
    device_id: &str,
    nonce: &Nonce,
    signature: &[u8; 64],
) -> Result<(), SessionError> {
    Ok(person.verify(&message(challenge, device_id, nonce)?, signature)?)
}

fn message(challenge: &Challenge, device_id: &str, nonce: &Nonce) -> Result<Vec<u8>, SessionError> {
    let mut device = [0; 16];
    if !crate::keys::is_id(device_id) {
        return Err(SessionError::DeviceId);
    }
    hex::decode_to_slice(device_id, &mut device).map_err(|_| SessionError::DeviceId)?;
    Ok([CONTEXT, challenge, &device, nonce].concat())
}

/// The server's time, signed by its grant key, in answer to one nonce. Nothing else raises the time floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTime {
    time: i64,
}

impl SignedTime {
    /// Signs {1: nonce, 2: time} with the grant key; `time` in Unix seconds.
    pub fn issue(issuer: &str, nonce: &Nonce, time: i64, grant_key: &SigningKey) -> Vec<u8> {
        let payload = cbor::encode(&Value::map([(1, nonce.into()), (2, time.into())]));
        let header = Header::new(
            content_type::SIGNED_TIME,
            grant_key,
            issuer,
            TIME_SUBJECT,
            time,
        );
        cose::sign(&header, &payload, grant_key)
    }

    /// Verifies a signed time under a grant key that is valid at that very time, and that it answers `nonce`.
    pub fn verify(bytes: &[u8], keys: &KeySet, nonce: &Nonce) -> Result<Self, SessionError> {
        let message = Sign1::parse(bytes, &Limits::DEFAULT)?;
        let header = message.unverified_header().clone();
        let key = keys
            .signer(KeyUse::Grant, &header.kid, header.iat.unwrap_or_default())
            .ok_or(SessionError::Signer)?;
        let opened = cose::open(bytes, content_type::SIGNED_TIME, &key, &Limits::DEFAULT)?;
        let mut fields = Fields::decode(&opened.payload, &Limits::DEFAULT)?;
        let answered: Nonce = fields.array(1)?;
        let time = fields.int(2)?;
        fields.end()?;
        if header.iss != keys.issuer() || header.sub != TIME_SUBJECT || header.iat != Some(time) {
            return Err(SessionError::Header);
        }
        if answered != *nonce {
            return Err(SessionError::Nonce);
        }
        Ok(Self { time })
    }

    /// The time of a courier's answer, which the grant key signed over a nonce of ours.
    pub(crate) const fn of_answer(time: i64) -> Self {
        Self { time }
    }

    /// Unix seconds.
    pub const fn time(&self) -> i64 {
        self.time
    }
}

#[cfg(test)]
mod tests;
