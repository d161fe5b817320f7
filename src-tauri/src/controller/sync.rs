//! The background task that sends what waits. It goes on by itself when the connection returns, and after a restart.

use std::{sync::Arc, time::Duration};

use infoblood_agreement::sealed::Kind;
use infoblood_client::{
    Workstation,
    clock::Clock,
    sync::{Phase as SyncState, SyncOutcome, retry_item, retry_now, run_once},
};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::timeout,
};

use super::{Controller, Event, Phase, Store, failure::told};
use crate::view::{
    AppError, Connection, CourierFile, Queue, QueueKind, SyncFacts, SyncPhase, WedgedItem,
};

/// With nothing to send, the server is looked for this often.
const QUIET: Duration = Duration::from_mins(1);
/// While it does not answer, this often.
const SEARCHING: Duration = Duration::from_secs(10);
/// Never twice within this time, whatever is due.
const SHORTEST: Duration = Duration::from_millis(500);

/// What one round brought.
pub(super) struct Outcome {
    result: Result<SyncOutcome, AppError>,
    is_online: bool,
    /// When the next round comes, if nobody asks for one before.
    next_round: Timestamp,
}

/// The running task.
pub(super) struct Syncer {
    now: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Syncer {
    pub(super) fn start(
        workstation: Workstation,
        clock: Arc<dyn Clock>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let now = Arc::new(Notify::new());
        let task = tokio::spawn(run(workstation, clock, events, now.clone()));
        Self { now, task }
    }

    /// Ends the task; what it was sending is sent again after the next start.
    pub(super) async fn stop(self) {
        self.task.abort();
        // Cancelled is what was asked for.
        let _ = self.task.await;
    }
}

async fn run(
    workstation: Workstation,
    clock: Arc<dyn Clock>,
    events: mpsc::Sender<Event>,
    now: Arc<Notify>,
) {
    let mut is_missed = false;
    loop {
        let result = run_once(&workstation)
            .await
            .map_err(|error| told("sync", error.code(), &error));
        let tried = result.as_ref().ok().and_then(|outcome| outcome.is_online);
        let is_online = match tried {
            Some(answered) => answered,
            None => workstation.is_server_reachable().await,
        };
        // What waits because nobody was there goes as soon as somebody is; a server that is there and fails is left its time.
        if is_back(&mut is_missed, tried, is_online) && retry_now(&workstation).await.is_ok() {
            continue;
        }
        let at = clock.now();
        let pause = pause(at, &result, is_online);
        let outcome = Outcome {
            result,
            is_online,
            next_round: at.saturating_add(pause).unwrap_or(at),
        };
        if events.send(Event::Synced(outcome)).await.is_err() {
            return;
        }
        // Elapsed or called: both mean another round.
        let _ = timeout(pause, now.notified()).await;
    }
}

/// Whether the server that was looked for in vain is there again. `tried` is how a round went that had something to say to it.
fn is_back(is_missed: &mut bool, tried: Option<bool>, is_online: bool) -> bool {
    let was_missed = *is_missed;
    *is_missed = !is_online && (was_missed || tried.is_none());
    was_missed && tried.is_none() && is_online
}

/// Until the next item is due, at most [`QUIET`].
fn pause(now: Timestamp, result: &Result<SyncOutcome, AppError>, is_online: bool) -> Duration {
    let longest = if is_online { QUIET } else { SEARCHING };
    let due = result
        .as_ref()
        .ok()
        .and_then(|outcome| outcome.next_attempt_at);
    let until = due.map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
    until.map_or(longest, |until| until.clamp(SHORTEST, longest))
}

fn kind(kind: Kind) -> QueueKind {
    match kind {
        Kind::Enrolment => QueueKind::Enrolment,
        Kind::Acceptance => QueueKind::Acceptance,
        Kind::DeviceRefusal => QueueKind::DeviceRefusal,
        Kind::AuditEvent => QueueKind::AuditEvent,
    }
}

impl Controller {
    /// How synchronisation stands; `None` while the store is not open.
    pub(super) async fn sync_facts(&self) -> Result<Option<SyncFacts>, AppError> {
        let Store::Open(workstation) = &self.store else {
            return Ok(None);
        };
        let status = workstation
            .sync_status()
            .await
            .map_err(|error| told("sync-status", error.code(), &error))?;
        // What was sealed since the last round has no time of its own yet.
        let next_attempt_at = status.next_attempt_at.or(self
            .next_round
            .filter(|_| status.phase == SyncState::Waiting));
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Ok(Some(SyncFacts {
            phase: match status.phase {
                SyncState::Idle => SyncPhase::Idle,
                SyncState::Connecting => SyncPhase::Connecting,
                SyncState::Sending => SyncPhase::Sending,
                SyncState::Receiving => SyncPhase::Receiving,
                SyncState::Waiting => SyncPhase::Waiting,
                SyncState::Wedged => SyncPhase::Wedged,
            },
            queues: status
                .queues
                .into_iter()
                .map(|queue| Queue {
                    kind: kind(queue.kind),
                    waiting: count(queue.waiting),
                    wedged: count(queue.wedged),
                    last_success: text(queue.last_success),
                })
                .collect(),
            last_success: text(status.last_success),
            next_attempt_at: text(next_attempt_at),
            delayed: status.next_attempt_at.is_some(),
            wedged: status
                .wedged
                .into_iter()
                .map(|item| WedgedItem {
                    id: item.id,
                    kind: kind(item.kind),
                    created_at: item.created_at.to_string(),
                    attempts: item.attempts,
                    code: item.code,
                })
                .collect(),
            alarm: status.alarm,
            courier_files: workstation
                .saved_files()
                .await
                .map_err(|error| told("sync-status", error.code(), &error))?
                .into_iter()
                .map(|file| CourierFile {
                    name: file.name,
                    saved_at: file.at.to_string(),
                    items: count(file.items),
                    answered_at: text(file.answered_at),
                })
                .collect(),
        }))
    }

