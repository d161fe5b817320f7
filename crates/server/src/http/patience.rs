//! How long a request may take.

use std::future::Future;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::render::Form;
use crate::problem::Problem;

/// 408 where the answer does not begin in time, in the form of the endpoint.
pub(super) async fn within(
    State(longest): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    let form = Form::of(request.uri().path());
    bounded(form, longest, next.run(request)).await
}

async fn bounded(
    form: Form,
    longest: Duration,
    answer: impl Future<Output = Response>,
) -> Response {
    match tokio::time::timeout(longest, answer).await {
        Ok(response) => response,
        Err(_) => form.answer(Problem::new(
            408,
            "request-slow",
            "The request did not come to its end in time.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    #[tokio::test]
    async fn who_is_too_slow_hears_it_in_the_form_of_the_endpoint() {
        for (path, form) in [
            ("/entries", "application/concise-problem-details+cbor"),
            (
                "/.well-known/scitt-keys/x",
                "application/concise-problem-details+cbor",
            ),
            ("/fhir/Patient", "application/fhir+json"),
            ("/entriesx", "application/problem+json"),
            ("/v1/sessions", "application/problem+json"),
        ] {
            let never = std::future::pending();
            let response = bounded(Form::of(path), Duration::from_millis(1), never).await;
            assert_eq!(response.status(), 408);
            assert_eq!(response.headers()[CONTENT_TYPE], form, "{path}");
            let body = axum::body::to_bytes(response.into_body(), 4096)
                .await
                .unwrap();
            let text = String::from_utf8_lossy(&body);
            assert!(text.contains("request-slow"), "{path}");
        }
    }
}
