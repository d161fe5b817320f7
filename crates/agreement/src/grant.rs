//! Grants: the renewable right to open the patient cache, with the server's key share sealed to the person.
//!
//! Payload {1: person_id, 2: device_id, 3: document digest, 4: leaf hash of the acceptance, 5: epoch, 6: issued_at,
//! 7: offline_until, 8: read_only_until, 9: enc, 10: sealed share, 11: site, 12: role}.

use rand_core::CryptoRng;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, CoseError, Header, Sign1, content_type};
use crate::key_set::{KeySet, KeyUse};
use crate::keys::{SigningKey, is_id};
use crate::sealed::{SealedError, hpke_open, hpke_seal};

const INFO: &[u8] = b"infoblood/grant/v1";

/// Why a grant cannot be issued, or is refused. To a person every refusal is `grant-invalid`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("the message is refused")]
    Cose(#[from] CoseError),
    #[error("the payload is malformed")]
    Payload(#[from] CborError),
    #[error("signed by a key that may not grant")]
    Signer,
    #[error("header and payload contradict each other")]
    Header,
    #[error("for another person")]
    Person,
    #[error("for another device")]
    Device,
    #[error("for another document")]
    Document,
    #[error("for another acceptance")]
    Leaf,
    #[error("of another epoch")]
    Epoch,
    #[error("the times contradict each other")]
    Period,
    #[error("the share does not open")]
    Share(#[source] SealedError),
}

impl GrantError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        "grant-invalid"
    }
}

/// What a person may do at the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Clinician,
    Registrar,
    Dpo,
    Admin,
}

impl Role {
    const ALL: [Self; 4] = [Self::Clinician, Self::Registrar, Self::Dpo, Self::Admin];

    /// The name on the wire and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::Registrar => "registrar",
            Self::Dpo => "dpo",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What a grant says. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// 32 hex digits.
    pub person_id: String,
    /// 32 hex digits.
    pub device_id: String,
    /// Document digest.
    pub document: [u8; 32],
    /// Leaf hash of the acceptance.
    pub leaf: [u8; 32],
    /// Counts the shares of this workstation, from 1.
    pub epoch: u64,
    pub issued_at: i64,
    /// The last second at which the cache opens without the server.
    pub offline_until: i64,
    /// End of the read-only time after it.
    pub read_only_until: i64,
    pub site: String,
    pub role: Role,
}

impl Terms {
    /// `"infoblood/grant/v1" ‖ CBOR[person_id, device_id, document digest, leaf, epoch]`.
    fn info(&self) -> Vec<u8> {
        let bound = cbor::encode(&Value::Array(vec![
            self.person_id.as_str().into(),
            self.device_id.as_str().into(),
            self.document.into(),
            self.leaf.into(),
            self.epoch.into(),
        ]));
        [INFO, &bound].concat()
    }

    fn subject(&self) -> String {
        format!("urn:infoblood:person:{}", self.person_id)
    }

    fn check(&self) -> Result<(), GrantError> {
        let field = |ok: bool, key| {
            if ok {
                Ok(())
            } else {
                Err(CborError::Field(key))
            }
        };
        field(is_id(&self.person_id), 1)?;
        field(is_id(&self.device_id), 2)?;
        field(self.epoch > 0, 5)?;
        field(!self.site.is_empty(), 11)?;
        if self.issued_at > self.offline_until || self.offline_until > self.read_only_until {
            return Err(GrantError::Period);
        }
        Ok(())
    }
}

