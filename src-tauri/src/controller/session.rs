//! A person's open keys and cache: sign in, unlock, refresh, lock.

use std::{sync::Arc, time::Duration};

use infoblood_agreement::gate::Unlocked;
use infoblood_client::{
    self as client, LeaseState, PersonSession, SignInError, UnlockedWorkstation, Workstation,
    courier::Progress as CourierProgress,
};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    Controller, Event, Phase, Registering, Reply,
    access::purpose_view,
    failure::{internal, named, told},
};
use crate::view::{AppError, Connection, Lease, Mode, PersonFacts, ReceiptFacts};

/// Between attempts to unlock after registration.
const UNLOCK_AGAIN: Duration = Duration::from_secs(10);
/// Between refreshes of the cache while it is open.
const REFRESH_EVERY: Duration = Duration::from_mins(1);

/// These end a session at once: the server says that the right to see patient data is gone.
const ENDING: &[&str] = &[
    "person-revoked",
    "device-revoked",
    "agreement-required",
    "grant-expired",
    "clock-behind",
];

/// Patient data are open.
pub(super) struct OpenCache {
    pub(super) cache: Arc<UnlockedWorkstation>,
    pub(super) person: PersonFacts,
    /// When the data were last brought up to date, as it was last asked.
    as_of: Option<Timestamp>,
    /// Lines of the feed that could not be read, as it was last asked.
    pub(super) left_out: u32,
    /// What the cache counted when a refresh last ended: while it is filled, nothing is asked again with every batch.
    pub(super) changes: u64,
    refreshing: Option<JoinHandle<()>>,
    /// What a courier brought, while it is applied.
    pub(super) applying: Arc<CourierProgress>,
    refresh_at: Instant,
    /// Tells the refreshes of one opening from those of another.
    opening: u64,
}

impl OpenCache {
    /// When the data were last brought up to date; `None` while they are not whole.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        self.as_of.filter(|_| !self.cache.is_emptied())
    }

    /// The person with the lease as it is now.
    pub(super) fn person_now(&self, may_break_glass: bool) -> PersonFacts {
        let lease = self.cache.lease();
        PersonFacts {
            lease: match lease.state {
                LeaseState::Ok => Lease::Ok,
                LeaseState::Soon => Lease::Soon,
                LeaseState::Attention => Lease::Attention,
                LeaseState::ReadOnly => Lease::ReadOnly,
                LeaseState::Ended => Lease::Ended,
            },
            lease_days_left: lease.days_left,
            mode: mode(self.cache.mode()),
            may_break_glass,
            purpose: self.cache.purpose().map(purpose_view),
            ..self.person.clone()
        }
    }
}

fn mode(mode: Option<client::Mode>) -> Mode {
    match mode {
        Some(client::Mode::Full) => Mode::Full,
        Some(client::Mode::BreakGlass) => Mode::BreakGlass,
        Some(client::Mode::ReadOnly) | None => Mode::ReadOnly,
    }
}

/// What unlocking gives.
struct Opening {
    cache: UnlockedWorkstation,
    person: PersonFacts,
    as_of: Option<Timestamp>,
}

/// The end of an attempt to unlock.
pub(super) struct UnlockDone {
    person_id: String,
    opening: u64,
    result: Result<Opening, AppError>,
    /// Who signs in and waits; `None` when it goes on from the registration.
    reply: Option<Reply<()>>,
}

/// The end of a refresh.
pub(super) struct RefreshDone {
    opening: u64,
    as_of: Result<Option<Timestamp>, AppError>,
    left_out: Option<u64>,
    changes: u64,
    result: Result<(), AppError>,
}

