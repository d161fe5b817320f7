//! Filling the cache: safety first, then everything, in small transactions, each with the cursor of its last line.

use std::collections::BTreeSet;

use infoblood_clinical::{fhir::Record, names::Sorter};
use sqlx::{Connection as _, SqliteConnection};

use super::{UnlockedWorkstation, cache};
use crate::{
    courier::Cursors,
    database::DatabaseError,
    error::StoreError,
    session::UnlockError,
    transport::{FeedLine, Stream, Token, TransportError},
};

/// Lines of one request.
const PAGE: u32 = 500;
/// Lines of one transaction.
const BATCH: usize = 100;

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
        clear(&mut *self.cache().await?).await?;
        Ok(())
    }

    async fn read_stream(&self, stream: Stream, done: &mut Refreshed) -> Result<(), UnlockError> {
        let mut is_refill = false;
        loop {
            match self.read_page(stream, done).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(UnlockError::Transport(TransportError::Refused { code, .. }))
                    if code == "cursor-expired" && !is_refill =>
                {
                    is_refill = true;
                    clear(&mut *self.cache().await?).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One page; whether there is more.
    async fn read_page(&self, stream: Stream, done: &mut Refreshed) -> Result<bool, UnlockError> {
        let after = self.cursor(stream).await?;
        let transport = &self.workstation.0.transport;
        let token = self.token().await?;
        let mut page = match transport
            .changes(&token, stream, after.as_deref(), PAGE)
            .await
        {
            // The session ended; the person's keys open another.
            Err(TransportError::Refused { status: 401, .. }) => {
                *self.token.lock().await = None;
                let token = self.token().await?;
                transport
                    .changes(&token, stream, after.as_deref(), PAGE)
                    .await?
            }
            page => page?,
        };
        let mut batch = Vec::new();
        loop {
            match page.next().await {
                Ok(FeedLine::Broken) => done.skipped += 1,
                Ok(FeedLine::End { cursor, more }) => {
                    self.apply(stream, batch, done, &cursor, !more).await?;
                    return Ok(more);
                }
                Ok(line) => {
                    batch.push(line);
                    if batch.len() >= BATCH {
                        self.apply_lines(stream, std::mem::take(&mut batch), done)
                            .await?;
                    }
                }
                Err(error) => {
                    self.apply_lines(stream, batch, done).await?;
                    return Err(error.into());
                }
            }
        }
    }

    async fn token(&self) -> Result<Token, UnlockError> {
        let mut token = self.token.lock().await;
        if let Some(token) = token.as_ref() {
            return Ok(token.clone());
        }
        let renewed = self.person.renew(&self.workstation).await?;
        Ok(token.insert(renewed).clone())
    }

    async fn apply_lines(
        &self,
        stream: Stream,
        batch: Vec<FeedLine>,
        done: &mut Refreshed,
    ) -> Result<(), UnlockError> {
        let Some(FeedLine::Put { cursor, .. } | FeedLine::Delete { cursor, .. }) = batch.last()
        else {
            return Ok(());
        };
        let cursor = cursor.clone();
        self.apply(stream, batch, done, &cursor, false).await
    }

    /// Applies lines and moves the cursor in one transaction.
    pub(crate) async fn apply(
        &self,
        stream: Stream,
        batch: Vec<FeedLine>,
        done: &mut Refreshed,
        cursor: &str,
        is_end: bool,
    ) -> Result<(), UnlockError> {
        let sorter = Sorter::new().map_err(StoreError::sign)?;
        let mut connection = self.cache().await?;
        let mut transaction = connection.begin().await?;
        let mut touched = BTreeSet::new();
        let mut counted = Refreshed::default();
        for line in batch {
            match line {
                FeedLine::Put { resource, .. } => {
                    match Record::parse_line(resource.to_string().as_bytes()) {
                        Ok(record) => {
                            put(&mut transaction, &record, &mut touched).await?;
                            counted.applied += 1;
                        }
                        Err(error) => {
                            tracing::warn!(
                                code = error.code(),
                                "a resource of the change feed was left out"
                            );
                            counted.skipped += 1;
                        }
                    }
                }
                FeedLine::Delete { kind, id, .. } => {
                    let donor: Option<Option<String>> = sqlx::query_scalar(
                        "DELETE FROM resource WHERE kind = ? AND id = ? RETURNING donor",
                    )
                    .bind(&kind)
                    .bind(&id)
                    .fetch_optional(&mut *transaction)
                    .await?;
                    touched.extend(donor.flatten());
                    counted.applied += 1;
                }
                FeedLine::End { .. } | FeedLine::Broken => {}
            }
        }
        for donor in &touched {
            cache::rebuild(&mut transaction, &sorter, donor).await?;
        }
        let applied_at = if is_end {
            self.workstation.now().as_second()
        } else {
            0
        };
        sqlx::query(
            "INSERT INTO feed (stream, cursor, applied_at) VALUES (?1, ?2, ?3) ON CONFLICT (stream) DO UPDATE
             SET cursor = excluded.cursor, applied_at = iif(excluded.applied_at > 0, excluded.applied_at, feed.applied_at)",
        )
        .bind(stream.as_str())
        .bind(cursor)
        .bind(applied_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        done.applied += counted.applied;
        done.skipped += counted.skipped;
        Ok(())
    }
}

async fn put(
    cache: &mut SqliteConnection,
    record: &Record,
    touched: &mut BTreeSet<String>,
) -> Result<(), DatabaseError> {
    let resource = &record.resource;
    let donor = resource.patient_id();
    // A resource may move from one person to another; both rows change.
    let before: Option<Option<String>> =
        sqlx::query_scalar("SELECT donor FROM resource WHERE kind = ? AND id = ?")
            .bind(resource.resource_type())
            .bind(resource.id())
            .fetch_optional(&mut *cache)
            .await?;
    touched.extend(before.flatten());
    touched.extend(donor.map(str::to_owned));
    sqlx::query(
        "INSERT INTO resource (kind, id, donor, json) VALUES (?, ?, ?, ?)
         ON CONFLICT (kind, id) DO UPDATE SET donor = excluded.donor, json = excluded.json",
    )
    .bind(resource.resource_type())
    .bind(resource.id())
    .bind(donor)
    .bind(&record.raw)
    .execute(cache)
    .await?;
    Ok(())
}

/// Empties the cache: its cursors are too old for the server.
async fn clear(cache: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let mut transaction = cache.begin().await?;
    sqlx::raw_sql("DELETE FROM feed; DELETE FROM donor; DELETE FROM resource;")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}
