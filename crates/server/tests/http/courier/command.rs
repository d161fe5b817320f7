//! `infoblood-server courier`: the same, from file to file.

use std::path::Path;
use std::process::{Command, Output};

use infoblood_agreement::courier::{ItemState, Stream};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_agreement::sealed::{Kind, item_id};
use infoblood_server::service::load;
use serde_json::Value;

use crate::common::{Workstation, World};

fn run(world: &World, request: &Path, out: &Path) -> (Output, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_infoblood-server"))
        .arg("--data-dir")
        .arg(world.dir())
        .arg("courier")
        .arg(request)
        .arg("--out")
        .arg(out)
        .arg("--json")
        .output()
        .unwrap();
    let value = serde_json::from_slice(&output.stdout).unwrap();
    (output, value)
}

async fn world() -> (World, Workstation, tempfile::TempDir) {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 5, 1, Some("A")).await.unwrap();
    let person = world.accepted("a", "A").await;
    (world, person, tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_and_the_answer_out() {
    let (world, mut person, dir) = world().await;
    let event = person.audit_event();
    let request = dir.path().join("request.ibpack");
    let pack = world.pack(
        &person,
        &[
            (Kind::AuditEvent, event.clone()),
            (Kind::AuditEvent, b"nothing".to_vec()),
        ],
    );
    std::fs::write(&request, pack).unwrap();
    let out = dir.path().join("answer.ibpack");
    let (output, told) = run(&world, &request, &out);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(
        (&told["items"], &told["stored"], &told["rejected"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!((&told["later"], &told["grants"]), (&0.into(), &1.into()));
    let answer = world.read(&person, &std::fs::read(&out).unwrap()).await;
    assert_eq!(answer.items[&item_id(&event)], ItemState::Stored);
    assert_eq!(
        told["changes"],
        answer.lines(Stream::Safety) + answer.lines(Stream::All)
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_leaves_no_answer() {
    let (world, mut person, dir) = world().await;
    let facts = world.facts(&person).await;
    let event = person.audit_event();
    let pack = world.pack(&person, &[(Kind::AuditEvent, event)]);
    let request = dir.path().join("request.ibpack");
    let out = dir.path().join("answer.ibpack");
    std::fs::write(&request, &pack[..pack.len() - 1]).unwrap();
    let (output, told) = run(&world, &request, &out);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told["error"], "courier-truncated");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

    let (output, told) = run(&world, &dir.path().join("absent"), &out);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(told["error"], "file-unreadable");

    // Nowhere to write the answer: nothing is taken.
    std::fs::write(&request, &pack).unwrap();
    let (output, told) = run(&world, &request, &dir.path().join("absent/answer.ibpack"));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(told["error"], "file-unwritable");
    assert_eq!(world.facts(&person).await, facts);
}
