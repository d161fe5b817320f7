//! What the server took back is destroyed here, not only refused: grants, shares, wrapped keys, the cache, and for a device the secret that
//! everything was encrypted under. Sealed items stay, and are still sent.

use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
};

use infoblood_agreement::vault::WorkstationKeys;
use sqlx::{Connection as _, SqliteConnection};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    OpenError, UnlockError, Workstation,
    database::{self, DatabaseError},
    disk::sync_directory,
    error::StoreError,
    opening::{self, SUFFIXES},
    random, settings,
    workstation::{DATABASE, MIGRATIONS, PATIENTS},
};

/// The store under the next S, before it takes the old one's place.
const REWRITE: &str = "workstation.rewrite.db";
/// Set with the first step of a device's wipe, for ever.
pub(crate) const REVOKED: &str = "device_revoked";
/// The S that the wipe is to replace is still in use.
const OLD_SECRET: &str = "old_secret";

/// The generation was not raised yet after something was destroyed or replaced.
pub(crate) const RAISE_DUE: &str = "generation_due";

/// What the server took back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation<'a> {
    /// Everything of a person (32 hex digits): grants and keys. Colleagues work on.
    Person(&'a str),
    /// A person's grant: the agreement has to be accepted first.
    Grant(&'a str),
    /// The right of this workstation.
    Device,
}

impl Workstation {
    /// Destroys what was taken back; the same again changes nothing. An open cache that it concerns is closed.
    pub async fn apply_revocation(&self, revocation: Revocation<'_>) -> Result<(), StoreError> {
        match revocation {
            Revocation::Person(person_id) => self.revoke_person(person_id).await,
            Revocation::Grant(person_id) => self.revoke_grant(person_id).await,
            Revocation::Device => self.wipe().await,
        }
    }

    /// Whether this workstation's right was taken back: nothing opens and nobody enrols here, until
    /// [`Workstation::start_anew`] makes another device of it.
    pub async fn is_revoked(&self) -> Result<bool, DatabaseError> {
        Ok(settings::get(&mut *self.store().await, REVOKED)
            .await?
            .is_some())
    }

    /// Does what a refusal of the server means for what is stored here.
    pub(crate) async fn heed(&self, code: &str, person_id: Option<&str>) -> Result<(), StoreError> {
        match (code, person_id) {
            ("person-revoked", Some(person_id)) => {
                self.apply_revocation(Revocation::Person(person_id)).await
            }
            ("agreement-required", Some(person_id)) => {
                self.apply_revocation(Revocation::Grant(person_id)).await
            }
            ("device-revoked", _) => self.apply_revocation(Revocation::Device).await,
            _ => Ok(()),
        }
    }

    /// The same for the refusal of a statement that was sent.
    pub(crate) async fn heed_item(&self, code: &str, item_id: &str) -> Result<(), StoreError> {
        let person: Option<String> = sqlx::query_scalar(
            "SELECT i.person_id FROM statement s JOIN identity i ON i.id = s.identity WHERE s.item_id = ?",
        )
        .bind(item_id)
        .fetch_optional(&mut *self.store().await)
        .await?;
        self.heed(code, person.as_deref()).await
    }

    /// Whether the person still has keys on a device that still has its right.
    pub(crate) async fn still_entitled(&self, person_id: &str) -> Result<(), UnlockError> {
        let mut store = self.store().await;
        if settings::get(&mut store, REVOKED).await?.is_some() {
            return Err(UnlockError::Revoked("device-revoked"));
        }
        let has_keys: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM identity WHERE person_id = ? AND wrapped IS NOT NULL)",
        )
        .bind(person_id)
        .fetch_one(&mut *store)
        .await?;
        if has_keys {
            Ok(())
        } else {
            Err(UnlockError::Revoked("person-revoked"))
        }
    }

    async fn revoke_grant(&self, person_id: &str) -> Result<(), StoreError> {
        {
            let mut store = self.store().await;
            let mut transaction = store.begin().await?;
            if !forget_grant(&mut transaction, person_id).await? {
                return Ok(());
            }
            settings::set(&mut transaction, RAISE_DUE, &[1]).await?;
            transaction.commit().await?;
            settle_pages(&mut store).await?;
        }
        self.close_cache(Some(person_id)).await;
        self.raise_if_due().await
    }

    /// A copy of the data directory with what was destroyed in it is an older one from now on; also after a crash in between.
    pub(crate) async fn raise_if_due(&self) -> Result<(), StoreError> {
        if settings::get(&mut *self.store().await, RAISE_DUE)
            .await?
            .is_some()
        {
            self.raise_generation().await?;
            settings::remove(&mut *self.store().await, RAISE_DUE).await?;
        }
        Ok(())
    }

    async fn revoke_person(&self, person_id: &str) -> Result<(), StoreError> {
        {
            let mut store = self.store().await;
            let mut transaction = store.begin().await?;
            forget_grant(&mut transaction, person_id).await?;
            let changed = sqlx::query(
                "UPDATE identity SET wrapped = NULL, refused = 'person-revoked' WHERE person_id = ? AND wrapped IS NOT NULL",
            )
            .bind(person_id)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
            if changed > 0 {
                tracing::warn!("a person's keys were destroyed: revoked");
                settings::set(&mut transaction, RAISE_DUE, &[1]).await?;
            }
            transaction.commit().await?;
            settle_pages(&mut store).await?;
        }
        self.close_cache(Some(person_id)).await;
        self.raise_if_due().await
    }

    /// Destroys grants, wrapped keys and the cache, then replaces S. A crash, or a keyring that cannot be written, leaves the last step to
    /// the next start.
    async fn wipe(&self) -> Result<(), StoreError> {
        let is_begun = self.is_revoked().await?;
        if !is_begun {
            tracing::warn!("the device was revoked: keys, grants and cache are destroyed");
            let mut store = self.store().await;
            let mut transaction = store.begin().await?;
            for name in [REVOKED, OLD_SECRET] {
                settings::set(&mut transaction, name, &[1]).await?;
            }
            settings::remove(&mut transaction, "wrapped_dek").await?;
            sqlx::raw_sql(
                "DELETE FROM grant_message;
                 UPDATE identity SET wrapped = NULL, refused = 'device-revoked' WHERE wrapped IS NOT NULL;
                 DELETE FROM attempt;",
            )
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            settle_pages(&mut store).await?;
        }
        self.close_cache(None).await;
        // What is not removed has no key any more: the secret goes all the same.
        if let Err(error) = remove_cache(&self.0.dir) {
            tracing::warn!(kind = ?error.kind(), "the patient cache was not removed");
        }
        if let Err(error) = self.forget_pending().await {
            tracing::warn!(code = error.code(), "an answer's file was not removed");
        }
        let has_old_secret = settings::get(&mut *self.store().await, OLD_SECRET)
            .await?
            .is_some();
        if has_old_secret && let Err(error) = self.replace_secret().await {
            tracing::error!(
                code = error.code(),
                "the old secret is still in use; the next start replaces it"
            );
        }
        Ok(())
    }

    /// Ends a wipe that did not come to its end.
    pub(crate) async fn resume_wipe(&self) -> Result<(), StoreError> {
        self.raise_if_due().await?;
        if self.is_revoked().await? {
            self.wipe().await?;
        }
        Ok(())
    }

    /// The store is written anew under another S beside the old one, then the keyring's item is replaced, then the file.
    async fn replace_secret(&self) -> Result<(), OpenError> {
        let _one = self.0.changing_keys.lock().await;
        let dir = &self.0.dir;
        let mut keys =
            WorkstationKeys::from_item(&self.keys().to_item()).map_err(OpenError::Item)?;
        keys.replace_secret(&mut random::generator()?);
        let mut store = self.store().await;
        remove_database(dir, REWRITE)?;
        export(&mut store, &dir.join(REWRITE), &keys).await?;
        // Opened to write: Windows flushes nothing else.
        File::options()
            .write(true)
            .open(dir.join(REWRITE))?
            .sync_all()?;
        sync_directory(dir)?;
        opening::keep(&self.0.keyring, &keys).await?;
        let closed = std::mem::replace(&mut *store, SqliteConnection::connect(":memory:").await?);
        closed.close().await?;
        take_place(dir)?;
        *store = database::open(&dir.join(DATABASE), &keys.database_key(), MIGRATIONS).await?;
        self.set_keys(keys);
        Ok(())
    }
}

