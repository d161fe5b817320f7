//! «Save everything that waits to a file».

use std::path::Path;

use infoblood_agreement::courier::{PackId, RequestHead, RequestRecord, RequestWriter};
use jiff::Timestamp;
use rand_core::Rng as _;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::{Cursors, NewFile, PackError};
use crate::{Workstation, database::DatabaseError, error::StoreError, random, settings};

/// Rows of the outbox that are in memory at once.
const PAGE: i64 = 200;
/// Requests whose answers are still expected.
const REMEMBERED: usize = 16;
const REQUESTS: &str = "courier_requests";
const CURSORS: &str = "courier_cursors";

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Sealed items in the file.
    pub items: u64,
}

/// A request that may still be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Hex.
    pub(super) nonce: String,
    /// Where the change feed stood.
    pub(super) cursors: Cursors,
    /// Whether a person carries it; of the others only the last is remembered.
    pub(super) is_carried: bool,
    /// The name of the file, when it was written (Unix seconds) and how many items are in it.
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) at: i64,
    #[serde(default)]
    pub(super) items: u64,
    /// When its answer was read, Unix seconds.
    #[serde(default)]
    pub(super) answered_at: Option<i64>,
}

/// A file that somebody took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFile {
    /// Its name, without the folder.
    pub name: String,
    /// When it was written.
    pub at: Timestamp,
    /// Sealed items in it.
    pub items: u64,
    /// When its answer was read here.
    pub answered_at: Option<Timestamp>,
}

impl Workstation {
    /// Writes everything that waits to `path`, as far as one file holds it; the file gets its name when it is whole and on the device.
    /// The items stay in the outbox until an answer or the server acknowledges them.
    pub async fn export_pack(&self, path: &Path) -> Result<Exported, PackError> {
        self.write_pack(path, true).await
    }

    /// `is_carried`: a person takes the file away, and its answer may come after many others.
    pub(super) async fn write_pack(
        &self,
        path: &Path,
        is_carried: bool,
    ) -> Result<Exported, PackError> {
        let mut rng = random::generator()?;
        let (mut pack, mut nonce): (PackId, [u8; 16]) = ([0; 16], [0; 16]);
        rng.fill_bytes(&mut pack);
        rng.fill_bytes(&mut nonce);
        let now = self.now().as_second();
        let keys = self.keys();
        let key_set = self.key_set();
        let to = key_set
            .sealing_key(now.max(self.time_floor()))
            .ok_or(StoreError::NoSealingKey)?;
        let cursors = self.cursors().await?;
        let people: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT person_id FROM identity WHERE wrapped IS NOT NULL AND refused IS NULL",
        )
        .fetch_all(&mut *self.store().await)
        .await?;

