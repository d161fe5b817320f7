//! The embedded engine: one SQLite file, one connection, one writer.
//!
//! The connection never leaves its mutex. Commands and a running server share the file: every write transaction also
//! holds an advisory lock on `<file>.lock`, so that two processes never write or checkpoint at the same moment (SQLite
//! before 3.51.3 can lose a WAL reset then). WAL and `synchronous = FULL`: a committed transaction survives a power cut.

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

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Database, Location, StorageError, Stored, Transaction, migrate, signed};

/// How long a transaction waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The database; clones share its one connection.
#[derive(Debug, Clone)]
pub struct SqliteDatabase {
    connection: Arc<Mutex<SqliteConnection>>,
    // Writers of this process queue here, in order, before one of them asks for the lock between processes.
    writers: Arc<Mutex<()>>,
    lock_file: PathBuf,
}

/// The right to write, held until the transaction is over.
#[derive(Debug)]
struct WriteLock {
    _turn: OwnedMutexGuard<()>,
    _file: File,
}

impl SqliteDatabase {
    /// Opens the file, which must exist unless `create`, and brings its schema up to date.
    pub async fn open(path: &Path, create: bool) -> Stored<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let lock_file = lock_path(path);
        let mut connection = {
            let _lock = lock(&lock_file).await?;
            let mut connection = SqliteConnection::connect_with(&options).await?;
            migrate(&MIGRATIONS, &mut connection).await?;
            connection
        };
        // The advisory lock already serialises writers; a reader that meets a foreign lock must not hang a request.
        sqlx::query("PRAGMA busy_timeout = 2000")
            .execute(&mut connection)
            .await?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            writers: Arc::default(),
            lock_file,
        })
    }

    async fn write_lock(&self) -> Stored<WriteLock> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.writers).lock_owned())
            .await
            .map_err(|elapsed| StorageError::Unavailable(Box::new(elapsed)))?;
        let file = lock(&self.lock_file).await?;
        Ok(WriteLock {
            _turn: turn,
            _file: file,
        })
    }

    async fn begin(&self, statement: &'static str, lock: Option<WriteLock>) -> Stored<SqliteTx> {
        // It is a transaction before it begins: a request that is given up while BEGIN is on its way rolls back too.
        let mut tx = SqliteTx {
            connection: Some(Arc::clone(&self.connection).lock_owned().await),
            lock,
        };
        sqlx::query(statement).execute(tx.conn()?).await?;
        Ok(tx)
    }
}

impl Database for SqliteDatabase {
    type Tx = SqliteTx;

    async fn open_at(location: &Location, create: bool) -> Stored<Self> {
        match location {
            Location::Sqlite(path) => Self::open(path, create).await,
            Location::Postgres(_) => Err(StorageError::Unavailable("this is no file".into())),
        }
    }

    async fn write(&self) -> Stored<SqliteTx> {
        let lock = self.write_lock().await?;
        self.begin("BEGIN IMMEDIATE", Some(lock)).await
    }

    async fn read(&self) -> Stored<SqliteTx> {
        self.begin("BEGIN", None).await
    }

    // Under the lock of writers, so that closing never meets a writer elsewhere. Alone, it leaves one file without a
    // write-ahead log beside it.
    async fn close(self) -> Stored<()> {
        let _lock = self.write_lock().await?;
        let mut connection = self.connection.lock().await;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut *connection)
            .await?;
        drop(connection);
        if let Some(connection) = Arc::into_inner(self.connection) {
            connection.into_inner().close().await?;
        }
        Ok(())
    }
}

/// A transaction on the one connection.
#[derive(Debug)]
pub struct SqliteTx {
    // Absent only after `commit`.
    connection: Option<OwnedMutexGuard<SqliteConnection>>,
    lock: Option<WriteLock>,
}

impl SqliteTx {
    fn conn(&mut self) -> Stored<&mut SqliteConnection> {
        self.connection
            .as_deref_mut()
            .ok_or(StorageError::Damaged("the transaction is over"))
    }
}

impl Transaction for SqliteTx {
    async fn commit(mut self) -> Stored<()> {
        sqlx::query("COMMIT").execute(self.conn()?).await?;
        self.connection = None;
        Ok(())
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        let (Some(mut connection), lock) = (self.connection.take(), self.lock.take()) else {
            return;
        };
        // The guard moves into the task: nobody begins on this connection before the rollback is through.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // On a full disk SQLite has rolled back by itself.
                if let Err(error) = sqlx::query("ROLLBACK").execute(&mut *connection).await {
                    tracing::debug!(%error, "nothing was rolled back");
                }
                drop(lock);
            });
        }
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

async fn lock(path: &Path) -> Stored<File> {
    let unavailable = |error: std::io::Error| StorageError::Unavailable(Box::new(error));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(unavailable)?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(unavailable(std::io::ErrorKind::WouldBlock.into()));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
    }
}

/// A column of exactly N bytes.
fn array<const N: usize>(row: &SqliteRow, column: &'static str) -> Stored<[u8; N]> {
    row.try_get::<&[u8], _>(column)?
        .try_into()
        .map_err(|_| StorageError::Damaged(column))
}

/// A column of exactly N bytes, or null.
fn optional_array<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Stored<Option<[u8; N]>> {
    row.try_get::<Option<&[u8]>, _>(column)?
        .map(|bytes| bytes.try_into().map_err(|_| StorageError::Damaged(column)))
        .transpose()
}

/// A column that counts.
fn unsigned(row: &SqliteRow, column: &'static str) -> Stored<u64> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StorageError::Damaged(column))
}

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;

    async fn open(dir: &tempfile::TempDir) -> SqliteDatabase {
        SqliteDatabase::open(&dir.path().join("server.db"), true)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn passes_the_suite() {
        let dir = tempfile::tempdir().unwrap();
        suite::run(&open(&dir).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_that_is_given_up_at_any_moment_leaves_no_transaction() {
        let dir = tempfile::tempdir().unwrap();
        suite::given_up(&open(&dir).await).await;
    }

    #[tokio::test]
    async fn two_processes_write_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (open(&dir).await, open(&dir).await);
        suite::one_after_the_other(first, second).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_change_is_missed_or_doubled_under_many_writers() {
        let dir = tempfile::tempdir().unwrap();
        suite::many_writers([open(&dir).await, open(&dir).await]).await;
    }

    #[tokio::test]
    async fn a_newer_schema_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let database = open(&dir).await;
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'future', TRUE, x'00', 0)",
        )
        .execute(&mut *database.connection.lock().await)
        .await
        .unwrap();
        let error = SqliteDatabase::open(&dir.path().join("server.db"), false)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "store-newer");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_unavailable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.db");
        std::fs::write(&path, vec![7_u8; 4096]).unwrap();
        assert_eq!(
            SqliteDatabase::open(&path, false).await.unwrap_err().code(),
            "storage-unavailable"
        );
    }
}
