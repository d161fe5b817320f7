//! Writing a batch into the cache: a few statements for all of it, each donor's row made once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use infoblood_clinical::{fhir::Resource, names::Sorter};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{
    batch::{Batch, Put},
    donations, donors,
    names::Names,
    people::{Listed, Person},
    recipients, stock,
    texts::Unpacker,
};
use crate::database::DatabaseError;

/// Rows of one statement.
const ROWS: usize = 256;

/// Applies a batch within a transaction; the cursor is the caller's. If it fails, `names` is not to be used any more.
pub(super) async fn apply(
    cache: &mut SqliteConnection,
    names: &mut Names,
    sorter: &Sorter,
    batch: Batch,
) -> Result<(), DatabaseError> {
    let deleted = batch.deletes.iter().map(|(kind, id)| (kind.as_str(), id));
    let put = batch.puts.iter().map(|put| (put.kind, &put.id));
    let came: BTreeSet<String> = deleted
        .chain(put)
        .filter(|(kind, _)| *kind == "Patient")
        .map(|(_, id)| id.clone())
        .collect();
    let mut touched: BTreeSet<String> = delete(cache, &batch.deletes).await?;
    put_all(cache, batch.puts).await?;
    touched.extend(moved(cache).await?);
    stock::write(cache, batch.units, &batch.deletes).await?;
    donations::write(cache, &batch.traces).await?;
    touched.extend(batch.people.iter().map(|person| person.id.clone()));
    let mut arrived: HashMap<String, Person> = batch
        .people
        .into_iter()
        .map(|person| (person.id.clone(), person))
        .collect();
    let known = donors::known(cache, &touched).await?;
    // Everything about a new donor usually came together; the others' resources are read back.
    let incomplete: Vec<&String> = known
        .iter()
        .filter(|(id, known)| {
            arrived.get(*id).map_or(0, |person| person.resources) != known.resources
        })
        .map(|(id, _)| id)
        .collect();
    for (id, resources) in stored(cache, &incomplete).await? {
        let person = Person::new(&id, &resources, sorter);
        arrived.insert(id, person);
    }
    let (mut donors, mut recipients) = (Vec::with_capacity(known.len()), Vec::new());
    for (id, known) in known {
        let donor = match arrived.remove(&id).and_then(|person| person.listed) {
            Some(Listed::Donor(row)) => Some(*row),
            Some(Listed::Recipient(row)) => {
                recipients.push(*row);
                None
            }
            None => None,
        };
        donors.push((known, donor));
    }
    recipients::write(cache, came, &recipients).await?;
    donors::write(cache, names, donors).await
}

/// Deletes resources; whom they were about.
async fn delete(
    cache: &mut SqliteConnection,
    deletes: &[(String, String)],
) -> Result<BTreeSet<String>, DatabaseError> {
    if deletes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let donors: Vec<Option<String>> = sqlx::query_scalar(
        "DELETE FROM resource WHERE (kind, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?)) RETURNING donor",
    )
    .bind(json(&deletes))
    .fetch_all(cache)
    .await?;
    Ok(donors.into_iter().flatten().collect())
}

async fn put_all(cache: &mut SqliteConnection, puts: Vec<Put>) -> Result<(), DatabaseError> {
    let mut puts = puts.into_iter();
    loop {
        let rows: Vec<Put> = puts.by_ref().take(ROWS).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO resource (kind, id, donor, text) VALUES {} ON CONFLICT (kind, id) DO UPDATE SET donor = excluded.donor, text = excluded.text",
            values(4, rows.len())
        )));
        for put in rows {
            query = query
                .bind(put.kind)
                .bind(put.id)
                .bind(put.donor)
                .bind(put.text);
        }
        query.execute(&mut *cache).await?;
    }
}

/// Who lost a resource to somebody else: a resource may move from one person to another, and both rows change.
async fn moved(cache: &mut SqliteConnection) -> Result<Vec<String>, DatabaseError> {
    let moved: Vec<String> = sqlx::query_scalar("SELECT donor FROM moved")
        .fetch_all(&mut *cache)
        .await?;
    if !moved.is_empty() {
        sqlx::query("DELETE FROM moved").execute(cache).await?;
    }
    Ok(moved)
}

/// All stored resources of these people.
async fn stored(
    cache: &mut SqliteConnection,
    donors: &[&String],
) -> Result<BTreeMap<String, Vec<Resource>>, DatabaseError> {
    let mut found: BTreeMap<String, Vec<Resource>> = BTreeMap::new();
    if donors.is_empty() {
        return Ok(found);
    }
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT resource.donor, resource.text FROM json_each(?) AS wanted JOIN resource ON resource.donor = wanted.value",
    )
    .bind(json(&donors))
    .fetch_all(cache)
    .await?;
    let mut unpacker = Unpacker::new()?;
    for (donor, text) in rows {
        let resources = found.entry(donor).or_default();
        resources.extend(unpacker.resource(&text)?);
    }
    Ok(found)
}

/// `(?, ?), (?, ?)`
pub(super) fn values(columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows].join(", ")
}

/// A list for `json_each`.
pub(super) fn json(list: &impl serde::Serialize) -> String {
    // Lists of texts and numbers always serialise.
    serde_json::to_string(list).unwrap_or_default()
}
