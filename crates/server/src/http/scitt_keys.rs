//! `GET /.well-known/scitt-keys` and `…/{kid}`: the keys that receipts are verified with.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use infoblood_agreement::key_set::KeyUse;
use infoblood_agreement::keys::{CoseKeySet, encode_cose_key};

use super::App;
use super::render::Cbor;
use crate::problem::Problem;
use crate::storage::Database;

pub(super) async fn all<D: Database>(State(app): State<Arc<App<D>>>) -> Response {
    let set = CoseKeySet::new(app.context.key_set.signers(KeyUse::Log));
    ([(CONTENT_TYPE, "application/cbor")], set.encode()).into_response()
}

pub(super) async fn one<D: Database>(
    State(app): State<Arc<App<D>>>,
    kid: Result<Path<String>, PathRejection>,
) -> Result<Response, Cbor> {
    let set = CoseKeySet::new(app.context.key_set.signers(KeyUse::Log));
    let kid: Option<[u8; 32]> = kid
        .ok()
        .and_then(|Path(kid)| BASE64.decode(kid).ok())
        .and_then(|kid| kid.try_into().ok());
    let key = kid
        .and_then(|kid| set.get(&kid).copied())
        .ok_or_else(|| Problem::new(404, "key-unknown", "No key with this kid is published."))?;
    Ok(([(CONTENT_TYPE, "application/cbor")], encode_cose_key(&key)).into_response())
}