/// Signs a grant and seals `share` to the person's X25519 key. `issuer` is the server's issuer URL.
pub fn issue(
    terms: &Terms,
    share: &[u8; 32],
    person_x25519: &[u8; 32],
    issuer: &str,
    grant_key: &SigningKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, GrantError> {
    terms.check()?;
    let (enc, sealed) =
        hpke_seal(&terms.info(), share, person_x25519, rng).map_err(GrantError::Share)?;
    let payload = cbor::encode(&Value::map([
        (1, terms.person_id.as_str().into()),
        (2, terms.device_id.as_str().into()),
        (3, terms.document.into()),
        (4, terms.leaf.into()),
        (5, terms.epoch.into()),
        (6, terms.issued_at.into()),
        (7, terms.offline_until.into()),
        (8, terms.read_only_until.into()),
        (9, enc.into()),
        (10, sealed.into()),
        (11, terms.site.as_str().into()),
        (12, terms.role.as_str().into()),
    ]));
    let header = Header::new(
        content_type::GRANT,
        grant_key,
        issuer,
        &terms.subject(),
        terms.issued_at,
    );
    Ok(cose::sign(&header, &payload, grant_key))
}

/// Whom and what a grant must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    pub person_id: &'a str,
    pub device_id: &'a str,
    /// Document digest.
    pub document: &'a [u8; 32],
    /// Leaf hash of the acceptance.
    pub leaf: &'a [u8; 32],
}

/// A grant whose signature was verified and that is for the expected person, device, document and acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedGrant {
    terms: Terms,
    enc: [u8; 32],
    sealed_share: Vec<u8>,
    issuer: String,
    bytes: Vec<u8>,
}

impl VerifiedGrant {
    /// Verifies a grant under a grant key that was valid when it was issued. Whether the lease has ended is the
    /// gate's question.
    pub fn verify(
        bytes: &[u8],
        keys: &KeySet,
        expected: &Expected<'_>,
    ) -> Result<Self, GrantError> {
        let message = Sign1::parse(bytes, &Limits::DEFAULT)?;
        let header = message.unverified_header();
        let key = keys
            .signer(KeyUse::Grant, &header.kid, header.iat.unwrap_or_default())
            .ok_or(GrantError::Signer)?;
        let opened = cose::open(bytes, content_type::GRANT, &key, &Limits::DEFAULT)?;
        let grant = Self::decode(&opened.payload, &opened.header.iss, bytes)?;
        let terms = &grant.terms;
        terms.check()?;
        if opened.header.iss != keys.issuer()
            || opened.header.sub != terms.subject()
            || opened.header.iat != Some(terms.issued_at)
        {
            return Err(GrantError::Header);
        }
        grant.matches(expected)?;
        Ok(grant)
    }

    fn decode(payload: &[u8], issuer: &str, bytes: &[u8]) -> Result<Self, GrantError> {
        let mut fields = Fields::decode(payload, &Limits::DEFAULT)?;
        let grant = Self {
            terms: Terms {
                person_id: fields.text(1)?,
                device_id: fields.text(2)?,
                document: fields.array(3)?,
                leaf: fields.array(4)?,
                epoch: fields.uint(5)?,
                issued_at: fields.int(6)?,
                offline_until: fields.int(7)?,
                read_only_until: fields.int(8)?,
                site: fields.text(11)?,
                role: Role::parse(&fields.text(12)?).ok_or(CborError::Field(12))?,
            },
            enc: fields.array(9)?,
            sealed_share: fields.bytes(10)?,
            issuer: issuer.to_owned(),
            bytes: bytes.to_vec(),
        };
        fields.end()?;
        Ok(grant)
    }

    /// Checks once more whom and what the grant is for.
    pub fn matches(&self, expected: &Expected<'_>) -> Result<(), GrantError> {
        let terms = &self.terms;
        if terms.person_id != expected.person_id {
            return Err(GrantError::Person);
        }
        if terms.device_id != expected.device_id {
            return Err(GrantError::Device);
        }
        if terms.document != *expected.document {
            return Err(GrantError::Document);
        }
        if terms.leaf != *expected.leaf {
            return Err(GrantError::Leaf);
        }
        Ok(())
    }

    /// What it says.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The server's issuer URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The message as received.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens the server's share with the person's X25519 secret.
    pub(crate) fn open_share(
        &self,
        person: &StaticSecret,
    ) -> Result<Zeroizing<[u8; 32]>, GrantError> {
        let plaintext = hpke_open(&self.terms.info(), &self.enc, &self.sealed_share, person)
            .map_err(GrantError::Share)?;
        let mut share = Zeroizing::new([0; 32]);
        if plaintext.len() != share.len() {
            return Err(GrantError::Share(SealedError::Open));
        }
        share.copy_from_slice(&plaintext);
        Ok(share)
    }
}

#[cfg(test)]
mod tests;
