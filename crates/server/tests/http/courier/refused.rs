//! Packs that are refused: nothing of them is acted on.

use std::time::Duration;

use futures::StreamExt as _;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeS, Serializable as _};
use infoblood_agreement::cbor::{self, Value};
use infoblood_agreement::cose::{self, Header, content_type};
use infoblood_agreement::courier::{ItemState, MAX_CHUNK_BYTES, RequestRecord};
use infoblood_agreement::keys::kid_x25519;
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::sealed::{Kind, item_id};
use infoblood_agreement::statement::Decision;
use infoblood_server::clock::rng;
use infoblood_server::service::courier::Intake;
use infoblood_server::storage::Database as _;
use reqwest::Response;

use super::{MEDIA_TYPE, PACK, chunks, framed, head, later};
use crate::common::{T0, Workstation, World, problem};

/// A pack of two chunks: an enrolment first, then padding that nobody opens.
async fn two_chunks(world: &World) -> (Workstation, Vec<u8>) {
    let person = world.person("a", "A").await;
    let mut records = vec![
        RequestRecord::Head(head(&person)),
        world.sealed(Kind::Enrolment, &person.enrolment()),
    ];
    for n in 0..30_u8 {
        let mut sealed = vec![n; 60_000];
        sealed[0] = 0xff;
        records.push(RequestRecord::Item {
            id: item_id(&[n]),
            sealed,
        });
    }
    let pack = world.pack_of(&person, records);
    assert_eq!(chunks(&pack).len(), 2);
    (person, pack)
}

async fn refused(world: &World, pack: Vec<u8>) -> (u16, String) {
    let (status, code, _) = problem(world.courier(pack).await).await;
    (status, code)
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn cut_reordered_and_flipped_packs_change_nothing() {
    let world = World::new(DeviceApproval::Auto).await;
    let (person, pack) = two_chunks(&world).await;
    let other = world.person("b", "A").await;
    let facts = world.facts(&person).await;
    let parts = chunks(&pack);
    let malformed = is(400, "courier-malformed");
    let truncated = is(400, "courier-truncated");

    assert_eq!(refused(&world, Vec::new()).await, truncated);
    assert_eq!(refused(&world, pack[..4].to_vec()).await, truncated);
    assert_eq!(refused(&world, b"IBPACK2\nxxxx".to_vec()).await, malformed);
    let cut = pack[..pack.len() - 1].to_vec();
    assert_eq!(refused(&world, cut).await, truncated);
    let without_last = framed(&parts[..1]);
    assert_eq!(refused(&world, without_last).await, truncated);
    let reversed = framed(parts.iter().rev());
    assert_eq!(refused(&world, reversed).await, malformed);
    let repeated = framed([&parts[0], &parts[0], &parts[1]]);
    assert_eq!(refused(&world, repeated).await, malformed);
    let trailing = framed([&parts[0], &parts[1], &parts[1]]);
    assert_eq!(refused(&world, trailing).await, malformed);
    for chunk in 0..parts.len() {
        for at in [40, parts[chunk].len() / 2, parts[chunk].len() - 1] {
            let mut flipped = parts.clone();
            flipped[chunk][at] ^= 1;
            let (status, code) = refused(&world, framed(&flipped)).await;
            assert_eq!(status, 400, "{chunk} {at}");
            assert!(code.starts_with("courier-"), "{code}");
        }
    }
    // Of another device in the middle.
    let foreign = world.pack_of(&other, vec![RequestRecord::Head(head(&other))]);
    let mixed = framed([&parts[0], &chunks(&foreign)[0]]);
    assert_eq!(refused(&world, mixed).await, is(400, "courier-signer"));

    assert_eq!(world.facts(&person).await, facts);
    let answer = world.answered(&person, pack).await;
    assert_eq!(answer.items.len(), 31);
    assert_ne!(world.facts(&person).await, facts, "whole, it counts");
}

#[tokio::test]
async fn what_is_too_large_or_a_bomb_is_refused_before_anything_is_done() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.person("a", "A").await;
    let facts = world.facts(&person).await;
    let too_large = is(413, "courier-too-large");

    let mut frame = b"IBPACK1\n".to_vec();
    frame.extend((MAX_CHUNK_BYTES as u32).to_be_bytes());
    frame.extend([0; 64]);
    assert_eq!(refused(&world, frame).await, too_large);

    // Far more than a chunk may hold once it is decompressed, in a chunk that is signed rightly.
    let bomb = zstd_bomb(&world, &person);
    assert!(bomb.len() < 100_000);
    assert_eq!(refused(&world, bomb).await, is(400, "courier-malformed"));

    // Items that are nothing but zeros: small on the wire, 70 MiB unpacked.
    let mut records = vec![
        RequestRecord::Head(head(&person)),
        world.sealed(Kind::Enrolment, &person.enrolment()),
    ];
    for n in 0..80_u8 {
        records.push(RequestRecord::Item {
            id: item_id(&[n]),
            sealed: vec![0; 900_000],
        });
    }
    let pack = world.pack_of(&person, records);
    assert!(pack.len() < 1_000_000, "{}", pack.len());
    assert_eq!(refused(&world, pack).await, too_large);
    assert_eq!(world.facts(&person).await, facts);
}

