//! The change feed and the seeded donors in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{World, ndjson, problem};
use infoblood_agreement::profile::DeviceApproval;
use infoblood_server::service::load;
use infoblood_server::storage::{Database, FeedStorage, Stream, Transaction};
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
        ("stream=all&limit=", "limit-malformed"),
        ("stream=all&limit=000", "limit-malformed"),
        ("stream=all&limit=-1", "limit-malformed"),
        ("stream=all&limit=%2B1", "limit-malformed"),
    ] {
        let (status, found, _) = problem(
            world
                .get(&format!("/v1/changes?{query}"), Some(&token))
                .await,
        )
        .await;
        assert_eq!((status, found.as_str()), (400, code), "{query}");
    }
    for limit in ["4294967295", "4294967296", "99999999999999999999999"] {
        let (lines, _) = page(&format!("stream=all&limit={limit}")).await;
        assert!(!lines.is_empty(), "{limit}");
    }
    let ahead = "stream=all&after=00000000ffffffff";
    let (status, code, _) = problem(
        world
            .get(&format!("/v1/changes?{ahead}"), Some(&token))
            .await,
    )
    .await;
    assert_eq!((status, code.as_str()), (410, "cursor-expired"));
    let (_, early) = page("stream=all&limit=1").await;
    let early = early["cursor"].as_str().unwrap();
    let (rest, _) = page(&format!("stream=all&after={early}")).await;
    assert!(!rest.is_empty());
    let mut tx = world.context.database.write().await.unwrap();
    tx.raise_floor(20).await.unwrap();
    tx.commit().await.unwrap();
    let (status, code, _) = problem(
        world
            .get(
                &format!("/v1/changes?stream=all&after={early}"),
                Some(&token),
            )
            .await,
    )
    .await;
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
async fn whoever_refuses_every_encoding_gets_the_answer_as_it_is() {
    let world = World::new(DeviceApproval::Auto).await;
    let person = world.accepted("a", "A").await;
    let token = world.token(&person).await;
    let plain = reqwest::Client::builder().no_zstd().build().unwrap();
    for refusal in ["identity;q=0", "*;q=0", "gzip;q=0, identity;q=0, *;q=0"] {
        let get = |path: &str| {
            plain
                .get(world.url(path))
                .header("accept-encoding", refusal)
        };
        let (status, code, _) = problem(get("/v1/changes").send().await.unwrap()).await;
        assert_eq!(
            (status, code.as_str()),
            (401, "session-required"),
            "{refusal}"
        );
        for path in ["/v1/changes?stream=all", "/v1/agreements?after=0"] {
            let response = get(path).bearer_auth(&token).send().await.unwrap();
            assert_eq!(response.status(), 200, "{refusal} {path}");
            assert!(!response.headers().contains_key("content-encoding"));
        }
    }
}

/// A patient who is another site's now, and a recall that is lifted: who had them hears of it.
#[tokio::test]
async fn what_leaves_a_scope_is_told_there() {
    let world = World::new(DeviceApproval::Auto).await;
    let tokens = [
        world.token(&world.accepted("a", "A").await).await,
        world.token(&world.accepted("b", "B").await).await,
    ];
    let tag = |site: &str| json!({ "tag": [{ "system": "urn:infoblood:site", "code": site }] });
    let patient = |site: &str| {
        json!({
            "resourceType": "Patient", "id": "p", "meta": tag(site),
            "name": [{ "family": "Қасымова" }], "gender": "female", "birthDate": "1985-07-15",
        })
    };
    let component = |status: &str| {
        json!({
            "resourceType": "BiologicallyDerivedProduct", "id": "c", "meta": tag("A"),
            "productCode": { "text": "x" },
            "identifier": [{ "system": "urn:infoblood:id:din", "value": "KZ00126000001" }],
            "productStatus": { "system": "urn:infoblood:product-status", "code": status },
        })
    };
    let import = async |resources: &[Value]| {
        let path = world.dir().join("some.ndjson");
        let lines: Vec<_> = resources.iter().map(Value::to_string).collect();
        std::fs::write(&path, lines.join("\n")).unwrap();
        load::import(&world.context, &[path]).await.unwrap();
    };
    let read = async |at: usize, stream: &str| {
        let path = format!("/v1/changes?stream={stream}");
        let text = world.get(&path, Some(&tokens[at])).await.text().await;
        let mut lines = ndjson(&text.unwrap());
        lines.pop();
        let said = |line: &Value| match line["op"].as_str() {
            Some("put") => format!("put {}", line["resource"]["id"].as_str().unwrap()),
            _ => format!(
                "delete {}/{}",
                line["type"].as_str().unwrap(),
                line["id"].as_str().unwrap()
            ),
        };
        lines.iter().map(said).collect::<Vec<_>>()
    };
    import(&[patient("A"), component("recalled")]).await;
    assert_eq!(read(0, "all").await, ["put p", "put c"]);
    assert_eq!(read(1, "safety").await, ["put c"]);
    import(&[patient("B"), component("available")]).await;
    assert_eq!(read(0, "all").await, ["delete Patient/p", "put c"]);
    assert_eq!(read(0, "safety").await, [""; 0]);
    assert_eq!(read(1, "all").await, ["put p"]);
    assert_eq!(
        read(1, "safety").await,
        ["delete BiologicallyDerivedProduct/c"]
    );
}

/// What one run of seeding made is not touched by another, and a repeated one changes nothing but places in the feed.
#[tokio::test]
async fn runs_of_seeding_stand_beside_one_another() {
    let world = World::new(DeviceApproval::Auto).await;
    let held = async |site: &str| {
        let mut tx = world.context.database.read().await.unwrap();
        let all = tx.changes(site, Stream::All, 0, u32::MAX).await.unwrap();
        all.into_iter()
            .map(|change| ((change.kind, change.id), change.body))
            .collect::<BTreeMap<_, _>>()
    };
    load::seed(&world.context, 30, 7, Some("A")).await.unwrap();
    let first = held("A").await;
    load::seed(&world.context, 30, 7, Some("B")).await.unwrap();
    load::seed(&world.context, 30, 8, Some("A")).await.unwrap();
    load::seed(&world.context, 30, 7, None).await.unwrap();
    let (at_a, at_b) = (held("A").await, held("B").await);
    assert!(first.iter().all(|(key, body)| at_a.get(key) == Some(body)));
    assert!(at_a.len() > 2 * first.len());

    let mut numbers = BTreeSet::new();
    for ((kind, id), body) in at_a.iter().chain(&at_b) {
        let body: Value = serde_json::from_str(body.as_ref().unwrap()).unwrap();
        let own = match kind.as_str() {
            "Patient" => body["identifier"].clone(),
            "Specimen" => json!([body["accessionIdentifier"]]),
            _ => json!([]),
        };
        for number in own.as_array().unwrap() {
            assert!(numbers.insert(number.to_string()), "{kind}/{id} {number}");
        }
    }
    load::seed(&world.context, 30, 7, Some("A")).await.unwrap();
    assert_eq!((held("A").await, held("B").await), (at_a, at_b));
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
