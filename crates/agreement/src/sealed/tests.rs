use proptest::prelude::*;

use super::*;
use crate::fixtures::{assert_every_bit_counts, assert_vector, rng, sealing, sealing_public};

fn sealed() -> SealedItem {
    let plain = b"a signed statement";
    SealedItem::seal(Kind::Acceptance, plain, &sealing_public(), &mut rng(1)).unwrap()
}

#[test]
fn the_fixed_item_has_these_bytes_and_opens() {
    let item = sealed();
    let bytes = item.to_bytes();
    let secret = sealing();
    assert_vector(
        "sealed-item",
        "kind acceptance; sealing_secret is an X25519 secret key",
        &[
            ("sealing_secret", secret.as_bytes()),
            ("plaintext", b"a signed statement"),
            ("sealed", &bytes),
        ],
    );
    let again = SealedItem::parse(&bytes).unwrap();
    assert_eq!(again, item);
    assert_eq!(*again.open(&secret).unwrap(), b"a signed statement");
    assert_eq!(again.kind(), Kind::Acceptance);
    assert_eq!(
        item_id(b"a signed statement"),
        hex::encode(Sha256::digest(b"a signed statement"))
    );
}

#[test]
fn every_byte_counts() {
    assert_every_bit_counts(&sealed().to_bytes(), |bytes| {
        SealedItem::parse(bytes).is_ok_and(|item| item.open(&sealing()).is_ok())
    });
}

#[test]
fn another_implementation_seals_what_we_open() {
    let text = include_str!("../../vectors/hpke-independent.json");
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let field = |name: &str| hex::decode(json[name].as_str().unwrap()).unwrap();
    let secret: [u8; 32] = field("secret").try_into().unwrap();
    let enc: [u8; 32] = field("enc").try_into().unwrap();
    let opened = hpke_open(
        &field("info"),
        &enc,
        &field("ciphertext"),
        &StaticSecret::from(secret),
    );
    assert_eq!(*opened.unwrap(), field("plaintext"));
}

#[test]
fn weak_keys_are_refused() {
    let weak = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for key in weak {
        let key: [u8; 32] = hex::decode(key).unwrap().try_into().unwrap();
        assert!(is_weak_x25519(&key));
        let sealed = SealedItem::seal(Kind::Enrolment, b"x", &key, &mut rng(1));
        assert_eq!(sealed, Err(SealedError::WeakKey));
        // The same as `enc`: an attacker who knows the shared secret is zero.
        let mut item = self::sealed();
        item.enc = key;
        assert_eq!(item.open(&sealing()), Err(SealedError::Open));
    }
    assert!(!is_weak_x25519(&sealing_public()));
}

#[test]
fn another_key_or_kind_does_not_open() {
    let other = StaticSecret::from([9; 32]);
    assert_eq!(sealed().open(&other), Err(SealedError::OtherKey));
    for kind in Kind::ALL {
        let item = SealedItem { kind, ..sealed() };
        assert_eq!(item.open(&sealing()).is_ok(), kind == Kind::Acceptance);
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Kind::parse("grant"), None);
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..2000), seed: u64) {
        let item = SealedItem::seal(Kind::AuditEvent, &plain, &sealing_public(), &mut rng(seed)).unwrap();
        let item = SealedItem::parse(&item.to_bytes()).unwrap();
        prop_assert_eq!(&*item.open(&sealing()).unwrap(), &plain);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SealedItem::parse(&bytes);
    }
}
