//! The one place where the client reads the real clock.

use jiff::Timestamp;

/// A source of local time. Tests give their own.
pub trait Clock: Send + Sync + 'static {
    /// The local time of this machine; not trusted, see [`crate::Workstation::time_floor`].
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one real clock of the client"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
