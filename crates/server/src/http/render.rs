//! Problems as responses: `application/problem+json`, concise problem details in CBOR for the log's endpoints, or an OperationOutcome.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use infoblood_agreement::cbor::{self, Value};

use super::fhir::FHIR_JSON;
use crate::problem::Problem;

/// A problem as `application/problem+json` (RFC 9457).
pub(super) struct Json(pub(super) Problem);

/// A problem as `application/concise-problem-details+cbor` (RFC 9290): {−1: code, −2: sentence}.
pub(super) struct Cbor(pub(super) Problem);

/// A problem as a FHIR `OperationOutcome`.
pub(super) struct Fhir(pub(super) Problem);

/// The form that errors have at an address, whoever finds them: the endpoint, or what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Cbor,
    Fhir,
}

impl Form {
    /// By the path of a request.
    pub(super) fn of(path: &str) -> Self {
        let below = |root: &str| {
            path.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if below("/entries") || below("/.well-known/scitt-keys") {
            Self::Cbor
        } else if below("/fhir") {
            Self::Fhir
        } else {
            Self::Json
        }
    }

    pub(super) fn answer(self, problem: Problem) -> Response {
        match self {
            Self::Json => Json(problem).into_response(),
            Self::Cbor => Cbor(problem).into_response(),
            Self::Fhir => Fhir(problem).into_response(),
        }
    }
}

impl<P: Into<Problem>> From<P> for Fhir {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl<P: Into<Problem>> From<P> for Json {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl<P: Into<Problem>> From<P> for Cbor {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let problem = self.0;
        let mut body = serde_json::json!({
            "type": format!("urn:infoblood:error:{}", problem.code),
            "title": problem.detail,
            "status": problem.status,
            "code": problem.code,
        });
        if let Some(document) = &problem.document_sha256 {
            body["document_sha256"] = document.as_str().into();
        }
        respond(
            &problem,
            "application/problem+json",
            body.to_string().into_bytes(),
        )
    }
}

impl IntoResponse for Cbor {
    fn into_response(self) -> Response {
        let problem = self.0;
        let body = cbor::encode(&Value::map([
            (-1, problem.code.into()),
            (-2, problem.detail.as_str().into()),
        ]));
        respond(&problem, "application/concise-problem-details+cbor", body)
    }
}

impl IntoResponse for Fhir {
    fn into_response(self) -> Response {
        let problem = self.0;
        let code = match problem.status {
            401 => "login",
            403 => "forbidden",
            404 => "not-found",
            405 => "not-supported",
            408 => "timeout",
            503 => "transient",
            _ => "exception",
        };
        let mut coding =
            vec![serde_json::json!({ "system": "urn:infoblood:error", "code": problem.code })];
        if let Some(document) = &problem.document_sha256 {
            let code = document.as_str();
            coding.push(
                serde_json::json!({ "system": "urn:infoblood:document-sha256", "code": code }),
            );
        }
        let body = serde_json::json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": code,
                "details": { "coding": coding },
                "diagnostics": problem.detail,
            }],
        });
        respond(&problem, FHIR_JSON, body.to_string().into_bytes())
    }
}

fn respond(problem: &Problem, content_type: &'static str, body: Vec<u8>) -> Response {
    log(problem);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = problem.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// The whole chain, once, here.
pub(super) fn log(problem: &Problem) {
    if problem.status < 500 {
        tracing::info!(status = problem.status, code = problem.code, "refused");
        return;
    }
    let mut chain = String::new();
    let mut cause = std::error::Error::source(problem);
    while let Some(error) = cause {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        cause = error.source();
    }
    tracing::error!(
        status = problem.status,
        code = problem.code,
        "failed{chain}"
    );
}
