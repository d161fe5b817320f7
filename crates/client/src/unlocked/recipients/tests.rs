//! The list of recipients: found as donors are, and never among them.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::unlocked::tests::{Cache, delete, donation, group, patient, put};

fn recipient(id: &str, family: &str, given: &str, iin: &str) -> String {
    patient(id, family, given, iin).replace(
        &format!("\"id\":\"{id}\","),
        &format!("\"id\":\"{id}\",\"meta\":{{\"tag\":[{{\"system\":\"urn:infoblood:role\",\"code\":\"recipient\"}}]}},"),
    )
}

fn people() -> Vec<String> {
    vec![
        group("o1", "r1", "A+"),
        recipient("r1", "Қасымова", "Әсел", "850715400129"),
        recipient("r2", "Касымова", "Ирина", "900101300017"),
        recipient("r3", "Әлиева", "Жанар", "031229500551"),
        patient("d1", "Қасымов", "Асан", "850715400137"),
        group("o2", "r1", "A-"),
        donation("p1", "d1", "KZ00126000001"),
    ]
}

impl Cache {
    async fn recipients(&mut self, text: &str, after: Option<&str>, limit: u32) -> RecipientPage {
        search::search(&mut self.connection, text, after, limit)
            .await
            .unwrap()
    }

    /// Ids of all pages, which must fit together.
    async fn found(&mut self, text: &str) -> Vec<String> {
        let (mut ids, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.recipients(text, after.as_deref(), 2).await;
            ids.extend(page.rows.into_iter().map(|row| row.summary.id));
            after = page.next;
            if after.is_none() {
                return ids;
            }
        }
    }

    async fn card_of(&mut self, id: &str) -> Result<Facts, infoblood_clinical::donor::DonorError> {
        let resources = resources(&mut self.connection, id).await.unwrap();
        Facts::assemble(id, &resources, date(2026, 11, 23))
    }

    async fn check_index(&mut self) {
        sqlx::query(
            "INSERT INTO recipient_search (recipient_search, rank) VALUES ('integrity-check', 1)",
        )
        .execute(&mut self.connection)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn names_and_numbers() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    assert_eq!(cache.found("").await, ["r3", "r2", "r1"]);
    assert_eq!(cache.recipients("", None, 20).await.total, 3);
    assert_eq!(
        cache.found("касымова").await,
        ["r2", "r1"],
        "as typed first"
    );
    assert_eq!(cache.found("қас").await, ["r1", "r2"]);
    assert_eq!(cache.found("kasym asel").await, ["r1"]);
    assert_eq!(cache.found("касымов асан").await, [""; 0], "a donor");
    let page = cache.recipients("касымова ас", None, 20).await;
    assert_eq!(page.rows[0].matched.as_deref(), Some("қ→к, ә→а"));
    assert_eq!(
        page.rows[0].summary.blood.unwrap().code(),
        "A-",
        "the safer value"
    );

    assert_eq!(cache.found("850715400129").await, ["r1"]);
    assert_eq!(cache.found("8507").await, ["r1"]);
    assert_eq!(
        cache.found("үғқ.\"ғ").await,
        ["r1"],
        "typed under the Kazakh layout"
    );
    for end in ["0129", "129"] {
        let page = cache.recipients(end, None, 20).await;
        assert_eq!((page.total, page.rows.len()), (1, 1));
        assert_eq!(page.rows[0].summary.id, "r1");
        assert_eq!(page.rows[0].matched, Some(format!("…{end}")));
    }
    assert_eq!(cache.found("29").await, [""; 0], "two digits are no end");
    for nothing in [
        "850715400137",
        "137",
        "*\"",
        &"қ".repeat(10_000),
        "NEAR(a b)",
    ] {
        let page = cache.recipients(nothing, None, 20).await;
        let all = nothing == "*\"";
        assert_eq!(page.rows.len(), if all { 3 } else { 0 }, "{nothing:.20}");
    }
    for after in ["", "?", "W10", "AAAA"] {
        assert_eq!(cache.recipients("", Some(after), 20).await.rows.len(), 3);
    }
}

#[tokio::test]
async fn donors_and_recipients_stay_apart() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    assert_eq!(cache.ids("").await, ["d1"]);
    assert_eq!(cache.ids("850715400129").await, [""; 0]);
    assert_eq!(cache.found("").await, ["r3", "r2", "r1"]);
    assert!(cache.card_of("r1").await.is_ok());
    assert!(cache.card_of("d1").await.is_err());
    let donor = cache::resources(&mut cache.connection, "r1").await.unwrap();
    let rules = infoblood_clinical::rules::Rules::builtin();
    let card = infoblood_clinical::donor::Facts::assemble("r1", &donor, date(2026, 11, 23), rules);
    assert!(card.is_err(), "no donor's card of a recipient");

