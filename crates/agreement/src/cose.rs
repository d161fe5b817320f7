//! COSE_Sign1 (RFC 9052): one protected header for every message, verbatim bytes, nothing readable unverified.

use ed25519_dalek::Signer;

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::keys::{ALG_EDDSA, KeyError, Kid, PublicKey, SigningKey};

/// CBOR tag of COSE_Sign1.
const TAG: u64 = 18;

const ALG: i64 = 1;
const CONTENT_TYPE: i64 = 3;
const KID: i64 = 4;
const CWT_CLAIMS: i64 = 15;
const VDS: i64 = 395;

/// Content types, one per message; a new version of a message is a new type.
pub mod content_type {
    pub const ENROLMENT: &str = "application/vnd.infoblood.enrolment+cbor";
    pub const ACCEPTANCE: &str = "application/vnd.infoblood.acceptance+cbor";
    pub const DEVICE_REFUSAL: &str = "application/vnd.infoblood.device-refusal+cbor";
    pub const ADMINISTRATION: &str = "application/vnd.infoblood.administration+cbor";
    pub const GRANT: &str = "application/vnd.infoblood.grant+cbor";
    pub const KEY_SET: &str = "application/vnd.infoblood.key-set+cbor";
    pub const SIGNED_TIME: &str = "application/vnd.infoblood.signed-time+cbor";
    pub const DOCUMENT: &str = "application/vnd.infoblood.document+cbor";
    /// Read only: it had no purpose.
    pub const AUDIT_EVENT_1: &str = "application/vnd.infoblood.audit-event+cbor";
    pub const AUDIT_EVENT: &str = "application/vnd.infoblood.audit-event-2+cbor";
    pub const CHECKPOINT: &str = "application/vnd.infoblood.checkpoint+cbor";
    pub const COURIER_CHUNK: &str = "application/vnd.infoblood.courier-chunk+cbor";
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    #[error("the message is not acceptable CBOR")]
    Cbor(#[from] CborError),
    #[error("not a tagged COSE_Sign1")]
    Shape,
    #[error("the protected header is not as this message needs it")]
    Header,
    #[error("the unprotected header is not as this message needs it")]
    Unprotected,
    #[error("the payload is detached or attached where the other is needed")]
    Payload,
    #[error("the message is of another type")]
    ContentType,
    #[error("the message names another key")]
    Kid,
    #[error("the key or its signature is refused")]
    Key(#[from] KeyError),
}

impl CoseError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Cbor(inner) => inner.code(),
            Self::Shape => "cose-malformed",
            Self::Header => "cose-header",
            Self::Unprotected => "cose-unprotected",
            Self::Payload => "cose-payload",
            Self::ContentType => "cose-content-type",
            Self::Kid => "cose-kid",
            Self::Key(inner) => inner.code(),
        }
    }
}

/// The protected header: {1: −8, 3: content type, 4: kid, 15: {1: iss, 2: sub, 6: iat}, 395: vds}.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// One of [`content_type`]; receipts have none.
    pub content_type: Option<String>,
    /// Thumbprint of the signing key.
    pub kid: Kid,
    /// Who says it, a URN or the issuer's URL.
    pub iss: String,
    /// About what.
    pub sub: String,
    /// Unix seconds; absent only in messages of other implementations.
    pub iat: Option<i64>,
    /// Verifiable data structure: 1 (RFC 9162 SHA-256) in receipts, absent elsewhere.
    pub vds: Option<i64>,
}

