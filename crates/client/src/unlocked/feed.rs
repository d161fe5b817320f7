//! Filling the cache: safety first, then everything, in batches, each with the cursor of its last line. While one is written, another is
//! read and the lines after it are asked for; no more than [`WAITING`] batches wait.

use std::sync::atomic::Ordering;

use infoblood_clinical::names::Sorter;
use sqlx::SqliteConnection;
use tokio::{sync::mpsc, time::timeout};

use super::{UnlockedWorkstation, apply, batch::Batch, names::Names, writer};
use crate::{
    courier::Cursors,
    database::DatabaseError,
    error::StoreError,
    session::UnlockError,
    transport::{FeedPage, Stream, Token, TransportError, end_line},
};

/// Lines of one request: the most that a server gives.
const PAGE: u32 = 2_000;
/// Lines of one batch; a search waits for at most one, or for a commit.
const BATCH: usize = 1_000;
/// Batches that are read and not written yet.
const WAITING: usize = 8;

/// What a refresh brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Resources that were written or removed.
    pub applied: u64,
    /// Lines that were no acceptable resource, and were left out: broken, too large, of an unknown type.
    pub skipped: u64,
}

impl UnlockedWorkstation {
    /// Reads the change feed to its end. What was applied before an error stays applied, and the next call resumes there.
    pub async fn refresh(&self) -> Result<Refreshed, UnlockError> {
        let mut done = Refreshed::default();
        for stream in [Stream::Safety, Stream::All] {
            let read = self.read_stream(stream, &mut done).await;
            if let Err(UnlockError::Transport(TransportError::Refused { code, .. })) = &read {
                self.workstation
                    .heed(code, Some(self.gate.person_id()))
                    .await?;
                self.workstation.documents_after_refusal(code).await;
            }
            read?;
        }
        self.note_cursors().await?;
        Ok(done)
    }

    /// Where a stream of the cache stands.
    pub(crate) async fn cursor(&self, stream: Stream) -> Result<Option<String>, UnlockError> {
        Ok(
            sqlx::query_scalar("SELECT cursor FROM feed WHERE stream = ?")
                .bind(stream.as_str())
                .fetch_optional(&mut *self.cache().await?)
                .await?,
        )
    }

    /// Tells the workstation where the feed stands, so that a pack can ask for what follows while the cache is closed.
    pub(crate) async fn note_cursors(&self) -> Result<(), UnlockError> {
        let cursors = Cursors {
            safety: self.cursor(Stream::Safety).await?,
            all: self.cursor(Stream::All).await?,
        };
        self.workstation.remember_cursors(&cursors).await?;
        Ok(())
    }

