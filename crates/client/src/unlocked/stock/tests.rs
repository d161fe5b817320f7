//! The tables of the stock follow every change, however it is cut, and count what counting everything counts.

use proptest::prelude::*;
use sqlx::query_as;

use super::*;
use crate::unlocked::tests::{Cache, delete, put};

const STATUSES: [&str; 6] = [
    "available",
    "quarantine",
    "reserved",
    "issued",
    "recalled",
    "lost",
];
const EXPIRIES: [&str; 5] = [
    "2026-11-23T12:00:00+05:00",
    "2026-11-25T23:59:00+05:00",
    "2027-05-01",
    "2026-11",
    "",
];

fn now() -> Zoned {
    "2026-11-23T10:00:00.5+05:00[+05:00]".parse().unwrap()
}

fn unit(id: &str, product: &str, blood: &str, status: &str, expires: &str) -> String {
    let blood = match blood {
        "" => String::new(),
        blood => format!(
            r#","property":[{{"type":{{"coding":[{{"system":"urn:infoblood:property","code":"blood-group"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{blood}"}}]}}}}]"#
        ),
    };
    let expires = match expires {
        "" => String::new(),
        expires => format!(r#","expirationDate":"{expires}""#),
    };
    put(&format!(
        r#"{{"resourceType":"BiologicallyDerivedProduct","id":"{id}","productCode":{{"coding":[{{"system":"urn:infoblood:product","code":"{product}"}}]}},"productStatus":{{"system":"urn:infoblood:product-status","code":"{status}"}},"collection":{{"source":{{"reference":"Patient/d"}}}}{blood}{expires}}}"#
    ))
}

fn modified(line: &str) -> String {
    line.replace(
        "\"collection\"",
        "\"modifierExtension\":[{\"url\":\"urn:x\"}],\"collection\"",
    )
}

impl Cache {
    async fn stock(&mut self, filter: Filter) -> (Inventory, Vec<String>) {
        let (inventory, expiring) =
            count(&mut self.connection, filter, &now(), StockRules::builtin())
                .await
                .unwrap();
        (inventory, expiring.into_iter().map(|c| c.id).collect())
    }

    async fn units(&mut self) -> Vec<(String, String)> {
        query_as("SELECT id, product || ' ' || blood || ' ' || status || ' ' || expires FROM stock_unit ORDER BY id")
            .fetch_all(&mut self.connection)
            .await
            .unwrap()
    }

    /// Counts, and the same counted from the units.
    async fn counts(&mut self) -> [Vec<(String, i64)>; 2] {
        let mut both = Vec::new();
        for sql in [
            "SELECT product || ' ' || blood || ' ' || status || ' ' || expires, units FROM stock_count ORDER BY 1",
            "SELECT product || ' ' || blood || ' ' || status || ' ' || expires, count(*) FROM stock_unit GROUP BY 1 ORDER BY 1",
        ] {
            both.push(query_as(sql).fetch_all(&mut self.connection).await.unwrap());
        }
        both.try_into().unwrap()
    }

    /// The stock, counted from the resources one by one.
    async fn recounted(&mut self, filter: Filter) -> Inventory {
        let texts: Vec<Vec<u8>> = sqlx::query_scalar("SELECT text FROM resource WHERE kind = ?")
            .bind(KIND)
            .fetch_all(&mut self.connection)
            .await
            .unwrap();
        let resources = texts::resources(&texts).unwrap().into_iter();
        let lots = resources.map(|resource| {
            let Resource::BiologicallyDerivedProduct(product) = resource else {
                panic!()
            };
            let component = Component::read(&product);
            Lot {
                product: component.product,
                blood: component.blood,
                status: component.status,
                expires: component.expires.map(|expiry| expiry.at),
                count: 1,
            }
        });
        let now = now().with().subsec_nanosecond(0).build().unwrap();
        Inventory::count(lots, filter, &now, StockRules::builtin())
    }
}

#[tokio::test]
async fn changes_of_status_deletions_and_what_is_not_understood() {
    let mut cache = Cache::new().await;
    cache
        .apply(&[
            unit("a", "platelets", "O+", "available", EXPIRIES[1]),
            unit("b", "platelets", "O+", "available", EXPIRIES[1]),
            unit("c", "platelets", "O+", "quarantine", EXPIRIES[0]),
            modified(&unit("d", "platelets", "O+", "available", EXPIRIES[1])),
            unit("e", "ffp", "A-", "issued", EXPIRIES[2]),
        ])
        .await;
    let (stock, expiring) = cache.stock(Filter::Available).await;
    assert_eq!((stock.expiring, stock.not_understood), (2, 1));
    assert_eq!(expiring, ["a", "b"]);
    assert_eq!(cache.stock(Filter::All).await.1, ["c", "a", "b"]);

    cache
        .apply(&[
            unit("a", "platelets", "O+", "issued", EXPIRIES[1]),
            unit("c", "platelets", "O+", "available", EXPIRIES[0]),
            unit("e", "ffp", "A-", "available", EXPIRIES[2]),
            delete(KIND, "b"),
            delete(KIND, "never"),
            delete("Patient", "d"),
        ])
        .await;
    let (stock, expiring) = cache.stock(Filter::Available).await;
    assert_eq!(expiring, ["c"]);
    assert_eq!((stock.expiring, stock.not_understood), (1, 1));
    let [counted, recounted] = cache.counts().await;
    assert_eq!(counted, recounted);
    assert_eq!(counted.len(), 3, "nothing is left of what is gone");
    cache::clear(&mut cache.connection).await.unwrap();
    assert_eq!(cache.counts().await, [Vec::new(), Vec::new()]);
    assert!(cache.units().await.is_empty());
}

#[tokio::test]
async fn no_more_than_fifty_are_listed() {
    let mut cache = Cache::new().await;
    let units: Vec<String> = (0..80)
        .map(|n| {
            let expires = format!("2026-11-{}T23:59:00+05:00", 24 + n % 2);
            unit(
                &format!("u{n:02}"),
                "platelets",
                "B-",
                "available",
                &expires,
            )
        })
        .collect();
    cache.apply(&units).await;
    let (stock, expiring) = cache.stock(Filter::All).await;
    assert_eq!((stock.expiring, expiring.len()), (80, 50));
    // Those of the 24th first, all forty of them.
    assert!(
        expiring[..40]
            .iter()
            .all(|id| id.ends_with(['0', '2', '4', '6', '8']))
    );
    assert_eq!(expiring[40], "u01");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However changes are cut into batches, the tables are the same, and they say what the resources say.
    #[test]
    fn batches_may_be_cut_anywhere(
        changes in proptest::collection::vec((0_u8..8, 0_u8..10, 0_usize..6, 0_usize..5, 0_usize..3), 1..100),
        cut in 1_usize..12,
    ) {
        let lines: Vec<String> = changes.iter().map(|(what, id, status, expires, product)| {
            let id = format!("u{id}");
            let product = ["platelets", "red-cells-sagm", "granulocytes"][*product];
            let unit = unit(&id, product, ["O+", "AB-", ""][usize::from(*what) % 3], STATUSES[*status], EXPIRIES[*expires]);
            match what {
                0 => delete(KIND, &id),
                1 => modified(&unit),
                _ => unit,
            }
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut whole, mut parts) = (Cache::new().await, Cache::new().await);
            whole.apply(&lines).await;
            for part in lines.chunks(cut) {
                parts.apply(part).await;
            }
            prop_assert_eq!(whole.units().await, parts.units().await);
            let [counted, recounted] = parts.counts().await;
            prop_assert_eq!(&counted, &recounted);
            prop_assert_eq!(&counted, &whole.counts().await[0]);
            for filter in [Filter::Available, Filter::Quarantine, Filter::All] {
                let (inventory, expiring) = parts.stock(filter).await;
                prop_assert_eq!(&inventory, &parts.recounted(filter).await);
                prop_assert_eq!(inventory.expiring, expiring.len() as u64);
            }
            Ok(())
        })?;
    }
}
