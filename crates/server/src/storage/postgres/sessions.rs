use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, array, inserted};
use crate::storage::{Session, SessionStorage};

fn session(row: &PgRow) -> Stored<Session> {
    Ok(Session {
        token_hash: array(row, "token_hash")?,
        person_id: row.try_get("person_id")?,
        device_id: row.try_get("device_id")?,
        kid: array(row, "kid")?,
        expires_at: row.try_get("expires_at")?,
    })
}

impl SessionStorage for PostgresTx {
    async fn add_challenge(&mut self, hash: &[u8; 32], expires_at: i64) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO challenges (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(hash.as_slice())
        .bind(expires_at)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn take_challenge(&mut self, hash: &[u8; 32], now: i64) -> Stored<bool> {
        let row = sqlx::query("DELETE FROM challenges WHERE hash = $1 RETURNING expires_at")
            .bind(hash.as_slice())
            .fetch_optional(self.conn())
            .await?;
        match row {
            Some(row) => Ok(row.try_get::<i64, _>("expires_at")? > now),
            None => Ok(false),
        }
    }

    async fn add_session(&mut self, session: &Session) -> Stored<()> {
        let done = sqlx::query("INSERT INTO sessions (token_hash, person_id, device_id, kid, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
            .bind(session.token_hash.as_slice())
            .bind(&session.person_id)
            .bind(&session.device_id)
            .bind(session.kid.as_slice())
            .bind(session.expires_at)
            .execute(self.conn())
            .await?;
        inserted(&done)
    }

    async fn session(&mut self, token_hash: &[u8; 32]) -> Stored<Option<Session>> {
        let row = sqlx::query("SELECT * FROM sessions WHERE token_hash = $1")
            .bind(token_hash.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(session).transpose()
    }

    async fn delete_expired(&mut self, now: i64) -> Stored<()> {
        sqlx::query("DELETE FROM challenges WHERE expires_at < $1")
            .bind(now)
            .execute(self.conn())
            .await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at < $1")
            .bind(now)
            .execute(self.conn())
            .await?;
        Ok(())
    }
}
