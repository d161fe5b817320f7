//! `/metrics`: counts in the Prometheus text format. Labels are paths as they stand in the router, methods and statuses; no address, id or name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::courier::AT_ONCE;
use super::render::Json;
use crate::storage::{Database, FeedStorage, LogStorage};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What no route answers; the path itself is a stranger's.
const NO_ROUTE: &str = "none";

/// Requests since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<Key, Answered>>,
}

/// Path, method, status.
type Key = (String, &'static str, u16);

#[derive(Debug, Default, Clone, Copy)]
struct Answered {
    count: u64,
    seconds: f64,
}

impl Metrics {
    fn note(&self, key: Key, seconds: f64) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = requests.entry(key).or_default();
        answered.count += 1;
        answered.seconds += seconds;
    }

    fn write(&self, text: &mut String) {
        let requests = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let name = "infoblood_http_requests_total";
        head(text, name, "counter", "Requests answered.");
        for (key, answered) in &requests {
            line(text, name, &labels(key), answered.count);
        }
        let name = "infoblood_http_request_seconds_total";
        head(text, name, "counter", "Time until answers began.");
        for (key, answered) in &requests {
            line(text, name, &labels(key), answered.seconds);
        }
    }
}

fn labels((path, method, status): &Key) -> String {
    format!("{{path=\"{path}\",method=\"{method}\",status=\"{status}\"}}")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

/// Counts an answer under its route.
pub(super) async fn count<D: Database>(
    State(app): State<Arc<App<D>>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let method = method(request.method());
    let started = Instant::now();
    let response = next.run(request).await;
    let key = (path, method, response.status().as_u16());
    app.metrics.note(key, started.elapsed().as_secs_f64());
    response
}

/// Methods that are anybody's invention are one.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}

pub(super) async fn get<D: Database>(State(app): State<Arc<App<D>>>) -> Result<Response, Json> {
    let mut tx = app.context.database.read().await?;
    let (leaves, feed) = (tx.tree_size().await?, tx.feed_head().await?);
    drop(tx);
    let mut text = String::new();
    app.metrics.write(&mut text);
    let busy = AT_ONCE - app.packs.available_permits();
    for (name, help, value) in [
        ("infoblood_log_entries", "Entries in the log.", leaves),
        (
            "infoblood_feed_sequence",
            "The last place given out in the change feed.",
            feed.sequence,
        ),
        (
            "infoblood_courier_packs",
            "Courier packs at work.",
            busy as u64,
        ),
    ] {
        head(&mut text, name, "gauge", help);
        line(&mut text, name, "", value);
    }
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}
