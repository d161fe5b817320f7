//! The command line over PostgreSQL.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, Row as _};

use super::cluster::Cluster;
use super::{Cli, is};

fn on(cluster: &Cluster, name: &str) -> Cli {
    Cli {
        database_url: Some(cluster.database(name)),
        ..Cli::new()
    }
}

#[test]
fn the_commands_work_and_a_stopped_database_is_3() {
    let mut cluster = Cluster::start();
    let cli = on(&cluster, "central");
    assert_eq!(cli.fails(&["device", "list"]), is(3, "not-initialised"));
    cli.ok(&["init", "--issuer", "https://central.example"]);
    assert_eq!(cli.fails(&["init"]), is(1, "already-initialised"));
    let site = [
        "site",
        "add",
        "ALM",
        "--name-kk",
        "Алматы",
        "--name-ru",
        "Алматы",
    ];
    cli.ok(&site);
    assert_eq!(cli.fails(&site).0, 1);
    let person = [
        "person",
        "add",
        "a.seitkali",
        "--site",
        "ALM",
        "--name",
        "Сейітқали А.",
        "--role",
        "clinician",
    ];
    let code = cli.ok(&person);
    assert_eq!(code["enrolment_code"].as_str().unwrap().len(), 25);
    assert_eq!(cli.fails(&person).0, 1);
    assert_ne!(cli.ok(&["person", "code", "a.seitkali"]), code);
    let profile = cli.ok(&["site", "profile", "ALM", "--url", "https://central.example"]);
    assert_eq!(profile["site"]["code"], "ALM");

    let seeded = cli.ok(&["seed", "--donors", "200", "--seed", "1"]);
    assert_eq!(seeded["donors"], 200);
    // The same donors in the embedded engine: nothing more, nothing less.
    let embedded = Cli::initialised();
    let same = embedded.ok(&["seed", "--donors", "200", "--seed", "1"]);
    assert_eq!(seeded["resources"], same["resources"]);
    assert_eq!(count(&cluster, "central"), seeded["resources"]);
    // Once more changes them, and adds none.
    cli.ok(&["seed", "--donors", "200", "--seed", "1"]);
    assert_eq!(count(&cluster, "central"), seeded["resources"]);

    // Another server's database is not taken for this one's.
    let other = on(&cluster, "other");
    other.ok(&["init"]);
    let mut mixed = Cli::new();
    mixed.ok(&["init"]);
    mixed.database_url.clone_from(&other.database_url);
    assert_eq!(
        mixed.fails(&["device", "list"]),
        is(3, "keys-of-another-server")
    );

    let log = cluster.log();
    assert!(!log.contains("ERROR"), "{log}");
    assert!(
        !log.contains("seitkali") && !log.contains("Сейітқали"),
        "{log}"
    );

    cluster.stop();
    assert_eq!(
        cli.fails(&["person", "revoke", "a.seitkali"]),
        is(3, "storage-unavailable")
    );
    assert_eq!(
        cli.fails(&["serve", "--listen", "127.0.0.1:0"]),
        is(3, "storage-unavailable")
    );
    cluster.start_again();
    assert!(cli.ok(&["person", "revoke", "a.seitkali"])["revoked_at"].is_string());
}

/// `kill -9` in the middle of writing: what was answered is there, the rest is not there in part, and nobody waits.
#[test]
fn a_killed_command_leaves_whole_transactions() {
    let cluster = Cluster::start();
    let cli = on(&cluster, "central");
    cli.ok(&["init"]);
    cli.ok(&["site", "add", "ALM", "--name-kk", "x", "--name-ru", "x"]);
    let mut serving = cli
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serving.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("listening on http://"), "{line}");
    // Donors are written by two hundred, their recipients with them.
    let donors = "SELECT COUNT(*) FROM resources WHERE kind = 'Patient' AND id NOT LIKE 'r-%'";
    for round in 0..6_u32 {
        let mut seeding = cli
            .command()
            .args(["seed", "--donors", "200000", "--seed", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(1_000 + 171 * u64::from(round)));
        // However slow the machine is, the last one is killed after something was written.
        while round == 5 && number(&cluster, "central", donors) == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        seeding.kill().unwrap();
        seeding.wait().unwrap();
        let login = format!("p{round}");
        cli.ok(&[
            "person", "add", &login, "--site", "ALM", "--name", "x", "--role", "dpo",
        ]);
    }
    let donors = number(&cluster, "central", donors);
    assert!(donors > 0 && donors % 200 == 0, "{donors}");
    let after = "SELECT (SELECT sequence FROM change_head) - MAX(sequence) FROM resources";
    assert_eq!(number(&cluster, "central", after), 0);
    let people = "SELECT COUNT(*) FROM people";
    assert_eq!(number(&cluster, "central", people), 6);
    serving.kill().unwrap();
    serving.wait().unwrap();
    let devices = cli.ok(&["device", "list"]);
    assert_eq!(devices["devices"], Value::Array(Vec::new()));
}

fn count(cluster: &Cluster, database: &str) -> Value {
    let query = "SELECT COUNT(*) FROM resources WHERE NOT deleted";
    number(cluster, database, query).into()
}

fn number(cluster: &Cluster, database: &str, query: &'static str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = cluster.url(database);
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        let row = sqlx::query(query).fetch_one(&mut connection).await.unwrap();
        row.get(0)
    })
}
