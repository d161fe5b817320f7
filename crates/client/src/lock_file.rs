//! One process per data directory: the databases are opened exclusively, and two writers would damage them.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use fs4::fs_std::FileExt;

/// Held while the workstation is open; the operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock, `None` when another process (or another handle) holds it.
    pub(crate) fn acquire(dir: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("lock"))?;
        Ok(FileExt::try_lock_exclusive(&file)?.then_some(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_start_gets_nothing_until_the_first_ends() {
        let dir = tempfile::tempdir().unwrap();
        let first = LockFile::acquire(dir.path()).unwrap();
        assert!(first.is_some());
        assert!(LockFile::acquire(dir.path()).unwrap().is_none());
        drop(first);
        assert!(LockFile::acquire(dir.path()).unwrap().is_some());
    }
}
