//! What is taken although nobody would expect it: it is shown as it is, marked where nobody would see it, and not understood where it
//! is not.

use infoblood_clinical::{donor::DeferralState, inventory::Filter};

use super::lines::{
    DIN, component, donation, donor, flag, group, modified, named, opened, recipient, transfusion,
    with,
};
use crate::common::Central;

#[tokio::test]
async fn hostile_words_are_only_words() {
    let long = "ә".repeat(10_000);
    let words = "ә ".repeat(5_000);
    // As sent, and as shown.
    let names = [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        (
            "<img src=x onerror=alert(1)>",
            "<img src=x onerror=alert(1)>",
        ),
        (
            "Робин'); DROP TABLE donor;--",
            "Робин'); DROP TABLE donor;--",
        ),
        ("\" OR 1=1 --", "\" OR 1=1 --"),
        ("{{7*7}} ${7*7} %s%n", "{{7*7}} ${7*7} %s%n"),
        ("Ким\u{202e}авон", "Ким\u{fffd}авон"),
        ("Ким\0\u{7}\u{1b}[31m", "Ким\u{fffd}\u{fffd}\u{fffd}[31m"),
        ("\u{feff}Ким", "\u{fffd}Ким"),
        ("👩\u{200d}⚕\u{fe0f}", "👩\u{200d}⚕\u{fe0f}"),
        ("\u{301}\u{301}", "\u{301}\u{301}"),
        (&long, &long),
        (&words, words.trim()),
    ];
    let mut lines: Vec<String> = (0..)
        .zip(&names)
        .map(|(n, (family, _))| named(&format!("d-{n}"), family))
        .collect();
    let narrative = r#""text":{"status":"generated","div":"<div><script>steal()</script></div>"},"contained":[{"resourceType":"Spaceship"}],"later":{"a":[1e999,null]}"#;
    lines.push(with(&named("d-text", "Ахметова"), narrative));
    let deep = format!(r#""later":{}{}"#, "[".repeat(100_000), "]".repeat(100_000));
    lines.push(with(&named("d-deep", "Сейітова"), &deep));
    let central = Central::start().await;
    let (_machine, open) = opened(&central, &lines).await;
    let gate = open.gate();

    let page = open.search(gate, "", None, 200).await.unwrap();
    assert_eq!(
        (page.total, page.rows.len()),
        (lines.len() as u64, lines.len())
    );
    for (n, (_, shown)) in (0..).zip(&names) {
        let id = format!("d-{n}");
        let row = page.rows.iter().find(|row| row.summary.id == id).unwrap();
        assert_eq!(row.summary.family, *shown);
        let card = open.card(gate, &id).await.unwrap();
        assert_eq!(card.facts.family, *shown);
        assert_eq!(card.facts.not_understood, 0);
    }
    let card = open.card(gate, "d-text").await.unwrap();
    assert!(
        !format!("{card:?}").contains("steal"),
        "narratives are not shown"
    );
    assert_eq!(
        open.card(gate, "d-deep").await.unwrap().facts.family,
        "Сейітова"
    );

    let found = async |text: &str| {
        let page = open.search(gate, text, None, 200).await.unwrap();
        let mut ids: Vec<_> = page.rows.into_iter().map(|row| row.summary.id).collect();
        ids.sort();
        ids.join(" ")
    };
    assert_eq!(found("script").await, "d-0");
    assert_eq!(found("drop").await, "d-2");
    assert_eq!(found("Ким").await, "d-5 d-6 d-7", "a mark separates words");
    // A letter is heard once, however often it stands.
    assert_eq!(found(&"а".repeat(200)).await, found("а").await);
    assert!(found("а").await.contains("d-10"));
    // A hundred words against a name of five thousand: one that repeats itself says no more than once.
    let many = found(&"а ".repeat(100)).await;
    assert_eq!(many, found("а").await);
    assert!(many.contains("d-11"));
    assert_eq!(
        found(&long).await,
        "",
        "longer than anything that is looked for"
    );
    open.lock().await.unwrap();
}

#[tokio::test]
async fn what_is_not_understood_is_counted_and_never_shown_as_understood() {
    let day = "2026-03-01";
    let issue = r#"{"resourceType":"BiologicallyDerivedProductDispense","id":"i-1","status":"issued","product":{"reference":"BiologicallyDerivedProduct/c-2"},"patient":{"reference":"Patient/r-1"}}"#;
    let lines = [
        donor("d-1", super::lines::IIN),
        modified(&group("o-1", "d-1", "AB-")),
        modified(&donation("p-1", "d-1", DIN, day)),
        // Not even an end that has passed counts.
        modified(&flag(
            "f-2",
            "d-2",
            r#"{"start":"2020-01-01","end":"2020-02-01"}"#,
        )),
        donor("d-2", ""),
        modified(&donor("d-3", "")),
        modified(&component("c-1", &[])),
        component("c-2", &[]),
        modified(issue),
        component("c-3", &[]).replace("available", "somewhere"),
        recipient("r-1"),
        modified(&group("o-2", "r-1", "AB+")),
        modified(&transfusion("t-1", "r-1", "c-1")),
    ];
    let central = Central::start().await;
    let (_machine, open) = opened(&central, &lines).await;
    let gate = open.gate();

    let card = open.card(gate, "d-1").await.unwrap().facts;
    // The group, the donation, and a component.
    assert_eq!((card.not_understood, card.blood), (3, None));
    assert_eq!(card.donations, []);
    // Nor does the list say that nothing forbids it.
    let page = open.search(gate, "", None, 50).await.unwrap();
    let states: Vec<_> = page
        .rows
        .iter()
        .map(|row| (row.summary.id.as_str(), row.deferral))
        .collect();
    assert_eq!(states.len(), 3);
    assert!(
        states
            .iter()
            .all(|(_, state)| *state != DeferralState::None),
        "{states:?}"
    );
    let page = open.recipients(gate, "", None, 50).await.unwrap();
    assert!(page.rows[0].summary.not_understood);
    for (id, unclear) in [("d-1", 3), ("d-2", 1), ("d-3", 1)] {
        let card = open.card(gate, id).await.unwrap().facts;
        assert_eq!(card.not_understood, unclear, "{id}");
        assert!(
            card.next_dates.iter().all(|next| next.date.is_none()),
            "{id}"
        );
    }
    assert_eq!(
        open.card(gate, "d-2").await.unwrap().facts.deferrals.len(),
        1
    );

    let stock = open.inventory(gate, Filter::All).await.unwrap();
    let total: u64 = stock.inventory.products.iter().map(|p| p.total).sum();
    assert_eq!(
        (total, stock.inventory.not_understood),
        (1, 2),
        "only c-2 is stock"
    );

    let card = open.donation(gate, DIN).await.unwrap().facts;
    assert_eq!(
        (card.date.as_deref(), card.kind, card.blood),
        (None, None, None)
    );
    assert_eq!(
        card.not_understood, 4,
        "donation, component, issue, transfusion"
    );
    let part = |id: &str| {
        card.components
            .iter()
            .find(|part| part.component.id == id)
            .unwrap()
    };
    for (id, way_unclear) in [("c-1", true), ("c-2", true), ("c-3", false)] {
        assert_eq!(part(id).way_unclear, way_unclear, "{id}");
        assert_eq!(part(id).gone_to, None, "{id}");
    }
    let back = open.lookback(gate, DIN).await.unwrap().facts;
    assert_eq!((back.not_understood, back.reached.len()), (4, 0));

    let card = open.recipient(gate, "r-1").await.unwrap().facts;
    assert_eq!((card.not_understood, card.blood), (3, None));
    assert!(card.transfusions.is_empty());
    open.lock().await.unwrap();
}
