//! Servers and networks that misbehave.

use std::sync::Arc;

use infoblood_agreement::{cbor::Limits, transparent};
use infoblood_client::sync;

use crate::common::{Central, Fault, Machine, enrolled, request};

#[tokio::test]
async fn receipts_that_do_not_verify_are_not_kept() {
    let central = Central::start().await;
    let code = central.person("receipt").await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let pending = workstation.enrol(request("receipt", &code)).await.unwrap();
    let other = Central::start().await;
    let other_code = other.person("receipt").await;
    let other_machine = Machine::new();
    let other_station = other_machine.open(&other.profile).await;
    let other_pending = other_station
        .enrol(request("receipt", &other_code))
        .await
        .unwrap();
    sync::run_once(&other_station).await.unwrap();
    let foreign = other_station
        .proof(&other_pending.person_id)
        .await
        .unwrap()
        .unwrap();
    let foreign = transparent::split(&foreign.enrolment, &Limits::DEFAULT)
        .unwrap()
        .receipt;

    let changes: Vec<(&str, Fault)> = vec![
        (
            "a bit of the signature",
            Fault::Change(Arc::new(|mut bytes| {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                bytes
            })),
        ),
        (
            "a bit in the middle",
            Fault::Change(Arc::new(|mut bytes| {
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                bytes
            })),
        ),
        (
            "trailing bytes",
            Fault::Change(Arc::new(|mut bytes| {
                bytes.push(0);
                bytes
            })),
        ),
        (
            "another server's",
            Fault::Change(Arc::new(move |_| foreign.clone())),
        ),
        (
            "nothing",
            Fault::Answer(201, "application/cose", Vec::new()),
        ),
    ];
    for (what, fault) in changes {
        central.fault("/v1/enrolments", fault);
        sync::retry_now(&workstation).await.unwrap();
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!(
            (outcome.error.as_deref(), outcome.sent, outcome.waiting),
            (Some("receipt-invalid"), 0, 2),
            "{what}"
        );
        let progress = workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(progress.error.as_deref(), Some("receipt-invalid"));
        assert!(progress.receipt.is_none() && !progress.is_refused);
        central.honest();
    }
    sync::retry_now(&workstation).await.unwrap();
    sync::run_once(&workstation).await.unwrap();
    assert!(
        workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap()
            .receipt
            .is_some()
    );

    // A receipt of the same log for another statement.
    let code = central.person("second").await;
    let second = workstation.enrol(request("second", &code)).await.unwrap();
    let first = workstation
        .proof(&pending.person_id)
        .await
        .unwrap()
        .unwrap();
    let receipt = transparent::split(&first.acceptance, &Limits::DEFAULT)
        .unwrap()
        .receipt;
    central.fault(
        "/entries",
        Fault::Change(Arc::new(move |_| receipt.clone())),
    );
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(
        (outcome.error.as_deref(), outcome.sent),
        (Some("receipt-invalid"), 1)
    );
    assert_eq!(
        second
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "agreement-required"
    );
}

