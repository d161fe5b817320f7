//! The search field: names in any spelling, and numbers.
//!
//! Rows stand in the table in Kazakh order ([`super::position`]), and the text index gives them in that order: a page costs the same
//! however many answer. Up to [`RANKED`] answers are put in order of spelling first.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use infoblood_clinical::{
    blood::BloodGroup,
    donor::{DeferralState, Summary},
    names::{Query, Word},
};
use jiff::civil::Date;
use sqlx::{FromRow, SqliteConnection};

use super::{
    DonorPage, DonorRow,
    donors::{FOREVER, PERMANENT, TEMPORARY, blood_mark},
    numbers::{self, Numbers},
};
use crate::{database::DatabaseError, session::UnlockError};

/// Answers that are ranked, and counted when every one of them must be looked at.
const RANKED: usize = 200;
/// Answers are counted up to here; [`DonorPage::total`] says one more for all that is beyond.
pub(super) const COUNTED: i64 = 1_000;
/// Longer texts are no name and no number.
const LONGEST: usize = 200;
/// Words that are looked for; further ones are not.
const WORDS: usize = 8;
/// Words that a beginning becomes; beyond, the index joins them by itself.
const EXPANDED: usize = 200;

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

/// Filters as the tables know them.
pub(super) struct Filters {
    pub(super) blood: Option<BloodGroup>,
    pub(super) deferral: Option<DeferralState>,
    /// `donor.deferred` lies from the first to before the second.
    pub(super) deferred: (String, String),
}

impl Filters {
    fn new(search: &Search, today: Date) -> Self {
        let (today, end) = (today.to_string(), format!("{FOREVER}{FOREVER}"));
        Self {
            blood: search.blood,
            deferral: search.deferral,
            deferred: match search.deferral {
                None => (String::new(), end),
                Some(DeferralState::None) => (String::new(), today),
                Some(DeferralState::Temporary) => (today, FOREVER.to_owned()),
                Some(DeferralState::Permanent) => (FOREVER.to_owned(), end),
            },
        }
    }

    pub(super) fn blood_code(&self) -> &'static str {
        self.blood.as_ref().map_or("", BloodGroup::code)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blood.is_none() && self.deferral.is_none()
    }

    /// Whether marks of the text index say all of it.
    fn is_in_index(&self) -> bool {
        matches!(self.deferral, None | Some(DeferralState::Permanent))
    }

    fn marks(&self) -> impl Iterator<Item = String> {
        let deferral = match self.deferral {
            Some(DeferralState::Permanent) => Some(PERMANENT),
            Some(DeferralState::Temporary) => Some(TEMPORARY),
            Some(DeferralState::None) | None => None,
        };
        let blood = self.blood.map(blood_mark);
        blood
            .into_iter()
            .chain(deferral)
            .map(|mark| format!("\"{mark}\""))
    }
}

#[derive(FromRow)]
pub(super) struct Row {
    pub(super) position: i64,
    pub(super) summary: String,
}

#[derive(FromRow)]
struct Candidate {
    position: i64,
    spelling: String,
    summary: String,
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
    search: &Search,
    after: Option<&str>,
    limit: u32,
    today: Date,
) -> Result<DonorPage, UnlockError> {
    let text = search.text.trim();
    if text.chars().nth(LONGEST).is_some() {
        return Ok(DonorPage::default());
    }
    let filters = Filters::new(search, today);
    let after = after.and_then(After::parse);
    if let Some(numbers) = Numbers::parse(text) {
        let skip = match after {
            Some(After::Number(skip)) => skip,
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
            next: has_more.then(|| After::Number(skip + limit).write()),
        });
    }
    let query = Query::parse(text);
    let (rank, place) = match after {
        Some(After::Place(rank, place)) => (rank, place),
        _ => (0, i64::MIN),
    };
    let words: &[Word] = match &query {
        Query::Words(words) => &words[..words.len().min(WORDS)],
        // Text of signs alone, as `*`, finds everybody, as nothing does.
        Query::All | Query::Digits(_) => &[],
    };
    let pattern = pattern(cache, words, &filters).await?;
    let Some(pattern) = pattern else {
        return Ok(DonorPage::default());
    };
    let total = total(cache, &pattern, &filters).await?;
    if !words.is_empty() && total <= RANKED as u64 {
        let ranked = ranked(cache, &pattern, &filters, words).await?;
        let total = ranked.len() as u64;
        let rows = ranked
            .into_iter()
            .filter(|(of, candidate)| (*of, candidate.position) > (rank, place))
            .map(|(of, candidate)| (of, candidate.position, candidate.summary));
        return page(&query, total, rows.collect(), limit, today);
    }
    let rows = ordered(cache, &pattern, &filters, place, limit).await?;
    let rows = rows.into_iter().map(|row| (0, row.position, row.summary));
    page(&query, total, rows.collect(), limit, today)
}