    // One becomes the other, one goes, one marries.
    cache
        .apply(&[
            patient("r1", "Қасымова", "Әсел", "850715400129"),
            recipient("d1", "Қасымов", "Асан", "850715400137"),
            delete("Patient", "r2"),
            recipient("r3", "Ким", "Жанар", "031229500551"),
        ])
        .await;
    assert_eq!(cache.ids("").await, ["r1"]);
    assert_eq!(cache.found("").await, ["r3", "d1"]);
    assert_eq!(cache.found("ким").await, ["r3"]);
    assert_eq!(cache.found("алиева").await, [""; 0]);
    cache.check_index().await;
    cache::clear(&mut cache.connection).await.unwrap();
    assert_eq!(cache.recipients("", None, 20).await.total, 0);
    assert_eq!(cache.found("ким").await, [""; 0]);
}

#[tokio::test]
async fn whose_number_it_is() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    let of =
        async |cache: &mut Cache, iin: &str| holders(&mut cache.connection, iin).await.unwrap();
    assert_eq!(
        of(&mut cache, "850715400137").await,
        [Holder::Donor("d1".into())]
    );
    assert_eq!(
        of(&mut cache, "850715400129").await,
        [Holder::Recipient("r1".into())]
    );
    assert_eq!(of(&mut cache, "900101300800").await, []);
    cache
        .apply(&[patient("d2", "Ким", "Яна", "850715400129")])
        .await;
    assert_eq!(
        of(&mut cache, "850715400129").await,
        [Holder::Donor("d2".into()), Holder::Recipient("r1".into())]
    );
}

#[tokio::test]
async fn a_card_names_components_and_hospitals_that_came_later() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    let transfusion = r#"{"resourceType":"Procedure","id":"t1","status":"completed","code":{"coding":[{"system":"urn:infoblood:procedure","code":"transfusion"}]},"subject":{"reference":"Patient/r1"},"occurrencePeriod":{"start":"2026-03-01"},"used":[{"reference":{"reference":"BiologicallyDerivedProduct/c1"}}]}"#;
    let component = r#"{"resourceType":"BiologicallyDerivedProduct","id":"c1","identifier":[{"system":"urn:infoblood:id:din","value":"KZ00126000001"}],"productCode":{"coding":[{"system":"urn:infoblood:product","code":"ffp"}]},"collection":{"source":{"reference":"Patient/d1"}}}"#;
    cache.apply(&[put(transfusion)]).await;
    let card = cache.card_of("r1").await.unwrap();
    assert_eq!(
        (card.transfusions.len(), card.transfusions[0].din),
        (1, None)
    );
    cache.apply(&[put(component)]).await;
    let card = cache.card_of("r1").await.unwrap();
    assert!(card.transfusions[0].din.is_some());
    assert_eq!(card.blood_conflict.len(), 2);
    cache.apply(&[delete("Procedure", "t1")]).await;
    assert!(cache.card_of("r1").await.unwrap().transfusions.is_empty());
}

