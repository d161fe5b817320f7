//! Sending what waits, and noticing what the server lost.
//!
//! [`engine`] decides, without any input or output; the driver does what it says against the store and the server; [`verdict`]
//! judges answers. [`Workstation::sync_status`] tells a person how it stands.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sqlx::Connection as _;

use crate::{Workstation, error::StoreError};

pub mod engine;
pub mod verdict;

mod driver;
mod index;
mod restored;
mod status;

pub use engine::Phase;
pub use restored::SERVER_RESTORED;
pub(crate) use restored::note_head;
pub use status::{Queue, SyncStatus, WedgedItem};

use driver::Round;
use engine::{Engine, Event};

/// What one round brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncOutcome {
    /// Whether the server answered.
    pub is_online: Option<bool>,
    /// Items that the server acknowledged in this round.
    pub sent: usize,
    /// Persons whose decision was registered in this round.
    pub registered: Vec<String>,
    /// Items that still wait.
    pub waiting: u64,
    /// Code of the last failure of this round.
    pub error: Option<String>,
    /// When the next item is due; `None` when none waits for time.
    pub next_attempt_at: Option<Timestamp>,
}

/// The engine of a workstation, and what others may know and ask while a round has it.
#[derive(Default)]
pub(crate) struct Syncing {
    engine: tokio::sync::Mutex<Engine>,
    /// What people asked for; a running round takes it between two steps.
    asked: Mutex<Vec<Event>>,
    seen: Mutex<Seen>,
}

#[derive(Default, Clone, Copy)]
struct Seen {
    /// During a round.
    phase: Option<Phase>,
    next_attempt_at: Option<Timestamp>,
}

impl Syncing {
    fn see(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, event: Event) {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    fn take_asked(&self) -> Vec<Event> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sends everything that is due, once. Errors of single items are kept with the items; the error returned is the store's own.
pub async fn run_once(workstation: &Workstation) -> Result<SyncOutcome, StoreError> {
    let mut engine = workstation.0.syncing.engine.lock().await;
    // A full disk keeps nothing from being sent: that makes room.
    workstation.glance_at_clock().await;
    let outcome = Round::new(workstation, &mut engine)?
        .run(Some(Event::Begin))
        .await?;
    drop(engine);
    if outcome.is_online == Some(true) {
        workstation.send_orphans().await?;
    }
    Ok(outcome)
}

/// Makes everything due at once, for a person who asks: also what waits for time, not what was refused for good.
pub async fn retry_now(workstation: &Workstation) -> Result<(), StoreError> {
    ask(workstation, Event::RetryNow).await
}

/// Makes this item due at once, also when it was refused for good; with an enrolment, the same person's decisions.
pub async fn retry_item(workstation: &Workstation, id: &str) -> Result<(), StoreError> {
    ask(workstation, Event::RetryItem(id.to_owned())).await
}

impl Workstation {
    /// Keeps the reason why an item will never be taken, as another way than a request brought it. A refused enrolment takes everything
    /// under its keys with it. False for an item that does not wait.
    pub(crate) async fn wedge(&self, id: &str, code: &str) -> Result<bool, StoreError> {
        let Ok(_no_round) = self.0.syncing.engine.try_lock() else {
            self.0.syncing.ask(Event::Refused {
                id: id.to_owned(),
                code: code.to_owned(),
            });
            return Ok(true);
        };
        // The next round's engine finds it, and wedges what hangs together with it.
        let mut store = self.store().await;
        let mut transaction = store.begin().await?;
        let wedged = sqlx::query(
            "UPDATE outbox SET wedged = 1, attempts = attempts + 1, error = ? WHERE id = ?",
        )
        .bind(code)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "UPDATE identity SET refused = ? WHERE id =
               (SELECT identity FROM statement WHERE item_id = ? AND kind = 'enrolment' AND receipt IS NULL)",
        )
        .bind(code)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(wedged.rows_affected() > 0)
    }
}

async fn ask(workstation: &Workstation, event: Event) -> Result<(), StoreError> {
    workstation.0.syncing.ask(event);
    // A running round takes it itself.
    if let Ok(mut engine) = workstation.0.syncing.engine.try_lock() {
        Round::new(workstation, &mut engine)?.run(None).await?;
    }
    Ok(())
}
