//! The cache's connection, which a wipe can take away from whoever has it open.

use std::sync::{Arc, PoisonError, Weak};

use sqlx::SqliteConnection;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::writer::Writer;
use crate::Workstation;

/// `None` once it was taken away.
pub(crate) type Shared = Arc<Held>;
type Held = Mutex<Option<Writer>>;

/// Who has the cache open; nobody after the lock.
#[derive(Default)]
pub(crate) struct Opened(std::sync::Mutex<Option<(String, Weak<Held>)>>);

impl Opened {
    pub(crate) fn set(&self, person_id: &str, cache: &Shared) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((person_id.to_owned(), Arc::downgrade(cache)));
    }

    /// The open cache: of this person, or whosever it is.
    fn of(&self, person_id: Option<&str>) -> Option<Shared> {
        let opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (whose, cache) = opened.as_ref()?;
        if person_id.is_some_and(|person_id| person_id != whose) {
            return None;
        }
        cache.upgrade()
    }
}

impl Workstation {
    /// Closes the cache where it is open, for this person or for everybody.
    pub(crate) async fn close_cache(&self, person_id: Option<&str>) {
        let Some(cache) = self.0.opened.of(person_id) else {
            return;
        };
        if let Some(connection) = cache.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the cache was not closed cleanly");
        }
    }
}

/// The connection, while it is there, for reading.
pub(super) async fn connection(cache: &Shared) -> Option<MappedMutexGuard<'_, SqliteConnection>> {
    Some(MappedMutexGuard::map(writer(cache).await?, Writer::reader))
}

/// The connection, while it is there, with nothing of an earlier failure left on it.
pub(super) async fn writer(cache: &Shared) -> Option<MappedMutexGuard<'_, Writer>> {
    let mut writer = MutexGuard::try_map(cache.lock().await, Option::as_mut).ok()?;
    writer.recover().await;
    Some(writer)
}
