//! The engine for larger centres: a PostgreSQL database that stands beside the server.
//!
//! Every write transaction begins by locking the one row of `log_head`: writers follow one another, also those of other
//! processes, so that nothing is serialised in vain, nobody waits in a circle, and changes become visible in the order
//! of their sequences. Readers see one snapshot and wait for nobody. An insertion that meets its like does nothing and is
//! then named `Conflict`, because an error would end the whole transaction here.
//!
//! A connection that is lost during COMMIT leaves open whether it happened: the caller is told of an error and repeats,
//! and everything that is repeated gets its first answer.

mod agreements;
mod audit;
mod courier;
mod devices;
mod feed;
mod log;
mod people;
mod sessions;
mod settings;
mod sites;
mod url;

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgPoolOptions, PgQueryResult, PgRow};
use sqlx::{PgConnection, PgPool, Postgres, Row};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Database, Location, StorageError, Stored, Transaction, migrate, signed};

pub use url::PostgresUrl;

/// How long a transaction waits for a connection, for its turn in this process, and for other processes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Readers at once; one writer comes to it.
const CONNECTIONS: u32 = 16;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations/postgres");

/// The database; clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresDatabase {
    pool: PgPool,
    // Writers of this process queue here: those that wait must not take the readers' connections.
    writers: Arc<Mutex<()>>,
}

impl PostgresDatabase {
    /// Connects, and brings the schema up to date. The database itself must exist.
    pub async fn connect(url: &PostgresUrl) -> Stored<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(url.options())
            .await?;
        let row = sqlx::query("SHOW server_encoding").fetch_one(&pool).await?;
        if row.try_get::<&str, _>("server_encoding")? != "UTF8" {
            return Err(StorageError::Unavailable(
                "the database's encoding is not UTF8".into(),
            ));
        }
        migrate(&MIGRATIONS, &mut *pool.acquire().await?).await?;
        Ok(Self {
            pool,
            writers: Arc::default(),
        })
    }

    async fn begin(
        &self,
        statement: &'static str,
        turn: Option<OwnedMutexGuard<()>>,
    ) -> Stored<PostgresTx> {
        Ok(PostgresTx {
            tx: self.pool.begin_with(statement).await?,
            _turn: turn,
        })
    }
}

impl Database for PostgresDatabase {
    type Tx = PostgresTx;

    async fn open_at(location: &Location, _create: bool) -> Stored<Self> {
        match location {
            Location::Postgres(url) => Self::connect(url).await,
            Location::Sqlite(_) => Err(StorageError::Unavailable("this is a file".into())),
        }
    }

    async fn write(&self) -> Stored<PostgresTx> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.writers).lock_owned())
            .await
            .map_err(|elapsed| StorageError::Unavailable(Box::new(elapsed)))?;
        // Each statement after the lock sees what the writer before has committed.
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
        let mut tx = self.begin(begin, Some(turn)).await?;
        sqlx::query("SELECT id FROM log_head WHERE id = 1 FOR UPDATE")
            .fetch_one(tx.conn())
            .await?;
        Ok(tx)
    }

    async fn read(&self) -> Stored<PostgresTx> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.begin(begin, None).await
    }

    async fn close(self) -> Stored<()> {
        tokio::time::timeout(PATIENCE, self.pool.close())
            .await
            .map_err(|elapsed| StorageError::Unavailable(Box::new(elapsed)))
    }
}

/// A transaction on a connection of its own; dropped, it rolls back before anybody else gets the connection.
#[derive(Debug)]
pub struct PostgresTx {
    tx: sqlx::Transaction<'static, Postgres>,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl PostgresTx {
    fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

impl Transaction for PostgresTx {
    async fn commit(mut self) -> Stored<()> {
        // After a failed statement COMMIT rolls back and reports no error; any other statement tells.
        sqlx::query("SELECT 1").execute(self.conn()).await?;
        self.tx.commit().await?;
        Ok(())
    }
}

/// Whether the row of an insertion was new.
fn inserted(done: &PgQueryResult) -> Stored<()> {
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StorageError::Conflict)
    }
}

/// A column of exactly N bytes.
fn array<const N: usize>(row: &PgRow, column: &'static str) -> Stored<[u8; N]> {
    row.try_get::<&[u8], _>(column)?
        .try_into()
        .map_err(|_| StorageError::Damaged(column))
}

/// A column of exactly N bytes, or null.
fn optional_array<const N: usize>(row: &PgRow, column: &'static str) -> Stored<Option<[u8; N]>> {
    row.try_get::<Option<&[u8]>, _>(column)?
        .map(|bytes| bytes.try_into().map_err(|_| StorageError::Damaged(column)))
        .transpose()
}

/// A column that counts.
fn unsigned(row: &PgRow, column: &'static str) -> Stored<u64> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StorageError::Damaged(column))
}

/// A column that counts to a few thousand.
fn small(row: &PgRow, column: &'static str) -> Stored<u16> {
    u16::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StorageError::Damaged(column))
}

#[cfg(test)]
mod tests;
