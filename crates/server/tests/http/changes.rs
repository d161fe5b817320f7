//! The change feed and the seeded donors in it.

use crate::common::{World, ndjson, problem};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_server::service::load;
use infoblood_server::storage::{Database, FeedStorage, Transaction};
use serde_json::{Value, json};

#[tokio::test]
async fn changes_come_in_pages_within_the_scope() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 40, 7, None).await.unwrap();
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let page = async |query: &str| {
        let response = world
            .get(&format!("/v1/changes?{query}"), Some(&token))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let mut lines = ndjson(&response.text().await.unwrap());
        let end = lines.pop().unwrap();
        assert_eq!(end["end"], true);
        (lines, end)
    };

    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (lines, end) = page(&format!("stream=all&limit=25&after={cursor}")).await;
        assert!(lines.len() <= 25);
        for line in &lines {
            let next = line["cursor"].as_str().unwrap();
            assert!(next > cursor.as_str(), "cursors are ordered");
            cursor = next.to_owned();
        }
        all.extend(lines);
        cursor = end["cursor"].as_str().unwrap().to_owned();
        if end["more"] == false {
            break;
        }
    }
    assert!(
        all.iter()
            .any(|line| line["resource"]["resourceType"] == "Patient")
    );
    let sites: Vec<_> = all
        .iter()
        .map(|line| &line["resource"]["meta"]["tag"][0]["code"])
        .collect();
    assert!(
        sites.iter().all(|site| **site == "A"),
        "only the device's site"
    );
    let (nothing, _) = page(&format!("stream=all&after={cursor}")).await;
    assert_eq!(nothing, Vec::<Value>::new());

    let (safety, _) = page("stream=safety").await;
    assert!(
        !safety.is_empty()
            && safety
                .iter()
                .all(|line| line["resource"]["resourceType"] == "Flag"
                    || line["resource"]["productStatus"]["code"] == "recalled")
    );
    assert!(
        safety
            .iter()
            .any(|line| line["resource"]["meta"]["tag"][0]["code"] == "B"),
        "deferrals are national"
    );

    let mut tx = world.context.database.write().await.unwrap();
    let id = all[3]["resource"]["id"].as_str().unwrap();
    let kind = all[3]["resource"]["resourceType"].as_str().unwrap();
    assert!(tx.delete_resource(kind, id).await.unwrap());
    tx.commit().await.unwrap();
    let (deleted, _) = page(&format!("stream=all&after={cursor}")).await;
    assert_eq!(
        (&deleted[0]["op"], &deleted[0]["type"], &deleted[0]["id"]),
        (&json!("delete"), &json!(kind), &json!(id))
    );

    for (query, code) in [
        ("stream=none", "stream-unknown"),
        ("after=", "stream-unknown"),
        ("stream=all&after=nonsense", "cursor-malformed"),
        ("stream=all&limit=0", "limit-malformed"),
        ("stream=all&limit=x", "limit-malformed"),
    ] {
        let (status, found, _) = problem(
            world
                .get(&format!("/v1/changes?{query}"), Some(&token))
                .await,
        )
        .await;
        assert_eq!((status, found.as_str()), (400, code), "{query}");
    }
    let ahead = "stream=all&after=00000000ffffffff";
    let (status, code, _) = problem(
        world
            .get(&format!("/v1/changes?{ahead}"), Some(&token))
            .await,
    )
    .await;
    assert_eq!((status, code.as_str()), (410, "cursor-expired"));
    let mut tx = world.context.database.write().await.unwrap();
    tx.raise_floor(20).await.unwrap();
    tx.commit().await.unwrap();
    let old = "stream=all&after=0000000000000003";
    let (status, code, _) =
        problem(world.get(&format!("/v1/changes?{old}"), Some(&token)).await).await;
    assert_eq!((status, code.as_str()), (410, "cursor-expired"));
}

#[tokio::test]
async fn changes_are_compressed_on_request() {
    let world = World::new(DeviceApproval::Auto).await;
    load::seed(&world.context, 5, 7, Some("A")).await.unwrap();
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let plain = reqwest::Client::builder().no_zstd().build().unwrap();
    let request = plain
        .get(world.url("/v1/changes?stream=all"))
        .bearer_auth(&token);
    let response = request
        .try_clone()
        .unwrap()
        .header("accept-encoding", "zstd")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-encoding"], "zstd");
    assert_eq!(
        response.bytes().await.unwrap()[..4],
        [0x28, 0xb5, 0x2f, 0xfd]
    );
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn seeding_is_reproducible() {
    let texts = async || {
        let world = World::new(DeviceApproval::Auto).await;
        load::seed(&world.context, 30, 99, Some("A")).await.unwrap();
        let person = world.accepted("a", "A").await;
        let token = world.token(&person).await;
        world
            .get("/v1/changes?stream=all", Some(&token))
            .await
            .text()
            .await
            .unwrap()
    };
    assert_eq!(texts().await, texts().await);
}
