use secrecy::SecretString;
use zeroize::Zeroizing;

use super::*;
use crate::fixtures::{ISSUER, T0, grant_key, key_set, rng};
use crate::session::SignedTime;

const PERSON: &str = "00112233445566778899aabbccddeeff";
const GOOD: &str = "жылы самал ескен көктем кеші 47";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn workstation(seed: u64) -> WorkstationKeys {
    WorkstationKeys::generate(&mut rng(seed))
}

fn judge(passphrase: &str) -> &'static str {
    NewPassphrase::check(&secret(passphrase), "aigul.s@ala")
        .err()
        .map_or("", PassphraseError::code)
}

#[test]
fn the_keyring_item_keeps_everything() {
    let mut keys = workstation(1);
    let nonce = [1; 16];
    let bytes = SignedTime::issue(ISSUER, &nonce, T0, &grant_key());
    let time = SignedTime::verify(&bytes, &key_set(), &nonce).unwrap();
    assert!(keys.raise_time_floor(&time));
    assert!(!keys.raise_time_floor(&time));
    keys.raise_generation();
    let item = keys.to_item();
    crate::cbor::check(&item, &crate::cbor::Limits::DEFAULT).unwrap();
    let again = WorkstationKeys::from_item(&item).unwrap();
    assert_eq!(again.to_item(), item);
    assert_eq!((again.time_floor(), again.generation()), (T0, 1));
    assert_eq!(again.device_id(), keys.device_id());
    assert_eq!(again.device_x25519_public(), keys.device_x25519_public());
    assert_eq!(again.database_key(), keys.database_key());
    assert_ne!(workstation(2).database_key(), keys.database_key());
}

#[test]
fn a_damaged_keyring_item_is_refused() {
    let item = workstation(1).to_item();
    for cut in 0..item.len() {
        assert!(WorkstationKeys::from_item(&item[..cut]).is_err());
    }
    let mut newer = item.to_vec();
    newer[2] = 3;
    let refused = WorkstationKeys::from_item(&newer).err();
    assert_eq!(refused, Some(VaultError::Version));
    let mut longer = item.to_vec();
    longer.push(0);
    let refused = WorkstationKeys::from_item(&longer).err();
    assert_eq!(refused, Some(VaultError::Item));
    assert_eq!(VaultError::Item.code(), "keyring-lost");
    assert_eq!(VaultError::Version.code(), "store-newer");
}

#[test]
fn an_item_without_a_generation_is_of_generation_zero() {
    let keys = workstation(1);
    let item = keys.to_item();
    // {1: 1, …, 5: 0}: one entry less, the version one less.
    let mut first = item[..item.len() - 2].to_vec();
    assert_eq!(item[item.len() - 2..], [6, 0]);
    (first[0], first[2]) = (0xa5, 1);
    let read = WorkstationKeys::from_item(&first).unwrap();
    assert_eq!(read.generation(), 0);
    assert_eq!(read.to_item(), item);
    // Neither version takes the other's fields.
    (first[0], first[2]) = (0xa5, 2);
    assert!(WorkstationKeys::from_item(&first).is_err());
    let mut longer = item.to_vec();
    longer[2] = 1;
    assert!(WorkstationKeys::from_item(&longer).is_err());
}

#[test]
fn beginning_anew_changes_the_device_and_a_wipe_changes_the_secret() {
    let keys = workstation(1);
    let copy = || WorkstationKeys::from_item(&keys.to_item()).unwrap();
    let mut anew = copy();
    anew.begin_anew(&mut rng(2));
    assert_ne!(anew.device_id(), keys.device_id());
    assert_ne!(anew.device_x25519_public(), keys.device_x25519_public());
    assert_eq!(anew.database_key(), keys.database_key());

    let mut wiped = copy();
    wiped.replace_secret(&mut rng(2));
    assert_eq!(wiped.device_id(), keys.device_id());
    assert_ne!(wiped.database_key(), keys.database_key());
    assert_ne!(wiped.kek(&[8; 32], 1), keys.kek(&[8; 32], 1));
    // A store of the old generation, or one ahead of it by a crash, is behind both.
    assert!(anew.generation() > keys.generation() + 1);
    assert!(wiped.generation() > keys.generation() + 1);

    let mut ahead = copy();
    ahead.catch_up(T0, 7);
    ahead.catch_up(0, 3);
    assert_eq!((ahead.time_floor(), ahead.generation()), (T0, 7));
}

