//! Errors of writing to the store and the outbox.

use std::io;

use crate::{database::DatabaseError, random::RandomError};

/// Something could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `workstation.db` or `patients.db` failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A file of the outbox could not be written.
    #[error("a file could not be written")]
    File(#[from] io::Error),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The key set has no sealing key for now.
    #[error("the key set has no sealing key")]
    NoSealingKey,
    /// Signing or sealing failed.
    #[error("signing or sealing failed")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    pub(crate) fn sign(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Sign(Box::new(error))
    }

    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database(error) => error.code(),
            Self::File(error) if crate::disk::is_full(error) => "disk-full",
            Self::NoSealingKey => "profile-malformed",
            Self::File(_) | Self::Random(_) | Self::Sign(_) => "internal",
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}
