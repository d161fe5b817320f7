//! Saving a person's acceptance as a file that any SCITT verifier reads.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{
    Controller,
    failure::{named, told, unwritten},
};
use crate::view::{AppError, SavedProof};

/// So many files of the same name are more than a person makes.
const MOST_COPIES: u32 = 1000;

impl Controller {
    /// Where files for people go: their downloads, else the data directory.
    pub(super) fn saved_dir(&self) -> &Path {
        let downloads = self.config.downloads.as_deref();
        downloads.unwrap_or(&self.config.data_dir)
    }

    pub(super) async fn save_proof(&self, person_id: &str) -> Result<SavedProof, AppError> {
        let workstation = self.workstation()?;
        let proof = workstation
            .proof(person_id)
            .await
            .map_err(|error| told("proof", error.code(), &error))?;
        let progress = workstation
            .progress(person_id)
            .await
            .map_err(|error| told("proof", error.code(), &error))?;
        let (Some(proof), Some(progress)) = (proof, progress) else {
            return Err(named("agreement-required"));
        };
        let dir = self.saved_dir();
        // The beginning of the statement's own hash: nothing in it tells who signed.
        let id = &progress.statement_id[..12.min(progress.statement_id.len())];
        let save = |kind: &str, bytes: &[u8]| {
            write_new(dir, &format!("infoblood-{kind}-{id}"), bytes)
                .map_err(|error| unwritten("proof", &error))
        };
        // The enrolment proves whose key signed the acceptance.
        save("enrolment", &proof.enrolment)?;
        let path = save("acceptance", &proof.acceptance)?;
        Ok(SavedProof {
            path: path.to_string_lossy().into_owned(),
        })
    }
}

/// Writes `<name>.cose`, or `<name>-2.cose` and so on: a file that is there already is never overwritten.
fn write_new(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let (path, mut file) = create_new(dir, name, "cose")?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(path)
}

/// A path in `dir` that nothing has: `<name>.<extension>` or `<name>-2.<extension>` and so on.
pub(super) fn free_name(dir: &Path, name: &str, extension: &str) -> io::Result<PathBuf> {
    let (path, _) = create_new(dir, name, extension)?;
    std::fs::remove_file(&path)?;
    Ok(path)
}

fn create_new(dir: &Path, name: &str, extension: &str) -> io::Result<(PathBuf, File)> {
    std::fs::create_dir_all(dir)?;
    for copy in 1..=MOST_COPIES {
        let suffix = if copy == 1 {
            String::new()
        } else {
            format!("-{copy}")
        };
        let path = dir.join(format!("{name}{suffix}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("Downloads");
        let first = write_new(&dir, "a", b"1").unwrap();
        let second = write_new(&dir, "a", b"2").unwrap();
        assert_eq!(first.file_name().unwrap(), "a.cose");
        assert_eq!(second.file_name().unwrap(), "a-2.cose");
        assert_eq!(
            (
                std::fs::read(first).unwrap(),
                std::fs::read(second).unwrap()
            ),
            (b"1".to_vec(), b"2".to_vec())
        );
    }
}
