//! A look at a donation leaves an event for everybody who is named, an attempt at nothing too.

use infoblood_client::{Purpose, sync};
use infoblood_server::storage::{AuditStorage as _, Database as _};

use crate::common::{Central, Machine, enrolled};

#[tokio::test]
async fn everybody_who_is_named_leaves_an_event() {
    let central = Central::start().await;
    central.seed(60).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    let gate = open.gate();
    let before = workstation.waiting().await.unwrap();
    for refused in [
        open.donation(gate, "KZ99926000001").await.unwrap_err(),
        open.lookback(gate, "KZ99926000001").await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), "purpose-required");
    }
    assert_eq!(workstation.waiting().await.unwrap(), before + 2);
    open.choose_purpose(Purpose::Lookback).await.unwrap();
    let donors = open.search(gate, "", None, 200).await.unwrap();
    let (mut most, mut din) = (0, String::new());
    for row in donors.rows {
        let card = open.card(gate, &row.summary.id).await.unwrap();
        for donation in card.facts.donations {
            let Some(number) = donation.din else { continue };
            let before = workstation.waiting().await.unwrap();
            let back = open.lookback(gate, &number).await.unwrap();
            let named = back.facts.people().len();
            let after = workstation.waiting().await.unwrap();
            assert_eq!(
                after,
                before + 1 + named as u64,
                "the donation and everybody named"
            );
            if named > most {
                (most, din) = (named, number);
            }
        }
    }
    assert!(most > 1, "somebody received something");
    let before = workstation.waiting().await.unwrap();
    let card = open.donation(gate, &din).await.unwrap();
    assert!(card.as_of.is_some());
    let named = card.facts.people().len() as u64;
    assert_eq!(workstation.waiting().await.unwrap(), before + 1 + named);

    // Nothing bears this number: that it was asked for is recorded all the same.
    let before = workstation.waiting().await.unwrap();
    let unknown = open.donation(gate, "KZ99926000001").await.unwrap_err();
    assert_eq!(unknown.code(), "donation-unknown");
    let unknown = open.lookback(gate, "KZ99926000001").await.unwrap_err();
    assert_eq!(unknown.code(), "donation-unknown");
    assert_eq!(workstation.waiting().await.unwrap(), before + 2);
    let no_number = open.donation(gate, "nothing").await.unwrap_err();
    assert_eq!(no_number.code(), "donation-unknown");

    open.lock().await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    let mut server = central.context.database.read().await.unwrap();
    let gaps = server.audit_gaps(&workstation.device_id()).await.unwrap();
    assert_eq!(gaps, []);
}
