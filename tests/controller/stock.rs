//! Stock, recipients and scans through the controller, over what a real server seeded.

use infoblood::view::{DeferralState, GroupCode, InventoryFilter, RecipientPage, Scan};

use super::*;

impl App {
    async fn recipients(&self, query: &str) -> Result<RecipientPage, AppError> {
        let query = query.to_owned();
        self.handle
            .ask(|reply| Request::SearchRecipients {
                query,
                after: None,
                reply,
            })
            .await
    }

    async fn scan(&self, text: &str) -> Result<Scan, AppError> {
        let text = text.to_owned();
        self.handle
            .ask(|reply| Request::ReadScan { text, reply })
            .await
    }

    async fn recipient(&self, id: &str) -> Result<infoblood::view::RecipientCard, AppError> {
        let id = id.to_owned();
        self.handle
            .ask(|reply| Request::OpenRecipient { id, reply })
            .await
    }

    async fn stock(&self, filter: InventoryFilter) -> Result<infoblood::view::Inventory, AppError> {
        self.handle
            .ask(|reply| Request::Inventory { filter, reply })
            .await
    }
}

#[tokio::test]
async fn what_is_in_the_house_who_receives_it_and_what_a_scan_says() {
    let world = World::new().await;
    let code = world.person("A.Serik").await;
    let _server = world.serve(None).await;
    let app = world.launch();
    app.state().await;
    for error in [
        app.recipients("").await.unwrap_err(),
        app.recipient("r").await.unwrap_err(),
        app.stock(InventoryFilter::All).await.unwrap_err(),
        app.scan("KZ00126000001V").await.unwrap_err(),
    ] {
        assert_eq!(error.code, "patient-locked");
    }
    app.accept().await.unwrap();
    app.sign("A.Serik", &code, PASSPHRASE).await.unwrap();
    app.shown("unlocked", is_unlocked).await;

    let id = "r".to_owned();
    let refused = app.recipient(&id).await.unwrap_err();
    assert_eq!(refused.code, "purpose-required");
    app.choose_purpose().await;
    let page = app.recipients("").await.unwrap();
    assert!(page.total > 0 && !page.rows.is_empty());
    let row = &page.rows[0];
    let card = app.recipient(&row.id).await.unwrap();
    assert_eq!(
        (&card.family, &card.birth_date),
        (&row.family, &row.birth_date)
    );
    assert!(card.iin_valid && card.iin.ends_with(&row.iin_last4));
    assert!(!card.antibodies.is_empty());
    let donors = app.donors("").await.unwrap();
    assert!(donors.rows.iter().all(|donor| donor.id != row.id));
    for nobody in ["d-nobody", donors.rows[0].id.as_str(), "", "../x"] {
        assert_eq!(
            app.recipient(nobody).await.unwrap_err().code,
            "recipient-unknown"
        );
    }

    let all = app.stock(InventoryFilter::All).await.unwrap();
    assert!(all.products.len() >= 6);
    assert!(all.products.iter().all(|stock| stock.cells.len() == 8));
    let total = |stock: &infoblood::view::Inventory| -> u32 {
        stock.products.iter().map(|stock| stock.total).sum()
    };
    let available = app.stock(InventoryFilter::Available).await.unwrap();
    assert!(total(&all) >= total(&available) && total(&all) > 0);
    assert_eq!(all.not_understood, 0);

    let scan = app.scan(&card.iin).await.unwrap();
    assert_eq!(scan, Scan::Recipient { id: row.id.clone() });
    let donor = app
        .handle
        .ask(|reply| Request::OpenDonor {
            id: donors.rows[0].id.clone(),
            reply,
        })
        .await
        .unwrap();
    let scan = app.scan(&donor.iin).await.unwrap();
    assert_eq!(scan, Scan::Donor { id: donor.id });
    let din = "KZ00126000001".to_owned();
    assert_eq!(
        app.scan("=%5100=ЛЯ0012600000191").await.unwrap(),
        Scan::Donation { din }
    );
    let text = "KZ00126000001X".to_owned();
    assert_eq!(app.scan(&text).await.unwrap(), Scan::WrongCheck { text });
    let unknown = |text: &str, expected: &str| Scan::Unknown {
        text: text.into(),
        expected: expected.into(),
    };
    assert_eq!(
        app.scan("=%5100").await.unwrap(),
        unknown("=%5100", "donation-number")
    );
    // A right number of nobody here.
    let iin = "120304600786";
    assert_eq!(app.scan(iin).await.unwrap(), unknown(iin, "known-iin"));
    assert_eq!(
        app.scan(&"x".repeat(10_000)).await.unwrap(),
        unknown(&"x".repeat(64), "number")
    );
    app.shown("every look reached the server", |state| state.waiting == 0)
        .await;
    app.close().await;
}

#[tokio::test]
async fn donors_of_a_group_and_a_state_are_exactly_those() {
    let world = World::new().await;
    let code = world.person("A.Serik").await;
    let _server = world.serve(None).await;
    let app = world.launch();
    app.state().await;
    app.accept().await.unwrap();
    app.sign("A.Serik", &code, PASSPHRASE).await.unwrap();
    app.shown("unlocked", is_unlocked).await;

    let all = app.donors("").await.unwrap();
    let groups = [
        (GroupCode::OPositive, "O", "+"),
        (GroupCode::ONegative, "O", "-"),
        (GroupCode::APositive, "A", "+"),
        (GroupCode::ANegative, "A", "-"),
        (GroupCode::BPositive, "B", "+"),
        (GroupCode::BNegative, "B", "-"),
        (GroupCode::AbPositive, "AB", "+"),
        (GroupCode::AbNegative, "AB", "-"),
    ];
    for (code, abo, rh) in groups {
        let filter = DonorFilter {
            blood: Some(code),
            deferral: None,
        };
        let found = app.donors_of("", filter).await.unwrap();
        let expected = all.rows.iter().filter(|row| {
            row.blood
                .as_ref()
                .is_some_and(|blood| blood.abo == abo && blood.rh == rh)
        });
        let expected: Vec<_> = expected.map(|row| &row.id).collect();
        let found: Vec<_> = found.rows.iter().map(|row| &row.id).collect();
        assert_eq!(found, expected, "{abo}{rh}");
    }
    for state in [
        DeferralState::None,
        DeferralState::Temporary,
        DeferralState::Permanent,
        DeferralState::Unclear,
    ] {
        let filter = DonorFilter {
            blood: None,
            deferral: Some(state),
        };
        let found = app.donors_of("", filter).await.unwrap();
        let expected = all.rows.iter().filter(|row| row.deferral == state);
        assert_eq!(found.rows.len(), expected.count(), "{state:?}");
        assert!(found.rows.iter().all(|row| row.deferral == state));
    }
}
