//! `verify`: nothing but files.

use std::fs;
use std::path::Path;

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::cose::Sign1;
use infoblood_agreement::document::Document;
use infoblood_agreement::keys::CoseKeySet;
use infoblood_agreement::receipt::Receipt;
use infoblood_agreement::statement::{self, Kind};
use infoblood_agreement::transparent::{self, Summary, TransparentError};
use serde_json::{Value, json};

use super::arguments::Verify;
use super::{Done, ENVIRONMENT, Failure, REFUSED};
use crate::clock::rfc3339;

/// A transparent statement may carry its signer's enrolment.
const LIMITS: Limits = Limits::bytes(256 * 1024);

pub(super) fn run(arguments: &Verify) -> Result<Done, Failure> {
    let keys = CoseKeySet::parse(&read(&arguments.keys)?, &LIMITS)
        .map_err(|error| Failure::new(REFUSED, error.code(), &error))?;
    let document = arguments.document.as_deref().map(document).transpose()?;

    let contents: Vec<_> = arguments
        .files
        .iter()
        .map(|path| fs::read(path).ok())
        .collect();
    let readable: Vec<_> = contents.iter().flatten().collect();
    let mut verdicts =
        transparent::verify_files(&readable, &keys, document.as_ref(), &LIMITS).into_iter();

    let mut ok = true;
    let mut rows = Vec::new();
    for (path, content) in arguments.files.iter().zip(&contents) {
        let row = match (content, content.as_ref().and_then(|_| verdicts.next())) {
            (None, _) => refused(path, "file-unreadable"),
            (_, Some(Ok(summary))) => verified(path, &summary),
            (Some(file), Some(Err(error @ TransparentError::Statement(_))))
                if document.is_none() =>
            {
                opaque(path, file, &keys).unwrap_or_else(|| refused(path, error.code()))
            }
            (_, Some(Err(error))) => refused(path, error.code()),
            (_, None) => refused(path, "internal"),
        };
        ok &= row["ok"] == true;
        rows.push(row);
    }
    Ok(Done {
        output: Some(Value::Array(rows)),
        ok,
    })
}

fn verified(path: &Path, summary: &Summary) -> Value {
    json!({
        "file": path.display().to_string(),
        "ok": true,
        "error": null,
        "kind": summary.kind,
        "signature_checked": summary.signature_checked,
        "person_id": summary.person_id,
        "device_id": summary.device_id,
        "decision": summary.decision,
        "document_sha256": summary.document_sha256,
        "issued_at": summary.issued_at.to_string(),
        "registered_at": summary.registered_at.to_string(),
        "tree_size": summary.tree_size,
        "leaf_index": summary.leaf_index,
        "leaf": summary.leaf,
    })
}

fn refused(path: &Path, code: &str) -> Value {
    json!({
        "file": path.display().to_string(),
        "ok": false,
        "error": code,
        "kind": null,
        "signature_checked": null,
        "person_id": null,
        "device_id": null,
        "decision": null,
        "document_sha256": null,
        "issued_at": null,
        "registered_at": null,
        "tree_size": null,
        "leaf_index": null,
        "leaf": null,
    })
}

/// An acceptance of another implementation, whose payload is not ours to read: leaf and receipt are verified, the
/// signature too if its key is among the published ones. What stands in the payload is not reported.
fn opaque(path: &Path, file: &[u8], keys: &CoseKeySet) -> Option<Value> {
    let parts = transparent::split(file, &LIMITS).ok()?;
    let header = statement::peek(&parts.statement, &LIMITS).ok()?;
    if header.kind != Kind::Acceptance {
        return None;
    }
    let message = Sign1::parse(&parts.statement, &LIMITS).ok()?;
    let signer = keys.get(&header.kid);
    if let Some(signer) = signer {
        message.verify(signer).ok()?;
    }
    let leaf = statement::leaf_hash(&parts.statement, &LIMITS).ok()?;
    let receipt = Receipt::parse(&parts.receipt, &LIMITS).ok()?;
    let log = keys.get(receipt.unverified_kid())?;
    let receipt = receipt.verify(&leaf, &header.sub, log).ok()?;
    let mut row = refused(path, "");
    row["ok"] = true.into();
    row["error"] = Value::Null;
    row["kind"] = header.kind.name().into();
    row["signature_checked"] = signer.is_some().into();
    row["person_id"] = header.iss.strip_prefix("urn:infoblood:person:").into();
    row["issued_at"] = message.unverified_header().iat.map(rfc3339).into();
    row["registered_at"] = rfc3339(receipt.registered_at()).into();
    row["tree_size"] = receipt.tree_size().into();
    row["leaf_index"] = receipt.leaf_index().into();
    row["leaf"] = hex::encode(leaf).into();
    Some(row)
}

fn document(dir: &Path) -> Result<Document, Failure> {
    let text = |name: &str| {
        String::from_utf8(read(&dir.join(name))?)
            .map_err(|error| Failure::new(REFUSED, "document-digest", &error))
    };
    Document::from_files(
        &read(&dir.join("document.cbor"))?,
        &text("kk.txt")?,
        &text("ru.txt")?,
        &text("structure.json")?,
    )
    .map_err(|error| Failure::new(REFUSED, error.code(), &error))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        let mut failure = Failure::new(ENVIRONMENT, "file-unreadable", &error);
        failure.detail = format!("{}: {}", path.display(), failure.detail);
        failure
    })
}