/// One chunk, signed and sealed rightly, whose content is 64 MiB of zeros.
fn zstd_bomb(world: &World, person: &Workstation) -> Vec<u8> {
    let place = cbor::encode(&Value::Array(vec![
        PACK.into(),
        "request".into(),
        0_u64.into(),
        true.into(),
    ]));
    let info = [b"infoblood/courier/v1".as_slice(), &place].concat();
    let content = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 3).unwrap();
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&world.sealing_key()).unwrap();
    let (enc, sealed) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            &info,
            &content,
            &[],
            &mut rng().unwrap(),
        )
        .unwrap();
    let payload = cbor::encode(&Value::map([
        (1, PACK.into()),
        (2, "request".into()),
        (3, 0_u64.into()),
        (4, true.into()),
        (5, enc.to_bytes().as_slice().into()),
        (6, sealed.into()),
        (7, kid_x25519(&world.sealing_key()).into()),
        (8, false.into()),
        (9, person.device.verifying_key().to_bytes().into()),
    ]));
    let header = Header::new(
        content_type::COURIER_CHUNK,
        &person.device,
        &format!("urn:infoblood:device:{}", person.device_id()),
        &format!("urn:infoblood:courier:{}", hex::encode(PACK)),
        T0,
    );
    framed([&cose::sign(&header, &payload, &person.device)])
}

#[tokio::test]
async fn the_whole_pack_has_a_limit() {
    let world = World::new(DeviceApproval::Auto).await;
    let (_, pack) = two_chunks(&world).await;
    let mut intake = Intake::new(&world.context.keys.sealing).unwrap();
    intake.push(&pack[..pack.len() - 10]).await.unwrap();
    // Before anything in it is looked at.
    let problem = intake.push(&vec![0; 64 * 1024 * 1024]).await.unwrap_err();
    assert_eq!((problem.status, problem.code), (413, "courier-too-large"));
}

#[tokio::test]
async fn records_stand_where_they_belong() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.person("a", "A").await;
    let enrolment = world.sealed(Kind::Enrolment, &person.enrolment());
    let request = RequestRecord::Head(head(&person));
    let mut bad_id = enrolment.clone();
    if let RequestRecord::Item { id, .. } = &mut bad_id {
        *id = "A".repeat(64);
    }
    let mut weak = head(&person);
    weak.device_x25519 = [0; 32];
    let mut many = head(&person);
    many.people = vec!["00".repeat(16); 1_001];
    for (what, records, status) in [
        ("no head", vec![enrolment.clone()], 400),
        ("nothing", vec![], 400),
        ("head last", vec![enrolment.clone(), request.clone()], 400),
        ("two heads", vec![request.clone(), request.clone()], 400),
        ("id", vec![request.clone(), bad_id], 400),
        ("weak key", vec![RequestRecord::Head(weak)], 400),
        ("people", vec![RequestRecord::Head(many)], 413),
    ] {
        let pack = world.pack_of(&person, records);
        assert_eq!(refused(&world, pack).await.0, status, "{what}");
    }
    assert_eq!(world.facts(&person).await.1, 0, "no device was registered");
    // An answer is no request.
    let answer = world
        .courier(world.pack_of(&person, vec![request]))
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(
        refused(&world, answer.to_vec()).await,
        is(400, "courier-direction")
    );
}

