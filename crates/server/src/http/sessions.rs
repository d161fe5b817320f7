//! `POST /v1/sessions`: a challenge for `{}`, a session for its answer.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::body;
use super::render::Json;
use crate::clock::rfc3339;
use crate::problem::Problem;
use crate::service::sessions::{self, Answer};
use crate::storage::Database;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    challenge: Option<String>,
    login: Option<String>,
    device_id: Option<String>,
    nonce: Option<String>,
    signature: Option<String>,
}

pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Json> {
    app.limits.posts.take(peer.ip())?;
    let request: Request = body::read_json(&headers, body).await?;
    let Some(answer) = answer(request)? else {
        let challenge = sessions::challenge(&app.context).await?;
        let body = json!({
            "challenge": BASE64.encode(challenge.challenge),
            "expires_at": rfc3339(challenge.expires_at),
        });
        return Ok(axum::Json(body).into_response());
    };
    app.limits.guesses.check(peer.ip())?;
    let opened = match sessions::open(&app.context, &answer, app.session_seconds).await {
        Ok(opened) => opened,
        Err(problem) => {
            if problem.status == 401 {
                app.limits.guesses.take(peer.ip())?;
            }
            return Err(problem.into());
        }
    };
    let body = json!({
        "token": opened.token,
        "expires_at": rfc3339(opened.expires_at),
        "signed_time": BASE64.encode(&opened.signed_time),
        "key_set": BASE64.encode(app.context.key_set.as_bytes()),
        "person": {
            "id": opened.person.person_id,
            "name": opened.person.name,
            "role": opened.person.role,
        },
    });
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

/// `None` for `{}`; half an answer is malformed.
fn answer(request: Request) -> Result<Option<Answer>, Problem> {
    let malformed = || {
        Problem::malformed(
            "session-malformed",
            "An answer needs all its fields in their form.",
        )
    };
    let Request {
        challenge,
        login,
        device_id,
        nonce,
        signature,
    } = request;
    match (challenge, login, device_id, nonce, signature) {
        (None, None, None, None, None) => Ok(None),
        (Some(challenge), Some(login), Some(device_id), Some(nonce), Some(signature)) => {
            Ok(Some(Answer {
                challenge: bytes(&challenge).ok_or_else(malformed)?,
                login,
                device_id: Some(device_id)
                    .filter(|id| infoblood_agreement::keys::is_id(id))
                    .ok_or_else(malformed)?,
                nonce: bytes(&nonce).ok_or_else(malformed)?,
                signature: bytes(&signature).ok_or_else(malformed)?,
            }))
        }
        _ => Err(malformed()),
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text).ok()?.try_into().ok()
}
