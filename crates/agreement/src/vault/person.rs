//! A person's keys on one workstation, wrapped under S and the passphrase.
//!
//! Wrapped form: CBOR [1, salt (16), nonce (12) ‖ ciphertext ‖ tag]; the plaintext is Ed25519 seed ‖ X25519 secret.

use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::CryptoRng;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use super::{NewPassphrase, VaultError, WorkstationKeys, hkdf, unwrap, wrap};
use crate::cbor::{self, Limits, Value};
use crate::keys::{PublicKey, SigningKey};

/// Version 1: Argon2id, 64 MiB, 3 passes, 1 lane.
const VERSION: u64 = 1;
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
const INFO: &[u8] = b"infoblood/person/v1";
const OWN_LOG: &[u8] = b"infoblood/own-log/v1";

/// A person's Ed25519 (sign) and X25519 (open grants) keys; zeroized when dropped.
pub struct PersonKeys {
    signing: SigningKey,
    x25519: StaticSecret,
}

impl PersonKeys {
    /// New keys for an enrolment.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secrets = Zeroizing::new([0; 64]);
        rng.fill_bytes(secrets.as_mut_slice());
        Self::from_secrets(&secrets)
    }

    fn from_secrets(secrets: &[u8; 64]) -> Self {
        let mut half = Zeroizing::new([0; 32]);
        half.copy_from_slice(&secrets[..32]);
        let signing = SigningKey::from_bytes(&half);
        half.copy_from_slice(&secrets[32..]);
        Self {
            signing,
            x25519: StaticSecret::from(*half),
        }
    }

    /// Wraps the keys for storing. Takes about a quarter of a second and 64 MiB.
    pub fn wrap(
        &self,
        workstation: &WorkstationKeys,
        person_id: &str,
        passphrase: &NewPassphrase,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, VaultError> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let key = local_key(workstation, person_id, passphrase.secret(), &salt)?;
        let mut secrets = Zeroizing::new([0; 64]);
        secrets[..32].copy_from_slice(self.signing.as_bytes());
        secrets[32..].copy_from_slice(self.x25519.as_bytes());
        let sealed = wrap(&key, person_id.as_bytes(), secrets.as_slice(), rng)?;
        Ok(cbor::encode(&Value::Array(vec![
            VERSION.into(),
            salt.into(),
            sealed.into(),
        ])))
    }

    /// Opens wrapped keys. Takes as long as [`PersonKeys::wrap`]; another person's, another workstation's or damaged
    /// keys are not told from a wrong passphrase.
    pub fn unwrap(
        wrapped: &[u8],
        workstation: &WorkstationKeys,
        person_id: &str,
        passphrase: &SecretString,
    ) -> Result<Self, VaultError> {
        let value = cbor::decode(wrapped, &Limits::bytes(1024)).map_err(|_| VaultError::Damaged)?;
        let Some([version, salt, sealed]) = value.as_items() else {
            return Err(VaultError::Damaged);
        };
        if version.as_u64() != Some(VERSION) {
            return Err(VaultError::Damaged);
        }
        let salt: [u8; 16] = salt.as_array().ok_or(VaultError::Damaged)?;
        let sealed = sealed.as_bytes().ok_or(VaultError::Damaged)?;
        let key = local_key(workstation, person_id, passphrase, &salt)?;
        let plaintext =
            unwrap(&key, person_id.as_bytes(), sealed).ok_or(VaultError::WrongPassphrase)?;
        let secrets = <&[u8; 64]>::try_from(plaintext.as_slice());
        Ok(Self::from_secrets(
            secrets.map_err(|_| VaultError::Damaged)?,
        ))
    }

    /// The key that signs enrolments, acceptances and sessions.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The public half of the signing key.
    pub fn public(&self) -> PublicKey {
        PublicKey::of(&self.signing)
    }

    /// The public half of the key that grants are sealed to.
    pub fn x25519_public(&self) -> [u8; 32] {
        X25519Public::from(&self.x25519).to_bytes()
    }

    /// Encrypts an audit message for the person's own log on this workstation; only these keys read it.
    pub fn seal_own(
        &self,
        sequence: u64,
        message: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, VaultError> {
        wrap(&self.own_log_key(), &sequence.to_be_bytes(), message, rng)
    }

    /// Decrypts what [`PersonKeys::seal_own`] made; `None` for other keys, another place in the log or any change.
    pub fn open_own(&self, sequence: u64, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        unwrap(&self.own_log_key(), &sequence.to_be_bytes(), sealed)
    }

    fn own_log_key(&self) -> Zeroizing<[u8; 32]> {
        hkdf(&[self.x25519.as_bytes()], &[OWN_LOG])
    }

    pub(crate) const fn x25519(&self) -> &StaticSecret {
        &self.x25519
    }
}

/// HKDF(S ‖ Argon2id(NFC of the passphrase, salt), info ‖ person_id).
fn local_key(
    workstation: &WorkstationKeys,
    person_id: &str,
    passphrase: &SecretString,
    salt: &[u8; 16],
) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).map_err(|_| VaultError::Memory)?;
    let mut normal = String::with_capacity(passphrase.expose_secret().len() * 3);
    normal.extend(passphrase.expose_secret().nfc());
    let mut stretched = Zeroizing::new([0; 32]);
    let result = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
        normal.as_bytes(),
        salt,
        stretched.as_mut_slice(),
    );
    normal.zeroize();
    result.map_err(|_| VaultError::Memory)?;
    Ok(workstation.mix(&stretched, &[INFO, person_id.as_bytes()]))
}
