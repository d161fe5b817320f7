//! Transparent statements (RFC 9943): statement and receipt in one file that anybody with the public keys can verify.

use jiff::Timestamp;
use serde::Serialize;

use crate::cbor::{self, CborError, Limits, Value};
use crate::cose::{CoseError, Sign1};
use crate::document::Document;
use crate::keys::{CoseKeySet, PublicKey};
use crate::receipt::{Receipt, ReceiptError, VerifiedReceipt};
use crate::statement::{
    self, Acceptance, Enrolment, Kind, StatementError, Verified, device_of, person_of,
};

/// Unprotected header: receipts (RFC 9942).
const RECEIPTS: i64 = 394;
/// Unprotected header of ours, from the range for private use: the signer's enrolment as a transparent statement, so that one
/// file is enough to check the person's signature too. Others ignore it.
const ENROLMENT: i64 = -65_537;

/// Why a transparent statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransparentError {
    #[error("not a COSE_Sign1 with one receipt")]
    Malformed(#[from] CoseError),
    #[error("the statement is refused")]
    Statement(#[from] StatementError),
    #[error("the receipt is refused")]
    Receipt(#[from] ReceiptError),
    #[error("no key for the statement's signer: its enrolment is needed")]
    UnknownSigner,
    #[error("the statement is about another document")]
    OtherDocument,
}

impl TransparentError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(inner) => inner.code(),
            Self::Statement(inner) => inner.code(),
            Self::Receipt(inner) => inner.code(),
            Self::UnknownSigner => "signer-unknown",
            Self::OtherDocument => "document-other",
        }
    }
}

/// The parts of a transparent statement, nothing of it verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The statement with an empty unprotected header, as it was registered.
    pub statement: Vec<u8>,
    pub receipt: Vec<u8>,
    /// The signer's enrolment, itself a transparent statement.
    pub enrolment: Option<Vec<u8>>,
}

/// Puts a statement and its receipt into one file: what other SCITT verifiers read.
pub fn join(statement: &[u8], receipt: &[u8], limits: &Limits) -> Result<Vec<u8>, CoseError> {
    assemble(statement, receipt, None, limits)
}

/// The same with the signer's transparent enrolment, so that an acceptance can be verified alone.
pub fn join_with_enrolment(
    statement: &[u8],
    receipt: &[u8],
    enrolment: &[u8],
    limits: &Limits,
) -> Result<Vec<u8>, CoseError> {
    assemble(statement, receipt, Some(enrolment), limits)
}

fn assemble(
    statement: &[u8],
    receipt: &[u8],
    enrolment: Option<&[u8]>,
    limits: &Limits,
) -> Result<Vec<u8>, CoseError> {
    let message = Sign1::parse(statement, limits)?;
    if !message.unprotected().is_empty() {
        return Err(CoseError::Unprotected);
    }
    message.unverified_payload()?;
    let mut unprotected = vec![(
        Value::from(RECEIPTS),
        Value::Array(vec![Value::from(receipt)]),
    )];
    if let Some(enrolment) = enrolment {
        unprotected.push((Value::from(ENROLMENT), Value::from(enrolment)));
    }
    Ok(message.with_unprotected(&Value::Map(unprotected)))
}

/// Takes a transparent statement apart.
pub fn split(bytes: &[u8], limits: &Limits) -> Result<Parts, CoseError> {
    let message = Sign1::parse(bytes, limits)?;
    message.unverified_payload()?;
    let mut fields = cbor::Fields::new(Value::Map(message.unprotected().to_vec()))?;
    let unprotected = |_: CborError| CoseError::Unprotected;
    let receipts = fields.items(RECEIPTS).map_err(unprotected)?;
    let [Value::Bytes(receipt)] = receipts.as_slice() else {
        return Err(CoseError::Unprotected);
    };
    let enrolment = match fields.take(ENROLMENT) {
        None => None,
        Some(Value::Bytes(enrolment)) => Some(enrolment),
        Some(_) => return Err(CoseError::Unprotected),
    };
    fields.end().map_err(unprotected)?;
    Ok(Parts {
        statement: message.with_unprotected(&Value::Map(Vec::new())),
        receipt: receipt.clone(),
        enrolment,
    })
}

/// What a verified transparent statement says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// `enrolment`, `acceptance`, `device-refusal` or `administration`.
    pub kind: &'static str,
    pub person_id: Option<String>,
    pub device_id: Option<String>,
    /// `accepted` or `declined`.
    pub decision: Option<&'static str>,
    /// Lowercase hex.
    pub document_sha256: Option<String>,
    /// By the signer's clock.
    pub issued_at: Timestamp,
    /// By the server's clock.
    pub registered_at: Timestamp,
    pub tree_size: u64,
    pub leaf_index: u64,
    /// Lowercase hex: the statement's identifier.
    pub leaf: String,
}

/// Verifies files together: an enrolment among them gives the keys for its person's other statements.
pub fn verify_files(
    files: &[impl AsRef<[u8]>],
    keys: &CoseKeySet,
    document: Option<&Document>,
    limits: &Limits,
) -> Vec<Result<Summary, TransparentError>> {
    let enrolments: Vec<_> = files
        .iter()
        .filter_map(|file| verify_enrolment(file.as_ref(), keys, limits).ok())
        .map(|(enrolment, _)| enrolment.into_payload())
        .collect();
    files
        .iter()
        .map(|file| verify_one(file.as_ref(), keys, document, &enrolments, limits))
        .collect()
}

