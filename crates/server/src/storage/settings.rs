use std::future::Future;

use super::Stored;

/// Values fixed when the server is initialised: `issuer`, `person_salt`, `key_set`.
pub trait SettingsStorage {
    /// The value under `name`.
    fn setting(&mut self, name: &str) -> impl Future<Output = Stored<Option<Vec<u8>>>> + Send;

    /// Writes a value once; `Conflict` if it is there already.
    fn add_setting(&mut self, name: &str, value: &[u8]) -> impl Future<Output = Stored<()>> + Send;
}
