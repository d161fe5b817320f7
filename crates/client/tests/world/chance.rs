//! All chance of a world comes from its seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

pub(crate) struct Chance(pub(crate) ChaCha20Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha20Rng::from_seed(bytes))
    }

    /// Below `end`; 0 for 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, times: u64) -> bool {
        self.below(100) < times
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        let at = self.below(among.len() as u64);
        among.get(usize::try_from(at).unwrap())
    }

    /// Between −`most` and `most`.
    pub(crate) fn around(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(most.unsigned_abs() * 2)).unwrap() - most
    }
}
