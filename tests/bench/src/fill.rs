//! The store alone: the same batches into an encrypted and into a plain one.

use std::time::Instant;

use infoblood_client::measure::Store;

use crate::{
    data::Batches,
    measured::{Line, Result, Times, Watch},
};

/// As the workstation applies them.
const BATCH: usize = 1_000;

pub(crate) async fn compare(records: u64) -> Result<Vec<Line>> {
    let (plain, mut first) = fill(records, None).await?;
    let (encrypted, mut second) = fill(records, Some(&[7; 32])).await?;
    let rate = |seconds: f64| format!("{:.0}/s", records as f64 / seconds);
    Ok(vec![
        Line::new(
            format!("store alone, {records} records, encrypted"),
            rate(encrypted),
            "",
        ),
        Line::new(
            format!("store alone, {records} records, plain"),
            rate(plain),
            "",
        ),
        Line::new(
            "filling: encrypted over plain",
            format!("{:.2}×", encrypted / plain),
            "at most 1.3×",
        ),
        Line::new(
            "one transaction of 1,000: p50, p99, encrypted",
            format!(
                "{:.0} ms, {:.0} ms",
                second.permille(500),
                second.permille(990)
            ),
            "",
        ),
        Line::new(
            "one transaction of 1,000: p50, p99, plain",
            format!(
                "{:.0} ms, {:.0} ms",
                first.permille(500),
                first.permille(990)
            ),
            "",
        ),
    ])
}

/// Seconds in the store, and the times of its transactions.
async fn fill(records: u64, key: Option<&[u8; 32]>) -> Result<(f64, Times)> {
    let dir = tempfile::tempdir()?;
    let mut store = Store::open(&dir.path().join("patients.db"), key).await?;
    let mut batches = Batches::of_records(records)?;
    let (mut seconds, mut times, mut processor) = (0.0, Times::default(), 0.0);
    while let Some(lines) = batches.next(BATCH)? {
        let (started, watch) = (Instant::now(), Watch::start());
        store.apply(lines.as_bytes()).await?;
        processor += watch.processor();
        seconds += started.elapsed().as_secs_f64();
        times.push(started.elapsed());
    }
    println!(
        "store: {records} records, {}: {seconds:.1} s, {processor:.1} s of processor",
        if key.is_some() { "encrypted" } else { "plain" }
    );
    store.close().await?;
    Ok((seconds, times))
}