        let mut writer = RequestWriter::new(keys.device(), to, pack, now);
        let mut file = NewFile::create(path).await?;
        let head = RequestRecord::Head(RequestHead {
            site: self.0.profile.site().code.clone(),
            device_x25519: keys.device_x25519_public(),
            created_at: now,
            nonce,
            key_set_version: key_set.version(),
            document_version: self.documents().newest().meta().version,
            safety_cursor: cursors.safety.clone(),
            all_cursor: cursors.all.clone(),
            people,
        });
        let write = |bytes: Option<Vec<u8>>| bytes.unwrap_or_default();
        let first = write(writer.push(head, &mut rng)?);
        file.write(&first).await?;
        let mut items = 0;
        let mut after = (0_i64, 0_i64);
        'full: loop {
            let rows = self.page(after).await?;
            let Some(last) = rows.last() else { break };
            after = (last.rank, last.place);
            for row in rows {
                // What does not fit stays, and goes with the file after the answer to this one.
                if !writer.has_room_for(row.sealed.len()) {
                    break 'full;
                }
                let record = RequestRecord::Item {
                    id: row.id,
                    sealed: row.sealed,
                };
                let bytes = write(writer.push(record, &mut rng)?);
                file.write(&bytes).await?;
                items += 1;
            }
        }
        file.write(&writer.finish(&mut rng)?).await?;
        // Remembered before the file has its name: an answer to it is never unasked.
        self.remember(Asked {
            nonce: hex::encode(nonce),
            cursors,
            is_carried,
            name: path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            at: now,
            items,
            answered_at: None,
        })
        .await?;
        file.finish().await?;
        Ok(Exported { items })
    }

    /// Enrolments first, so that one pass of the server is enough. What the server refused for good stays here.
    async fn page(&self, after: (i64, i64)) -> Result<Vec<Row>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT rank, place, id, sealed FROM (
                 SELECT CASE o.kind WHEN 'enrolment' THEN 1 WHEN 'acceptance' THEN 2 WHEN 'device-refusal' THEN 3 ELSE 4 END AS rank,
                     o.rowid AS place, o.id AS id, o.sealed AS sealed
                 FROM outbox o LEFT JOIN statement s ON s.item_id = o.id WHERE o.wedged = 0 OR (s.id IS NULL AND o.kind <> 'audit-event'))
             WHERE (rank, place) > (?, ?) ORDER BY rank, place LIMIT ?",
        )
        .bind(after.0)
        .bind(after.1)
        .bind(PAGE)
        .fetch_all(&mut *self.store().await)
        .await?)
    }

    /// The files that were saved to be carried, latest first; at most 16 are remembered.
    pub async fn saved_files(&self) -> Result<Vec<SavedFile>, DatabaseError> {
        let requests = requests(&mut *self.store().await).await?;
        let time = |at| Timestamp::from_second(at).unwrap_or_default();
        let carried = requests.into_iter().rev().filter(|asked| asked.is_carried);
        Ok(carried
            .filter(|asked| !asked.name.is_empty())
            .map(|asked| SavedFile {
                name: asked.name,
                at: time(asked.at),
                items: asked.items,
                answered_at: asked.answered_at.map(time),
            })
            .collect())
    }

    async fn remember(&self, asked: Asked) -> Result<(), StoreError> {
        let mut store = self.store().await;
        let mut requests = requests(&mut store).await?;
        requests.retain(|earlier| earlier.is_carried);
        requests.push(asked);
        let from = requests.len().saturating_sub(REMEMBERED);
        let json = serde_json::to_vec(&requests[from..]).map_err(StoreError::sign)?;
        settings::set(&mut store, REQUESTS, &json).await?;
        Ok(())
    }

    /// Where the change feed of the patient cache stood when the cache was open last.
    pub(crate) async fn cursors(&self) -> Result<Cursors, DatabaseError> {
        let json = settings::get(&mut *self.store().await, CURSORS).await?;
        Ok(json
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default())
    }

    /// Notes where the change feed stands: cursors name no patient.
    pub(crate) async fn remember_cursors(&self, cursors: &Cursors) -> Result<(), StoreError> {
        let json = serde_json::to_vec(cursors).map_err(StoreError::sign)?;
        settings::set(&mut *self.store().await, CURSORS, &json).await?;
        Ok(())
    }
}

/// Notes that the answer to the request with this nonce was read.
pub(super) async fn answered(
    store: &mut SqliteConnection,
    nonce: &[u8; 16],
    at: i64,
) -> Result<(), StoreError> {
    let nonce = hex::encode(nonce);
    let mut requests = requests(store).await?;
    for asked in requests.iter_mut().filter(|asked| asked.nonce == nonce) {
        asked.answered_at = Some(at);
    }
    let json = serde_json::to_vec(&requests).map_err(StoreError::sign)?;
    Ok(settings::set(store, REQUESTS, &json).await?)
}

/// The requests whose answers are still expected, oldest first.
pub(super) async fn requests(store: &mut SqliteConnection) -> Result<Vec<Asked>, DatabaseError> {
    let json = settings::get(store, REQUESTS).await?;
    Ok(json
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default())
}

#[derive(sqlx::FromRow)]
struct Row {
    rank: i64,
    place: i64,
    id: String,
    sealed: Vec<u8>,
}
