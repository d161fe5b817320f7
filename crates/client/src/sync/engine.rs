//! What is sent when: a state machine without any input or output. Time and randomness are parameters, everything else comes in as
//! an [`Event`] and goes out as an [`Effect`].
//!
//! It holds the index of the outbox, no bytes. One request is on its way at a time; whatever answer comes (late, twice, never, to
//! something that is gone) is safe. Rules:
//!
//! - An enrolment goes before its person's decisions, and everything of the device after its first enrolment.
//! - A failure of one item makes that item wait (backoff, `Retry-After`); a refusal for good wedges it; neither holds up another.
//! - A connection that fails, or two silent requests in a row, ends the round for all; the next one starts with those that
//!   were not tried.
//! - An item leaves the index only when the server acknowledged it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use infoblood_agreement::sealed::Kind;
use jiff::{SignedDuration, Timestamp};
use rand_core::Rng;

use crate::backoff;

/// How many audit events travel in one request.
const BATCH: usize = 40;
/// Silent requests in a row that count as a lost connection.
const SILENT: u32 = 2;
/// A step without an answer is given up after this time; requests have shorter deadlines of their own.
const PATIENCE: SignedDuration = SignedDuration::from_mins(3);

/// How an item reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// As a request of its own.
    Direct,
    /// Left by a store that is gone, but readable by the server on its own: sent whatever this store knows of enrolments.
    Orphan,
    /// Left by a store that is gone: it needs a courier pack.
    Courier,
}

/// One row of the outbox's index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the sealed file.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Whose keys signed it; `None` for what the device signed.
    pub identity: Option<i64>,
    /// Older items have smaller numbers.
    pub order: i64,
    /// Failed attempts.
    pub attempts: u32,
    /// When it is due; the epoch for at once.
    pub next_attempt_at: Timestamp,
    /// Code of the last failure.
    pub error: Option<String>,
    /// Waits for a person, not for time.
    pub is_wedged: bool,
    /// How it reaches the server.
    pub route: Route,
}

/// What became of one item at one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receipt verified, or the server said that it has the item.
    Acknowledged,
    /// Tried again later.
    Later {
        /// Why.
        code: String,
        /// What the server asked for.
        retry_after: Option<Duration>,
    },
    /// The server asked this workstation to send nothing for a while.
    Busy {
        /// Why.
        code: String,
        /// What the server asked for.
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    Silent {
        /// Why.
        code: String,
    },
    /// Will not succeed by waiting.
    Wedged {
        /// Why.
        code: String,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The whole index as it is stored, and the identities whose enrolment is registered. Replaces what was known; what was on its
    /// way is no longer waited for.
    Loaded {
        /// Every row.
        rows: Vec<Row>,
        /// Registered identities.
        enrolled: BTreeSet<i64>,
    },
    /// A new item is durable.
    Added(Row),
    /// Another hand removed an item: taken back, or acknowledged by another way.
    Removed(String),
    /// A round is asked for, whether something is due or not.
    Begin,
    /// Time went by.
    Tick,
    /// The server answered.
    Connected,
    /// The server cannot be reached.
    ConnectionFailed {
        /// Why.
        code: String,
    },
    /// The answer for one item.
    Answered {
        /// Which.
        id: String,
        /// What it says.
        verdict: Verdict,
    },
    /// Another way (a courier's answer) brought the server's refusal for good.
    Refused {
        /// Which.
        id: String,
        /// Why.
        code: String,
    },
    /// What the server has for us was fetched, as far as possible.
    Received,
    /// A person asks: what waits for time is due now.
    RetryNow,
    /// A person asks: this item, also when it is wedged.
    RetryItem(String),
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Look whether the server is there; answered by [`Event::Connected`] or [`Event::ConnectionFailed`].
    Connect,
    /// Send one statement, or some audit events in one request; answered by one [`Event::Answered`] each.
    Send(Vec<String>),
    /// Fetch what the server has for us; answered by [`Event::Received`].
    Receive,
    /// Keep this row.
    Persist(Row),
    /// The item is at the server: keep the proof and drop the row, in one transaction.
    Delete(String),
    /// The server refused this identity's enrolment for good.
    Refuse {
        /// Whose.
        identity: i64,
        /// Why.
        code: String,
    },
    /// The refusal no longer stands: it is tried again.
    Readmit(i64),
    /// Nothing to do before this time, or before something happens.
    WaitUntil(Option<Timestamp>),
}

/// What it does just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing waits.
    Idle,
    /// Looking for the server.
    Connecting,
    /// A request with items is on its way.
    Sending,
    /// Fetching.
    Receiving,
    /// Items wait for their time, for others or for the server.
    Waiting,
    /// All that is left waits for a person.
    Wedged,
}

