//! The keyring's item: CBOR {1: 2, 2: S (32), 3: device Ed25519 seed (32), 4: device X25519 secret (32), 5: time floor, 6: generation}.
//!
//! Version 1 had no generation; it is read as generation 0.

use std::cmp::Ordering;

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::Zeroizing;

use super::{VaultError, hkdf};
use crate::cbor::{self, Fields, Limits, Value};
use crate::gate::CLOCK_TOLERANCE;
use crate::keys::{PublicKey, SigningKey, device_id};

const VERSION: u64 = 2;
const WITHOUT_GENERATION: u64 = 1;
const DATABASE_INFO: &[u8] = b"infoblood/workstation-db/v1";
const KEK_INFO: &[u8] = b"infoblood/kek/v1";

/// The workstation's own secrets; zeroized when dropped.
pub struct WorkstationKeys {
    secret: Zeroizing<[u8; 32]>,
    device: SigningKey,
    device_x25519: StaticSecret,
    time_floor: i64,
    generation: u64,
}

impl WorkstationKeys {
    /// New keys for a first start. The time floor begins at zero: only signed server times raise it.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let secret = random(rng);
        Self {
            secret,
            device: SigningKey::from_bytes(&random(rng)),
            device_x25519: StaticSecret::from(*random(rng)),
            time_floor: 0,
            generation: 0,
        }
    }

    /// The keys for a store that begins anew: another device to the server, whose chains of statements and events begin anew too. S stays,
    /// so that stores that were set aside can still be read; none of them is of the new generation.
    pub fn begin_anew(&mut self, rng: &mut impl CryptoRng) {
        self.device = SigningKey::from_bytes(&random(rng));
        self.device_x25519 = StaticSecret::from(*random(rng));
        self.generation = self.generation.saturating_add(2);
    }

    /// Another S for the same device: nothing that was encrypted before opens with these keys.
    pub fn replace_secret(&mut self, rng: &mut impl CryptoRng) {
        self.secret = random(rng);
        self.generation = self.generation.saturating_add(2);
    }

    /// Reads the keyring's item.
    pub fn from_item(item: &[u8]) -> Result<Self, VaultError> {
        let limits = Limits::bytes(1024);
        let mut fields = Fields::decode(item, &limits).map_err(|_| VaultError::Item)?;
        let version = fields.uint(1).map_err(|_| VaultError::Item)?;
        if !matches!(version, VERSION | WITHOUT_GENERATION) {
            return Err(VaultError::Version);
        }
        let secret = take_secret(&mut fields, 2)?;
        let seed = take_secret(&mut fields, 3)?;
        let x25519 = take_secret(&mut fields, 4)?;
        let time_floor = fields.int(5).map_err(|_| VaultError::Item)?;
        let generation = if version == WITHOUT_GENERATION {
            0
        } else {
            fields.uint(6).map_err(|_| VaultError::Item)?
        };
        fields.end().map_err(|_| VaultError::Item)?;
        Ok(Self {
            secret,
            device: SigningKey::from_bytes(&seed),
            device_x25519: StaticSecret::from(*x25519),
            time_floor,
            generation,
        })
    }

    /// The keyring's item.
    pub fn to_item(&self) -> Zeroizing<Vec<u8>> {
        // Written by hand, so that no intermediate value keeps a copy of the secrets.
        let mut out = Zeroizing::new(Vec::with_capacity(160));
        cbor::head(&mut out, 5, 6);
        out.push(1);
        out.extend(cbor::encode(&Value::from(VERSION)));
        for (key, bytes) in [
            (2, &*self.secret),
            (3, self.device.as_bytes()),
            (4, self.device_x25519.as_bytes()),
        ] {
            out.push(key);
            cbor::write_bytes(&mut out, bytes);
        }
        out.push(5);
        out.extend(cbor::encode(&Value::from(self.time_floor)));
        out.push(6);
        out.extend(cbor::encode(&Value::from(self.generation)));
        out
    }

    /// The raw SQLCipher key of `workstation.db`.
    pub fn database_key(&self) -> Zeroizing<[u8; 32]> {
        hkdf(&[&*self.secret], &[DATABASE_INFO])
    }

    /// The device's identifier: 32 hex digits.
    pub fn device_id(&self) -> String {
        device_id(self.device_public().as_bytes())
    }

    /// The device's Ed25519 key.
    pub const fn device(&self) -> &SigningKey {
        &self.device
    }

    /// The public half of the device's Ed25519 key.
    pub fn device_public(&self) -> PublicKey {
        PublicKey::of(&self.device)
    }

    /// The public half of the device's X25519 key.
    pub fn device_x25519_public(&self) -> [u8; 32] {
        X25519Public::from(&self.device_x25519).to_bytes()
    }

    /// The device's X25519 secret: answers of the courier are sealed to it.
    pub(crate) const fn device_x25519(&self) -> &StaticSecret {
        &self.device_x25519
    }

    /// The highest signed server time seen (Unix seconds); 0 before the first.
    pub const fn time_floor(&self) -> i64 {
        self.time_floor
    }

    /// Raises the floor to a signed server time; an earlier one changes nothing. Returns whether it was raised, so that
    /// the item is stored again.
    pub fn raise_time_floor(&mut self, signed: &crate::session::SignedTime) -> bool {
        let raised = signed.time() > self.time_floor;
        self.time_floor = self.time_floor.max(signed.time());
        raised
    }

    /// Counts the states of the store that may not be put back.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// One more state that may not be put back.
    pub const fn raise_generation(&mut self) {
        self.generation = self.generation.saturating_add(1);
    }

    /// Takes the floor back to a signed server time that is earlier by more than the tolerance: the server's clock was ahead and has been
    /// put right. Nobody else can give it, because it answers a nonce of this moment. Returns whether it was taken back; that is one more
    /// state that may not be put back.
    pub fn lower_time_floor(&mut self, signed: &crate::session::SignedTime) -> bool {
        let lowered = signed.time() < self.time_floor.saturating_sub(CLOCK_TOLERANCE);
        if lowered {
            self.time_floor = signed.time();
            self.raise_generation();
        }
        lowered
    }

    /// Takes over what the store remembers of these two: it is written first, so it may be ahead. A later generation knows the floor
    /// better, also where it was taken back.
    pub fn catch_up(&mut self, time_floor: i64, generation: u64) {
        match generation.cmp(&self.generation) {
            Ordering::Greater => (self.time_floor, self.generation) = (time_floor, generation),
            Ordering::Equal => self.time_floor = self.time_floor.max(time_floor),
            Ordering::Less => {}
        }
    }

    /// Whether a store that remembers these two is an older copy.
    pub fn is_older(&self, time_floor: i64, generation: u64) -> bool {
        (generation, time_floor) < (self.generation, self.time_floor)
    }

    /// K_local = HKDF(S ‖ stretched passphrase, info ‖ person_id).
    pub(super) fn mix(&self, stretched: &[u8; 32], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        hkdf(&[&*self.secret, stretched], info)
    }

    /// KEK = HKDF(S ‖ K_srv, info ‖ device_id ‖ epoch as 8 bytes).
    pub(crate) fn kek(&self, share: &[u8; 32], epoch: u64) -> Zeroizing<[u8; 32]> {
        hkdf(
            &[&*self.secret, share],
            &[KEK_INFO, self.device_id().as_bytes(), &epoch.to_be_bytes()],
        )
    }
}

fn random(rng: &mut impl CryptoRng) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut_slice());
    bytes
}

fn take_secret(fields: &mut Fields, key: i64) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let bytes = Zeroizing::new(fields.bytes(key).map_err(|_| VaultError::Item)?);
    let mut out = Zeroizing::new([0; 32]);
    if bytes.len() != out.len() {
        return Err(VaultError::Item);
    }
    out.copy_from_slice(&bytes);
    Ok(out)
}
