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
    measured::{Line, Result, Times, Watch},
};

const ROWS: u32 = 20;
/// Searches of one kind in one round, and the first ones that do not count.
const RUNS: usize = 2_000;
const WARM: usize = 200;
/// Rounds of all kinds and stores: what else the machine does meets some of them, and the median is told.
const ROUNDS: usize = 7;

/// One line in so many is looked for, so that most searches of a person are the first one.
const SAMPLED: usize = 10;

/// Kinds of searches and what is asked of them. Names are asked for so that mostly a whole page answers in the smaller store too: what
/// grows is then the store, not the number of rows.
const KINDS: [(&str, &str); 7] = [
    ("IIN", "p99 at most 0.3 ms"),
    ("beginning of a name, 2 letters", "p99 at most 3 ms"),
    ("beginning of a name, 4 letters", "p99 at most 3 ms"),
    ("text of two words", "p99 at most 5 ms"),
    ("first letters of two words and a group", "p99 at most 5 ms"),
    ("who is deferred, by group", ""),
    ("everybody", ""),
];

/// What people look for, taken from those who are there.
struct Sample {
    iin: String,
    family: String,
    given: String,
}

/// A store with people in it, and what its rounds took.
struct Filled {
    records: u64,
    store: Store,
    samples: Vec<Sample>,
    random: ChaCha20Rng,
    /// By kind.
    taken: Vec<Taken>,
    /// Ends with it.
    _dir: tempfile::TempDir,
}

/// What the rounds of one kind took.
#[derive(Default)]
struct Taken {
    /// Of each round, in milliseconds.
    half: Vec<f64>,
    most: Vec<f64>,
    /// Processor time of all rounds, in milliseconds a search.
    processor: f64,
    /// Rows of a search, the mean of all rounds.
    rows: f64,
}

/// Stores of these sizes, the smaller first: a round asks all of them one after the other, so that they meet the same machine.
pub(crate) async fn compare(sizes: &[u64]) -> Result<Vec<Line>> {
    let mut stores = Vec::new();
    for &records in sizes {
        for key in [None, Some(&[7; 32])] {
            stores.push(Filled::new(records, key).await?);
        }
    }
    for _ in 0..ROUNDS {
        for at in 0..KINDS.len() {
            for store in &mut stores {
                store.round(at).await?;
            }
        }
    }
    let mut lines = Vec::new();
    for pair in stores.chunks(2) {
        let [plain, encrypted] = pair else { continue };
        for (at, (kind, target)) in KINDS.iter().enumerate() {
            let (taken, plain, before) = (&encrypted.taken[at], &plain.taken[at], &stores[1]);
            let growth = (encrypted.records != before.records).then(|| {
                let before_it = &before.taken[at];
                format!(
                    ", {:.1}× of {} (processor {:.1}×)",
                    median(&taken.most) / median(&before_it.most),
                    before.records,
                    taken.processor / before_it.processor
                )
            });
            lines.push(Line::new(
                format!("{} records: {kind}", encrypted.records),
                format!(
                    "{:.1} rows, p50 {:.2}, p99 {:.2} ms ({:.2} to {:.2}), processor {:.2} ms, plain p99 {:.2} ms, processor {:.2} ms{}",
                    taken.rows,
                    median(&taken.half),
                    median(&taken.most),
                    taken.most.iter().copied().fold(f64::INFINITY, f64::min),
                    taken.most.iter().copied().fold(0.0, f64::max),
                    taken.processor,
                    median(&plain.most),
                    plain.processor,
                    growth.unwrap_or_default()
                ),
                target,
            ));
        }
    }
    for store in stores {
        store.store.close().await?;
    }
    Ok(lines)
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

impl Filled {
    /// A store of so many records, opened anew.
    async fn new(records: u64, key: Option<&[u8; 32]>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("patients.db");
        let mut store = Store::open(&path, key).await?;
        let mut batches = Batches::of_people(records)?;
        let mut samples = Vec::new();
        let started = Instant::now();
        while let Some(lines) = batches.next(2_000)? {
            samples.extend(lines.lines().step_by(SAMPLED).filter_map(sample));
            store.apply(lines.as_bytes()).await?;
        }
        store.close().await?;
        let filled = started.elapsed().as_secs_f64();
        let size = std::fs::metadata(&path)?.len() / 1_048_576;
        let started = Instant::now();
        let mut store = Store::open(&path, key).await?;
        println!(
            "search: {records} records, {} donors, in {filled:.0} s, {size} MiB; opened in {:.2} s",
            store.search("", 1, TODAY).await?.total,
            started.elapsed().as_secs_f64()
        );
        Ok(Self {
            records,
            store,
            samples,
            random: ChaCha20Rng::seed_from_u64(11),
            taken: KINDS.iter().map(|_| Taken::default()).collect(),
            _dir: dir,
        })
    }

    /// One round of one kind.
    async fn round(&mut self, at: usize) -> Result {
        let ((kind, _), taken) = (KINDS[at], &mut self.taken[at]);
        let mut times = Times::default();
        let mut watch = Watch::start();
        let mut rows = 0;
        for run in 0..WARM + RUNS {
            if run == WARM {
                watch = Watch::start();
            }
            let who = self.random.next_u64() as usize % self.samples.len();
            let search = question(kind, &self.samples[who], self.random.next_u32());
            let started = Instant::now();
            let page = self.store.search(search, ROWS, TODAY).await?;
            if run >= WARM {
                times.push(started.elapsed());
                rows += page.rows.len();
            }
            if page.rows.is_empty() && kind == "IIN" {
                return Err("somebody was not found".into());
            }
        }
        taken.processor += watch.processor() * 1e3 / (RUNS * ROUNDS) as f64;
        taken.rows += rows as f64 / (RUNS * ROUNDS) as f64;
        taken.half.push(times.permille(500));
        taken.most.push(times.permille(990));
        Ok(())
    }
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
    let common = ["O+", "A+", "B+"][random as usize % 3];
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
        "first letters of two words and a group" => {
            search.text = format!("{} {}", begin(&sample.family, 1), begin(&sample.given, 1));
            search.blood = BloodGroup::from_code(common);
        }
        "who is deferred, by group" => {
            search.blood = BloodGroup::from_code(group);
            search.deferral = Some(DeferralState::Permanent);
        }
        _ => {}
    }
    search
}
