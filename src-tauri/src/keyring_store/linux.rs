//! Secret Service over D-Bus, without libdbus.

use std::collections::HashMap;

use keyring_core::{Entry, api::CredentialStoreApi};

/// Connects anew for every call: a provider that was started meanwhile is found.
pub(super) fn entry(service: &str, user: &str) -> keyring::Result<Entry> {
    let store = zbus_secret_service_keyring_store::Store::new()?;
    store.build(
        service,
        user,
        Some(&HashMap::from([("label", "Info Blood")])),
    )
}
