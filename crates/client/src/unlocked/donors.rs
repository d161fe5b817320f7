//! The list's rows of donors: what is found, how it is marked, and at which place it stands.

use std::collections::{BTreeMap, BTreeSet};

use infoblood_clinical::{
    blood::BloodGroup,
    donor::Summary,
    fhir::{Identifier, Resource, system},
    isbt128::Din,
    names::{Sorter, search_key, spelling},
};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::{
    apply::{json, values},
    position,
};
use crate::database::DatabaseError;

/// Rows of one statement.
const ROWS: usize = 32;
/// Rows on each side that move at first where there is no room.
const REACH: i64 = 32;
/// Places between rows that moved.
const GAP: i64 = 1 << 12;
/// `donor.deferred` of who may never donate.
pub(super) const FOREVER: &str = "~";

/// What the cache has about somebody already.
#[derive(Default, FromRow)]
pub(super) struct Known {
    id: String,
    position: Option<i64>,
    sort_key: Option<Vec<u8>>,
    numbers: Option<String>,
    #[sqlx(try_from = "i64")]
    pub(super) resources: usize,
}

/// A row to write.
pub(super) struct Row {
    position: i64,
    sort_key: Vec<u8>,
    spelling: String,
    terms: String,
    numbers: BTreeSet<String>,
    deferred: String,
    summary: Summary,
}

impl Row {
    pub(super) fn new(summary: Summary, resources: &[Resource], sorter: &Sorter) -> Self {
        let name = summary.full_name();
        let mut terms = search_key(&name);
        for mark in marks(&summary) {
            terms.push(' ');
            terms.push(mark);
        }
        let deferred = match summary.deferred_until {
            _ if summary.permanent => FOREVER.to_owned(),
            until => until.map(|day| day.to_string()).unwrap_or_default(),
        };
        Self {
            position: 0,
            sort_key: sorter.key(
                &summary.family,
                &summary.given,
                summary.patronymic.as_deref(),
            ),
            spelling: format!(" {}", spelling(&name)),
            terms,
            numbers: numbers(&summary, resources),
            deferred,
            summary,
        }
    }
}

fn marks(summary: &Summary) -> impl Iterator<Item = char> {
    let deferral = if summary.permanent {
        Some(PERMANENT)
    } else {
        summary.deferred_until.map(|_| TEMPORARY)
    };
    summary.blood.map(blood_mark).into_iter().chain(deferral)
}

/// Marks stand among the words of a name, which are ASCII: nobody can type one.
pub(super) const PERMANENT: char = 'п';
/// Has, or had, a deferral with an end.
pub(super) const TEMPORARY: char = 'т';

/// The mark of ABO and RhD.
pub(super) fn blood_mark(group: BloodGroup) -> char {
    match group.code() {
        "O-" => 'а',
        "O+" => 'б',
        "A-" => 'в',
        "A+" => 'г',
        "B-" => 'д',
        "B+" => 'е',
        "AB-" => 'ж',
        _ => 'з',
    }
}

/// Keys of all numbers by which somebody is found.
fn numbers(summary: &Summary, resources: &[Resource]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let iin: String = summary.iin.chars().filter(char::is_ascii_digit).collect();
    if !iin.is_empty() {
        keys.insert(format!("i{iin}"));
    }
    for resource in resources {
        match resource {
            Resource::Procedure(procedure) => {
                let din = Identifier::find(&procedure.identifier, system::DIN);
                if let Some(din) = din.and_then(|din| Din::parse(din).ok()) {
                    keys.insert(format!("d{din}"));
                }
            }
            Resource::Patient(patient) if patient.id == summary.id => {
                let phones = patient
                    .telecom
                    .iter()
                    .filter(|contact| contact.system.as_deref() == Some("phone"))
                    .filter_map(|contact| phone(contact.value.as_deref()?));
                keys.extend(phones.map(|phone| format!("p{phone}")));
            }
            _ => {}
        }
    }
    keys
}

/// Digits of a telephone number without `+7` or `8` before it, as a person may type or leave it out.
pub(super) fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let national = match digits.as_bytes() {
        [b'7' | b'8', rest @ ..] if rest.len() == 10 => &digits[1..],
        _ => &digits,
    };
    (3..=15)
        .contains(&national.len())
        .then(|| national.to_owned())
}

