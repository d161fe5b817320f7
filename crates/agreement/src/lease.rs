//! The lease of a grant in people's terms: what may be done now, how much is left, and the way out in an emergency.
//!
//! Until `offline_until` everything; then until `read_only_until` reading only; then nothing. In the read-only time a person may lift
//! the restriction with a reason, if the site's policy allows it (break-glass).

const DAY: i64 = 24 * 60 * 60;
/// Days left at which the first warning is shown.
const SOON: u32 = 7;
/// Days left at which the warning becomes urgent.
const ATTENTION: u32 = 3;
/// Fewest characters of a reason: a word is none.
pub const MIN_REASON_CHARS: usize = 10;
/// Most characters of a reason.
pub const MAX_REASON_CHARS: usize = 200;

/// What may be done with the patient cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Everything.
    Full,
    /// Looking at the list and at cards; nothing is printed or exported.
    ReadOnly,
    /// Everything, although the lease ended: somebody gave a reason.
    BreakGlass,
}

impl Mode {
    /// Name for the interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::BreakGlass => "break-glass",
        }
    }
}

/// How urgent it is to renew the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseState {
    /// More than a week is left.
    Ok,
    /// At most seven days.
    Soon,
    /// At most three days.
    Attention,
    /// Ended; reading goes on for a while.
    ReadOnly,
    /// Nothing opens without the server.
    Ended,
}

impl LeaseState {
    /// Name for the interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Soon => "soon",
            Self::Attention => "attention",
            Self::ReadOnly => "read-only",
            Self::Ended => "ended",
        }
    }
}

/// State of a lease, and the days until it changes for the worse: until the read-only time, then until the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub state: LeaseState,
    /// Begun days count; 0 only when it ended.
    pub days_left: u32,
}

/// The state of a lease at `now`; all times are Unix seconds. The last second of each period belongs to it.
pub fn lease_state(now: i64, offline_until: i64, read_only_until: i64) -> Lease {
    if now > read_only_until.max(offline_until) {
        return Lease {
            state: LeaseState::Ended,
            days_left: 0,
        };
    }
    if now > offline_until {
        return Lease {
            state: LeaseState::ReadOnly,
            days_left: days(now, read_only_until),
        };
    }
    let days_left = days(now, offline_until);
    let state = if days_left <= ATTENTION {
        LeaseState::Attention
    } else if days_left <= SOON {
        LeaseState::Soon
    } else {
        LeaseState::Ok
    };
    Lease { state, days_left }
}

/// Begun days from `now` to `until`, which is not before it.
fn days(now: i64, until: i64) -> u32 {
    let seconds = until.saturating_sub(now).max(1);
    u32::try_from(seconds.saturating_add(DAY - 1) / DAY).unwrap_or(u32::MAX)
}

/// Why the read-only time is not lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BreakGlassError {
    #[error("the site's policy does not allow it")]
    Forbidden,
    #[error(
        "the reason has fewer than {MIN_REASON_CHARS} or more than {MAX_REASON_CHARS} characters, or several lines"
    )]
    Reason,
    #[error("it is not the read-only time")]
    NotReadOnly,
}

impl BreakGlassError {
    /// Stable kebab-case code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Forbidden => "break-glass-forbidden",
            Self::Reason => "break-glass-reason",
            Self::NotReadOnly => "break-glass-not-now",
        }
    }
}

/// A reason that is acceptable. It goes into the access log, word for word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// One line of 10 to 200 characters; blanks around it do not count.
    pub fn parse(text: &str) -> Result<Self, BreakGlassError> {
        let text = text.trim();
        let length = text.chars().count();
        if !(MIN_REASON_CHARS..=MAX_REASON_CHARS).contains(&length)
            || text.chars().any(char::is_control)
        {
            return Err(BreakGlassError::Reason);
        }
        Ok(Self(text.to_owned()))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
