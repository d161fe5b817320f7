//! `agreement publish`: a folder becomes the next version.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use infoblood_agreement::document::{Change, ChangeKind, Document};
use serde_json::{Value, json};

use super::{ENVIRONMENT, Failure, REFUSED};
use crate::clock::rfc3339;
use crate::context::Context;
use crate::service::publication::{self, MAX_TEXT_BYTES};
use crate::storage::{Database, Texts};

pub(super) async fn run<D: Database>(
    context: &Context<D>,
    dir: &Path,
    change: Change,
    effective_from: i64,
) -> Result<Value, Failure> {
    let texts = Texts {
        kk: read(dir, "kk.txt")?,
        ru: read(dir, "ru.txt")?,
        structure: read(dir, "structure.json")?,
    };
    let published = publication::publish(context, &texts, change, effective_from).await?;
    let document = &published.document;
    write_payload(dir, document)?;
    let units = |kind| -> Vec<_> {
        published
            .changes
            .iter()
            .filter(|change| change.kind == kind)
            .filter_map(|change| change.unit.or(change.old_unit))
            .collect()
    };
    Ok(json!({
        "version": document.meta().version,
        "document_sha256": document.digest_hex(),
        "effective_from": rfc3339(document.meta().effective_from),
        "change": document.meta().change.name(),
        "units": {
            "changed": units(ChangeKind::Changed),
            "added": units(ChangeKind::Added),
            "removed": units(ChangeKind::Removed),
        },
    }))
}

/// One file of the folder, never more of it than a document may have.
fn read(dir: &Path, name: &str) -> Result<String, Failure> {
    let path = dir.join(name);
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MAX_TEXT_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| failure(ENVIRONMENT, "file-unreadable", &path, &error))?;
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(Failure {
            exit: REFUSED,
            code: "document-too-large",
            detail: format!("{} is larger than {MAX_TEXT_BYTES} bytes", path.display()),
        });
    }
    String::from_utf8(bytes).map_err(|error| failure(REFUSED, "document-structure", &path, &error))
}

/// With `document.cbor` the folder is what `verify --document` takes. The version is published already when this fails.
fn write_payload(dir: &Path, document: &Document) -> Result<(), Failure> {
    let path = dir.join("document.cbor");
    File::create(&path)
        .and_then(|mut file| {
            file.write_all(&document.meta().payload())?;
            file.sync_all()
        })
        .map_err(|error| {
            let mut failure = failure(ENVIRONMENT, "file-unwritable", &path, &error);
            failure.detail = format!(
                "version {} is published, but {}",
                document.meta().version,
                failure.detail
            );
            failure
        })
}

fn failure(exit: u8, code: &'static str, path: &Path, error: &dyn std::error::Error) -> Failure {
    let mut failure = Failure::new(exit, code, error);
    failure.detail = format!("{}: {}", path.display(), failure.detail);
    failure
}
