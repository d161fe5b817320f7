//! People, sites and devices.

use super::{Cli, is};

use infoblood_agreement::enrolment_code::EnrolmentCode;
use infoblood_agreement::profile::SiteProfile;
use serde_json::Value;

#[test]
fn people_sites_and_devices() {
    let cli = Cli::initialised();
    let added = cli.ok(&[
        "person",
        "add",
        "Aigerim",
        "--site",
        "ALM",
        "--name",
        "Айгерім",
        "--role",
        "clinician",
    ]);
    assert_eq!(added["login"], "aigerim");
    let code = added["enrolment_code"].as_str().unwrap();
    assert_eq!(code.len(), 25);
    assert!(EnrolmentCode::parse(code).is_ok());
    assert!(added["expires_at"].as_str().unwrap().ends_with('Z'));

    let profile = cli.ok(&[
        "site",
        "profile",
        "ALM",
        "--url",
        "http://127.0.0.1:8080",
        "--workstation",
        "W-1",
    ]);
    let profile = SiteProfile::parse(profile.to_string().as_bytes()).unwrap();
    assert_eq!(
        profile.person_id("AIGERIM"),
        added["person_id"].as_str().unwrap()
    );
    assert_eq!(profile.key_set().issuer(), "https://central.example");
    assert_eq!(profile.fields().workstation.as_deref(), Some("W-1"));

    let again = cli.ok(&["person", "code", "aigerim"]);
    assert_ne!(again["enrolment_code"], added["enrolment_code"]);
    let revoked = cli.ok(&["person", "revoke", "aigerim"]);
    assert_eq!(
        cli.ok(&["person", "revoke", "aigerim"]),
        revoked,
        "again changes nothing"
    );
    assert_eq!(
        cli.fails(&["person", "code", "aigerim"]),
        is(1, "person-revoked")
    );
    assert_eq!(
        cli.ok(&["device", "list"])["devices"],
        Value::Array(Vec::new())
    );

    let person = [
        "person",
        "add",
        "b",
        "--name",
        "B",
        "--role",
        "clinician",
        "--site",
    ];
    assert_eq!(
        cli.fails(&[&person[..], &["XXX"]].concat()),
        is(1, "site-unknown")
    );
    let person = [
        "person",
        "add",
        "AIGERIM",
        "--name",
        "B",
        "--role",
        "clinician",
        "--site",
        "ALM",
    ];
    assert_eq!(cli.fails(&person), is(1, "login-exists"));
    assert_eq!(
        cli.fails(&["person", "code", "nobody"]),
        is(1, "login-unknown")
    );
    assert_eq!(
        cli.fails(&["person", "revoke", "nobody"]),
        is(1, "login-unknown")
    );
    assert_eq!(
        cli.fails(&["device", "approve", "nobody"]),
        is(1, "device-unknown")
    );
    assert_eq!(
        cli.fails(&["device", "revoke", "nobody"]),
        is(1, "device-unknown")
    );
    let site = ["site", "add", "ALM", "--name-kk", "x", "--name-ru", "x"];
    assert_eq!(cli.fails(&site), is(1, "site-exists"));
    let site = ["site", "add", "A M/", "--name-kk", "x", "--name-ru", "x"];
    assert_eq!(cli.fails(&site), is(1, "profile-malformed"));
    assert_eq!(
        cli.fails(&["site", "profile", "XXX", "--url", "https://a.example"]),
        is(1, "site-unknown")
    );
    assert_eq!(
        cli.fails(&["site", "profile", "ALM", "--url", "http://a.example"]),
        is(1, "profile-malformed")
    );
}

#[test]
fn a_revocation_that_did_not_happen_is_never_0() {
    let cli = Cli::initialised();
    cli.ok(&[
        "person",
        "add",
        "a",
        "--site",
        "ALM",
        "--name",
        "A",
        "--role",
        "clinician",
    ]);
    let database = cli.path("data/server.db");
    let aside = cli.path("aside.db");
    assert!(
        !cli.path("data/server.db-wal").exists(),
        "a command leaves one file that can be copied"
    );
    // Away, damaged, and held by somebody else.
    std::fs::rename(&database, &aside).unwrap();
    assert_eq!(
        cli.fails(&["person", "revoke", "a"]),
        is(3, "storage-unavailable")
    );
    std::fs::write(&database, "nonsense ".repeat(1000)).unwrap();
    assert_eq!(
        cli.fails(&["person", "revoke", "a"]),
        is(3, "storage-unavailable")
    );
    std::fs::rename(&aside, &database).unwrap();
    let lock = std::fs::File::options()
        .write(true)
        .open(format!("{}.lock", database.display()))
        .unwrap();
    lock.lock().unwrap();
    assert_eq!(
        cli.fails(&["person", "revoke", "a"]),
        is(3, "storage-unavailable")
    );
    lock.unlock().unwrap();
    assert!(cli.ok(&["person", "revoke", "a"])["revoked_at"].is_string());
}

#[test]
fn the_access_log_goes_into_a_file_that_can_be_written() {
    let cli = Cli::initialised();
    let out = cli.path("audit.ndjson");
    let told = cli.ok(&["audit", "--out", out.to_str().unwrap()]);
    assert_eq!(
        (&told["events"], &told["chains"]),
        (&0.into(), &serde_json::json!([]))
    );
    assert_eq!(std::fs::read(&out).unwrap(), b"");
    let nowhere = cli.path("no-such-folder/audit.ndjson");
    let ran = cli.run(&["audit", "--out", nowhere.to_str().unwrap(), "--json"]);
    assert_eq!(ran.exit, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("file-unwritable"), "{}", ran.stdout);
    assert_eq!(cli.run(&["audit"]).exit, 2);
}
