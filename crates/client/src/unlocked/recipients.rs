//! Who receives blood: the list's rows, the card, and whose number an IIN is. A site has some thousands of them, a country some ten
//! thousands: unlike donors they are sorted where they are asked for.

use std::collections::BTreeSet;

use infoblood_agreement::{audit::Action, gate::Unlocked};
use infoblood_clinical::{
    fhir::{Resource, is_id},
    iin::Iin,
    names::{Sorter, plain, search_key},
    recipient::{Facts, Summary, references},
};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{
    UnlockedWorkstation,
    apply::{json, values},
    cache, texts,
};
use crate::{database::DatabaseError, session::UnlockError};

mod search;
#[cfg(test)]
mod tests;

/// Rows of one statement.
const ROWS: usize = 32;

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientRow {
    /// What the list keeps.
    pub summary: Summary,
    /// How the spelling differs from what was typed, or the end of the IIN that answers; `None` when the name is spelled so, or the IIN
    /// begins so.
    pub matched: Option<String>,
}

/// A page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientPage {
    /// How many answer in all; no more than [`super::DonorPage::COUNTED`] are counted, and one more says that there are others.
    pub total: u64,
    /// In Kazakh order, those spelled as typed first. Answers to a number are in its order.
    pub rows: Vec<RecipientRow>,
    /// Give it back for the next page.
    pub next: Option<String>,
}

/// A recipient's card.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipientCard {
    /// What is known, as of today.
    pub facts: Facts,
    /// How many other recipients' records have the same IIN.
    pub same_iin: u32,
    /// When the access was recorded.
    pub logged_at: Timestamp,
    /// Age of the data: when the change feed was last read to its end; `None` while they are not whole.
    pub as_of: Option<Timestamp>,
}

/// Whose number an IIN is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A donor's id.
    Donor(String),
    /// A recipient's id.
    Recipient(String),
}

impl UnlockedWorkstation {
    /// A page of recipients by name (in any kk/ru/Latin spelling), or the beginning or the end of an IIN. `after`:
    /// [`RecipientPage::next`] of the page before.
    pub async fn recipients(
        &self,
        gate: &Unlocked,
        text: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RecipientPage, UnlockError> {
        self.admit(gate, Action::PatientQuery, None).await?;
        let mut cache = self.cache().await?;
        search::search(&mut cache, text, after, limit.clamp(1, 200)).await
    }

    /// A recipient's card. The access is recorded before it is shown; so is an attempt at a record that is not there.
    pub async fn recipient(&self, gate: &Unlocked, id: &str) -> Result<RecipientCard, UnlockError> {
        if !is_id(id) {
            return Err(UnlockError::UnknownRecipient);
        }
        let reference = format!("Patient/{id}");
        self.admit(gate, Action::PatientRead, Some(reference))
            .await?;
        let logged_at = self.workstation.now();
        let mut cache = self.cache().await?;
        let resources = resources(&mut cache, id).await?;
        let facts = Facts::assemble(id, &resources, self.today())
            .map_err(|_| UnlockError::UnknownRecipient)?;
        let iin: String = facts.iin.chars().filter(char::is_ascii_digit).collect();
        let same_iin = sqlx::query_scalar(
            "SELECT count(*) FROM recipient WHERE iin = ?1 AND ?1 <> '' AND id <> ?2",
        )
        .bind(iin)
        .bind(id)
        .fetch_one(&mut *cache)
        .await
        .map_err(DatabaseError::from)?;
        Ok(RecipientCard {
            facts,
            same_iin,
            logged_at,
            as_of: cache::as_of(&mut cache).await?,
        })
    }

    /// Everybody whose IIN this is: nobody, one, or several where records contradict each other. Recorded as a query.
    pub async fn holders(&self, gate: &Unlocked, iin: &Iin) -> Result<Vec<Holder>, UnlockError> {
        self.admit(gate, Action::PatientQuery, None).await?;
        Ok(holders(&mut *self.cache().await?, &iin.to_string()).await?)
    }
}

/// Everything about one recipient, with the components and hospitals that it leads to.
async fn resources(cache: &mut SqliteConnection, id: &str) -> Result<Vec<Resource>, DatabaseError> {
    let mut resources = cache::resources(cache, id).await?;
    let further = references(&resources);
    if further.is_empty() {
        return Ok(resources);
    }
    let texts: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT resource.text FROM json_each(?) AS wanted
         JOIN resource ON resource.kind = wanted.value ->> 0 AND resource.id = wanted.value ->> 1",
    )
    .bind(json(&further))
    .fetch_all(cache)
    .await?;
    resources.extend(texts::resources(&texts)?);
    Ok(resources)
}

async fn holders(cache: &mut SqliteConnection, iin: &str) -> Result<Vec<Holder>, DatabaseError> {
    let donors: Vec<String> =
        sqlx::query_scalar("SELECT id FROM number JOIN name USING (slot) JOIN donor USING (position) WHERE key = ? ORDER BY id")
            .bind(format!("i{iin}"))
            .fetch_all(&mut *cache)
            .await?;
    let recipients: Vec<String> =
        sqlx::query_scalar("SELECT id FROM recipient WHERE iin = ? ORDER BY id")
            .bind(iin)
            .fetch_all(cache)
            .await?;
    let donors = donors.into_iter().map(Holder::Donor);
    Ok(donors
        .chain(recipients.into_iter().map(Holder::Recipient))
        .collect())
}

/// A row to write.
pub(super) struct Row {
    sort_key: Vec<u8>,
    spelling: String,
    terms: String,
    iin: String,
    summary: Summary,
}

impl Row {
    /// `None` for who is no recipient.
    pub(super) fn new(id: &str, resources: &[Resource], sorter: &Sorter) -> Option<Self> {
        let summary = Summary::assemble(id, resources).ok()?;
        let name = summary.full_name();
        Some(Self {
            sort_key: sorter.key(
                &summary.family,
                &summary.given,
                summary.patronymic.as_deref(),
            ),
            spelling: format!(" {}", plain(&name)),
            terms: search_key(&name),
            iin: summary.iin.chars().filter(char::is_ascii_digit).collect(),
            summary,
        })
    }
}

/// Writes rows. `came`: whose record came or went; they are no recipients unless they are among the rows.
pub(super) async fn write(
    cache: &mut SqliteConnection,
    mut came: BTreeSet<String>,
    rows: &[Row],
) -> Result<(), DatabaseError> {
    for row in rows {
        came.remove(&row.summary.id);
    }
    if !came.is_empty() {
        sqlx::query("DELETE FROM recipient WHERE id IN (SELECT value FROM json_each(?))")
            .bind(json(&came))
            .execute(&mut *cache)
            .await?;
    }
    for rows in rows.chunks(ROWS) {
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO recipient (id, sort_key, spelling, terms, iin, iin_end, summary) VALUES {}
             ON CONFLICT (id) DO UPDATE SET sort_key = excluded.sort_key, spelling = excluded.spelling,
                 terms = excluded.terms, iin = excluded.iin, iin_end = excluded.iin_end, summary = excluded.summary
             WHERE summary <> excluded.summary",
            values(7, rows.len())
        )));
        for row in rows {
            query = query
                .bind(&row.summary.id)
                .bind(&row.sort_key)
                .bind(&row.spelling)
                .bind(&row.terms)
                .bind(&row.iin)
                .bind(reversed(&row.iin))
                .bind(json(&row.summary));
        }
        query.execute(&mut *cache).await?;
    }
    Ok(())
}

fn reversed(digits: &str) -> String {
    digits.chars().rev().collect()
}
