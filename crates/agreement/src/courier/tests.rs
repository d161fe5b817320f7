use proptest::prelude::*;

use super::chunk::{Chunk, Direction, Place, subject};
use super::frames::frame;
use super::*;
use crate::cbor::{self, Value};
use crate::cose::{self, Header, content_type};
use crate::fixtures::{
    ISSUER, T0, assert_vector, authority, grant_key, key_set, rng, sealing, sealing_public,
};
use crate::keys::{PublicKey, device_id};
use crate::vault::WorkstationKeys;

const PACK: PackId = [7; 16];

fn keys() -> WorkstationKeys {
    WorkstationKeys::generate(&mut rng(5))
}

fn share() -> ShareKey {
    ShareKey::derive(&[3; 32], 1)
}

fn request_head() -> RequestHead {
    RequestHead {
        site: "ALM".into(),
        device_x25519: keys().device_x25519_public(),
        created_at: T0,
        nonce: [9; 16],
        key_set_version: 1,
        document_version: 1,
        safety_cursor: None,
        all_cursor: Some("000000000000002a".into()),
        people: vec!["00112233445566778899aabbccddeeff".into()],
    }
}

fn request(items: &[RequestRecord]) -> Vec<u8> {
    let keys = keys();
    let mut rng = rng(1);
    let mut writer = RequestWriter::new(keys.device(), sealing_public(), PACK, T0);
    let mut out = Vec::new();
    let head = RequestRecord::Head(request_head());
    for record in std::iter::once(&head).chain(items) {
        out.extend(
            writer
                .push(record.clone(), &mut rng)
                .unwrap()
                .unwrap_or_default(),
        );
    }
    out.extend(writer.finish(&mut rng).unwrap());
    out
}

fn item(size: usize) -> RequestRecord {
    use rand_core::Rng as _;
    let mut sealed = vec![0; size];
    rng(size as u64).fill_bytes(&mut sealed);
    RequestRecord::Item {
        id: "ab".repeat(32),
        sealed,
    }
}

fn chunks(file: &[u8]) -> Result<Vec<Vec<u8>>, CourierError> {
    let mut frames = Frames::new();
    let mut out = Vec::new();
    for piece in file.chunks(1000) {
        frames.push(piece);
        while let Some(chunk) = frames.next_chunk()? {
            out.push(chunk);
        }
    }
    frames.end()?;
    Ok(out)
}

fn read_request(file: &[u8]) -> Result<Vec<RequestRecord>, CourierError> {
    let mut reader = RequestReader::new();
    let mut records = Vec::new();
    for chunk in chunks(file)? {
        records.extend(reader.read(&chunk, &sealing())?);
    }
    let (pack, device) = reader.end()?;
    assert_eq!((pack, device), (PACK, keys().device_public()));
    Ok(records)
}

fn answer_head() -> AnswerRecord {
    AnswerRecord::Head(AnswerHead {
        device_id: keys().device_id(),
        site: "ALM".into(),
        nonce: [9; 16],
        counter: 4,
        time: T0,
        device: DeviceState::Approved,
        request: PACK,
    })
}

fn change(lines: usize) -> AnswerRecord {
    AnswerRecord::Change(Change {
        stream: Stream::All,
        from_start: true,
        lines: vec![b'x'; lines],
        cursor: "0000000000000007".into(),
        is_end: true,
    })
}

fn answer(records: &[AnswerRecord]) -> Vec<u8> {
    let (key, set) = (grant_key(), key_set());
    let to = Recipient {
        device_x25519: keys().device_x25519_public(),
        share: Some(share()),
    };
    let mut rng = rng(2);
    let mut writer = AnswerWriter::new(&key, ISSUER, set.as_bytes(), to, [8; 16], T0);
    let mut out = Vec::new();
    for record in records {
        out.extend(
            writer
                .push(record.clone(), &mut rng)
                .unwrap()
                .unwrap_or_default(),
        );
    }
    out.extend(writer.finish(&mut rng).unwrap());
    out
}

fn reader() -> AnswerReader {
    AnswerReader::new(key_set(), PublicKey::of(&authority()))
}

fn read_answer(file: &[u8], share: Option<&ShareKey>) -> Result<Vec<AnswerRecord>, CourierError> {
    let mut reader = reader();
    let mut records = Vec::new();
    for chunk in chunks(file)? {
        records.extend(reader.read(&chunk, &keys(), share)?.unwrap_or_default());
    }
    reader.end()?;
    Ok(records)
}