impl Controller {
    /// Opens the person's keys, then the cache if the acceptance is registered; else the screen of the registration.
    pub(super) async fn sign_in(
        &mut self,
        person_id: &str,
        passphrase: SecretString,
        reply: Reply<()>,
    ) {
        let session = match self.open_keys(person_id, passphrase).await {
            Ok(session) => session,
            Err(error) => return drop(reply.send(Err(error))),
        };
        match self.must_accept(person_id).await {
            Ok(None) => {}
            Ok(Some(known)) => {
                // The keys close again: reading takes its time.
                drop(session);
                self.phase = Phase::Agreement(Some(known));
                return drop(reply.send(Ok(())));
            }
            Err(error) => return drop(reply.send(Err(error))),
        }
        match self.is_registered(person_id).await {
            Ok(true) => self.unlock(session, Some(reply)),
            Ok(false) => {
                let person_id = person_id.to_owned();
                self.phase = Phase::Registering(Box::new(Registering {
                    session: Some(session),
                    ..Registering::resumed(person_id)
                }));
                self.nudge();
                drop(reply.send(Ok(())));
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    async fn open_keys(
        &self,
        person_id: &str,
        passphrase: SecretString,
    ) -> Result<PersonSession, AppError> {
        self.unblocked()?;
        if !matches!(self.phase, Phase::Return | Phase::Registering(_)) {
            return Err(internal());
        }
        self.keys_of(person_id, passphrase).await
    }

    /// The person's keys, if the passphrase is right.
    pub(super) async fn keys_of(
        &self,
        person_id: &str,
        passphrase: SecretString,
    ) -> Result<PersonSession, AppError> {
        self.workstation()?
            .sign_in(person_id, passphrase)
            .await
            .map_err(|error| {
                if !matches!(error, SignInError::Wrong { .. } | SignInError::Wait { .. }) {
                    told("sign-in", error.code(), &error);
                }
                waiting(error.code(), error.retry_after())
            })
    }

    /// Wraps a person's keys under a new passphrase.
    pub(super) async fn change_passphrase(
        &self,
        person_id: &str,
        old: SecretString,
        new: SecretString,
    ) -> Result<(), AppError> {
        self.unblocked()?;
        self.workstation()?
            .change_passphrase(person_id, old, new)
            .await
            .map_err(|error| waiting(error.code(), error.retry_after()))
    }

    async fn is_registered(&self, person_id: &str) -> Result<bool, AppError> {
        let progress = self
            .workstation()?
            .progress(person_id)
            .await
            .map_err(|error| told("progress", error.code(), &error))?;
        Ok(progress.is_some_and(|progress| progress.receipt_verified_at.is_some()))
    }

    /// Goes on by itself from a verified receipt to the open cache, while the keys are still open. True when something was begun.
    pub(super) async fn unlock_if_registered(&mut self) -> bool {
        let Phase::Registering(registering) = &self.phase else {
            return false;
        };
        let (Some(session), false) = (registering.session.clone(), registering.unlocking) else {
            return false;
        };
        if registering.again_at > Instant::now() {
            return false;
        }
        let person_id = registering.person_id.clone();
        if !self.is_registered(&person_id).await.unwrap_or(false) {
            return false;
        }
        if let Phase::Registering(registering) = &mut self.phase {
            registering.unlocking = true;
        }
        self.unlock(session, None);
        true
    }

    /// Asks for the grant and opens the gate, beside the controller: the server may be slow.
    fn unlock(&mut self, session: PersonSession, reply: Option<Reply<()>>) {
        let Ok(workstation) = self.workstation().cloned() else {
            if let Some(reply) = reply {
                drop(reply.send(Err(internal())));
            }
            return;
        };
        self.openings += 1;
        let (opening, events) = (self.openings, self.events.clone());
        // The stored grant serves when the server is known to be away; it is renewed when it comes back.
        let online = self.connection != Connection::Offline;
        self.beside(async move {
            let person_id = session.person_id().to_owned();
            let result = open(&workstation, &session, online).await;
            let done = UnlockDone {
                person_id,
                opening,
                result,
                reply,
            };
            // The controller may have ended meanwhile.
            let _ = events.send(Event::Unlocked(Box::new(done))).await;
        });
    }

    pub(super) async fn unlocked(&mut self, done: UnlockDone) {
        let UnlockDone {
            person_id,
            opening,
            result,
            reply,
        } = done;
        // Somebody locked or signed in anew while this was under way.
        let wanted = opening == self.openings
            && match &self.phase {
                Phase::Registering(registering) => {
                    reply.is_some() || registering.person_id == person_id
                }
                Phase::Return => reply.is_some(),
                _ => false,
            };
        let answer = match result {
            Ok(opened) if wanted => {
                self.last_touch = Instant::now();
                self.phase = Phase::Unlocked(Box::new(OpenCache {
                    cache: Arc::new(opened.cache),
                    person: opened.person,
                    as_of: opened.as_of,
                    left_out: 0,
                    changes: 0,
                    refreshing: None,
                    applying: Arc::default(),
                    refresh_at: Instant::now(),
                    opening,
                }));
                self.refresh();
                self.nudge();
                Ok(())
            }
            Ok(opened) => {
                close(opened.cache).await;
                Err(internal())
            }
            Err(error) => {
                if let Phase::Registering(registering) = &mut self.phase {
                    registering.unlocking = false;
                    registering.again_at = Instant::now() + UNLOCK_AGAIN;
                    registering.trouble = Some(error.clone());
                }
                // The refusal left an audit event.
                self.nudge();
                Err(error)
            }
        };
        if let Some(reply) = reply {
            drop(reply.send(answer));
        }
    }

    /// Brings the cache up to date, beside the controller.
    pub(super) fn refresh(&mut self) {
        let events = self.events.clone();
        let Phase::Unlocked(open) = &mut self.phase else {
            return;
        };
        if open
            .refreshing
            .as_ref()
            .is_some_and(|task| !task.is_finished())
        {
            return;
        }
        open.refresh_at = Instant::now() + REFRESH_EVERY;
        open.applying = Arc::default();
        let applying = Arc::clone(&open.applying);
        let (cache, opening) = (Arc::clone(&open.cache), open.opening);
        open.refreshing = Some(tokio::spawn(async move {
            // What a courier brought comes first: it may be all there is.
            if let Err(error) = cache.apply_answer(&applying).await {
                told("courier-apply", error.code(), &error);
            }
            let result = cache
                .refresh()
                .await
                .map_err(|error| told("refresh", error.code(), &error));
            let as_of = cache
                .data_as_of()
                .await
                .map_err(|error| told("as-of", error.code(), &error));
            let left_out = cache.left_out().await.ok();
            let changes = cache.changes();
            drop(cache);
            // The controller may have ended meanwhile.
            let _ = events
                .send(Event::Refreshed(RefreshDone {
                    opening,
                    as_of,
                    left_out,
                    changes,
                    result: result.map(drop),
                }))
                .await;
        }));
    }

    /// When the open cache is due for a refresh.
    pub(super) fn refresh_if_due(&mut self) {
        if matches!(&self.phase, Phase::Unlocked(open) if open.refresh_at <= Instant::now()) {
            self.refresh();
        }
    }

    /// Whether the window still says an age of data that were emptied since.
    pub(super) fn is_told_too_fresh(&self) -> bool {
        let told = self.shown.as_ref();
        told.is_some_and(|state| state.data_as_of.is_some())
            && matches!(&self.phase, Phase::Unlocked(open) if open.as_of().is_none())
    }

    pub(super) async fn refreshed(&mut self, done: RefreshDone) {
        let Phase::Unlocked(open) = &mut self.phase else {
            return;
        };
        if open.opening != done.opening {
            return;
        }
        if let Ok(as_of) = done.as_of {
            open.as_of = as_of;
        }
        if let Some(left_out) = done.left_out {
            open.left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        }
        open.changes = done.changes;
        if let Err(error) = done.result
            && ENDING.contains(&error.code.as_str())
            && let Err(error) = self.lock().await
        {
            tracing::error!(code = error.code, "the right is gone, but locking failed");
        }
    }

    /// Lifts the read-only time with a reason, which goes into the access log.
    pub(super) async fn break_glass(&self, reason: &str) -> Result<(), AppError> {
        let Phase::Unlocked(open) = &self.phase else {
            return Err(named("patient-locked"));
        };
        open.cache
            .break_glass(reason)
            .await
            .map_err(|error| told("break-glass", error.code(), &error))
    }

    pub(super) fn break_glass_allowed(&self) -> bool {
        let profile = self.profile.as_ref();
        profile.is_some_and(|profile| profile.policy().break_glass)
    }

    /// Ends the session: keys wiped, cache closed, page dropped. Also from the registration, whose keys are open.
    pub(super) async fn lock(&mut self) -> Result<(), AppError> {
        match &self.phase {
            Phase::Unlocked(_) | Phase::Registering(_) => {
                self.leave(Phase::Return).await;
                self.nudge();
                Ok(())
            }
            Phase::Return => Ok(()),
            _ => Err(internal()),
        }
    }

    /// Ends whatever session there is and goes on at `to`. The page that held it is dropped with what it shows.
    pub(super) async fn leave(&mut self, to: Phase) {
        let is_held = match &self.phase {
            Phase::Unlocked(_) => true,
            Phase::Registering(registering) => registering.session.is_some(),
            _ => false,
        };
        self.end_session().await;
        self.phase = to;
        if is_held {
            self.shell.forget_page();
        }
    }

    /// Wipes the keys and closes the cache, wherever the person is. Whatever is being unlocked comes too late.
    pub(super) async fn end_session(&mut self) {
        self.openings += 1;
        if !matches!(self.phase, Phase::Unlocked(_) | Phase::Registering(_)) {
            return;
        }
        if let Phase::Unlocked(mut open) = std::mem::replace(&mut self.phase, Phase::Return) {
            if let Some(task) = open.refreshing.take() {
                task.abort();
                // Cancelled is what was asked for; afterwards nobody else holds the cache.
                let _ = task.await;
            }
            if let Some(cache) = Arc::into_inner(open.cache) {
                close(cache).await;
            } else {
                tracing::error!("the cache is still held by somebody");
            }
        }
    }
}

/// An error that says how long to wait.
fn waiting(code: &str, retry_after: Option<Duration>) -> AppError {
    AppError {
        retry_after_seconds: retry_after
            .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
            .filter(|seconds| *seconds > 0),
        ..named(code)
    }
}

async fn close(cache: UnlockedWorkstation) {
    if let Err(error) = cache.lock().await {
        tracing::warn!(
            code = error.code(),
            error = &error as &dyn std::error::Error,
            "the cache was not closed cleanly"
        );
    }
}

async fn open(
    workstation: &Workstation,
    session: &PersonSession,
    online: bool,
) -> Result<Opening, AppError> {
    let cache = session
        .unlock(workstation, online)
        .await
        .map_err(|error| told("unlock", error.code(), &error))?;
    let as_of = cache
        .data_as_of()
        .await
        .map_err(|error| told("as-of", error.code(), &error))?;
    let person = person_facts(workstation, session, cache.gate()).await?;
    Ok(Opening {
        cache,
        person,
        as_of,
    })
}

async fn person_facts(
    workstation: &Workstation,
    session: &PersonSession,
    gate: &Unlocked,
) -> Result<PersonFacts, AppError> {
    let failed =
        |error: infoblood_client::database::DatabaseError| told("person", error.code(), &error);
    let text = |at| Timestamp::from_second(at).unwrap_or_default().to_string();
    let person_id = session.person_id();
    let people = workstation.people().await.map_err(failed)?;
    let person = people
        .into_iter()
        .find(|person| person.person_id == person_id)
        .ok_or_else(internal)?;
    let progress = workstation
        .progress(person_id)
        .await
        .map_err(failed)?
        .ok_or_else(internal)?;
    let last = workstation.last_purpose(person_id).await.map_err(failed)?;
    let receipt = progress
        .receipt
        .ok_or_else(|| named("agreement-required"))?;
    Ok(PersonFacts {
        name: person.name.unwrap_or_else(|| person.login.clone()),
        role: person.role,
        person_id: person.person_id,
        login: person.login,
        offline_until: text(gate.offline_until()),
        read_only_until: text(gate.read_only_until()),
        // As they are now: filled in whenever the state is told.
        lease: Lease::Ok,
        lease_days_left: 0,
        mode: Mode::ReadOnly,
        may_break_glass: false,
        purpose: None,
        last_purpose: last.map(purpose_view),
        receipt: ReceiptFacts {
            statement_id: progress.statement_id,
            registered_at: receipt.registered_at.to_string(),
            tree_size: receipt.tree_size,
            leaf_index: receipt.leaf_index,
        },
    })
}
