//! New versions of the terms: fetched ahead, in force at their date, accepted anew; and forged ones.

use std::sync::{Arc, atomic::Ordering};

use infoblood_agreement::{
    cbor::Limits,
    document::{Change, Document},
    keys::PublicKey,
    statement::{self, Signer},
    transparent,
};
use infoblood_client::{Decision, Evidence, PersonSession, Workstation, relay::Collector, sync};
use infoblood_server::{
    service::{administration, publication::publish},
    storage::{AuditStorage as _, Database as _, Texts},
};
use serde_json::Value;

use crate::common::{Central, Fault, Machine, PASSPHRASE, enrolled, evidence, request};

const DAY: i64 = 24 * 3600;
type Forgery = Box<dyn Fn(&mut Value) + Send + Sync>;

const WAY: &str = "/v1/agreements";

impl Central {
    /// Publishes the next version, which says something else than every one before, to count in so many seconds.
    pub(crate) async fn publish(&self, change: Change, seconds: i64) -> Document {
        let known = infoblood_server::service::publication::after(&self.context, 0)
            .await
            .unwrap();
        let (_, newest) = known.last().unwrap();
        let texts = Texts {
            kk: newest.kk().replacen("құпия", "аса құпия", 1),
            ru: newest
                .ru()
                .replacen("конфиденциальн", "строго конфиденциальн", 1),
            structure: newest.structure_json().to_owned(),
        };
        let from = self.context.now() + seconds;
        publish(&self.context, &texts, change, from)
            .await
            .unwrap()
            .document
    }

    /// Changes the first document of every answer.
    fn forge(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        let forge = move |body: Vec<u8>| {
            let mut answer: Value = serde_json::from_slice(&body).unwrap();
            if let Some(first) = answer["documents"].get_mut(0) {
                change(first);
            }
            answer.to_string().into_bytes()
        };
        self.fault(WAY, Fault::Change(Arc::new(forge)));
    }
}

pub(crate) fn about(document: &Document) -> Evidence {
    Evidence {
        document: *document.digest(),
        ..evidence()
    }
}

fn set(central: &Central, machine: &Machine, seconds: i64) {
    central.clock.0.store(seconds, Ordering::SeqCst);
    machine.clock.0.store(seconds, Ordering::SeqCst);
}

fn known(workstation: &Workstation) -> Vec<[u8; 32]> {
    let documents = workstation.documents();
    documents
        .all()
        .iter()
        .map(|document| *document.digest())
        .collect()
}

async fn code(session: &PersonSession, workstation: &Workstation, online: bool) -> String {
    match session.unlock(workstation, online).await {
        Ok(open) => {
            open.lock().await.unwrap();
            "open".to_owned()
        }
        Err(error) => error.code().to_owned(),
    }
}

/// One round that must not fail.
async fn synced(workstation: &Workstation) -> Vec<String> {
    let outcome = sync::run_once(workstation).await.unwrap();
    assert_eq!((outcome.error, outcome.is_online), (None, Some(true)));
    outcome.registered
}

