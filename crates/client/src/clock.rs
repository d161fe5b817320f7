//! The one place where the client reads the real clock.

use std::{sync::LazyLock, time::Duration, time::Instant};

use jiff::Timestamp;

/// Nobody sets this one.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A source of local time. Tests give their own.
pub trait Clock: Send + Sync + 'static {
    /// The local time of this machine; not trusted, see [`crate::Workstation::time_floor`].
    fn now(&self) -> Timestamp;

    /// Time that passed since some moment of this process, by a clock that nobody sets.
    fn elapsed(&self) -> Duration {
        START.elapsed()
    }
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

    /// Also the time in which the machine slept: a night is no jump.
    #[cfg(target_os = "linux")]
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
    }
}
