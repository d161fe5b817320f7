//! Errors of the layers below, as the codes the window knows.

use crate::view::AppError;

/// A named error without a time to wait.
pub(super) fn named(code: &str) -> AppError {
    AppError {
        code: code.to_owned(),
        retry_after_seconds: None,
    }
}

/// Something that should not happen; the log says what.
pub(super) fn internal() -> AppError {
    named("internal")
}

/// A file that could not be written; its path may be personal and is not logged.
pub(super) fn unwritten(what: &'static str, error: &std::io::Error) -> AppError {
    tracing::error!(what, kind = ?error.kind(), "not written");
    if error.kind() == std::io::ErrorKind::StorageFull {
        named("disk-full")
    } else {
        internal()
    }
}

/// Logs the whole chain once, here where it is handled, and keeps the code.
pub(super) fn told(
    what: &'static str,
    code: &str,
    error: &(dyn std::error::Error + 'static),
) -> AppError {
    tracing::warn!(what, code, error, "refused");
    named(code)
}
