//! The workstation behind the gate: the patient cache, open. Every function that gives patient data takes `&Unlocked` and leaves an audit
//! event first, refusals too.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use infoblood_agreement::{
    audit::{Action, Purpose},
    gate::{GateError, Unlocked},
    lease::{Lease, Mode},
};
use infoblood_clinical::{
    donor::{DeferralState, Facts, Summary},
    rules::Rules,
};
use jiff::{
    Timestamp, Zoned,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use sqlx::SqliteConnection;
use tokio::sync::{MappedMutexGuard, Mutex};

use crate::{
    PersonSession, Workstation,
    audit::Access,
    database::{self, DatabaseError},
    error::StoreError,
    revocation::remove_cache,
    session::{UnlockError, trusted_now},
    transport::Token,
    workstation::PATIENTS,
};

mod apply;
mod batch;
mod cache;
mod donations;
mod donors;
mod feed;
mod filters;
mod letters;
#[cfg(feature = "measure")]
pub mod measure;
mod names;
mod numbers;
pub(crate) mod own_log;
mod people;
mod position;
mod purpose;
mod recipients;
mod search;
mod shared;
mod slots;
mod stock;
#[cfg(test)]
mod tests;
mod texts;
mod writer;

pub(crate) use batch::Batch;
pub use donations::{DonationCard, Lookback};
pub use feed::Refreshed;
pub use own_log::{Delivery, OwnAccess, OwnLog};
pub use purpose::Taking;
pub use recipients::{Holder, RecipientCard, RecipientPage, RecipientRow};
pub use search::Search;
pub(crate) use shared::{Opened, Shared};
pub use stock::Stock;
use writer::Writer;

const MIGRATIONS: &[&str] = &[include_str!("../migrations/patients/0001_first.sql")];

/// The open patient cache of one signed-in person.
pub struct UnlockedWorkstation {
    pub(crate) workstation: Workstation,
    person: PersonSession,
    pub(crate) gate: Unlocked,
    cache: Shared,
    token: Mutex<Option<Token>>,
    /// Set when the cache is emptied, until its age is asked for.
    emptied: AtomicBool,
    /// What the person looks for; chosen once for a session, and changed at will.
    purpose: RwLock<Option<Purpose>>,
    /// Resources that were written or removed since it was opened.
    changes: AtomicU64,
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DonorRow {
    /// What the list keeps.
    pub summary: Summary,
    /// State of the deferrals today.
    pub deferral: DeferralState,
    /// How the spelling differs from what was typed, e.g. `қ→к`, or the donation number or telephone that answers; `None` when the name
    /// is spelled so, or the IIN answers.
    pub matched: Option<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DonorPage {
    /// How many answer the query in all. Everybody is counted; of the answers to a query or filter no more than [`DonorPage::COUNTED`],
    /// and one more says that there are others.
    pub total: u64,
    /// In Kazakh order, those spelled as typed first. Answers to a number are in the order of the numbers, each person once.
    pub rows: Vec<DonorRow>,
    /// Give it back for the next page.
    pub next: Option<String>,
}

impl DonorPage {
    /// How many answers to a query are counted.
    pub const COUNTED: u64 = search::COUNTED.unsigned_abs();
}

/// A donor card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DonorCard {
    /// What is known, as of today.
    pub facts: Facts,
    /// How many other donors' records have the same IIN.
    pub same_iin: u32,
    /// When the access was recorded.
    pub logged_at: Timestamp,
    /// Age of the data: when the change feed was last read to its end; `None` while they are not whole.
    pub as_of: Option<Timestamp>,
}

impl UnlockedWorkstation {
    pub(crate) async fn open(
        workstation: Workstation,
        person: PersonSession,
        gate: Unlocked,
        token: Option<Token>,
    ) -> Result<Self, UnlockError> {
        let dir = &workstation.0.dir;
        let path = dir.join(PATIENTS);
        if gate.new_dek().is_some() {
            // Whatever lies there is under a key that nobody has any more.
            remove_cache(dir).map_err(StoreError::from)?;
        }
        let mut cache = match database::open_cache(&path, gate.database_key(), MIGRATIONS).await {
            Ok(cache) => cache,
            // Damaged, replaced or of a newer version: the cache is filled again from the server.
            Err(
                error @ (DatabaseError::Corrupt(_)
                | DatabaseError::Replaced
                | DatabaseError::Newer { .. }),
            ) => {
                tracing::warn!(code = error.code(), "the patient cache is made anew");
                remove_cache(dir).map_err(StoreError::from)?;
                database::open_cache(&path, gate.database_key(), MIGRATIONS).await?
            }
            Err(error) => return Err(error.into()),
        };
        cache::prepare(&mut cache).await?;
        let mut cache = Writer::new(cache);
        cache.searcher().await?;
        let cache = Arc::new(Mutex::new(Some(cache)));
        workstation.0.opened.set(gate.person_id(), &cache);
        // A revocation may have come while the cache was being opened.
        if let Err(error) = workstation.still_entitled(gate.person_id()).await {
            workstation.close_cache(None).await;
            if workstation.is_revoked().await? {
                remove_cache(dir).map_err(StoreError::from)?;
            }
            return Err(error);
        }
        Ok(Self {
            workstation: workstation.clone(),
            person,
            gate,
            cache,
            token: Mutex::new(token),
            emptied: AtomicBool::new(false),
            purpose: RwLock::new(None),
            changes: AtomicU64::new(0),
        })
    }

    /// The proof that the gate was open.
    pub fn gate(&self) -> &Unlocked {
        &self.gate
    }

    /// Who is signed in.
    pub fn person(&self) -> &PersonSession {
        &self.person
    }

    /// What may be done now; `None` when the lease ended or the clock is not to be believed. [`Mode::ReadOnly`]: nothing is printed or
    /// exported.
    pub fn mode(&self) -> Option<Mode> {
        self.gate.mode(self.trusted_now().ok()?)
    }

    /// How long the lease still runs.
    pub fn lease(&self) -> Lease {
        let now = self.workstation.now().as_second();
        self.gate.lease(now.max(self.workstation.time_floor()))
    }

    /// Lifts the read-only time until the lock, in an emergency. The reason, 10 to 200 characters, goes into the access log first; a
    /// refusal does too.
    pub async fn break_glass(&self, reason: &str) -> Result<(), UnlockError> {
        let now = self.trusted_now()?;
        let is_allowed = self.workstation.profile().policy().break_glass;
        match self.gate.may_break_glass(now, is_allowed, reason) {
            Ok(reason) => {
                let access = Access {
                    reason: Some(reason.as_str()),
                    ..Access::permit(Action::BreakGlass, self.gate.person_id())
                };
                self.workstation.record_own(&self.person, access).await?;
                self.gate.break_glass(&reason);
                Ok(())
            }
            Err(error) => {
                let access = Access::deny(Action::BreakGlass, self.gate.person_id(), error.code());
                self.workstation.record_own(&self.person, access).await?;
                Err(error.into())
            }
        }
    }

    /// A page of donors by name (in any kk/ru/Latin spelling) or the beginning of an IIN, donation number or telephone. `after`:
    /// [`DonorPage::next`] of the page before.
    pub async fn search(
        &self,
        gate: &Unlocked,
        search: impl Into<Search>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<DonorPage, UnlockError> {
        let search = search.into();
        self.admit(gate, Action::PatientQuery, None).await?;
        let mut writer = self.writer().await?;
        let (cache, names) = writer.searcher().await?;
        search::search(
            cache,
            names,
            &search,
            after,
            limit.clamp(1, 200),
            self.today(),
        )
        .await
    }

    /// A donor's card. The access is recorded before it is shown; so is an attempt at a record that is not there.
    pub async fn card(&self, gate: &Unlocked, id: &str) -> Result<DonorCard, UnlockError> {
        if !infoblood_clinical::fhir::is_id(id) {
            return Err(UnlockError::Unknown);
        }
        let reference = format!("Patient/{id}");
        self.admit(gate, Action::PatientRead, Some(reference))
            .await?;
        let logged_at = self.workstation.now();
        let mut cache = self.cache().await?;
        let resources = cache::resources(&mut cache, id).await?;
        if resources.is_empty() {
            return Err(UnlockError::Unknown);
        }
        let facts = Facts::assemble(id, &resources, self.today(), Rules::builtin())
            .map_err(|_| UnlockError::Unknown)?;
        let iin: String = facts.iin.chars().filter(char::is_ascii_digit).collect();
        let same_iin = sqlx::query_scalar(
            "SELECT count(*) FROM number JOIN name USING (slot) JOIN donor USING (position) WHERE key = 'i' || ?1 AND ?1 <> '' AND id <> ?2",
        )
        .bind(iin)
        .bind(id)
        .fetch_one(&mut *cache)
        .await
        .map_err(DatabaseError::from)?;
        Ok(DonorCard {
            facts,
            same_iin,
            logged_at,
            as_of: cache::as_of(&mut cache).await?,
        })
    }

    /// Age of the data: when the change feed was last read to its end; `None` before the first time, and
    /// while a cache that was emptied is filled again.
    pub async fn data_as_of(&self) -> Result<Option<Timestamp>, UnlockError> {
        self.emptied.store(false, Ordering::SeqCst);
        Ok(cache::as_of(&mut *self.cache().await?).await?)
    }

    /// How many lines of the change feed the cache lacks since it was begun, because they were no acceptable resource: broken, too large, of
    /// an unknown type. A deferral that comes in both streams counts twice. 0 once the cache was emptied, and until it is filled again.
    pub async fn left_out(&self) -> Result<u64, UnlockError> {
        Ok(cache::left_out(&mut *self.cache().await?).await?)
    }

    /// Whether the cache was emptied since [`Self::data_as_of`] was asked: what it said counts no more. Waits for nobody who fills it.
    pub fn is_emptied(&self) -> bool {
        self.emptied.load(Ordering::SeqCst)
    }

    /// Rises whenever the data themselves change, by whatever way and even if an error comes after; not when the feed was only looked at.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Records the lock, closes the cache and drops the keys.
    pub async fn lock(self) -> Result<(), StoreError> {
        let recorded = self
            .workstation
            .record_own(
                &self.person,
                Access::permit(Action::Lock, &self.person_id()),
            )
            .await;
        if let Some(cache) = self.cache.lock().await.take() {
            cache.close().await?;
        }
        recorded
    }

    fn person_id(&self) -> String {
        self.gate.person_id().to_owned()
    }

    async fn cache(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, UnlockError> {
        match shared::connection(&self.cache).await {
            Some(connection) => Ok(connection),
            None => Err(self.taken_away().await),
        }
    }

    async fn writer(&self) -> Result<MappedMutexGuard<'_, Writer>, UnlockError> {
        match shared::writer(&self.cache).await {
            Some(writer) => Ok(writer),
            None => Err(self.taken_away().await),
        }
    }

    /// Why the cache is not open any more.
    async fn taken_away(&self) -> UnlockError {
        let entitled = self.workstation.still_entitled(self.gate.person_id()).await;
        entitled
            .err()
            .unwrap_or(UnlockError::Revoked("person-revoked"))
    }

    /// Checks right and lease once more and records the access, or the refusal.
    async fn admit(
        &self,
        gate: &Unlocked,
        action: Action,
        reference: Option<String>,
    ) -> Result<(), UnlockError> {
        let entitled = self.workstation.still_entitled(gate.person_id()).await;
        let refusal = match (entitled, self.trusted_now()) {
            (Err(error), _) => Some(error),
            (_, Ok(now)) if !self.workstation.documents().counts(gate.document(), now) => {
                Some(UnlockError::AgreementRequired)
            }
            (_, Ok(now)) => self.objection(action, gate.mode(now)),
            (_, Err(error)) => Some(UnlockError::Gate(error)),
        };
        let mut access = match &refusal {
            None => Access::permit(action, gate.person_id()),
            Some(error) => Access::deny(action, gate.person_id(), error.code()),
        };
        access.reference = reference;
        access.purpose = self.purpose();
        access.glass_broken = self.mode() == Some(Mode::BreakGlass);
        self.workstation.record_own(&self.person, access).await?;
        refusal.map_or(Ok(()), Err)
    }

    /// What an open gate still does not allow.
    fn objection(&self, action: Action, mode: Option<Mode>) -> Option<UnlockError> {
        match mode {
            None => Some(UnlockError::Expired),
            Some(_) if action.needs_purpose() && self.purpose().is_none() => {
                Some(UnlockError::PurposeRequired)
            }
            Some(Mode::ReadOnly) if purpose::leaves_the_screen(action) => {
                Some(UnlockError::ReadOnly)
            }
            Some(_) => None,
        }
    }

    fn trusted_now(&self) -> Result<i64, GateError> {
        trusted_now(self.workstation.now(), self.workstation.time_floor())
    }

    fn today(&self) -> Date {
        self.site_now().date()
    }

    /// The time at the site.
    fn site_now(&self) -> Zoned {
        let name = &self.workstation.profile().fields().time_zone;
        self.workstation.now().to_zoned(zone(name))
    }
}

/// A time zone by the data that this program brings: the system's may be stale, or missing. Kazakhstan is UTC+5 throughout since 2024.
fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled()
        .get(name)
        .unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(5)))
}
