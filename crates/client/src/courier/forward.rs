//! Through a workstation that has a connection: another site's file, or what waits here without its store.

use std::path::Path;

use super::{Chunks, MAX_FILE, NewFile, PackError, Progress, Taken, claim_of};
use crate::{Workstation, error::StoreError, settings, workstation::NEEDS_COURIER};
use infoblood_agreement::courier::{Claim, CourierError};

/// When orphans were sent last, Unix seconds.
const TRIED: &str = "orphans_tried";
/// Seconds between two tries.
const BETWEEN: i64 = 600;

impl Workstation {
    /// Sends another workstation's request to the server and writes its answer to `answer`, unread: it is sealed to that
    /// workstation.
    pub async fn forward_pack(
        &self,
        file: &Path,
        answer: &Path,
        progress: &Progress,
    ) -> Result<(), PackError> {
        if !matches!(claim_of(file).await?, Claim::Request { .. }) {
            return Err(CourierError::Direction.into());
        }
        // Cut files are told here, before the server is asked.
        let mut chunks = Chunks::open(file).await?;
        progress.begin(chunks.length);
        while chunks.next(progress).await?.is_some() {}
        let mut page = self.0.transport.courier(file).await?;
        let mut out = NewFile::create(answer).await?;
        let mut read = 0;
        while let Some(piece) = page.next().await? {
            progress.add(piece.len())?;
            read += piece.len() as u64;
            if read > MAX_FILE {
                return Err(CourierError::TooLarge.into());
            }
            out.write(&piece).await?;
        }
        // A cut answer is told here, where it can be asked for again; it gets no name.
        let mut chunks = Chunks::open(out.unfinished().await?).await?;
        while chunks.next(&Progress::default()).await?.is_some() {}
        out.finish().await?;
        Ok(())
    }

    /// Sends what only the server can open, once in a while: sealed statements whose store is gone.
    pub(crate) async fn send_orphans(&self) -> Result<(), StoreError> {
        let now = self.now().as_second();
        {
            let mut store = self.store().await;
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM outbox WHERE orphan = 1 AND error = ?)",
            )
            .bind(NEEDS_COURIER)
            .fetch_one(&mut *store)
            .await?;
            let tried = settings::int(&mut store, TRIED).await?;
            // A clock that went back does not stop it.
            if !waits || tried.is_some_and(|at| at <= now && now - at < BETWEEN) {
                return Ok(());
            }
            settings::set_int(&mut store, TRIED, now).await?;
        }
        if let Err(error) = self.send_pack().await {
            tracing::info!(code = error.code(), "what has no store was not sent");
        }
        Ok(())
    }

    /// Sends everything that waits as one pack over the network and reads the answer: for items whose store is gone, which only the
    /// server can open.
    pub async fn send_pack(&self) -> Result<Taken, PackError> {
        let dir = self.courier_dir()?;
        let (request, answer) = (dir.join("sent.ibpack"), dir.join("received.ibpack"));
        self.write_pack(&request, false).await?;
        let progress = Progress::default();
        let result = async {
            self.forward_pack(&request, &answer, &progress).await?;
            self.read_answer(&answer, &progress).await
        }
        .await;
        for file in [request, answer] {
            // One of them may never have been written.
            let _ = tokio::fs::remove_file(file).await;
        }
        result
    }
}
