//! `POST /v1/enrolments`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::App;
use super::body;
use super::entries::{COSE, receipt};
use super::render::Json;
use crate::service::enrolments;
use crate::service::entries::MAX_STATEMENT_BYTES;
use crate::storage::Database;

pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Json> {
    app.limits.guesses.check(peer.ip())?;
    body::expect_type(&headers, COSE)?;
    let bytes = body::read(body, MAX_STATEMENT_BYTES).await?;
    match enrolments::register(&app.context, &bytes).await {
        Ok((entry, true)) => Ok(receipt(StatusCode::CREATED, entry)),
        Ok((entry, false)) => Ok(receipt(StatusCode::OK, entry)),
        Err(problem) => {
            if problem.code == "code-wrong" {
                app.limits.guesses.take(peer.ip())?;
            }
            Err(problem.into())
        }
    }
}
