//! `POST /v1/audit-events`: NDJSON in, one verdict per item. The enrolled device's signature inside authorises.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::body;
use super::render::Json;
use crate::problem::Problem;
use crate::service::audit::{self, Outcome};
use crate::storage::Database;

const NDJSON: &str = "application/x-ndjson";
/// Longest body: some hundreds of events.
const MAX_BYTES: usize = 1024 * 1024;
/// Most items in one body.
const MAX_ITEMS: usize = 1_000;
/// Longest id that is one, and that is repeated in the answer.
const MAX_ID: usize = 64;

#[derive(Deserialize)]
struct Item {
    id: String,
    sealed: String,
}

/// What of a line says which item is meant, whatever else is wrong with it.
#[derive(Deserialize)]
struct Named {
    id: String,
}

pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Json> {
    app.limits.posts.take(peer.ip())?;
    body::expect_type(&headers, NDJSON)?;
    let bytes = body::read(body, MAX_BYTES).await?;
    let lines: Vec<_> = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.len() > MAX_ITEMS {
        return Err(Problem::new(
            413,
            "too-large",
            format!("At most {MAX_ITEMS} items at once."),
        )
        .into());
    }
    let mut answer = String::new();
    for line in lines {
        match take(&app, line).await {
            Ok(verdict) => {
                answer.push_str(&verdict.to_string());
                answer.push('\n');
            }
            Err(problem) if problem.status == 503 => return Err(problem.into()),
            // What has no verdict is sent again; the others do not wait for it.
            Err(problem) => {
                tracing::error!(code = problem.code, cause = ?problem.cause, "an audit event");
            }
        }
    }
    Ok(([(CONTENT_TYPE, NDJSON)], answer).into_response())
}

async fn take<D: Database>(app: &App<D>, line: &[u8]) -> Result<Value, Problem> {
    let Ok(item) = serde_json::from_slice::<Item>(line) else {
        return Ok(rejected(line, "json-malformed"));
    };
    if item.id.is_empty()
        || item.id.len() > MAX_ID
        || !item.id.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return Ok(rejected(line, "id-mismatch"));
    }
    let (status, code) = match audit::take(&app.context, &item.id, &item.sealed).await? {
        Outcome::Stored(code) => ("stored", code),
        Outcome::Duplicate => ("duplicate", None),
        Outcome::Rejected(code) => ("rejected", Some(code)),
    };
    Ok(json!({ "id": item.id, "status": status, "code": code }))
}

/// A verdict on a line that is no item, under the id that it was sent with.
fn rejected(line: &[u8], code: &str) -> Value {
    let id = serde_json::from_slice::<Named>(line)
        .ok()
        .map(|named| named.id)
        .filter(|id| id.chars().count() <= MAX_ID);
    json!({ "id": id, "status": "rejected", "code": code })
}
