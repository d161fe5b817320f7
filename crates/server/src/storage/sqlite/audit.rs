use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{SqliteTx, Stored, array, optional_array, signed, unsigned};
use crate::storage::{AuditEvent, AuditGap, AuditStorage, GapKind, StorageError};

fn event(row: &SqliteRow) -> Stored<AuditEvent> {
    Ok(AuditEvent {
        hash: array(row, "hash")?,
        id: row.try_get("id")?,
        device_id: row.try_get("device_id")?,
        sequence: unsigned(row, "sequence")?,
        previous: optional_array(row, "previous")?,
        person_id: row.try_get("person_id")?,
        action: row.try_get("action")?,
        outcome: row.try_get("outcome")?,
        reference: row.try_get("reference")?,
        at: row.try_get("at")?,
        received_at: row.try_get("received_at")?,
        message: row.try_get("message")?,
    })
}

fn gap(row: &SqliteRow) -> Stored<AuditGap> {
    let kind = match row.try_get("kind")? {
        "missing" => GapKind::Missing,
        "broken" => GapKind::Broken,
        "fork" => GapKind::Fork,
        _ => return Err(StorageError::Damaged("audit_gaps.kind")),
    };
    Ok(AuditGap {
        device_id: row.try_get("device_id")?,
        kind,
        first: unsigned(row, "first")?,
        last: unsigned(row, "last")?,
        detected_at: row.try_get("detected_at")?,
        closed_at: row.try_get("closed_at")?,
    })
}

impl AuditStorage for SqliteTx {
    async fn has_audit_event(&mut self, hash: &[u8; 32]) -> Stored<bool> {
        let row = sqlx::query("SELECT 1 FROM audit_events WHERE hash = ?")
            .bind(hash.as_slice())
            .fetch_optional(self.conn()?)
            .await?;
        Ok(row.is_some())
    }

    async fn add_audit_event(&mut self, event: &AuditEvent) -> Stored<()> {
        sqlx::query(
            "INSERT INTO audit_events (hash, id, device_id, sequence, previous, person_id, action, outcome, reference,
                 at, received_at, message)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(event.hash.as_slice())
        .bind(&event.id)
        .bind(&event.device_id)
        .bind(signed(event.sequence)?)
        .bind(event.previous.as_ref().map(<[u8; 32]>::as_slice))
        .bind(&event.person_id)
        .bind(&event.action)
        .bind(&event.outcome)
        .bind(&event.reference)
        .bind(event.at)
        .bind(event.received_at)
        .bind(&event.message)
        .execute(self.conn()?)
        .await?;
        Ok(())
    }

    async fn audit_hashes(&mut self, device_id: &str, sequence: u64) -> Stored<Vec<[u8; 32]>> {
        let rows =
            sqlx::query("SELECT hash FROM audit_events WHERE device_id = ? AND sequence = ?")
                .bind(device_id)
                .bind(signed(sequence)?)
                .fetch_all(self.conn()?)
                .await?;
        rows.iter().map(|row| array(row, "hash")).collect()
    }

    async fn audit_successor(
        &mut self,
        device_id: &str,
        sequence: u64,
    ) -> Stored<Vec<Option<[u8; 32]>>> {
        let rows =
            sqlx::query("SELECT previous FROM audit_events WHERE device_id = ? AND sequence = ?")
                .bind(device_id)
                .bind(signed(sequence.saturating_add(1))?)
                .fetch_all(self.conn()?)
                .await?;
        rows.iter()
            .map(|row| optional_array(row, "previous"))
            .collect()
    }

    async fn audit_events(
        &mut self,
        device_id: &str,
        (sequence, hash): (u64, [u8; 32]),
        limit: u32,
    ) -> Stored<Vec<AuditEvent>> {
        let rows = sqlx::query(
            "SELECT * FROM audit_events WHERE device_id = ? AND (sequence, hash) > (?, ?)
             ORDER BY sequence, hash LIMIT ?",
        )
        .bind(device_id)
        .bind(signed(sequence)?)
        .bind(hash.as_slice())
        .bind(i64::from(limit))
        .fetch_all(self.conn()?)
        .await?;
        rows.iter().map(event).collect()
    }

    async fn last_audit_sequence(&mut self, device_id: &str) -> Stored<u64> {
        let row = sqlx::query(
            "SELECT COALESCE(MAX(sequence), 0) AS last FROM audit_events WHERE device_id = ?",
        )
        .bind(device_id)
        .fetch_one(self.conn()?)
        .await?;
        unsigned(&row, "last")
    }

    async fn count_audit_events(&mut self, device_id: &str, first: u64, last: u64) -> Stored<u64> {
        let row = sqlx::query(
            "SELECT COUNT(DISTINCT sequence) AS found FROM audit_events
             WHERE device_id = ? AND sequence BETWEEN ? AND ?",
        )
        .bind(device_id)
        .bind(signed(first)?)
        .bind(signed(last)?)
        .fetch_one(self.conn()?)
        .await?;
        unsigned(&row, "found")
    }

    async fn add_audit_gap(&mut self, gap: &AuditGap) -> Stored<()> {
        sqlx::query(
            "INSERT INTO audit_gaps (device_id, kind, first, last, detected_at, closed_at)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&gap.device_id)
        .bind(gap.kind.as_str())
        .bind(signed(gap.first)?)
        .bind(signed(gap.last)?)
        .bind(gap.detected_at)
        .bind(gap.closed_at)
        .execute(self.conn()?)
        .await?;
        Ok(())
    }

    async fn audit_gaps(&mut self, device_id: &str) -> Stored<Vec<AuditGap>> {
        let rows = sqlx::query(
            "SELECT * FROM audit_gaps WHERE device_id = ? ORDER BY first, detected_at, kind",
        )
        .bind(device_id)
        .fetch_all(self.conn()?)
        .await?;
        rows.iter().map(gap).collect()
    }

    async fn close_audit_gap(&mut self, device_id: &str, first: u64, at: i64) -> Stored<()> {
        sqlx::query(
            "UPDATE audit_gaps SET closed_at = ?
             WHERE device_id = ? AND kind = 'missing' AND first = ? AND closed_at IS NULL",
        )
        .bind(at)
        .bind(device_id)
        .bind(signed(first)?)
        .execute(self.conn()?)
        .await?;
        Ok(())
    }
}
