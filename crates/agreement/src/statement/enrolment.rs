//! Enrolment: binds a person's new keys on one device, proven by a one-time code.

use ed25519_dalek::Signer as _;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};

use super::{Kind, Signer, StatementError, Verified, person_urn, short, verify};
use crate::cbor::{self, Fields, Limits, Value};
use crate::cose::{self, Header, Sign1, content_type};
use crate::keys::{PublicKey, SigningKey, device_id, is_id};

const CODE_PROOF: &[u8] = b"infoblood/enrolment-code-proof/v1";
const DEVICE_PROOF: &[u8] = b"infoblood/enrolment-device-proof/v1";

/// A verified enrolment's contents. All its keys are canonical and strong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pub person_id: String,
    pub device_id: String,
    /// Code of the site.
    pub site: String,
    /// Name of the workstation.
    pub workstation: String,
    /// The person's Ed25519 key, which signed the statement.
    pub person_key: PublicKey,
    /// The person's X25519 key, to which grants are sealed.
    pub person_x25519: [u8; 32],
    /// The device's Ed25519 key.
    pub device_key: PublicKey,
    /// The device's X25519 key.
    pub device_x25519: [u8; 32],
    /// The public half of the enrolment code's key: the server compares it with what it issued.
    pub code_key: PublicKey,
    /// Unix seconds.
    pub issued_at: i64,
    pub nonce: [u8; 16],
}

impl Enrolment {
    /// What later statements of this person on this device are checked against.
    pub fn signer(&self) -> Signer<'_> {
        Signer {
            key: &self.person_key,
            person_id: &self.person_id,
            device_id: &self.device_id,
        }
    }
}

/// What a new enrolment says, apart from what follows from the keys.
#[derive(Debug, Clone)]
pub struct EnrolmentRequest<'a> {
    pub person_id: &'a str,
    /// Code of the site.
    pub site: &'a str,
    /// Name of the workstation.
    pub workstation: &'a str,
    pub person_x25519: [u8; 32],
    pub device_x25519: [u8; 32],
    /// Unix seconds.
    pub issued_at: i64,
    pub nonce: [u8; 16],
}

/// The three keys that prove an enrolment.
#[derive(Clone, Copy)]
pub struct EnrolmentSecrets<'a> {
    pub person: &'a SigningKey,
    pub device: &'a SigningKey,
    /// [`crate::enrolment_code::EnrolmentCode::signing_key`].
    pub code: &'a SigningKey,
}

/// Builds and signs an enrolment.
pub fn sign_enrolment(request: &EnrolmentRequest<'_>, secrets: EnrolmentSecrets<'_>) -> Vec<u8> {
    let device_key = PublicKey::of(secrets.device);
    let fields = cbor::encode(&Value::map([
        (1, request.person_id.into()),
        (2, device_id(device_key.as_bytes()).into()),
        (3, request.site.into()),
        (4, request.workstation.into()),
        (5, PublicKey::of(secrets.person).as_bytes().into()),
        (6, request.person_x25519.into()),
        (7, device_key.as_bytes().into()),
        (8, request.device_x25519.into()),
        (9, PublicKey::of(secrets.code).as_bytes().into()),
        (10, request.issued_at.into()),
        (11, request.nonce.into()),
    ]));
    let proof = |key: &SigningKey, context: &[u8]| {
        Value::from(key.sign(&[context, &fields].concat()).to_bytes())
    };
    let payload = cbor::encode(&Value::map([
        (1, fields.as_slice().into()),
        (2, proof(secrets.code, CODE_PROOF)),
        (3, proof(secrets.device, DEVICE_PROOF)),
    ]));
    let person = person_urn(request.person_id);
    let header = Header::new(
        content_type::ENROLMENT,
        secrets.person,
        &person,
        &person,
        request.issued_at,
    );
    cose::sign(&header, &payload, secrets.person)
}

/// Verifies an enrolment with the key it carries: the outer signature, both proofs, every key, and that the
/// identifiers follow from the keys. Whether the code is the one issued to this person, only the server knows.
pub fn verify_enrolment(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Verified<Enrolment>, StatementError> {
    let message = Sign1::parse(bytes, limits)?;
    // The key travels inside; the signature is checked with it before anything else is believed.
    let key = Parts::read(message.unverified_payload()?, limits)?
        .enrolment
        .person_key;
    verify(message, Kind::Enrolment, &key, |payload, header, iat| {
        let parts = Parts::read(payload, limits)?;
        parts.check()?;
        let enrolment = parts.enrolment;
        let person = person_urn(&enrolment.person_id);
        if header.iss != person {
            return Err(StatementError::Issuer);
        }
        if header.sub != person {
            return Err(StatementError::Subject);
        }
        if enrolment.issued_at != iat {
            return Err(StatementError::Value);
        }
        Ok(enrolment)
    })
}

struct Parts {
    fields: Vec<u8>,
    code_proof: [u8; 64],
    device_proof: [u8; 64],
    enrolment: Enrolment,
}

impl Parts {
    fn read(payload: &[u8], limits: &Limits) -> Result<Self, StatementError> {
        let mut outer = Fields::decode(payload, limits)?;
        let fields = outer.bytes(1)?;
        let code_proof = outer.array(2)?;
        let device_proof = outer.array(3)?;
        outer.end()?;

        let mut inner = Fields::decode(&fields, limits)?;
        let enrolment = Enrolment {
            person_id: inner.text(1)?,
            device_id: inner.text(2)?,
            site: inner.text(3)?,
            workstation: inner.text(4)?,
            person_key: PublicKey::from_bytes(&inner.array(5)?)?,
            person_x25519: inner.array(6)?,
            device_key: PublicKey::from_bytes(&inner.array(7)?)?,
            device_x25519: inner.array(8)?,
            code_key: PublicKey::from_bytes(&inner.array(9)?)?,
            issued_at: inner.int(10)?,
            nonce: inner.array(11)?,
        };
        inner.end()?;
        Ok(Self {
            fields,
            code_proof,
            device_proof,
            enrolment,
        })
    }

    fn check(&self) -> Result<(), StatementError> {
        let enrolment = &self.enrolment;
        let proven = |key: &PublicKey, context: &[u8], proof: &[u8; 64]| {
            key.verify(&[context, &self.fields].concat(), proof)
                .map_err(|_| StatementError::Proof)
        };
        proven(&enrolment.code_key, CODE_PROOF, &self.code_proof)?;
        proven(&enrolment.device_key, DEVICE_PROOF, &self.device_proof)?;
        if !is_id(&enrolment.person_id) {
            return Err(StatementError::Issuer);
        }
        if enrolment.device_id != device_id(enrolment.device_key.as_bytes()) {
            return Err(StatementError::Device);
        }
        short(&enrolment.site)?;
        short(&enrolment.workstation)?;
        if !contributory(enrolment.person_x25519) || !contributory(enrolment.device_x25519) {
            return Err(crate::keys::KeyError::Weak.into());
        }
        Ok(())
    }
}

/// `false` for the X25519 points of small order, to which nothing may be sealed.
fn contributory(x25519: [u8; 32]) -> bool {
    StaticSecret::from([1; 32])
        .diffie_hellman(&X25519Public::from(x25519))
        .was_contributory()
}