#[tokio::test]
async fn a_material_version_locks_at_its_date_until_it_is_accepted() {
    let central = Central::start().await;
    central.seed(3).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "aidana").await;
    let first = *Document::builtin().digest();
    let second = central.publish(Change::Material, DAY).await;
    synced(&workstation).await;
    assert_eq!(known(&workstation), [first, *second.digest()]);
    assert_eq!(*workstation.current_document().digest(), first);
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    assert_eq!(
        open.search(open.gate(), "", None, 9).await.unwrap().total,
        3
    );

    // The date comes while it is open, and nobody asks the server.
    set(&central, &machine, DAY + 1);
    assert_eq!(workstation.current_document().digest(), second.digest());
    let refused = open.search(open.gate(), "", None, 9).await.err().unwrap();
    assert_eq!(refused.code(), "agreement-required");
    assert_eq!(
        open.card(open.gate(), "d-1").await.err().unwrap().code(),
        "agreement-required"
    );
    open.lock().await.unwrap();
    assert_eq!(
        code(&session, &workstation, false).await,
        "agreement-required"
    );
    let person = workstation.people().await.unwrap().remove(0);
    assert!(person.must_accept && person.is_registered);
    assert_eq!(person.accepted_version, Some(1));

    // A clock that was wrong: put right, it opens again.
    set(&central, &machine, 0);
    assert_eq!(code(&session, &workstation, false).await, "open");
    set(&central, &machine, DAY + 1);
    assert_eq!(
        code(&session, &workstation, true).await,
        "agreement-required"
    );
    // The server's time is a signed one: now the clock's setting helps nobody.
    machine.clock.0.store(0, Ordering::SeqCst);
    assert_ne!(code(&session, &workstation, false).await, "open");
    machine.clock.0.store(DAY + 1, Ordering::SeqCst);

    let before = central.tree_size().await;
    let evidence = about(&second);
    let id = workstation
        .accept_again(&session, &evidence, Decision::Accepted)
        .await
        .unwrap();
    assert_eq!(
        workstation
            .accept_again(&session, &evidence, Decision::Accepted)
            .await
            .unwrap(),
        id,
        "said twice, signed once"
    );
    assert_eq!(
        code(&session, &workstation, false).await,
        "agreement-required"
    );
    let person = workstation.people().await.unwrap().remove(0);
    assert!(!person.must_accept && !person.is_registered, "it waits");

    assert_eq!(synced(&workstation).await, [session.person_id()]);
    assert_eq!(central.tree_size().await, before + 1, "no new enrolment");
    let progress = workstation
        .progress(session.person_id())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (progress.statement_id.as_str(), progress.document.version),
        (id.as_str(), 2)
    );
    assert!(progress.receipt.is_some());
    assert_eq!(code(&session, &workstation, true).await, "open");
    assert_eq!(code(&session, &workstation, false).await, "open");
    let person = workstation.people().await.unwrap().remove(0);
    assert!(!person.must_accept && person.is_registered);
    assert_eq!(person.accepted_version, Some(2));

    // Both receipts stay, and each is about its own document.
    let proofs = workstation.proofs(session.person_id()).await.unwrap();
    assert_eq!(
        proofs
            .iter()
            .map(|proof| proof.document_version)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert_eq!(
        workstation
            .proof(session.person_id())
            .await
            .unwrap()
            .as_ref(),
        proofs.first()
    );
    let enrolment = transparent::split(&proofs[0].enrolment, &Limits::DEFAULT).unwrap();
    let enrolment = statement::verify_enrolment(&enrolment.statement, &Limits::DEFAULT).unwrap();
    let signer = Signer {
        key: &enrolment.payload().person_key,
        person_id: session.person_id(),
        device_id: &workstation.device_id(),
    };
    for (proof, digest) in proofs.iter().zip([*second.digest(), first]) {
        let parts = transparent::split(&proof.acceptance, &Limits::DEFAULT).unwrap();
        let accepted =
            statement::verify_acceptance(&parts.statement, &signer, &Limits::DEFAULT).unwrap();
        assert_eq!(accepted.payload().document_sha256, digest);
    }

    // After a restart the version is still there; the refusals of the open cache reached the server.
    synced(&workstation).await;
    let mut server = central.context.database.read().await.unwrap();
    let gaps = server.audit_gaps(&workstation.device_id()).await.unwrap();
    assert!(
        gaps.iter().all(|gap| gap.closed_at.is_some()),
        "the clock went back and forth, nothing is missing: {gaps:?}"
    );
    drop((server, session, workstation));
    let workstation = machine.open(&central.profile).await;
    assert_eq!(known(&workstation), [first, *second.digest()]);
    let person = workstation.people().await.unwrap().remove(0);
    let session = workstation
        .sign_in(&person.person_id, PASSPHRASE.into())
        .await
        .unwrap();
    assert_eq!(code(&session, &workstation, false).await, "open");
}

