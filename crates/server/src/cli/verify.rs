//! `verify`: nothing but files.

use std::fs;
use std::path::Path;

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::document::Document;
use infoblood_agreement::keys::CoseKeySet;
use infoblood_agreement::transparent::{self, Summary};
use serde_json::{Value, json};

use super::arguments::Verify;
use super::{Done, ENVIRONMENT, Failure, REFUSED};

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
        let verdict = match content {
            None => Err("file-unreadable"),
            Some(_) => match verdicts.next() {
                Some(Ok(summary)) => Ok(summary),
                Some(Err(error)) => Err(error.code()),
                None => Err("internal"),
            },
        };
        ok &= verdict.is_ok();
        rows.push(row(path, verdict));
    }
    Ok(Done {
        output: Some(Value::Array(rows)),
        ok,
    })
}

fn row(path: &Path, verdict: Result<Summary, &str>) -> Value {
    let file = path.display().to_string();
    match verdict {
        Ok(summary) => json!({
            "file": file,
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
        }),
        Err(code) => json!({
            "file": file,
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
        }),
    }
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
