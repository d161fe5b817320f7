use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{SqliteTx, Stored};
use crate::storage::{Site, SiteStorage, StorageError};
use infoblood_agreement::profile::DeviceApproval;

fn site(row: &SqliteRow) -> Stored<Site> {
    Ok(Site {
        code: row.try_get("code")?,
        name_kk: row.try_get("name_kk")?,
        name_ru: row.try_get("name_ru")?,
        device_approval: DeviceApproval::parse(row.try_get("device_approval")?)
            .ok_or(StorageError::Damaged("device_approval"))?,
        time_zone: row.try_get("time_zone")?,
        support_contact: row.try_get("support_contact")?,
        offline_days: row.try_get("offline_days")?,
        read_only_days: row.try_get("read_only_days")?,
        idle_lock_minutes: row.try_get("idle_lock_minutes")?,
        break_glass: row.try_get("break_glass")?,
        created_at: row.try_get("created_at")?,
    })
}

impl SiteStorage for SqliteTx {
    async fn site(&mut self, code: &str) -> Stored<Option<Site>> {
        let row = sqlx::query("SELECT * FROM sites WHERE code = ?")
            .bind(code)
            .fetch_optional(self.conn()?)
            .await?;
        row.as_ref().map(site).transpose()
    }

    async fn sites(&mut self) -> Stored<Vec<Site>> {
        let rows = sqlx::query("SELECT * FROM sites ORDER BY code")
            .fetch_all(self.conn()?)
            .await?;
        rows.iter().map(site).collect()
    }

    async fn add_site(&mut self, site: &Site) -> Stored<()> {
        sqlx::query(
            "INSERT INTO sites (code, name_kk, name_ru, device_approval, time_zone, support_contact, offline_days,
                 read_only_days, idle_lock_minutes, break_glass, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&site.code)
        .bind(&site.name_kk)
        .bind(&site.name_ru)
        .bind(site.device_approval.as_str())
        .bind(&site.time_zone)
        .bind(&site.support_contact)
        .bind(site.offline_days)
        .bind(site.read_only_days)
        .bind(site.idle_lock_minutes)
        .bind(site.break_glass)
        .bind(site.created_at)
        .execute(self.conn()?)
        .await?;
        Ok(())
    }
}
