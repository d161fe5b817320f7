//! The files of the outbox: `outbox/<id>.sealed`, each sealed to the server, so that they survive the loss of every local key.
//!
//! A file is first written beside its place and through to the device; only then the store commits; only then the file is renamed. A
//! full disk before the commit leaves nothing behind; a crash after it is repaired by [`Outbox::repair`], because the store keeps the
//! sealed bytes until the server's acknowledgement.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::disk::{Disk, sync_directory};

const SUFFIX: &str = "sealed";
const UNFINISHED: &str = "tmp";

/// A sealed item with its name.
#[derive(Debug, Clone)]
pub(crate) struct SealedFile {
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Outbox {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
}

/// Files that are on the device under temporary names. Dropped without [`Prepared::publish`], they are removed.
pub(crate) struct Prepared {
    files: Vec<(PathBuf, PathBuf)>,
    disk: Arc<dyn Disk>,
}

impl Outbox {
    pub(crate) fn open(data_dir: &Path, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let dir = data_dir.join("outbox");
        if !dir.is_dir() {
            fs::create_dir(&dir)?;
            sync_directory(data_dir)?;
        }
        Ok(Self { dir, disk })
    }

    /// Writes the files under temporary names, through to the device.
    pub(crate) async fn prepare(&self, files: Vec<SealedFile>) -> io::Result<Prepared> {
        let (dir, disk) = (self.dir.clone(), Arc::clone(&self.disk));
        blocking(move || {
            let mut prepared = Prepared {
                files: Vec::new(),
                disk: Arc::clone(&disk),
            };
            for file in files {
                let to = dir.join(&file.id).with_extension(SUFFIX);
                let from = dir.join(&file.id).with_extension(UNFINISHED);
                prepared.files.push((from.clone(), to));
                disk.write(&from, &file.bytes)?;
            }
            Ok(prepared)
        })
        .await
    }

    /// Writes missing files, removes unfinished ones, and returns the ids of files that `known` does not name.
    pub(crate) async fn repair(&self, known: Vec<SealedFile>) -> io::Result<Vec<SealedFile>> {
        let present = self.list()?;
        let missing = known
            .iter()
            .filter(|file| !present.contains(&file.id))
            .cloned()
            .collect::<Vec<_>>();
        if !missing.is_empty() {
            self.prepare(missing).await?.publish().await?;
        }
        let mut strangers = Vec::new();
        for id in present {
            if !known.iter().any(|file| file.id == id) {
                let bytes = fs::read(self.path(&id))?;
                strangers.push(SealedFile { id, bytes });
            }
        }
        Ok(strangers)
    }

    /// Removes what was only half written when the process ended.
    pub(crate) fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == UNFINISHED)
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes a file after the server's acknowledgement. A missing one is no error.
    pub(crate) fn remove(&self, id: &str) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == SUFFIX)
                && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            {
                ids.push(stem.to_owned());
            }
        }
        Ok(ids)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(id).with_extension(SUFFIX)
    }
}

impl Prepared {
    /// Gives the files their names.
    pub(crate) async fn publish(mut self) -> io::Result<()> {
        blocking(move || {
            for (from, to) in std::mem::take(&mut self.files) {
                self.disk.rename(&from, &to)?;
            }
            Ok(())
        })
        .await
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        for (from, _) in &self.files {
            // What stays is removed at the next start.
            let _ = fs::remove_file(from);
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn file(id: &str) -> SealedFile {
        SealedFile {
            id: id.into(),
            bytes: id.as_bytes().to_vec(),
        }
    }

    #[tokio::test]
    async fn a_prepared_file_appears_only_when_published() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path(), Arc::new(RealDisk)).unwrap();
        drop(outbox.prepare(vec![file("aa")]).await.unwrap());
        assert_eq!(fs::read_dir(dir.path().join("outbox")).unwrap().count(), 0);
        outbox
            .prepare(vec![file("aa")])
            .await
            .unwrap()
            .publish()
            .await
            .unwrap();
        assert_eq!(outbox.list().unwrap(), ["aa"]);
    }

    #[tokio::test]
    async fn repair_writes_what_is_missing_and_reports_strangers() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path(), Arc::new(RealDisk)).unwrap();
        outbox
            .prepare(vec![file("bb")])
            .await
            .unwrap()
            .publish()
            .await
            .unwrap();
        fs::write(dir.path().join("outbox/cc.tmp"), "half").unwrap();
        outbox.remove_unfinished().unwrap();
        let strangers = outbox.repair(vec![file("aa")]).await.unwrap();
        assert_eq!(
            strangers
                .iter()
                .map(|file| file.id.as_str())
                .collect::<Vec<_>>(),
            ["bb"]
        );
        let mut ids = outbox.list().unwrap();
        ids.sort();
        assert_eq!(ids, ["aa", "bb"]);
    }
}
