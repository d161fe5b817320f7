//! The list's rows of donors: what is found, how it is marked, and at which place it stands.

use std::collections::{BTreeMap, BTreeSet};

use infoblood_clinical::{
    donor::Summary,
    fhir::Resource,
    names::{Sorter, plain},
};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::{
    apply::{json, values},
    filters::{blood_number, deferred_number},
    names::{Entry, Names},
    position,
};
use crate::database::DatabaseError;

/// Rows of one statement.
const ROWS: usize = 32;
/// Rows on each side that move at first where there is no room.
const REACH: i64 = 32;
/// Places between rows that moved.
const GAP: i64 = 1 << 12;

/// What the cache has about somebody already.
#[derive(Default, FromRow)]
pub(super) struct Known {
    id: String,
    position: Option<i64>,
    slot: Option<u32>,
    sort_key: Option<Vec<u8>>,
    numbers: Option<String>,
    spelling: Option<String>,
    #[sqlx(try_from = "i64")]
    pub(super) resources: usize,
}

/// A row to write.
pub(super) struct Row {
    position: i64,
    slot: u32,
    sort_key: Vec<u8>,
    spelling: String,
    /// How the name was spelled that has the slot.
    before: Option<String>,
    numbers: BTreeSet<String>,
    blood: u8,
    deferred: u32,
    summary: Summary,
}

impl Row {
    pub(super) fn new(summary: Summary, resources: &[Resource], sorter: &Sorter) -> Self {
        Self {
            position: 0,
            slot: 0,
            sort_key: sorter.key(
                &summary.family,
                &summary.given,
                summary.patronymic.as_deref(),
            ),
            spelling: format!(" {}", plain(&summary.full_name())),
            before: None,
            numbers: numbers(&summary, resources),
            blood: blood_number(summary.blood),
            deferred: deferred_number(&summary),
            summary,
        }
    }
}

