//! `GET /v1/changes`: the change feed as NDJSON, closed by an end line.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use super::render::Json;
use crate::problem::Problem;
use crate::service::access;
use crate::service::feed::{self, Cursor, DEFAULT_LIMIT, MAX_LIMIT, Page};
use crate::storage::{Database, Stream};

pub(super) async fn get<D: Database>(
    State(app): State<Arc<App<D>>>,
    headers: HeaderMap,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Response, Json> {
    let mut tx = app.context.database.read().await?;
    let caller = app.caller(&mut tx, &headers).await?;
    let entitled = access::entitled(&app.context, &mut tx, caller).await?;
    let Ok(Query(query)) = query else {
        return Err(Problem::malformed("query-malformed", "The query is not readable.").into());
    };
    let stream = match query.get("stream").map(String::as_str) {
        Some("safety") => Stream::Safety,
        Some("all") => Stream::All,
        _ => {
            return Err(
                Problem::malformed("stream-unknown", "stream is `safety` or `all`.").into(),
            );
        }
    };
    let after = Cursor::parse(query.get("after").map(String::as_str))?;
    let limit = limit(query.get("limit").map(String::as_str))?;
    let page = feed::read(&mut tx, &entitled.scope(), stream, after, limit).await?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], lines(&page)).into_response())
}

/// However large the number is, so many are not given.
fn limit(text: Option<&str>) -> Result<u32, Problem> {
    let Some(text) = text else {
        return Ok(DEFAULT_LIMIT);
    };
    let is_number = text.bytes().all(|b| b.is_ascii_digit()) && text.bytes().any(|b| b != b'0');
    if !is_number {
        let detail = "limit is a number from 1 up.";
        return Err(Problem::malformed("limit-malformed", detail));
    }
    // What overflows is above the most.
    Ok(text
        .parse()
        .map_or(MAX_LIMIT, |limit: u32| limit.min(MAX_LIMIT)))
}

fn lines(page: &Page) -> String {
    let size: usize = page
        .changes
        .iter()
        .map(|(_, change)| change.body.as_ref().map_or(0, String::len) + 128)
        .sum();
    let mut lines = String::with_capacity(size + 128);
    for (cursor, change) in &page.changes {
        feed::write_line(&mut lines, *cursor, change);
    }
    lines.push_str(
        &json!({ "cursor": page.next.to_string(), "end": true, "more": page.more }).to_string(),
    );
    lines.push('\n');
    lines
}
