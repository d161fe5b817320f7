use sqlx::Row;

use super::{PostgresTx, Stored, inserted};
use crate::storage::SettingsStorage;

impl SettingsStorage for PostgresTx {
    async fn setting(&mut self, name: &str) -> Stored<Option<Vec<u8>>> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = $1")
            .bind(name)
            .fetch_optional(self.conn())
            .await?;
        row.map(|row| row.try_get("value").map_err(Into::into))
            .transpose()
    }

    async fn add_setting(&mut self, name: &str, value: &[u8]) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .bind(value)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }
}
