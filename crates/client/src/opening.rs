//! Keys and store at a start: the first ones, the same ones, or ones that do not fit and are set aside, never deleted.
//!
//! The store is always written before the keyring. So a store behind the keyring is an older copy that somebody put back, and one that is
//! ahead is what a crash (or a keyring that failed) leaves; the keyring follows then.

use std::{fs, io, path::Path, sync::Arc};

use infoblood_agreement::{
    profile::SiteProfile,
    vault::{VaultError, WorkstationKeys},
};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    OpenError, Options, Workstation,
    clock::Clock,
    database::{self, DatabaseError},
    disk::sync_directory,
    keyring::{Keyring, KeyringError, TimedKeyring},
    lock_file::LockFile,
    random,
    revocation::finish_rewrite,
    settings,
    workstation::{DATABASE, MIGRATIONS, PATIENTS, create_private},
};

/// What SQLite may keep beside a database.
pub(crate) const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Whether a store that is not there may be made although there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// One was set aside here, and nobody has agreed yet to begin anew.
    Ask,
    Begin,
}

impl OpenError {
    /// Whether [`Workstation::start_anew`] leads on: what is here cannot be used any more, or must not be.
    pub fn can_start_anew(&self) -> bool {
        matches!(
            self.code(),
            "keyring-lost" | "store-replaced" | "store-corrupt"
        )
    }
}

impl Workstation {
    /// Begins anew where the keys are lost, the store is damaged, an older copy of it was put back, or the device was revoked. Databases
    /// are set aside under numbered names; sealed items stay and are still delivered. To the server it is another device, on which people
    /// enrol again. What opens as it is, is opened and not begun anew.
    pub async fn start_anew(
        dir: &Path,
        profile: &SiteProfile,
        keyring: Arc<dyn Keyring>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        let opened = Self::open_with(
            dir,
            profile,
            Arc::clone(&keyring),
            Arc::clone(&clock),
            options.clone(),
        );
        match opened.await {
            Ok(workstation) if !workstation.is_revoked().await? => return Ok(workstation),
            Ok(workstation) => workstation.close().await?,
            Err(error) if error.can_start_anew() => {
                tracing::warn!(code = error.code(), "the workstation begins anew");
            }
            Err(error) => return Err(error),
        }
        {
            let _lock = claim(dir)?;
            let keyring = TimedKeyring::new(Arc::clone(&keyring), options.keyring_deadline);
            let mut rng = random::generator()?;
            let keys = match keyring.get().await? {
                Some(item) => match WorkstationKeys::from_item(&item) {
                    Ok(mut keys) => {
                        keys.begin_anew(&mut rng);
                        keys
                    }
                    Err(VaultError::Item) => WorkstationKeys::generate(&mut rng),
                    Err(error) => return Err(OpenError::Item(error)),
                },
                None => WorkstationKeys::generate(&mut rng),
            };
            // The keyring first: after a crash in between the old store is behind it, and is refused as before.
            keep(&keyring, &keys).await?;
            for database in [DATABASE, PATIENTS] {
                set_aside(dir, database)?;
            }
        }
        Self::open_as(dir, profile, keyring, clock, options, Missing::Begin).await
    }
}

/// The keyring's item and the store that belongs to it.
pub(crate) async fn keys_and_store(
    dir: &Path,
    keyring: &TimedKeyring,
    missing: Missing,
) -> Result<(WorkstationKeys, SqliteConnection), OpenError> {
    let path = dir.join(DATABASE);
    let mut keys = match keyring.get().await? {
        Some(item) => WorkstationKeys::from_item(&item).map_err(OpenError::Item)?,
        None if path.exists() || dir.join(PATIENTS).exists() => return Err(OpenError::KeyringLost),
        None => {
            let keys = WorkstationKeys::generate(&mut random::generator()?);
            keep(keyring, &keys).await?;
            keys
        }
    };
    finish_rewrite(dir, &keys).await?;
    if !path.exists() {
        let was_used = keys.generation() > 0;
        if missing == Missing::Ask && was_used {
            if was_set_aside(dir)? {
                return Err(DatabaseError::Replaced.into());
            }
            keys.begin_anew(&mut random::generator()?);
            keep(keyring, &keys).await?;
        }
        // The key of the patient cache went with the store: the cache opens for nobody. Kept, not deleted.
        for database in [DATABASE, PATIENTS] {
            set_aside(dir, database)?;
        }
        let mut store = database::open(&path, &keys.database_key(), MIGRATIONS).await?;
        remember(&mut store, &keys).await?;
        return Ok((keys, store));
    }
    let mut store = database::open(&path, &keys.database_key(), MIGRATIONS).await?;
    let floor = settings::int(&mut store, "time_floor").await?.unwrap_or(0);
    let generation = settings::int(&mut store, "generation").await?.unwrap_or(0);
    let generation = u64::try_from(generation).unwrap_or(0);
    if keys.is_older(floor, generation) {
        store.close().await?;
        for database in [DATABASE, PATIENTS] {
            set_aside(dir, database)?;
        }
        return Err(DatabaseError::Replaced.into());
    }
    if (generation, floor) != (keys.generation(), keys.time_floor()) {
        keys = catch_up(keyring, keys, floor, generation).await?;
    }
    Ok((keys, store))
}

