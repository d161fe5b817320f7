//! HKDF-SHA256 and ChaCha20-Poly1305 in the one form used here.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::VaultError;

/// 32 bytes of HKDF-SHA256 without a salt over `ikm`, whose parts are joined.
pub(crate) fn hkdf(ikm: &[&[u8]], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let joined = Zeroizing::new(ikm.concat());
    let mut out = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(None, &joined).expand_multi_info(info, out.as_mut_slice());
    debug_assert!(expanded.is_ok(), "32 bytes are within HKDF's limit");
    out
}

/// Encrypts; the result is nonce (12, random) ‖ ciphertext ‖ tag (16).
pub(crate) fn wrap(
    key: &[u8; 32],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, VaultError> {
    let mut out = vec![0; 12];
    rng.fill_bytes(&mut out);
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&out);
    let payload = Payload {
        msg: plaintext,
        aad,
    };
    let sealed = ChaCha20Poly1305::new(&Key::from(*key)).encrypt(&nonce, payload);
    out.extend(sealed.map_err(|_| VaultError::Memory)?);
    Ok(out)
}

/// Decrypts what [`wrap`] made; `None` for another key, other aad or any change.
pub(crate) fn unwrap(key: &[u8; 32], aad: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (head, sealed) = wrapped.split_at_checked(12)?;
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(head);
    ChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&nonce, Payload { msg: sealed, aad })
        .ok()
        .map(Zeroizing::new)
}