/// What the cache has about these people, with the number of their resources.
pub(super) async fn known(
    cache: &mut SqliteConnection,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Known>, DatabaseError> {
    let rows: Vec<Known> = sqlx::query_as(
        "SELECT wanted.value AS id, donor.position, donor.sort_key, donor.numbers,
             (SELECT count(*) FROM resource WHERE resource.donor = wanted.value) AS resources
         FROM json_each(?) AS wanted LEFT JOIN donor ON donor.id = wanted.value",
    )
    .bind(json(ids))
    .fetch_all(cache)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Writes rows in place of what was known; without a row nothing is left.
pub(super) async fn write(
    cache: &mut SqliteConnection,
    rows: Vec<(Known, Option<Row>)>,
) -> Result<(), DatabaseError> {
    let (mut gone, mut dropped) = (Vec::new(), Vec::new());
    let (mut here, mut new) = (Vec::new(), Vec::new());
    for (known, row) in rows {
        let row = row.map(|row| {
            let is_same = known.sort_key.as_ref() == Some(&row.sort_key);
            (row, known.position.filter(|_| is_same))
        });
        for key in known.numbers.iter().flat_map(|keys| keys.split(' ')) {
            if row
                .as_ref()
                .is_none_or(|(row, _)| !row.numbers.contains(key))
            {
                dropped.push((key.to_owned(), known.id.clone()));
            }
        }
        match row {
            Some((mut row, Some(position))) => {
                row.position = position;
                here.push(row);
            }
            other => {
                gone.extend(known.position);
                new.extend(other.map(|(row, _)| row));
            }
        }
    }
    if !gone.is_empty() {
        sqlx::query("DELETE FROM donor WHERE position IN (SELECT value FROM json_each(?))")
            .bind(json(&gone))
            .execute(&mut *cache)
            .await?;
    }
    if !dropped.is_empty() {
        sqlx::query("DELETE FROM number WHERE (key, donor) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))")
            .bind(json(&dropped))
            .execute(&mut *cache)
            .await?;
    }
    find(cache, here.iter().chain(&new)).await?;
    insert(cache, &here).await?;
    place(cache, &mut new).await?;
    insert(cache, &new).await
}

/// Gives new rows their places, in their order.
async fn place(cache: &mut SqliteConnection, new: &mut Vec<Row>) -> Result<(), DatabaseError> {
    new.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut rows = std::mem::take(new);
    while !rows.is_empty() {
        let between = neighbours(cache, &rows).await?;
        let mut last = None;
        let mut done = 0;
        while let Some(first) = rows.get(done) {
            let places = position::places(&first.summary.family, &first.summary.given);
            let alike = |(row, other): &(&Row, &(Option<i64>, Option<i64>))| {
                *other == &between[done]
                    && position::places(&row.summary.family, &row.summary.given) == places
            };
            let rest = rows[done..].iter().zip(&between[done..]);
            let count = rest.take_while(alike).count();
            let (before, after) = between[done];
            // What was placed just now is a neighbour too.
            let Some(positions) = position::spread(&places, before.max(last), after, count) else {
                break;
            };
            for (row, position) in rows[done..].iter_mut().zip(positions) {
                row.position = position;
                last = Some(position);
            }
            done += count;
        }
        let crowded = rows.split_off(done);
        new.append(&mut rows);
        if let Some(first) = crowded.first() {
            // Its neighbours move apart, and are other ones then for the rows after it.
            insert(cache, new).await?;
            new.clear();
            spread_apart(cache, first, crowded.len()).await?;
        }
        rows = crowded;
    }
    Ok(())
}

fn key(row: &Row) -> (&[u8], &str) {
    (&row.sort_key, &row.summary.id)
}

/// The places before and after each of the rows.
async fn neighbours(
    cache: &mut SqliteConnection,
    rows: &[Row],
) -> Result<Vec<(Option<i64>, Option<i64>)>, DatabaseError> {
    let keys: Vec<(String, &str)> = rows
        .iter()
        .map(|row| (hex::encode(&row.sort_key), row.summary.id.as_str()))
        .collect();
    Ok(sqlx::query_as(
        "SELECT (SELECT position FROM donor WHERE (sort_key, id) < (unhex(wanted.value ->> 0), wanted.value ->> 1)
                 ORDER BY sort_key DESC, id DESC LIMIT 1),
                (SELECT position FROM donor WHERE (sort_key, id) > (unhex(wanted.value ->> 0), wanted.value ->> 1)
                 ORDER BY sort_key, id LIMIT 1)
         FROM json_each(?) AS wanted ORDER BY wanted.key",
    )
    .bind(json(&keys))
    .fetch_all(cache)
    .await?)
}

/// Moves the rows around a place where there is no room until there is: more and more of them, until the gap takes
/// what is coming and those between them are [`GAP`] too.
async fn spread_apart(
    cache: &mut SqliteConnection,
    row: &Row,
    coming: usize,
) -> Result<(), DatabaseError> {
    let gap = GAP.max(i64::try_from(coming).unwrap_or(GAP));
    let [before, after] = [
        "< (?1, ?2) ORDER BY sort_key DESC, id DESC",
        "> (?1, ?2) ORDER BY sort_key, id",
    ]
    .map(|rest| format!("SELECT id, position FROM donor WHERE (sort_key, id) {rest} LIMIT ?3"));
    let mut reach = REACH;
    loop {
        let mut sides = [Vec::new(), Vec::new()];
        for (side, sql) in sides.iter_mut().zip([&before, &after]) {
            *side = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql.clone()))
                .bind(&row.sort_key)
                .bind(&row.summary.id)
                .bind(reach + 1)
                .fetch_all(&mut *cache)
                .await?;
        }
        // The outermost of each side stay, if they are not the first or the last of all.
        let [before, after] = sides.each_mut().map(|side| {
            let is_whole = i64::try_from(side.len()).is_ok_and(|found| found <= reach);
            if is_whole {
                None
            } else {
                side.pop().map(|(_, position)| position)
            }
        });
        let [mut rows, after_it] = sides;
        rows.reverse();
        let middle = rows.len();
        rows.extend(after_it);
        if let Some(positions) = position::apart(before, after, rows.len(), middle, gap) {
            let moved: Vec<(String, i64)> =
                rows.into_iter().map(|(id, _)| id).zip(positions).collect();
            for sql in [
                "UPDATE donor SET position = -1 - position FROM json_each(?) AS moved WHERE donor.id = moved.value ->> 0",
                "UPDATE donor SET position = moved.value ->> 1 FROM json_each(?) AS moved WHERE donor.id = moved.value ->> 0",
            ] {
                sqlx::query(sql)
                    .bind(json(&moved))
                    .execute(&mut *cache)
                    .await?;
            }
            return Ok(());
        }
        reach = reach.saturating_mul(2);
    }
}

