//! When a failed attempt is tried again.

use std::time::Duration;

use rand_core::Rng;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(15);
/// No wait is longer, whatever the server asks for.
pub(crate) const MOST: Duration = Duration::from_hours(1);

/// The wait after `attempts` failures (≥ 1): doubles from 2 s to 15 min, of which a random part between one half and all is taken, so
/// that the workstations of a site do not come back together. A server's `Retry-After` is a lower bound.
pub(crate) fn wait(attempts: u32, retry_after: Option<Duration>, rng: &mut impl Rng) -> Duration {
    let full = FIRST
        .saturating_mul(1u32 << attempts.saturating_sub(1).min(12))
        .min(LONGEST);
    let half = full / 2;
    let jitter = u64::from(rng.next_u32()) * u64::try_from(half.as_millis()).unwrap_or(0)
        / u64::from(u32::MAX);
    let wait = half + Duration::from_millis(jitter);
    retry_after.map_or(wait, |at_least| wait.max(at_least.min(MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn grows_from_seconds_to_a_quarter_of_an_hour() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
        for attempts in 1..40 {
            let wait = wait(attempts, None, &mut rng);
            assert!(
                wait >= Duration::from_secs(1) && wait <= LONGEST,
                "{attempts}: {wait:?}"
            );
        }
        assert!(wait(1, None, &mut rng) <= FIRST);
        assert!(wait(30, None, &mut rng) >= LONGEST / 2);
        assert!(wait(1, Some(Duration::from_mins(1)), &mut rng) >= Duration::from_mins(1));
    }
}