/// Keys of all numbers by which somebody is found.
fn numbers(summary: &Summary, resources: &[Resource]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for resource in resources {
        match resource {
            Resource::Procedure(procedure) => {
                keys.extend(procedure.dins().map(|din| format!("d{din}")));
            }
            Resource::Patient(patient) if patient.id == summary.id => {
                let phones = patient
                    .telecom
                    .iter()
                    .filter(|contact| contact.system.as_deref() == Some("phone"))
                    .filter_map(|contact| phone(contact.value.as_deref()?));
                keys.extend(phones.map(|phone| format!("p{phone}")));
                let iins = patient
                    .iins()
                    .map(|iin| iin.chars().filter(char::is_ascii_digit).collect::<String>())
                    .filter(|digits| !digits.is_empty());
                keys.extend(iins.map(|iin| format!("i{iin}")));
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
        "SELECT wanted.value AS id, donor.position, donor.slot, donor.sort_key, donor.numbers, name.spelling,
             (SELECT count(*) FROM resource WHERE resource.donor = wanted.value) AS resources
         FROM json_each(?) AS wanted LEFT JOIN donor ON donor.id = wanted.value LEFT JOIN name ON name.slot = donor.slot",
    )
    .bind(json(ids))
    .fetch_all(cache)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Writes rows in place of what was known; without a row nothing is left.
pub(super) async fn write(
    cache: &mut SqliteConnection,
    names: &mut Names,
    rows: Vec<(Known, Option<Row>)>,
) -> Result<(), DatabaseError> {
    let (mut moved, mut gone, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    let (mut here, mut new) = (Vec::new(), Vec::new());
    for (known, row) in rows {
        if let (Some(numbers), Some(slot)) = (&known.numbers, known.slot) {
            let others = numbers
                .split(' ')
                .filter(|key| row.as_ref().is_none_or(|row| !row.numbers.contains(*key)));
            dropped.extend(others.map(|key| (key.to_owned(), slot)));
        }
        let Some(mut row) = row else {
            moved.extend(known.position);
            if let Some(slot) = known.slot {
                names.remove(slot, known.spelling.as_deref().unwrap_or_default());
                gone.push(slot);
            }
            continue;
        };
        row.slot = known.slot.unwrap_or_else(|| names.take_slot());
        row.before = known.spelling;
        match known.position {
            Some(position) if known.sort_key.as_ref() == Some(&row.sort_key) => {
                row.position = position;
                here.push(row);
            }
            position => {
                moved.extend(position);
                new.push(row);
            }
        }
    }
    for (sql, list) in [
        (
            "DELETE FROM donor WHERE position IN (SELECT value FROM json_each(?))",
            json(&moved),
        ),
        (
            "DELETE FROM name WHERE slot IN (SELECT value FROM json_each(?))",
            json(&gone),
        ),
    ] {
        if list != "[]" {
            sqlx::query(sql).bind(list).execute(&mut *cache).await?;
        }
    }
    if !dropped.is_empty() {
        sqlx::query("DELETE FROM number WHERE (key, slot) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))")
            .bind(json(&dropped))
            .execute(&mut *cache)
            .await?;
    }
    add_numbers(cache, here.iter().chain(&new)).await?;
    insert(cache, names, &here).await?;
    place(cache, names, &mut new).await?;
    insert(cache, names, &new).await
}

/// Gives new rows their places, in their order.
async fn place(
    cache: &mut SqliteConnection,
    names: &mut Names,
    new: &mut Vec<Row>,
) -> Result<(), DatabaseError> {
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
            insert(cache, names, new).await?;
            new.clear();
            spread_apart(cache, names, first, crowded.len()).await?;
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
    names: &mut Names,
    row: &Row,
    coming: usize,
) -> Result<(), DatabaseError> {
    let gap = GAP.max(i64::try_from(coming).unwrap_or(GAP));
    let [before, after] = [
        "< (?1, ?2) ORDER BY sort_key DESC, id DESC",
        "> (?1, ?2) ORDER BY sort_key, id",
    ]
    .map(|rest| {
        format!("SELECT slot, position, id FROM donor WHERE (sort_key, id) {rest} LIMIT ?3")
    });
    let mut reach = REACH;
    loop {
        let mut sides = [Vec::new(), Vec::new()];
        for (side, sql) in sides.iter_mut().zip([&before, &after]) {
            *side = sqlx::query_as::<_, (u32, i64, String)>(AssertSqlSafe(sql.clone()))
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
                side.pop().map(|(_, position, _)| position)
            }
        });
        let [mut rows, after_it] = sides;
        rows.reverse();
        let middle = rows.len();
        rows.extend(after_it);
        if let Some(positions) = position::apart(before, after, rows.len(), middle, gap) {
            let moved: Vec<(u32, i64, String)> = rows
                .into_iter()
                .zip(positions)
                .map(|((slot, _, id), position)| (slot, position, id))
                .collect();
            // By way of a place below zero, because another one may still stand where it goes.
            for sql in [
                "UPDATE donor SET position = -1 - position FROM json_each(?) AS moved WHERE donor.id = moved.value ->> 2",
                "UPDATE donor SET position = moved.value ->> 1 FROM json_each(?) AS moved WHERE donor.id = moved.value ->> 2",
                "UPDATE name SET position = moved.value ->> 1 FROM json_each(?) AS moved WHERE name.slot = moved.value ->> 0",
            ] {
                sqlx::query(sql)
                    .bind(json(&moved))
                    .execute(&mut *cache)
                    .await?;
            }
            for (slot, position, _) in moved {
                names.place(slot, position);
            }
            return Ok(());
        }
        reach = reach.saturating_mul(2);
    }
}

async fn insert(
    cache: &mut SqliteConnection,
    names: &mut Names,
    rows: &[Row],
) -> Result<(), DatabaseError> {
    for rows in rows.chunks(ROWS) {
        let mut donors = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO donor (position, id, slot, sort_key, numbers, summary) VALUES {}
             ON CONFLICT (id) DO UPDATE SET numbers = excluded.numbers, summary = excluded.summary",
            values(6, rows.len())
        )));
        let mut found = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO name (slot, position, spelling, blood, deferred) VALUES {}
             ON CONFLICT (slot) DO UPDATE SET position = excluded.position, spelling = excluded.spelling, blood = excluded.blood,
                 deferred = excluded.deferred",
            values(5, rows.len())
        )));
        for row in rows {
            let numbers: Vec<&str> = row.numbers.iter().map(String::as_str).collect();
            donors = donors
                .bind(row.position)
                .bind(&row.summary.id)
                .bind(row.slot)
                .bind(&row.sort_key)
                .bind(numbers.join(" "))
                .bind(json(&row.summary));
            found = found
                .bind(row.slot)
                .bind(row.position)
                .bind(&row.spelling)
                .bind(row.blood)
                .bind(row.deferred);
        }
        donors.execute(&mut *cache).await?;
        found.execute(&mut *cache).await?;
        for row in rows {
            let entry = Entry {
                slot: row.slot,
                position: row.position,
                spelling: &row.spelling,
                blood: row.blood,
                deferred: row.deferred,
            };
            names.put(&entry, row.before.as_deref());
        }
    }
    Ok(())
}

/// Makes rows findable by their numbers.
async fn add_numbers(
    cache: &mut SqliteConnection,
    rows: impl Iterator<Item = &Row>,
) -> Result<(), DatabaseError> {
    let numbers: Vec<(&str, u32)> = rows
        .flat_map(|row| row.numbers.iter().map(|key| (key.as_str(), row.slot)))
        .collect();
    sqlx::query("INSERT OR IGNORE INTO number (key, slot) SELECT value ->> 0, value ->> 1 FROM json_each(?)")
        .bind(json(&numbers))
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
