//! A cache that is not whole is never shown as one of now.

use infoblood::view::{Inventory, InventoryFilter};

use super::*;

impl App {
    async fn whole_stock(&self) -> Inventory {
        self.handle
            .ask(|reply| Request::Inventory {
                filter: InventoryFilter::All,
                reply,
            })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn data_that_are_not_whole_have_no_age_and_no_stock() {
    let world = World::new().await;
    let code = world.person("e.aidos").await;
    let server = world.serve(None).await;
    let url = server.url.clone();
    let app = world.launch();
    app.accept().await.unwrap();
    app.sign("e.aidos", &code, PASSPHRASE).await.unwrap();
    let state = app.shown("unlocked", is_unlocked).await;
    let Screen::Unlocked { person } = state.screen else {
        unreachable!()
    };
    let stock = app.whole_stock().await;
    assert!(stock.as_of.is_some() && stock.products.len() >= 6);
    app.close().await;
    server.shutdown().await;

    // The cache is lost and the server away: it is made anew, and nothing comes yet.
    fs::write(world.data_dir().join("patients.db"), vec![0x55; 20_000]).unwrap();
    let app = world.launch();
    app.state().await;
    app.sign_in(&person.person_id, PASSPHRASE).await.unwrap();
    let state = app.state().await;
    assert!(matches!(state.screen, Screen::Unlocked { .. }));
    assert_eq!(state.data_as_of, None);
    let stock = app.whole_stock().await;
    assert_eq!(stock.as_of, None);
    assert!(stock.products.is_empty() && stock.expiring.is_empty());
    assert_eq!(app.donors("").await.unwrap().total, 0);

    let server = world.serve(Some(&url)).await;
    app.handle.ask(Request::SyncNow).await.unwrap();
    app.shown("whole again", is_unlocked).await;
    let stock = app.whole_stock().await;
    assert!(stock.as_of.is_some() && stock.products.len() >= 6);
    app.close().await;
    server.shutdown().await;
}