fn all_records() -> Vec<AnswerRecord> {
    vec![
        answer_head(),
        AnswerRecord::Receipt {
            id: "cd".repeat(32),
            receipt: vec![1, 2, 3],
        },
        AnswerRecord::Item {
            id: "cd".repeat(32),
            state: ItemState::Stored,
        },
        AnswerRecord::Item {
            id: "ce".repeat(32),
            state: ItemState::Rejected {
                code: "code-used".into(),
            },
        },
        AnswerRecord::Item {
            id: "cf".repeat(32),
            state: ItemState::Later {
                code: "storage-unavailable".into(),
            },
        },
        AnswerRecord::Document {
            message: vec![4],
            kk: "Келісім".into(),
            ru: "Соглашение".into(),
            structure: "{}".into(),
        },
        AnswerRecord::Grant {
            person_id: "00112233445566778899aabbccddeeff".into(),
            name: "Айгүл".into(),
            role: "clinician".into(),
            grant: vec![5],
        },
        AnswerRecord::NoGrant {
            person_id: "ffeeddccbbaa99887766554433221100".into(),
            code: "person-revoked".into(),
        },
        change(20),
    ]
}

#[test]
fn the_fixed_packs_have_these_bytes_and_open() {
    let (request, answer) = (request(&[item(10)]), answer(&all_records()));
    assert_vector(
        "courier",
        "request of one item to the sealing key of `sealed-item`; answer with every kind of record, share key of K_srv 32 times 03, epoch 1",
        &[("request", &request), ("answer", &answer)],
    );
    assert_eq!(
        read_request(&request).unwrap(),
        [RequestRecord::Head(request_head()), item(10)]
    );
    assert_eq!(read_answer(&answer, Some(&share())).unwrap(), all_records());
    let first = &chunks(&request).unwrap()[0];
    let device_id = device_id(keys().device_public().as_bytes());
    assert_eq!(claim(first).unwrap(), Claim::Request { device_id });
    assert_eq!(claim(&chunks(&answer).unwrap()[0]).unwrap(), Claim::Answer);
}

#[test]
fn large_packs_are_chunks_of_bounded_size() {
    let items: Vec<_> = (0..70).map(|n| item(60_000 + n)).collect();
    let file = request(&items);
    let parts = chunks(&file).unwrap();
    assert!(parts.len() >= 4 && parts.iter().all(|chunk| chunk.len() < MAX_CHUNK_BYTES));
    assert_eq!(read_request(&file).unwrap().len(), 71);
}

#[test]
fn a_request_says_what_it_has_no_room_for() {
    let keys = keys();
    let mut rng = rng(1);
    for (size, most) in [(0, MAX_REQUEST_ITEMS), (60_000, 1_081)] {
        let mut writer = RequestWriter::new(keys.device(), sealing_public(), PACK, T0);
        let head = RequestRecord::Head(request_head());
        let mut file = writer.push(head, &mut rng).unwrap().unwrap_or_default();
        let mut items = 0;
        while writer.has_room_for(size) {
            let record = RequestRecord::Item {
                id: "ab".repeat(32),
                sealed: vec![0; size],
            };
            let bytes = writer.push(record, &mut rng).unwrap();
            file.extend(bytes.unwrap_or_default());
            items += 1;
        }
        assert_eq!(items, most);
        file.extend(writer.finish(&mut rng).unwrap());
        assert!(file.len() < MAX_REQUEST_BYTES);
    }
}

#[test]
fn patient_data_need_the_share() {
    let file = answer(&all_records());
    let without = read_answer(&file, None).unwrap();
    assert_eq!(without, all_records()[..8], "all but the patients' data");
    let other = ShareKey::derive(&[3; 32], 2);
    assert_eq!(
        read_answer(&file, Some(&other)).unwrap_err().code(),
        "courier-malformed"
    );
    let (key, set) = (grant_key(), key_set());
    let to = Recipient {
        device_x25519: keys().device_x25519_public(),
        share: None,
    };
    let mut writer = AnswerWriter::new(&key, ISSUER, set.as_bytes(), to, [8; 16], T0);
    assert_eq!(
        writer.push(change(1), &mut rng(1)),
        Err(CourierError::ShareNeeded)
    );
}

#[test]
fn every_byte_counts() {
    for (file, is_answer) in [
        (request(&[item(10)]), false),
        (answer(&all_records()), true),
    ] {
        let read = |bytes: &[u8]| {
            if is_answer {
                read_answer(bytes, Some(&share())).err()
            } else {
                read_request(bytes).err()
            }
        };
        assert!(read(&file).is_none());
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_some(), "byte {at}");
            assert!(read(&file[..at]).is_some(), "cut after {at}");
        }
        assert_eq!(
            read(&[file.as_slice(), &file[8..]].concat()),
            Some(CourierError::Trailing)
        );
    }
}

