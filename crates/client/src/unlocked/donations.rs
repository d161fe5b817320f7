//! A donation by its number, and the look back from it. Donations, components, issues, transfusions and reactions are found by what they
//! name, in a table that follows every batch.

use std::collections::{BTreeSet, HashSet};

use infoblood_agreement::{audit::Action, gate::Unlocked};
use infoblood_clinical::{
    donation::{self, donation_key, donors, further_keys, keys, references},
    fhir::Resource,
    isbt128::Din,
    lookback,
    rules::Rules,
};
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::{UnlockedWorkstation, apply::json, cache, texts};
use crate::{database::DatabaseError, session::UnlockError};

/// A donation's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DonationCard {
    /// What is known, as of today.
    pub facts: donation::Facts,
    /// The moment that counts for expiries, in the place of the site.
    pub now: Zoned,
    /// When the access was recorded.
    pub logged_at: Timestamp,
    /// Age of the data: when the change feed was last read to its end; `None` while they are not whole.
    pub as_of: Option<Timestamp>,
}

/// The look back from a donation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookback {
    /// What is known.
    pub facts: lookback::Facts,
    /// The moment that counts for expiries, in the place of the site.
    pub now: Zoned,
    /// When the access was recorded.
    pub logged_at: Timestamp,
    /// Age of the data: when the change feed was last read to its end; `None` while they are not whole.
    pub as_of: Option<Timestamp>,
}

impl UnlockedWorkstation {
    /// The donation with this number. The look at it, and at everybody who is named, is recorded before it is shown.
    pub async fn donation(&self, gate: &Unlocked, din: &str) -> Result<DonationCard, UnlockError> {
        let (din, resources, as_of) = self.gathered(gate, din).await?;
        let facts = donation::Facts::assemble(din, &resources, self.today(), Rules::builtin())
            .ok_or(UnlockError::UnknownDonation)?;
        self.admit_to(gate, &facts.people()).await?;
        Ok(DonationCard {
            facts,
            now: self.site_now(),
            logged_at: self.workstation.now(),
            as_of,
        })
    }

    /// Everything that was made of a donation and everybody whom it reached. The look at it, and at everybody who is named, is recorded
    /// before it is shown.
    pub async fn lookback(&self, gate: &Unlocked, din: &str) -> Result<Lookback, UnlockError> {
        let (din, resources, as_of) = self.gathered(gate, din).await?;
        let facts =
            lookback::Facts::assemble(din, &resources).ok_or(UnlockError::UnknownDonation)?;
        self.admit_to(gate, &facts.people()).await?;
        Ok(Lookback {
            facts,
            now: self.site_now(),
            logged_at: self.workstation.now(),
            as_of,
        })
    }

    /// Everything that belongs to a donation; nothing of it leaves here before [`Self::admit_to`].
    async fn gathered(
        &self,
        gate: &Unlocked,
        din: &str,
    ) -> Result<(Din, Vec<Resource>, Option<Timestamp>), UnlockError> {
        let din = Din::parse(din).map_err(|_| UnlockError::UnknownDonation)?;
        let reference = format!("Donation/{din}");
        self.admit(gate, Action::PatientRead, Some(reference))
            .await?;
        let mut cache = self.cache().await?;
        let resources = gather(&mut cache, din).await?;
        Ok((din, resources, cache::as_of(&mut cache).await?))
    }

    async fn admit_to(&self, gate: &Unlocked, people: &[&str]) -> Result<(), UnlockError> {
        for id in people {
            let reference = format!("Patient/{id}");
            self.admit(gate, Action::PatientRead, Some(reference))
                .await?;
        }
        Ok(())
    }
}

/// What a resource is found by: a key, its type and its id.
#[derive(Serialize)]
pub(super) struct Trace(String, &'static str, String);

impl Trace {
    /// All of a resource.
    pub(super) fn of(resource: &Resource) -> Vec<Self> {
        let (kind, id) = (resource.resource_type(), resource.id());
        let keys = keys(resource).into_iter();
        keys.map(|key| Self(key, kind, id.to_owned())).collect()
    }
}

/// Makes a batch's resources findable by what they name.
pub(super) async fn write(
    cache: &mut SqliteConnection,
    traces: &[Trace],
) -> Result<(), DatabaseError> {
    if traces.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT OR IGNORE INTO trace (key, kind, id) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)",
    )
    .bind(json(&traces))
    .execute(cache)
    .await?;
    Ok(())
}

/// Resources, each once.
#[derive(Default)]
struct Gathered {
    seen: HashSet<(&'static str, String)>,
    resources: Vec<Resource>,
}

impl Gathered {
    fn add(&mut self, found: Vec<Resource>) {
        for resource in found {
            let key = (resource.resource_type(), resource.id().to_owned());
            if self.seen.insert(key) {
                self.resources.push(resource);
            }
        }
    }
}

/// Everything that belongs to a donation, however its records lead round.
pub(super) async fn gather(
    cache: &mut SqliteConnection,
    din: Din,
) -> Result<Vec<Resource>, DatabaseError> {
    let mut gathered = Gathered::default();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let mut wanted = BTreeSet::from([donation_key(din)]);
    while !wanted.is_empty() {
        let found = by_keys(cache, &wanted).await?;
        asked.append(&mut wanted);
        wanted = &further_keys(&found) - &asked;
        gathered.add(found);
    }
    for donor in donors(din, &gathered.resources) {
        gathered.add(cache::resources(cache, &donor).await?);
    }
    let mut asked = BTreeSet::new();
    loop {
        let wanted = &references(&gathered.resources) - &asked;
        if wanted.is_empty() {
            return Ok(gathered.resources);
        }
        gathered.add(by_ids(cache, &wanted).await?);
        asked.extend(wanted);
    }
}

async fn by_keys(
    cache: &mut SqliteConnection,
    wanted: &BTreeSet<String>,
) -> Result<Vec<Resource>, DatabaseError> {
    let texts: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT resource.text FROM json_each(?) AS wanted CROSS JOIN trace ON trace.key = wanted.value
         CROSS JOIN resource ON resource.kind = trace.kind AND resource.id = trace.id",
    )
    .bind(json(wanted))
    .fetch_all(cache)
    .await?;
    let mut found = texts::resources(&texts)?;
    found.retain(|resource| !keys(resource).is_disjoint(wanted));
    Ok(found)
}

async fn by_ids(
    cache: &mut SqliteConnection,
    wanted: &BTreeSet<(&'static str, String)>,
) -> Result<Vec<Resource>, DatabaseError> {
    let texts: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT resource.text FROM json_each(?) AS wanted
         CROSS JOIN resource ON resource.kind = wanted.value ->> 0 AND resource.id = wanted.value ->> 1",
    )
    .bind(json(wanted))
    .fetch_all(cache)
    .await?;
    texts::resources(&texts)
}

#[cfg(test)]
mod tests;