#[tokio::test]
async fn a_server_that_misbehaves_is_named() {
    let central = Central::start().await;
    let code = central.person("faults").await;
    let machine = Machine::new();
    let mut options = Machine::options();
    options.deadlines.total = std::time::Duration::from_secs(2);
    let workstation = machine.open_with(&central.profile, options).await.unwrap();
    let pending = workstation.enrol(request("faults", &code)).await.unwrap();
    let html = b"<html>Welcome to the hotel</html>".to_vec();
    for (fault, code) in [
        (
            Fault::Answer(200, "text/html", html.clone()),
            "server-not-json",
        ),
        (
            Fault::Answer(302, "text/html", html.clone()),
            "server-not-json",
        ),
        (
            Fault::Answer(201, "application/cose", vec![0; 70_000]),
            "server-not-json",
        ),
        (
            Fault::Answer(403, "text/html", html.clone()),
            "server-refused",
        ),
        (
            Fault::Answer(
                429,
                "application/problem+json",
                br#"{"code":"too-many-requests"}"#.to_vec(),
            ),
            "server-refused",
        ),
        (
            Fault::Answer(500, "text/html", html.clone()),
            "server-failed",
        ),
        (
            Fault::Answer(503, "application/problem+json", b"{}".to_vec()),
            "server-failed",
        ),
        (Fault::Silence, "server-slow"),
    ] {
        central.fault("*", fault);
        sync::retry_now(&workstation).await.unwrap();
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!((outcome.error.as_deref(), outcome.waiting), (Some(code), 2));
        let progress = workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap();
        assert!(
            !progress.is_refused && progress.next_attempt_at.is_some(),
            "{code}"
        );
        central.honest();
    }
    sync::retry_now(&workstation).await.unwrap();
    assert_eq!(sync::run_once(&workstation).await.unwrap().sent, 2);

    // The same while opening: without a stored grant the reason is the server's.
    central.fault("/v1/sessions", Fault::Answer(200, "text/html", html));
    assert_eq!(
        pending
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "server-not-json"
    );
    central.honest();
    central.fault(
        "/v1/grants",
        Fault::Change(Arc::new(|mut bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            bytes
        })),
    );
    assert_eq!(
        pending
            .session
            .unlock(&workstation, true)
            .await
            .err()
            .unwrap()
            .code(),
        "grant-invalid"
    );
    central.honest();
    pending
        .session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cut_feed_resumes_where_it_ended() {
    let central = Central::start().await;
    central.seed(60).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "feed").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    // Cut without an error, without the end line; then broken; then bad lines among good ones.
    central.fault(
        "/v1/changes",
        Fault::Change(Arc::new(|bytes| bytes[..bytes.len() * 2 / 3].to_vec())),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-truncated");
    let cut = open.changes();
    assert!(cut > 0, "what came before the cut is new");
    central.honest();
    central.fault("/v1/changes", Fault::Break(20_000));
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-truncated");
    central.honest();
    central.fault(
        "/v1/changes",
        Fault::Answer(200, "text/html", b"<html>".to_vec()),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-not-json");
    central.honest();
    central.fault(
        "/v1/changes",
        Fault::Change(Arc::new(|bytes| {
            let huge = format!(
                "{{\"cursor\":\"1\",\"op\":\"put\",\"resource\":{{\"resourceType\":\"Patient\",\"id\":\"x\",\"x\":\"{}\"}}}}\n",
                "x".repeat(300 * 1024)
            );
            let longer = huge.replace("\"x\":\"", &format!("\"x\":\"{}", "x".repeat(2 << 20)));
            let bad = b"{broken\n{\"cursor\":\"1\",\"op\":\"put\",\"resource\":{\"resourceType\":\"Spaceship\",\"id\":\"x\"}}\n";
            [bad.as_slice(), huge.as_bytes(), longer.as_bytes(), &bytes].concat()
        })),
    );
    let refreshed = open.refresh().await.unwrap();
    assert!(refreshed.skipped >= 8, "{refreshed:?}");
    assert_eq!(open.left_out().await.unwrap(), refreshed.skipped);
    let page = open.search(open.gate(), "", None, 100).await.unwrap();
    assert_eq!(page.total, 60);
    assert!(open.data_as_of().await.unwrap().is_some());
    // Looking again finds nothing new, and says so.
    central.honest();
    let changes = open.changes();
    assert!(changes > cut);
    open.refresh().await.unwrap();
    assert_eq!(open.changes(), changes);
}

#[tokio::test]
async fn a_feed_that_leads_to_itself_ends_and_a_cursor_that_is_none_is_left_behind() {
    let central = Central::start().await;
    central.seed(20).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "feed").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    let more = b"{\"cursor\":\"nowhere\",\"end\":true,\"more\":true}\n".to_vec();
    central.fault(
        "/v1/changes",
        Fault::Answer(200, "application/x-ndjson", more),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-not-json");
    central.honest();
    open.refresh().await.unwrap();
    let page = open.search(open.gate(), "", None, 100).await.unwrap();
    assert_eq!(page.total, 20);
}

#[tokio::test]
async fn a_grant_for_somebody_else_opens_nothing() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, first) = enrolled(&central, &machine, "first").await;
    let taken = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = Arc::clone(&taken);
    central.fault(
        "/v1/grants",
        Fault::Change(Arc::new(move |bytes| {
            keep.lock().unwrap().clone_from(&bytes);
            bytes
        })),
    );
    first
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
    central.honest();
    let grant = taken.lock().unwrap().clone();
    drop((first, workstation));

    // The same grant for another person of this device, and for the same person elsewhere.
    let (workstation, second) = enrolled(&central, &machine, "second").await;
    central.fault(
        "/v1/grants",
        Fault::Answer(201, "application/cose", grant.clone()),
    );
    let error = second.unlock(&workstation, true).await.err().unwrap();
    assert_eq!(error.code(), "grant-invalid");
    central.honest();
    let elsewhere = Machine::new();
    let station = elsewhere.open(&central.profile).await;
    let code = central.another_code("first").await;
    let pending = station.enrol(request("first", &code)).await.unwrap();
    sync::run_once(&station).await.unwrap();
    central.fault("/v1/grants", Fault::Answer(201, "application/cose", grant));
    let error = pending.session.unlock(&station, true).await.err().unwrap();
    assert_eq!(error.code(), "grant-invalid");
    assert!(
        !elsewhere.path().join("patients.db").exists(),
        "nothing was created"
    );
}