#[test]
fn chunks_out_of_order_of_two_packs_or_missing_are_refused() {
    let items: Vec<_> = (0..50).map(|n| item(60_000 + n)).collect();
    let parts = chunks(&request(&items)).unwrap();
    assert!(parts.len() >= 3);
    let read = |order: &[usize]| {
        let mut reader = RequestReader::new();
        for n in order {
            reader.read(&parts[*n], &sealing())?;
        }
        reader.end().map(drop)
    };
    assert_eq!(read(&[1]), Err(CourierError::Order));
    assert_eq!(read(&[0, 2]), Err(CourierError::Order));
    assert_eq!(read(&[0, 0]), Err(CourierError::Order));
    assert_eq!(read(&[0, 1]), Err(CourierError::Truncated));
    assert_eq!(read(&[]), Err(CourierError::Truncated));
}

#[test]
fn others_packs_are_refused() {
    let file = answer(&all_records());
    let stranger = WorkstationKeys::generate(&mut rng(6));
    let mut reader = reader();
    let first = &chunks(&file).unwrap()[0];
    let error = reader.read(first, &stranger, None).unwrap_err();
    assert_eq!(error.code(), "courier-other-device");
    let mut other = AnswerReader::new(key_set(), PublicKey::of(&grant_key()));
    assert_eq!(other.check(first).unwrap_err().code(), "courier-signer");

    // The two directions are not each other's.
    let request = &chunks(&request(&[])).unwrap()[0];
    assert_eq!(self::reader().check(request), Err(CourierError::Direction));
    assert_eq!(
        RequestReader::new().read(first, &sealing()).unwrap_err(),
        CourierError::Direction
    );
}

/// A chunk by a true signer with a content of the test's choice.
fn crafted(chunk: &Chunk) -> Vec<u8> {
    let key = grant_key();
    let header = Header::new(
        content_type::COURIER_CHUNK,
        &key,
        ISSUER,
        &subject(&PACK),
        T0,
    );
    cose::sign(&header, &chunk.payload(), &key)
}

#[test]
fn bombs_and_misplaced_records_are_refused() {
    let place = Place {
        pack: PACK,
        direction: Direction::Answer,
        n: 0,
        is_final: true,
    };
    let to = keys().device_x25519_public();
    let set = Some(key_set().as_bytes().to_vec());
    // A gigabyte in a few kilobytes.
    let bomb = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 3).unwrap();
    assert!(bomb.len() < 64 * 1024);
    let chunk = Chunk::seal_raw(place, &bomb, &to, None, set.clone(), &mut rng(1)).unwrap();
    let error = reader().read(&crafted(&chunk), &keys(), None).unwrap_err();
    assert_eq!(error, CourierError::Compression);
    // Patient data without the share.
    let records = vec![change(1).encode()];
    let chunk = Chunk::seal(place, records, &to, None, set.clone(), &mut rng(1)).unwrap();
    let error = reader().read(&crafted(&chunk), &keys(), None).unwrap_err();
    assert_eq!(error, CourierError::ShareNeeded);
    // A record that nobody knows.
    let records = vec![Value::Array(vec!["order".into(), Value::map([])])];
    let chunk = Chunk::seal(place, records, &to, None, set, &mut rng(1)).unwrap();
    let error = reader().read(&crafted(&chunk), &keys(), None).unwrap_err();
    assert_eq!(error.code(), "courier-malformed");
    // A length that promises more than a chunk may have.
    let mut frames = Frames::new();
    frames.push(b"IBPACK1\n\xff\xff\xff\xff");
    assert_eq!(frames.next_chunk(), Err(CourierError::TooLarge));
    assert_eq!(
        frame(&vec![0; MAX_CHUNK_BYTES], false),
        Err(CourierError::TooLarge)
    );
    assert_eq!(Frames::new().end(), Err(CourierError::Truncated));
    assert!(cbor::encode(&change(MAX_PLAIN_BYTES).encode()).len() > MAX_PLAIN_BYTES);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = chunks(&bytes);
        let _ = RequestReader::new().read(&bytes, &sealing());
        let _ = reader().check(&bytes);
        let _ = claim(&bytes);
    }

    #[test]
    fn whatever_is_packed_is_read(sizes in prop::collection::vec(0usize..5000, 0..20)) {
        let items: Vec<_> = sizes.into_iter().map(item).collect();
        prop_assert_eq!(&read_request(&request(&items)).unwrap()[1..], &items[..]);
    }
}
