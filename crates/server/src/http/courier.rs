//! `POST /v1/courier`: a request pack in, the answer out, both streamed. Signatures inside authorise; there is no session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;

use super::App;
use super::body;
use super::render::{self, Json};
use crate::problem::Problem;
use crate::service::courier::{self, Intake, MAX_WRONG_CODES, MEDIA_TYPE, Reply, Request};
use crate::storage::Database;

/// Longest time until the answer begins: uploads over bad lines take long. Writing the answer has no limit but its own patience.
pub(super) const TIMEOUT: Duration = Duration::from_mins(15);
/// Longest wait for the next piece of a request.
const IDLE: Duration = Duration::from_secs(30);
/// Packs at work at the same moment: each may fill a file of 64 MiB.
pub(super) const AT_ONCE: usize = 16;
/// Seconds after which to ask again when so many are at work.
const BUSY_SECONDS: u64 = 10;
/// Pieces of an answer that wait to be sent.
const PIECES: usize = 2;

pub(super) async fn post<D: Database>(
    State(app): State<Arc<App<D>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Json> {
    let peer = peer.ip();
    app.limits.posts.take(peer)?;
    body::expect_one_of(&headers, &[MEDIA_TYPE, "application/octet-stream"])?;
    let turn = Arc::clone(&app.packs)
        .try_acquire_owned()
        .map_err(|_| Problem::too_many(BUSY_SECONDS))?;
    let request = read(&app, body).await?;
    let reply = answer(&app, request, peer).await?;

    let (pieces, mut receiver) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        if let Err(problem) = reply.write(&app.context, &pieces).await {
            // After the first piece nobody else tells.
            render::log(&problem);
            drop(turn);
            let _ = pieces.send_timeout(Err(problem), IDLE).await;
        }
    });
    let first = receiver
        .recv()
        .await
        .unwrap_or_else(|| Err(Problem::internal("an answer without a piece")))?;
    let body =
        Body::from_stream(stream::once(async { Ok(Bytes::from(first)) }).chain(rest(receiver)));
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], body).into_response())
}

/// The pieces after the first. An error cuts the connection: the answer then lacks its end, and says so itself.
fn rest(
    receiver: mpsc::Receiver<Result<Vec<u8>, Problem>>,
) -> impl Stream<Item = Result<Bytes, Problem>> {
    stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?.map(Bytes::from);
        Some((piece, receiver))
    })
}

async fn read<D: Database>(app: &App<D>, body: Body) -> Result<Request, Problem> {
    let mut intake = Intake::new(&app.context.keys.sealing)?;
    let mut pieces = body.into_data_stream();
    loop {
        let piece = tokio::time::timeout(IDLE, pieces.next())
            .await
            .map_err(|_| Problem::new(408, "body-cut", "The body did not go on."))?;
        let Some(piece) = piece else {
            return intake.end();
        };
        let piece = piece.map_err(|_| Problem::malformed("body-cut", "The body ended early."))?;
        if let Err(problem) = intake.push(&piece).await {
            body::drain(&mut pieces).await;
            return Err(problem);
        }
    }
}

async fn answer<D: Database>(
    app: &App<D>,
    mut request: Request,
    peer: IpAddr,
) -> Result<Reply, Problem> {
    // Somebody who guessed too often elsewhere does not guess here.
    let guesses = match app.limits.guesses.check(peer) {
        Ok(()) => MAX_WRONG_CODES,
        Err(_) => 0,
    };
    let taken = courier::take(&app.context, &mut request, guesses).await?;
    for _ in 0..taken.wrong_codes() {
        // An empty bucket is what is wanted.
        let _ = app.limits.guesses.take(peer);
    }
    courier::settle(&app.context, &request, taken).await
}
