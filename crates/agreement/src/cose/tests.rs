use super::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn message() -> Vec<u8> {
    let header = Header::new(content_type::GRANT, &key(), "https://a.example", "urn:x", 1);
    sign(&header, b"payload", &key())
}

#[test]
fn opens_what_it_signed_and_nothing_else() {
    let bytes = message();
    let public = PublicKey::of(&key());
    let opened = open(&bytes, content_type::GRANT, &public, &Limits::DEFAULT).unwrap();
    assert_eq!(opened.payload, b"payload");
    assert_eq!(opened.header.iat, Some(1));

    let type_error = open(&bytes, content_type::KEY_SET, &public, &Limits::DEFAULT);
    assert_eq!(type_error.unwrap_err(), CoseError::ContentType);
    let other = PublicKey::of(&SigningKey::from_bytes(&[8; 32]));
    let kid_error = open(&bytes, content_type::GRANT, &other, &Limits::DEFAULT);
    assert_eq!(kid_error.unwrap_err(), CoseError::Kid);
    for at in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let result = open(&changed, content_type::GRANT, &public, &Limits::DEFAULT);
        assert!(result.is_err(), "bit {at}");
    }
}

#[test]
fn a_second_implementation_reads_the_same() {
    use coset::{CoseSign1, TaggedCborSerializable};
    let bytes = message();
    let theirs = CoseSign1::from_tagged_slice(&bytes).unwrap();
    assert_eq!(theirs.payload.as_deref(), Some(&b"payload"[..]));
    assert_eq!(theirs.protected.header.key_id, PublicKey::of(&key()).kid());
    theirs
        .verify_signature(b"", |signature, message| {
            PublicKey::of(&key()).verify(message, signature.try_into().unwrap())
        })
        .unwrap();
    assert_eq!(theirs.to_tagged_vec().unwrap(), bytes);
}

#[test]
fn a_detached_payload_is_exactly_null() {
    let header = Header::new(content_type::GRANT, &key(), "i", "s", 1);
    let empty = Value::Map(Vec::new());
    let bytes = sign_detached(&header, &empty, b"payload", &key());
    let public = PublicKey::of(&key());
    let parsed = Sign1::parse(&bytes, &Limits::DEFAULT).unwrap();
    parsed.verify_detached(&public, b"payload").unwrap();
    assert_eq!(parsed.verify(&public), Err(CoseError::Payload));
    assert!(parsed.verify_detached(&public, b"other").is_err());
    let at = bytes.len() - 67;
    assert_eq!(bytes[at], 0xf6);
    for other in [0xf4, 0xf5, 0xf7, 0x00, 0x60, 0x80, 0xa0] {
        let mut changed = bytes.clone();
        changed[at] = other;
        assert!(Sign1::parse(&changed, &Limits::DEFAULT).is_err());
    }
    // An empty attached payload is not a detached one.
    let mut changed = bytes.clone();
    changed[at] = 0x40;
    let parsed = Sign1::parse(&changed, &Limits::DEFAULT).unwrap();
    assert_eq!(
        parsed.verify_detached(&public, b"payload"),
        Err(CoseError::Payload)
    );
}

#[test]
fn an_untagged_or_unknown_header_is_refused() {
    let bytes = message();
    assert_eq!(
        Sign1::parse(&bytes[1..], &Limits::DEFAULT),
        Err(CoseError::Shape)
    );
    let protected = cbor::encode(&Value::map([
        (1, ALG_EDDSA.into()),
        (2, Value::Array(vec![99_i64.into()])),
        (4, PublicKey::of(&key()).kid().into()),
        (15, Value::map([(1, "i".into()), (2, "s".into())])),
    ]));
    let empty = Value::Map(Vec::new());
    let critical = assemble(&protected, &empty, Some(b""), &[0; 64]);
    assert_eq!(
        Sign1::parse(&critical, &Limits::DEFAULT),
        Err(CoseError::Header)
    );
}
