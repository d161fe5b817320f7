//! Writing a batch into the cache: a few statements for all of it, each donor's row made once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use infoblood_clinical::{
    donor::Summary,
    fhir::{Record, Resource},
    names::Sorter,
};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{batch::Batch, donations, donors, names::Names, recipients, stock};
use crate::database::DatabaseError;

/// Rows of one statement.
const ROWS: usize = 64;

/// Applies a batch within a transaction; the cursor is the caller's. If it fails, `names` is not to be used any more.
pub(super) async fn apply(
    cache: &mut SqliteConnection,
    names: &mut Names,
    sorter: &Sorter,
    batch: Batch,
) -> Result<(), DatabaseError> {
    let mut touched: BTreeSet<String> = delete(cache, &batch.deletes).await?;
    put(cache, &batch.puts).await?;
    touched.extend(moved(cache).await?);
    stock::write(cache, &batch).await?;
    donations::write(cache, &batch.puts).await?;
    let mut recipients = recipients::Changes::of(&batch);
    let mut arrived: HashMap<String, Vec<Resource>> = HashMap::new();
    for record in batch.puts {
        if let Some(donor) = record.resource.patient_id().map(str::to_owned) {
            touched.insert(donor.clone());
            arrived.entry(donor).or_default().push(record.resource);
        }
    }
    let mut known = donors::known(cache, &touched).await?;
    // Everything about a new donor usually came together; the others' resources are read back.
    let incomplete: Vec<&String> = known
        .iter()
        .filter(|(donor, known)| arrived.get(*donor).map_or(0, Vec::len) != known.resources)
        .map(|(donor, _)| donor)
        .collect();
    for (donor, resources) in stored(cache, &incomplete).await? {
        arrived.insert(donor, resources);
    }
    let mut rows = Vec::with_capacity(touched.len());
    for donor in touched {
        let known = known.remove(&donor).unwrap_or_default();
        let resources = arrived.remove(&donor).unwrap_or_default();
        // Deferrals may come before the person they are about; recipients are no donors.
        let row = Summary::assemble(&donor, &resources)
            .ok()
            .map(|summary| donors::Row::new(summary, &resources, sorter));
        if row.is_none() {
            recipients.add(&donor, &resources, sorter);
        }
        rows.push((known, row));
    }
    recipients.write(cache).await?;
    donors::write(cache, names, rows).await
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

async fn put(cache: &mut SqliteConnection, puts: &[Record]) -> Result<(), DatabaseError> {
    for records in puts.chunks(ROWS) {
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO resource (kind, id, donor, json) VALUES {} ON CONFLICT (kind, id) DO UPDATE SET donor = excluded.donor, json = excluded.json",
            values(4, records.len())
        )));
        for Record { resource, raw } in records {
            query = query
                .bind(resource.resource_type())
                .bind(resource.id())
                .bind(resource.patient_id())
                .bind(raw);
        }
        query.execute(&mut *cache).await?;
    }
    Ok(())
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
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT resource.donor, resource.json FROM json_each(?) AS wanted JOIN resource ON resource.donor = wanted.value",
    )
    .bind(json(&donors))
    .fetch_all(cache)
    .await?;
    for (donor, json) in rows {
        let resources = found.entry(donor).or_default();
        resources.extend(
            Record::received(json.as_bytes())
                .ok()
                .map(|record| record.resource),
        );
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
