//! A keyring that outlives the client's process: a file beside the data directory, as the operating system's is beside it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use infoblood_agreement::vault::WorkstationKeys;
use infoblood_client::keyring::{Keyring, KeyringError, SecretBytes};
use zeroize::Zeroizing;

use crate::Result;

pub(crate) struct FileKeyring(PathBuf);

impl FileKeyring {
    /// The keyring of the machine in this folder.
    pub(crate) fn of(machine: &Path) -> Self {
        Self(machine.join("keyring"))
    }

    /// The keys that it holds.
    pub(crate) fn keys(&self) -> Result<WorkstationKeys> {
        Ok(WorkstationKeys::from_item(&fs::read(&self.0)?)?)
    }
}

impl Keyring for FileKeyring {
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        match fs::read(&self.0) {
            Ok(item) => Ok(Some(Zeroizing::new(item))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyringError::Failed(error.to_string())),
        }
    }

    fn set(&self, item: &[u8]) -> Result<(), KeyringError> {
        let beside = self.0.with_extension("new");
        fs::write(&beside, item)
            .and_then(|()| fs::rename(beside, &self.0))
            .map_err(|error| KeyringError::Failed(error.to_string()))
    }
}
