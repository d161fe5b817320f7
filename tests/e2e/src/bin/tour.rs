//! The demo's tour as a program; `cargo xtask demo` builds and starts it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use infoblood_e2e::Result;
use infoblood_e2e::tour::{self, Outcome};
use infoblood_e2e::world::World;

/// Runs the tour once and leaves evidence and pictures.
#[derive(Parser)]
struct Arguments {
    /// The folder for evidence and pictures; what an earlier tour left there is removed
    #[arg(long)]
    out: PathBuf,
    /// On a display of its own, even when there is one
    #[arg(long)]
    headless: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut outcome = Outcome::default();
    let toured = tokio::select! {
        toured = go(&arguments, &mut outcome) => toured,
        () = told_to_end() => Err("told to end".into()),
    };
    let mut stdout = std::io::stdout();
    let _ = writeln!(
        stdout,
        "{}",
        serde_json::to_string(&outcome).unwrap_or_default()
    );
    match toured {
        Ok(()) if outcome.unlocked && outcome.receipt_verified => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "the tour ended early: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl+C or SIGTERM: what was started ends with the world then too.
async fn told_to_end() {
    use tokio::signal::{ctrl_c, unix};
    let Ok(mut terminate) = unix::signal(unix::SignalKind::terminate()) else {
        let _ = ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn go(arguments: &Arguments, outcome: &mut Outcome) -> Result {
    let out = &arguments.out;
    prepare(out)?;
    let display = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let visible = !arguments.headless && (display("DISPLAY") || display("WAYLAND_DISPLAY"));
    let world = World::new(visible)?;
    let toured = tour::run(&world, out, outcome).await;
    world.keep_logs(&out.join("logs"))?;
    fs::write(out.join("result.json"), serde_json::to_vec_pretty(outcome)?)?;
    let window = toured?;
    if visible {
        let _ = writeln!(
            std::io::stderr(),
            "the tour is over; the window stays until you close it"
        );
        window.closed_by_person().await;
        Ok(())
    } else {
        window.close()
    }
}

/// An empty folder. Only what a tour itself writes is removed.
fn prepare(out: &Path) -> Result {
    fs::create_dir_all(out)?;
    for entry in fs::read_dir(out)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if ["data", "document", "logs"].contains(&name.as_ref()) {
            fs::remove_dir_all(&path)?;
        } else if path.extension().is_some_and(|end| {
            ["png", "cose", "cbor", "json"]
                .iter()
                .any(|own| end == *own)
        }) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
