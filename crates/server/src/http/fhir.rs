//! `/fhir/metadata`: what of FHIR is served. Everything else below `/fhir` has the same rules as patient data elsewhere, and nothing is there:
//! clinical records travel by the change feed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::render::Fhir;
use crate::clock::rfc3339;
use crate::problem::Problem;
use crate::service::access;
use crate::storage::Database;

pub(super) const FHIR_JSON: &str = "application/fhir+json";

pub(super) async fn metadata<D: Database>(State(app): State<Arc<App<D>>>) -> Response {
    let statement = statement(&rfc3339(app.started_at));
    ([(CONTENT_TYPE, FHIR_JSON)], statement.to_string()).into_response()
}

/// Who asks comes before what is asked.
pub(super) async fn other<D: Database>(
    State(app): State<Arc<App<D>>>,
    headers: HeaderMap,
) -> Result<Response, Fhir> {
    let mut tx = app.context.database.read().await?;
    let caller = app.caller(&mut tx, &headers).await?;
    access::entitled(&app.context, &mut tx, caller).await?;
    Err(Problem::new(
        404,
        "not-found",
        "Clinical records are read from /v1/changes.",
    )
    .into())
}

fn statement(date: &str) -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": { "name": "infoblood-server", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": "Info Blood central server" },
        "fhirVersion": "5.0.0",
        "format": [FHIR_JSON],
        "rest": [{
            "mode": "server",
            "documentation": "Clinical resources are read as a feed of changes (GET /v1/changes, see /openapi.json). \
                              No other interaction is offered.",
            "security": {
                "description": "A bearer token of POST /v1/sessions, and a registered acceptance of the terms in force."
            }
        }]
    })
}