/// Brings the keyring to where the store is; a keyring that cannot be written now is written with the next change.
async fn catch_up(
    keyring: &TimedKeyring,
    keys: WorkstationKeys,
    floor: i64,
    generation: u64,
) -> Result<WorkstationKeys, OpenError> {
    let mut ahead = WorkstationKeys::from_item(&keys.to_item()).map_err(OpenError::Item)?;
    ahead.catch_up(floor, generation);
    match keyring.set(ahead.to_item()).await {
        Ok(()) => Ok(ahead),
        Err(error) => {
            tracing::warn!(code = error.code(), "the keyring stays behind the store");
            Ok(keys)
        }
    }
}

/// Writes time floor and generation into the store.
pub(crate) async fn remember(
    store: &mut SqliteConnection,
    keys: &WorkstationKeys,
) -> Result<(), DatabaseError> {
    let mut transaction = store.begin().await?;
    settings::set_int(&mut transaction, "time_floor", keys.time_floor()).await?;
    let generation = i64::try_from(keys.generation()).unwrap_or(i64::MAX);
    settings::set_int(&mut transaction, "generation", generation).await?;
    transaction.commit().await?;
    Ok(())
}

/// Writes an item that was not there before, and reads it again: a keyring that forgets at once would lose everything at the next start.
pub(crate) async fn keep(keyring: &TimedKeyring, keys: &WorkstationKeys) -> Result<(), OpenError> {
    keyring.set(keys.to_item()).await?;
    match keyring.get().await? {
        Some(item) if *item == *keys.to_item() => Ok(()),
        _ => Err(KeyringError::Failed("the item was not kept".into()).into()),
    }
}

/// Gives a database and what belongs to it the next free numbered name: `workstation.quarantine-0.db`, `….db-wal`.
fn set_aside(dir: &Path, database: &str) -> io::Result<()> {
    set_aside_by(dir, database, |from, to| fs::rename(from, to))
}

fn set_aside_by(
    dir: &Path,
    database: &str,
    mut rename: impl FnMut(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let here = |suffix: &&str| dir.join(format!("{database}{suffix}")).exists();
    if !SUFFIXES.iter().any(here) {
        return Ok(());
    }
    for n in 0.. {
        let stem = quarantine(database, n);
        let to = |suffix: &str| dir.join(format!("{stem}{suffix}"));
        if SUFFIXES.iter().any(|suffix| to(suffix).exists()) {
            continue;
        }
        // The database last: a log never lies where a new database may be made, and an interrupted turn is seen and finished.
        for suffix in SUFFIXES.iter().rev().filter(|suffix| here(suffix)) {
            if suffix.is_empty() {
                sync_directory(dir)?;
            }
            rename(&dir.join(format!("{database}{suffix}")), &to(suffix))?;
        }
        tracing::warn!(name = stem, "a database was set aside");
        return sync_directory(dir);
    }
    Ok(())
}

fn was_set_aside(dir: &Path) -> io::Result<bool> {
    let prefix = DATABASE.replace(".db", ".quarantine-");
    for entry in fs::read_dir(dir)? {
        if entry?.file_name().to_string_lossy().starts_with(&prefix) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn quarantine(database: &str, n: u32) -> String {
    let stem = database.strip_suffix(".db").unwrap_or(database);
    format!("{stem}.quarantine-{n}.db")
}

/// The directory, readable by its owner alone, and its lock.
pub(crate) fn claim(dir: &Path) -> Result<LockFile, OpenError> {
    create_private(dir)?;
    LockFile::acquire(dir)?.ok_or(OpenError::AlreadyRunning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_set_aside_together_under_the_next_free_number() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(!was_set_aside(dir.path()).unwrap());
        set_aside(dir.path(), DATABASE).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(at("workstation.db"), "one").unwrap();
        fs::write(at("workstation.db-wal"), "log of one").unwrap();
        set_aside(dir.path(), DATABASE).unwrap();
        // Only what lay beside it, after a crash in between.
        fs::write(at("workstation.db-wal"), "log of two").unwrap();
        set_aside(dir.path(), DATABASE).unwrap();
        fs::write(at("workstation.db"), "three").unwrap();
        set_aside(dir.path(), DATABASE).unwrap();
        for (name, bytes) in [
            ("workstation.quarantine-0.db", "one"),
            ("workstation.quarantine-0.db-wal", "log of one"),
            ("workstation.quarantine-1.db-wal", "log of two"),
            ("workstation.quarantine-2.db", "three"),
        ] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
        assert!(was_set_aside(dir.path()).unwrap());
    }

    #[test]
    fn a_crash_between_two_renames_leaves_no_log_without_its_database() {
        for steps in 0..=SUFFIXES.len() {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            for suffix in SUFFIXES {
                fs::write(at(&format!("{DATABASE}{suffix}")), suffix).unwrap();
            }
            let mut left = steps;
            let result = set_aside_by(dir.path(), DATABASE, |from, to| {
                if left == 0 {
                    return Err(io::Error::other("the power went"));
                }
                left -= 1;
                fs::rename(from, to)
            });
            assert_eq!(result.is_ok(), steps == SUFFIXES.len());
            let is_here = |suffix: &str| at(&format!("{DATABASE}{suffix}")).exists();
            assert!(is_here("") || !SUFFIXES.into_iter().any(is_here), "{steps}");

            set_aside(dir.path(), DATABASE).unwrap();
            assert!(!SUFFIXES.into_iter().any(is_here));
            let mut kept: Vec<_> = fs::read_dir(dir.path())
                .unwrap()
                .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
                .collect();
            kept.sort();
            assert_eq!(kept, ["", "-journal", "-shm", "-wal"]);
        }
    }
}
