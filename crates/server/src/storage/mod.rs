//! What the server keeps. One trait per concern, with the records it keeps; engines live in modules of their own
//! ([`sqlite`], [`postgres`]) and pass the same [`suite`](self).
//!
//! A [`Database`] hands out transactions; a [`Transaction`] is every concern at once, so that a service changes several
//! of them together or not at all. «Not found» is `Ok(None)`.
//!
//! To add a concern: records and trait in a file here, its tables in `migrations/` and, under the same number,
//! `migrations/postgres/`, the engines' parts in `sqlite/<concern>.rs` and `postgres/<concern>.rs`, its generic test in
//! `suite.rs`.

mod agreements;
mod audit;
mod courier;
mod departures;
mod devices;
mod feed;
mod log;
mod people;
pub mod postgres;
mod sessions;
mod settings;
mod sites;
pub mod sqlite;
#[cfg(test)]
mod suite;

use std::future::Future;
use std::path::PathBuf;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

pub use agreements::{AgreementStorage, Decision, Document, Texts};
pub use audit::{AuditEvent, AuditGap, AuditStorage, GapKind};
pub use courier::CourierStorage;
pub use devices::{Device, DeviceStatus, DeviceStorage};
pub use feed::{Change, FeedHead, FeedStorage, MARKS, MOST_BYTES, NewResource, Stream, is_full};
pub use log::{Entry, LogStorage};
pub use people::{EnrolmentCode, PeopleStorage, Person, PersonKey};
pub use sessions::{Session, SessionStorage};
pub use settings::SettingsStorage;
pub use sites::{Site, SiteStorage};

/// Why storage did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A unique key is taken: somebody was first.
    #[error("the row exists already")]
    Conflict,
    /// The database does not answer, is full, is locked by somebody else or refuses.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database was written by a newer version of this program.
    #[error("the database is of a newer version")]
    Newer,
    /// A stored value is not what this program writes.
    #[error("a stored value is damaged: {0}")]
    Damaged(&'static str),
}

impl StorageError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Unavailable(_) => "storage-unavailable",
            Self::Newer => "store-newer",
            Self::Damaged(_) => "store-corrupt",
        }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Conflict,
            sqlx::Error::ColumnDecode { .. } => Self::Damaged("a column's type"),
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

async fn migrate(migrator: &Migrator, connection: &mut impl Migrate) -> Stored<()> {
    // `run` would do the same, but its future is not `Send` for every lifetime.
    migrator
        .run_direct(None, connection, false)
        .await
        .map_err(migration_error)
}

fn migration_error(error: MigrateError) -> StorageError {
    match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => StorageError::Newer,
        other => StorageError::Unavailable(Box::new(other)),
    }
}

/// A count as databases know it.
fn signed(value: u64) -> Stored<i64> {
    i64::try_from(value).map_err(|_| StorageError::Damaged("a number is too large"))
}

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Location {
    /// The embedded engine's file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(postgres::PostgresUrl),
}

/// Result of a storage call.
pub type Stored<T> = Result<T, StorageError>;

/// Source of transactions; cheap to clone.
pub trait Database: Clone + Send + Sync + 'static {
    /// This engine's transaction.
    type Tx: Transaction;

    /// Opens the database there, which is of this engine, and brings its schema up to date. Unless `create`, it must exist.
    fn open_at(location: &Location, create: bool) -> impl Future<Output = Stored<Self>> + Send;

    /// A transaction that may write. Writers follow one another, across processes too.
    fn write(&self) -> impl Future<Output = Stored<Self::Tx>> + Send;

    /// A consistent view for reading.
    fn read(&self) -> impl Future<Output = Stored<Self::Tx>> + Send;

    /// Ends this process's work on it in order.
    fn close(self) -> impl Future<Output = Stored<()>> + Send;
}

/// All concerns under one transaction; dropped without [`commit`](Transaction::commit), nothing of it happened.
pub trait Transaction:
    SettingsStorage
    + SiteStorage
    + PeopleStorage
    + DeviceStorage
    + LogStorage
    + AgreementStorage
    + SessionStorage
    + FeedStorage
    + AuditStorage
    + CourierStorage
    + Send
    + 'static
{
    /// Makes everything durable, or returns an error and nothing happened.
    fn commit(self) -> impl Future<Output = Stored<()>> + Send;
}
