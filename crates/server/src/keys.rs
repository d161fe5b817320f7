//! The server's key files: `keys/{authority,log,grant,document,sealing}` in the data directory, 64 hex digits each.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use infoblood_agreement::keys::SigningKey;
use rand_core::CryptoRng;
use x25519_dalek::StaticSecret;

/// Why a key file is not usable.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not there or cannot be read or written.
    #[error("key file {name} cannot be read or written")]
    Io {
        /// Which file.
        name: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// It does not hold 64 hex digits.
    #[error("key file {0} is malformed")]
    Malformed(&'static str),
}

/// The keys a running server needs. The authority's key is not among them: after `init` it belongs elsewhere.
pub struct ServerKeys {
    /// Signs receipts, checkpoints and administration entries.
    pub log: SigningKey,
    /// Signs grants and times.
    pub grant: SigningKey,
    /// Signs documents.
    pub document: SigningKey,
    /// Opens sealed items.
    pub sealing: StaticSecret,
}

impl ServerKeys {
    /// Reads the four files.
    pub fn load(data_dir: &Path) -> Result<Self, KeyFileError> {
        Ok(Self {
            log: SigningKey::from_bytes(&read(data_dir, "log")?),
            grant: SigningKey::from_bytes(&read(data_dir, "grant")?),
            document: SigningKey::from_bytes(&read(data_dir, "document")?),
            sealing: StaticSecret::from(read(data_dir, "sealing")?),
        })
    }

    /// Reads the files, making those that do not exist yet. Also returns the authority's key.
    pub fn create(
        data_dir: &Path,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, SigningKey), KeyFileError> {
        let dir = data_dir.join("keys");
        fs::create_dir_all(&dir).map_err(|source| KeyFileError::Io {
            name: "keys",
            source,
        })?;
        restrict(&dir).map_err(|source| KeyFileError::Io {
            name: "keys",
            source,
        })?;
        for name in ["authority", "log", "grant", "document", "sealing"] {
            let mut secret = [0; 32];
            rng.fill_bytes(&mut secret);
            write_new(&dir.join(name), &secret)
                .map_err(|source| KeyFileError::Io { name, source })?;
        }
        remove_drafts(&dir)
            .and_then(|()| fs::File::open(&dir)?.sync_all())
            .map_err(|source| KeyFileError::Io {
                name: "keys",
                source,
            })?;
        Ok((
            Self::load(data_dir)?,
            SigningKey::from_bytes(&read(data_dir, "authority")?),
        ))
    }
}

impl std::fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKeys")
    }
}

fn read(data_dir: &Path, name: &'static str) -> Result<[u8; 32], KeyFileError> {
    let text = fs::read_to_string(data_dir.join("keys").join(name))
        .map_err(|source| KeyFileError::Io { name, source })?;
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim_end(), &mut key).map_err(|_| KeyFileError::Malformed(name))?;
    Ok(key)
}

/// Writes a key file durably, whole or not at all; one that exists stays as it is.
fn write_new(path: &Path, secret: &[u8; 32]) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let draft = path.with_extension(std::process::id().to_string());
    // A link, not a renaming: of two who make the same key the later one takes the earlier one's.
    let written = write_draft(&draft, secret).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => written.and(Err(error)),
        _ => written,
    }
}

/// Removes what an interrupted `init` left: it may be a second name of a key, which would outlast moving that key away.
fn remove_drafts(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn write_draft(path: &Path, secret: &[u8; 32]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(hex::encode(secret).as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(unix)]
fn restrict(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_readable_only_by_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = crate::clock::rng().unwrap();
        let (first, authority) = ServerKeys::create(dir.path(), &mut rng).unwrap();
        let keys = dir.path().join("keys");
        fs::hard_link(keys.join("authority"), keys.join("authority.7")).unwrap();
        let (second, again) = ServerKeys::create(dir.path(), &mut rng).unwrap();
        assert_eq!(first.log, second.log);
        assert_eq!(authority, again);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("keys/log"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let names = fs::read_dir(keys).unwrap();
        assert_eq!(names.count(), 5, "nothing else is left there");
    }

    #[test]
    fn a_key_that_could_not_be_written_is_made_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // What stands where the draft goes: the disk might as well be full.
        let draft = path.with_extension(std::process::id().to_string());
        fs::create_dir(&draft).unwrap();
        assert!(write_new(&path, &[1; 32]).is_err());
        assert!(!path.exists());
        fs::remove_dir(&draft).unwrap();
        write_new(&path, &[1; 32]).unwrap();
        write_new(&path, &[2; 32]).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("0101"));
    }

    #[test]
    fn a_damaged_or_absent_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            ServerKeys::load(dir.path()),
            Err(KeyFileError::Io { name: "log", .. })
        ));
        ServerKeys::create(dir.path(), &mut crate::clock::rng().unwrap()).unwrap();
        fs::write(dir.path().join("keys/grant"), "zz").unwrap();
        assert!(matches!(
            ServerKeys::load(dir.path()),
            Err(KeyFileError::Malformed("grant"))
        ));
    }
}
