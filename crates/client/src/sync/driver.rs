//! Does what the engine says: against the store, the files and the server.

use std::collections::{HashMap, VecDeque};

use infoblood_agreement::{receipt::VerifiedReceipt, sealed::Kind};
use rand_chacha::ChaCha20Rng;
use sqlx::{Connection as _, FromRow};

use super::{
    SyncOutcome,
    engine::{Effect, Engine, Event, Verdict},
    index, restored, verdict,
};
use crate::{
    Workstation,
    error::StoreError,
    random, receipts,
    transport::{SealedLine, TransportError},
};

/// One use of the engine.
pub(super) struct Round<'a> {
    workstation: &'a Workstation,
    engine: &'a mut Engine,
    rng: ChaCha20Rng,
    /// Receipts that verified and are not stored yet, by item.
    receipts: HashMap<String, (Vec<u8>, VerifiedReceipt)>,
    outcome: SyncOutcome,
}

#[derive(FromRow)]
struct Item {
    id: String,
    kind: String,
    bytes: Option<Vec<u8>>,
    sealed: Vec<u8>,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.workstation.0.syncing.see(|seen| seen.phase = None);
    }
}

impl<'a> Round<'a> {
    pub(super) fn new(
        workstation: &'a Workstation,
        engine: &'a mut Engine,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            workstation,
            engine,
            rng: random::generator()?,
            receipts: HashMap::new(),
            outcome: SyncOutcome::default(),
        })
    }

    /// Gives the engine what is stored, what people asked for and `first`, and goes on until it rests.
    pub(super) async fn run(mut self, first: Option<Event>) -> Result<SyncOutcome, StoreError> {
        let syncing = &self.workstation.0.syncing;
        let (rows, enrolled) = index::load(&mut *self.workstation.store().await).await?;
        let mut events = VecDeque::from([Event::Loaded { rows, enrolled }]);
        events.extend(syncing.take_asked());
        events.extend(first);
        while let Some(event) = events.pop_front() {
            let now = self.workstation.now();
            let effects = self.engine.handle(event, now, &mut self.rng);
            syncing.see(|seen| seen.phase = Some(self.engine.phase()));
            self.keep(&effects).await?;
            for effect in effects {
                events.extend(self.act(effect).await?);
            }
            events.extend(syncing.take_asked());
        }
        restored::clear_if_over(self.workstation).await?;
        self.outcome.waiting = self.workstation.waiting().await?;
        let next = self.engine.next_attempt(self.workstation.now());
        self.outcome.next_attempt_at = next;
        syncing.see(|seen| seen.next_attempt_at = next);
        Ok(std::mem::take(&mut self.outcome))
    }

    /// The effects on the store, in one transaction; then the files of what is at the server.
    async fn keep(&mut self, effects: &[Effect]) -> Result<(), StoreError> {
        let is_kept = |effect: &&Effect| {
            matches!(
                effect,
                Effect::Persist(_) | Effect::Delete(_) | Effect::Refuse { .. } | Effect::Readmit(_)
            )
        };
        if !effects.iter().any(|effect| is_kept(&effect)) {
            return Ok(());
        }
        let now = self.workstation.now();
        let mut store = self.workstation.store().await;
        let mut tx = store.begin().await?;
        let mut gone = Vec::new();
        for effect in effects.iter().filter(is_kept) {
            match effect {
                Effect::Persist(row) => index::persist(&mut tx, row).await?,
                Effect::Delete(id) => {
                    match self.receipts.remove(id) {
                        Some((receipt, facts)) => {
                            receipts::write(&mut tx, id, &receipt, &facts, now).await?;
                            let person = receipts::decided(&mut tx, id).await?;
                            self.outcome.registered.extend(person);
                        }
                        // What has no receipt: an audit event.
                        None => receipts::drop_row(&mut tx, id, now).await?,
                    }
                    gone.push(id);
                }
                Effect::Refuse { identity, code } => {
                    // Nothing else under these keys can be registered; the person enrols again with another code.
                    sqlx::query(
                        "UPDATE identity SET refused = ? WHERE id = ? AND wrapped IS NOT NULL",
                    )
                    .bind(code)
                    .bind(identity)
                    .execute(&mut *tx)
                    .await?;
                }
                Effect::Readmit(identity) => {
                    sqlx::query(
                        "UPDATE identity SET refused = NULL WHERE id = ? AND wrapped IS NOT NULL",
                    )
                    .bind(identity)
                    .execute(&mut *tx)
                    .await?;
                }
                _ => {}
            }
        }
        tx.commit().await?;
        drop(store);
        for id in gone {
            self.workstation.0.outbox.remove(id)?;
            self.outcome.sent += 1;
        }
        Ok(())
    }

    /// The other effects; what came of them.
    async fn act(&mut self, effect: Effect) -> Result<Vec<Event>, StoreError> {
        match effect {
            Effect::Connect => self.connect().await,
            Effect::Send(ids) => self.send(ids).await,
            Effect::Receive => self.receive().await,
            _ => Ok(Vec::new()),
        }
    }

    async fn connect(&mut self) -> Result<Vec<Event>, StoreError> {
        match restored::look(self.workstation).await? {
            Ok(()) => {
                self.outcome.is_online = Some(true);
                let mut events = self.added().await?;
                events.push(Event::Connected);
                Ok(events)
            }
            Err(error) => Ok(vec![self.disconnected(&error)]),
        }
    }

    /// What the server has for this workstation.
    async fn receive(&mut self) -> Result<Vec<Event>, StoreError> {
        self.workstation.sync_documents(&mut self.outcome).await?;
        let mut events = self.added().await?;
        events.push(Event::Received);
        Ok(events)
    }

    /// Rows that came since the round began.
    async fn added(&mut self) -> Result<Vec<Event>, StoreError> {
        let (rows, _) = index::load(&mut *self.workstation.store().await).await?;
        Ok(rows
            .into_iter()
            .filter(|row| self.engine.row(&row.id).is_none())
            .map(Event::Added)
            .collect())
    }

    async fn send(&mut self, ids: Vec<String>) -> Result<Vec<Event>, StoreError> {
        let mut items = Vec::new();
        let mut events = Vec::new();
        for id in ids {
            let item: Option<Item> = sqlx::query_as(
                "SELECT o.id, o.kind, s.bytes, o.sealed FROM outbox o LEFT JOIN statement s ON s.item_id = o.id WHERE o.id = ?",
            )
            .bind(&id)
            .fetch_optional(&mut *self.workstation.store().await)
            .await?;
            match item {
                Some(item) => items.push(item),
                // Another hand took it back meanwhile.
                None => events.push(Event::Removed(id)),
            }
        }
        if let Some(item) = items.first()
            && let Some(kind) = Kind::parse(&item.kind)
        {
            events.extend(match (kind, &item.bytes) {
                (Kind::AuditEvent, _) => self.post_audit_events(&items).await,
                (kind, Some(statement)) => {
                    vec![self.post(&item.id, kind, statement).await?]
                }
                (_, None) => Vec::new(),
            });
        }
        Ok(events)
    }

    async fn post(&mut self, id: &str, kind: Kind, statement: &[u8]) -> Result<Event, StoreError> {
        sqlx::query("UPDATE statement SET sent_at = ? WHERE item_id = ?")
            .bind(self.workstation.now().as_second())
            .bind(id)
            .execute(&mut *self.workstation.store().await)
            .await?;
        let transport = &self.workstation.0.transport;
        let answer = match kind {
            Kind::Enrolment => transport.post_enrolment(statement.to_vec()).await,
            _ => transport.post_entry(statement.to_vec()).await,
        };
        let verdict = match answer {
            Ok(bytes) => {
                match verdict::of_receipt(&self.workstation.key_set(), statement, &bytes) {
                    Ok(facts) => {
                        self.receipts.insert(id.to_owned(), (bytes, facts));
                        Verdict::Acknowledged
                    }
                    Err(verdict) => verdict,
                }
            }
            Err(error) => {
                tracing::info!(
                    kind = kind.as_str(),
                    code = error.code(),
                    "an item was not registered"
                );
                self.workstation.heed_item(error.code(), id).await?;
                match verdict::of_error(kind, &error) {
                    Some(verdict) => verdict,
                    None => return Ok(self.disconnected(&error)),
                }
            }
        };
        Ok(self.answered(id, verdict))
    }

    async fn post_audit_events(&mut self, items: &[Item]) -> Vec<Event> {
        let lines: Vec<_> = items
            .iter()
            .map(|item| SealedLine {
                id: item.id.clone(),
                sealed: item.sealed.clone(),
            })
            .collect();
        let mut events = Vec::new();
        match self.workstation.0.transport.audit_events(&lines).await {
            Ok(statuses) => {
                for item in items {
                    let status = statuses
                        .iter()
                        .find(|status| status.id.as_ref() == Some(&item.id));
                    events.push(self.answered(&item.id, verdict::of_status(status)));
                }
            }
            Err(error) => match verdict::of_error(Kind::AuditEvent, &error) {
                Some(verdict) => {
                    // A refusal of the whole request is none of any single item.
                    let verdict = match verdict {
                        Verdict::Wedged { code } => Verdict::Later {
                            code,
                            retry_after: None,
                        },
                        other => other,
                    };
                    for item in items {
                        events.push(self.answered(&item.id, verdict.clone()));
                    }
                }
                None => events.push(self.disconnected(&error)),
            },
        }
        events
    }

    fn answered(&mut self, id: &str, verdict: Verdict) -> Event {
        match &verdict {
            Verdict::Acknowledged => {}
            Verdict::Later { code, .. }
            | Verdict::Busy { code, .. }
            | Verdict::Silent { code }
            | Verdict::Wedged { code } => self.outcome.error = Some(code.clone()),
        }
        Event::Answered {
            id: id.to_owned(),
            verdict,
        }
    }

    fn disconnected(&mut self, error: &TransportError) -> Event {
        self.outcome.is_online = Some(false);
        self.outcome.error = Some(error.code().to_owned());
        Event::ConnectionFailed {
            code: error.code().to_owned(),
        }
    }
}
