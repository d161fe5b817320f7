//! The search field of recipients: names in any spelling, as for donors, and IINs by their beginning or end.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use infoblood_clinical::{
    names::{Query, Word},
    recipient::Summary,
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};

use super::{RecipientPage, RecipientRow, reversed};
use crate::{
    database::DatabaseError,
    session::UnlockError,
    unlocked::search::{COUNTED as COUNTED_TO, DEEPEST, next_skip},
};

/// Longer texts are no name and no number.
const LONGEST: usize = 200;
/// Fewest digits that are looked for at the end of an IIN.
const LAST_DIGITS: usize = 3;
/// Typed words that are compared with the spelling: as many as a query has.
const WORDS: usize = 8;

#[derive(FromRow)]
struct Row {
    rank: u8,
    id: String,
    sort_key: Vec<u8>,
    summary: String,
}

#[derive(FromRow)]
struct Numbered {
    by_end: bool,
    iin: String,
    summary: String,
}

/// Where the next page begins.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum After {
    /// After this name, among the exact spellings (0) or the others (1).
    Name(u8, String, String),
    /// After so many answers by number.
    Number(u32),
}

/// One page.
pub(super) async fn search(
    cache: &mut SqliteConnection,
    text: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<RecipientPage, UnlockError> {
    let text = text.trim();
    if text.chars().nth(LONGEST).is_some() {
        return Ok(RecipientPage::default());
    }
    let after = after.and_then(After::parse);
    let query = Query::parse(text);
    match &query {
        Query::Digits(digits) => by_number(cache, digits, after, limit).await,
        Query::All => by_name(cache, &query, &[], after, limit).await,
        Query::Words(words) => by_name(cache, &query, words, after, limit).await,
    }
}

async fn by_number(
    cache: &mut SqliteConnection,
    digits: &str,
    after: Option<After>,
    limit: u32,
) -> Result<RecipientPage, UnlockError> {
    // Without an end nothing answers: no number begins with `~`.
    let end = if digits.len() < LAST_DIGITS {
        "~".to_owned()
    } else {
        reversed(digits)
    };
    let skip = match after {
        Some(After::Number(skip)) => skip.min(DEEPEST),
        _ => 0,
    };
    let total: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT id FROM recipient WHERE iin >= ?1 AND iin < ?1 || '~'
             UNION SELECT id FROM recipient WHERE iin_end >= ?2 AND iin_end < ?2 || '~' LIMIT ?3 + 0)",
    )
    .bind(digits)
    .bind(&end)
    .bind(COUNTED_TO + 1)
    .fetch_one(&mut *cache)
    .await?;
    let found: Vec<Numbered> = sqlx::query_as(
        "SELECT 0 AS by_end, iin, id, summary FROM recipient WHERE iin >= ?1 AND iin < ?1 || '~'
         UNION ALL SELECT 1, iin, id, summary FROM recipient
             WHERE iin_end >= ?2 AND iin_end < ?2 || '~' AND NOT (iin >= ?1 AND iin < ?1 || '~')
         ORDER BY by_end, iin, id LIMIT ?3 + 0 OFFSET ?4",
    )
    .bind(digits)
    .bind(&end)
    .bind(i64::from(limit) + 1)
    .bind(skip)
    .fetch_all(cache)
    .await?;
    let has_more = found.len() > limit as usize;
    let rows = found
        .into_iter()
        .take(limit as usize)
        .map(|row| {
            let start = row.iin.len().saturating_sub(digits.len());
            let tail = row.iin.get(start..).unwrap_or_default();
            Ok(RecipientRow {
                summary: summary(&row.summary)?,
                matched: row.by_end.then(|| format!("…{tail}")),
            })
        })
        .collect::<Result<_, UnlockError>>()?;
    Ok(RecipientPage {
        total: total.unsigned_abs(),
        rows,
        next: next_skip(skip, limit)
            .filter(|_| has_more)
            .map(|skip| After::Number(skip).write()),
    })
}

