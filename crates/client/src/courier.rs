//! The courier: everything that waits as one file, carried on any medium, and the server's answer to it.
//!
//! A file is checked from its first to its last byte before any of it is used; a refused one changes nothing. Receipts, grants and
//! revocations count at once; patient data are sealed under the server's share too, and wait in `courier/answer.ibpack` for a person
//! who opens the gate.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use infoblood_agreement::courier::{Claim, CourierError, Frames, claim};
use serde::{Deserialize, Serialize};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use crate::{
    Workstation, database::DatabaseError, error::StoreError, random::RandomError,
    transport::TransportError,
};

mod answer;
mod export;
mod forward;
mod patients;

pub use answer::Taken;
pub(crate) use answer::Tidy;
pub use export::{Exported, SavedFile};

/// Pieces in which files are read.
const PIECE: usize = 256 * 1024;
/// Largest file that is read at all: a first pack of a large region.
const MAX_FILE: u64 = 8 * 1024 * 1024 * 1024;

/// Why a file was not written, not taken or not forwarded. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The file is not what it should be.
    #[error("the pack is refused")]
    Pack(#[from] CourierError),
    /// It answers no request of this workstation that is still remembered.
    #[error("the answer belongs to no request of this workstation")]
    Unasked,
    /// A newer answer was read before.
    #[error("a newer answer was read before")]
    Old,
    /// The person cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    File(#[from] io::Error),
    /// The server did not take it.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PackError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pack(error) => error.code(),
            Self::Unasked => "courier-unasked",
            Self::Old => "courier-old",
            Self::Cancelled => "courier-cancelled",
            Self::File(error) if crate::disk::is_full(error) => "disk-full",
            Self::File(_) => "courier-file",
            Self::Transport(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

impl From<DatabaseError> for PackError {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

impl From<sqlx::Error> for PackError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<RandomError> for PackError {
    fn from(error: RandomError) -> Self {
        Self::Store(error.into())
    }
}

/// How far the reading of a file is, for whoever waits; it may be cancelled at any time.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    is_cancelled: AtomicBool,
}

impl Progress {
    /// Bytes done and bytes in all; in all is 0 before it is known, and both are the same when nothing goes on any more.
    pub fn bytes(&self) -> (u64, u64) {
        (
            self.done.load(Ordering::Relaxed),
            self.total.load(Ordering::Relaxed),
        )
    }

    /// Ends the work at the next chunk; what was applied stays applied.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Nothing goes on any more, whatever came of it.
    fn end(&self) {
        self.done
            .store(self.total.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) -> Result<(), PackError> {
        self.done.fetch_add(bytes as u64, Ordering::Relaxed);
        if self.is_cancelled.load(Ordering::Relaxed) {
            return Err(PackError::Cancelled);
        }
        Ok(())
    }
}

/// Where the patient cache's change feed stands; `None` at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursors {
    pub(crate) safety: Option<String>,
    pub(crate) all: Option<String>,
}

/// What a file claims to be.
pub async fn claim_of(file: &Path) -> Result<Claim, PackError> {
    let mut chunks = Chunks::open(file).await?;
    let first = chunks.next(&Progress::default()).await?;
    Ok(claim(&first.ok_or(CourierError::Truncated)?)?)
}

/// The chunks of a file, one after the other.
struct Chunks {
    file: File,
    frames: Frames,
    length: u64,
    piece: Vec<u8>,
}

impl Chunks {
    async fn open(path: &Path) -> Result<Self, PackError> {
        let file = File::open(path).await?;
        let length = file.metadata().await?.len();
        if length > MAX_FILE {
            return Err(CourierError::TooLarge.into());
        }
        Ok(Self {
            file,
            frames: Frames::new(),
            length,
            piece: vec![0; PIECE],
        })
    }

    async fn next(&mut self, progress: &Progress) -> Result<Option<Vec<u8>>, PackError> {
        loop {
            if let Some(chunk) = self.frames.next_chunk()? {
                return Ok(Some(chunk));
            }
            let read = self.file.read(&mut self.piece).await?;
            if read == 0 {
                self.frames.end()?;
                return Ok(None);
            }
            progress.add(read)?;
            self.frames.push(&self.piece[..read]);
        }
    }
}

/// A file that gets its name only when it is whole and on the device.
struct NewFile {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
    is_finished: bool,
}

impl NewFile {
    async fn create(path: &Path) -> io::Result<Self> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        Ok(Self {
            file: File::create(&unfinished).await?,
            unfinished,
            path: path.to_owned(),
            is_finished: false,
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Where the bytes written so far stand.
    async fn unfinished(&mut self) -> io::Result<&Path> {
        self.file.flush().await?;
        Ok(&self.unfinished)
    }

    async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        tokio::fs::rename(&self.unfinished, &self.path).await?;
        self.is_finished = true;
        match self.path.parent() {
            Some(parent) => crate::disk::sync_directory(parent),
            None => Ok(()),
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // It may never have been written.
            let _ = std::fs::remove_file(&self.unfinished);
        }
    }
}

impl Workstation {
    /// Where files of the courier wait: pieces that a person chose, and the answer whose patient data are not applied yet.
    pub fn courier_dir(&self) -> io::Result<PathBuf> {
        let dir = self.0.dir.join("courier");
        if !dir.is_dir() {
            std::fs::create_dir(&dir)?;
        }
        Ok(dir)
    }
}
