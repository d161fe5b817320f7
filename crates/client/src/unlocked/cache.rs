//! Queries of the patient cache. Nothing outside [`super`] calls them: the gate is checked there.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use infoblood_clinical::{
    donor::Summary,
    fhir::{Record, Resource},
    names::{Query, Sorter, search_key, spelling},
};
use jiff::{Timestamp, civil::Date};
use sqlx::{FromRow, SqliteConnection};

use super::{DonorPage, DonorRow};
use crate::{database::DatabaseError, session::UnlockError};

#[derive(FromRow)]
struct Row {
    rank: i64,
    sort_key: Vec<u8>,
    id: String,
    summary: String,
}

/// Keyset pages by (rank, Kazakh order, id). Rank 0: spelled as typed.
pub(super) async fn search(
    cache: &mut SqliteConnection,
    text: &str,
    after: Option<&str>,
    limit: u32,
    today: Date,
) -> Result<DonorPage, UnlockError> {
    let query = Query::parse(text);
    let (rank, sort_key, id) =
        after
            .and_then(parse_after)
            .unwrap_or((-1, Vec::new(), String::new()));
    let (total, rows): (i64, Vec<Row>) = match &query {
        Query::All => {
            let total = sqlx::query_scalar("SELECT count(*) FROM donor")
                .fetch_one(&mut *cache)
                .await?;
            let rows = sqlx::query_as(
                "SELECT 0 AS rank, sort_key, id, summary FROM donor WHERE (sort_key, id) > (?, ?) ORDER BY sort_key, id LIMIT ?",
            )
            .bind(sort_key)
            .bind(id)
            .bind(i64::from(limit) + 1)
            .fetch_all(cache)
            .await?;
            (total, rows)
        }
        Query::Digits(digits) => {
            let end = format!("{digits}:");
            let total = sqlx::query_scalar("SELECT count(*) FROM donor WHERE iin >= ? AND iin < ?")
                .bind(digits)
                .bind(&end)
                .fetch_one(&mut *cache)
                .await?;
            let rows = sqlx::query_as(
                "SELECT 0 AS rank, sort_key, id, summary FROM donor WHERE iin >= ? AND iin < ? AND (sort_key, id) > (?, ?)
                 ORDER BY sort_key, id LIMIT ?",
            )
            .bind(digits)
            .bind(&end)
            .bind(sort_key)
            .bind(id)
            .bind(i64::from(limit) + 1)
            .fetch_all(cache)
            .await?;
            (total, rows)
        }
        Query::Words(words) => {
            // Keys are ASCII letters and digits: nothing of FTS5's syntax.
            let pattern = words
                .iter()
                .filter(|word| !word.key.is_empty())
                .map(|word| format!("\"{}\"*", word.key))
                .collect::<Vec<_>>()
                .join(" ");
            if pattern.is_empty() {
                return Ok(DonorPage::default());
            }
            // Spelled as typed: every word begins some word of the name. At most four are looked at, the rest only rank.
            let mut typed = words.iter().map(|word| format!(" {}", word.spelling));
            let typed: [String; 4] = std::array::from_fn(|_| typed.next().unwrap_or_default());
            let total =
                sqlx::query_scalar("SELECT count(*) FROM donor_search WHERE donor_search MATCH ?")
                    .bind(&pattern)
                    .fetch_one(&mut *cache)
                    .await?;
            let rows = sqlx::query_as(
                "SELECT rank, sort_key, id, summary FROM (
                     SELECT CASE WHEN instr(spelling, ?2) > 0 AND (?3 = '' OR instr(spelling, ?3) > 0)
                         AND (?4 = '' OR instr(spelling, ?4) > 0) AND (?5 = '' OR instr(spelling, ?5) > 0) THEN 0 ELSE 1 END AS rank,
                         sort_key, id, summary
                     FROM donor WHERE rowid IN (SELECT rowid FROM donor_search WHERE donor_search MATCH ?1))
                 WHERE (rank, sort_key, id) > (?6, ?7, ?8) ORDER BY rank, sort_key, id LIMIT ?9",
            )
            .bind(&pattern)
            .bind(&typed[0])
            .bind(&typed[1])
            .bind(&typed[2])
            .bind(&typed[3])
            .bind(rank)
            .bind(sort_key)
            .bind(id)
            .bind(i64::from(limit) + 1)
            .fetch_all(cache)
            .await?;
            (total, rows)
        }
    };
    page(&query, total, rows, limit, today)
}

