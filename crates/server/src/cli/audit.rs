//! `audit`: the access log into a file.

use std::io::{BufWriter, Error};
use std::path::Path;

use serde_json::{Value, json};

use super::{ENVIRONMENT, Failure, REFUSED};
use crate::context::Context;
use crate::service::audit_export::{self, ExportError};
use crate::storage::Database;

pub(super) async fn run<D: Database>(context: &Context<D>, out: &Path) -> Result<Value, Failure> {
    let unwritable = |error: &Error| {
        let mut failure = Failure::new(ENVIRONMENT, "file-unwritable", error);
        failure.detail = format!("{}: {}", out.display(), failure.detail);
        failure
    };
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Under a name of its own until it is whole.
    let file = tempfile::Builder::new()
        .prefix(".audit-")
        .tempfile_in(folder)
        .map_err(|error| unwritable(&error))?;
    let mut writer = BufWriter::new(file);
    let chains = audit_export::export(context, &mut writer)
        .await
        .map_err(|error| match error {
            ExportError::Write(error) => unwritable(&error),
            ExportError::Storage(error) => Failure::new(ENVIRONMENT, "storage", &error),
            ExportError::Problem(problem) => problem.into(),
        })?;
    let file = writer
        .into_inner()
        .map_err(|error| unwritable(error.error()))?;
    file.as_file()
        .sync_all()
        .map_err(|error| unwritable(&error))?;
    file.persist(out)
        .map_err(|error| unwritable(&error.error))?;
    let unsound: Vec<&str> = chains
        .iter()
        .filter(|chain| !chain.is_sound())
        .map(|chain| chain.device_id.as_str())
        .collect();
    if unsound.is_empty() {
        let events: u64 = chains.iter().map(|chain| chain.events).sum();
        return Ok(json!({ "events": events, "chains": chains }));
    }
    Err(Failure {
        exit: REFUSED,
        code: "audit-chain",
        detail: format!(
            "the chains of these devices were changed: {}; what still verifies is in the file: {}",
            unsound.join(", "),
            json!(chains)
        ),
    })
}
