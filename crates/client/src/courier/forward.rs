//! Through a workstation that has a connection: another site's file, or what waits here without its store.

use std::path::Path;

use super::{Chunks, MAX_FILE, NewFile, PackError, Progress, Taken, claim_of};
use crate::Workstation;
use infoblood_agreement::courier::{Claim, CourierError};

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
        while chunks.next(&Progress::default()).await?.is_some() {}
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
        out.finish().await?;
        // A cut answer is told here, where it can be asked for again.
        let mut chunks = Chunks::open(answer).await?;
        while chunks.next(&Progress::default()).await?.is_some() {}
        Ok(())
    }

    /// Sends everything that waits as one pack over the network and reads the answer: for items whose store is gone, which only the
    /// server can open.
    pub async fn send_pack(&self) -> Result<Taken, PackError> {
        let dir = self.courier_dir()?;
        let (request, answer) = (dir.join("sent.ibpack"), dir.join("received.ibpack"));
        self.export_pack(&request).await?;
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
