//! `POST /v1/grants`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::App;
use super::body;
use super::entries::COSE;
use super::render::Json;
use crate::problem::Problem;
use crate::service::grants;
use crate::storage::Database;

#[derive(Deserialize)]
struct Request {
    document_sha256: String,
}

pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Json> {
    // Who asks comes before what is asked; the body is read without a transaction open.
    app.caller(&mut app.context.database.read().await?, &headers)
        .await?;
    let request: Request = body::read_json(&headers, body).await?;
    let mut document = [0; 32];
    hex::decode_to_slice(&request.document_sha256, &mut document)
        .map_err(|_| Problem::malformed("digest-malformed", "document_sha256 is 64 hex digits."))?;
    let mut tx = app.context.database.write().await?;
    let caller = app.caller(&mut tx, &headers).await?;
    let grant = grants::issue(&app.context, tx, caller, &document).await?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, COSE)], grant).into_response())
}
