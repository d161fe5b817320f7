//! `GET /v1/agreements/current`: the signed message of the document in force.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::App;
use super::entries::COSE;
use super::render::Json;
use crate::problem::Problem;
use crate::service::access;
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
