//! Resources that move between sites and on and off the national list, and workstations of every site that read both streams.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::super::*;
use super::{resource, site};

const SITES: [&str; 3] = ["A", "B", "C"];
const STEPS: u64 = 400;
/// How many resources there are.
const MANY: u64 = 6;

/// Whose a resource is, whether everybody's, and its body.
type Truth = BTreeMap<String, (&'static str, bool, String)>;

/// One cache for both streams.
struct Workstation {
    site: &'static str,
    safety: u64,
    all: u64,
    held: BTreeMap<String, String>,
}

pub(super) async fn scopes<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    tx.add_site(&site("C")).await.unwrap();
    let start = tx.feed_head().await.unwrap().sequence;
    tx.commit().await.unwrap();
    one_by_one(database).await;
    for seed in 0..4 {
        random(database, seed, start).await;
    }
}

fn flag(id: &str, site: &str, is_national: bool) -> NewResource {
    resource(id, site, is_national, is_national)
}

/// What left is told once, where it was, at any size of a page, and not to whom it still belongs.
async fn one_by_one<D: Database>(database: &D) {
    let mut tx = database.write().await.unwrap();
    let start = tx.feed_head().await.unwrap().sequence;
    let batch = ["one-a", "one-b", "one-c"].map(|id| flag(id, "A", false));
    tx.put_resources(&batch).await.unwrap();
    tx.put_resources(&[flag("one-b", "B", false), flag("one-n", "B", true)])
        .await
        .unwrap();
    tx.put_resources(&[flag("one-d", "A", false), flag("one-n", "B", false)])
        .await
        .unwrap();
    for limit in [1, 2, 9] {
        for (site, stream, expected) in [
            (
                "A",
                Stream::All,
                &[
                    (1, "one-a", true),
                    (3, "one-c", true),
                    (4, "one-b", false),
                    (6, "one-d", true),
                ][..],
            ),
            ("B", Stream::All, &[(4, "one-b", true), (7, "one-n", true)]),
            ("C", Stream::All, &[]),
            ("A", Stream::Safety, &[(7, "one-n", false)]),
            ("B", Stream::Safety, &[]),
            ("C", Stream::Safety, &[(7, "one-n", false)]),
        ] {
            let (mut found, mut after) = (Vec::new(), start);
            loop {
                let page = tx.changes(site, stream, after, limit).await.unwrap();
                let Some(last) = page.last() else { break };
                assert!(page.len() <= limit as usize);
                after = last.sequence;
                found.extend(page);
            }
            let found: Vec<_> = found
                .iter()
                .map(|one| (one.sequence - start, one.id.as_str(), one.body.is_some()))
                .collect();
            assert_eq!(found, expected, "{site} {stream:?} {limit}");
        }
    }
    // It comes back, and nothing says that it left.
    tx.put_resources(&[flag("one-b", "A", false)])
        .await
        .unwrap();
    let all = tx.changes("A", Stream::All, start, 99).await.unwrap();
    assert!(all.iter().all(|one| one.body.is_some()), "{all:?}");
    let left = tx.changes("B", Stream::All, start + 7, 9).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].sequence, &left[0].body), (start + 8, &None));
    tx.raise_floor(start + 8).await.unwrap();
    let left = tx.changes("B", Stream::All, start + 7, 9).await.unwrap();
    assert_eq!(left, []);
    // Rolled back.
}

async fn random<D: Database>(database: &D, seed: u64, start: u64) {
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    let mut below = |n: u64| chance.next_u64() % n;
    let mut truth = Truth::new();
    let mut workstations = SITES.map(|site| Workstation {
        site,
        safety: start,
        all: start,
        held: BTreeMap::new(),
    });
    let id = |seed, n| format!("scope-{seed}-{n}");
    for step in 0..STEPS {
        match below(10) {
            0..4 => {
                let batch: Vec<_> = (0..=below(3))
                    .map(|n| {
                        let (id, site) = (id(seed, below(MANY)), SITES[below(3) as usize]);
                        let (safety, national) = (below(2) == 0, below(2) == 0);
                        let mut new = resource(&id, site, safety, national);
                        new.body = format!("{{\"id\":\"{id}\",\"step\":\"{step}-{n}\"}}");
                        truth.insert(id, (site, safety && national, new.body.clone()));
                        new
                    })
                    .collect();
                let mut tx = database.write().await.unwrap();
                tx.put_resources(&batch).await.unwrap();
                tx.commit().await.unwrap();
            }
            4 => {
                let id = id(seed, below(MANY));
                let mut tx = database.write().await.unwrap();
                tx.delete_resource("Flag", &id).await.unwrap();
                tx.commit().await.unwrap();
                truth.remove(&id);
            }
            5 if below(4) == 0 => {
                let mut tx = database.write().await.unwrap();
                let head = tx.feed_head().await.unwrap().sequence;
                let floor = head - below(6).min(head);
                tx.raise_floor(floor).await.unwrap();
                tx.commit().await.unwrap();
                for workstation in &mut workstations {
                    workstation.expire(floor);
                }
            }
            _ => {
                let stream = [Stream::Safety, Stream::All][below(2) as usize];
                let reader = &mut workstations[below(3) as usize];
                reader.read(database, stream, 1 + below(3) as u32).await;
            }
        }
        if step % 40 == 39 {
            for workstation in &mut workstations {
                workstation.finish(database, seed, &truth).await;
            }
        }
    }
}

impl Workstation {
    /// Cursors below the floor are too old: from the beginning, with nothing.
    fn expire(&mut self, floor: u64) {
        if self.safety.min(self.all) < floor {
            (self.safety, self.all) = (0, 0);
            self.held.clear();
        }
    }

    /// One page; whether that was the end.
    async fn read<D: Database>(&mut self, database: &D, stream: Stream, limit: u32) -> bool {
        let mut tx = database.read().await.unwrap();
        let head = tx.feed_head().await.unwrap();
        let cursor = match stream {
            Stream::Safety => &mut self.safety,
            Stream::All => &mut self.all,
        };
        let page = tx.changes(self.site, stream, *cursor, limit).await.unwrap();
        let is_end = page.len() < limit as usize;
        let sequences: BTreeSet<_> = page.iter().map(|change| change.sequence).collect();
        assert!(sequences.len() == page.len() && page.is_sorted_by_key(|one| one.sequence));
        assert!(sequences.iter().all(|sequence| sequence > cursor));
        *cursor = match page.last() {
            Some(last) if !is_end => last.sequence,
            _ => head.sequence,
        };
        for change in page {
            match change.body {
                Some(body) => self.held.insert(change.id, body),
                None => self.held.remove(&change.id),
            };
        }
        is_end
    }

    /// To the end of both streams: then it holds what is in its scope, and nothing else.
    async fn finish<D: Database>(&mut self, database: &D, seed: u64, truth: &Truth) {
        for stream in [Stream::Safety, Stream::All] {
            while !self.read(database, stream, 2).await {}
        }
        let ours = format!("scope-{seed}-");
        let held: BTreeMap<_, _> = self
            .held
            .iter()
            .filter(|(id, _)| id.starts_with(&ours))
            .collect();
        let expected: BTreeMap<_, _> = truth
            .iter()
            .filter(|(_, (site, national, _))| *site == self.site || *national)
            .map(|(id, (_, _, body))| (id, body))
            .collect();
        assert_eq!(held, expected, "seed {seed} at {}", self.site);
    }
}
