//! The store alone: the same batches into an encrypted and into a plain one.

use std::time::Duration;

use infoblood_client::measure::Store;

use crate::{
    data::Batches,
    measured::{Line, Result, Times, Watch},
};

/// As the workstation applies them.
const BATCH: usize = 1_000;

/// Fillings of each kind, in turn; the median is told, because what else the machine does meets some of them.
const ROUNDS: usize = 3;

/// What one filling took.
struct Filled {
    seconds: f64,
    processor: f64,
    /// Of the thread that took most: the one that writes.
    busiest: f64,
    batches: Times,
}

pub(crate) async fn compare(records: u64) -> Result<Vec<Line>> {
    let (mut encrypted, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plain.push(fill(records, None).await?);
        encrypted.push(fill(records, Some(&[7; 32])).await?);
    }
    let ratios = |of: fn(&Filled) -> f64| {
        let pairs = encrypted.iter().zip(&plain);
        let mut ratios: Vec<f64> = pairs.map(|(one, other)| of(one) / of(other)).collect();
        ratios.sort_by(f64::total_cmp);
        let [least, median, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| ratios[at]);
        format!("{median:.2}× ({least:.2} to {most:.2})")
    };
    let ratio = Line::new(
        "filling, encrypted over plain: time, processor time",
        format!(
            "{}, {}",
            ratios(|filled| filled.seconds),
            ratios(|filled| filled.processor)
        ),
        "at most 1.3×",
    );
    let mut lines = Vec::new();
    for (name, mut rounds) in [("encrypted", encrypted), ("plain", plain)] {
        rounds.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        let mut filled = rounds.swap_remove(ROUNDS / 2);
        let each = |seconds: f64| seconds / records as f64 * 1e6;
        lines.push(Line::new(
            format!("store alone, {records} records, {name}"),
            format!("{:.0}/s", records as f64 / filled.seconds),
            "",
        ));
        lines.push(Line::new(
            "its processor time; of the thread that writes",
            format!(
                "{:.1} µs, {:.1} µs a record",
                each(filled.processor),
                each(filled.busiest)
            ),
            "",
        ));
        lines.push(Line::new(
            "a batch of 1,000: p50, p99",
            format!(
                "{:.0} ms, {:.0} ms",
                filled.batches.permille(500),
                filled.batches.permille(990)
            ),
            "",
        ));
    }
    lines.push(ratio);
    Ok(lines)
}

/// Fills an empty store; making the records is not counted.
async fn fill(records: u64, key: Option<&[u8; 32]>) -> Result<Filled> {
    let dir = tempfile::tempdir()?;
    let mut store = Store::open(&dir.path().join("patients.db"), key).await?;
    let mut batches = Batches::of_records(records)?;
    let mut filled = Filled {
        seconds: 0.0,
        processor: 0.0,
        busiest: 0.0,
        batches: Times::default(),
    };
    while let Some(lines) = batches.next(BATCH)? {
        let watch = Watch::start();
        store.apply(lines.as_bytes()).await?;
        filled.seconds += watch.seconds();
        filled.processor += watch.processor();
        filled.busiest += watch.busiest();
        filled
            .batches
            .push(Duration::from_secs_f64(watch.seconds()));
    }
    store.close().await?;
    Ok(filled)
}