impl Header {
    /// The header of a message signed by `key`; `iat` in Unix seconds.
    pub fn new(content_type: &str, key: &SigningKey, iss: &str, sub: &str, iat: i64) -> Self {
        Self {
            content_type: Some(content_type.to_owned()),
            kid: PublicKey::of(key).kid(),
            iss: iss.to_owned(),
            sub: sub.to_owned(),
            iat: Some(iat),
            vds: None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut claims = vec![
            (Value::from(1_i64), Value::from(self.iss.as_str())),
            (Value::from(2_i64), Value::from(self.sub.as_str())),
        ];
        if let Some(iat) = self.iat {
            claims.push((Value::from(6_i64), Value::from(iat)));
        }
        let mut map = vec![
            (Value::from(ALG), Value::from(ALG_EDDSA)),
            (Value::from(KID), Value::from(self.kid)),
            (Value::from(CWT_CLAIMS), Value::Map(claims)),
        ];
        if let Some(content_type) = &self.content_type {
            map.push((
                Value::from(CONTENT_TYPE),
                Value::from(content_type.as_str()),
            ));
        }
        if let Some(vds) = self.vds {
            map.push((Value::from(VDS), Value::from(vds)));
        }
        cbor::encode(&Value::Map(map))
    }

    fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, CoseError> {
        let header = |_: CborError| CoseError::Header;
        let mut fields = Fields::decode(bytes, limits)?;
        if fields.int(ALG).map_err(header)? != ALG_EDDSA {
            return Err(CoseError::Header);
        }
        let content_type = fields
            .take(CONTENT_TYPE)
            .map(|value| value.as_text().map(str::to_owned).ok_or(CoseError::Header))
            .transpose()?;
        let vds = fields
            .take(VDS)
            .map(|value| value.as_i64().ok_or(CoseError::Header))
            .transpose()?;
        let kid = fields.array(KID).map_err(header)?;
        let claims = fields.value(CWT_CLAIMS).map_err(header)?;
        // An unknown label may be critical: nothing unknown is accepted.
        fields.end().map_err(header)?;

        let mut claims = Fields::new(claims).map_err(header)?;
        let iss = claims.text(1).map_err(header)?;
        let sub = claims.text(2).map_err(header)?;
        let iat = claims
            .take(6)
            .map(|value| value.as_i64().ok_or(CoseError::Header))
            .transpose()?;
        claims.end().map_err(header)?;
        Ok(Self {
            content_type,
            kid,
            iss,
            sub,
            iat,
            vds,
        })
    }
}

/// A parsed, *not yet verified* COSE_Sign1. The header is readable for finding the key; the payload only through
/// [`Sign1::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign1 {
    raw: Vec<u8>,
    protected: Vec<u8>,
    header: Header,
    unprotected: Vec<(Value, Value)>,
    payload: Option<Vec<u8>>,
    signature: [u8; 64],
}

impl Sign1 {
    /// Parses a message tagged 18; a detached payload is exactly null.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, CoseError> {
        let Value::Tag(TAG, inner) = cbor::decode(bytes, limits)? else {
            return Err(CoseError::Shape);
        };
        let Value::Array(items) = *inner else {
            return Err(CoseError::Shape);
        };
        let Ok(
            [
                Value::Bytes(protected),
                Value::Map(unprotected),
                payload,
                Value::Bytes(signature),
            ],
        ) = <[Value; 4]>::try_from(items)
        else {
            return Err(CoseError::Shape);
        };
        let payload = match payload {
            Value::Bytes(payload) => Some(payload),
            Value::Null => None,
            _ => return Err(CoseError::Payload),
        };
        let header = Header::decode(&protected, limits)?;
        Ok(Self {
            raw: bytes.to_vec(),
            protected,
            header,
            unprotected,
            payload,
            signature: signature.try_into().map_err(|_| CoseError::Shape)?,
        })
    }

    /// The message's bytes as received.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Takes the message's bytes as received.
    pub fn into_raw(self) -> Vec<u8> {
        self.raw
    }

    /// The protected header, unverified until the signature is checked.
    pub fn unverified_header(&self) -> &Header {
        &self.header
    }

    /// The unprotected header: under no signature, ever.
    pub fn unprotected(&self) -> &[(Value, Value)] {
        &self.unprotected
    }

    /// The signature's 64 bytes.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// For messages that carry their own key, which must be read before it can be checked.
    pub(crate) fn unverified_payload(&self) -> Result<&[u8], CoseError> {
        self.payload.as_deref().ok_or(CoseError::Payload)
    }

    /// Checks kid and signature and returns the attached payload.
    pub fn verify(&self, key: &PublicKey) -> Result<&[u8], CoseError> {
        let payload = self.unverified_payload()?;
        self.verify_over(key, payload)?;
        Ok(payload)
    }

    /// Checks kid and signature over a payload that was left out of the message.
    pub fn verify_detached(&self, key: &PublicKey, payload: &[u8]) -> Result<(), CoseError> {
        if self.payload.is_some() {
            return Err(CoseError::Payload);
        }
        self.verify_over(key, payload)
    }

    fn verify_over(&self, key: &PublicKey, payload: &[u8]) -> Result<(), CoseError> {
        if self.header.kid != key.kid() {
            return Err(CoseError::Kid);
        }
        let message = sig_structure(&self.protected, payload);
        Ok(key.verify(&message, &self.signature)?)
    }

    /// The message around the verbatim protected, payload and signature strings, in canonical form, with `unprotected`.
    pub(crate) fn with_unprotected(&self, unprotected: &Value) -> Vec<u8> {
        assemble(
            &self.protected,
            unprotected,
            self.payload.as_deref(),
            &self.signature,
        )
    }
}

