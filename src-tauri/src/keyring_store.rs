//! The operating system's keyring behind the client's [`Keyring`] trait.
//!
//! A desktop keyring may hang (a prompt nobody sees) or be absent. The client gives every call its own thread and a deadline of
//! 5 s; here every call makes its own connection, so one that hangs holds nothing the next one needs. Nothing is ever kept in a
//! plain file instead.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use infoblood_client::keyring::{Keyring, KeyringError, SecretBytes};
use keyring::Error;
use zeroize::Zeroizing;

#[cfg(target_os = "linux")]
#[path = "keyring_store/linux.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "keyring_store/macos.rs"]
mod os;
#[cfg(target_os = "windows")]
#[path = "keyring_store/windows.rs"]
mod os;

/// The name under which items are stored unless the environment says otherwise.
const SERVICE: &str = "kz.infoblood.desktop";

/// Overrides [`SERVICE`]: the demo and tests keep apart from real use.
const SERVICE_VARIABLE: &str = "INFOBLOOD_KEYRING_SERVICE";

/// One keyring item: the keys of the workstation that a data directory belongs to.
#[derive(Debug, Clone)]
pub struct OsKeyring {
    service: String,
    user: String,
}

impl OsKeyring {
    /// The item `user` of the application's service.
    pub fn new(user: impl Into<String>) -> Self {
        let service = std::env::var(SERVICE_VARIABLE)
            .ok()
            .filter(|name| !name.is_empty());
        Self {
            service: service.unwrap_or_else(|| SERVICE.into()),
            user: user.into(),
        }
    }

    /// Runs `act` on the item; no such item is `None`.
    fn call<T>(
        &self,
        act: impl FnOnce(&keyring_core::Entry) -> keyring::Result<T>,
    ) -> Result<Option<T>, KeyringError> {
        classify(os::entry(&self.service, &self.user).and_then(|entry| act(&entry)))
    }
}

impl Keyring for OsKeyring {
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        let Some(text) = self.call(|entry| entry.get_secret().map(Zeroizing::new))? else {
            return Ok(None);
        };
        let bytes = STANDARD_NO_PAD
            .decode(&*text)
            .map_err(|_| KeyringError::Failed("not our item".into()))?;
        Ok(Some(SecretBytes::new(bytes)))
    }

    fn set(&self, item: &[u8]) -> Result<(), KeyringError> {
        // As text: KDE's wallet keeps nothing else.
        let text = Zeroizing::new(STANDARD_NO_PAD.encode(item));
        match self.call(|entry| entry.set_secret(text.as_bytes()))? {
            Some(()) => Ok(()),
            None => Err(KeyringError::Failed("the item was not kept".into())),
        }
    }
}

fn classify<T>(answer: keyring::Result<T>) -> Result<Option<T>, KeyringError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::NoEntry) => Ok(None),
        // No bus, no provider on it, or the provider fails.
        Err(error @ (Error::PlatformFailure(_) | Error::NoDefaultStore)) => {
            tracing::warn!(%error, "no keyring");
            Err(KeyringError::Missing)
        }
        // Closed, or the prompt to open it was dismissed or could not be shown.
        Err(Error::NoStorageAccess(_)) => Err(KeyringError::Locked),
        // These may carry the item itself: their words go nowhere.
        Err(Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::Ambiguous(_)) => {
            Err(KeyringError::Failed("unreadable item".into()))
        }
        Err(error) => Err(KeyringError::Failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_no_item_is_a_first_run() {
        assert_eq!(classify::<()>(Err(Error::NoEntry)), Ok(None));
        assert_eq!(classify(Ok(7)), Ok(Some(7)));
        let code = |error| classify::<()>(Err(error)).unwrap_err().code();
        assert_eq!(
            code(Error::NoStorageAccess("prompt dismissed".into())),
            "keyring-locked"
        );
        assert_eq!(
            code(Error::PlatformFailure("no bus".into())),
            "keyring-missing"
        );
        assert_eq!(code(Error::NoDefaultStore), "keyring-missing");
        assert_eq!(code(Error::BadEncoding(vec![1])), "keyring-locked");
    }
}
