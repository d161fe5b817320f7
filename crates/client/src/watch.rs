//! Watching the local clock. It is not trusted: only signed server times are a hard floor. What we wrote of it ourselves is a soft mark: a
//! jump leaves an event in the access log and nothing else, so that a wrong clock closes the gate and never the workstation for good.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use infoblood_agreement::{
    audit::{Action, Outcome},
    gate::CLOCK_TOLERANCE,
};
use jiff::Timestamp;

use crate::{Workstation, audit::Access, error::StoreError, settings};

/// The last local time that was written.
const MARK: &str = "local_mark";
/// When the generation was last raised for the day.
const DAILY: &str = "generation_day";
/// Seconds between two marks.
const MARK_EVERY: i64 = 60;
const DAY: i64 = 24 * 60 * 60;
/// Nothing waits longer than this by a clock that goes right.
const LONGEST_WAIT: i64 = 60 * 60;

/// How the local clock jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    Back,
    Forward,
}

impl Jump {
    /// The reason in the access log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Back => "back",
            Self::Forward => "forward",
        }
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// Unix seconds by the local clock.
    wall: i64,
    /// Time that passed, by a clock that nobody sets.
    elapsed: Duration,
}

/// The last reading of this process.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Option<Reading>>);

/// Whether the clock jumped: against the last mark, which survives a restart, and against the time that really passed.
fn jump(mark: Option<i64>, last: Option<Reading>, now: Reading) -> Option<Jump> {
    if let Some(last) = last {
        let passed = now.elapsed.saturating_sub(last.elapsed).as_secs();
        let expected = last.wall.saturating_add_unsigned(passed);
        if now.wall > expected.saturating_add(CLOCK_TOLERANCE) {
            return Some(Jump::Forward);
        }
        if now.wall < expected.saturating_sub(CLOCK_TOLERANCE) {
            return Some(Jump::Back);
        }
        return None;
    }
    mark.is_some_and(|mark| now.wall < mark.saturating_sub(CLOCK_TOLERANCE))
        .then_some(Jump::Back)
}

impl Workstation {
    /// Looks at the clock: at the start, with every synchronisation, and about once a minute. A jump of more than five minutes is recorded.
    /// Once a day an older copy of the store is told from the present.
    pub async fn watch_clock(&self) -> Result<Option<Jump>, StoreError> {
        let now = Reading {
            wall: self.now().as_second(),
            elapsed: self.0.clock.elapsed(),
        };
        let last = *self
            .0
            .watch
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (mark, day) = {
            let mut store = self.store().await;
            let mark = settings::int(&mut store, MARK).await?;
            (mark, settings::int(&mut store, DAILY).await?)
        };
        let jump = jump(mark, last, now);
        let is_fresh = mark.is_some_and(|mark| (mark..mark + MARK_EVERY).contains(&now.wall));
        if jump.is_none() && is_fresh && last.is_some() {
            return Ok(None);
        }
        if let Some(jump) = jump {
            tracing::warn!(direction = jump.as_str(), "the local clock jumped");
            self.record(Access {
                action: Action::ClockJump,
                person_id: None,
                outcome: Outcome::Permit,
                reference: None,
                reason: Some(jump.as_str()),
                purpose: None,
                glass_broken: false,
            })
            .await?;
        }
        let is_new_day = day.is_none_or(|day| now.wall.abs_diff(day) >= DAY.unsigned_abs());
        {
            let mut store = self.store().await;
            if jump == Some(Jump::Back) {
                // What was put off by the wrong clock would wait until that time came.
                sqlx::query("UPDATE outbox SET next_attempt_at = 0 WHERE next_attempt_at > ?")
                    .bind((now.wall.saturating_add(LONGEST_WAIT)).saturating_mul(1000))
                    .execute(&mut *store)
                    .await?;
            }
            settings::set_int(&mut store, MARK, now.wall).await?;
            if is_new_day {
                settings::set_int(&mut store, DAILY, now.wall).await?;
            }
        }
        *self
            .0
            .watch
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(now);
        if is_new_day && day.is_some() {
            self.raise_generation().await?;
        }
        Ok(jump)
    }

    /// [`Workstation::watch_clock`] where something else must go on, whatever comes of it.
    pub(crate) async fn glance_at_clock(&self) {
        if let Err(error) = self.watch_clock().await {
            tracing::warn!(code = error.code(), "the clock was not looked at");
        }
    }

    /// Until when the local clock is behind what the server signed; `None` when it is not. Patient data stay closed so long.
    pub fn clock_behind_until(&self) -> Option<Timestamp> {
        let floor = self.time_floor();
        if self.now().as_second() < floor - CLOCK_TOLERANCE {
            Timestamp::from_second(floor).ok()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: i64, elapsed: u64) -> Reading {
        Reading {
            wall,
            elapsed: Duration::from_secs(elapsed),
        }
    }

    #[test]
    fn a_jump_is_what_differs_from_the_time_that_passed_by_more_than_five_minutes() {
        let last = Some(at(100_000, 50));
        for (now, wanted) in [
            (at(100_000, 50), None),
            // A night in which the machine slept: both clocks went on.
            (at(130_000, 30_050), None),
            (at(100_310, 60), None),
            (at(100_311, 60), Some(Jump::Forward)),
            (at(99_710, 60), None),
            (at(99_709, 60), Some(Jump::Back)),
            (at(i64::MIN, 60), Some(Jump::Back)),
            (at(i64::MAX, 60), Some(Jump::Forward)),
        ] {
            assert_eq!(jump(Some(0), last, now), wanted, "{now:?}");
        }
        // After a restart only the mark is known: forward cannot be told from a night switched off.
        assert_eq!(jump(None, None, at(0, 0)), None);
        assert_eq!(jump(Some(100_000), None, at(99_700, 0)), None);
        assert_eq!(jump(Some(100_000), None, at(99_699, 0)), Some(Jump::Back));
        assert_eq!(jump(Some(100_000), None, at(900_000, 0)), None);
    }
}
