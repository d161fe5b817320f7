//! The operating system's keyring behind a trait, with a deadline on every call.
//!
//! The implementation for the real keyring is in the shell. A locked, failing or hanging keyring is never a first run: making new
//! keys then would destroy a live one.

use std::{sync::Arc, time::Duration};

use zeroize::Zeroizing;

/// The bytes of the keyring item, wiped when dropped.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// How long one call to the keyring may take: a locked keyring without a display hangs for ever.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Why the keyring gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No keyring service runs in this session.
    #[error("no keyring service is running")]
    Missing,
    /// The keyring is locked, or it refused access.
    #[error("the keyring is locked")]
    Locked,
    /// No answer before the deadline.
    #[error("the keyring did not answer in time")]
    Timeout,
    /// Anything else; the words are for the log and hold no secret.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

impl KeyringError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "keyring-missing",
            Self::Locked | Self::Failed(_) => "keyring-locked",
            Self::Timeout => "keyring-timeout",
        }
    }
}

/// One item of the operating system's keyring: the item of this workstation. Calls may block.
pub trait Keyring: Send + Sync + 'static {
    /// The item's bytes, `None` when the keyring works and holds no such item.
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError>;

    /// Writes the item, replacing an older one.
    fn set(&self, item: &[u8]) -> Result<(), KeyringError>;
}

/// A keyring whose calls run on a thread of their own and end at a deadline.
#[derive(Clone)]
pub(crate) struct TimedKeyring {
    inner: Arc<dyn Keyring>,
    deadline: Duration,
}

impl TimedKeyring {
    pub(crate) fn new(inner: Arc<dyn Keyring>, deadline: Duration) -> Self {
        Self { inner, deadline }
    }

    pub(crate) async fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        self.call(<dyn Keyring>::get).await
    }

    pub(crate) async fn set(&self, item: SecretBytes) -> Result<(), KeyringError> {
        self.call(move |keyring| keyring.set(&item)).await
    }

    /// Not `spawn_blocking`: the runtime would wait at its end for a call that hangs.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Keyring) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let inner = Arc::clone(&self.inner);
        std::thread::Builder::new()
            .name("keyring".into())
            .spawn(move || {
                // Nobody waits any more after the deadline: the answer is dropped, and wiped.
                let _ = answer.send(work(inner.as_ref()));
            })
            .map_err(|error| KeyringError::Failed(error.to_string()))?;
        match tokio::time::timeout(self.deadline, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(KeyringError::Failed(
                "the call ended without an answer".into(),
            )),
            Err(_) => Err(KeyringError::Timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hanging;

    impl Keyring for Hanging {
        fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
            std::thread::sleep(Duration::from_mins(1));
            Ok(None)
        }

        fn set(&self, _: &[u8]) -> Result<(), KeyringError> {
            Err(KeyringError::Locked)
        }
    }

    #[tokio::test]
    async fn a_hanging_keyring_ends_at_the_deadline_and_is_no_first_run() {
        let keyring = TimedKeyring::new(Arc::new(Hanging), Duration::from_millis(50));
        assert_eq!(keyring.get().await.unwrap_err().code(), "keyring-timeout");
        assert_eq!(
            keyring
                .set(SecretBytes::default())
                .await
                .unwrap_err()
                .code(),
            "keyring-locked"
        );
    }
}
