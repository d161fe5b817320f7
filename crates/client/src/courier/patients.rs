//! The patient data of an answer, behind the gate.

use infoblood_agreement::courier::{self, AnswerRecord, Change};

use super::{Chunks, Cursors, PackError, Progress, answer::Pending};
use crate::{
    UnlockedWorkstation,
    session::UnlockError,
    transport::Stream,
    unlocked::{Batch, Refreshed},
};

/// Why an answer's patient data were not applied to their end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file is not readable any more, or was cancelled.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The cache failed.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
}

impl ApplyError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pack(error) => error.code(),
            Self::Unlock(error) => error.code(),
        }
    }
}

impl UnlockedWorkstation {
    /// Applies the patient data that wait from the last answer, in small transactions; a crash or a cancel resumes where it ended.
    /// `None` when nothing waits. Data that are older than the cache's own change nothing.
    pub async fn apply_answer(&self, progress: &Progress) -> Result<Option<Refreshed>, ApplyError> {
        let workstation = &self.workstation;
        let _one = workstation.0.courier.lock().await;
        let Some(pending) = workstation.pending().await.map_err(PackError::from)? else {
            return Ok(None);
        };
        let applied = self.apply_pending(&pending, progress).await;
        progress.end();
        match applied {
            Ok(done) => {
                workstation.forget_pending().await?;
                Ok(Some(done))
            }
            // Damaged meanwhile, or under a share that is gone: the next answer brings it again.
            Err(ApplyError::Pack(error @ PackError::Pack(_))) => {
                workstation.forget_pending().await?;
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }

    async fn apply_pending(
        &self,
        pending: &Pending,
        progress: &Progress,
    ) -> Result<Refreshed, ApplyError> {
        let workstation = &self.workstation;
        let mut chunks = Chunks::open(&workstation.pending_file(pending.counter)?).await?;
        progress.begin(chunks.length);
        let mut reader = workstation.answer_reader();
        let mut chain = Chain::new(pending.from.clone());
        let mut done = Refreshed::default();
        let keys = workstation.keys();
        while let Some(chunk) = chunks.next(progress).await? {
            let records = reader
                .read(&chunk, &keys, Some(self.gate.courier_key()))
                .map_err(PackError::from)?;
            for record in records.into_iter().flatten() {
                if let AnswerRecord::Change(change) = record {
                    self.apply_change(change, &mut chain, &mut done).await?;
                }
            }
        }
        reader.end().map_err(PackError::from)?;
        self.note_cursors().await?;
        Ok(done)
    }

    async fn apply_change(
        &self,
        change: Change,
        chain: &mut Chain,
        done: &mut Refreshed,
    ) -> Result<(), UnlockError> {
        let stream = match change.stream {
            courier::Stream::Safety => Stream::Safety,
            courier::Stream::All => Stream::All,
        };
        let here = self.cursor(stream).await?;
        if change.from_start && here.is_some() && here.as_deref() == chain.asked(stream) {
            self.empty().await?;
        }
        let expected = chain.expect(stream, change.from_start);
        if self.cursor(stream).await? == expected {
            let mut batch = Batch::read(&change.lines)?;
            batch.end = Some((change.cursor.clone(), !change.is_end));
            self.apply(stream, expected.as_deref(), batch, done).await?;
        }
        chain.advance(stream, change.cursor);
        Ok(())
    }
}

/// Each stretch of a stream continues the one before it. One that does not continue what the cache has was applied already, or the
/// cache went on by itself: it is passed over.
struct Chain {
    asked: Cursors,
    /// Where the stretches so far end, by stream.
    at: [Option<String>; 2],
}

impl Chain {
    fn new(asked: Cursors) -> Self {
        Self {
            asked,
            at: [None, None],
        }
    }

    fn asked(&self, stream: Stream) -> Option<&str> {
        match stream {
            Stream::Safety => self.asked.safety.as_deref(),
            Stream::All => self.asked.all.as_deref(),
        }
    }

    fn expect(&self, stream: Stream, from_start: bool) -> Option<String> {
        match &self.at[stream as usize] {
            Some(cursor) => Some(cursor.clone()),
            None if from_start => None,
            None => self.asked(stream).map(str::to_owned),
        }
    }

    fn advance(&mut self, stream: Stream, cursor: String) {
        self.at[stream as usize] = Some(cursor);
    }
}
