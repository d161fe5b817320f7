//! Every look at stock, recipients and numbers leaves its event first, an attempt at nobody too.

use infoblood_client::{Holder, Purpose, sync};
use infoblood_clinical::{iin::Iin, inventory::Filter};
use infoblood_server::storage::{AuditStorage as _, Database as _};

use crate::common::{Central, Machine, enrolled};

#[tokio::test]
async fn every_look_leaves_an_event_and_recipients_are_no_donors() {
    let central = Central::start().await;
    central.seed(60).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "A.Kasymova").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.refresh().await.unwrap();
    open.choose_purpose(Purpose::Treatment).await.unwrap();
    let gate = open.gate();
    let before = workstation.waiting().await.unwrap();
    let mut waiting = before;
    // One more event than before, whatever came of it.
    macro_rules! logged {
        ($look:expr) => {{
            let answer = $look.await;
            let now = workstation.waiting().await.unwrap();
            assert_eq!(now, waiting + 1, "{}", stringify!($look));
            waiting = now;
            answer
        }};
    }

    let page = logged!(open.recipients(gate, "", None, 20)).unwrap();
    assert!(page.total >= 3 && page.rows.len() as u64 == page.total);
    let one = &page.rows[0].summary;
    let card = logged!(open.recipient(gate, &one.id)).unwrap();
    assert_eq!(card.facts.iin, one.iin);
    assert!(card.as_of.is_some());
    let last = one.iin_last4().to_owned();
    let found = logged!(open.recipients(gate, &last, None, 20)).unwrap();
    assert!(found.rows.iter().any(|row| row.summary.id == one.id));

    let unknown = logged!(open.recipient(gate, "r-nobody")).unwrap_err();
    assert_eq!(unknown.code(), "recipient-unknown");
    let donors = logged!(open.search(gate, "", None, 200)).unwrap();
    assert_eq!(donors.total, 60, "no recipient among them");
    let donor = &donors.rows[0].summary;
    let unknown = logged!(open.recipient(gate, &donor.id)).unwrap_err();
    assert_eq!(unknown.code(), "recipient-unknown");
    let unknown = logged!(open.card(gate, &one.id)).unwrap_err();
    assert_eq!(
        unknown.code(),
        "record-unknown",
        "no donor's card of a recipient"
    );

    let iin = Iin::parse(&donor.iin).unwrap();
    let holders = logged!(open.holders(gate, &iin)).unwrap();
    assert_eq!(holders, [Holder::Donor(donor.id.clone())]);
    let iin = Iin::parse(&one.iin).unwrap();
    let holders = logged!(open.holders(gate, &iin)).unwrap();
    assert_eq!(holders, [Holder::Recipient(one.id.clone())]);

    let stock = logged!(open.inventory(gate, Filter::All)).unwrap();
    let total: u64 = stock.inventory.products.iter().map(|p| p.total).sum();
    assert!(total > 0 && stock.as_of.is_some());
    assert_eq!(
        stock.expiring.len() as u64,
        stock.inventory.expiring.min(50)
    );

    assert_eq!(waiting, before + 10);
    open.lock().await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!((outcome.waiting, outcome.error), (0, None));
    let mut server = central.context.database.read().await.unwrap();
    let gaps = server.audit_gaps(&workstation.device_id()).await.unwrap();
    assert_eq!(gaps, []);
}
