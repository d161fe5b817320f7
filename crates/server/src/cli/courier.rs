//! `courier`: a pack from a file, the answer into a file.

use std::path::Path;

use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::{ENVIRONMENT, Failure};
use crate::context::Context;
use crate::problem::Problem;
use crate::service::courier::{self, Intake, MAX_WRONG_CODES, Request};
use crate::storage::Database;

/// What is read at once.
const PIECE: usize = 64 * 1024;

pub(super) async fn run<D: Database>(
    context: &Context<D>,
    request: &Path,
    out: &Path,
) -> Result<Value, Failure> {
    let mut request = read(context, request).await?;
    // The answer's place is made before anything is taken: a folder that cannot be written to changes nothing.
    let mut saved = Saved::new(out)?;
    let taken = courier::take(context, &mut request, MAX_WRONG_CODES).await?;
    let reply = courier::settle(context, &request, taken).await?;
    let (pieces, receiver) = mpsc::channel(1);
    let (summary, saving) = tokio::join!(
        async {
            let summary = reply.write(context, &pieces).await;
            drop(pieces);
            summary
        },
        saved.fill(receiver)
    );
    // A disk that is full ends the writing too, but only one of both errors says why.
    saving?;
    let summary = summary?;
    saved.finish(out).await?;
    Ok(json!({
        "items": summary.items,
        "stored": summary.stored,
        "rejected": summary.rejected,
        "later": summary.later,
        "grants": summary.grants,
        "changes": summary.changes,
    }))
}

async fn read<D: Database>(context: &Context<D>, path: &Path) -> Result<Request, Failure> {
    let unreadable = |error| failed("file-unreadable", path, &error);
    let mut file = File::open(path).await.map_err(unreadable)?;
    let mut intake = Intake::new(&context.keys.sealing)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).await.map_err(unreadable)? {
            0 => return Ok(intake.end()?),
            length => intake.push(&piece[..length]).await?,
        }
    }
}

/// The answer under a name of its own until it is whole.
struct Saved {
    path: tempfile::TempPath,
    file: File,
}

impl Saved {
    fn new(out: &Path) -> Result<Self, Failure> {
        let folder = folder(out);
        let (file, path) = tempfile::Builder::new()
            .prefix(".courier-")
            .tempfile_in(folder)
            .map_err(|error| failed("file-unwritable", out, &error))?
            .into_parts();
        Ok(Self {
            path,
            file: File::from_std(file),
        })
    }

    async fn fill(
        &mut self,
        mut pieces: mpsc::Receiver<Result<Vec<u8>, Problem>>,
    ) -> Result<(), Failure> {
        while let Some(piece) = pieces.recv().await {
            self.file
                .write_all(&piece?)
                .await
                .map_err(|error| failed("file-unwritable", &self.path, &error))?;
        }
        Ok(())
    }

    async fn finish(mut self, out: &Path) -> Result<(), Failure> {
        let unwritable = |error| failed("file-unwritable", out, &error);
        self.file.flush().await.map_err(unwritable)?;
        self.file.sync_all().await.map_err(unwritable)?;
        self.path
            .persist(out)
            .map_err(|error| unwritable(error.error))?;
        #[cfg(unix)]
        std::fs::File::open(folder(out))
            .and_then(|folder| folder.sync_all())
            .map_err(unwritable)?;
        Ok(())
    }
}

fn folder(out: &Path) -> &Path {
    match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn failed(code: &'static str, path: &Path, error: &std::io::Error) -> Failure {
    let mut failure = Failure::new(ENVIRONMENT, code, error);
    failure.detail = format!("{}: {}", path.display(), failure.detail);
    failure
}
