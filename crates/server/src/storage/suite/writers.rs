//! Many writers at once, and readers of the feed who are cut at random and resume.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::super::*;
use super::{resource, site};

const WRITERS: u64 = 8;
const TRANSACTIONS: u64 = 30;
const READERS: u64 = 4;
/// Resources that everybody overwrites and deletes.
const SHARED: u64 = 12;

type Key = (String, String);

/// Takes two openings of one empty database, as of two processes.
pub(in super::super) async fn many_writers<D: Database>(databases: [D; 2]) {
    let mut tx = databases[0].write().await.unwrap();
    for code in ["A", "B"] {
        tx.add_site(&site(code)).await.unwrap();
    }
    tx.commit().await.unwrap();

    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let database = databases[(n % 2) as usize].clone();
            let stream = if n < 2 { Stream::All } else { Stream::Safety };
            tokio::spawn(read(database, stream, n, Arc::clone(&ended)))
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(write(databases[(n % 2) as usize].clone(), n)))
        .collect();
    let mut own: Vec<Key> = Vec::new();
    for writer in writers {
        own.extend(writer.await.unwrap());
    }
    ended.store(true, Ordering::SeqCst);

    for (n, reader) in readers.into_iter().enumerate() {
        let stream = if n < 2 { Stream::All } else { Stream::Safety };
        let (seen, held) = reader.await.unwrap();
        for key in &own {
            assert_eq!(
                seen.get(key),
                Some(&1),
                "written once, seen once by reader {n}: {key:?}"
            );
        }
        let mut tx = databases[0].read().await.unwrap();
        let all = tx.changes("A", stream, 0, u32::MAX).await.unwrap();
        drop(tx);
        let truth: BTreeMap<_, _> = all
            .into_iter()
            .filter_map(|change| Some(((change.kind, change.id), change.body?)))
            .collect();
        assert_eq!(held, truth, "reader {n} holds what the database holds");
    }
}

/// Writes resources of its own once each, and the shared ones again and again; some transactions are given up.
async fn write<D: Database>(database: D, writer: u64) -> Vec<Key> {
    let mut chance = ChaCha20Rng::seed_from_u64(writer);
    let mut own = Vec::new();
    for n in 0..TRANSACTIONS {
        let mut tx = loop {
            // With so many in the queue some wait longer than a request would.
            match database.write().await {
                Ok(tx) => break tx,
                Err(StorageError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        };
        let mine = resource(&format!("own-{writer}-{n}"), "A", true, false);
        let key = (mine.kind.clone(), mine.id.clone());
        let shared = |chance: &mut ChaCha20Rng| format!("shared-{}", chance.next_u64() % SHARED);
        let mut one = resource(&shared(&mut chance), "A", true, true);
        one.body = format!("{{\"by\":\"{writer}-{n}\"}}");
        let elsewhere = resource(&format!("other-{writer}-{n}"), "B", false, false);
        tx.put_resources(&[one, mine, elsewhere]).await.unwrap();
        tokio::task::yield_now().await;
        if chance.next_u64().is_multiple_of(3) {
            tx.delete_resource("Flag", &shared(&mut chance))
                .await
                .unwrap();
        }
        if chance.next_u64().is_multiple_of(5) {
            drop(tx);
        } else {
            tx.commit().await.unwrap();
            own.push(key);
        }
    }
    own
}

/// Reads page after page, loses the rest of some, and goes on from the last change that arrived, until the writers have
/// ended and a page is empty. Returns how often each resource came, and what is there in the end.
async fn read<D: Database>(
    database: D,
    stream: Stream,
    reader: u64,
    ended: Arc<AtomicBool>,
) -> (BTreeMap<Key, u32>, BTreeMap<Key, String>) {
    let mut chance = ChaCha20Rng::seed_from_u64(1_000 + reader);
    let (mut seen, mut held) = (BTreeMap::new(), BTreeMap::new());
    let mut cursor = 0;
    loop {
        let last = ended.load(Ordering::SeqCst);
        let mut tx = database.read().await.unwrap();
        let head = tx.feed_head().await.unwrap();
        let mut page = tx.changes("A", stream, cursor, 7).await.unwrap();
        drop(tx);
        let whole = page.len() < 7;
        if last && page.is_empty() {
            return (seen, held);
        }
        let cut = chance.next_u64().is_multiple_of(2);
        if cut {
            page.truncate((chance.next_u64() % 8) as usize);
        }
        for change in page {
            assert!(change.sequence > cursor && change.sequence <= head.sequence);
            cursor = change.sequence;
            let key = (change.kind, change.id);
            *seen.entry(key.clone()).or_insert(0) += 1;
            match change.body {
                Some(body) => held.insert(key, body),
                None => held.remove(&key),
            };
        }
        if whole && !cut {
            // As the service answers: a whole last page goes on from the head.
            cursor = head.sequence;
        }
        tokio::task::yield_now().await;
    }
}
