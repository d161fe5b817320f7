use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, array, inserted};
use crate::storage::{EnrolmentCode, PeopleStorage, Person, PersonKey, StorageError};

fn person(row: &PgRow) -> Stored<Person> {
    Ok(Person {
        person_id: row.try_get("person_id")?,
        login: row.try_get("login")?,
        site: row.try_get("site")?,
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn code(row: &PgRow) -> Stored<EnrolmentCode> {
    Ok(EnrolmentCode {
        public_key: array(row, "public_key")?,
        person_id: row.try_get("person_id")?,
        issued_at: row.try_get("issued_at")?,
        expires_at: row.try_get("expires_at")?,
        used_at: row.try_get("used_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn person_key(row: &PgRow) -> Stored<PersonKey> {
    Ok(PersonKey {
        kid: array(row, "kid")?,
        person_id: row.try_get("person_id")?,
        device_id: row.try_get("device_id")?,
        signing_key: array(row, "signing_key")?,
        exchange_key: array(row, "exchange_key")?,
        leaf: array(row, "leaf")?,
        registered_at: row.try_get("registered_at")?,
    })
}

impl PeopleStorage for PostgresTx {
    async fn person(&mut self, person_id: &str) -> Stored<Option<Person>> {
        let row = sqlx::query("SELECT * FROM people WHERE person_id = $1")
            .bind(person_id)
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(person).transpose()
    }

    async fn add_person(&mut self, person: &Person) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO people (person_id, login, site, name, role, created_at, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&person.person_id)
        .bind(&person.login)
        .bind(&person.site)
        .bind(&person.name)
        .bind(&person.role)
        .bind(person.created_at)
        .bind(person.revoked_at)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn revoke_person(&mut self, person_id: &str, at: i64) -> Stored<()> {
        sqlx::query(
            "UPDATE people SET revoked_at = $1 WHERE person_id = $2 AND revoked_at IS NULL",
        )
        .bind(at)
        .bind(person_id)
        .execute(self.conn())
        .await?;
        Ok(())
    }

    async fn code(&mut self, public_key: &[u8; 32]) -> Stored<Option<EnrolmentCode>> {
        let row = sqlx::query("SELECT * FROM enrolment_codes WHERE public_key = $1")
            .bind(public_key.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(code).transpose()
    }

    async fn add_code(&mut self, code: &EnrolmentCode) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO enrolment_codes (public_key, person_id, issued_at, expires_at, used_at, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(code.public_key.as_slice())
        .bind(&code.person_id)
        .bind(code.issued_at)
        .bind(code.expires_at)
        .bind(code.used_at)
        .bind(code.revoked_at)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }

    async fn use_code(&mut self, public_key: &[u8; 32], at: i64) -> Stored<()> {
        let done = sqlx::query(
            "UPDATE enrolment_codes SET used_at = $1 WHERE public_key = $2 AND used_at IS NULL",
        )
        .bind(at)
        .bind(public_key.as_slice())
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 {
            Ok(())
        } else {
            Err(StorageError::Conflict)
        }
    }

    async fn revoke_codes(&mut self, person_id: &str, at: i64) -> Stored<()> {
        sqlx::query(
            "UPDATE enrolment_codes SET revoked_at = $1 WHERE person_id = $2 AND used_at IS NULL AND revoked_at IS NULL",
        )
        .bind(at)
        .bind(person_id)
        .execute(self.conn())
        .await?;
        Ok(())
    }

    async fn person_key(&mut self, kid: &[u8; 32]) -> Stored<Option<PersonKey>> {
        let row = sqlx::query("SELECT * FROM person_keys WHERE kid = $1")
            .bind(kid.as_slice())
            .fetch_optional(self.conn())
            .await?;
        row.as_ref().map(person_key).transpose()
    }

    async fn newest_person_key(
        &mut self,
        person_id: &str,
        device_id: &str,
    ) -> Stored<Option<PersonKey>> {
        let row = sqlx::query(
            "SELECT person_keys.* FROM person_keys JOIN log_entries ON log_entries.leaf = person_keys.leaf
             WHERE person_id = $1 AND device_id = $2 ORDER BY leaf_index DESC LIMIT 1",
        )
        .bind(person_id)
        .bind(device_id)
        .fetch_optional(self.conn())
        .await?;
        row.as_ref().map(person_key).transpose()
    }

    async fn people_of_device(&mut self, device_id: &str) -> Stored<Vec<Person>> {
        let rows = sqlx::query(
            "SELECT * FROM people WHERE person_id IN (SELECT person_id FROM person_keys WHERE device_id = $1)
             ORDER BY person_id",
        )
        .bind(device_id)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(person).collect()
    }

    async fn add_person_key(&mut self, key: &PersonKey) -> Stored<()> {
        let done = sqlx::query(
            "INSERT INTO person_keys (kid, person_id, device_id, signing_key, exchange_key, leaf, registered_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(key.kid.as_slice())
        .bind(&key.person_id)
        .bind(&key.device_id)
        .bind(key.signing_key.as_slice())
        .bind(key.exchange_key.as_slice())
        .bind(key.leaf.as_slice())
        .bind(key.registered_at)
        .execute(self.conn())
        .await?;
        inserted(&done)
    }
}
