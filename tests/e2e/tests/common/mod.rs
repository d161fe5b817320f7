//! What more than one test program needs.

use std::sync::Mutex;

use infoblood_client::keyring::{Keyring, KeyringError, SecretBytes};

/// A keyring that lives as long as the test.
#[derive(Default)]
pub(crate) struct MemoryKeyring(Mutex<Option<Vec<u8>>>);

impl Keyring for MemoryKeyring {
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        let item = self.0.lock().map_err(|_| KeyringError::Missing)?;
        Ok(item.clone().map(SecretBytes::new))
    }

    fn set(&self, item: &[u8]) -> Result<(), KeyringError> {
        *self.0.lock().map_err(|_| KeyringError::Missing)? = Some(item.to_vec());
        Ok(())
    }
}
