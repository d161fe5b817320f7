//! Windows Credential Manager. Unchecked: never compiled or run on Windows.

use keyring_core::{Entry, api::CredentialStoreApi};

pub(super) fn entry(service: &str, user: &str) -> keyring::Result<Entry> {
    windows_native_keyring_store::Store::new()?.build(service, user, None)
}
