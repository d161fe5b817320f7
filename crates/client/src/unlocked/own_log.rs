//! A person's own access log on this workstation: the audit messages again, encrypted under that person's keys, in the transaction that
//! puts them into the outbox. Only the open keys read them, and only their owner's.

use std::collections::BTreeMap;

use infoblood_agreement::{
    audit::{Action, AuditEvent},
    gate::Unlocked,
    keys::PublicKey,
};
use infoblood_clinical::fhir::{Patient, Resource};
use jiff::Timestamp;
use rand_core::CryptoRng;
use sqlx::SqliteConnection;

use super::{UnlockedWorkstation, texts};
use crate::{PersonSession, database::DatabaseError, error::StoreError, session::UnlockError};

/// How long the copies are kept. The server keeps the events themselves.
const KEPT_SECONDS: i64 = 400 * 24 * 3600;
/// Copies of longer ago that one new event clears away.
const CLEARED: i64 = 100;
const MAX_PAGE: u32 = 200;

/// A copy on its way into the store.
pub(crate) struct Copy<'a> {
    pub(crate) sequence: u64,
    pub(crate) item_id: &'a str,
    pub(crate) at: i64,
    pub(crate) message: &'a [u8],
}

/// Keeps the copy of an event, and clears away a few that are too old.
pub(crate) async fn keep(
    store: &mut SqliteConnection,
    person: &PersonSession,
    copy: &Copy<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(), StoreError> {
    let sealed = person
        .keys()
        .seal_own(copy.sequence, copy.message, rng)
        .map_err(StoreError::sign)?;
    sqlx::query(
        "INSERT INTO own_access (sequence, person_id, item_id, at, sealed) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(i64::try_from(copy.sequence).unwrap_or(i64::MAX))
    .bind(person.person_id())
    .bind(copy.item_id)
    .bind(copy.at)
    .bind(sealed)
    .execute(&mut *store)
    .await
    .map_err(DatabaseError::from)?;
    sqlx::query(
        "DELETE FROM own_access WHERE sequence IN
         (SELECT sequence FROM own_access WHERE at < ? ORDER BY at LIMIT ?)",
    )
    .bind(copy.at.saturating_sub(KEPT_SECONDS))
    .bind(CLEARED)
    .execute(store)
    .await
    .map_err(DatabaseError::from)?;
    Ok(())
}

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The server has it.
    Delivered,
    /// It goes by itself.
    Waiting,
    /// It waits for a person.
    Stuck,
}

/// One event of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAccess {
    /// As it was signed.
    pub event: AuditEvent,
    /// Whose record: the id, and the name while it is in the cache.
    pub patient: Option<(String, Option<String>)>,
    /// Whether the server has it.
    pub delivery: Delivery,
}

impl OwnAccess {
    /// When, by the workstation's clock.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_second(self.event.time).unwrap_or_default()
    }
}

/// A page of one's own events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLog {
    /// Latest first.
    pub rows: Vec<OwnAccess>,
    /// Give it back for the page of older ones.
    pub next: Option<u64>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    sequence: i64,
    sealed: Vec<u8>,
    wedged: Option<i64>,
}

impl UnlockedWorkstation {
    /// The events of the person who is signed in, on this workstation, latest first. It names people, so it is recorded as a query.
    pub async fn own_log(
        &self,
        gate: &Unlocked,
        after: Option<u64>,
        limit: u32,
    ) -> Result<OwnLog, UnlockError> {
        self.admit(gate, Action::PatientQuery, None).await?;
        let limit = limit.clamp(1, MAX_PAGE);
        let before = after.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX));
        let stored: Vec<Stored> = sqlx::query_as(
            "SELECT own.sequence, own.sealed, outbox.wedged
             FROM own_access AS own LEFT JOIN outbox ON outbox.id = own.item_id
             WHERE own.person_id = ? AND own.sequence < ? ORDER BY own.sequence DESC LIMIT ?",
        )
        .bind(gate.person_id())
        .bind(before)
        .bind(limit)
        .fetch_all(&mut *self.workstation.store().await)
        .await
        .map_err(DatabaseError::from)
        .map_err(StoreError::from)?;
        let is_full = stored.len() == limit as usize;
        let next = stored
            .last()
            .filter(|_| is_full)
            .and_then(|row| u64::try_from(row.sequence).ok());
        let device = PublicKey::of(self.workstation.keys().device());
        let mut rows: Vec<OwnAccess> = stored
            .into_iter()
            .filter_map(|row| self.read(&row, &device))
            .collect();
        let names = names(&mut *self.cache().await?, &rows).await?;
        for row in &mut rows {
            if let Some((id, name)) = &mut row.patient {
                *name = names.get(id).cloned();
            }
        }
        Ok(OwnLog { rows, next })
    }

    /// `None` for what these keys do not open: it was written under keys that the person had before.
    fn read(&self, row: &Stored, device: &PublicKey) -> Option<OwnAccess> {
        let sequence = u64::try_from(row.sequence).ok()?;
        let message = self.person().keys().open_own(sequence, &row.sealed)?;
        let event = AuditEvent::verify(&message, device).ok()?;
        let patient = event.reference.as_deref();
        let patient = patient.and_then(|reference| reference.strip_prefix("Patient/"));
        Some(OwnAccess {
            patient: patient.map(|id| (id.to_owned(), None)),
            delivery: match row.wedged {
                None => Delivery::Delivered,
                Some(0) => Delivery::Waiting,
                Some(_) => Delivery::Stuck,
            },
            event,
        })
    }
}

async fn names(
    cache: &mut SqliteConnection,
    rows: &[OwnAccess],
) -> Result<BTreeMap<String, String>, StoreError> {
    let ids: Vec<&str> = rows
        .iter()
        .filter_map(|row| Some(row.patient.as_ref()?.0.as_str()))
        .collect();
    let texts: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT resource.text FROM (SELECT DISTINCT value FROM json_each(?)) AS wanted
         JOIN resource ON resource.kind = 'Patient' AND resource.id = wanted.value",
    )
    .bind(serde_json::json!(ids).to_string())
    .fetch_all(cache)
    .await
    .map_err(DatabaseError::from)?;
    let resources = texts::resources(&texts)?.into_iter();
    Ok(resources
        .filter_map(|resource| match resource {
            // What is not understood is not told.
            Resource::Patient(patient) if patient.modifier_extension.is_empty() => {
                let name = name(&patient)?;
                Some((patient.id, name))
            }
            _ => None,
        })
        .collect())
}

fn name(patient: &Patient) -> Option<String> {
    let name = patient.official_name()?;
    let parts: Vec<&str> = name
        .family
        .iter()
        .chain(&name.given)
        .map(String::as_str)
        .collect();
    Some(parts.join(" "))
}
