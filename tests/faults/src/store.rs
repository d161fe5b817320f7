//! A bare store with the settings of the client's databases, and one of them free: the control of the power cuts.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::Result;
use crate::client::say;

/// How much a commit waits for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Synchronous {
    /// As the client's and the server's databases: the write-ahead log is written through at every commit.
    Full,
    /// Only at checkpoints.
    Normal,
}

/// What the parent asks for.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The file.
    #[arg(long)]
    file: PathBuf,
    /// The setting that is tried.
    #[arg(long, value_enum)]
    synchronous: Synchronous,
}

/// Commits record after record and says so, until it is killed.
pub(crate) async fn write(arguments: &Arguments) -> Result {
    let mut store = open(&arguments.file, arguments.synchronous).await?;
    sqlx::raw_sql("CREATE TABLE record (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT")
        .execute(&mut store)
        .await?;
    for number in 1i64.. {
        sqlx::query("INSERT INTO record (number, bytes) VALUES (?, randomblob(700))")
            .bind(number)
            .execute(&mut store)
            .await?;
        say(&format!("told stored {number}"));
    }
    Ok(())
}

/// The numbers that are there.
pub(crate) async fn read(file: &Path) -> Result<Vec<i64>> {
    let mut store = open(file, Synchronous::Full).await?;
    let made: bool = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'record'")
        .fetch_one(&mut store)
        .await?;
    let numbers = if made {
        sqlx::query_scalar("SELECT number FROM record ORDER BY number")
            .fetch_all(&mut store)
            .await?
    } else {
        Vec::new()
    };
    store.close().await?;
    Ok(numbers)
}

async fn open(file: &Path, synchronous: Synchronous) -> Result<SqliteConnection> {
    let synchronous = match synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    let key = format!("\"x'{}'\"", hex::encode([7; 32]));
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .pragma("key", key)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .disable_statement_logging();
    Ok(options.connect().await?)
}
