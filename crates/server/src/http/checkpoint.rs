//! `GET /v1/log/checkpoint`: the log's size and root, signed by its key.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use infoblood_agreement::checkpoint::Checkpoint;
use serde_json::json;

use super::App;
use super::render::Json;
use crate::clock::rfc3339;
use crate::storage::Database;
use crate::tree;

pub(super) async fn get<D: Database>(State(app): State<Arc<App<D>>>) -> Result<Response, Json> {
    let context = &app.context;
    let (size, root) = tree::root(&mut context.database.read().await?).await?;
    let now = context.now();
    let checkpoint = Checkpoint {
        tree_size: size,
        root,
        time: now,
    };
    let signed = checkpoint.sign(&context.issuer, &context.keys.log);
    Ok(axum::Json(json!({
        "tree_size": size,
        "root": hex::encode(root),
        "time": rfc3339(now),
        "signed": BASE64.encode(signed),
    }))
    .into_response())
}