fn page(
    query: &Query,
    total: i64,
    mut rows: Vec<Row>,
    limit: u32,
    today: Date,
) -> Result<DonorPage, UnlockError> {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| has_more).map(next_after);
    let rows = rows
        .into_iter()
        .map(|row| {
            let summary: Summary =
                serde_json::from_str(&row.summary).map_err(|_| UnlockError::Clinical)?;
            let matched = query
                .compare(&summary.full_name())
                .and_then(|found| found.difference);
            Ok(DonorRow {
                deferral: summary.deferral(today),
                matched,
                summary,
            })
        })
        .collect::<Result<_, UnlockError>>()?;
    Ok(DonorPage {
        total: total.unsigned_abs(),
        rows,
        next,
    })
}

fn next_after(row: &Row) -> String {
    let rank = u8::try_from(row.rank).unwrap_or(0);
    let length = u32::try_from(row.sort_key.len()).unwrap_or(0);
    URL_SAFE_NO_PAD.encode(
        [
            &[rank][..],
            &length.to_be_bytes(),
            &row.sort_key,
            row.id.as_bytes(),
        ]
        .concat(),
    )
}

fn parse_after(text: &str) -> Option<(i64, Vec<u8>, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (rank, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sort_key, id) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((
        i64::from(*rank),
        sort_key.to_vec(),
        str::from_utf8(id).ok()?.to_owned(),
    ))
}

/// Everything about one donor.
pub(super) async fn resources(
    cache: &mut SqliteConnection,
    donor: &str,
) -> Result<Vec<Resource>, DatabaseError> {
    let rows: Vec<String> = sqlx::query_scalar("SELECT json FROM resource WHERE donor = ?")
        .bind(donor)
        .fetch_all(cache)
        .await?;
    Ok(rows
        .iter()
        .filter_map(|json| Record::parse_line(json.as_bytes()).ok())
        .map(|record| record.resource)
        .collect())
}

/// When both streams were last read to their ends.
pub(super) async fn as_of(
    cache: &mut SqliteConnection,
) -> Result<Option<Timestamp>, DatabaseError> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT min(applied_at) FROM feed HAVING count(*) = 2 AND min(applied_at) > 0",
    )
    .fetch_optional(cache)
    .await?;
    Ok(at.and_then(|at| Timestamp::from_second(at).ok()))
}

/// Makes the list's row of a donor anew from the resources.
pub(super) async fn rebuild(
    cache: &mut SqliteConnection,
    sorter: &Sorter,
    donor: &str,
) -> Result<(), DatabaseError> {
    let resources = resources(cache, donor).await?;
    // Deferrals may come before the person they are about; recipients are no donors.
    let is_recipient = resources
        .iter()
        .any(|r| matches!(r, Resource::Patient(p) if p.id == donor && p.is_recipient()));
    let summary = Summary::assemble(donor, &resources).ok();
    let Some(summary) = summary.filter(|_| !is_recipient) else {
        sqlx::query("DELETE FROM donor WHERE id = ?")
            .bind(donor)
            .execute(cache)
            .await?;
        return Ok(());
    };
    let name = summary.full_name();
    sqlx::query(
        "INSERT INTO donor (id, sort_key, iin, spelling, folded, summary) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET sort_key = excluded.sort_key, iin = excluded.iin, spelling = excluded.spelling,
             folded = excluded.folded, summary = excluded.summary",
    )
    .bind(donor)
    .bind(sorter.key(&summary.family, &summary.given, summary.patronymic.as_deref()))
    .bind(&summary.iin)
    .bind(format!(" {}", spelling(&name)))
    .bind(search_key(&name))
    .bind(serde_json::to_string(&summary).unwrap_or_default())
    .execute(cache)
    .await?;
    Ok(())
}
