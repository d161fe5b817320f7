//! Records that name what is not there, lead round in a circle, or say the same number of two.

use infoblood_client::Holder;
use infoblood_clinical::{iin::Iin, inventory::Filter};

use super::lines::{
    DIN, IIN, component, donation, donor, group, opened, recipient, transfusion, with,
};
use crate::common::Central;

#[tokio::test]
async fn circles_end_and_what_is_missing_is_said_to_be() {
    let lines = [
        component("c-1", &["c-2"]),
        component("c-2", &["c-1"]),
        component("c-3", &["c-2", "c-gone"]),
        transfusion("t-1", "r-gone", "c-1"),
        transfusion("t-2", "r-1", "c-gone"),
        recipient("r-1"),
        donation("p-1", "d-gone", "KZ00126000002", "2026-03-01"),
        group("o-1", "nobody", "A+"),
    ];
    let central = Central::start().await;
    let (_machine, open) = opened(&central, &lines).await;
    let gate = open.gate();
    assert_eq!(open.search(gate, "", None, 50).await.unwrap().total, 0);
    for nobody in ["d-1", "d-gone", "nobody", "c-1"] {
        assert_eq!(
            open.card(gate, nobody).await.unwrap_err().code(),
            "record-unknown"
        );
    }

    let card = open.donation(gate, DIN).await.unwrap().facts;
    let mut parts: Vec<_> = card
        .components
        .iter()
        .map(|part| part.component.id.as_str())
        .collect();
    parts.sort_unstable();
    assert_eq!(parts, ["c-1", "c-2", "c-3"], "each once");
    let donor = card.donor.unwrap();
    assert_eq!((donor.id.as_str(), donor.name), ("d-1", None));
    let back = open.lookback(gate, DIN).await.unwrap().facts;
    let [reached] = &back.reached[..] else {
        panic!("{back:?}");
    };
    assert_eq!(
        (reached.recipient.id.as_str(), &reached.recipient.name),
        ("r-gone", &None)
    );
    assert_eq!((back.reason, back.donations.len()), (None, 0));
    let card = open.donation(gate, "KZ00126000002").await.unwrap().facts;
    assert_eq!(card.donor.unwrap().id, "d-gone");
    assert_eq!(card.components, []);

    let card = open.recipient(gate, "r-1").await.unwrap().facts;
    let [received] = &card.transfusions[..] else {
        panic!("{card:?}");
    };
    assert_eq!(
        (received.component.as_str(), received.din, received.product),
        ("c-gone", None, None)
    );
    open.lock().await.unwrap();
}

#[tokio::test]
async fn one_number_of_two_names_both() {
    let mut lines = vec![
        donor("d-1", IIN),
        donor("d-2", IIN),
        // A check digit that is wrong, and the same without one.
        donor("d-3", "850715400120"),
        donor("d-4", "85071540"),
        with(
            &recipient("r-1"),
            &format!(r#""identifier":[{{"system":"urn:infoblood:id:iin","value":"{IIN}"}}]"#),
        ),
        donation("p-1", "d-1", DIN, "2026-03-01"),
        donation("p-2", "d-2", DIN, "2026-03-02"),
        component("c-1", &[]),
        group("o-1", "d-1", "A-"),
        group("o-2", "d-1", "A+"),
    ];
    // An unknown product, and an expiry that no calendar can move on.
    lines.push(component("c-2", &[]).replace("ffp", "granulocytes"));
    lines.push(component("c-3", &[]).replace("2099-01-01", "9999-12-31"));
    let central = Central::start().await;
    let (_machine, open) = opened(&central, &lines).await;
    let gate = open.gate();

    let page = open.search(gate, IIN, None, 50).await.unwrap();
    assert_eq!(page.total, 2);
    let iin = Iin::parse(IIN).unwrap();
    let holders = open.holders(gate, &iin).await.unwrap();
    assert_eq!(
        holders,
        [
            Holder::Donor("d-1".into()),
            Holder::Donor("d-2".into()),
            Holder::Recipient("r-1".into())
        ]
    );
    // Who gives and who receives are records apart.
    for (id, same, valid) in [
        ("d-1", 1, true),
        ("d-2", 1, true),
        ("d-3", 0, false),
        ("d-4", 0, false),
    ] {
        let card = open.card(gate, id).await.unwrap();
        assert_eq!((card.same_iin, card.facts.iin_valid), (same, valid), "{id}");
    }
    assert_eq!(open.recipient(gate, "r-1").await.unwrap().same_iin, 0);
    assert_eq!(
        open.card(gate, "d-1")
            .await
            .unwrap()
            .facts
            .blood_conflict
            .len(),
        2
    );

    let card = open.donation(gate, DIN).await.unwrap().facts;
    assert_eq!(card.donor.as_ref().unwrap().id, "d-1");
    assert_eq!(card.further_donors[0].id, "d-2");
    assert_eq!(card.others, ["p-2"]);
    let back = open.lookback(gate, DIN).await.unwrap().facts;
    assert_eq!((back.others.len(), back.further_donors.len()), (1, 1));

    let stock = open.inventory(gate, Filter::All).await.unwrap().inventory;
    let other = stock
        .products
        .iter()
        .find(|p| p.product == infoblood_clinical::component::Product::Other);
    assert_eq!(other.map(|p| p.total), Some(1));
    open.lock().await.unwrap();
}
