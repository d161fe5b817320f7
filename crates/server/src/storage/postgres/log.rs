use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, array, inserted, signed, unsigned};
use crate::storage::{Entry, LogStorage, StorageError};

fn entry(row: &PgRow) -> Stored<Entry> {
    Ok(Entry {
        leaf_index: unsigned(row, "leaf_index")?,
        leaf: array(row, "leaf")?,
        kind: row.try_get("kind")?,
        statement: row.try_get("statement")?,
        receipt: row.try_get("receipt")?,
        registered_at: row.try_get("registered_at")?,
    })
}

impl LogStorage for PostgresTx {
    async fn tree_size(&mut self) -> Stored<u64> {
        let row = sqlx::query("SELECT tree_size FROM log_head WHERE id = 1")
            .fetch_one(self.conn())
            .await?;
        unsigned(&row, "tree_size")
    }

    async fn node(&mut self, level: u32, idx: u64) -> Stored<Option<[u8; 32]>> {
        let row = sqlx::query("SELECT hash FROM log_nodes WHERE level = $1 AND idx = $2")
            .bind(i64::from(level))
            .bind(signed(idx)?)
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(|row| array(row, "hash")).transpose()
    }

    async fn add_node(&mut self, level: u32, idx: u64, hash: &[u8; 32]) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO log_nodes (level, idx, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(i64::from(level))
        .bind(signed(idx)?)
        .bind(hash.as_slice())
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn add_entry(&mut self, entry: &Entry) -> Stored<()> {
        let index = signed(entry.leaf_index)?;
        let done = sqlx::query(
            "INSERT INTO log_entries (leaf_index, leaf, kind, statement, receipt, registered_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(index)
        .bind(entry.leaf.as_slice())
        .bind(&entry.kind)
        .bind(&entry.statement)
        .bind(&entry.receipt)
        .bind(entry.registered_at)
        .execute(self.conn())
        .await?;
        inserted(&done)?;
        let done = sqlx::query(
            "UPDATE log_head SET tree_size = tree_size + 1 WHERE id = 1 AND tree_size = $1",
        )
        .bind(index)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StorageError::Conflict)
        }
    }

    async fn entry(&mut self, leaf: &[u8; 32]) -> Stored<Option<Entry>> {
        let row = sqlx::query("SELECT * FROM log_entries WHERE leaf = $1")
            .bind(leaf.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(entry).transpose()
    }
}
