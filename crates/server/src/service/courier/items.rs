//! Taking what was brought, item by item, through the services that take it when there is a network.

use std::collections::BTreeSet;

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::keys::Kid;
use infoblood_agreement::sealed::{Kind, SealedItem, item_id};
use infoblood_agreement::statement;

use super::intake::{Item, Request};
use crate::context::Context;
use crate::problem::Problem;
use crate::service::audit::{self, Outcome};
use crate::service::{enrolments, entries};
use crate::storage::{Database, Entry};

/// Most wrong enrolment codes of one pack; what follows waits for the next.
pub const MAX_WRONG_CODES: u32 = 10;
/// Audit events in one transaction.
const EVENTS_AT_ONCE: usize = 200;

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Stored,
    Rejected(&'static str),
    Later(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) id: [u8; 32],
    pub(super) state: State,
    /// Of a statement that is in the log: its receipt is there.
    pub(super) leaf: Option<[u8; 32]>,
}

/// What became of all items.
#[derive(Debug, Default)]
pub struct Taken {
    pub(super) verdicts: Vec<Verdict>,
    /// Keys whose enrolment or decision was among them.
    pub(super) signers: BTreeSet<Kid>,
    wrong_codes: u32,
}

impl Taken {
    /// How many enrolments came with a code that is none: guesses, unless somebody explains them.
    pub fn wrong_codes(&self) -> u32 {
        self.wrong_codes
    }
}

/// Takes every item: enrolments, decisions, refusals, audit events, whatever their order in the file. Each is kept, refused for good
/// or left for later by itself; the same item again is the same answer. `guesses` is how many wrong codes may be tried.
pub async fn take<D: Database>(
    context: &Context<D>,
    request: &mut Request,
    guesses: u32,
) -> Result<Taken, Problem> {
    let mut taking = Taking {
        context,
        guesses,
        taken: Taken::default(),
        waits: None,
        enrolment_waits: false,
        events: Vec::new(),
    };
    for index in 0..request.items.len() {
        if let Some(item) = request.items.get(index).await? {
            taking.take(item).await;
        }
    }
    taking.store_events().await;
    Ok(taking.taken)
}

struct Taking<'a, D> {
    context: &'a Context<D>,
    guesses: u32,
    taken: Taken,
    /// The database does not answer: nothing more is tried this time.
    waits: Option<&'static str>,
    /// What builds on an enrolment that waits cannot be refused for good.
    enrolment_waits: bool,
    events: Vec<([u8; 32], Vec<u8>)>,
}

impl<D: Database> Taking<'_, D> {
    async fn take(&mut self, item: Item) {
        let id = item.id;
        if let Some(code) = self.waits {
            return self.say(id, State::Later(code), None);
        }
        let (kind, plain) = match open(self.context, item) {
            Ok(opened) => opened,
            Err(code) => return self.say(id, State::Rejected(code), None),
        };
        if kind == Kind::AuditEvent {
            self.events.push((id, plain));
            if self.events.len() >= EVENTS_AT_ONCE {
                self.store_events().await;
            }
            return;
        }
        match self.register(kind, &plain).await {
            Ok(entry) => {
                if let (Kind::Enrolment | Kind::Acceptance, Ok(header)) =
                    (kind, statement::peek(&plain, &Limits::DEFAULT))
                {
                    self.taken.signers.insert(header.kid);
                }
                self.say(id, State::Stored, Some(entry.leaf));
            }
            Err(problem) => {
                self.taken.wrong_codes += u32::from(problem.code == "code-wrong");
                let state = self.judge(&problem);
                self.enrolment_waits |= kind == Kind::Enrolment && matches!(state, State::Later(_));
                self.say(id, state, None);
            }
        }
    }

    async fn register(&self, kind: Kind, plain: &[u8]) -> Result<Entry, Problem> {
        if kind != Kind::Enrolment {
            return entries::register(self.context, plain).await;
        }
        if self.taken.wrong_codes >= self.guesses {
            return Err(Problem::too_many(1));
        }
        Ok(enrolments::register(self.context, plain).await?.0)
    }

    async fn store_events(&mut self) {
        let events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return;
        }
        match self.store_at_once(&events).await {
            Ok(()) => {}
            // One of them is the reason; the others do not wait for it.
            Err(problem) if problem.status != 503 && events.len() > 1 => {
                for event in &events {
                    let event = std::slice::from_ref(event);
                    if let Err(problem) = self.store_at_once(event).await {
                        self.failed(event, &problem);
                    }
                }
            }
            Err(problem) => self.failed(&events, &problem),
        }
    }

    async fn store_at_once(&mut self, events: &[([u8; 32], Vec<u8>)]) -> Result<(), Problem> {
        let messages = events.iter().map(|(_, message)| message.clone()).collect();
        let outcomes = audit::take_opened(self.context, messages).await?;
        for ((id, _), outcome) in events.iter().zip(outcomes) {
            let state = match outcome {
                Outcome::Stored(_) | Outcome::Duplicate => State::Stored,
                Outcome::Rejected(code) => self.refused(code),
            };
            self.say(*id, state, None);
        }
        Ok(())
    }

    /// A failure of the store is never the event's: it is kept where it is.
    fn failed(&mut self, events: &[([u8; 32], Vec<u8>)], problem: &Problem) {
        self.judge(problem);
        for (id, _) in events {
            self.say(*id, State::Later(problem.code), None);
        }
    }

    fn judge(&mut self, problem: &Problem) -> State {
        if problem.status == 503 {
            self.waits = Some(problem.code);
        }
        if problem.status >= 500 {
            tracing::error!(code = problem.code, cause = ?problem.cause, "an item of a pack");
        }
        // A conflict is a twin of this item that was first, by another way at the same moment.
        if problem.status >= 500 || problem.status == 429 || problem.code == "conflict" {
            return State::Later(problem.code);
        }
        self.refused(problem.code)
    }

    fn refused(&self, code: &'static str) -> State {
        if self.enrolment_waits && matches!(code, "key-unknown" | "device-unknown") {
            return State::Later(code);
        }
        State::Rejected(code)
    }

    fn say(&mut self, id: [u8; 32], state: State, leaf: Option<[u8; 32]>) {
        self.taken.verdicts.push(Verdict { id, state, leaf });
    }
}

fn open<D>(context: &Context<D>, item: Item) -> Result<(Kind, Vec<u8>), &'static str> {
    let sealed: SealedItem = item.sealed.ok_or("sealed-malformed")?;
    let plain = sealed
        .open(&context.keys.sealing)
        .map_err(|error| error.code())?;
    if item_id(&plain) != hex::encode(item.id) {
        return Err("id-mismatch");
    }
    Ok((sealed.kind(), plain.to_vec()))
}