impl Phase {
    /// Stable name for the interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Sending => "sending",
            Self::Receiving => "receiving",
            Self::Waiting => "waiting",
            Self::Wedged => "wedged",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Rest,
    Connecting,
    Sending {
        has_received: bool,
    },
    Receiving,
}

/// The state machine.
#[derive(Debug, Default)]
pub struct Engine {
    items: BTreeMap<String, Row>,
    enrolled: BTreeSet<i64>,
    in_flight: BTreeSet<String>,
    stage: Stage,
    /// When the present step began.
    since: Timestamp,
    /// Silent requests in a row.
    silent: u32,
    failed_connections: u32,
    /// No connection by itself before this.
    hold: Option<Timestamp>,
    /// Nothing is sent before this: the server asked for it.
    pause: Option<Timestamp>,
}

impl Engine {
    /// Nothing known, nothing on its way.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it does just now.
    pub fn phase(&self) -> Phase {
        match self.stage {
            Stage::Connecting => Phase::Connecting,
            Stage::Sending { .. } => Phase::Sending,
            Stage::Receiving => Phase::Receiving,
            Stage::Rest
                if self
                    .items
                    .values()
                    .any(|row| !row.is_wedged && row.route != Route::Courier) =>
            {
                Phase::Waiting
            }
            Stage::Rest if !self.items.is_empty() => Phase::Wedged,
            Stage::Rest => Phase::Idle,
        }
    }

