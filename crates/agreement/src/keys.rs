//! Ed25519 public keys, their identifiers, and the published COSE key set.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::cbor::{self, CborError, Fields, Limits, Value};

pub use ed25519_dalek::SigningKey;

/// A COSE Key Thumbprint (RFC 9679): SHA-256, 32 bytes.
pub type Kid = [u8; 32];

/// Curve number of X25519 in COSE.
const CRV_X25519: i64 = 4;
/// Curve number of Ed25519 in COSE.
const CRV_ED25519: i64 = 6;
/// `EdDSA` in COSE.
pub(crate) const ALG_EDDSA: i64 = -8;

/// Why a key or a signature by it is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not a point of the curve in its canonical form")]
    Malformed,
    #[error("a key of small order")]
    Weak,
    #[error("the signature does not verify")]
    Signature,
    #[error("the key identifier is not the key's thumbprint")]
    Kid,
    #[error("the key set is malformed")]
    Set(#[from] CborError),
}

impl KeyError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "key-malformed",
            Self::Weak => "key-weak",
            Self::Signature => "signature-wrong",
            Self::Kid => "kid-wrong",
            Self::Set(_) => "key-set-malformed",
        }
    }
}

/// An Ed25519 public key that is a canonical point of large order. Signatures are checked with `verify_strict` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032; small-order and non-canonical points are refused.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Malformed)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::Malformed);
        }
        Ok(Self(key))
    }

    /// The public half of `key`.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key())
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's COSE Key Thumbprint.
    pub fn kid(&self) -> Kid {
        kid(self.as_bytes())
    }

    /// Checks `signature` over `message`, strictly (RFC 8032 without malleable forms).
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| KeyError::Signature)
    }
}

/// Thumbprint of an Ed25519 key: SHA-256 over deterministic CBOR {1: 1, −1: 6, −2: x}.
pub fn kid(ed25519: &[u8; 32]) -> Kid {
    thumbprint(CRV_ED25519, ed25519)
}

/// Thumbprint of an X25519 key: the same with curve 4.
pub fn kid_x25519(x25519: &[u8; 32]) -> Kid {
    thumbprint(CRV_X25519, x25519)
}

fn thumbprint(curve: i64, x: &[u8; 32]) -> Kid {
    let key = Value::map([(1, 1_i64.into()), (-1, curve.into()), (-2, x.into())]);
    Sha256::digest(cbor::encode(&key)).into()
}

/// A device's identifier: lowercase hex of the first 16 bytes of its Ed25519 key's thumbprint.
pub fn device_id(ed25519: &[u8; 32]) -> String {
    hex::encode(&kid(ed25519)[..16])
}

/// `true` for 32 lowercase hex digits, the form of person and device identifiers.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The published public keys as a COSE_KeySet (RFC 9052 §7): the file `scitt-keys.cbor`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoseKeySet {
    keys: Vec<PublicKey>,
}

impl CoseKeySet {
    /// A set of these keys, each once, in the given order.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let mut set = Self::default();
        for key in keys {
            if !set.keys.contains(&key) {
                set.keys.push(key);
            }
        }
        set
    }

    /// Reads a COSE_KeySet. Keys of other types are skipped, as RFC 9052 asks; weak Ed25519 keys are refused.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, KeyError> {
        let value = cbor::decode(bytes, limits)?;
        let items = value.as_items().ok_or(CborError::Type)?;
        let mut keys = Vec::new();
        for item in items {
            let mut fields = Fields::new(item.clone())?;
            let is = |field: Option<Value>, n: i64| field.and_then(|v| v.as_i64()) == Some(n);
            if !is(fields.take(1), 1) || !is(fields.take(-1), CRV_ED25519) {
                continue;
            }
            let key = PublicKey::from_bytes(&fields.array(-2)?)?;
            if let Some(kid) = fields.take(2)
                && kid.as_bytes() != Some(&key.kid()[..])
            {
                return Err(KeyError::Kid);
            }
            keys.push(key);
        }
        Ok(Self::new(keys))
    }

    /// The set as deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let keys = self.keys.iter().map(cose_key).collect();
        cbor::encode(&Value::Array(keys))
    }

    /// The keys, in the order of the set.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The key with this thumbprint.
    pub fn get(&self, kid: &Kid) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid() == *kid)
    }
}

/// One key as COSE_Key: {1: OKP, 2: kid, 3: EdDSA, −1: Ed25519, −2: x}.
pub fn encode_cose_key(key: &PublicKey) -> Vec<u8> {
    cbor::encode(&cose_key(key))
}

fn cose_key(key: &PublicKey) -> Value {
    Value::map([
        (1, 1_i64.into()),
        (2, key.kid().into()),
        (3, ALG_EDDSA.into()),
        (-1, CRV_ED25519.into()),
        (-2, key.as_bytes().into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_malformed_keys_are_refused() {
        // The points of order 1, 2, 4 and 8 in canonical form.
        for hex in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            let bytes: [u8; 32] = hex::decode(hex).unwrap().try_into().unwrap();
            assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::Weak), "{hex}");
        }
        // y = p + 3 is y = 3 written another way; y = 2 is on no point.
        let mut bytes = [0xff; 32];
        bytes[0] = 0xf0;
        bytes[31] = 0x7f;
        assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::Malformed));
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::Malformed));
    }

    #[test]
    fn key_set_round_trip_and_lookup() {
        let a = PublicKey::of(&SigningKey::from_bytes(&[1; 32]));
        let b = PublicKey::of(&SigningKey::from_bytes(&[2; 32]));
        let set = CoseKeySet::new([a, b, a]);
        assert_eq!(set.keys(), [a, b]);
        let again = CoseKeySet::parse(&set.encode(), &Limits::DEFAULT).unwrap();
        assert_eq!(again, set);
        assert_eq!(again.get(&b.kid()), Some(&b));
        assert_eq!(again.get(&[0; 32]), None);
        let wrong = cbor::encode(&Value::Array(vec![Value::map([
            (1, 1_i64.into()),
            (2, b.kid().into()),
            (-1, 6_i64.into()),
            (-2, a.as_bytes().into()),
        ])]));
        assert_eq!(
            CoseKeySet::parse(&wrong, &Limits::DEFAULT),
            Err(KeyError::Kid)
        );
    }

    #[test]
    fn ids_are_lowercase_hex() {
        assert!(is_id(&device_id(&[1; 32])));
        assert!(!is_id("BF50A708C982E579658AC59041B09263"));
        assert!(!is_id("bf50"));
    }
}
