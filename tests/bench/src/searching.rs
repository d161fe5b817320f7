//! Searches in stores of two sizes, encrypted and plain.

use std::time::Instant;

use infoblood_client::{Search, measure::Store};
use infoblood_clinical::{
    blood::BloodGroup,
    donor::DeferralState,
    fhir::{Record, Resource, system},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::{
    data::{Batches, TODAY},
    measured::{Line, Result, Times},
};

const ROWS: u32 = 20;
/// Searches of one kind.
const RUNS: usize = 2_000;

/// What people look for, taken from those who are there.
struct Sample {
    iin: String,
    family: String,
    given: String,
}

pub(crate) async fn compare(sizes: &[u64]) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut before: Vec<f64> = Vec::new();
    for &donors in sizes {
        let plain = measure(donors, None).await?;
        let encrypted = measure(donors, Some(&[7; 32])).await?;
        let mut now = Vec::new();
        for (at, (kind, target, mut times)) in encrypted.into_iter().enumerate() {
            let (half, most) = (times.permille(500), times.permille(990));
            let mut plain = plain
                .iter()
                .map(|(_, _, times)| times.clone())
                .nth(at)
                .unwrap_or_default();
            let growth = before
                .get(at)
                .map(|before| format!(", {:.1}× of {}", most / before, sizes[0]))
                .unwrap_or_default();
            lines.push(Line::new(
                format!("{donors} donors: {kind}"),
                format!(
                    "p50 {half:.2}, p99 {most:.2} ms, plain p99 {:.2} ms{growth}",
                    plain.permille(990)
                ),
                target,
            ));
            now.push(most);
        }
        before = now;
    }
    Ok(lines)
}

type Kind = (&'static str, &'static str, Times);

async fn measure(donors: u64, key: Option<&[u8; 32]>) -> Result<Vec<Kind>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("patients.db");
    let mut store = Store::open(&path, key).await?;
    let mut batches = Batches::of_donors(donors)?;
    let mut samples = Vec::new();
    let mut random = ChaCha20Rng::seed_from_u64(11);
    let started = Instant::now();
    while let Some(lines) = batches.next(2_000)? {
        let take = lines.lines().enumerate().filter(|(at, _)| at % 200 == 0);
        for (_, line) in take {
            samples.extend(sample(line));
        }
        store.apply(lines.as_bytes()).await?;
    }
    store.close().await?;
    let size = std::fs::metadata(&path)?.len() / 1_048_576;
    println!(
        "search: {donors} donors in {:.0} s, {size} MiB",
        started.elapsed().as_secs_f64()
    );
    let mut store = Store::open(&path, key).await?;
    let mut kinds = Vec::new();
    for (kind, target) in [
        ("IIN", "p99 at most 0.3 ms"),
        ("beginning of a name, 2 letters", "p99 at most 3 ms"),
        ("beginning of a name, 4 letters", "p99 at most 3 ms"),
        ("text of two words", "p99 at most 5 ms"),
        ("text of two words and a group", "p99 at most 5 ms"),
        ("who is deferred, by group", ""),
        ("everybody", ""),
    ] {
        let mut times = Times::default();
        for run in 0..RUNS + RUNS / 10 {
            let at = random.next_u64() as usize % samples.len();
            let search = question(kind, &samples[at], random.next_u32());
            let started = Instant::now();
            let page = store.search(search, ROWS, TODAY).await?;
            if run >= RUNS / 10 {
                times.push(started.elapsed());
            }
            if page.rows.is_empty() && kind == "IIN" {
                return Err("somebody was not found".into());
            }
        }
        kinds.push((kind, target, times));
    }
    store.close().await?;
    Ok(kinds)
}

fn sample(line: &str) -> Option<Sample> {
    let json = line.split_once("\"resource\":")?.1.strip_suffix('}')?;
    let Resource::Patient(patient) = Record::parse_line(json.as_bytes()).ok()?.resource else {
        return None;
    };
    if patient.is_recipient() {
        return None;
    }
    let name = patient.official_name()?;
    Some(Sample {
        iin: patient
            .identifier
            .iter()
            .find(|identifier| identifier.system.as_deref() == Some(system::IIN))?
            .value
            .clone()?,
        family: name.family.clone()?,
        given: name.given.first()?.clone(),
    })
}

fn question(kind: &str, sample: &Sample, random: u32) -> Search {
    let begin = |text: &str, letters: usize| text.chars().take(letters).collect::<String>();
    let group = ["O-", "O+", "A-", "A+", "B-", "B+", "AB-", "AB+"][random as usize % 8];
    let is_given = random.is_multiple_of(2);
    let name = if is_given {
        &sample.given
    } else {
        &sample.family
    };
    let mut search = Search::default();
    match kind {
        "IIN" => search.text.clone_from(&sample.iin),
        "beginning of a name, 2 letters" => search.text = begin(name, 2),
        "beginning of a name, 4 letters" => search.text = begin(name, 4),
        "text of two words" => {
            search.text = format!("{} {}", begin(&sample.given, 3), begin(&sample.family, 4));
        }
        "text of two words and a group" => {
            search.text = format!("{} {}", begin(&sample.family, 3), begin(&sample.given, 2));
            search.blood = BloodGroup::from_code(group);
        }
        "who is deferred, by group" => {
            search.blood = BloodGroup::from_code(group);
            search.deferral = Some(DeferralState::Permanent);
        }
        _ => {}
    }
    search
}
