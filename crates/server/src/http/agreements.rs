//! `GET /v1/agreements/current`: the signed message of the document in force. `GET /v1/agreements?after=VERSION`: the published
//! versions after that one, with their texts.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::App;
use super::entries::COSE;
use super::render::Json;
use crate::problem::Problem;
use crate::service::{access, publication};
use crate::storage::Database;

pub(super) async fn current<D: Database>(State(app): State<Arc<App<D>>>) -> Result<Response, Json> {
    let mut tx = app.context.database.read().await?;
    let documents = access::documents_in_force(&mut tx, app.context.now()).await?;
    let current = documents
        .into_iter()
        .next()
        .ok_or_else(|| Problem::new(404, "document-unknown", "No document is in force."))?;
    Ok(([(CONTENT_TYPE, COSE)], current.message).into_response())
}

pub(super) async fn after<D: Database>(
    State(app): State<Arc<App<D>>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Response, Json> {
    let Ok(Query(query)) = query else {
        return Err(Problem::malformed("query-malformed", "The query is not readable.").into());
    };
    let version = match query.get("after").map(|text| text.parse::<u64>()) {
        None => 0,
        Some(Ok(version)) => version,
        Some(Err(_)) => {
            return Err(Problem::malformed("version-malformed", "after is a version.").into());
        }
    };
    let documents: Vec<Value> = publication::after(&app.context, version)
        .await?
        .iter()
        .map(|(message, text)| {
            json!({
                "version": text.meta().version,
                "message": BASE64.encode(message),
                "kk": text.kk(),
                "ru": text.ru(),
                "structure": text.structure_json(),
            })
        })
        .collect();
    Ok(axum::Json(json!({ "documents": documents })).into_response())
}
