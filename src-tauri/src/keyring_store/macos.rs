//! Keychain Services. Unchecked: never compiled or run on macOS.

use keyring_core::{Entry, api::CredentialStoreApi};

pub(super) fn entry(service: &str, user: &str) -> keyring::Result<Entry> {
    apple_native_keyring_store::keychain::Store::new()?.build(service, user, None)
}