/// The server's clock was a year ahead and was put right.
#[test]
fn the_floor_goes_back_only_with_a_later_generation() {
    let signed = |at: i64| {
        let bytes = SignedTime::issue(ISSUER, &[1; 16], at, &grant_key());
        SignedTime::verify(&bytes, &key_set(), &[1; 16]).unwrap()
    };
    let year = T0 + 365 * 24 * 3600;
    let mut keys = workstation(1);
    assert!(keys.raise_time_floor(&signed(year)));
    assert!(
        !keys.lower_time_floor(&signed(year - 300)),
        "within the tolerance"
    );
    let before = WorkstationKeys::from_item(&keys.to_item()).unwrap();
    assert!(keys.lower_time_floor(&signed(T0)));
    assert_eq!(
        (keys.time_floor(), keys.generation()),
        (T0, before.generation() + 1)
    );

    // The store is written first: neither side of a crash takes the other for an older copy, and one from before it is older.
    assert!(!before.is_older(keys.time_floor(), keys.generation()));
    assert!(keys.is_older(before.time_floor(), before.generation()));
    assert!(before.is_older(before.time_floor() - 1, before.generation()));
    let mut behind = before;
    behind.catch_up(keys.time_floor(), keys.generation());
    assert_eq!(behind.to_item(), keys.to_item());
}

#[test]
fn keys_open_for_their_person_passphrase_and_workstation_only() {
    let station = workstation(1);
    let keys = PersonKeys::generate(&mut rng(3));
    let good = NewPassphrase::check(&secret(GOOD), "aigul").unwrap();
    let wrapped = keys.wrap(&station, PERSON, &good, &mut rng(4)).unwrap();

    let open = |station: &WorkstationKeys, person: &str, passphrase: &str| {
        PersonKeys::unwrap(&wrapped, station, person, &secret(passphrase))
    };
    let again = open(&station, PERSON, GOOD).unwrap();
    assert_eq!(again.public(), keys.public());
    assert_eq!(again.x25519_public(), keys.x25519_public());
    // «й» typed as two characters is the same passphrase.
    let decomposed = "жылы самал ескен көктем кеші 47".replace('\u{439}', "\u{438}\u{306}");
    assert!(open(&station, PERSON, &decomposed).is_ok());

    let wrong = Some(VaultError::WrongPassphrase);
    assert_eq!(open(&station, PERSON, "жылы самал ескен").err(), wrong);
    assert_eq!(open(&station, &"1".repeat(32), GOOD).err(), wrong);
    assert_eq!(open(&workstation(2), PERSON, GOOD).err(), wrong);
    assert_eq!(VaultError::WrongPassphrase.code(), "passphrase-wrong");

    // One changed byte in each part: version, salt, nonce, ciphertext, tag.
    for at in [0, 1, 2, 3, 18, 22, 40, wrapped.len() - 1] {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        let opened = PersonKeys::unwrap(&changed, &station, PERSON, &secret(GOOD));
        assert!(opened.is_err(), "byte {at}");
    }
    for cut in 0..wrapped.len() {
        let opened = PersonKeys::unwrap(&wrapped[..cut], &station, PERSON, &secret(GOOD));
        assert_eq!(opened.err(), Some(VaultError::Damaged));
    }
}