#[tokio::test]
async fn a_session_of_another_authority_is_refused() {
    let central = Central::start().await;
    let other = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "authority").await;
    let foreign = other.profile.fields().key_set.clone();
    central.fault(
        "/v1/sessions",
        Fault::Change(Arc::new(move |bytes| {
            let mut answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            if answer.get("key_set").is_some() {
                answer["key_set"] = foreign.clone().into();
            }
            answer.to_string().into_bytes()
        })),
    );
    let error = session.unlock(&workstation, true).await.err().unwrap();
    assert_eq!(error.code(), "profile-wrong-authority");
    assert_eq!(workstation.time_floor(), 0);
}

#[tokio::test]
async fn tls_is_trusted_by_the_profile_alone() {
    let central = Central::start().await;
    let (with, without, _running) = central.with_tls().await;
    let code = central.person("tls").await;
    let stranger = Machine::new();
    let workstation = stranger.open(&without).await;
    workstation.enrol(request("tls", &code)).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.error.as_deref(), Some("server-unreachable"));

    let machine = Machine::new();
    let workstation = machine.open(&with).await;
    let pending = workstation.enrol(request("tls", &code)).await.unwrap();
    assert_eq!(sync::run_once(&workstation).await.unwrap().sent, 2);
    pending
        .session
        .unlock(&workstation, true)
        .await
        .unwrap()
        .lock()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_expired_code_is_final_only_when_the_server_says_so() {
    let central = Central::start().await;
    let code = central.person("expired").await;
    let machine = Machine::new();
    let workstation = machine.open(&central.profile).await;
    let pending = workstation.enrol(request("expired", &code)).await.unwrap();
    for (kind, body, code, is_final) in [
        ("text/html", "<html>", "server-refused", false),
        (
            "application/problem+json",
            r#"{"code":"code-expired"}"#,
            "code-expired",
            true,
        ),
    ] {
        central.fault("/v1/enrolments", Fault::Answer(410, kind, body.into()));
        sync::retry_now(&workstation).await.unwrap();
        sync::run_once(&workstation).await.unwrap();
        let progress = workstation
            .progress(&pending.person_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (progress.error.as_deref(), progress.is_refused),
            (Some(code), is_final)
        );
        central.honest();
    }
}
