//! Transparent statements (RFC 9943): statement and receipt in one file that anybody with the public keys can verify.

use jiff::Timestamp;
use serde::Serialize;

use crate::cbor::{self, CborError, Limits, Value};
use crate::cose::{CoseError, Sign1};
use crate::document::Document;
use crate::keys::CoseKeySet;
use crate::log::Hash;
use crate::receipt::{Receipt, ReceiptError, VerifiedReceipt};
use crate::statement::{
    self, Acceptance, Enrolment, Kind, StatementError, Verified, device_of, person_of,
};

/// Unprotected header: receipts (RFC 9942).
const RECEIPTS: i64 = 394;
/// Why a transparent statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransparentError {
    #[error("not a COSE_Sign1 with one receipt")]
    Malformed(#[from] CoseError),
    #[error("the statement is refused")]
    Statement(#[from] StatementError),
    #[error("the receipt is refused")]
    Receipt(#[from] ReceiptError),
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
}

/// Puts a statement and its receipt into one file: what other SCITT verifiers read.
pub fn join(statement: &[u8], receipt: &[u8], limits: &Limits) -> Result<Vec<u8>, CoseError> {
    let message = Sign1::parse(statement, limits)?;
    if !message.unprotected().is_empty() {
        return Err(CoseError::Unprotected);
    }
    message.unverified_payload()?;
    let receipts = Value::Array(vec![Value::from(receipt)]);
    Ok(message.with_unprotected(&Value::map([(RECEIPTS, receipts)])))
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
    fields.end().map_err(unprotected)?;
    Ok(Parts {
        statement: message.with_unprotected(&Value::Map(Vec::new())),
        receipt: receipt.clone(),
    })
}

/// What a verified transparent statement says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// `enrolment`, `acceptance`, `device-refusal` or `administration`.
    pub kind: &'static str,
    /// Whether the signer's own signature was checked too. Without the signer's key (an enrolment beside it, or a published key) the receipt
    /// alone vouches: the log took the statement in only after checking it, and signed every byte of it, signature included.
    pub signature_checked: bool,
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
    let kid = &header.kid;
    match header.kind {
        Kind::Enrolment => {
            let (enrolment, receipt) = verify_enrolment(bytes, keys, limits)?;
            let mut summary = summary(Kind::Enrolment, &enrolment, &receipt)?;
            summary.device_id = Some(enrolment.payload().device_id.clone());
            Ok(summary)
        }
        Kind::Administration => {
            let key = keys.get(kid).ok_or(ReceiptError::UnknownKey)?;
            let act = statement::verify_administration(&parts.statement, key, limits)?;
            let receipt = verify_receipt(&parts.receipt, &act, keys, limits)?;
            summary(Kind::Administration, &act, &receipt)
        }
        Kind::Acceptance => {
            let enrolment = enrolments.iter().find(|e| e.person_key.kid() == *kid);
            let acceptance = match (enrolment, keys.get(kid)) {
                (Some(enrolment), _) => Some(statement::verify_acceptance(
                    &parts.statement,
                    &enrolment.signer(),
                    limits,
                )?),
                (None, Some(key)) => Some(statement::verify_acceptance_by_key(
                    &parts.statement,
                    key,
                    limits,
                )?),
                (None, None) => None,
            };
            decision_summary(header.kind, acceptance, &parts, keys, document, limits)
        }
        Kind::DeviceRefusal => {
            let device = enrolments
                .iter()
                .map(|enrolment| &enrolment.device_key)
                .find(|key| key.kid() == *kid)
                .or_else(|| keys.get(kid));
            let refusal = device
                .map(|key| statement::verify_device_refusal(&parts.statement, key, limits))
                .transpose()?;
            decision_summary(header.kind, refusal, &parts, keys, document, limits)
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
    receipt_of(bytes, statement.leaf(), statement.sub(), keys, limits)
}

fn receipt_of(
    bytes: &[u8],
    leaf: &Hash,
    sub: &str,
    keys: &CoseKeySet,
    limits: &Limits,
) -> Result<VerifiedReceipt, ReceiptError> {
    let receipt = Receipt::parse(bytes, limits)?;
    let key = keys
        .get(receipt.unverified_kid())
        .ok_or(ReceiptError::UnknownKey)?;
    receipt.verify(leaf, sub, key)
}

/// `checked` is the decision, if there was a key to check its signature with.
fn decision_summary(
    kind: Kind,
    checked: Option<Verified<Acceptance>>,
    parts: &Parts,
    keys: &CoseKeySet,
    document: Option<&Document>,
    limits: &Limits,
) -> Result<Summary, TransparentError> {
    let signature_checked = checked.is_some();
    let leaf = statement::leaf_hash(&parts.statement, limits)?;
    let sub = statement::peek(&parts.statement, limits)?.sub;
    let receipt = receipt_of(&parts.receipt, &leaf, &sub, keys, limits)?;
    let decision = match checked {
        Some(decision) => decision,
        None => statement::attested_decision(&parts.statement, kind, &receipt, limits)?,
    };
    let payload = decision.payload();
    if let Some(document) = document
        && (*document.digest() != payload.document_sha256
            || document.meta().version != payload.document_version)
    {
        return Err(TransparentError::OtherDocument);
    }
    Ok(Summary {
        signature_checked,
        device_id: Some(payload.device_id.clone()),
        decision: Some(payload.decision.name()),
        document_sha256: Some(hex::encode(payload.document_sha256)),
        ..summary(kind, &decision, &receipt)?
    })
}

fn summary<T>(
    kind: Kind,
    statement: &Verified<T>,
    receipt: &VerifiedReceipt,
) -> Result<Summary, TransparentError> {
    let time = |seconds| Timestamp::from_second(seconds).map_err(|_| StatementError::Value);
    Ok(Summary {
        kind: kind.name(),
        signature_checked: true,
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
