//! The command line, through the built program.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../common/cluster.rs"]
mod cluster;
mod people;
mod postgres;
mod publish;
mod running;
mod verify;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_infoblood-server");

struct Cli {
    dir: tempfile::TempDir,
    database_url: Option<String>,
}

struct Ran {
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Cli {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            database_url: None,
        }
    }

    fn initialised() -> Self {
        let cli = Self::new();
        cli.ok(&["init", "--issuer", "https://central.example"]);
        cli.ok(&[
            "site",
            "add",
            "ALM",
            "--name-kk",
            "Алматы",
            "--name-ru",
            "Алматы",
            "--device-approval",
            "auto",
        ]);
        cli
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--data-dir").arg(self.path("data"));
        if let Some(url) = &self.database_url {
            command.env("INFOBLOOD_SERVER_DATABASE_URL", url);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command().args(arguments).output().unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn ok(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, 0, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), 1, "one value on one line");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Exit code and error code.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
        (ran.exit, answer["error"].as_str().unwrap().to_owned())
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

fn is(exit: i32, code: &str) -> (i32, String) {
    (exit, code.to_owned())
}
