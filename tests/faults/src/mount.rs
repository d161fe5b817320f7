//! File systems of their own: an ext4 in an image file behind a loop device, and a small one in memory. Both need root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;

/// A mounted file system; dropping it unmounts it and removes its image.
#[derive(Debug)]
pub(crate) struct Mount {
    at: PathBuf,
    image: Option<PathBuf>,
}

/// The bytes of a device at one moment, in a file.
#[derive(Debug)]
pub(crate) struct Cut(tempfile::TempPath);

impl Mount {
    /// An ext4 of so many MiB at this place. It writes to its device what is fsynced; the rest stays in memory for minutes.
    pub(crate) fn ext4(at: &Path, mebibytes: u64) -> Result<Self> {
        fs::create_dir_all(at)?;
        let image = image()?;
        File::options()
            .write(true)
            .open(&image)?
            .set_len(mebibytes << 20)?;
        quietly(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        mount_image(&image, at)?;
        Ok(Self {
            at: at.to_owned(),
            image: Some(image.keep()?),
        })
    }

    /// A file system in memory with room for so many KiB.
    pub(crate) fn memory(at: &Path, kibibytes: u64) -> Result<Self> {
        fs::create_dir_all(at)?;
        let size = format!("size={kibibytes}k,mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "infoblood-faults"]);
        quietly(mount.arg(at))?;
        Ok(Self {
            at: at.to_owned(),
            image: None,
        })
    }

    /// What is on the device now; whoever writes to it must be stopped, or the copy is of no single moment.
    pub(crate) fn cut(&self) -> Result<Cut> {
        let from = self.image.as_ref().ok_or("no device")?;
        let to = image()?;
        fs::copy(from, &to)?;
        Ok(Cut(to))
    }

    /// The machine starts again with what was on the device.
    pub(crate) fn restore(&mut self, cut: Cut) -> Result {
        unmount(&self.at)?;
        mount_image(&cut.0, &self.at)?;
        if let Some(old) = self.image.replace(cut.0.keep()?) {
            fs::remove_file(old)?;
        }
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if unmount(&self.at).is_err() {
            // Whoever holds it still is about to end; then it goes.
            let _ = quietly(Command::new("umount").arg("-l").arg(&self.at));
        }
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}

/// Whether mounts work here: `None`, or why not.
pub(crate) fn missing() -> Option<&'static str> {
    let Ok(folder) = tempfile::tempdir() else {
        return Some("no folder for temporary files");
    };
    match Mount::ext4(&folder.path().join("try"), 8) {
        Ok(_) => None,
        Err(_) => Some("needs root and loop devices"),
    }
}

/// In memory where there is such a place: the image plays a device, and no real one has to keep up.
fn image() -> Result<tempfile::TempPath> {
    let memory = Path::new("/dev/shm");
    let mut file = tempfile::Builder::new();
    file.prefix("infoblood-faults-").suffix(".img");
    let made = if memory.is_dir() {
        file.tempfile_in(memory)?
    } else {
        file.tempfile()?
    };
    Ok(made.into_temp_path())
}

/// The journal is not committed by time, and `umount` frees the loop device.
fn mount_image(image: &Path, at: &Path) -> Result {
    let mut mount = Command::new("mount");
    mount.args(["-t", "ext4", "-o", "loop,commit=900"]);
    quietly(mount.arg(image).arg(at))
}

/// A process that was killed may hold it for a moment longer.
fn unmount(at: &Path) -> Result {
    let mut outcome = Ok(());
    for _ in 0..50 {
        outcome = quietly(Command::new("umount").arg(at));
        if outcome.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    outcome
}

fn quietly(command: &mut Command) -> Result {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().to_string_lossy().into_owned();
    Err(format!("{program}: {}", words.trim()).into())
}
