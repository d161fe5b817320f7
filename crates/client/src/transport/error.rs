//! Why a request brought nothing usable, and what that means for trying again.

use std::time::Duration;

/// Why a request brought nothing usable.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection to the server.
    #[error("the server cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The deadline passed.
    #[error("the server is too slow")]
    Slow,
    /// Not the media type or form that the protocol names: a proxy's page, for example.
    #[error("the answer is not of the protocol")]
    NotProtocol,
    /// The answer ended before its end.
    #[error("the answer was cut")]
    Truncated,
    /// The answer is larger than the protocol allows.
    #[error("the answer is too large")]
    TooLarge,
    /// The server refused (4xx).
    #[error("the server refused with {status}: {code}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's stable code, or `server-refused`.
        code: String,
        /// `Retry-After`, when given.
        retry_after: Option<Duration>,
    },
    /// The server failed (5xx).
    #[error("the server failed with {status}")]
    Failed {
        /// HTTP status.
        status: u16,
        /// `Retry-After`, when given.
        retry_after: Option<Duration>,
    },
    /// The profile's URL or certificate cannot be used.
    #[error("the profile's address or certificate cannot be used")]
    Profile,
}

/// The codes of a server that people see as they are; any other becomes `server-refused`.
const PASSED_ON: &[&str] = &[
    "agreement-required",
    "person-revoked",
    "device-revoked",
    "device-pending",
    "code-wrong",
    "code-used",
    "code-expired",
    "document-unknown",
    "login-unknown",
];

/// A refusal that names no code of ours.
pub(super) const UNNAMED: &str = "server-refused";

/// A server's code as people see it.
pub(crate) fn known_code(code: &str) -> &'static str {
    PASSED_ON
        .iter()
        .find(|known| **known == code)
        .copied()
        .unwrap_or(UNNAMED)
}

impl TransportError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "server-unreachable",
            Self::Slow => "server-slow",
            Self::NotProtocol | Self::TooLarge => "server-not-json",
            Self::Truncated => "server-truncated",
            Self::Refused { code, .. } => known_code(code),
            Self::Failed { .. } => "server-failed",
            Self::Profile => "profile-malformed",
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 401 | 408 | 425 | 429),
            Self::Profile => false,
            _ => true,
        }
    }

    /// Whether it was not the server that answered, or not as it should: what is stored counts then.
    pub fn is_absence(&self) -> bool {
        self.is_transient() || matches!(self, Self::Refused { code, .. } if code == UNNAMED)
    }

    /// Whether the server itself (no proxy on the way) refused this very request for good.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 403 | 409 | 410, code, .. } if code != UNNAMED)
    }

    /// The wait that the server asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::Failed { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Slow
        } else if error.is_connect() {
            Self::Unreachable(error)
        } else {
            // The connection stood, and ended before the answer did.
            Self::Truncated
        }
    }
}
