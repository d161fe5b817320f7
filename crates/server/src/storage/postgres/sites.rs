use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, inserted, small};
use crate::storage::{Site, SiteStorage, StorageError};
use infoblood_agreement::profile::DeviceApproval;

fn site(row: &PgRow) -> Stored<Site> {
    Ok(Site {
        code: row.try_get("code")?,
        name_kk: row.try_get("name_kk")?,
        name_ru: row.try_get("name_ru")?,
        device_approval: DeviceApproval::parse(row.try_get("device_approval")?)
            .ok_or(StorageError::Damaged("device_approval"))?,
        time_zone: row.try_get("time_zone")?,
        support_contact: row.try_get("support_contact")?,
        offline_days: small(row, "offline_days")?,
        read_only_days: small(row, "read_only_days")?,
        idle_lock_minutes: small(row, "idle_lock_minutes")?,
        break_glass: row.try_get("break_glass")?,
        created_at: row.try_get("created_at")?,
    })
}

impl SiteStorage for PostgresTx {
    async fn site(&mut self, code: &str) -> Stored<Option<Site>> {
        let row = sqlx::query("SELECT * FROM sites WHERE code = $1")
            .bind(code)
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(site).transpose()
    }

    async fn sites(&mut self) -> Stored<Vec<Site>> {
        let rows = sqlx::query("SELECT * FROM sites ORDER BY code")
            .fetch_all(self.conn())
            .await?;
        rows.iter().map(site).collect()
    }

    async fn add_site(&mut self, site: &Site) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO sites (code, name_kk, name_ru, device_approval, time_zone, support_contact, offline_days,
                 read_only_days, idle_lock_minutes, break_glass, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        )
        .bind(&site.code)
        .bind(&site.name_kk)
        .bind(&site.name_ru)
        .bind(site.device_approval.as_str())
        .bind(&site.time_zone)
        .bind(&site.support_contact)
        .bind(i64::from(site.offline_days))
        .bind(i64::from(site.read_only_days))
        .bind(i64::from(site.idle_lock_minutes))
        .bind(site.break_glass)
        .bind(site.created_at)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }
}
