//! Durable files: written beside, fsynced, renamed, and the directory fsynced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Writing files, as a seam: tests let single steps fail as a full disk does.
pub trait Disk: Send + Sync + 'static {
    /// Writes a new file and its bytes through to the device. A file left by an earlier try is replaced.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Renames within one directory and writes the directory through.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        to.parent().map_or(Ok(()), sync_directory)
    }
}

/// Writes a directory's entries through. Windows has no such call; its file system journals the rename.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

/// Whether an error says that the disk is full (or the quota used up).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::WriteZero
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_device_is_recognised() {
        let error = RealDisk.write(Path::new("/dev/full"), b"x").unwrap_err();
        assert!(is_full(&error), "{error:?}");
    }
}
