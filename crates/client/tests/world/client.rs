//! A client: the real engine and the real judgement of answers over a modelled disk. What is not on the disk does not survive.

use std::collections::{BTreeMap, BTreeSet};

use infoblood_agreement::{
    audit::{Action, AuditEvent, Outcome, message_hash},
    cbor::Limits,
    document::Document,
    enrolment_code::EnrolmentCode,
    key_set::KeySet,
    keys::PublicKey,
    sealed::{Kind, SealedItem, item_id},
    statement::{
        Acceptance, Decision, EnrolmentRequest, EnrolmentSecrets, Evidence, Language, leaf_hash,
        sign_acceptance, sign_device_refusal, sign_enrolment,
    },
    vault::{PersonKeys, WorkstationKeys},
};
use infoblood_client::{
    sync::{
        engine::{Effect, Engine, Event, Route, Row, Verdict},
        verdict,
    },
    transport::{ItemStatus, TransportError},
};
use jiff::{SignedDuration, Timestamp};
use rand_core::Rng as _;

use crate::{
    chance::Chance,
    network::{Answer, Question},
    server::SITE,
};

/// The process ended in the middle of something.
pub(crate) struct Died;

/// A statement as the store keeps it.
#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) kind: Kind,
    identity: Option<i64>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) leaf: String,
    pub(crate) receipt: Option<Vec<u8>>,
}

/// What survives the process. Each step on it is atomic, as a committed transaction or a renamed file is.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) rows: BTreeMap<String, (Row, Vec<u8>)>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) statements: BTreeMap<String, Statement>,
    people: Vec<String>,
    pub(crate) refused: BTreeMap<i64, String>,
    order: i64,
    sequence: u64,
    previous: Option<[u8; 32]>,
    audit_head: (u64, Option<[u8; 32]>),
    /// Nonces of requests that somebody carries.
    pub(crate) asked: Vec<[u8; 16]>,
    /// Of the last answer that was read.
    pub(crate) counter: u64,
}

struct Signed {
    kind: Kind,
    identity: Option<i64>,
    bytes: Vec<u8>,
    sealed: Vec<u8>,
}

pub(crate) struct Client {
    pub(crate) disk: Disk,
    /// What somebody was told is stored.
    pub(crate) told: BTreeSet<String>,
    pub(crate) keys: WorkstationKeys,
    people: Vec<PersonKeys>,
    engine: Engine,
    receipts: BTreeMap<String, Vec<u8>>,
    /// Milliseconds that its clock is ahead.
    pub(crate) clock: i64,
    /// It dies before this many further steps on the disk.
    pub(crate) fuse: Option<u64>,
    pub(crate) key_set: KeySet,
    pub(crate) authority: PublicKey,
    pub(crate) deaths: u64,
}

impl Client {
    pub(crate) fn new(key_set: &KeySet, authority: PublicKey, chance: &mut Chance) -> Self {
        Self {
            disk: Disk::default(),
            told: BTreeSet::new(),
            keys: WorkstationKeys::generate(&mut chance.0),
            people: Vec::new(),
            engine: Engine::new(),
            receipts: BTreeMap::new(),
            clock: 0,
            fuse: None,
            key_set: key_set.clone(),
            authority,
            deaths: 0,
        }
    }

    fn now(&self, now: Timestamp) -> Timestamp {
        now + SignedDuration::from_millis(self.clock)
    }

    pub(crate) fn identities(&self) -> usize {
        self.disk.people.len()
    }

