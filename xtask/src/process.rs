//! Running other programs, and saying what is being done.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why a command ended, in words for the person at the terminal, with the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Failure {
    /// A check failed (exit code 1).
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }

    /// The machine lacks something (exit code 3).
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 3,
        }
    }
}

/// Short for the result of a step.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// One line on the terminal. The reader may have gone (a closed pipe): that is no error of ours.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The program with its arguments, to be run in the repository's root.
pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// The cargo that runs us, without what it set for this package alone.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = command(program, arguments);
    forget_own(&mut command);
    command
}

/// Takes away what cargo set for this package alone: left in place it would change the fingerprints of build scripts that read it.
pub(crate) fn forget_own(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| {
            n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_") || n == "CARGO"
        }) {
            command.env_remove(&name);
        }
    }
}

/// Runs a step and says how long it took.
pub(crate) fn step(name: &str, command: &mut Command) -> Outcome {
    collect(name, command, |_| false).map(|_| ())
}

/// Runs a step, shows its output as it comes and returns the lines that `wanted` chooses.
pub(crate) fn collect(
    name: &str,
    command: &mut Command,
    wanted: impl Fn(&str) -> bool,
) -> Outcome<Vec<String>> {
    say(&format!("\n── {name}"));
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::environment(format!("{name}: cannot start: {error}")))?;
    let mut lines = Vec::new();
    if let Some(output) = child.stdout.take() {
        let mut reader = BufReader::new(output);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|read| read > 0)
        {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            say(&line);
            if wanted(&line) {
                lines.push(line);
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| Failure::check(format!("{name}: {error}")))?;
    if !status.success() {
        let results = lines.join("\n");
        return Err(Failure::check(format!("{name} ({status})\n{results}")));
    }
    say(&format!("── {name}: {} s", started.elapsed().as_secs()));
    Ok(lines)
}

/// Whether the program starts and ends with success; its output is not shown.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    output(program, arguments).is_some()
}

/// What the program printed, if it ended with success.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(program, arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