/// A verified message: type, key and signature were checked, and the unprotected header was empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The protected header.
    pub header: Header,
    /// The payload's bytes.
    pub payload: Vec<u8>,
}

/// Parses and verifies a message of `content_type` by `key`, with an attached payload, an empty unprotected header
/// and an `iat`.
pub fn open(
    bytes: &[u8],
    content_type: &str,
    key: &PublicKey,
    limits: &Limits,
) -> Result<Opened, CoseError> {
    let message = Sign1::parse(bytes, limits)?;
    expect(&message, content_type)?;
    let payload = message.verify(key)?.to_vec();
    Ok(Opened {
        header: message.header,
        payload,
    })
}

/// What every message of ours must show before its signature is worth checking.
pub(crate) fn expect(message: &Sign1, content_type: &str) -> Result<(), CoseError> {
    let header = message.unverified_header();
    if header.content_type.as_deref() != Some(content_type) {
        return Err(CoseError::ContentType);
    }
    if header.iat.is_none() || header.vds.is_some() {
        return Err(CoseError::Header);
    }
    if !message.unprotected.is_empty() {
        return Err(CoseError::Unprotected);
    }
    Ok(())
}

/// Signs `payload` under `header`, whose kid is set to the key's.
pub fn sign(header: &Header, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let (protected, signature) = sign_over(header, payload, key);
    let empty = Value::Map(Vec::new());
    assemble(&protected, &empty, Some(payload), &signature)
}

/// Signs a payload that stays out of the message, which carries `unprotected` instead.
pub fn sign_detached(
    header: &Header,
    unprotected: &Value,
    payload: &[u8],
    key: &SigningKey,
) -> Vec<u8> {
    let (protected, signature) = sign_over(header, payload, key);
    assemble(&protected, unprotected, None, &signature)
}

fn sign_over(header: &Header, payload: &[u8], key: &SigningKey) -> (Vec<u8>, [u8; 64]) {
    let header = Header {
        kid: PublicKey::of(key).kid(),
        ..header.clone()
    };
    let protected = header.encode();
    let signature = key.sign(&sig_structure(&protected, payload)).to_bytes();
    (protected, signature)
}

/// ["Signature1", protected, empty external data, payload] (RFC 9052 §4.4).
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + 32);
    cbor::head(&mut out, 4, 4);
    cbor::head(&mut out, 3, 10);
    out.extend_from_slice(b"Signature1");
    cbor::write_bytes(&mut out, protected);
    cbor::write_bytes(&mut out, &[]);
    cbor::write_bytes(&mut out, payload);
    out
}

fn assemble(
    protected: &[u8],
    unprotected: &Value,
    payload: Option<&[u8]>,
    signature: &[u8; 64],
) -> Vec<u8> {
    let mut out = Vec::new();
    cbor::head(&mut out, 6, TAG);
    cbor::head(&mut out, 4, 4);
    cbor::write_bytes(&mut out, protected);
    out.extend(cbor::encode(unprotected));
    match payload {
        Some(payload) => cbor::write_bytes(&mut out, payload),
        None => out.push(0xf6),
    }
    cbor::write_bytes(&mut out, signature);
    out
}

#[cfg(test)]
mod tests;