    /// A person asks for this item to be sent again, whatever was said of it.
    pub(super) async fn retry_item(&self, id: &str) -> Result<(), AppError> {
        retry_item(self.workstation()?, id)
            .await
            .map_err(|error| told("retry", error.code(), &error))?;
        self.nudge();
        Ok(())
    }

    /// Sends now what is due.
    pub(super) fn nudge(&self) {
        if let Some(syncer) = &self.syncer {
            syncer.now.notify_one();
        }
    }

    /// Sends now what is due, unless the server is known to be away: then its return is noticed anyway. Whether it does.
    pub(super) fn send_if_online(&self) -> bool {
        let is_online = self.connection == Connection::Online;
        if is_online {
            self.nudge();
        }
        is_online
    }

    /// Whether something was sealed that no round has met yet: a look at a list, a purpose, a print.
    pub(super) fn has_fresh(&self) -> bool {
        let sync = self.shown.as_ref().and_then(|state| state.sync.as_ref());
        sync.is_some_and(|sync| sync.phase == SyncPhase::Waiting && !sync.delayed)
    }

    /// A person asks: also what waits for its next attempt.
    pub(super) async fn sync_now(&mut self) -> Result<(), AppError> {
        if let Phase::Blocked(_) = self.phase {
            // The keyring may have been started or opened meanwhile, the profile installed.
            self.reopen();
            return Ok(());
        }
        retry_now(self.workstation()?)
            .await
            .map_err(|error| told("retry", error.code(), &error))?;
        self.nudge();
        self.refresh();
        Ok(())
    }

    pub(super) async fn synced(&mut self, outcome: Outcome) {
        self.next_round = Some(outcome.next_round);
        let was_offline = self.connection == Connection::Offline;
        self.connection = if outcome.is_online {
            Connection::Online
        } else {
            Connection::Offline
        };
        if let Err(error) = &outcome.result {
            tracing::error!(code = error.code, "a round of synchronisation failed");
        }
        if was_offline && outcome.is_online {
            self.refresh();
        }
        self.heed_revocation().await;
        self.unlock_if_registered().await;
    }
}

#[cfg(test)]
mod tests {
    use super::is_back;

    #[test]
    fn a_server_that_is_there_again_is_noticed_once_and_one_that_fails_is_not() {
        let (mut missed, gone, looked) = (false, Some(false), None);
        // Up, down while something is sent, looked for in vain, there again.
        for (tried, is_online, back) in [
            (Some(true), true, false),
            (gone, false, false),
            (looked, false, false),
            (gone, false, false),
            (looked, false, false),
            (looked, true, true),
            (Some(true), true, false),
            (looked, true, false),
        ] {
            assert_eq!(
                is_back(&mut missed, tried, is_online),
                back,
                "{tried:?} {is_online}"
            );
        }
        // It answers, and every round with it fails: the growing waits stand.
        for _ in 0..3 {
            assert!(!is_back(&mut missed, gone, false));
            assert!(!is_back(&mut missed, looked, true));
        }
        // There again, and failing: one attempt, no more.
        assert!(!is_back(&mut missed, looked, false));
        assert!(is_back(&mut missed, looked, true));
        assert!(!is_back(&mut missed, gone, false));
        assert!(!is_back(&mut missed, looked, true));
    }
}
