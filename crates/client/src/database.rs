//! One encrypted SQLite file, opened once, by one connection, for this process alone.
//!
//! One connection per file and exclusive locking: the bundled SQLite has the WAL-reset bug, which needs two. `synchronous = FULL`:
//! `NORMAL` loses acknowledged rows in a power cut.

use std::{fs::File, io::Read, path::Path};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};
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

/// Opens (and creates, if it is missing) the database and brings its schema up to date.
///
/// `migrations` are applied in order; the file's `user_version` counts the applied ones.
pub(crate) async fn open(
    path: &Path,
    key: &[u8; 32],
    migrations: &'static [&'static str],
) -> Result<SqliteConnection, DatabaseError> {
    refuse_plain(path)?;
    // Exactly 64 hex digits: anything else is silently taken as a passphrase.
    let hex = Zeroizing::new(hex::encode(key));
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .pragma("key", format!("\"x'{}'\"", hex.as_str()))
        .pragma("cipher_memory_security", "ON")
        .pragma("temp_store", "MEMORY")
        .pragma("secure_delete", "ON")
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Otherwise the key is logged.
        .disable_statement_logging();
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