#[tokio::test]
async fn many_namesakes_are_paged_in_order() {
    let mut cache = Cache::new().await;
    let lines: Vec<String> = (0..250)
        .map(|n| {
            let given = if n % 2 == 0 { "Асан" } else { "Үсен" };
            recipient(&format!("n{n:03}"), "Ахметов", given, "")
        })
        .collect();
    for batch in lines.chunks(60) {
        cache.apply(batch).await;
    }
    let sorted: Vec<String> = [0, 1]
        .into_iter()
        .flat_map(|odd| (odd..250).step_by(2).map(|n| format!("n{n:03}")))
        .collect();
    assert_eq!(cache.found("ахметов").await, sorted);
    assert_eq!(cache.found("").await, sorted);
    assert_eq!(cache.recipients("үсен", None, 20).await.total, 125);
    assert_eq!(cache.found("үсен").await.len(), 125);
    cache.check_index().await;
}

/// As among donors, and pages of an IIN's beginning end.
#[tokio::test]
async fn exact_spellings_come_first_among_many_and_pages_end() {
    let mut cache = Cache::new().await;
    let mut lines: Vec<String> = (0..300)
        .map(|n| {
            recipient(
                &format!("n{n:03}"),
                "Касымова",
                "Асель",
                &format!("850101{n:06}"),
            )
        })
        .collect();
    lines.push(recipient("q", "Қасымова", "Әсел", ""));
    lines.push(recipient("k1", "Касым-Али", "Ада", ""));
    lines.push(recipient("k2", "Қасым-Әли", "Ада", ""));
    lines.push(recipient("s", "O'Brien-Щукин", "Ада", ""));
    cache.apply(&lines).await;
    let all = cache.found("қасымова").await;
    assert_eq!((all.len(), all[0].as_str()), (301, "q"));
    assert!(all[1..].is_sorted(), "and each once");
    assert_eq!(cache.found("қасым-әли").await, ["k2", "k1"]);
    assert_eq!(cache.found("касым-али").await, ["k1", "k2"]);
    for typed in ["OBrien", "o'brien", "Sc", "S", "shukin ada obrien"] {
        assert_eq!(cache.found(typed).await, ["s"], "{typed}");
    }
    assert_eq!(cache.found("850101").await.len(), 300);
    for skip in [u32::MAX, 10_000] {
        let forged = search::number(skip);
        let page = cache.recipients("850101", Some(&forged), 20).await;
        assert_eq!((page.rows.len(), page.next), (0, None), "{skip}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However changes are cut into batches, the lists are the same, and nobody is in both.
    #[test]
    fn batches_may_be_cut_anywhere(
        changes in proptest::collection::vec((0_u8..7, 0_u8..6, 0_usize..4), 1..60),
        cut in 1_usize..10,
    ) {
        let lines: Vec<String> = changes.iter().map(|(what, who, name)| {
            let id = format!("x{who}");
            let family = ["Қасымова", "Касымова", "Ким", "Әлиева"][*name];
            let iin = format!("85071540012{name}");
            match what {
                0 => delete("Patient", &id),
                1 => delete("Observation", &format!("o{who}")),
                2 | 3 => group(&format!("o{name}"), &id, ["A+", "A-", "O+", "B-"][*name]),
                4 => patient(&id, family, "Асан", &iin),
                _ => recipient(&id, family, "Асан", &iin),
            }
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut whole, mut parts) = (Cache::new().await, Cache::new().await);
            whole.apply(&lines).await;
            for part in lines.chunks(cut) {
                parts.apply(part).await;
            }
            let mut lists = Vec::new();
            for cache in [&mut whole, &mut parts] {
                cache.check_index().await;
                let rows: Vec<String> = sqlx::query_scalar(
                    "SELECT id || hex(sort_key) || spelling || terms || iin || iin_end || summary FROM recipient ORDER BY id",
                ).fetch_all(&mut cache.connection).await.unwrap();
                lists.push((rows, cache.found("").await, cache.ids("").await));
            }
            prop_assert_eq!(&lists[0], &lists[1]);
            let (_, recipients, donors) = &lists[0];
            prop_assert!(recipients.iter().all(|id| !donors.contains(id)));
            // Everybody who is there is in one of them.
            let people: i64 = sqlx::query_scalar("SELECT count(*) FROM resource WHERE kind = 'Patient'")
                .fetch_one(&mut parts.connection).await.unwrap();
            prop_assert_eq!(people as usize, recipients.len() + donors.len());
            Ok(())
        })?;
    }
}
