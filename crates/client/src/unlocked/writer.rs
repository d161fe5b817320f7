//! The cache's connection while it is filled: one transaction for many batches, so that a page that many of them change is encrypted and
//! written once.
//!
//! There is one connection, so a search between two batches sees what is not committed yet: whole batches, with their cursor. A crash loses
//! at most what the open transaction has, and filling goes on from the cursor that is left.

use std::time::{Duration, Instant};

use infoblood_clinical::names::Sorter;
use sqlx::{Connection as _, SqliteConnection};

use super::{Batch, cache, feed, names::Names};
use crate::{
    database::{self, DatabaseError},
    transport::Stream,
};

/// Lines of one transaction: their pages fit into the page cache, and a search that meets its end waits for some tenths of a second.
const LINES: u64 = 20_000;
/// The longest that lines wait for their commit while others follow.
pub(super) const WITHIN: Duration = Duration::from_secs(1);

/// The connection and its open transaction, and what is looked for in memory.
pub(crate) struct Writer {
    connection: SqliteConnection,
    state: State,
    /// As the tables are, committed or not; `None`: to be read from them.
    names: Option<Names>,
    /// The log has a large transaction that is not copied back yet.
    is_log_long: bool,
}

enum State {
    /// No transaction.
    Idle,
    /// So many lines were applied since then.
    Open { lines: u64, since: Instant },
    /// Something began and did not end, or failed: whatever is open goes.
    Broken,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            state: State::Idle,
            names: None,
            is_log_long: false,
        }
    }

    /// Leaves nothing of an earlier failure, or of what was dropped half way.
    pub(super) async fn recover(&mut self) {
        match self.state {
            State::Open { .. } => {}
            State::Idle => database::leave_failed_transaction(&mut self.connection).await,
            State::Broken => {
                // Fails where SQLite rolled back by itself. Where it fails otherwise, so does the next BEGIN.
                let _ = sqlx::raw_sql("ROLLBACK")
                    .execute(&mut self.connection)
                    .await;
                self.names = None;
                self.state = State::Idle;
            }
        }
    }

    /// For reading: what was applied is there, committed or not.
    pub(super) fn reader(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// For searching: the same, and the names. Reads them if they are not there yet.
    pub(super) async fn searcher(
        &mut self,
    ) -> Result<(&mut SqliteConnection, &mut Names), DatabaseError> {
        let names = match self.names.take() {
            Some(names) => names,
            None => Names::load(&mut self.connection).await?,
        };
        Ok((&mut self.connection, self.names.insert(names)))
    }

    /// Applies a batch and moves the cursor, both or neither, and commits when there is enough, or at the stream's end. False, and
    /// nothing, if the cursor is not at `from` any more.
    pub(super) async fn apply(
        &mut self,
        sorter: &Sorter,
        stream: Stream,
        from: Option<&str>,
        batch: Batch,
        now: i64,
    ) -> Result<bool, DatabaseError> {
        let is_end = matches!(batch.end, Some((_, false)));
        let more = batch.applied + batch.skipped;
        let (lines, since) = match std::mem::replace(&mut self.state, State::Broken) {
            State::Open { lines, since } => (lines, since),
            State::Idle | State::Broken => {
                sqlx::raw_sql("BEGIN").execute(&mut self.connection).await?;
                (0, Instant::now())
            }
        };
        let (connection, names) = self.searcher().await?;
        let is_applied = feed::write(connection, names, sorter, stream, from, batch, now).await?;
        let lines = lines + more;
        self.state = State::Open { lines, since };
        if !is_applied || is_end || lines >= LINES || since.elapsed() >= WITHIN {
            self.commit().await?;
            self.is_log_long = true;
        }
        Ok(is_applied)
    }

    /// Copies a large transaction from the log to where it belongs, if there is one. Apart from its commit, so that a search that waits for the
    /// one need not wait for the other.
    pub(super) async fn copy_back(&mut self) {
        if std::mem::take(&mut self.is_log_long)
            && let State::Idle = self.state
            && let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)")
                .execute(&mut self.connection)
                .await
        {
            // Nothing is lost: the log keeps it.
            tracing::warn!(%error, "the log was not copied back");
        }
    }

    /// Commits what is open.
    pub(super) async fn commit(&mut self) -> Result<(), DatabaseError> {
        if let State::Open { .. } = self.state {
            self.state = State::Broken;
            sqlx::raw_sql("COMMIT")
                .execute(&mut self.connection)
                .await?;
            self.state = State::Idle;
        }
        Ok(())
    }

    /// Empties the cache.
    pub(super) async fn clear(&mut self) -> Result<(), DatabaseError> {
        self.commit().await?;
        self.names = None;
        cache::clear(&mut self.connection).await
    }

    /// Commits and closes the file.
    pub(super) async fn close(mut self) -> Result<(), DatabaseError> {
        let committed = self.commit().await;
        self.connection.close().await?;
        committed
    }
}

#[cfg(test)]
mod tests;
