//! The keyring's item: CBOR {1: 1, 2: S (32), 3: device Ed25519 seed (32), 4: device X25519 secret (32), 5: time floor}.

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::Zeroizing;

use super::{VaultError, hkdf};
use crate::cbor::{self, Fields, Limits, Value};
use crate::keys::{PublicKey, SigningKey, device_id};

const VERSION: u64 = 1;
const DATABASE_INFO: &[u8] = b"infoblood/workstation-db/v1";
const KEK_INFO: &[u8] = b"infoblood/kek/v1";

/// The workstation's own secrets; zeroized when dropped.
pub struct WorkstationKeys {
    secret: Zeroizing<[u8; 32]>,
    device: SigningKey,
    device_x25519: StaticSecret,
    time_floor: i64,
}

impl WorkstationKeys {
    /// New keys for a first start. The time floor begins at zero: only signed server times raise it.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        let mut x25519 = Zeroizing::new([0; 32]);
        rng.fill_bytes(x25519.as_mut_slice());
        Self {
            secret,
            device: SigningKey::from_bytes(&seed),
            device_x25519: StaticSecret::from(*x25519),
            time_floor: 0,
        }
    }

    /// Reads the keyring's item.
    pub fn from_item(item: &[u8]) -> Result<Self, VaultError> {
        let limits = Limits::bytes(1024);
        let mut fields = Fields::decode(item, &limits).map_err(|_| VaultError::Item)?;
        if fields.uint(1).map_err(|_| VaultError::Item)? != VERSION {
            return Err(VaultError::Version);
        }
        let secret = take_secret(&mut fields, 2)?;
        let seed = take_secret(&mut fields, 3)?;
        let x25519 = take_secret(&mut fields, 4)?;
        let time_floor = fields.int(5).map_err(|_| VaultError::Item)?;
        fields.end().map_err(|_| VaultError::Item)?;
        Ok(Self {
            secret,
            device: SigningKey::from_bytes(&seed),
            device_x25519: StaticSecret::from(*x25519),
            time_floor,
        })
    }

    /// The keyring's item.
    pub fn to_item(&self) -> Zeroizing<Vec<u8>> {
        // Written by hand, so that no intermediate value keeps a copy of the secrets.
        let mut out = Zeroizing::new(Vec::with_capacity(160));
        cbor::head(&mut out, 5, 5);
        out.extend([1, 1]);
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

fn take_secret(fields: &mut Fields, key: i64) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let bytes = Zeroizing::new(fields.bytes(key).map_err(|_| VaultError::Item)?);
    let mut out = Zeroizing::new([0; 32]);
    if bytes.len() != out.len() {
        return Err(VaultError::Item);
    }
    out.copy_from_slice(&bytes);
    Ok(out)
}
