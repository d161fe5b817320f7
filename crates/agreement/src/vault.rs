//! The keys on a workstation: the keyring's item, a person's keys under a passphrase, the wrapped database key.

mod passphrase;
mod person;
mod seal;
mod workstation;

pub use passphrase::{MIN_CHARS, NewPassphrase, PassphraseError};
pub use person::PersonKeys;
pub use workstation::WorkstationKeys;

pub(crate) use seal::{hkdf, unwrap, wrap};

/// Why keys cannot be read or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the keyring's item is damaged")]
    Item,
    #[error("an item or a wrapping of a version nobody knows")]
    Version,
    #[error("the wrapped keys are damaged")]
    Damaged,
    #[error("the passphrase does not open the keys")]
    WrongPassphrase,
    #[error("not enough memory to derive the key")]
    Memory,
}

impl VaultError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Item => "keyring-lost",
            Self::Version => "store-newer",
            Self::Damaged => "store-corrupt",
            Self::WrongPassphrase => "passphrase-wrong",
            Self::Memory => "internal",
        }
    }
}

#[cfg(test)]
mod tests;
