//! Randomness from the operating system, as the infallible generator that the pure crates take.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

/// The operating system gave no randomness; nothing is signed or created without it.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct RandomError(#[source] getrandom::Error);

/// A generator with a fresh 256-bit seed from the operating system.
pub(crate) fn generator() -> Result<ChaCha20Rng, RandomError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut()).map_err(RandomError)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}
