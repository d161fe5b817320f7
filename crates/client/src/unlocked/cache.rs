//! Queries of the patient cache. Nothing outside [`super`] calls them: the gate is checked there.

use infoblood_clinical::fhir::Resource;
use jiff::Timestamp;
use sqlx::{Connection as _, SqliteConnection};

use super::texts;
use crate::database::DatabaseError;

/// Settings of a large database that is filled in batches.
pub(super) async fn prepare(cache: &mut SqliteConnection) -> Result<(), DatabaseError> {
    // KiB kept decrypted, in place of 2 MiB; pages of the log before a commit copies them back: more than a large transaction has.
    sqlx::raw_sql("PRAGMA cache_size = -131072; PRAGMA wal_autocheckpoint = 32768;")
        .execute(cache)
        .await?;
    Ok(())
}

/// Everything about one donor.
pub(super) async fn resources(
    cache: &mut SqliteConnection,
    donor: &str,
) -> Result<Vec<Resource>, DatabaseError> {
    let texts: Vec<Vec<u8>> = sqlx::query_scalar("SELECT text FROM resource WHERE donor = ?")
        .bind(donor)
        .fetch_all(cache)
        .await?;
    texts::resources(&texts)
}

/// When both streams were last read to their ends.
pub(super) async fn as_of(
    cache: &mut SqliteConnection,
) -> Result<Option<Timestamp>, DatabaseError> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT min(applied_at) FROM feed HAVING count(*) = 2 AND min(applied_at) > 0",
    )
    .fetch_optional(cache)
    .await?;
    Ok(at.and_then(|at| Timestamp::from_second(at).ok()))
}

/// Lines that were left out since the cache was begun.
pub(super) async fn left_out(cache: &mut SqliteConnection) -> Result<u64, DatabaseError> {
    let lines: i64 = sqlx::query_scalar("SELECT coalesce(sum(left_out), 0) FROM feed")
        .fetch_one(cache)
        .await?;
    Ok(lines.unsigned_abs())
}

/// Empties the cache: its cursors are too old for the server.
pub(super) async fn clear(cache: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let mut transaction = cache.begin().await?;
    sqlx::raw_sql(
        "DELETE FROM feed; DELETE FROM donor; DELETE FROM resource; DELETE FROM name; DELETE FROM number; DELETE FROM moved;
         DELETE FROM stock_unit; DELETE FROM stock_count; DELETE FROM recipient; DELETE FROM trace;",
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
