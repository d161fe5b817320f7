//! `POST /entries`, `GET /entries/{id}` (SCITT reference API).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::App;
use super::body;
use super::render::Cbor;
use crate::problem::Problem;
use crate::service::entries::{self, MAX_STATEMENT_BYTES};
use crate::storage::{Database, Entry};

pub(super) const COSE: &str = "application/cose";

pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Cbor> {
    app.limits.posts.take(peer.ip())?;
    body::expect_type(&headers, COSE)?;
    let bytes = body::read(body, MAX_STATEMENT_BYTES).await?;
    let entry = entries::register(&app.context, &bytes).await?;
    Ok(receipt(StatusCode::CREATED, entry))
}

pub(super) async fn get<D: Database>(
    State(app): State<Arc<App<D>>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Cbor> {
    let entry = match id {
        Ok(Path(id)) => entries::find(&app.context, &id).await?,
        // What is no text is no entry's id.
        Err(_) => None,
    };
    let entry = entry
        .ok_or_else(|| Problem::new(404, "entry-unknown", "There is no entry with this id."))?;
    Ok(([(CONTENT_TYPE, COSE)], entry.receipt).into_response())
}

/// The receipt of a registered statement.
pub(super) fn receipt(status: StatusCode, entry: Entry) -> Response {
    let location = format!("/entries/{}", hex::encode(entry.leaf));
    (
        status,
        [(CONTENT_TYPE, COSE.to_owned()), (LOCATION, location)],
        entry.receipt,
    )
        .into_response()
}
