//! Reading request bodies within limits.

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures::StreamExt as _;

use crate::problem::Problem;

/// How much more than allowed is read and dropped, so that the sender hears the answer instead of a reset.
const DRAIN: usize = 8 * 1024 * 1024;

/// 415 unless the content type, without parameters, is `expected`.
pub(super) fn expect_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    expect_one_of(headers, &[expected])
}

/// 415 unless the content type, without parameters, is one of `expected`.
pub(super) fn expect_one_of(headers: &HeaderMap, expected: &[&str]) -> Result<(), Problem> {
    let found = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = found.split(';').next().unwrap_or_default().trim();
    if expected
        .iter()
        .any(|expected| essence.eq_ignore_ascii_case(expected))
    {
        return Ok(());
    }
    Err(Problem::new(
        415,
        "media-type",
        format!("The content type here is {}.", expected.join(" or ")),
    ))
}

/// The whole body, or 413 above `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut dropped = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::malformed("body-cut", "The body ended early."))?;
        if dropped == 0 && bytes.len() + chunk.len() <= limit {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        dropped += chunk.len();
        if dropped > DRAIN {
            break;
        }
    }
    if dropped > 0 {
        return Err(Problem::new(
            413,
            "too-large",
            format!("The body may have {limit} bytes."),
        ));
    }
    Ok(bytes.into())
}

/// Reads and drops what follows a refused beginning, within limits.
pub(super) async fn drain(stream: &mut BodyDataStream) {
    let mut dropped = 0;
    while dropped <= DRAIN
        && let Some(Ok(chunk)) = stream.next().await
    {
        dropped += chunk.len();
    }
}

/// The whole body as JSON.
pub(super) async fn read_json<T: serde::de::DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    expect_type(headers, "application/json")?;
    let bytes = read(body, crate::service::entries::MAX_STATEMENT_BYTES).await?;
    serde_json::from_slice(&bytes)
        .map_err(|_| Problem::malformed("json-malformed", "The body is not the JSON wanted here."))
}
