use sqlx::Row;

use super::{SqliteTx, Stored};
use crate::storage::SettingsStorage;

impl SettingsStorage for SqliteTx {
    async fn setting(&mut self, name: &str) -> Stored<Option<Vec<u8>>> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = ?")
            .bind(name)
            .fetch_optional(self.conn()?)
            .await?;
        row.map(|row| row.try_get("value").map_err(Into::into))
            .transpose()
    }

    async fn add_setting(&mut self, name: &str, value: &[u8]) -> Stored<()> {
        sqlx::query("INSERT INTO settings (name, value) VALUES (?, ?)")
            .bind(name)
            .bind(value)
            .execute(self.conn()?)
            .await?;
        Ok(())
    }
}