/// After a crash in the middle of a wipe: the rewritten store takes its place if the keyring has its S already, else it goes.
pub(crate) async fn finish_rewrite(dir: &Path, keys: &WorkstationKeys) -> Result<(), OpenError> {
    let path = dir.join(REWRITE);
    if !path.exists() {
        return Ok(());
    }
    match database::open(&path, &keys.database_key(), MIGRATIONS).await {
        Ok(store) => {
            store.close().await?;
            take_place(dir)?;
        }
        // The keyring was not reached: the store in use has everything that is in it.
        Err(DatabaseError::Corrupt(_)) => remove_database(dir, REWRITE)?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The log of the old store goes first: SQLite would apply it to the new one.
fn take_place(dir: &Path) -> io::Result<()> {
    for suffix in &SUFFIXES[1..] {
        remove(&dir.join(format!("{DATABASE}{suffix}")))?;
    }
    sync_directory(dir)?;
    fs::rename(dir.join(REWRITE), dir.join(DATABASE))?;
    sync_directory(dir)
}

/// Copies the store into a new file under the new keys.
async fn export(
    store: &mut SqliteConnection,
    to: &Path,
    keys: &WorkstationKeys,
) -> Result<(), DatabaseError> {
    let key = Zeroizing::new(hex::encode(*keys.database_key()));
    let literal = Zeroizing::new(format!("x'{}'", key.as_str()));
    // Bound, so that no text of a statement has the key.
    let mut bound: Arc<str> = Arc::from(literal.as_str());
    let attached = sqlx::query("ATTACH DATABASE ? AS rewrite KEY ?")
        .bind(to.to_string_lossy().into_owned())
        .bind(Arc::clone(&bound))
        .execute(&mut *store)
        .await;
    let copied = match attached {
        Ok(_) => copy(store, keys).await,
        Err(error) => Err(error.into()),
    };
    let detached = sqlx::raw_sql("DETACH DATABASE rewrite")
        .execute(store)
        .await;
    // The connection has worked off what was bound: nobody else holds it any more.
    if let Some(text) = Arc::get_mut(&mut bound) {
        text.zeroize();
    }
    copied?;
    detached?;
    Ok(())
}

async fn copy(store: &mut SqliteConnection, keys: &WorkstationKeys) -> Result<(), DatabaseError> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *store)
        .await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SELECT sqlcipher_export('rewrite'); PRAGMA rewrite.user_version = {version};"
    )))
    .execute(&mut *store)
    .await?;
    sqlx::query("DELETE FROM rewrite.setting WHERE name = ?")
        .bind(OLD_SECRET)
        .execute(&mut *store)
        .await?;
    let generation = i64::try_from(keys.generation()).unwrap_or(i64::MAX);
    sqlx::query("UPDATE rewrite.setting SET value = ? WHERE name = 'generation'")
        .bind(&generation.to_be_bytes()[..])
        .execute(store)
        .await?;
    Ok(())
}

/// False when there was none.
async fn forget_grant(
    store: &mut SqliteConnection,
    person_id: &str,
) -> Result<bool, DatabaseError> {
    let gone = sqlx::query("DELETE FROM grant_message WHERE person_id = ?")
        .bind(person_id)
        .execute(store)
        .await?;
    Ok(gone.rows_affected() > 0)
}

/// Brings what was overwritten (`secure_delete`) from the log into the file, and empties the log, which has the old pages.
pub(crate) async fn settle_pages(store: &mut SqliteConnection) -> Result<(), DatabaseError> {
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(store)
        .await?;
    Ok(())
}

/// The cache is disposable: it is filled again from the server.
pub(crate) fn remove_cache(dir: &Path) -> io::Result<()> {
    remove_database(dir, PATIENTS)
}

fn remove_database(dir: &Path, name: &str) -> io::Result<()> {
    for suffix in SUFFIXES {
        remove(&dir.join(format!("{name}{suffix}")))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
