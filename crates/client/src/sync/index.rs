//! The outbox's index in the store, as the engine knows it.

use std::collections::BTreeSet;

use infoblood_agreement::sealed::Kind;
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::engine::{Route, Row};
use crate::database::DatabaseError;

#[derive(FromRow)]
struct Stored {
    id: String,
    kind: String,
    identity: Option<i64>,
    rowid: i64,
    attempts: i64,
    next_attempt_at: i64,
    error: Option<String>,
    wedged: bool,
    orphan: bool,
}

/// Every row, and the identities whose enrolment is registered.
pub(super) async fn load(
    store: &mut SqliteConnection,
) -> Result<(Vec<Row>, BTreeSet<i64>), DatabaseError> {
    let stored: Vec<Stored> = sqlx::query_as(
        "SELECT o.id, o.kind, s.identity, o.rowid, o.attempts, o.next_attempt_at, o.error, o.wedged,
           o.orphan OR (s.id IS NULL AND o.kind <> 'audit-event') AS orphan
         FROM outbox o LEFT JOIN statement s ON s.item_id = o.id",
    )
    .fetch_all(&mut *store)
    .await?;
    let rows = stored.into_iter().filter_map(row).collect();
    let enrolled: Vec<i64> = sqlx::query_scalar(
        "SELECT identity FROM statement WHERE kind = 'enrolment' AND receipt IS NOT NULL AND identity IS NOT NULL",
    )
    .fetch_all(&mut *store)
    .await?;
    Ok((rows, enrolled.into_iter().collect()))
}

fn row(stored: Stored) -> Option<Row> {
    // A kind of a newer version of the app stays where it is.
    let kind = Kind::parse(&stored.kind)?;
    Some(Row {
        id: stored.id,
        kind,
        identity: stored.identity,
        order: stored.rowid,
        attempts: u32::try_from(stored.attempts).unwrap_or(u32::MAX),
        next_attempt_at: Timestamp::from_millisecond(stored.next_attempt_at).unwrap_or_default(),
        error: stored.error,
        is_wedged: stored.wedged,
        route: match (stored.orphan, kind) {
            (false, _) => Route::Direct,
            (true, Kind::AuditEvent) => Route::Orphan,
            (true, _) => Route::Courier,
        },
    })
}

/// Keeps what the engine changed.
pub(super) async fn persist(store: &mut SqliteConnection, row: &Row) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE outbox SET attempts = ?, next_attempt_at = ?, error = ?, wedged = ? WHERE id = ?",
    )
    .bind(i64::from(row.attempts))
    .bind(row.next_attempt_at.as_millisecond())
    .bind(&row.error)
    .bind(row.is_wedged)
    .bind(&row.id)
    .execute(store)
    .await?;
    Ok(())
}
