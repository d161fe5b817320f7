//! `/relay`: the page that a phone opens from a workstation's QR code, and `POST /v1/relay`, which answers it.
//!
//! The question stands in the address after `#`, which browsers keep to themselves; the page posts it. Words stand in
//! `relay/words.kk.json` and `relay/words.ru.json`.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};
use infoblood_agreement::relay::{MAX_TEXT, Question, frames};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use super::App;
use super::body;
use super::render::Json;
use crate::problem::Problem;
use crate::service::relay;
use crate::storage::Database;

mod words;

/// Everything from here, nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

static PAGE: LazyLock<String> = LazyLock::new(|| words::fill(include_str!("relay/page.html")));

pub(super) async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, PAGE.as_str()).into_response()
}

pub(super) async fn script() -> Response {
    let kind = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("relay/relay.js")).into_response()
}

pub(super) async fn style() -> Response {
    let kind = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("relay/relay.css")).into_response()
}

/// base64url as `text/plain` or the CBOR as `application/octet-stream` → `{refusal, frames, svg}`.
pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Json> {
    app.limits.posts.take(peer.ip())?;
    app.limits.guesses.check(peer.ip())?;
    let is_text = body::expect_type(&headers, "text/plain").is_ok();
    if !is_text {
        body::expect_type(&headers, "application/octet-stream")?;
    }
    let bytes = body::read(body, MAX_TEXT).await?;
    let question = if is_text {
        Question::decode_text(std::str::from_utf8(&bytes).unwrap_or_default())
    } else {
        Question::decode(&bytes)
    }
    .map_err(|error| Problem::malformed(error.code(), error.to_string()))?;

    let answer = relay::answer(&app.context, &question).await?;
    if answer.refusal.as_deref() == Some("code-wrong") {
        app.limits.guesses.take(peer.ip())?;
    }
    let texts = frames(&answer).ok_or_else(|| Problem::internal("the answer is too long"))?;
    let pictures = texts
        .iter()
        .map(|text| picture(text))
        .collect::<Result<Vec<_>, _>>()?;
    let body = json!({ "refusal": answer.refusal, "frames": texts, "svg": pictures });
    Ok(axum::Json(body).into_response())
}

/// A frame as a QR code of the smallest size: the screen is bright and near, and the frames have check symbols of their own.
fn picture(text: &str) -> Result<String, Problem> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(Problem::internal)?;
    Ok(code
        .render::<svg::Color<'_>>()
        .module_dimensions(8, 8)
        .build())
}