    pub(crate) fn step(&mut self) -> Result<(), Died> {
        match &mut self.fuse {
            Some(0) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Enrolment and acceptance of a person.
    pub(crate) fn enrol(
        &mut self,
        person_id: &str,
        code: &EnrolmentCode,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<(), Died> {
        let person = PersonKeys::generate(&mut chance.0);
        let mut nonce = [0; 16];
        chance.0.fill_bytes(&mut nonce);
        let enrolment = sign_enrolment(
            &EnrolmentRequest {
                person_id,
                site: SITE,
                workstation: "world",
                person_x25519: person.x25519_public(),
                device_x25519: self.keys.device_x25519_public(),
                issued_at: self.now(now).as_second(),
                nonce,
            },
            EnrolmentSecrets {
                person: person.signing(),
                device: self.keys.device(),
                code: &code.signing_key(),
            },
        );
        let identity = i64::try_from(self.disk.people.len()).unwrap();
        let decision = self.decision(Decision::Accepted, now, chance);
        let at = self.now(now).as_second();
        let acceptance = sign_acceptance(&decision, person_id, at, person.signing());
        let signed = vec![
            self.sealed(Kind::Enrolment, Some(identity), enrolment, chance),
            self.sealed(Kind::Acceptance, Some(identity), acceptance, chance),
        ];
        self.people.truncate(self.disk.people.len());
        self.people.push(person);
        self.keep(signed, Some(person_id.to_owned()), now, chance)
    }

    /// A further decision of somebody who is enrolled here, whether it is registered or not.
    pub(crate) fn decide(&mut self, now: Timestamp, chance: &mut Chance) -> Result<(), Died> {
        if self.disk.people.is_empty() {
            return Ok(());
        }
        let identity = usize::try_from(chance.below(self.disk.people.len() as u64)).unwrap();
        let decision = self.decision(Decision::Accepted, now, chance);
        let at = self.now(now).as_second();
        let person_id = self.disk.people[identity].clone();
        let bytes = sign_acceptance(&decision, &person_id, at, self.people[identity].signing());
        let identity = i64::try_from(identity).unwrap();
        let signed = self.sealed(Kind::Acceptance, Some(identity), bytes, chance);
        self.keep(vec![signed], None, now, chance)
    }

    pub(crate) fn decline(&mut self, now: Timestamp, chance: &mut Chance) -> Result<(), Died> {
        let decision = self.decision(Decision::Declined, now, chance);
        let at = self.now(now).as_second();
        let bytes = sign_device_refusal(&decision, at, self.keys.device());
        let signed = self.sealed(Kind::DeviceRefusal, None, bytes, chance);
        self.keep(vec![signed], None, now, chance)
    }

    pub(crate) fn look(&mut self, now: Timestamp, chance: &mut Chance) -> Result<(), Died> {
        let (sequence, previous) = self.disk.audit_head;
        let mut id = [0; 16];
        chance.0.fill_bytes(&mut id);
        let message = AuditEvent {
            id,
            sequence: sequence + 1,
            previous,
            time: self.now(now).as_second(),
            action: Action::Lock,
            person_id: None,
            outcome: Outcome::Permit,
            reference: None,
            reason: None,
            purpose: None,
            glass_broken: false,
        }
        .sign(self.keys.device())
        .unwrap();
        let signed = self.sealed(Kind::AuditEvent, None, message, chance);
        self.keep(vec![signed], None, now, chance)
    }

    fn decision(&self, decision: Decision, now: Timestamp, chance: &mut Chance) -> Acceptance {
        let document = Document::builtin();
        let mut nonce = [0; 16];
        chance.0.fill_bytes(&mut nonce);
        let now = self.now(now);
        Acceptance {
            decision,
            device_id: self.keys.device_id(),
            site: SITE.into(),
            document_sha256: *document.digest(),
            document_version: document.meta().version,
            languages_shown: vec![Language::Kk],
            evidence: Evidence {
                opened_at: now.as_second(),
                visible_seconds: 60,
                end_reached: vec![Language::Kk],
            },
            local_time: Acceptance::local_time(&now.to_zoned(jiff::tz::TimeZone::UTC)),
            checkpoint: None,
            sequence: self.disk.sequence + 1,
            previous: self.disk.previous,
            nonce,
            app_version: "0".into(),
        }
    }

    fn sealed(
        &self,
        kind: Kind,
        identity: Option<i64>,
        bytes: Vec<u8>,
        chance: &mut Chance,
    ) -> Signed {
        let key = self.key_set.sealing_key(crate::server::BEGINNING).unwrap();
        let sealed = SealedItem::seal(kind, &bytes, &key, &mut chance.0).unwrap();
        Signed {
            kind,
            identity,
            bytes,
            sealed: sealed.to_bytes(),
        }
    }

    /// Prepared files, the commit, the names, and only then somebody is told: as `Workstation::enrol` does it.
    fn keep(
        &mut self,
        signed: Vec<Signed>,
        person: Option<String>,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<(), Died> {
        self.step()?;
        // Commit.
        let mut added = Vec::new();
        for Signed {
            kind,
            identity,
            bytes,
            sealed,
        } in signed
        {
            let id = item_id(&bytes);
            self.disk.order += 1;
            let row = Row {
                id: id.clone(),
                kind,
                identity,
                order: self.disk.order,
                attempts: 0,
                next_attempt_at: Timestamp::UNIX_EPOCH,
                error: None,
                is_wedged: false,
                route: Route::Direct,
            };
            if kind == Kind::AuditEvent {
                self.disk.audit_head = (self.disk.audit_head.0 + 1, Some(message_hash(&bytes)));
            } else {
                let leaf = leaf_hash(&bytes, &Limits::DEFAULT).unwrap();
                if kind != Kind::Enrolment {
                    self.disk.sequence += 1;
                    self.disk.previous = Some(leaf);
                }
                let statement = Statement {
                    kind,
                    identity,
                    bytes,
                    leaf: hex::encode(leaf),
                    receipt: None,
                };
                self.disk.statements.insert(id.clone(), statement);
            }
            self.disk.rows.insert(id, (row.clone(), sealed.clone()));
            added.push((row, sealed));
        }
        self.disk.people.extend(person);
        for (row, sealed) in &added {
            self.step()?;
            self.disk.files.insert(row.id.clone(), sealed.clone());
        }
        self.step()?;
        for (row, _) in added {
            self.told.insert(row.id.clone());
            self.take(Event::Added(row), now, chance)?;
        }
        Ok(())
    }

    /// The process ends; the next one starts with what the disk holds.
    pub(crate) fn restart(&mut self, now: Timestamp, chance: &mut Chance) {
        self.deaths += 1;
        self.fuse = None;
        self.receipts.clear();
        self.engine = Engine::new();
        // Reconcile: files that are missing, and files without a row.
        for (id, (_, sealed)) in &self.disk.rows {
            let file = self.disk.files.entry(id.clone());
            file.or_insert_with(|| sealed.clone());
        }
        let strangers: Vec<_> = self
            .disk
            .files
            .keys()
            .filter(|id| !self.disk.rows.contains_key(*id))
            .cloned()
            .collect();
        for id in strangers {
            match self.disk.statements.get(&id) {
                Some(statement) if statement.receipt.is_some() => {
                    self.disk.files.remove(&id);
                }
                // An audit event that was acknowledged just before the end: sent again, the server knows it.
                _ => {
                    self.disk.order += 1;
                    let row = Row {
                        id: id.clone(),
                        kind: Kind::AuditEvent,
                        identity: None,
                        order: self.disk.order,
                        attempts: 0,
                        next_attempt_at: Timestamp::UNIX_EPOCH,
                        error: None,
                        is_wedged: false,
                        route: Route::Orphan,
                    };
                    let sealed = self.disk.files[&id].clone();
                    self.disk.rows.insert(id, (row, sealed));
                }
            }
        }
        let _ = self.load(now, chance);
    }

    /// A round of the driver begins with what is stored.
    pub(crate) fn load(&mut self, now: Timestamp, chance: &mut Chance) -> Result<(), Died> {
        let rows = self
            .disk
            .rows
            .values()
            .map(|(row, _)| row.clone())
            .collect();
        let enrolled = self
            .disk
            .statements
            .values()
            .filter(|statement| statement.kind == Kind::Enrolment && statement.receipt.is_some())
            .filter_map(|statement| statement.identity)
            .collect();
        self.take(Event::Loaded { rows, enrolled }, now, chance)
            .map(|_| ())
    }

    /// Gives the engine an event and does on the disk what it says, as the driver does; what is to be sent comes back.
    pub(crate) fn take(
        &mut self,
        event: Event,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Vec<Question>, Died> {
        let mut events = vec![event];
        let mut questions = Vec::new();
        while let Some(event) = events.pop() {
            let effects = self.engine.handle(event, self.now(now), &mut chance.0);
            if effects.is_empty() {
                continue;
            }
            self.step()?;
            let mut gone = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Persist(row) => {
                        let kept = self.disk.rows.get_mut(&row.id).expect("a row to keep");
                        kept.0 = row;
                    }
                    Effect::Delete(id) => {
                        if let Some(statement) = self.disk.statements.get_mut(&id) {
                            statement.receipt = self.receipts.remove(&id);
                        }
                        self.disk.rows.remove(&id);
                        gone.push(id);
                    }
                    Effect::Refuse { identity, code } => {
                        self.disk.refused.insert(identity, code);
                    }
                    Effect::Readmit(identity) => {
                        self.disk.refused.remove(&identity);
                    }
                    Effect::Connect => questions.push(Question::Probe),
                    Effect::Send(ids) => questions.push(self.question(&ids)),
                    Effect::Receive => events.push(Event::Received),
                    Effect::WaitUntil(_) => {}
                }
            }
            for id in gone {
                self.step()?;
                self.disk.files.remove(&id);
            }
        }
        Ok(questions)
    }

    fn question(&self, ids: &[String]) -> Question {
        match self.disk.statements.get(&ids[0]) {
            Some(statement) => Question::Statement {
                id: ids[0].clone(),
                kind: statement.kind,
                bytes: statement.bytes.clone(),
            },
            None => Question::AuditEvents(
                ids.iter()
                    .map(|id| (id.clone(), self.disk.rows[id].1.clone()))
                    .collect(),
            ),
        }
    }

    /// What an answer means, judged by the client's own functions.
    pub(crate) fn judge(&mut self, answer: Answer) -> Vec<Event> {
        match answer {
            Answer::Probe => vec![Event::Connected],
            Answer::Statement { id, kind, result } => {
                let Some(statement) = self.disk.statements.get(&id) else {
                    return Vec::new();
                };
                let verdict = match result {
                    Ok(receipt) => {
                        match verdict::of_receipt(&self.key_set, &statement.bytes, &receipt) {
                            Ok(_) => {
                                self.receipts.insert(id.clone(), receipt);
                                Verdict::Acknowledged
                            }
                            Err(verdict) => verdict,
                        }
                    }
                    Err(error) => match verdict::of_error(kind, &error) {
                        Some(verdict) => verdict,
                        None => return vec![unreachable()],
                    },
                };
                vec![Event::Answered { id, verdict }]
            }
            Answer::AuditEvents { ids, result } => ids
                .into_iter()
                .filter_map(|id| {
                    let verdict = match &result {
                        Ok(statuses) => verdict::of_status(status_of(statuses, &id)),
                        Err(error) => verdict::of_error(Kind::AuditEvent, error)?,
                    };
                    Some(Event::Answered { id, verdict })
                })
                .collect(),
        }
    }

    /// Rows that a person would have to look at.
    pub(crate) fn wedged(&self) -> Vec<String> {
        let wedged = self.disk.rows.values().filter(|(row, _)| row.is_wedged);
        wedged.map(|(row, _)| row.id.clone()).collect()
    }
}

pub(crate) fn unreachable() -> Event {
    Event::ConnectionFailed {
        code: "server-unreachable".into(),
    }
}

fn status_of<'a>(statuses: &'a [ItemStatus], id: &str) -> Option<&'a ItemStatus> {
    statuses
        .iter()
        .find(|status| status.id.as_deref() == Some(id))
}

/// What the network makes of an answer that is none.
pub(crate) fn nonsense(chance: &mut Chance) -> TransportError {
    let retry_after = Some(std::time::Duration::from_secs(chance.below(1000)));
    match chance.below(5) {
        0 => TransportError::NotProtocol,
        1 => TransportError::Truncated,
        2 => TransportError::Slow,
        3 => TransportError::Failed {
            status: 503,
            retry_after,
        },
        _ => TransportError::Refused {
            status: 429,
            code: "too-many-requests".into(),
            retry_after,
        },
    }
}
