//! A cache that is not whole says so: an interrupted first filling, and a filling anew that does not come to its end.

use std::sync::Arc;

use infoblood_client::Purpose;
use infoblood_clinical::inventory::Filter;

use crate::common::{Central, Fault, Machine, enrolled};

#[tokio::test]
async fn nothing_is_told_as_whole_before_both_streams_ended() {
    let central = Central::start().await;
    central.seed(60).await;
    let machine = Machine::new();
    let (workstation, session) = enrolled(&central, &machine, "part").await;
    let open = session.unlock(&workstation, true).await.unwrap();
    open.choose_purpose(Purpose::Treatment).await.unwrap();
    let gate = open.gate();

    // The safety stream ends, of the other one only a part comes.
    central.fault(
        "/v1/changes",
        Fault::Change(Arc::new(|bytes| {
            let is_long = bytes.len() > 40_000;
            bytes[..if is_long {
                bytes.len() / 4 * 3
            } else {
                bytes.len()
            }]
                .to_vec()
        })),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-truncated");
    let page = open.search(gate, "", None, 200).await.unwrap();
    assert!(page.total > 0, "a part is here");
    assert_eq!(open.data_as_of().await.unwrap(), None);
    let donor = &page.rows[0].summary.id;
    assert_eq!(open.card(gate, donor).await.unwrap().as_of, None);
    let stock = open.inventory(gate, Filter::Available).await.unwrap();
    assert_eq!(
        (stock.as_of, stock.inventory.products.len()),
        (None, 0),
        "a part is not counted: it would be low everywhere"
    );

    central.honest();
    open.refresh().await.unwrap();
    assert!(open.data_as_of().await.unwrap().is_some());
    assert!(open.card(gate, donor).await.unwrap().as_of.is_some());
    let stock = open.inventory(gate, Filter::Available).await.unwrap();
    assert!(stock.as_of.is_some() && stock.inventory.products.len() >= 6);

    // The cursor is gone at the server, and the filling anew fails: what was fresh is not fresh any more.
    assert!(!open.is_emptied());
    let gone = br#"{"type":"urn:infoblood:error:cursor-expired","code":"cursor-expired"}"#;
    central.fault(
        "/v1/changes",
        Fault::Answer(410, "application/problem+json", gone.to_vec()),
    );
    assert_eq!(open.refresh().await.unwrap_err().code(), "server-refused");
    assert!(open.is_emptied());
    assert_eq!(open.data_as_of().await.unwrap(), None);
    assert!(!open.is_emptied(), "told with the age");
    let stock = open.inventory(gate, Filter::All).await.unwrap();
    assert_eq!((stock.as_of, stock.inventory.products.len()), (None, 0));
    assert_eq!(
        open.card(gate, donor).await.unwrap_err().code(),
        "record-unknown"
    );

    central.honest();
    open.refresh().await.unwrap();
    open.refresh().await.unwrap();
    assert!(open.data_as_of().await.unwrap().is_some());
    assert_eq!(open.search(gate, "", None, 5).await.unwrap().total, 60);
}