#[tokio::test]
async fn accepted_ahead_it_opens_at_the_date_without_the_server() {
    let mut central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "early").await;
    let second = central.publish(Change::Material, DAY).await;
    synced(&workstation).await;
    assert_eq!(code(&session, &workstation, true).await, "open");
    workstation
        .accept_again(&session, &about(&second), Decision::Accepted)
        .await
        .unwrap();
    assert_eq!(
        code(&session, &workstation, false).await,
        "open",
        "it waits"
    );
    synced(&workstation).await;
    assert_eq!(
        code(&session, &workstation, true).await,
        "open",
        "the first counts"
    );
    central.unplug().await;
    set(&central, &machine, DAY + 1);
    assert_eq!(code(&session, &workstation, false).await, "open");
    assert_eq!(code(&session, &workstation, true).await, "open");
    central.plug().await;
    assert_eq!(code(&session, &workstation, true).await, "open");
}

#[tokio::test]
async fn the_server_that_knows_more_brings_the_version_with_its_refusal() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "late").await;
    assert_eq!(code(&session, &workstation, true).await, "open");
    let second = central.publish(Change::Material, 0).await;
    assert_eq!(known(&workstation).len(), 1, "no round since");
    assert_eq!(
        code(&session, &workstation, true).await,
        "agreement-required"
    );
    assert_eq!(workstation.current_document().digest(), second.digest());

    // Declining is signed and registered too, and opens nothing; changing one's mind does.
    for (decision, expected) in [
        (Decision::Declined, "agreement-required"),
        (Decision::Accepted, "open"),
    ] {
        let evidence = about(&second);
        workstation
            .accept_again(&session, &evidence, decision)
            .await
            .unwrap();
        synced(&workstation).await;
        set(
            &central,
            &machine,
            central.clock.0.load(Ordering::SeqCst) + 1,
        );
        assert_eq!(code(&session, &workstation, true).await, expected);
        assert_eq!(code(&session, &workstation, false).await, expected);
    }
}

#[tokio::test]
async fn a_decision_under_a_wrong_clock_can_be_made_again_under_the_right_one() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "back").await;
    let second = central.publish(Change::Editorial, 0).await;
    synced(&workstation).await;
    let decide = async |decision, offset| {
        machine.clock.0.store(offset, Ordering::SeqCst);
        let evidence = about(&second);
        let id = workstation
            .accept_again(&session, &evidence, decision)
            .await
            .unwrap();
        synced(&workstation).await;
        machine.clock.0.store(0, Ordering::SeqCst);
        id
    };
    decide(Decision::Declined, 0).await;
    // Registered later, but by its own time made before: to the server the refusal is the last word, and here too.
    let early = decide(Decision::Accepted, -3600).await;
    assert_eq!(
        code(&session, &workstation, false).await,
        "agreement-required"
    );
    assert_eq!(
        code(&session, &workstation, true).await,
        "agreement-required"
    );
    set(&central, &machine, 1);
    let again = decide(Decision::Accepted, 1).await;
    assert_ne!(
        again, early,
        "it is not taken for the one that does not count"
    );
    assert_eq!(code(&session, &workstation, true).await, "open");
    assert_eq!(code(&session, &workstation, false).await, "open");
    let proofs = workstation.proofs(session.person_id()).await.unwrap();
    assert_eq!(proofs.len(), 4);
    assert_eq!(proofs[0].statement_id, again);
}

#[tokio::test]
async fn a_revoked_person_signs_nothing_more() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "gone").await;
    administration::revoke_person(&central.context, "gone")
        .await
        .unwrap();
    assert_eq!(code(&session, &workstation, true).await, "person-revoked");
    let refused = workstation
        .accept_again(&session, &evidence(), Decision::Declined)
        .await;
    assert_eq!(refused.unwrap_err().code(), "person-revoked");
}

#[tokio::test]
async fn an_open_cache_closes_when_the_server_says_so() {
    let central = Central::start().await;
    central.seed(2).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "open").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    let second = central.publish(Change::Material, 0).await;
    assert!(open.search(open.gate(), "", None, 9).await.is_ok());
    let refused = open.refresh().await.unwrap_err();
    assert_eq!(refused.code(), "agreement-required");
    assert_eq!(workstation.current_document().digest(), second.digest());
    let refused = open.search(open.gate(), "", None, 9).await.err().unwrap();
    assert_eq!(refused.code(), "agreement-required");
    open.lock().await.unwrap();
}

