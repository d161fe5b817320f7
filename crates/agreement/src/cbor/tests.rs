use super::*;
use proptest::prelude::*;

fn read(hex: &str) -> Result<Value, CborError> {
    decode(&hex::decode(hex).unwrap(), &Limits::DEFAULT)
}

#[test]
fn refuses_what_a_message_may_not_hold() {
    for (bytes, error) in [
        ("", CborError::Truncated),
        ("18", CborError::Truncated),
        ("4201", CborError::Truncated),
        ("5bffffffffffffffff", CborError::Truncated),
        ("9bffffffffffffffff", CborError::Truncated),
        ("bbffffffffffffffff", CborError::Truncated),
        ("0000", CborError::Trailing),
        ("a0f6", CborError::Trailing),
        ("5f4100ff", CborError::Indefinite),
        ("7f6161ff", CborError::Indefinite),
        ("9fff", CborError::Indefinite),
        ("bfff", CborError::Indefinite),
        ("ff", CborError::Indefinite),
        ("a10180ff", CborError::Trailing),
        ("1817", CborError::NotShortest),
        ("190010", CborError::NotShortest),
        ("5800", CborError::NotShortest),
        ("a201000100", CborError::DuplicateKey),
        ("81a1018281a2616100616100f6", CborError::DuplicateKey),
        // A map as a key, its own keys in another order: the same key.
        ("a2a20001020300a20203000100", CborError::DuplicateKey),
        ("61ff", CborError::NotUtf8),
        ("f90000", CborError::Unsupported),
        ("fb0000000000000000", CborError::Unsupported),
        ("f7", CborError::Unsupported),
        ("f8ff", CborError::Unsupported),
        ("1c", CborError::Unsupported),
        ("818181818181818180", CborError::TooDeep),
        ("a101a101a101a101a101a101a101a10100", CborError::TooDeep),
        ("d2d2d2d2d2d2d2d200", CborError::TooDeep),
    ] {
        assert_eq!(read(bytes).unwrap_err(), error, "{bytes}");
        assert!(error.code().starts_with("cbor-"));
    }
    assert!(read("8181818181818180").is_ok(), "depth 8 is allowed");
    assert_eq!(
        check(&[0x42, 0, 0], &Limits::bytes(2)).unwrap_err(),
        CborError::TooLong(2)
    );
}

#[test]
fn writes_the_deterministic_form() {
    // RFC 8949 §4.2.1: 10, 100, −1, "z", "aa", [100], [-1], false.
    let keys = [
        Value::Bool(false),
        Value::Array(vec![Value::from(-1_i64)]),
        Value::from("aa"),
        Value::Array(vec![Value::from(100_i64)]),
        Value::from("z"),
        Value::from(-1_i64),
        Value::from(100_i64),
        Value::from(10_i64),
    ];
    let map = Value::Map(keys.into_iter().map(|key| (key, Value::Null)).collect());
    assert_eq!(
        hex::encode(encode(&map)),
        "a80af61864f620f6617af6626161f6811864f68120f6f4f6"
    );
    for (n, hex) in [
        (0_i64, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65_536, "1a00010000"),
        (1 << 32, "1b0000000100000000"),
        (-1, "20"),
        (-24, "37"),
        (-25, "3818"),
        (i64::MIN, "3b7fffffffffffffff"),
    ] {
        assert_eq!(hex::encode(encode(&Value::from(n))), hex);
        assert_eq!(read(hex).unwrap().as_i64(), Some(n));
    }
}

#[test]
fn takes_fields_once_and_refuses_leftovers() {
    let value = Value::map([(1, "a".into()), (2, Value::Null), (-3, 7_i64.into())]);
    let mut fields = Fields::new(value).unwrap();
    assert_eq!(fields.text(1).unwrap(), "a");
    assert_eq!(fields.text(1).unwrap_err(), CborError::Missing(1));
    assert_eq!(fields.nullable_array::<4>(2).unwrap(), None);
    assert_eq!(fields.end().unwrap_err(), CborError::UnknownField);
    let mut fields = Fields::new(Value::map([(1, [0; 3].into())])).unwrap();
    assert_eq!(fields.array::<4>(1).unwrap_err(), CborError::Field(1));
}

#[test]
fn debug_shows_no_contents() {
    let value = Value::map([(1, "Қасымова".into()), (2, [7; 32].into())]);
    assert_eq!(format!("{value:?}"), "{int: tstr(16), int: bstr(32)}");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::Uint),
        any::<u64>().prop_map(Value::Nint),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(any::<i64>(), inner.clone(), 0..5).prop_map(|map| {
                Value::Map(map.into_iter().map(|(k, v)| (k.into(), v)).collect())
            }),
            (any::<u64>(), inner).prop_map(|(tag, v)| Value::Tag(tag, Box::new(v))),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(value) = decode(&bytes, &Limits::DEFAULT) {
            // Heads are shortest, so what was read has the same length when written.
            prop_assert_eq!(encode(&value).len(), bytes.len());
        }
    }

    #[test]
    fn reads_what_it_writes(value in values()) {
        let bytes = encode(&value);
        let again = decode(&bytes, &Limits::bytes(1 << 20)).unwrap();
        prop_assert_eq!(encode(&again), bytes);
    }

    #[test]
    fn every_cut_is_refused(value in values(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&value);
        let cut = at.index(bytes.len());
        prop_assert!(check(&bytes[..cut], &Limits::bytes(1 << 20)).is_err());
    }
}
