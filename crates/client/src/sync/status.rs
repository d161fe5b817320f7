//! How synchronisation stands, for a person: nothing is called done before the server's proof is kept.

use infoblood_agreement::sealed::Kind;
use jiff::Timestamp;
use sqlx::FromRow;

use super::{engine::Phase, restored};
use crate::{
    Workstation,
    database::DatabaseError,
    receipts::{LAST_SUCCESS, last_success_of},
    settings,
    workstation::NEEDS_COURIER,
};

/// How synchronisation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncStatus {
    /// What it does just now.
    pub phase: Phase,
    /// One for each kind, also when it is empty.
    pub queues: Vec<Queue>,
    /// When the server last acknowledged an item, by a receipt that verified or by saying that it has it.
    pub last_success: Option<Timestamp>,
    /// When the next item is sent by itself; `None` when none waits for time.
    pub next_attempt_at: Option<Timestamp>,
    /// What waits for a person: refused for good, or only to be carried by a courier pack (`needs-courier`).
    pub wedged: Vec<WedgedItem>,
    /// Code of what the server did that it must not, until all is well again.
    pub alarm: Option<String>,
}

/// The items of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Which.
    pub kind: Kind,
    /// Not acknowledged yet; what was refused for good is not among them.
    pub waiting: u64,
    /// Refused for good.
    pub wedged: u64,
    /// When the server last acknowledged one of them.
    pub last_success: Option<Timestamp>,
}

/// An item that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WedgedItem {
    /// For [`super::retry_item`].
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// When it was signed, or found.
    pub created_at: Timestamp,
    /// Failed attempts.
    pub attempts: u32,
    /// Why.
    pub code: String,
}

#[derive(FromRow)]
struct Stored {
    id: String,
    kind: String,
    created_at: i64,
    attempts: i64,
    error: Option<String>,
    wedged: bool,
}

impl Workstation {
    /// How synchronisation stands.
    pub async fn sync_status(&self) -> Result<SyncStatus, DatabaseError> {
        let mut store = self.store().await;
        let counts: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT kind, sum(wedged = 0), sum(wedged <> 0) FROM outbox GROUP BY kind",
        )
        .fetch_all(&mut *store)
        .await?;
        let stuck: Vec<Stored> = sqlx::query_as(
            "SELECT id, kind, created_at, attempts, error, wedged FROM outbox WHERE wedged = 1 OR error = ? ORDER BY rowid",
        )
        .bind(NEEDS_COURIER)
        .fetch_all(&mut *store)
        .await?;
        let time = |at: Option<i64>| at.and_then(|at| Timestamp::from_second(at).ok());
        let last_success = time(settings::int(&mut store, LAST_SUCCESS).await?);
        let mut successes = Vec::new();
        for kind in Kind::ALL {
            let at = settings::int(&mut store, &last_success_of(kind.as_str())).await?;
            successes.push(time(at));
        }
        let alarm = restored::alarm(&mut store).await?;
        drop(store);

        let queues: Vec<_> = Kind::ALL
            .into_iter()
            .zip(successes)
            .map(|(kind, last_success)| {
                let (waiting, wedged) = counts
                    .iter()
                    .find(|(name, ..)| name == kind.as_str())
                    .map_or((0, 0), |(_, waiting, wedged)| (*waiting, *wedged));
                Queue {
                    kind,
                    waiting: waiting.unsigned_abs(),
                    wedged: wedged.unsigned_abs(),
                    last_success,
                }
            })
            .collect();
        let carried = stuck.iter().filter(|item| !item.wedged).count() as u64;
        let waiting: u64 = queues.iter().map(|queue| queue.waiting).sum();
        let seen = self.0.syncing.seen();
        let phase = seen.phase.unwrap_or(if waiting > carried {
            Phase::Waiting
        } else if stuck.is_empty() {
            Phase::Idle
        } else {
            Phase::Wedged
        });
        Ok(SyncStatus {
            phase,
            queues,
            last_success,
            next_attempt_at: seen.next_attempt_at.filter(|_| waiting > carried),
            wedged: stuck
                .into_iter()
                .filter_map(|item| {
                    Some(WedgedItem {
                        kind: Kind::parse(&item.kind)?,
                        id: item.id,
                        created_at: Timestamp::from_second(item.created_at).unwrap_or_default(),
                        attempts: u32::try_from(item.attempts).unwrap_or(u32::MAX),
                        code: item.error.unwrap_or_else(|| "server-refused".to_owned()),
                    })
                })
                .collect(),
            alarm,
        })
    }

    /// Sealed items that the server has not acknowledged yet; those that it refused for good are not counted.
    pub async fn waiting(&self) -> Result<u64, DatabaseError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE wedged = 0")
            .fetch_one(&mut *self.store().await)
            .await?;
        Ok(count.unsigned_abs())
    }
}