/// The text index's question; empty without words and marks, `None` if some word begins no name.
async fn pattern(
    cache: &mut SqliteConnection,
    words: &[Word],
    filters: &Filters,
) -> Result<Option<String>, DatabaseError> {
    let mut parts: Vec<String> = Vec::new();
    for word in words {
        // Keys are ASCII letters and digits: nothing of FTS5's syntax.
        let known: Vec<String> = sqlx::query_scalar(
            "SELECT key FROM word WHERE key >= ?1 AND key < ?1 || '~' ORDER BY key LIMIT ?2",
        )
        .bind(&word.key)
        .bind(EXPANDED as i64 + 1)
        .fetch_all(&mut *cache)
        .await?;
        if known.is_empty() {
            return Ok(None);
        }
        parts.push(if known.len() > EXPANDED {
            format!("\"{}\"*", word.key)
        } else {
            let known: Vec<String> = known.iter().map(|key| format!("\"{key}\"")).collect();
            format!("({})", known.join(" OR "))
        });
    }
    parts.extend(filters.marks());
    Ok(Some(parts.join(" AND ")))
}

async fn total(
    cache: &mut SqliteConnection,
    pattern: &str,
    filters: &Filters,
) -> Result<u64, DatabaseError> {
    let total: i64 = if pattern.is_empty() && filters.deferral.is_none() {
        sqlx::query_scalar("SELECT donors FROM tally")
            .fetch_one(cache)
            .await?
    } else if pattern.is_empty() {
        // Not deferred: nearly everybody.
        sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM donor WHERE deferred >= ? AND deferred < ? LIMIT ?)",
        )
        .bind(&filters.deferred.0)
        .bind(&filters.deferred.1)
        .bind(COUNTED + 1)
        .fetch_one(cache)
        .await?
    } else if filters.is_in_index() {
        sqlx::query_scalar("SELECT count(*) FROM (SELECT rowid FROM donor_search WHERE donor_search MATCH ? LIMIT ?)")
            .bind(pattern)
            .bind(COUNTED + 1)
            .fetch_one(cache)
            .await?
    } else {
        sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM donor_search CROSS JOIN donor ON donor.position = donor_search.rowid
                 WHERE donor_search MATCH ? AND deferred >= ? AND deferred < ? LIMIT ?)",
        )
        .bind(pattern)
        .bind(&filters.deferred.0)
        .bind(&filters.deferred.1)
        .bind(COUNTED + 1)
        .fetch_one(cache)
        .await?
    };
    Ok(total.unsigned_abs())
}

/// A few answers, spelled as typed first.
async fn ranked(
    cache: &mut SqliteConnection,
    pattern: &str,
    filters: &Filters,
    words: &[Word],
) -> Result<Vec<(u8, Candidate)>, DatabaseError> {
    let found: Vec<Candidate> = sqlx::query_as(
        "SELECT position, spelling, summary FROM donor_search CROSS JOIN donor ON donor.position = donor_search.rowid
         WHERE donor_search MATCH ? AND deferred >= ? AND deferred < ? ORDER BY donor_search.rowid LIMIT ?",
    )
    .bind(pattern)
    .bind(&filters.deferred.0)
    .bind(&filters.deferred.1)
    .bind(RANKED as i64)
    .fetch_all(cache)
    .await?;
    // Spelled as typed: every word begins some word of the name.
    let typed: Vec<String> = words
        .iter()
        .map(|word| format!(" {}", word.spelling))
        .collect();
    let mut ranked: Vec<(u8, Candidate)> = found
        .into_iter()
        .map(|candidate| {
            let is_exact = typed.iter().all(|word| candidate.spelling.contains(word));
            (u8::from(!is_exact), candidate)
        })
        .collect();
    ranked.sort_by_key(|(rank, candidate)| (*rank, candidate.position));
    Ok(ranked)
}

/// Answers in the order of the table.
async fn ordered(
    cache: &mut SqliteConnection,
    pattern: &str,
    filters: &Filters,
    place: i64,
    limit: u32,
) -> Result<Vec<Row>, DatabaseError> {
    let sql = if pattern.is_empty() {
        "SELECT position, summary FROM donor WHERE position > ?2 AND deferred >= ?3 AND deferred < ?4 AND ?1 = '' ORDER BY position LIMIT ?5"
    } else {
        "SELECT position, summary FROM donor_search CROSS JOIN donor ON donor.position = donor_search.rowid
         WHERE donor_search MATCH ?1 AND donor_search.rowid > ?2 AND deferred >= ?3 AND deferred < ?4
         ORDER BY donor_search.rowid LIMIT ?5"
    };
    Ok(sqlx::query_as(sql)
        .bind(pattern)
        .bind(place)
        .bind(&filters.deferred.0)
        .bind(&filters.deferred.1)
        .bind(i64::from(limit) + 1)
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
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_back_and_nonsense_is_not() {
        for after in [
            After::Place(1, -7),
            After::Place(0, i64::MAX),
            After::Number(150),
        ] {
            assert_eq!(After::parse(&after.write()), Some(after));
        }
        for nonsense in [
            "",
            "?",
            "AA",
            "AAAAAAAAAAAAAAAAAAAA",
            "\0",
            &"A".repeat(10_000),
        ] {
            assert_eq!(After::parse(nonsense), None);
        }
    }
}
