//! The program: reads its arguments and opens the window.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Info Blood: the clinician's window.
#[derive(Parser)]
#[command(name = "infoblood", version)]
struct Arguments {
    /// Where this workstation keeps its encrypted databases (default: the system's own place for application data).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The site profile to use (default: the one chosen earlier, then the machine-wide one).
    #[arg(long, value_name = "FILE")]
    site_profile: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments {
        data_dir,
        site_profile,
    } = Arguments::parse();
    infoblood::run(infoblood::Options {
        data_dir,
        site_profile,
    })
}
