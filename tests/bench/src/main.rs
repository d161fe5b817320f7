//! What filling, searching and carrying the patient cache costs, with baselines in the same run: the same build without encryption, and what the
//! processor and the disk do at best.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod central;
mod courier;
mod data;
mod fill;
mod measured;
mod probe;
mod searching;

use std::process::ExitCode;

use clap::Parser;

use measured::{Line, Result};

/// Records that come with one donor of the synthetic centre.
const RECORDS_OF_A_DONOR: u64 = 26;

/// What is measured, and how much of it.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Records of a centre; for searching, of people alone
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Only this part
    #[arg(long, value_parser = ["probe", "feed", "store", "search", "courier"])]
    only: Option<String>,
}

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&Arguments::parse())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result {
    let is_wanted = |part: &str| arguments.only.as_deref().is_none_or(|only| only == part);
    println!("{} processors", std::thread::available_parallelism()?);
    let mut lines: Vec<Line> = Vec::new();
    if is_wanted("probe") {
        lines.extend(probe::run()?);
    }
    if is_wanted("feed") {
        lines.extend(central::fill(arguments.records).await?);
    }
    if is_wanted("store") {
        lines.extend(fill::compare(arguments.records).await?);
    }
    if is_wanted("search") {
        let small = (arguments.records / 10).max(10_000);
        lines.extend(searching::compare(&[small, arguments.records]).await?);
    }
    if is_wanted("courier") {
        lines.extend(courier::first_pack(arguments.records.div_ceil(RECORDS_OF_A_DONOR)).await?);
    }
    println!();
    for line in &lines {
        println!("{line}");
    }
    Ok(())
}
