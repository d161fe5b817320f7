//! The central server's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    infoblood_server::cli::main()
}