#[tokio::test]
async fn media_types_and_methods() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.person("a", "A").await;
    let pack = world.pack(&person, &[]);
    for (kind, status) in [
        (MEDIA_TYPE, 200),
        ("application/octet-stream", 200),
        ("application/cose", 415),
    ] {
        let response = world
            .http
            .post(world.url("/v1/courier"))
            .header("content-type", kind)
            .body(pack.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{kind}");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    let (status, code, _) = problem(world.get("/v1/courier", None).await).await;
    assert_eq!((status, code.as_str()), (405, "method-not-allowed"));
}

#[tokio::test]
async fn a_database_that_is_held_elsewhere_leaves_nothing_half_done() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.person("a", "A").await;
    let items = [
        (Kind::Enrolment, person.enrolment()),
        (Kind::Acceptance, person.decide(Decision::Accepted, T0)),
        (Kind::AuditEvent, person.audit_event()),
    ];
    let facts = world.facts(&person).await;
    let held = world.context.database.write().await.unwrap();
    let response = world.courier(world.pack(&person, &items)).await;
    assert!(response.headers().contains_key("retry-after"));
    let (status, code, _) = problem(response).await;
    assert_eq!((status, code.as_str()), (503, "storage-unavailable"));
    drop(held);
    assert_eq!(world.facts(&person).await, facts);

    // It comes back while the pack is at work: what was not taken waits, and nothing else.
    let held = world.context.database.write().await.unwrap();
    let sending = world.courier(world.pack(&person, &items));
    let freeing = async {
        tokio::time::sleep(Duration::from_millis(5_500)).await;
        drop(held);
    };
    let (response, ()) = tokio::join!(sending, freeing);
    assert_eq!(response.status(), 200);
    let body = response.bytes().await.unwrap();
    let answer = world.read(&person, &body).await;
    for (_, plain) in &items {
        assert_eq!(answer.items[&item_id(plain)], later("storage-unavailable"));
    }
    assert!(answer.receipts.is_empty() && answer.is_without_rights());

    let answer = world.answered(&person, world.pack(&person, &items)).await;
    assert_eq!(answer.receipts.len(), 2);
    assert_eq!(answer.grants.len(), 1);
}

/// Signed rightly, and a failure of the store every time, or nothing that a store takes.
#[tokio::test]
async fn an_event_that_cannot_be_stored_holds_no_other() {
    let world = World::new(DeviceApproval::Auto).await;
    let mut person = world.accepted("a", "A").await;
    let (first, second) = (person.audit_event(), person.audit_event());
    world.damage_after(&person.device_id(), 2).await;
    (person.audit_sequence, person.audit_previous) = (3, Some([9; 32]));
    let fourth = person.audit_event();
    let forged = person.forged_event(u64::MAX, "Patient/d-1");
    let events = [&first, &second, &fourth, &forged];
    let items = events.map(|event| (Kind::AuditEvent, event.clone()));
    let answer = world.answered(&person, world.pack(&person, &items)).await;
    let state = |event: &Vec<u8>| &answer.items[&item_id(event)];
    for event in [&first, &fourth] {
        assert_eq!(state(event), &ItemState::Stored);
    }
    let waits = state(&second);
    assert!(matches!(waits, ItemState::Later { .. }), "{waits:?}");
    let refused = state(&forged);
    assert!(matches!(refused, ItemState::Rejected { .. }), "{refused:?}");
}

#[tokio::test]
async fn so_many_at_once_and_no_more() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.person("a", "A").await;
    let pack = world.pack(&person, &[]);
    // Each begins, and does not go on.
    let begun = pack[..20].to_vec();
    let waiting: Vec<_> = (0..16)
        .map(|_| {
            let (http, url) = (world.http.clone(), world.url("/v1/courier"));
            let begun = begun.clone();
            tokio::spawn(async move {
                // Refused while the question below has its turn: once more.
                loop {
                    let first = futures::stream::iter([Ok::<_, std::io::Error>(begun.clone())]);
                    let body = reqwest::Body::wrap_stream(first.chain(futures::stream::pending()));
                    let request = http.post(&url).header("content-type", MEDIA_TYPE);
                    let _ = request.body(body).send().await;
                }
            })
        })
        .collect();
    let refused = until(&world, &pack, 429).await;
    assert!(refused.headers().contains_key("retry-after"));
    let (_, code, _) = problem(refused).await;
    assert_eq!(code, "too-many-requests");
    for one in waiting {
        one.abort();
    }
    // Who left takes no turn.
    until(&world, &pack, 200).await;
}

/// Sends until it is answered so: connections come and go in their own time.
async fn until(world: &World, pack: &[u8], status: u16) -> Response {
    for _ in 0..200 {
        let response = world.courier(pack.to_vec()).await;
        if response.status() == status {
            return response;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never {status}")
}