/// Verifies one file with the published keys and, if given, the document it must be about.
pub fn verify(
    bytes: &[u8],
    keys: &CoseKeySet,
    document: Option<&Document>,
    limits: &Limits,
) -> Result<Summary, TransparentError> {
    verify_one(bytes, keys, document, &[], limits)
}

fn verify_one(
    bytes: &[u8],
    keys: &CoseKeySet,
    document: Option<&Document>,
    enrolments: &[Enrolment],
    limits: &Limits,
) -> Result<Summary, TransparentError> {
    let parts = split(bytes, limits)?;
    let header = statement::peek(&parts.statement, limits)?;
    match header.kind {
        Kind::Enrolment => {
            let (enrolment, receipt) = verify_enrolment(bytes, keys, limits)?;
            let mut summary = summary(Kind::Enrolment, &enrolment, &receipt)?;
            summary.device_id = Some(enrolment.payload().device_id.clone());
            Ok(summary)
        }
        Kind::Administration => {
            let key = keys.get(&header.kid).ok_or(ReceiptError::UnknownKey)?;
            let act = statement::verify_administration(&parts.statement, key, limits)?;
            let receipt = verify_receipt(&parts.receipt, &act, keys, limits)?;
            summary(Kind::Administration, &act, &receipt)
        }
        Kind::Acceptance => {
            let embedded = parts
                .enrolment
                .map(|bytes| verify_enrolment(&bytes, keys, limits))
                .transpose()?
                .map(|(enrolment, _)| enrolment.into_payload());
            let signer = embedded
                .iter()
                .chain(enrolments)
                .find(|enrolment| enrolment.person_key.kid() == header.kid);
            let acceptance = match (signer, keys.get(&header.kid)) {
                (Some(enrolment), _) => {
                    statement::verify_acceptance(&parts.statement, &enrolment.signer(), limits)
                }
                (None, Some(key)) => {
                    statement::verify_acceptance_by_key(&parts.statement, key, limits)
                }
                (None, None) => return Err(TransparentError::UnknownSigner),
            }?;
            let receipt = verify_receipt(&parts.receipt, &acceptance, keys, limits)?;
            decision_summary(Kind::Acceptance, &acceptance, &receipt, document)
        }
        Kind::DeviceRefusal => {
            let device: Option<&PublicKey> = enrolments
                .iter()
                .map(|enrolment| &enrolment.device_key)
                .find(|key| key.kid() == header.kid)
                .or_else(|| keys.get(&header.kid));
            let device = device.ok_or(TransparentError::UnknownSigner)?;
            let refusal = statement::verify_device_refusal(&parts.statement, device, limits)?;
            let receipt = verify_receipt(&parts.receipt, &refusal, keys, limits)?;
            decision_summary(Kind::DeviceRefusal, &refusal, &receipt, document)
        }
    }
}

/// Verifies a transparent enrolment: statement and receipt.
pub fn verify_enrolment(
    bytes: &[u8],
    keys: &CoseKeySet,
    limits: &Limits,
) -> Result<(Verified<Enrolment>, VerifiedReceipt), TransparentError> {
    let parts = split(bytes, limits)?;
    if parts.enrolment.is_some() {
        return Err(CoseError::Unprotected.into());
    }
    let enrolment = statement::verify_enrolment(&parts.statement, limits)?;
    let receipt = verify_receipt(&parts.receipt, &enrolment, keys, limits)?;
    Ok((enrolment, receipt))
}

fn verify_receipt<T>(
    bytes: &[u8],
    statement: &Verified<T>,
    keys: &CoseKeySet,
    limits: &Limits,
) -> Result<VerifiedReceipt, ReceiptError> {
    let receipt = Receipt::parse(bytes, limits)?;
    let key = keys
        .get(receipt.unverified_kid())
        .ok_or(ReceiptError::UnknownKey)?;
    receipt.verify(statement.leaf(), statement.sub(), key)
}

fn decision_summary(
    kind: Kind,
    decision: &Verified<Acceptance>,
    receipt: &VerifiedReceipt,
    document: Option<&Document>,
) -> Result<Summary, TransparentError> {
    let payload = decision.payload();
    if let Some(document) = document
        && (*document.digest() != payload.document_sha256
            || document.meta().version != payload.document_version)
    {
        return Err(TransparentError::OtherDocument);
    }
    let mut summary = summary(kind, decision, receipt)?;
    summary.device_id = Some(payload.device_id.clone());
    summary.decision = Some(payload.decision.name());
    summary.document_sha256 = Some(hex::encode(payload.document_sha256));
    Ok(summary)
}

fn summary<T>(
    kind: Kind,
    statement: &Verified<T>,
    receipt: &VerifiedReceipt,
) -> Result<Summary, TransparentError> {
    let time = |seconds| Timestamp::from_second(seconds).map_err(|_| StatementError::Value);
    Ok(Summary {
        kind: kind.name(),
        person_id: person_of(statement.iss()).map(str::to_owned),
        device_id: device_of(statement.iss()).map(str::to_owned),
        decision: None,
        document_sha256: None,
        issued_at: time(statement.issued_at())?,
        registered_at: time(receipt.registered_at())?,
        tree_size: receipt.tree_size(),
        leaf_index: receipt.leaf_index(),
        leaf: hex::encode(statement.leaf()),
    })
}

#[cfg(test)]
mod tests;