    /// The index.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.items.values()
    }

    /// One row of it.
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.items.get(id)
    }

    /// When the next item is sent by itself; `None` when none waits for time.
    pub fn next_attempt(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self
            .items
            .values()
            .filter(|row| self.may_go(row))
            .map(|row| later_of(Some(row.next_attempt_at), now))
            .min()?;
        Some(
            due.max(later_of(self.hold, now))
                .max(later_of(self.pause, now)),
        )
    }

    /// Takes what happened and says what to do.
    pub fn handle(&mut self, event: Event, now: Timestamp, rng: &mut impl Rng) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Loaded { rows, enrolled } => {
                self.items = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
                self.enrolled = enrolled;
                self.in_flight.clear();
                self.stage = Stage::Rest;
                self.wedge_with_enrolments(&mut effects);
            }
            Event::Added(row) => self.added(row, &mut effects),
            Event::Removed(id) => {
                self.in_flight.remove(&id);
                self.items.remove(&id);
            }
            Event::Begin => {
                if self.stage == Stage::Rest {
                    self.connect(now, &mut effects);
                }
            }
            Event::Tick => self.tick(now, rng, &mut effects),
            Event::Connected => {
                if self.stage == Stage::Connecting {
                    self.connected();
                }
            }
            Event::ConnectionFailed { code } => self.disconnected(&code, now, rng, &mut effects),
            Event::Answered { id, verdict } => {
                self.answered(&id, verdict, now, rng, &mut effects);
            }
            Event::Refused { id, code } => self.wedge(&id, &code, &mut effects),
            Event::Received => {
                if self.stage == Stage::Receiving {
                    self.stage = Stage::Sending { has_received: true };
                }
            }
            Event::RetryNow => self.retry_now(&mut effects),
            Event::RetryItem(id) => self.retry_item(&id, &mut effects),
        }
        self.advance(now, &mut effects);
        effects
    }

    fn added(&mut self, row: Row, effects: &mut Vec<Effect>) {
        self.items.entry(row.id.clone()).or_insert(row);
        self.wedge_with_enrolments(effects);
    }

    /// Under keys whose enrolment was refused nothing can be registered: what was signed after the refusal is wedged as what was
    /// signed before it.
    fn wedge_with_enrolments(&mut self, effects: &mut Vec<Effect>) {
        let refused: BTreeMap<i64, Option<String>> = self
            .items
            .values()
            .filter(|row| row.kind == Kind::Enrolment && row.is_wedged)
            .filter_map(|row| Some((row.identity?, row.error.clone())))
            .collect();
        for row in self.items.values_mut() {
            let Some(error) = row.identity.and_then(|identity| refused.get(&identity)) else {
                continue;
            };
            if !row.is_wedged {
                row.is_wedged = true;
                row.error.clone_from(error);
                effects.push(Effect::Persist(row.clone()));
            }
        }
    }

    fn connect(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.stage = Stage::Connecting;
        self.since = now;
        self.silent = 0;
        effects.push(Effect::Connect);
    }

    fn connected(&mut self) {
        self.stage = Stage::Sending {
            has_received: false,
        };
        self.hold = None;
        if self.failed_connections > 0 {
            self.failed_connections = 0;
            // What waited only because nobody was there.
            for row in self.items.values_mut() {
                if !row.is_wedged && row.error.as_deref() == Some(UNREACHABLE) {
                    row.next_attempt_at = Timestamp::UNIX_EPOCH;
                }
            }
        }
    }

    fn tick(&mut self, now: Timestamp, rng: &mut impl Rng, effects: &mut Vec<Effect>) {
        if self.stage == Stage::Rest {
            let is_due = self
                .next_attempt(now)
                .is_some_and(|at| later_of(Some(at), now) <= now);
            if is_due {
                self.connect(now, effects);
            }
        } else if now.duration_since(self.since).abs() > PATIENCE {
            self.disconnected("server-slow", now, rng, effects);
        }
    }

    fn disconnected(
        &mut self,
        code: &str,
        now: Timestamp,
        rng: &mut impl Rng,
        effects: &mut Vec<Effect>,
    ) {
        if self.stage == Stage::Rest {
            return;
        }
        let mut failed = std::mem::take(&mut self.in_flight);
        // Without a single request on its way the statements that were to go now say why they did not; the many audit events
        // are not rewritten each time.
        if self.stage == Stage::Connecting {
            failed.extend(
                self.items
                    .values()
                    .filter(|row| row.kind != Kind::AuditEvent && self.is_due(row, now))
                    .map(|row| row.id.clone()),
            );
        }
        for id in failed {
            self.fail(&id, code, None, now, rng, effects);
        }
        self.failed_connections = self.failed_connections.saturating_add(1);
        let wait = backoff::wait(self.failed_connections, None, rng);
        self.hold = Some(after(now, wait));
        self.rest(now, effects);
    }

    fn answered(
        &mut self,
        id: &str,
        verdict: Verdict,
        now: Timestamp,
        rng: &mut impl Rng,
        effects: &mut Vec<Effect>,
    ) {
        let was_asked = self.in_flight.remove(id);
        let Some(row) = self.items.get(id) else {
            return;
        };
        // An acknowledgement counts whenever it comes. Any other late answer is of an attempt that was given up already.
        if !was_asked && verdict != Verdict::Acknowledged {
            return;
        }
        if was_asked && !matches!(verdict, Verdict::Silent { .. }) {
            self.silent = 0;
        }
        match verdict {
            Verdict::Acknowledged => {
                if row.kind == Kind::Enrolment {
                    self.enrolled.extend(row.identity);
                }
                self.items.remove(id);
                effects.push(Effect::Delete(id.to_owned()));
            }
            Verdict::Later { code, retry_after } => {
                self.fail(id, &code, retry_after, now, rng, effects);
            }
            Verdict::Busy { code, retry_after } => {
                self.fail(id, &code, retry_after, now, rng, effects);
                let wait = backoff::wait(1, retry_after, rng);
                self.pause = Some(later_of(self.pause, now).max(after(now, wait)));
            }
            Verdict::Silent { code } => {
                self.fail(id, &code, None, now, rng, effects);
                if self.in_flight.is_empty() {
                    self.silent += 1;
                }
                if self.silent >= SILENT {
                    self.disconnected(&code, now, rng, effects);
                }
            }
            Verdict::Wedged { code } => self.wedge(id, &code, effects),
        }
    }

    fn fail(
        &mut self,
        id: &str,
        code: &str,
        retry_after: Option<Duration>,
        now: Timestamp,
        rng: &mut impl Rng,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(row) = self.items.get_mut(id) {
            row.attempts = row.attempts.saturating_add(1);
            row.next_attempt_at = after(now, backoff::wait(row.attempts, retry_after, rng));
            row.error = Some(code.to_owned());
            effects.push(Effect::Persist(row.clone()));
        }
    }

    fn wedge(&mut self, id: &str, code: &str, effects: &mut Vec<Effect>) {
        let Some(row) = self.items.get_mut(id) else {
            return;
        };
        row.attempts = row.attempts.saturating_add(1);
        row.is_wedged = true;
        row.error = Some(code.to_owned());
        effects.push(Effect::Persist(row.clone()));
        let (Kind::Enrolment, Some(identity)) = (row.kind, row.identity) else {
            return;
        };
        // One that was registered before (and is posted again to a restored server) keeps its receipt, and the person the keys.
        if !self.enrolled.contains(&identity) {
            let code = code.to_owned();
            effects.push(Effect::Refuse { identity, code });
        }
        self.wedge_with_enrolments(effects);
    }

    fn retry_now(&mut self, effects: &mut Vec<Effect>) {
        self.hold = None;
        self.pause = None;
        for row in self.items.values_mut() {
            if !row.is_wedged && row.next_attempt_at != Timestamp::UNIX_EPOCH {
                row.next_attempt_at = Timestamp::UNIX_EPOCH;
                effects.push(Effect::Persist(row.clone()));
            }
        }
    }

    fn retry_item(&mut self, id: &str, effects: &mut Vec<Effect>) {
        let Some(row) = self.items.get(id) else {
            return;
        };
        self.hold = None;
        self.pause = None;
        // A person's items hang together: without the enrolment no decision can go.
        let together = row.identity;
        let is_refused = self
            .enrolment_of(together)
            .is_some_and(|enrolment| enrolment.is_wedged);
        for row in self.items.values_mut() {
            if row.id == id || (is_refused && row.identity == together) {
                row.is_wedged = false;
                row.next_attempt_at = Timestamp::UNIX_EPOCH;
                effects.push(Effect::Persist(row.clone()));
            }
        }
        if let (true, Some(identity)) = (is_refused, together) {
            effects.push(Effect::Readmit(identity));
        }
    }

    /// Goes on as far as it can without waiting for anything.
    fn advance(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let Stage::Sending { has_received } = self.stage else {
            return;
        };
        if !self.in_flight.is_empty() {
            return;
        }
        self.since = now;
        let next = self.next_request(now);
        if !next.is_empty() {
            self.in_flight.extend(next.iter().cloned());
            effects.push(Effect::Send(next));
        } else if has_received {
            self.rest(now, effects);
        } else {
            self.stage = Stage::Receiving;
            effects.push(Effect::Receive);
        }
    }

    fn rest(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.stage = Stage::Rest;
        self.silent = 0;
        effects.push(Effect::WaitUntil(self.next_attempt(now)));
    }

    /// The item whose turn it is, with its companions in the same request. Whoever failed waits longer than whoever was not
    /// tried, so nobody is passed over for ever.
    fn next_request(&self, now: Timestamp) -> Vec<String> {
        if later_of(self.pause, now) > now {
            return Vec::new();
        }
        let due = || self.items.values().filter(|row| self.is_due(row, now));
        let Some(first) =
            due().min_by_key(|row| (row.next_attempt_at, row.attempts, rank(row.kind), row.order))
        else {
            return Vec::new();
        };
        if first.kind != Kind::AuditEvent {
            return vec![first.id.clone()];
        }
        // A request that failed as a whole is tried again in halves: one bad item must not take its companions along.
        let size = BATCH >> first.attempts.min(6);
        let mut batch: Vec<_> = due()
            .filter(|row| row.kind == Kind::AuditEvent && row.id != first.id)
            .collect();
        batch.sort_by_key(|row| (row.next_attempt_at, row.attempts, row.order));
        batch.truncate(size.saturating_sub(1));
        batch.push(first);
        batch.sort_by_key(|row| row.order);
        batch.into_iter().map(|row| row.id.clone()).collect()
    }

    fn is_due(&self, row: &Row, now: Timestamp) -> bool {
        self.may_go(row) && later_of(Some(row.next_attempt_at), now) <= now
    }

    /// Whether nothing but time stands in its way.
    fn may_go(&self, row: &Row) -> bool {
        if row.is_wedged || self.in_flight.contains(&row.id) {
            return false;
        }
        match (row.route, row.kind) {
            (Route::Courier, _) => false,
            (Route::Orphan, _) | (Route::Direct, Kind::Enrolment) => true,
            (Route::Direct, Kind::Acceptance) => {
                row.identity.is_some_and(|id| self.enrolled.contains(&id))
                    && self.enrolment_of(row.identity).is_none()
            }
            (Route::Direct, Kind::DeviceRefusal | Kind::AuditEvent) => !self.enrolled.is_empty(),
        }
    }

    /// The enrolment of this identity, while it waits.
    fn enrolment_of(&self, identity: Option<i64>) -> Option<&Row> {
        let identity = identity?;
        self.items
            .values()
            .find(|row| row.kind == Kind::Enrolment && row.identity == Some(identity))
    }
}

/// The code of items that waited only for a connection.
const UNREACHABLE: &str = "server-unreachable";

fn rank(kind: Kind) -> usize {
    Kind::ALL
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(usize::MAX)
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(now)
}

/// The time, unless it is further away than any wait that was ever given: then the clock went back, and it is now.
fn later_of(at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match at {
        Some(at) if at > now && at <= after(now, backoff::MOST) => at,
        _ => now,
    }
}

#[cfg(test)]
mod tests;
