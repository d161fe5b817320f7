//! Setting up, seeding and serving.

use super::{Cli, is};

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn usage_is_2() {
    let cli = Cli::initialised();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["serve"],
        &["serve", "--listen", "nonsense"],
        &["serve", "--listen", "127.0.0.1:0", "--tls-cert", "x"],
        &[
            "person", "add", "x", "--site", "ALM", "--name", "x", "--role", "king",
        ],
        &[
            "site",
            "add",
            "x",
            "--name-kk",
            "x",
            "--name-ru",
            "x",
            "--device-approval",
            "maybe",
        ],
        &["import"],
        &["verify", "x"],
        &["device", "list", "--database-url", "postgres://host/db"],
        &["device", "list", "--database-url", "sqlite::memory:"],
        // Of a later issue: absent.
        &["agreement", "publish"],
        &["courier"],
    ] {
        let ran = cli.run(arguments);
        assert_eq!(ran.exit, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty());
    }
}

/// What can be read, and is not done.
#[test]
fn a_refused_value_is_1() {
    let cli = Cli::initialised();
    assert_eq!(
        cli.fails(&["serve", "--listen", "0.0.0.0:0"]),
        is(1, "tls-needed")
    );
    let cli = Cli::new();
    assert_eq!(
        cli.fails(&["init", "--issuer", "ftp://x"]),
        is(1, "issuer-malformed")
    );
}

#[test]
fn init_happens_once_and_other_commands_need_it() {
    let cli = Cli::new();
    assert_eq!(cli.fails(&["device", "list"]), is(3, "not-initialised"));
    assert_eq!(
        cli.fails(&["serve", "--listen", "127.0.0.1:0"]),
        is(3, "not-initialised")
    );
    let made = cli.ok(&["init"]);
    assert_eq!(made["issuer"], "https://infoblood.example");
    assert_eq!(cli.fails(&["init"]), is(1, "already-initialised"));
    assert_eq!(
        cli.ok(&["device", "list"])["devices"],
        Value::Array(Vec::new())
    );
    let url = format!("sqlite:{}", cli.path("elsewhere.db").display());
    assert_eq!(cli.fails(&["device", "list", "--database-url", &url]).0, 3);
}

#[test]
fn seed_and_import() {
    let cli = Cli::new();
    cli.ok(&["init"]);
    assert_eq!(
        cli.fails(&["seed", "--donors", "1", "--seed", "1"]),
        is(1, "seed-no-site")
    );
    cli.ok(&["site", "add", "ALM", "--name-kk", "x", "--name-ru", "x"]);
    assert_eq!(
        cli.fails(&["seed", "--donors", "1", "--seed", "1", "--site", "X"]),
        is(1, "seed-no-site")
    );
    let seeded = cli.ok(&["seed", "--donors", "1200", "--seed", "1"]);
    assert_eq!(seeded["donors"], 1200);

    let good = r#"{"resourceType":"Organization","id":"o1","name":"Орталық"}"#;
    let broken = format!("{good}\n{{\"resourceType\":\"Patient\",\n");
    let unknown = format!("{good}\n\n{{\"resourceType\":\"Unicorn\",\"id\":\"u\"}}\n");
    let huge = format!(
        "{good}\n{{\"resourceType\":\"Organization\",\"id\":\"o2\",\"name\":\"{}\"}}\n",
        "x".repeat(300_000)
    );
    let foreign = r#"{"resourceType":"Organization","id":"o3","meta":{"tag":[{"system":"urn:infoblood:site","code":"ZZZ"}]}}"#;
    let good = cli.write("good.ndjson", &format!("{good}\r\n\n"));
    for (content, code) in [
        (broken.as_str(), "fhir-broken"),
        (&unknown, "fhir-unknown-type"),
        (&huge, "fhir-too-large"),
        (foreign, "site-unknown"),
    ] {
        let bad = cli.write("bad.ndjson", content);
        assert_eq!(cli.fails(&["import", &good, &bad]), is(1, code));
    }
    assert_eq!(
        cli.fails(&["import", &good, "absent.ndjson"]),
        is(3, "file-unreadable")
    );
    assert_eq!(cli.ok(&["import", &good])["resources"], 1);
}

#[test]
fn serve_speaks_once_ready_and_ends_on_sigterm() {
    let cli = Cli::initialised();
    let mut serving = cli
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serving.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .unwrap()
        .to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    // Commands work beside a running server.
    cli.ok(&[
        "person", "add", "a", "--site", "ALM", "--name", "A", "--role", "dpo",
    ]);
    let taken = cli.run(&["serve", "--listen", &address]);
    assert_eq!(taken.exit, 3);
    let pid = serving.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(serving.wait().unwrap().code(), Some(0));
    assert_eq!(
        std::fs::metadata(cli.path("data/server.db-wal")).map_or(0, |file| file.len()),
        0
    );
}
