//! `cargo xtask test`: every check and test, the quick ones first, the suites' own result lines last.

use crate::process::{Outcome, cargo, collect, command, root, say, step, succeeds, target};
use crate::{faults, setup, tools};

/// Runs everything; the first failure ends it.
pub(crate) fn run() -> Outcome {
    setup::run(setup::For::Test)?;
    step(
        "cargo fmt --check",
        &mut cargo(&["fmt", "--all", "--check"]),
    )?;
    for script in ["lint", "check"] {
        interface(script)?;
    }
    let mut results = interface("test")?;

    // Of every platform: a test reads what they depend on, and tests download nothing.
    step("cargo fetch", &mut cargo(&["fetch", "--locked"]))?;
    // One selection for building and testing: features unify once and nothing is built twice. The binaries that the
    // tests of the real window start are part of it.
    step(
        "cargo build",
        &mut cargo(&["build", "--workspace", "--all-targets"]),
    )?;
    let mut test = cargo(&["test", "--workspace", "--no-fail-fast"]);
    if !succeeds("chromedriver", &["--version"]) {
        say("NOTE: no chromedriver here: the phone's page is not tried in a real browser");
        test.env("INFOBLOOD_WITHOUT_BROWSER", "1");
    }
    results.extend(collect("cargo test", &mut test, |line| {
        line.starts_with("test result:") || line.contains("... FAILED")
    })?);
    independent_verifier()?;
    fhir_definitions()?;
    results.extend(faults::short()?);
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    step("cargo clippy", &mut cargo(&clippy))?;
    let deny = ["check", "bans", "licenses", "sources"];
    step("cargo deny", &mut command(tools::cargo_deny()?, &deny))?;

    say("\nAll checks passed. The suites' own lines:");
    for line in &results {
        say(line);
    }
    Ok(())
}

/// One npm script of the interface; returns the runner's closing lines.
fn interface(script: &str) -> Outcome<Vec<String>> {
    let mut npm = command("npm", &["run", "--silent", script]);
    npm.current_dir(root().join("ui"));
    collect(&format!("ui: {script}"), npm.env("NO_COLOR", "1"), |line| {
        let words = line.trim_start();
        words.starts_with("Tests ") || words.starts_with("Test Files ")
    })
}

/// What the test of the real window exported, verified by a library that is not ours.
fn independent_verifier() -> Outcome {
    let evidence = target().join("e2e/tour");
    let mut verify = command(tools::scitt_python()?, &["tests/e2e/independent.py"]);
    step("independent SCITT verifier", verify.arg(evidence))
}

/// The profile's examples and what the synthetic centre wrote, validated against the published FHIR R5 definitions.
fn fhir_definitions() -> Outcome {
    let data = root().join("crates/clinical/tests/data");
    let mut validate = command(tools::fhir_python()?, &["tests/fhir_r5.py"]);
    validate.arg(data.join("profile"));
    validate.arg(data.join("synthetic-seed-1.ndjson"));
    validate.arg(root().join("crates/server/tests/data/audit.ndjson"));
    step("FHIR R5 definitions", &mut validate)
}
