//! Tests of the client that faults play with a seed or a file system of their own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::Result;

/// The programs that are played.
const NAMES: [&str; 2] = ["registration", "world"];

/// The program of a test, built when it is missing.
pub(crate) fn program(name: &str) -> Result<&'static Path> {
    static PROGRAMS: OnceLock<HashMap<&str, PathBuf>> = OnceLock::new();
    let programs = if let Some(known) = PROGRAMS.get() {
        known
    } else {
        let built = build()?;
        PROGRAMS.get_or_init(|| built)
    };
    let found = programs.get(name).map(PathBuf::as_path);
    Ok(found.ok_or_else(|| format!("no program of the test {name}"))?)
}

fn build() -> Result<HashMap<&'static str, PathBuf>> {
    let mut build = Command::new("cargo");
    build.args(["test", "--workspace", "--no-run"]);
    for name in NAMES {
        build.args(["--test", name]);
    }
    build
        .arg("--message-format=json")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .stdin(Stdio::null());
    let output = build.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| {
            let target = message["target"]["name"].as_str()?;
            let name = NAMES.into_iter().find(|name| *name == target)?;
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect())
}