async fn by_name(
    cache: &mut SqliteConnection,
    query: &Query,
    words: &[Word],
    after: Option<After>,
    limit: u32,
) -> Result<RecipientPage, UnlockError> {
    let after = match after {
        Some(After::Name(rank, key, id)) => (rank, hex::decode(key).unwrap_or_default(), id),
        _ => (0, Vec::new(), String::new()),
    };
    // Keys are ASCII letters and digits: nothing of FTS5's syntax.
    let pattern = words.iter().map(|word| {
        let keys: Vec<String> = word.keys.iter().map(|key| format!("\"{key}\"*")).collect();
        format!("({})", keys.join(" OR "))
    });
    let pattern = pattern.collect::<Vec<_>>().join(" AND ");
    let total = total(cache, &pattern).await?;
    let limit = limit as usize;
    let mut rows = if pattern.is_empty() {
        everybody(cache, &after, limit as i64 + 1).await?
    } else {
        ranked(cache, &pattern, words, &after, limit as i64 + 1).await?
    };
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows
        .last()
        .filter(|_| has_more)
        .map(|row| After::Name(row.rank, hex::encode(&row.sort_key), row.id.clone()).write());
    let rows = rows
        .into_iter()
        .map(|row| {
            let summary = summary(&row.summary)?;
            let found = query.compare(&summary.full_name());
            Ok(RecipientRow {
                matched: found.and_then(|found| found.difference),
                summary,
            })
        })
        .collect::<Result<_, UnlockError>>()?;
    Ok(RecipientPage {
        total: total.unsigned_abs(),
        rows,
        next,
    })
}

async fn total(cache: &mut SqliteConnection, pattern: &str) -> Result<i64, DatabaseError> {
    let query = if pattern.is_empty() {
        sqlx::query_scalar("SELECT count(*) FROM (SELECT 1 FROM recipient LIMIT ?1 + 0)")
    } else {
        sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT rowid FROM recipient_search WHERE recipient_search MATCH ?2 LIMIT ?1 + 0)",
        )
    };
    let mut query = query.bind(COUNTED_TO + 1);
    if !pattern.is_empty() {
        query = query.bind(pattern);
    }
    Ok(query.fetch_one(cache).await?)
}

/// Everybody in Kazakh order, after a name.
async fn everybody(
    cache: &mut SqliteConnection,
    (_, key, id): &(u8, Vec<u8>, String),
    limit: i64,
) -> Result<Vec<Row>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT 0 AS rank, id, sort_key, summary FROM recipient WHERE (sort_key, id) > (?1, ?2) ORDER BY sort_key, id LIMIT ?3 + 0",
    )
    .bind(key)
    .bind(id)
    .bind(limit)
    .fetch_all(cache)
    .await?)
}

/// Answers, those of which every typed word begins a word as it is spelled first (0), each in Kazakh order, after a name.
async fn ranked(
    cache: &mut SqliteConnection,
    pattern: &str,
    words: &[Word],
    (rank, key, id): &(u8, Vec<u8>, String),
    limit: i64,
) -> Result<Vec<Row>, DatabaseError> {
    let mut query = sqlx::query_as(
        "SELECT * FROM (
             SELECT min(instr(spelling, ?6), instr(spelling, ?7), instr(spelling, ?8), instr(spelling, ?9), instr(spelling, ?10),
                 instr(spelling, ?11), instr(spelling, ?12), instr(spelling, ?13)) = 0 AS rank, id, sort_key, summary
             FROM recipient WHERE rowid IN (SELECT rowid FROM recipient_search WHERE recipient_search MATCH ?1))
         WHERE (rank, sort_key, id) > (?2, ?3, ?4) ORDER BY rank, sort_key, id LIMIT ?5 + 0",
    )
    .bind(pattern)
    .bind(rank)
    .bind(key)
    .bind(id)
    .bind(limit);
    for at in 0..WORDS {
        // A space stands in every spelling.
        let word = words.get(at).map(|word| word.spelling.as_str());
        query = query.bind(format!(" {}", word.unwrap_or_default()));
    }
    Ok(query.fetch_all(cache).await?)
}

fn summary(json: &str) -> Result<Summary, UnlockError> {
    serde_json::from_str(json).map_err(|_| UnlockError::Clinical)
}

impl After {
    fn write(&self) -> String {
        // Texts and numbers always serialise.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// A place after so many answers by number, as somebody may forge it.
#[cfg(test)]
pub(super) fn number(skip: u32) -> String {
    After::Number(skip).write()
}
