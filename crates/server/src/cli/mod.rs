//! The command line. Exit 0 success, 1 refused or invalid, 2 usage, 3 environment. Results go to stdout as JSON, one line with
//! `--json`; logs go to stderr.

mod arguments;
mod audit;
mod commands;
mod courier;
mod publish;
mod serve;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::{Value, json};

use crate::context::{OpenError, Place};
use crate::problem::Problem;
use crate::serve::ServeError;
use crate::service::init::InitError;
use crate::service::load::ImportError;
use arguments::{Arguments, Command};

/// Why a command failed, as exit code, stable code and sentence.
#[derive(Debug)]
struct Failure {
    exit: u8,
    code: &'static str,
    detail: String,
}

const REFUSED: u8 = 1;
const USAGE: u8 = 2;
const ENVIRONMENT: u8 = 3;

impl Failure {
    fn new(exit: u8, code: &'static str, error: &dyn std::error::Error) -> Self {
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            detail.push_str(": ");
            detail.push_str(&error.to_string());
            cause = error.source();
        }
        Self { exit, code, detail }
    }

    fn usage(detail: impl Into<String>) -> Self {
        Self {
            exit: USAGE,
            code: "usage",
            detail: detail.into(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = if problem.status >= 500 {
            ENVIRONMENT
        } else {
            REFUSED
        };
        Self::new(exit, problem.code, &problem)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(ENVIRONMENT, error.code(), &error)
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let exit = match &error {
            InitError::AlreadyInitialised | InitError::Issuer => REFUSED,
            InitError::Directory(_) | InitError::Open(_) | InitError::Problem(_) => ENVIRONMENT,
        };
        Self::new(exit, error.code(), &error)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let exit = if matches!(error, ServeError::NeedsTls) {
            REFUSED
        } else {
            ENVIRONMENT
        };
        Self::new(exit, error.code(), &error)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::File { .. } => Self::new(ENVIRONMENT, "file-unreadable", &error),
            ImportError::Line { code, .. } => Self::new(REFUSED, code, &error),
            ImportError::Changed { .. } => Self::new(REFUSED, "file-changed", &error),
            ImportError::Problem(problem) => problem.into(),
        }
    }
}

/// What a command prints and how it ends.
struct Done {
    /// Nothing for `serve`, which has spoken already.
    output: Option<Value>,
    /// False if the command ran but its verdict is no.
    ok: bool,
}

impl From<Value> for Done {
    fn from(output: Value) -> Self {
        Self {
            output: Some(output),
            ok: true,
        }
    }
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    let json = arguments.json;
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ENVIRONMENT, "runtime", &error))
        .and_then(|runtime| runtime.block_on(run(arguments)));
    match result {
        Ok(done) => {
            if let Some(output) = done.output
                && print(&output, json).is_err()
            {
                return ExitCode::from(ENVIRONMENT);
            }
            ExitCode::from(if done.ok { 0 } else { REFUSED })
        }
        Err(failure) => {
            if json {
                // Nobody is left to tell if this fails too.
                let _ = print(
                    &json!({ "error": failure.code, "detail": failure.detail }),
                    true,
                );
            }
            let _ = writeln!(
                std::io::stderr(),
                "error: {}: {}",
                failure.code,
                failure.detail
            );
            ExitCode::from(failure.exit)
        }
    }
}

async fn run(arguments: Arguments) -> Result<Done, Failure> {
    let place = match &arguments.database_url {
        None => Place::new(&arguments.data_dir),
        Some(url) => Place::with_database_url(&arguments.data_dir, url).map_err(Failure::usage)?,
    };
    match arguments.command {
        Command::Verify(verify) => verify::run(&verify),
        Command::Serve(serve) => serve::run(place, &serve).await,
        command => commands::run(&place, command).await.map(Into::into),
    }
}

fn print(output: &Value, one_line: bool) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if one_line {
        writeln!(stdout, "{output}")?;
    } else {
        writeln!(stdout, "{output:#}")?;
    }
    stdout.flush()
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("INFOBLOOD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second subscriber in one process is the caller's own.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .try_init();
}
