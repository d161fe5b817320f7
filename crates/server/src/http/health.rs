//! `/healthz`: the process runs. `/readyz`: its database answers.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::App;
use super::render::Json;
use crate::storage::{Database, LogStorage};

pub(super) async fn healthz() -> Response {
    axum::Json(json!({ "status": "ok" })).into_response()
}

pub(super) async fn readyz<D: Database>(State(app): State<Arc<App<D>>>) -> Result<Response, Json> {
    app.context.database.read().await?.tree_size().await?;
    Ok(axum::Json(json!({ "status": "ready" })).into_response())
}
