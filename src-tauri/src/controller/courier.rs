//! Files of the courier: everything that waits goes out, an answer or another site's file comes in, piece by piece.

use std::{path::PathBuf, sync::Arc};

use infoblood_agreement::courier::Claim;
use infoblood_client::{
    Workstation,
    courier::{PackError, Progress, claim_of},
};
use tokio::{fs::File, io::AsyncWriteExt as _};

use super::{
    Controller, Event, Phase, Reply,
    failure::{internal, named, told, unwritten},
    proof::free_name,
};
use crate::view::{AppError, FileProgress, FileTaken, SavedPack};

/// Largest piece of a chosen file.
const MAX_PIECE: usize = 2 * 1024 * 1024;

/// A chosen file on its way in.
pub(super) struct Upload {
    path: PathBuf,
    file: File,
}

/// What is being read.
pub(super) struct Reading {
    progress: Arc<Progress>,
    number: u64,
}

/// The end of reading a file.
pub(super) struct ReadDone {
    number: u64,
    result: Result<FileTaken, AppError>,
    reply: Reply<FileTaken>,
}

fn pack_error(what: &'static str, error: &PackError) -> AppError {
    told(what, error.code(), error)
}

impl Controller {
    /// Writes everything that waits to a new file in the person's folder.
    pub(super) async fn courier_export(&self) -> Result<SavedPack, AppError> {
        let workstation = self.workstation()?;
        let dir = self.saved_dir();
        let now = self.config.clock.now().strftime("%Y%m%d-%H%M%S");
        let path = free_name(dir, &format!("infoblood-{now}"), "ibpack")
            .map_err(|error| unwritten("courier", &error))?;
        let exported = workstation
            .export_pack(&path)
            .await
            .map_err(|error| pack_error("courier-export", &error))?;
        Ok(SavedPack {
            path: path.to_string_lossy().into_owned(),
            items: u32::try_from(exported.items).unwrap_or(u32::MAX),
        })
    }

    /// A file was chosen; its pieces follow.
    pub(super) async fn upload_begin(&mut self) -> Result<(), AppError> {
        let path = self
            .workstation()?
            .courier_dir()
            .map_err(|error| unwritten("courier", &error))?
            .join("incoming.ibpack");
        let file = File::create(&path)
            .await
            .map_err(|error| unwritten("courier", &error))?;
        self.upload = Some(Upload { path, file });
        Ok(())
    }

    pub(super) async fn upload_piece(&mut self, bytes: &[u8]) -> Result<(), AppError> {
        let upload = self.upload.as_mut().ok_or_else(internal)?;
        if bytes.len() > MAX_PIECE {
            return Err(named("courier-too-large"));
        }
        upload
            .file
            .write_all(bytes)
            .await
            .map_err(|error| unwritten("courier", &error))
    }

    /// The file is whole: it is read beside the controller, whatever it is.
    pub(super) async fn upload_end(&mut self, reply: Reply<FileTaken>) {
        match self.begin_reading().await {
            Ok((workstation, path, progress)) => {
                self.readings += 1;
                let (number, events) = (self.readings, self.events.clone());
                self.reading = Some(Reading {
                    progress: Arc::clone(&progress),
                    number,
                });
                let dir = self.saved_dir().to_owned();
                self.beside(async move {
                    let result = read(&workstation, &path, dir, &progress).await;
                    // It may be gone already.
                    let _ = tokio::fs::remove_file(&path).await;
                    let done = ReadDone {
                        number,
                        result,
                        reply,
                    };
                    // The controller may have ended meanwhile.
                    let _ = events.send(Event::Read(Box::new(done))).await;
                });
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    async fn begin_reading(&mut self) -> Result<(Workstation, PathBuf, Arc<Progress>), AppError> {
        let mut upload = self.upload.take().ok_or_else(internal)?;
        upload
            .file
            .flush()
            .await
            .map_err(|error| unwritten("courier", &error))?;
        let workstation = self.workstation()?.clone();
        Ok((workstation, upload.path, Arc::default()))
    }

    /// Ends choosing or reading; what was applied stays applied.
    pub(super) async fn upload_cancel(&mut self) -> Result<(), AppError> {
        if let Some(upload) = self.upload.take() {
            drop(upload.file);
            // It may be gone already.
            let _ = tokio::fs::remove_file(upload.path).await;
        }
        if let Some(reading) = &self.reading {
            reading.progress.cancel();
        }
        if let Phase::Unlocked(open) = &self.phase {
            open.applying.cancel();
        }
        Ok(())
    }

    pub(super) async fn read_done(&mut self, done: ReadDone) {
        if self
            .reading
            .as_ref()
            .is_some_and(|reading| reading.number == done.number)
        {
            self.reading = None;
        }
        // Nobody waits any more when the page was reloaded.
        let _ = done.reply.send(done.result);
        self.refresh();
        self.nudge();
        self.heed_revocation().await;
        self.unlock_if_registered().await;
    }

    /// How far the reading is.
    pub(super) fn reading(&self) -> Option<FileProgress> {
        let applying = match &self.phase {
            Phase::Unlocked(open) => Some(&open.applying),
            _ => None,
        };
        let reading = self.reading.as_ref().map(|reading| &reading.progress);
        let (done, total) = reading.or(applying)?.bytes();
        // Applied to its end, or nothing there to apply.
        let is_over = reading.is_none() && done >= total;
        (!is_over).then_some(FileProgress { done, total })
    }
}

async fn read(
    workstation: &Workstation,
    path: &std::path::Path,
    dir: PathBuf,
    progress: &Progress,
) -> Result<FileTaken, AppError> {
    let failed = |error: PackError| pack_error("courier-read", &error);
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    match claim_of(path).await.map_err(failed)? {
        Claim::Answer => {
            let taken = workstation
                .read_answer(path, progress)
                .await
                .map_err(failed)?;
            Ok(FileTaken::Answer {
                receipts: count(taken.receipts),
                stored: count(taken.stored),
                refused: count(taken.refused),
                grants: count(taken.grants),
                revoked: count(taken.revoked),
                has_patients: taken.has_patients,
            })
        }
        Claim::Request { .. } => {
            let answer = free_name(&dir, "infoblood-answer", "ibpack")
                .map_err(|error| unwritten("courier", &error))?;
            workstation
                .forward_pack(path, &answer, progress)
                .await
                .map_err(failed)?;
            Ok(FileTaken::Forwarded {
                path: answer.to_string_lossy().into_owned(),
            })
        }
    }
}
