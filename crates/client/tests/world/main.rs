//! A simulated world: several clients and one server on a network that loses, doubles, delays, reorders and changes messages, with
//! crashes of both, partitions, clocks that jump and courier files that are damaged, doubled and brought to the wrong place. Everything follows from a seed; an oracle looks after every step.
//!
//! The server is the real service on its real storage; the clients are the real engine and the real judgement of answers over a
//! modelled disk. `INFOBLOOD_SEED` plays one seed again, `INFOBLOOD_WORLD_MINUTES` goes on with fresh seeds for that long.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod chance;
mod client;
mod courier;
mod network;
mod play;
mod server;

use std::time::{Duration, Instant};

use play::{Counts, World};

const STEPS: u64 = 400;
const SEEDS: u64 = 16;

/// Says which seed it was when a world ends in a panic.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "the one thing to know")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world of INFOBLOOD_SEED={} broke", self.0);
        }
    }
}

async fn play(seed: u64) -> Counts {
    let _seed = Seed(seed);
    World::new(seed).await.play(STEPS).await
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "figures for docs/SECURITY.md")]
async fn nothing_acknowledged_is_lost_or_doubled_in_any_world() {
    if let Some(seed) = number("INFOBLOOD_SEED") {
        println!("{:?}", play(seed).await);
        return;
    }
    let minutes = number("INFOBLOOD_WORLD_MINUTES");
    let (mut all, mut worlds) = (Counts::default(), 0);
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    // Long runs take other seeds each time.
    let first = match minutes {
        Some(_) => u64::from(std::process::id()) << 32,
        None => 0,
    };
    while end.map_or(worlds < SEEDS, |end| Instant::now() < end) {
        let counts = play(first + worlds).await;
        worlds += 1;
        all.steps += counts.steps;
        all.told += counts.told;
        all.registered += counts.registered;
        all.audited += counts.audited;
        all.refused += counts.refused;
        all.client_deaths += counts.client_deaths;
        all.server_deaths += counts.server_deaths;
        all.lost += counts.lost;
        all.doubled += counts.doubled;
        all.changed += counts.changed;
        all.carried += counts.carried;
        all.answers += counts.answers;
        all.answers_refused += counts.answers_refused;
        all.files_damaged += counts.files_damaged;
        all.files_lost += counts.files_lost;
    }
    println!("{worlds} worlds: {all:?}");
    // The worlds are worth something only if all of it happens in them.
    for happened in [
        all.registered,
        all.audited,
        all.refused,
        all.client_deaths,
        all.server_deaths,
        all.lost,
        all.doubled,
        all.changed,
        all.carried,
        all.answers,
        all.answers_refused,
        all.files_damaged,
        all.files_lost,
    ] {
        assert!(happened > 0, "{all:?}");
    }
}

#[tokio::test]
async fn a_seed_is_a_world() {
    assert_eq!(play(7).await, play(7).await);
    assert_ne!(play(7).await, play(8).await);
}