#[test]
fn the_wrapping_key_is_as_the_protocol_says() {
    let station = workstation(1);
    let mix = station.mix(&[7; 32], &[b"infoblood/person/v1", PERSON.as_bytes()]);
    let item = station.to_item();
    // S follows the map head, 1: 1, and the head of a byte string of 32.
    let s = &item[6..38];
    let info = format!("infoblood/person/v1{PERSON}");
    let expected = hkdf(&[&[s, &[7; 32]].concat()], &[info.as_bytes()]);
    assert_eq!(mix, expected);
    let database = hkdf(&[s], &[b"infoblood/workstation-db/v1"]);
    assert_eq!(station.database_key(), database);
    let kek_info = [
        b"infoblood/kek/v1".as_slice(),
        station.device_id().as_bytes(),
        &[0, 0, 0, 0, 0, 0, 0, 9],
    ]
    .concat();
    let kek = hkdf(&[&[s, &[8; 32]].concat()], &[&kek_info]);
    assert_eq!(station.kek(&[8; 32], 9), kek);
}

#[test]
fn hkdf_follows_rfc_5869() {
    // Test case 3: no salt, no info.
    let okm = hkdf(&[&[0x0b; 22]], &[]);
    let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
    assert_eq!(hex::encode(okm.as_slice()), expected);
}

#[test]
fn wrapping_is_bound_to_key_and_context() {
    let wrapped = wrap(&[1; 32], b"context", b"plain", &mut rng(1)).unwrap();
    let opened = unwrap(&[1; 32], b"context", &wrapped);
    assert_eq!(opened, Some(Zeroizing::new(b"plain".to_vec())));
    assert!(unwrap(&[2; 32], b"context", &wrapped).is_none());
    assert!(unwrap(&[1; 32], b"other", &wrapped).is_none());
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(unwrap(&[1; 32], b"context", &changed).is_none());
        assert!(unwrap(&[1; 32], b"context", &wrapped[..at]).is_none());
    }
}

#[test]
fn good_passphrases_are_accepted() {
    for good in [
        GOOD,
        "тихий вечер у синего озера",
        "correct horse battery staple",
        "Ескі диірмен суы тасып жатыр",
        "vG7#qL2z!pW9",
        "три зелёных трамвая в тумане",
    ] {
        assert_eq!(judge(good), "", "{good}");
    }
}

#[test]
fn short_weak_and_login_passphrases_are_refused() {
    for short in [
        "",
        "қысқа",
        "abcdefghijk",
        "и\u{306}и\u{306}и\u{306}и\u{306}и\u{306}и\u{306}",
    ] {
        assert_eq!(judge(short), "passphrase-short", "{short}");
    }
    for login in [
        "мой логин aigul.s@ala",
        "my Aigul.S rules 19",
        "correct aiguls battery",
        "aigulsaigulsaiguls",
    ] {
        assert_eq!(judge(login), "passphrase-has-login", "{login}");
    }
    for weak in [
        "password1234",
        "passwordpassword",
        "aaaaaaaaaaaaaaaa",
        "123456789012",
        "qwertyuiop[]",
        "қазақстан2025",
        "құпиясөзқұпиясөз",
        "менің құпиясөзім",
        "парольпароль",
        "мой пароль 123",
        "йцукенгшщзхъ",
        "фывапролджэ1",
        "gfhjkmgfhjkm",
        "Алматы Астана",
        "донор крови 2026",
        "центркрови2026",
        "қан орталығы 1",
        "я тебя люблю",
        "infoblood2026",
        "Infoblood Almaty",
        "привет привет",
        "абвгдабвгдабвгд",
        "сәлем қазақстан",
        "01.01.1990 01.01.1990",
    ] {
        assert_eq!(judge(weak), "passphrase-weak", "{weak}");
    }
}

#[test]
fn a_tiny_login_forbids_nothing() {
    assert!(NewPassphrase::check(&secret(GOOD), "ес").is_ok());
    assert!(NewPassphrase::check(&secret(GOOD), "").is_ok());
}
