//! One encrypted SQLite file, opened once, by one connection, for this process alone.
//!
//! One connection per file and exclusive locking: the bundled SQLite has the WAL-reset bug, which needs two. `synchronous = FULL`:
//! `NORMAL` loses acknowledged rows in a power cut.

use std::{fs::File, io::Read, path::Path};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard};
use zeroize::Zeroizing;

/// Why an encrypted database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file is damaged, or its key is another.
    #[error("the database is damaged or has another key")]
    Corrupt(#[source] sqlx::Error),
    /// Somebody put another file, or an older copy, in its place.
    #[error("the database was replaced")]
    Replaced,
    /// A newer version of the app wrote it.
    #[error("the database has schema {found}, this version knows {known}")]
    Newer {
        /// `user_version` of the file.
        found: i64,
        /// The newest that this version of the app knows.
        known: i64,
    },
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// Another process uses it.
    #[error("another process uses the database")]
    Busy,
    /// Anything else.
    #[error("the database failed")]
    Other(#[source] sqlx::Error),
    /// The file could not be read.
    #[error("the database file cannot be read")]
    File(#[source] std::io::Error),
}

impl DatabaseError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Corrupt(_) => "store-corrupt",
            Self::Replaced => "store-replaced",
            Self::Newer { .. } => "store-newer",
            Self::Full => "disk-full",
            Self::Busy => "already-running",
            Self::Other(_) | Self::File(_) => "internal",
        }
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        // Primary result codes of SQLite; extended codes carry them in the low byte.
        let primary = match &error {
            sqlx::Error::Database(database) => database
                .code()
                .and_then(|code| code.parse::<u32>().ok())
                .map(|code| code & 0xff),
            sqlx::Error::Io(io) if crate::disk::is_full(io) => Some(13),
            _ => None,
        };
        match primary {
            Some(13) => Self::Full,
            Some(11 | 26) => Self::Corrupt(error),
            Some(5 | 6) => Self::Busy,
            _ => Self::Other(error),
        }
    }
}

/// A database's one connection behind a lock.
pub(crate) struct Shared(Mutex<SqliteConnection>);

impl Shared {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self(Mutex::new(connection))
    }

    /// The connection, with no transaction of an earlier failure left on it.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, SqliteConnection> {
        let mut connection = self.0.lock().await;
        leave_failed_transaction(&mut connection).await;
        connection
    }

    /// Closes it in order.
    pub(crate) async fn close(self) -> Result<(), DatabaseError> {
        Ok(self.0.into_inner().close().await?)
    }
}

/// On a full disk SQLite may roll a transaction back by itself. sqlx's own ROLLBACK fails then, and it goes on counting a transaction: its
/// next ones are savepoints, and after one more failure their «commits» commit nothing.
pub(crate) async fn leave_failed_transaction(connection: &mut SqliteConnection) {
    if let Err(error) = leave(connection).await {
        tracing::error!(%error, "a failed transaction was not left");
    }
}

async fn leave(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if !connection.is_in_transaction() {
        return Ok(());
    }
    // The rollback of a dropped transaction runs before this.
    connection.ping().await?;
    if !connection.is_in_transaction() {
        return Ok(());
    }
    // Fails where SQLite has no transaction any more.
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    // Now there is one for sqlx to roll back: a named BEGIN is refused while it counts one, and the refused one is rolled back.
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
    drop(connection.begin_with("BEGIN IMMEDIATE").await);
    connection.ping().await?;
    if connection.is_in_transaction() {
        return Err(sqlx::Error::BeginFailed);
    }
    Ok(())
}

/// Opens (and creates, if it is missing) the database and brings its schema up to date.
///
/// `migrations` are applied in order; the file's `user_version` counts the applied ones.
pub(crate) async fn open(
    path: &Path,
    key: &[u8; 32],
    migrations: &'static [&'static str],
) -> Result<SqliteConnection, DatabaseError> {
    open_with(encrypted(path, key)?, migrations).await
}

/// The same for one that is large and filled in one go. Its pages are authenticated by HMAC-SHA-256, for which processors have instructions,
/// instead of HMAC-SHA-512: with them a page takes a third of the time.
pub(crate) async fn open_cache(
    path: &Path,
    key: &[u8; 32],
    migrations: &'static [&'static str],
) -> Result<SqliteConnection, DatabaseError> {
    let options = encrypted(path, key)?.pragma("cipher_hmac_algorithm", "HMAC_SHA256");
    open_with(options, migrations).await
}

fn encrypted(path: &Path, key: &[u8; 32]) -> Result<SqliteConnectOptions, DatabaseError> {
    refuse_plain(path)?;
    // Exactly 64 hex digits: anything else is silently taken as a passphrase.
    let hex = Zeroizing::new(hex::encode(key));
    let key = format!("\"x'{}'\"", hex.as_str());
    Ok(options(path).pragma("key", key))
}

/// The same database without encryption, to compare with.
#[cfg(feature = "measure")]
pub(crate) async fn open_plain(
    path: &Path,
    migrations: &'static [&'static str],
) -> Result<SqliteConnection, DatabaseError> {
    open_with(options(path), migrations).await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .pragma("temp_store", "MEMORY")
        .pragma("secure_delete", "ON")
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Otherwise the key is logged.
        .disable_statement_logging()
}

async fn open_with(
    options: SqliteConnectOptions,
    migrations: &'static [&'static str],
) -> Result<SqliteConnection, DatabaseError> {
    let mut connection = options.connect().await?;
    migrate(&mut connection, migrations).await?;
    Ok(connection)
}

