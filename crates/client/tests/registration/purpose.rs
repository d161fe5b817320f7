//! What a look is for, and what may leave the screen.

use std::sync::atomic::Ordering;

use infoblood_client::{Mode, Purpose, Taking, sync};
use infoblood_server::storage::{AuditStorage as _, Database as _};

use crate::common::{Central, Machine, enrolled};

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn no_card_opens_before_somebody_said_what_for() {
    let central = Central::start().await;
    central.seed(30).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "purpose").await;
    let person_id = session.person_id().to_owned();
    assert_eq!(workstation.last_purpose(&person_id).await.unwrap(), None);
    let open = session.unlock(&workstation, true).await.unwrap();
    let gate = open.gate();
    open.refresh().await.unwrap();
    assert_eq!(open.purpose(), None);

    // Searching asks nothing; a card, paper and the clipboard do, and the refusal is recorded.
    let page = open.search(gate, "", None, 5).await.unwrap();
    let donor = page.rows[0].summary.id.clone();
    let before = workstation.waiting().await.unwrap();
    for code in [
        open.card(gate, &donor).await.unwrap_err().code(),
        open.recipient(gate, &donor).await.unwrap_err().code(),
        open.take_away(gate, Taking::Print, std::slice::from_ref(&donor))
            .await
            .unwrap_err()
            .code(),
    ] {
        assert_eq!(code, "purpose-required");
    }
    assert_eq!(workstation.waiting().await.unwrap(), before + 3);

    open.choose_purpose(Purpose::Quality).await.unwrap();
    assert_eq!(open.purpose(), Some(Purpose::Quality));
    assert_eq!(open.card(gate, &donor).await.unwrap().facts.id, donor);
    open.choose_purpose(Purpose::Lookback).await.unwrap();
    assert_eq!(open.purpose(), Some(Purpose::Lookback));
    assert_eq!(open.card(gate, &donor).await.unwrap().facts.id, donor);
    open.lock().await.unwrap();

    // The next session is asked anew; the last answer is known, to each person their own.
    let open = session.unlock(&workstation, true).await.unwrap();
    assert_eq!(open.purpose(), None);
    let last = workstation.last_purpose(&person_id).await.unwrap();
    assert_eq!(last, Some(Purpose::Lookback));
    assert_eq!(workstation.last_purpose("nobody").await.unwrap(), None);
    let refused = open.card(open.gate(), &donor).await.unwrap_err();
    assert_eq!(refused.code(), "purpose-required");
    open.lock().await.unwrap();

    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    let mut server = central.context.database.read().await.unwrap();
    let gaps = server.audit_gaps(&workstation.device_id()).await.unwrap();
    assert_eq!(gaps, [], "the server reads what was signed");
}

#[tokio::test]
async fn paper_and_clipboard_leave_an_event_for_each_person_and_nothing_in_the_read_only_time() {
    let central = Central::start_site(|site| site.break_glass = true).await;
    central.seed(4).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "paper").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    let gate = open.gate();
    open.refresh().await.unwrap();
    open.choose_purpose(Purpose::Lookback).await.unwrap();
    let page = open.search(gate, "", None, 5).await.unwrap();
    let ids: Vec<String> = page.rows.into_iter().map(|row| row.summary.id).collect();
    let taken = async |taking, patients: &[String]| {
        let before = workstation.waiting().await.unwrap();
        let result = open.take_away(gate, taking, patients).await;
        let events = workstation.waiting().await.unwrap() - before;
        (result.map_err(|error| error.code()), events)
    };
    assert_eq!(taken(Taking::Print, &ids).await, (Ok(()), 4));
    assert_eq!(taken(Taking::Copy, &ids[..1]).await, (Ok(()), 1));
    // Not a record: nothing is told of it.
    for wrong in ["", "a b", "Patient/x", "../x"] {
        let wrong = [ids[0].clone(), wrong.to_owned()];
        assert_eq!(
            taken(Taking::Copy, &wrong).await,
            (Err("record-unknown"), 0)
        );
    }
    assert_eq!(taken(Taking::Copy, &[]).await, (Err("record-unknown"), 0));

    machine.clock.0.store(31 * DAY, Ordering::SeqCst);
    assert_eq!(open.mode(), Some(Mode::ReadOnly));
    for taking in [Taking::Print, Taking::Copy] {
        assert_eq!(taken(taking, &ids).await, (Err("read-only-time"), 1));
    }
    assert!(open.card(gate, &ids[0]).await.is_ok(), "reading goes on");
    open.break_glass("Жедел ота, байланыс жоқ").await.unwrap();
    assert_eq!(taken(Taking::Print, &ids[..1]).await, (Ok(()), 1));

    machine.clock.0.store(38 * DAY, Ordering::SeqCst);
    assert_eq!(taken(Taking::Print, &ids).await, (Err("grant-expired"), 1));
}
