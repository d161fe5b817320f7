//! Token buckets per address: guessing codes is slow, flooding the log ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use crate::problem::Problem;

/// Above this many addresses, full buckets are forgotten.
const MANY: usize = 10_000;

/// The limits of one server.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Wrong enrolment codes and wrong session answers.
    pub(super) guesses: Buckets,
    /// Statements and challenges.
    pub(super) posts: Buckets,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            guesses: Buckets::new(30.0, 0.5),
            posts: Buckets::new(5_000.0, 500.0),
        }
    }
}

/// One bucket per address.
#[derive(Debug)]
pub(super) struct Buckets {
    size: f64,
    per_second: f64,
    levels: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Buckets {
    fn new(size: f64, per_second: f64) -> Self {
        Self {
            size,
            per_second,
            levels: Mutex::default(),
        }
    }

    /// 429 if the bucket is empty.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Problem> {
        self.update(address, 0.0)
    }

    /// Takes a token; 429 if there is none.
    pub(super) fn take(&self, address: IpAddr) -> Result<(), Problem> {
        self.update(address, 1.0)
    }

    fn update(&self, address: IpAddr, cost: f64) -> Result<(), Problem> {
        let now = Instant::now();
        let mut buckets = self
            .levels
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let refill = |(tokens, since): (f64, Instant)| {
            (tokens + now.duration_since(since).as_secs_f64() * self.per_second).min(self.size)
        };
        if buckets.len() > MANY {
            buckets.retain(|_, bucket| refill(*bucket) < self.size);
        }
        let tokens = buckets
            .get(&address)
            .map_or(self.size, |bucket| refill(*bucket));
        if tokens < 1.0 {
            let seconds = ((1.0 - tokens) / self.per_second).ceil();
            return Err(Problem::too_many(seconds as u64));
        }
        buckets.insert(address, (tokens - cost, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_says_how_long_to_wait() {
        let buckets = Buckets::new(2.0, 0.1);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        buckets.take(a).unwrap();
        buckets.check(a).unwrap();
        buckets.take(a).unwrap();
        let problem = buckets.take(a).unwrap_err();
        assert_eq!((problem.status, problem.retry_after), (429, Some(10)));
        buckets.take(b).unwrap();
    }
}