#[tokio::test]
async fn a_site_without_a_network_gets_and_accepts_it_by_file() {
    let mut central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "far").await;
    assert_eq!(code(&session, &workstation, true).await, "open");
    let second = central.publish(Change::Material, 0).await;
    let taken = workstation.send_pack().await.unwrap();
    assert_eq!(taken.grants, 0);
    assert_eq!(*known(&workstation).last().unwrap(), *second.digest());
    assert_eq!(
        code(&session, &workstation, false).await,
        "agreement-required"
    );
    workstation
        .accept_again(&session, &about(&second), Decision::Accepted)
        .await
        .unwrap();
    let taken = workstation.send_pack().await.unwrap();
    assert_eq!(
        (taken.grants, taken.registered),
        (1, vec![session.person_id().to_owned()])
    );
    central.unplug().await;
    assert_eq!(code(&session, &workstation, false).await, "open");
}

#[tokio::test]
async fn a_phone_registers_the_new_acceptance_too() {
    let mut central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "phone").await;
    let second = central.publish(Change::Material, 0).await;
    synced(&workstation).await;
    central.unplug().await;
    workstation
        .accept_again(&session, &about(&second), Decision::Accepted)
        .await
        .unwrap();
    assert_eq!(
        code(&session, &workstation, false).await,
        "agreement-required"
    );
    let url = workstation
        .relay_url(session.person_id())
        .await
        .unwrap()
        .unwrap();
    let mut collector = Collector::default();
    for frame in central.phone(&url).await {
        collector.take(&frame).unwrap();
    }
    let relayed = workstation
        .accept_relay(&collector.answer().unwrap())
        .await
        .unwrap();
    assert!(relayed.is_registered && relayed.is_granted);
    assert_eq!(code(&session, &workstation, false).await, "open");
    assert_eq!(
        workstation.relay_url(session.person_id()).await.unwrap(),
        None
    );
    assert_eq!(
        workstation.proofs(session.person_id()).await.unwrap().len(),
        2
    );
}

#[tokio::test]
async fn an_editorial_version_asks_nobody_and_is_shown_to_who_comes_new() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "old").await;
    let second = central.publish(Change::Editorial, 0).await;
    synced(&workstation).await;
    assert_eq!(code(&session, &workstation, true).await, "open");
    assert_eq!(code(&session, &workstation, false).await, "open");
    assert!(!workstation.people().await.unwrap()[0].must_accept);

    assert_eq!(workstation.current_document().digest(), second.digest());
    let mut new = request("new", &central.person("new").await);
    new.evidence = about(&second);
    let pending = workstation.enrol(new).await.unwrap();
    assert_eq!(synced(&workstation).await, [pending.person_id.as_str()]);
    assert_eq!(code(&pending.session, &workstation, true).await, "open");
    let progress = workstation
        .progress(&pending.person_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(progress.document.version, 2);

    // Who accepted the first may accept the second too; the grant of before goes on.
    workstation
        .accept_again(&session, &about(&second), Decision::Accepted)
        .await
        .unwrap();
    assert_eq!(code(&session, &workstation, false).await, "open");
    synced(&workstation).await;
    assert_eq!(code(&session, &workstation, false).await, "open");
    assert_eq!(code(&session, &workstation, true).await, "open");
}

#[tokio::test]
async fn a_version_nobody_knows_is_not_signed() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "who").await;
    let unknown = Evidence {
        document: [7; 32],
        ..evidence()
    };
    let refused = workstation
        .accept_again(&session, &unknown, Decision::Accepted)
        .await;
    assert_eq!(refused.unwrap_err().code(), "document-unknown");
    assert_eq!(
        workstation.decline(&unknown).await.unwrap_err().code(),
        "document-unknown"
    );
    let mut new = request("b", &central.person("b").await);
    new.evidence = unknown;
    assert_eq!(
        workstation.enrol(new).await.unwrap_err().code(),
        "document-unknown"
    );
    assert_eq!(workstation.waiting().await.unwrap(), 0);
}

