//! The store alone: the same batches into an encrypted and into a plain one.

use std::time::Duration;

use infoblood_client::measure::Store;

use crate::{
    data::Batches,
    measured::{Line, Result, Times, Watch},
};

/// As the workstation applies them.
const BATCH: usize = 1_000;

/// What one filling took.
#[derive(Clone, Default)]
struct Filled {
    seconds: f64,
    processor: f64,
    /// Of the thread that took most: the one that writes.
    busiest: f64,
    batches: Times,
}

pub(crate) async fn compare(records: u64) -> Result<Vec<Line>> {
    let plain = fill(records, None).await?;
    let encrypted = fill(records, Some(&[7; 32])).await?;
    let mut lines = Vec::new();
    for (name, mut filled) in
        [("encrypted", &encrypted), ("plain", &plain)].map(|(name, filled)| (name, filled.clone()))
    {
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
    lines.push(Line::new(
        "filling, encrypted over plain: time, processor time",
        format!(
            "{:.2}×, {:.2}×",
            encrypted.seconds / plain.seconds,
            encrypted.processor / plain.processor
        ),
        "at most 1.3×",
    ));
    Ok(lines)
}

/// Fills an empty store; making the records is not counted.
async fn fill(records: u64, key: Option<&[u8; 32]>) -> Result<Filled> {
    let dir = tempfile::tempdir()?;
    let mut store = Store::open(&dir.path().join("patients.db"), key).await?;
    let mut batches = Batches::of_records(records)?;
    let mut filled = Filled::default();
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