    /// Empties the cache: it is filled from the beginning.
    pub(crate) async fn empty(&self) -> Result<(), UnlockError> {
        let mut writer = self.writer().await?;
        self.emptied.store(true, Ordering::SeqCst);
        writer.clear().await?;
        self.changes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn read_stream(&self, stream: Stream, done: &mut Refreshed) -> Result<(), UnlockError> {
        let mut is_refill = false;
        loop {
            let from = self.cursor(stream).await?;
            let (lines, downloaded) = mpsc::channel(1);
            let (batches, read) = mpsc::channel(WAITING);
            // What was downloaded before an error is applied.
            let (download, reading, applied) = tokio::join!(
                self.download(stream, from.clone(), lines),
                read_all(downloaded, batches),
                self.apply_all(stream, from, read, done)
            );
            if !applied? {
                continue;
            }
            reading?;
            match download {
                Ok(()) => return Ok(()),
                Err(UnlockError::Transport(TransportError::Refused { code, .. }))
                    if matches!(code.as_str(), "cursor-expired" | "cursor-malformed")
                        && !is_refill =>
                {
                    is_refill = true;
                    self.empty().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Passes on the lines of page after page to the end of the stream, or until nobody takes them any more.
    async fn download(
        &self,
        stream: Stream,
        mut after: Option<String>,
        lines: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), UnlockError> {
        loop {
            let mut page = self.page(stream, after.as_deref()).await?;
            let (cursor, more) = loop {
                let some = page.lines(BATCH).await?;
                let end = end_line(&some);
                if lines.send(some).await.is_err() {
                    return Ok(());
                }
                if let Some(end) = end {
                    break end;
                }
            };
            if !more {
                return Ok(());
            }
            // More of the same would come without end.
            if after.as_ref() == Some(&cursor) {
                return Err(TransportError::NotProtocol.into());
            }
            after = Some(cursor);
        }
    }

    async fn page(&self, stream: Stream, after: Option<&str>) -> Result<FeedPage, UnlockError> {
        let transport = &self.workstation.0.transport;
        let token = self.token().await?;
        match transport.changes(&token, stream, after, PAGE).await {
            // The session ended; the person's keys open another.
            Err(TransportError::Refused { status: 401, .. }) => {
                *self.token.lock().await = None;
                let token = self.token().await?;
                Ok(transport.changes(&token, stream, after, PAGE).await?)
            }
            page => Ok(page?),
        }
    }

    /// Applies batches as they come; false if the stream's cursor was moved by somebody else meanwhile.
    async fn apply_all(
        &self,
        stream: Stream,
        mut from: Option<String>,
        mut batches: mpsc::Receiver<Batch>,
        done: &mut Refreshed,
    ) -> Result<bool, UnlockError> {
        loop {
            let waited = timeout(writer::WITHIN, batches.recv()).await;
            let batch = if let Ok(batch) = waited {
                batch
            } else {
                // The others are slow to come.
                self.writer().await?.commit().await?;
                batches.recv().await
            };
            let Some(batch) = batch else {
                break;
            };
            let Some(cursor) = batch.next_cursor() else {
                done.skipped += batch.skipped;
                continue;
            };
            if !self.write(stream, from.as_deref(), batch, done).await? {
                return Ok(false);
            }
            from = Some(cursor);
        }
        self.writer().await?.commit().await?;
        Ok(true)
    }

    async fn token(&self) -> Result<Token, UnlockError> {
        let mut token = self.token.lock().await;
        if let Some(token) = token.as_ref() {
            return Ok(token.clone());
        }
        let renewed = self.person.renew(&self.workstation).await?;
        Ok(token.insert(renewed).clone())
    }

    /// Applies a batch, moves the cursor and commits; false, and nothing, if the cursor is not at `from` any more.
    pub(crate) async fn apply(
        &self,
        stream: Stream,
        from: Option<&str>,
        batch: Batch,
        done: &mut Refreshed,
    ) -> Result<bool, UnlockError> {
        let is_applied = self.write(stream, from, batch, done).await?;
        self.writer().await?.commit().await?;
        Ok(is_applied)
    }

    /// The same, committed with what comes before and after it.
    async fn write(
        &self,
        stream: Stream,
        from: Option<&str>,
        batch: Batch,
        done: &mut Refreshed,
    ) -> Result<bool, UnlockError> {
        let sorter = Sorter::new().map_err(StoreError::sign)?;
        let counted = (batch.applied, batch.skipped);
        let now = self.workstation.now().as_second();
        let mut writer = self.writer().await?;
        if !writer.apply(&sorter, stream, from, batch, now).await? {
            return Ok(false);
        }
        self.changes.fetch_add(counted.0, Ordering::Relaxed);
        done.applied += counted.0;
        done.skipped += counted.1;
        drop(writer);
        self.writer().await?.copy_back().await;
        Ok(true)
    }
}

/// Makes batches of lines, until there are no more or nobody takes them.
async fn read_all(
    mut lines: mpsc::Receiver<Vec<u8>>,
    batches: mpsc::Sender<Batch>,
) -> Result<(), UnlockError> {
    let mut skipped = 0;
    while let Some(lines) = lines.recv().await {
        let mut batch = tokio::task::spawn_blocking(move || Batch::read(&lines))
            .await
            .map_err(|error| StoreError::from(std::io::Error::other(error)))??;
        skipped = batch.continue_from(skipped);
        if batches.send(batch).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Within a transaction: the batch, and the cursor after it.
pub(super) async fn write(
    cache: &mut SqliteConnection,
    names: &mut Names,
    sorter: &Sorter,
    stream: Stream,
    from: Option<&str>,
    batch: Batch,
    now: i64,
) -> Result<bool, DatabaseError> {
    let Some(cursor) = batch.next_cursor() else {
        return Ok(true);
    };
    let is_end = matches!(batch.end, Some((_, false)));
    let left_out = i64::try_from(batch.left_out()).unwrap_or(i64::MAX);
    let here: Option<String> = sqlx::query_scalar("SELECT cursor FROM feed WHERE stream = ?")
        .bind(stream.as_str())
        .fetch_optional(&mut *cache)
        .await?;
    if here.as_deref() != from {
        return Ok(false);
    }
    apply::apply(cache, names, sorter, batch).await?;
    sqlx::query(
        "INSERT INTO feed (stream, cursor, applied_at, left_out) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (stream) DO UPDATE
         SET cursor = excluded.cursor, applied_at = iif(excluded.applied_at > 0, excluded.applied_at, feed.applied_at),
             left_out = feed.left_out + excluded.left_out",
    )
    .bind(stream.as_str())
    .bind(cursor)
    .bind(if is_end { now } else { 0 })
    .bind(left_out)
    .execute(cache)
    .await?;
    Ok(true)
}
