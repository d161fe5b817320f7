//! Errors as callers see them: a stable code, a status, a sentence without personal data.

use crate::storage::StorageError;

/// Why a request or a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable kebab-case code.
    pub code: &'static str,
    /// For people; no login, name or number in it.
    pub detail: String,
    /// With `agreement-required`: the document to accept, hex.
    pub document_sha256: Option<String>,
    /// Seconds, with 429 and 503.
    pub retry_after: Option<u64>,
    /// What it came from, for the log.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Problem {
    /// A problem with this status, code and sentence.
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            document_sha256: None,
            retry_after: None,
            cause: None,
        }
    }

    /// 400.
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, code, detail)
    }

    /// 401.
    pub fn unauthorised(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(401, code, detail)
    }

    /// 403.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(403, code, detail)
    }

    /// 403 `agreement-required` with the document to accept.
    pub fn agreement_required(document: &[u8; 32]) -> Self {
        Self {
            document_sha256: Some(hex::encode(document)),
            ..Self::forbidden(
                "agreement-required",
                "The current agreement has not been accepted on this device.",
            )
        }
    }

    /// 429.
    pub fn too_many(seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                429,
                "too-many-requests",
                "Too many attempts. Wait, then try again.",
            )
        }
    }

    /// 500.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(500, "internal", "The server could not do this.")
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let code = error.code();
        let (status, detail) = match &error {
            StorageError::Unavailable(_) | StorageError::Newer => {
                (503, "The database is not available.")
            }
            StorageError::Conflict => (409, "Somebody else was first."),
            StorageError::Damaged(_) => (500, "A stored value is damaged."),
        };
        Self {
            retry_after: (status == 503).then_some(5),
            cause: Some(Box::new(error)),
            ..Self::new(status, code, detail)
        }
    }
}
