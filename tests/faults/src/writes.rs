//! A full disk at every write: each act of a workstation, and each command of the server, with ever more blocks left until it succeeds.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use infoblood_agreement::document::Document;
use infoblood_agreement::profile::SiteProfile;
use infoblood_client::clock::SystemClock;
use infoblood_client::{Options, Workstation};
use infoblood_e2e::process::binary;
use serde_json::Value;

use crate::Result;
use crate::client;
use crate::full::Filler;
use crate::keyring::FileKeyring;
use crate::ledger::Tally;
use crate::mount::Mount;
use crate::played::program;
use crate::report::Invitation;

/// The test that does everything a workstation does.
const TEST: &str = "full::every_write_meets_a_full_disk";
/// Room of each file system, in KiB.
const ROOM: u64 = 8 << 10;
const BLOCK: u64 = 4096;
/// A donor of the site, as FHIR.
const PATIENT: &str = r#"{"resourceType":"Patient","id":"d-1","meta":{"tag":[{"system":"urn:infoblood:site","code":"S"}]},"name":[{"family":"Ким","given":["Ада"]}],"gender":"female","birthDate":"1990-01-01"}
"#;
/// The environment is at fault, not the command.
const ENVIRONMENT: i32 = 3;

pub(crate) async fn once(folder: &Path) -> Result<Tally> {
    let mut tally = Tally::default();
    let at = folder.join("room");
    let _room = Mount::memory(&at, ROOM)?;
    let mut play = tokio::process::Command::new(program("registration")?);
    play.args(["--exact", TEST, "--ignored", "--nocapture"])
        .env("INFOBLOOD_ROOM", &at)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = play.output().await?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        tally.runs = full(&said).ok_or_else(|| format!("no counts: {said}"))?;
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        let panic = words.split_once("panicked").map_or(&*words, |(_, at)| at);
        tally.fail(panic.lines().take(6).collect::<Vec<_>>().join(" "));
    }
    if let Err(error) = commands(folder, &mut tally).await {
        tally.fail(error.to_string());
    }
    Ok(tally)
}

/// How often the disk was full, from the test's line of counts.
fn full(said: &str) -> Option<u64> {
    let (_, rest) = said.split_once("full: ")?;
    rest.lines().next()?.trim().parse().ok()
}

/// What an administrator types. A command that says it failed has done nothing: the same one succeeds once there is room.
async fn commands(folder: &Path, tally: &mut Tally) -> Result {
    let at = folder.join("central");
    let _room = Mount::memory(&at, ROOM)?;
    let terms = folder.join("terms");
    let old = Document::builtin();
    std::fs::create_dir_all(&terms)?;
    for (name, text) in [("kk.txt", old.kk()), ("ru.txt", old.ru())] {
        std::fs::write(terms.join(name), format!("{text} (2)"))?;
    }
    std::fs::write(terms.join("structure.json"), old.structure_json())?;
    let terms = terms.to_string_lossy().into_owned();
    let site = ["site", "add", "S", "--name-kk", "S", "--name-ru", "S"];
    let person = [
        "person", "add", "a", "--site", "S", "--name", "A", "--role", "dpo",
    ];
    let publish = [
        "agreement",
        "publish",
        &terms,
        "--change",
        "editorial",
        "--effective-from",
        "2020-01-01T00:00:00Z",
    ];
    let mut second = person;
    second[2] = "b";
    let all: [&[&str]; 8] = [
        &["init"],
        &site,
        &person,
        &second,
        &["person", "code", "a"],
        &publish,
        &["seed", "--donors", "20", "--seed", "1"],
        &["person", "revoke", "a"],
    ];
    for arguments in all {
        until_done(&at, arguments, tally)?;
    }

    // What a site without a network sends: the server's half of it.
    let patient = folder.join("patient.ndjson");
    std::fs::write(&patient, PATIENT)?;
    until_done(&at, &["import", &patient.to_string_lossy()], tally)?;
    let code = asked(&at, &["person", "code", "b"])?["enrolment_code"].clone();
    let profile = asked(
        &at,
        &["site", "profile", "S", "--url", "http://127.0.0.1:9"],
    )?;
    let request = folder.join("request.ibpack");
    signed_offline(
        folder,
        &profile,
        code.as_str().unwrap_or_default(),
        &request,
    )
    .await?;
    let answer = at.join("answer.ibpack");
    let arguments = [
        "courier",
        &request.to_string_lossy(),
        "--out",
        &answer.to_string_lossy(),
    ];
    until_done(&at, &arguments, tally)?;
    if std::fs::metadata(&answer)?.len() == 0 {
        tally.fail("an empty answer for the courier");
    }
    Ok(())
}

/// The command with ever more blocks left; every try before it succeeds says that the environment is at fault.
fn until_done(at: &Path, arguments: &[&str], tally: &mut Tally) -> Result {
    let mut leave = 0;
    loop {
        let filler = Filler::fill(at, leave)?;
        let output = command(at, arguments)?.output()?;
        drop(filler);
        if output.status.success() {
            tally.acknowledged += 1;
            return Ok(());
        }
        tally.runs += 1;
        if output.status.code() != Some(ENVIRONMENT) || leave > ROOM << 10 {
            let words = String::from_utf8_lossy(&output.stderr);
            let command = arguments.join(" ");
            tally.fail(format!(
                "{command}, {leave} bytes left: {} {words}",
                output.status
            ));
            return Ok(());
        }
        leave += BLOCK.max(leave / 16 / BLOCK * BLOCK);
    }
}

fn command(at: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary("infoblood-server")?);
    command
        .args(arguments)
        .args(["--json", "--data-dir"])
        .arg(at.join("data"))
        .stdin(Stdio::null());
    Ok(command)
}

/// What a command answers where there is room.
fn asked(at: &Path, arguments: &[&str]) -> Result<Value> {
    let output = command(at, arguments)?.output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {} {words}", arguments.join(" "), output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What somebody signed without a network, as a file for the courier.
async fn signed_offline(folder: &Path, profile: &Value, code: &str, request: &Path) -> Result {
    let machine = folder.join("machine");
    std::fs::create_dir_all(&machine)?;
    let profile = SiteProfile::parse(profile.to_string().as_bytes())?;
    let workstation = Workstation::open_with(
        &machine.join("data"),
        &profile,
        Arc::new(FileKeyring::of(&machine)),
        Arc::new(SystemClock),
        Options::default(),
    )
    .await?;
    let invitation = Invitation {
        login: "b".to_owned(),
        person_id: String::new(),
        code: code.to_owned(),
    };
    workstation.enrol(client::request(&invitation, 1)).await?;
    workstation.export_pack(request).await?;
    Ok(workstation.close().await?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counts_are_read() {
        assert_eq!(super::full("acts: 18, full: 153\n"), Some(153));
        assert_eq!(super::full("1 passed"), None);
    }
}