async fn insert(cache: &mut SqliteConnection, rows: &[Row]) -> Result<(), DatabaseError> {
    for rows in rows.chunks(ROWS) {
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO donor (position, id, sort_key, spelling, terms, numbers, blood, deferred, summary) VALUES {}
             ON CONFLICT (id) DO UPDATE SET terms = excluded.terms, numbers = excluded.numbers, spelling = excluded.spelling,
                 blood = excluded.blood, deferred = excluded.deferred, summary = excluded.summary",
            values(9, rows.len())
        )));
        for row in rows {
            let numbers: Vec<&str> = row.numbers.iter().map(String::as_str).collect();
            query = query
                .bind(row.position)
                .bind(&row.summary.id)
                .bind(&row.sort_key)
                .bind(&row.spelling)
                .bind(&row.terms)
                .bind(numbers.join(" "))
                .bind(row.summary.blood.as_ref().map_or("", BloodGroup::code))
                .bind(&row.deferred)
                .bind(json(&row.summary));
        }
        query.execute(&mut *cache).await?;
    }
    Ok(())
}

/// Makes rows findable by their numbers and by beginnings of their words.
async fn find(
    cache: &mut SqliteConnection,
    rows: impl Iterator<Item = &Row> + Clone,
) -> Result<(), DatabaseError> {
    let numbers: Vec<(&str, &str)> = rows
        .clone()
        .flat_map(|row| {
            let id = row.summary.id.as_str();
            row.numbers.iter().map(move |key| (key.as_str(), id))
        })
        .collect();
    let words: BTreeSet<&str> = rows
        .flat_map(|row| row.terms.split(' '))
        .filter(|word| word.is_ascii())
        .collect();
    sqlx::query("INSERT OR IGNORE INTO number (key, donor) SELECT value ->> 0, value ->> 1 FROM json_each(?)")
        .bind(json(&numbers))
        .execute(&mut *cache)
        .await?;
    sqlx::query(
        "INSERT OR IGNORE INTO word (key) SELECT value FROM json_each(?) WHERE value <> ''",
    )
    .bind(json(&words))
    .execute(cache)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephones_are_one_however_they_are_written() {
        for same in [
            "+7 701 234 56 78",
            "8(701)234-56-78",
            "7012345678",
            "tel:+77012345678",
        ] {
            assert_eq!(phone(same).as_deref(), Some("7012345678"), "{same}");
        }
        assert_eq!(phone("12"), None);
        assert_eq!(phone("no telephone"), None);
        assert_eq!(phone(&"7".repeat(400)), None);
    }
}
