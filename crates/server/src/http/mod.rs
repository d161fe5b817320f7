//! The HTTP interface, one file per endpoint.

mod agreements;
mod audit_events;
mod body;
mod changes;
mod checkpoint;
mod courier;
mod encoding;
mod enrolments;
mod entries;
mod fhir;
mod grants;
mod health;
mod limits;
mod metrics;
mod openapi;
mod patience;
mod relay;
mod render;
mod scitt_keys;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::response::Response;
use axum::routing::{any, get, post};
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

use crate::context::Context;
use crate::problem::Problem;
use crate::service::access::{self, Caller};
use crate::storage::Database;
use limits::Limits;
use metrics::Metrics;
use render::Form;

/// Longest time for one request, body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What every handler works with.
#[derive(Debug)]
pub(crate) struct App<D> {
    pub(crate) context: Context<D>,
    /// Seconds.
    pub(crate) session_seconds: i64,
    pub(crate) limits: Limits,
    /// Turns for courier packs.
    pub(crate) packs: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    /// Unix seconds.
    pub(crate) started_at: i64,
}

impl<D> App<D> {
    pub(crate) fn new(context: Context<D>, session_seconds: i64) -> Self {
        Self {
            started_at: context.clock.now(),
            context,
            session_seconds,
            limits: Limits::default(),
            packs: Arc::new(Semaphore::new(courier::AT_ONCE)),
            metrics: Metrics::default(),
        }
    }
}

impl<D: Database> App<D> {
    /// The caller, or 401, or 403 for who was revoked.
    async fn caller(&self, tx: &mut D::Tx, headers: &HeaderMap) -> Result<Caller, Problem> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        access::caller(&self.context, tx, token).await
    }
}

/// All endpoints.
pub(crate) fn router<D: Database>(app: Arc<App<D>>) -> Router {
    let timeout = |longest: Duration| from_fn_with_state(longest, patience::within);
    let compressed = (map_request(encoding::settle), CompressionLayer::new());
    Router::new()
        .route("/entries", post(entries::post::<D>))
        .route("/entries/{id}", get(entries::get::<D>))
        .route("/.well-known/scitt-keys", get(scitt_keys::all::<D>))
        .route("/.well-known/scitt-keys/{kid}", get(scitt_keys::one::<D>))
        .route("/v1/enrolments", post(enrolments::post::<D>))
        .route("/v1/sessions", post(sessions::post::<D>))
        .route("/v1/grants", post(grants::post::<D>))
        .route("/v1/agreements/current", get(agreements::current::<D>))
        .route(
            "/v1/agreements",
            get(agreements::after::<D>).layer(compressed.clone()),
        )
        .route("/v1/log/checkpoint", get(checkpoint::get::<D>))
        .route("/v1/audit-events", post(audit_events::post::<D>))
        .route("/v1/changes", get(changes::get::<D>).layer(compressed))
        .route("/v1/relay", post(relay::post::<D>))
        .route("/relay", get(relay::page))
        .route("/relay.js", get(relay::script))
        .route("/relay.css", get(relay::style))
        .route("/fhir/metadata", get(fhir::metadata::<D>))
        .route("/fhir", any(fhir::other::<D>))
        .route("/fhir/", any(fhir::other::<D>))
        .route("/fhir/{*path}", any(fhir::other::<D>))
        .route("/openapi.json", get(openapi::get))
        .route("/metrics", get(metrics::get::<D>))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz::<D>))
        .layer(timeout(REQUEST_TIMEOUT))
        .merge(
            Router::new()
                .route("/v1/courier", post(courier::post::<D>))
                .layer(timeout(courier::TIMEOUT)),
        )
        .fallback(async |uri: Uri| {
            let problem = Problem::new(404, "not-found", "There is nothing here.");
            Form::of(uri.path()).answer(problem)
        })
        .method_not_allowed_fallback(async |uri: Uri| {
            let detail = "This is not done with this method.";
            let problem = Problem::new(405, "method-not-allowed", detail);
            Form::of(uri.path()).answer(problem)
        })
        .layer(map_response(finish))
        .layer(from_fn_with_state(Arc::clone(&app), metrics::count::<D>))
        // Bodies are read, and limited, by the handlers: each has its own form of error.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// Nothing here is for caches, and nothing is what it is not called.
async fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
