use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, array, inserted, signed, unsigned};
use crate::storage::{Device, DeviceStatus, DeviceStorage};

fn device(row: &PgRow) -> Stored<Device> {
    Ok(Device {
        device_id: row.try_get("device_id")?,
        signing_key: array(row, "signing_key")?,
        exchange_key: array(row, "exchange_key")?,
        kid: array(row, "kid")?,
        site: row.try_get("site")?,
        workstation: row.try_get("workstation")?,
        status: DeviceStatus::parse(row.try_get("status")?)?,
        epoch: unsigned(row, "epoch")?,
        registered_at: row.try_get("registered_at")?,
    })
}

impl DeviceStorage for PostgresTx {
    async fn device(&mut self, device_id: &str) -> Stored<Option<Device>> {
        let row = sqlx::query("SELECT * FROM devices WHERE device_id = $1")
            .bind(device_id)
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(device).transpose()
    }

    async fn device_by_kid(&mut self, kid: &[u8; 32]) -> Stored<Option<Device>> {
        let row = sqlx::query("SELECT * FROM devices WHERE kid = $1")
            .bind(kid.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(device).transpose()
    }

    async fn devices(&mut self) -> Stored<Vec<Device>> {
        let rows = sqlx::query("SELECT * FROM devices ORDER BY registered_at, device_id")
            .fetch_all(self.conn())
            .await?;
        rows.iter().map(device).collect()
    }

    async fn add_device(&mut self, device: &Device) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO devices (device_id, signing_key, exchange_key, kid, site, workstation, status, epoch,
                 registered_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .bind(&device.device_id)
        .bind(device.signing_key.as_slice())
        .bind(device.exchange_key.as_slice())
        .bind(device.kid.as_slice())
        .bind(&device.site)
        .bind(&device.workstation)
        .bind(device.status.as_str())
        .bind(signed(device.epoch)?)
        .bind(device.registered_at)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn set_device_status(
        &mut self,
        device_id: &str,
        status: DeviceStatus,
        epoch: u64,
    ) -> Stored<()> {
        sqlx::query("UPDATE devices SET status = $1, epoch = $2 WHERE device_id = $3")
            .bind(status.as_str())
            .bind(signed(epoch)?)
            .bind(device_id)
            .execute(self.conn())
            .await?;
        Ok(())
    }

    async fn share_or_insert(
        &mut self,
        device_id: &str,
        epoch: u64,
        fresh: &[u8; 32],
    ) -> Stored<[u8; 32]> {
        sqlx::query("INSERT INTO device_shares (device_id, epoch, share) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(device_id)
            .bind(signed(epoch)?)
            .bind(fresh.as_slice())
            .execute(self.conn())
            .await?;
        let row =
            sqlx::query("SELECT share FROM device_shares WHERE device_id = $1 AND epoch = $2")
                .bind(device_id)
                .bind(signed(epoch)?)
                .fetch_one(self.conn())
                .await?;
        array(&row, "share")
    }
}
