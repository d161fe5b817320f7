//! What the two sides hold, read from their databases by hand.

use std::fs;
use std::path::Path;

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::statement::verify_device_refusal;
use infoblood_agreement::vault::WorkstationKeys;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::Result;

/// Somebody who may enrol, as the client gets it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) login: String,
    pub(crate) person_id: String,
    pub(crate) code: String,
}

/// The record with this number, as the path of a look names it.
pub(crate) fn record(number: i64) -> String {
    format!("fault-{number}")
}

/// What a client's store holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientReport {
    pub(crate) device_id: String,
    pub(crate) statements: Vec<ClientStatement>,
    /// Sealed items that were not acknowledged: code of the last failure.
    pub(crate) outbox: Vec<Option<String>>,
    /// Files of the outbox.
    pub(crate) files: usize,
    /// Audit events that the device ever made.
    pub(crate) audit_events: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientStatement {
    /// Leaf hash, hex.
    pub(crate) leaf: String,
    pub(crate) kind: String,
    pub(crate) person_id: Option<String>,
    pub(crate) has_receipt: bool,
    /// A refusal's number.
    pub(crate) number: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    person_id: Option<String>,
    has_receipt: bool,
    bytes: Vec<u8>,
}

/// Reads the store in this data directory, which nobody has open.
pub(crate) async fn of_client(data: &Path, keys: &WorkstationKeys) -> Result<ClientReport> {
    let mut store = SqliteConnectOptions::new()
        .filename(data.join("workstation.db"))
        .pragma(
            "key",
            format!("\"x'{}'\"", hex::encode(*keys.database_key())),
        )
        .disable_statement_logging()
        .connect()
        .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.id, s.kind, i.person_id, s.receipt IS NOT NULL AS has_receipt, s.bytes
         FROM statement s LEFT JOIN identity i ON i.id = s.identity ORDER BY s.rowid",
    )
    .fetch_all(&mut store)
    .await?;
    let device = keys.device_public();
    let mut statements = Vec::new();
    for row in rows {
        let number = if row.kind == "device-refusal" {
            let refusal = verify_device_refusal(&row.bytes, &device, &Limits::DEFAULT)?;
            Some(refusal.payload().evidence.opened_at)
        } else {
            None
        };
        statements.push(ClientStatement {
            leaf: row.id,
            kind: row.kind,
            person_id: row.person_id,
            has_receipt: row.has_receipt,
            number,
        });
    }
    let outbox = sqlx::query_scalar("SELECT error FROM outbox")
        .fetch_all(&mut store)
        .await?;
    let head: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM setting WHERE name = 'audit_head'")
            .fetch_optional(&mut store)
            .await?;
    store.close().await?;
    let audit_events = head
        .and_then(|head| head.first_chunk::<8>().copied())
        .map_or(0, u64::from_be_bytes);
    Ok(ClientReport {
        device_id: keys.device_id(),
        statements,
        outbox,
        files: fs::read_dir(data.join("outbox"))?.count(),
        audit_events,
    })
}

/// What the server holds of one device.
#[derive(Debug, Default)]
pub(crate) struct ServerReport {
    /// Leaves of the device's decisions and enrolments, hex.
    pub(crate) leaves: Vec<String>,
    /// Numbers of audit events in the device's chain.
    pub(crate) sequences: Vec<i64>,
    /// What the audit events refer to.
    pub(crate) references: Vec<String>,
    /// Holes, breaks and forks of the chain that are open.
    pub(crate) gaps: Vec<String>,
}

/// The database of a server that does not run, read from a copy.
pub(crate) struct ServerDatabase {
    connection: SqliteConnection,
    _copy: tempfile::TempDir,
}

impl ServerDatabase {
    /// Copies it, and proves that it is whole.
    pub(crate) async fn open(data: &Path) -> Result<Self> {
        let copy = tempfile::tempdir()?;
        for name in ["server.db", "server.db-wal"] {
            if data.join(name).exists() {
                fs::copy(data.join(name), copy.path().join(name))?;
            }
        }
        let mut connection = SqliteConnectOptions::new()
            .filename(copy.path().join("server.db"))
            .disable_statement_logging()
            .connect()
            .await?;
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut connection)
            .await?;
        if check != "ok" {
            return Err(format!("the server's database is damaged: {check}").into());
        }
        let (size, entries, last): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT tree_size FROM log_head), (SELECT count(*) FROM log_entries),
                    (SELECT coalesce(max(leaf_index), -1) FROM log_entries)",
        )
        .fetch_one(&mut connection)
        .await?;
        if size != entries || last + 1 != entries {
            return Err(format!("the log of {size} has {entries} entries to {last}").into());
        }
        Ok(Self {
            connection,
            _copy: copy,
        })
    }

    pub(crate) async fn device(&mut self, device_id: &str) -> Result<ServerReport> {
        let leaves = sqlx::query_scalar(
            "SELECT lower(hex(e.leaf)) FROM log_entries e WHERE e.leaf IN (SELECT leaf FROM decisions WHERE device_id = ?1
             UNION ALL SELECT leaf FROM person_keys WHERE device_id = ?1)",
        )
        .bind(device_id)
        .fetch_all(&mut self.connection)
        .await?;
        let events: Vec<(i64, Option<String>)> = sqlx::query_as(
            "SELECT sequence, reference FROM audit_events WHERE device_id = ? ORDER BY sequence",
        )
        .bind(device_id)
        .fetch_all(&mut self.connection)
        .await?;
        let gaps = sqlx::query_scalar(
            "SELECT kind || ' ' || first || '-' || last FROM audit_gaps WHERE device_id = ? AND closed_at IS NULL",
        )
        .bind(device_id)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(ServerReport {
            leaves,
            sequences: events.iter().map(|(sequence, _)| *sequence).collect(),
            references: events.into_iter().filter_map(|(_, name)| name).collect(),
            gaps,
        })
    }
}
