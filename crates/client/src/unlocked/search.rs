//! The search field: names in any spelling, and numbers.
//!
//! Names are looked for in memory ([`super::names`]), which knows the place of every answer among the rows; only the rows of a page are
//! read. Those spelled as typed come first.
//!
//! `LIMIT ? + 0` in searches: a bare `LIMIT ?` is looked into when the statement is planned, so every new binding plans it again, which
//! takes longer than the search.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use infoblood_clinical::{
    blood::BloodGroup,
    donor::{DeferralState, Summary},
    names::{Query, Word},
};
use jiff::civil::Date;
use sqlx::SqliteConnection;

use super::{
    DonorPage, DonorRow,
    apply::json,
    filters::Filters,
    names::{Answers, Names},
    numbers::{self, Numbers},
};
use crate::{database::DatabaseError, session::UnlockError};

/// Answers are counted up to here; [`DonorPage::total`] says one more for all that is beyond.
pub(super) const COUNTED: i64 = 1_000;
/// Longer texts are no name and no number.
const LONGEST: usize = 200;
/// Answers by number beyond this are not paged through.
pub(super) const DEEPEST: u32 = 10_000;

/// What is looked for. A text alone becomes one without filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// As typed or scanned: words of a name, or the beginning of a number. Empty: everybody.
    pub text: String,
    /// Only this ABO and RhD.
    pub blood: Option<BloodGroup>,
    /// Only who is in this state today.
    pub deferral: Option<DeferralState>,
}

impl From<&str> for Search {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }
}

impl From<&String> for Search {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

/// Where the next page begins.
#[derive(Debug, PartialEq, Eq)]
enum After {
    /// After this place, among the exact spellings (0) or the others (1).
    Place(u8, i64),
    /// After so many answers by number.
    Number(u32),
}

/// One page.
pub(super) async fn search(
    cache: &mut SqliteConnection,
    names: &Names,
    search: &Search,
    after: Option<&str>,
    limit: u32,
    today: Date,
) -> Result<DonorPage, UnlockError> {
    let text = search.text.trim();
    if text.chars().nth(LONGEST).is_some() {
        return Ok(DonorPage::default());
    }
    let filters = Filters::new(search.blood, search.deferral, today);
    let after = after.and_then(After::parse);
    if let Some(numbers) = Numbers::parse(text) {
        let skip = match after {
            Some(After::Number(skip)) => skip.min(DEEPEST),
            _ => 0,
        };
        let (total, found) = numbers::search(cache, &numbers, &filters, skip, limit).await?;
        let has_more = found.len() > limit as usize;
        let rows = found
            .into_iter()
            .take(limit as usize)
            .map(|found| row(&found.summary, today, found.reason))
            .collect::<Result<_, _>>()?;
        return Ok(DonorPage {
            total,
            rows,
            next: next_skip(skip, limit)
                .filter(|_| has_more)
                .map(|skip| After::Number(skip).write()),
        });
    }
    let query = Query::parse(text);
    let (rank, place) = match after {
        Some(After::Place(rank, place)) => (rank, place),
        _ => (0, i64::MIN),
    };
    let words: &[Word] = match &query {
        Query::Words(words) => words,
        // Text of signs alone, as `*`, finds everybody, as nothing does.
        Query::All | Query::Digits(_) => &[],
    };
    if words.is_empty() && filters.is_empty() {
        let rows = everybody(cache, place, limit).await?;
        return page(&query, names.len() as u64, rows, limit, today);
    }
    let Answers { total, places } = names.find(words, &filters, (rank, place), limit);
    let rows = rows(cache, &places).await?;
    page(
        &query,
        total.min(COUNTED as usize + 1) as u64,
        rows,
        limit,
        today,
    )
}

/// How many answers by number stand before the next page; `None` at the deepest one.
pub(super) fn next_skip(skip: u32, limit: u32) -> Option<u32> {
    Some(skip.saturating_add(limit)).filter(|next| *next <= DEEPEST)
}

/// Rows after a place, one more than a page has.
async fn everybody(
    cache: &mut SqliteConnection,
    place: i64,
    limit: u32,
) -> Result<Vec<(u8, i64, String)>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT 0, position, summary FROM donor WHERE position > ? ORDER BY position LIMIT ? + 0",
    )
    .bind(place)
    .bind(i64::from(limit) + 1)
    .fetch_all(cache)
    .await?)
}

/// The rows at these places, in their order.
async fn rows(
    cache: &mut SqliteConnection,
    places: &[(u8, i64)],
) -> Result<Vec<(u8, i64, String)>, DatabaseError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(
        "SELECT wanted.value ->> 0, position, summary FROM json_each(?) AS wanted CROSS JOIN donor ON donor.position = wanted.value ->> 1
         ORDER BY wanted.key",
    )
    .bind(json(&places))
    .fetch_all(cache)
    .await?)
}

fn page(
    query: &Query,
    total: u64,
    mut rows: Vec<(u8, i64, String)>,
    limit: u32,
    today: Date,
) -> Result<DonorPage, UnlockError> {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows
        .last()
        .filter(|_| has_more)
        .map(|(rank, place, _)| After::Place(*rank, *place).write());
    let rows = rows
        .iter()
        .map(|(_, _, summary)| {
            let mut row = row(summary, today, None)?;
            row.matched = query
                .compare(&row.summary.full_name())
                .and_then(|found| found.difference);
            Ok(row)
        })
        .collect::<Result<_, UnlockError>>()?;
    Ok(DonorPage { total, rows, next })
}

fn row(summary: &str, today: Date, matched: Option<String>) -> Result<DonorRow, UnlockError> {
    let summary: Summary = serde_json::from_str(summary).map_err(|_| UnlockError::Clinical)?;
    Ok(DonorRow {
        deferral: summary.deferral(today),
        matched,
        summary,
    })
}

impl After {
    fn write(&self) -> String {
        let bytes = match self {
            Self::Place(rank, place) => [&[*rank][..], &place.to_be_bytes()].concat(),
            Self::Number(skip) => skip.to_be_bytes().to_vec(),
        };
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        if let Ok(skip) = <[u8; 4]>::try_from(bytes.as_slice()) {
            return Some(Self::Number(u32::from_be_bytes(skip)));
        }
        let (rank, place) = bytes.split_first()?;
        Some(Self::Place(
            *rank,
            i64::from_be_bytes(place.try_into().ok()?),
        ))
    }
}

#[cfg(test)]
mod tests;
