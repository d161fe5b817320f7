//! The cache's store without gate and server, for measuring alone: what is opened is the caller's own.

use std::path::Path;

use infoblood_clinical::names::Sorter;
use jiff::civil::Date;

use super::{Batch, DonorPage, MIGRATIONS, Search, cache, search, writer::Writer};
use crate::{
    database::{self, DatabaseError},
    error::StoreError,
    session::UnlockError,
    transport::Stream,
};

/// An open store.
pub struct Store {
    cache: Writer,
    sorter: Sorter,
    cursor: Option<String>,
}

impl Store {
    /// Opens or creates it as the workstation does; plain without a key.
    pub async fn open(path: &Path, key: Option<&[u8; 32]>) -> Result<Self, UnlockError> {
        let mut cache = match key {
            Some(key) => database::open_cache(path, key, MIGRATIONS).await?,
            None => database::open_plain(path, MIGRATIONS).await?,
        };
        cache::prepare(&mut cache).await?;
        let mut cache = Writer::new(cache);
        cache.searcher().await?;
        let cursor = sqlx::query_scalar("SELECT cursor FROM feed WHERE stream = 'all'")
            .fetch_optional(cache.reader())
            .await?;
        Ok(Self {
            cache,
            sorter: Sorter::new().map_err(StoreError::sign)?,
            cursor,
        })
    }

    /// Reads lines of the feed and applies them.
    pub async fn apply(&mut self, lines: &[u8]) -> Result<u64, UnlockError> {
        let batch = Batch::read(lines)?;
        let (applied, cursor) = (batch.applied, batch.next_cursor());
        let from = self.cursor.as_deref();
        self.cache
            .apply(&self.sorter, Stream::All, from, batch, 0)
            .await?;
        self.cache.copy_back().await;
        self.cursor = cursor.or(self.cursor.take());
        Ok(applied)
    }

    /// A page, as [`crate::UnlockedWorkstation::search`] gives it, without the record of the access.
    pub async fn search(
        &mut self,
        query: impl Into<Search>,
        limit: u32,
        today: Date,
    ) -> Result<DonorPage, UnlockError> {
        let (cache, names) = self.cache.searcher().await?;
        search::search(cache, names, &query.into(), None, limit, today).await
    }

    /// Closes the file.
    pub async fn close(self) -> Result<(), DatabaseError> {
        self.cache.close().await
    }
}