async fn migrate(
    connection: &mut SqliteConnection,
    migrations: &'static [&'static str],
) -> Result<(), DatabaseError> {
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known || found < 0 {
        return Err(DatabaseError::Newer { found, known });
    }
    for (index, migration) in migrations
        .iter()
        .enumerate()
        .skip(usize::try_from(found).unwrap_or(0))
    {
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "PRAGMA user_version = {}",
            index + 1
        )))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// A plain SQLite file in place of an encrypted one was put there by somebody else.
fn refuse_plain(path: &Path) -> Result<(), DatabaseError> {
    let mut head = [0u8; 16];
    match File::open(path) {
        Ok(mut file) => match file.read_exact(&mut head) {
            Ok(()) if &head == b"SQLite format 3\0" => Err(DatabaseError::Replaced),
            _ => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DatabaseError::File(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[&str] = &["CREATE TABLE t (x TEXT) STRICT;"];
    const ONCE: &[&str] = &["CREATE TABLE t (x TEXT) STRICT;
         CREATE TABLE once (x INTEGER PRIMARY KEY) STRICT;
         INSERT INTO once VALUES (1);"];
    const TWO: &[&str] = &[
        "CREATE TABLE t (x TEXT) STRICT;",
        "CREATE TABLE u (x TEXT) STRICT;",
    ];

    #[tokio::test]
    async fn encrypted_migrated_and_strict_about_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut db = open(&path, &[1; 32], ONE).await.unwrap();
        sqlx::query("INSERT INTO t VALUES ('Қасымова-marker')")
            .execute(&mut db)
            .await
            .unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&mut db)
            .await
            .unwrap();
        assert_eq!(synchronous, 2);
        db.close().await.unwrap();
        assert!(
            !std::fs::read(&path)
                .unwrap()
                .windows(6)
                .any(|bytes| bytes == b"marker")
        );

        assert_eq!(
            open(&path, &[2; 32], ONE).await.unwrap_err().code(),
            "store-corrupt"
        );
        open(&path, &[1; 32], TWO)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        assert_eq!(
            open(&path, &[1; 32], ONE).await.unwrap_err().code(),
            "store-newer"
        );
    }

    /// Caches of the first builds had HMAC-SHA-512: they are made anew as damaged ones are.
    #[tokio::test]
    async fn a_cache_is_authenticated_and_one_of_other_settings_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let mut cache = open_cache(&path, &[1; 32], ONE).await.unwrap();
        let hmac: String = sqlx::query_scalar("PRAGMA cipher_hmac_algorithm")
            .fetch_one(&mut cache)
            .await
            .unwrap();
        assert_eq!(hmac, "HMAC_SHA256");
        cache.close().await.unwrap();
        let error = open(&path, &[1; 32], ONE).await.unwrap_err();
        assert_eq!(error.code(), "store-corrupt");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let mut cache = open_cache(&path, &[1; 32], ONE).await.unwrap();
        let error = sqlx::query("SELECT * FROM t").fetch_all(&mut cache).await;
        assert_eq!(
            DatabaseError::from(error.unwrap_err()).code(),
            "store-corrupt"
        );
        cache.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_full_database_is_named_and_keeps_what_it_had() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = open(&dir.path().join("a.db"), &[1; 32], ONE).await.unwrap();
        sqlx::query("INSERT INTO t VALUES ('kept')")
            .execute(&mut db)
            .await
            .unwrap();
        sqlx::query("PRAGMA max_page_count = 4")
            .execute(&mut db)
            .await
            .unwrap();
        let full = sqlx::query("INSERT INTO t VALUES (hex(zeroblob(100000)))")
            .execute(&mut db)
            .await;
        assert_eq!(DatabaseError::from(full.unwrap_err()).code(), "disk-full");
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
            .fetch_one(&mut db)
            .await
            .unwrap();
        assert_eq!(rows, 1);
    }

    /// What a full disk does at COMMIT, and to some statements: SQLite itself rolls the whole transaction back. Then an ordinary failure,
    /// which leaves the transaction to sqlx.
    #[tokio::test]
    async fn after_transactions_that_failed_a_commit_commits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let db = Shared::new(open(&path, &[1; 32], ONCE).await.unwrap());
        for round in 1..4 {
            for failing in [
                "INSERT OR ROLLBACK INTO once VALUES (1)",
                "INSERT INTO once VALUES (1)",
            ] {
                let mut db = db.lock().await;
                let mut transaction = db.begin().await.unwrap();
                let failed = sqlx::query(failing).execute(&mut *transaction).await;
                assert!(failed.is_err());
            }
            {
                let mut db = db.lock().await;
                let mut transaction = db.begin().await.unwrap();
                sqlx::query("INSERT INTO t VALUES ('told')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                transaction.commit().await.unwrap();
            }
            // The files as a crash at this moment leaves them.
            let copy = dir.path().join(format!("copy-{round}.db"));
            std::fs::copy(&path, &copy).unwrap();
            let log = |path: &Path| path.with_extension("db-wal");
            std::fs::copy(log(&path), log(&copy)).unwrap();
            let mut copy = open(&copy, &[1; 32], ONCE).await.unwrap();
            let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
                .fetch_one(&mut copy)
                .await
                .unwrap();
            assert_eq!(rows, round);
        }
    }

    #[tokio::test]
    async fn damage_and_a_plain_file_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        open(&path, &[1; 32], ONE)
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40..400].fill(0x55);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(
            open(&path, &[1; 32], ONE).await.unwrap_err().code(),
            "store-corrupt"
        );
        assert_eq!(
            std::fs::read(&path).unwrap(),
            bytes,
            "a refused file is left as it was"
        );

        std::fs::write(
            &path,
            [b"SQLite format 3\0".as_slice(), &[0; 4080]].concat(),
        )
        .unwrap();
        assert_eq!(
            open(&path, &[1; 32], ONE).await.unwrap_err().code(),
            "store-replaced"
        );
    }
}