#[tokio::test]
async fn a_forged_version_is_refused_and_the_store_stays_as_it_was() {
    let central = Central::start().await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "forged").await;
    let first = *Document::builtin().digest();
    let second = central.publish(Change::Material, DAY).await;
    let foreign = |key: &infoblood_agreement::keys::SigningKey, issuer: &str| {
        let message = second.meta().sign(issuer, central.context.now(), key);
        base64(&message)
    };
    let issuer = central.context.issuer.clone();
    let by_grant_key = foreign(&central.context.keys.grant, &issuer);
    let of_another_server = foreign(&central.context.keys.document, "https://other.example");
    let long_ago = base64(
        &second
            .meta()
            .sign(&issuer, 0, &central.context.keys.document),
    );
    assert!(
        PublicKey::of(&central.context.keys.grant) != PublicKey::of(&central.context.keys.document)
    );
    let other = Document::builtin()
        .structure_json()
        .replacen("\"id\": 35", "\"id\": 36", 1);

    let set_to = |field: &'static str, value: String| -> Forgery {
        Box::new(move |document| document[field] = value.clone().into())
    };
    let forgeries: Vec<Forgery> = vec![
        set_to("message", by_grant_key),
        set_to("message", of_another_server),
        set_to("message", long_ago),
        set_to("message", "AAAA".into()),
        set_to("kk", Document::builtin().kk().into()),
        set_to("ru", Document::builtin().ru().into()),
        set_to("ru", format!("{}\n\nлишний пункт", second.ru())),
        set_to("structure", other),
        set_to("structure", "{}".into()),
        Box::new(|document| {
            let mut structure: Value =
                serde_json::from_str(document["structure"].as_str().unwrap()).unwrap();
            structure["units"].as_array_mut().unwrap().pop();
            document["structure"] = structure.to_string().into();
        }),
    ];
    for (n, forgery) in forgeries.into_iter().enumerate() {
        central.forge(forgery);
        let refused = workstation.refresh_documents().await.unwrap_err();
        assert_eq!(refused.code(), "document-invalid", "{n}");
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!(outcome.error.as_deref(), Some("document-invalid"), "{n}");
        assert_eq!(known(&workstation), [first]);
        central.honest();
    }
    // What is no answer of the protocol, or more than it allows, or nothing at all.
    for fault in [
        Fault::Answer(200, "text/html", b"<html>".to_vec()),
        Fault::Answer(200, "application/json", b"{\"documents\":[{}]}".to_vec()),
        Fault::Answer(200, "application/json", vec![b' '; 10 * 1024 * 1024]),
        Fault::Answer(404, "text/plain", Vec::new()),
        Fault::Answer(500, "text/plain", Vec::new()),
        Fault::Break(100),
    ] {
        central.fault(WAY, fault);
        assert!(workstation.refresh_documents().await.is_err());
        let outcome = sync::run_once(&workstation).await.unwrap();
        assert_eq!(outcome.error, None, "the round itself goes on");
        central.honest();
    }
    // The next one without the one before: an editorial one must not hide a material one.
    central.publish(Change::Editorial, 2 * DAY).await;
    let hide = |body: Vec<u8>| {
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        answer["documents"].as_array_mut().unwrap().remove(0);
        answer.to_string().into_bytes()
    };
    central.fault(WAY, Fault::Change(Arc::new(hide)));
    assert_eq!(
        workstation.refresh_documents().await.unwrap_err().code(),
        "document-invalid"
    );
    central.honest();
    assert_eq!(known(&workstation), [first]);
    assert_eq!(code(&session, &workstation, true).await, "open");

    assert!(workstation.refresh_documents().await.unwrap());
    assert!(
        !workstation.refresh_documents().await.unwrap(),
        "nothing more"
    );
    assert_eq!(known(&workstation).len(), 3);

    // A row that was changed by hand is not believed; the server gives the version again.
    drop((session, workstation));
    machine
        .by_hand("UPDATE document SET kk = kk || 'x' WHERE version = 2")
        .await;
    let workstation = machine.open(&central.profile).await;
    assert_eq!(known(&workstation), [first]);
    synced(&workstation).await;
    assert_eq!(known(&workstation).len(), 3);
    drop(workstation);
    let workstation = machine.open(&central.profile).await;
    assert_eq!(known(&workstation).len(), 3, "kept in its place");
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}
