//! Figures, and how they are taken.

use std::{
    collections::HashMap,
    ffi::OsString,
    fmt,
    time::{Duration, Instant},
};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One line of the table.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) figure: String,
    pub(crate) target: &'static str,
}

impl Line {
    pub(crate) fn new(
        what: impl Into<String>,
        figure: impl Into<String>,
        target: &'static str,
    ) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            target,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:<58} {:>34}  {}",
            self.what, self.figure, self.target
        )
    }
}

/// Wall time and processor time of this process and of its threads since it began.
pub(crate) struct Watch {
    started: Instant,
    processor: f64,
    threads: HashMap<OsString, f64>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            processor: processor_seconds(),
            threads: thread_seconds(),
        }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn processor(&self) -> f64 {
        processor_seconds() - self.processor
    }

    /// Processor time of the thread that took most of it: no arrangement of the others makes it quicker.
    pub(crate) fn busiest(&self) -> f64 {
        thread_seconds()
            .into_iter()
            .map(|(thread, now)| now - self.threads.get(&thread).copied().unwrap_or(0.0))
            .fold(0.0, f64::max)
    }
}

/// User and system time of this process; 0 where there is no `/proc`.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    // Linux counts 100 a second for everybody who reads this file.
    ticks / 100.0
}

/// Processor time of every thread by its number; nothing where there is no `/proc`.
fn thread_seconds() -> HashMap<OsString, f64> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    tasks
        .flatten()
        .filter_map(|task| {
            let times = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            let nanoseconds: f64 = times.split_whitespace().next()?.parse().ok()?;
            Some((task.file_name(), nanoseconds / 1e9))
        })
        .collect()
}

/// Most memory of this process so far, in MiB; 0 where there is no `/proc`.
pub(crate) fn peak_memory() -> u64 {
    memory("VmHWM:")
}

/// Forgets the most memory so far; nothing where there is no `/proc`.
pub(crate) fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Memory of this process now, in MiB; 0 where there is no `/proc`.
pub(crate) fn memory_now() -> u64 {
    memory("VmRSS:")
}

fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

/// Times of many runs of one thing.
#[derive(Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that so many of 1,000 do not exceed, in milliseconds.
    pub(crate) fn permille(&mut self, permille: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * permille / 1_000).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}
