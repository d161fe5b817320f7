//! The store alone: batches in every order, and searches of every kind.

use infoblood_clinical::{blood::BloodGroup, donor::DeferralState, names::Sorter};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use super::{Batch, DonorPage, DonorRow, MIGRATIONS, Search, cache, feed, names::Names, search};
use crate::{database, transport::Stream};

pub(super) const TODAY: Date = date(2026, 6, 1);

pub(super) struct Cache {
    pub(super) connection: SqliteConnection,
    names: Names,
    sorter: Sorter,
    cursor: Option<String>,
    _dir: TempDir,
}

impl Cache {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = database::open_cache(&dir.path().join("a.db"), &[7; 32], MIGRATIONS)
            .await
            .unwrap();
        cache::prepare(&mut connection).await.unwrap();
        Self {
            names: Names::load(&mut connection).await.unwrap(),
            connection,
            sorter: Sorter::new().unwrap(),
            cursor: None,
            _dir: dir,
        }
    }

    pub(super) async fn apply(&mut self, lines: &[String]) {
        let batch = Batch::read(lines.join("\n").as_bytes()).unwrap();
        assert_eq!(batch.skipped, 0);
        let next = batch.next_cursor();
        let mut transaction = self.connection.begin().await.unwrap();
        let is_applied = feed::write(
            &mut transaction,
            &mut self.names,
            &self.sorter,
            Stream::All,
            self.cursor.as_deref(),
            batch,
            0,
        );
        assert!(is_applied.await.unwrap());
        transaction.commit().await.unwrap();
        self.cursor = next.or(self.cursor.take());
    }

    async fn clear(&mut self) {
        cache::clear(&mut self.connection).await.unwrap();
        self.names = Names::default();
        self.cursor = None;
    }

    pub(super) async fn page(
        &mut self,
        what: impl Into<Search>,
        after: Option<&str>,
        limit: u32,
    ) -> DonorPage {
        let (connection, names) = (&mut self.connection, &self.names);
        search::search(connection, names, &what.into(), after, limit, TODAY)
            .await
            .unwrap()
    }

    /// Ids of all pages, which must fit together.
    pub(super) async fn ids(&mut self, what: impl Into<Search>) -> Vec<String> {
        let what = what.into();
        let (mut ids, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.page(what.clone(), after.as_deref(), 3).await;
            ids.extend(page.rows.into_iter().map(|row| row.summary.id));
            after = page.next;
            if after.is_none() {
                return ids;
            }
        }
    }

    /// Every table that follows from the resources.
    async fn derived(&mut self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for sql in [
            "SELECT id || numbers || summary FROM donor ORDER BY position",
            "SELECT id || spelling || blood || deferred FROM name JOIN donor USING (slot, position) ORDER BY position",
            "SELECT key || id FROM number LEFT JOIN donor USING (slot) ORDER BY key, id",
            "SELECT donor FROM moved",
        ] {
            all.push(
                sqlx::query_scalar(sql)
                    .fetch_all(&mut self.connection)
                    .await
                    .unwrap(),
            );
        }
        assert_eq!(all[0].len(), all[1].len());
        // What is in memory is what would be read.
        let read = Names::load(&mut self.connection).await.unwrap();
        assert_eq!(self.names.told(), read.told());
        all
    }
}

pub(super) fn put(resource: &str) -> String {
    format!("{{\"cursor\":\"1\",\"op\":\"put\",\"resource\":{resource}}}")
}

pub(super) fn delete(kind: &str, id: &str) -> String {
    format!("{{\"cursor\":\"1\",\"op\":\"delete\",\"type\":\"{kind}\",\"id\":\"{id}\"}}")
}

pub(super) fn patient(id: &str, family: &str, given: &str, iin: &str) -> String {
    put(&format!(
        r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"system":"urn:infoblood:id:iin","value":"{iin}"}}],"name":[{{"family":"{family}","given":["{given}"]}}],"telecom":[{{"system":"phone","value":"+7 701 000 {:04}"}},{{"system":"email","value":"7015555555"}}],"gender":"female","birthDate":"1985-07-15"}}"#,
        id.len() * 1000 + id.bytes().map(usize::from).sum::<usize>() % 1000
    ))
}

pub(super) fn flag(id: &str, donor: &str, end: Option<&str>) -> String {
    let end = end
        .map(|end| format!(",\"end\":\"{end}\""))
        .unwrap_or_default();
    put(&format!(
        r#"{{"resourceType":"Flag","id":"{id}","status":"active","code":{{"text":"x"}},"subject":{{"reference":"Patient/{donor}"}},"period":{{"start":"2020-01-01"{end}}}}}"#
    ))
}

pub(super) fn group(id: &str, donor: &str, group: &str) -> String {
    put(&format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},"subject":{{"reference":"Patient/{donor}"}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{group}"}}]}}}}"#
    ))
}

pub(super) fn donation(id: &str, donor: &str, din: &str) -> String {
    put(&format!(
        r#"{{"resourceType":"Procedure","id":"{id}","status":"completed","identifier":[{{"system":"urn:infoblood:id:din","value":"{din}"}}],"code":{{"coding":[{{"system":"urn:infoblood:donation-kind","code":"whole-blood"}}]}},"subject":{{"reference":"Patient/{donor}"}},"occurrenceDateTime":"2026-01-01"}}"#
    ))
}

fn people() -> Vec<String> {
    vec![
        flag("f1", "a", None),
        patient("a", "Қасымова", "Әсел", "850715400129"),
        patient("b", "Касымова", "Ирина", "900101300017"),
        patient("c", "Қасымов", "Асан", "850715400137"),
        patient("d", "Әлиева", "Жанар", "031229500551"),
        patient("e", "Ким", "Яна", "120304600786"),
        group("o1", "b", "AB-"),
        group("o2", "c", "O+"),
        flag("f2", "b", Some("2026-06-01")),
        flag("f3", "c", Some("2026-05-31")),
        donation("p1", "e", "KZ00126000001"),
        donation("p2", "d", "KZ00126000002"),
    ]
}

#[tokio::test]
async fn names_numbers_and_filters() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    assert_eq!(cache.ids("").await, ["d", "b", "e", "c", "a"]);
    assert_eq!(
        cache.ids("касымов").await,
        ["b", "c", "a"],
        "as typed first"
    );
    assert_eq!(cache.ids("қас").await, ["c", "a", "b"]);
    assert_eq!(cache.ids("kasym").await, ["b", "c", "a"]);
    assert_eq!(cache.ids("к").await, ["b", "e", "c", "a"]);
    assert_eq!(cache.ids("асел кас").await, ["a"]);
    assert_eq!(cache.ids("асел ким").await, [""; 0]);
    let page = cache.page("касымова ас", None, 20).await;
    assert_eq!(page.rows[0].matched.as_deref(), Some("қ→к, ә→а"));

    assert_eq!(cache.ids("850715400129").await, ["a"]);
    assert_eq!(cache.ids("850715").await, ["a", "c"]);
    assert_eq!(
        cache.ids("үғқ.\"ғ").await,
        ["a", "c"],
        "typed under the Kazakh layout"
    );
    for din in [
        "KZ00126000001",
        "kz0 0126000001",
        "=KZ0012600000100",
        "ля00126000001",
    ] {
        let page = cache.page(din, None, 20).await;
        assert_eq!(page.rows.len(), 1, "{din}");
        assert_eq!(page.rows[0].summary.id, "e");
        assert_eq!(page.rows[0].matched.as_deref(), Some("KZ00126000001"));
    }
    assert_eq!(cache.ids("kz001").await, ["e", "d"]);
    for phone in ["+7 701 000 1097", "87010001097", "7010001097"] {
        let page = cache.page(phone, None, 20).await;
        assert_eq!(page.rows[0].summary.id, "a", "{phone}");
        assert_eq!(page.rows[0].matched.as_deref(), Some("7010001097"));
    }
    assert_eq!(cache.ids("701555").await, [""; 0], "no telephone");

    let mut filter = Search {
        deferral: Some(DeferralState::Permanent),
        ..Search::default()
    };
    assert_eq!(cache.ids(filter.clone()).await, ["a"]);
    filter.deferral = Some(DeferralState::Temporary);
    assert_eq!(
        cache.ids(filter.clone()).await,
        ["b"],
        "its last day counts"
    );
    filter.deferral = Some(DeferralState::Unclear);
    assert_eq!(cache.ids(filter.clone()).await, [""; 0]);
    filter.deferral = Some(DeferralState::None);
    assert_eq!(cache.ids(filter.clone()).await, ["d", "e", "c"]);
    filter.text = "кас".into();
    assert_eq!(cache.ids(filter.clone()).await, ["c"]);
    filter.text = "850715".into();
    assert_eq!(cache.ids(filter.clone()).await, ["c"]);
    filter.blood = BloodGroup::from_code("O-");
    assert_eq!(cache.ids(filter.clone()).await, [""; 0]);
    let filter = Search {
        blood: BloodGroup::from_code("AB-"),
        ..Search::default()
    };
    assert_eq!(cache.ids(filter).await, ["b"]);
}

/// Whoever is not understood is never among those whom nothing forbids to give, by name or by number.
#[tokio::test]
async fn who_is_not_understood_is_told_apart() {
    let mut cache = Cache::new().await;
    let unclear = |id: &str, more: &str| {
        let line = patient(id, "Ким", "Яна", "850715400129");
        line.replacen("\"id\"", &format!("{more},\"id\""), 1)
    };
    cache
        .apply(&[
            patient("a", "Ким", "Яна", "850715400129"),
            unclear("b", r#""active":false"#),
            unclear("c", r#""deceasedBoolean":true"#),
            flag("f", "c", Some("2026-12-31")),
            unclear("d", r#""active":false"#),
            flag("g", "d", None),
            patient("e", "Ким", "Яна", "850715400129"),
            donation("p", "e", "KZ00126000001").replace("whole-blood", "granulocytes"),
        ])
        .await;
    for text in ["", "ким", "850715"] {
        for (state, expected) in [
            (DeferralState::None, &["a"][..]),
            (DeferralState::Temporary, &[]),
            (DeferralState::Unclear, &["b", "c", "e"]),
            (DeferralState::Permanent, &["d"]),
        ] {
            let filter = Search {
                text: text.to_owned(),
                deferral: Some(state),
                ..Search::default()
            };
            let mut found = cache.ids(filter.clone()).await;
            found.sort();
            assert_eq!(found, expected, "{text} {state:?}");
            let page = cache.page(filter, None, 9).await;
            assert!(page.rows.iter().all(|row| row.deferral == state));
        }
    }
    // Put right, nothing is left of it.
    cache
        .apply(&[patient("b", "Ким", "Яна", "850715400129")])
        .await;
    let filter = Search {
        deferral: Some(DeferralState::None),
        ..Search::default()
    };
    assert_eq!(cache.ids(filter).await, ["a", "b"]);
}

/// One text may begin an IIN, a donation number and a telephone: a page goes on from one kind to the next, and shows everybody once, at the first
/// number that answers.
#[tokio::test]
async fn kinds_of_numbers_follow_one_another() {
    let mut cache = Cache::new().await;
    // Telephones end in what the ids' letters add up to, and some do not begin so.
    let somebody = |id: &str, iin: &str, telephone: &str| {
        patient(id, "Ким", "Ада", iin).replace("+7 701", telephone)
    };
    let mut lines = Vec::new();
    lines.extend((0..7).map(|n| {
        somebody(
            &format!("i{n}"),
            &format!("70100{n}000000"),
            ["+7 701", "+7 705"][n % 2],
        )
    }));
    lines.extend((0..4).map(|n| somebody(&format!("d{n}"), "", "+7 705")));
    lines.extend((0..5).map(|n| somebody(&format!("p{n}"), "", "8 701")));
    // Three donations of everybody in turn, two people of each kind among them.
    let giving = ["d3", "i1", "d0", "p0", "d1", "d2"];
    lines.extend((0..18).map(|n| {
        donation(
            &format!("t{n}"),
            giving[n % 6],
            &format!("70100260000{n:02}"),
        )
    }));
    cache.apply(&lines).await;
    let numbers = |rows: Vec<DonorRow>| -> Vec<(String, Option<String>)> {
        rows.into_iter()
            .map(|row| (row.summary.id, row.matched))
            .collect()
    };
    let mut expected: Vec<(String, Option<String>)> =
        (0..7).map(|n| (format!("i{n}"), None)).collect();
    for (n, id) in giving.into_iter().enumerate().filter(|(_, id)| *id != "i1") {
        expected.push((id.to_owned(), Some(format!("70100260000{n:02}"))));
    }
    expected.extend((1..5).map(|n| (format!("p{n}"), Some(format!("70100021{}", 60 + n)))));
    for limit in 1..20 {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = cache.page("7010", after.as_deref(), limit).await;
            assert_eq!(page.total, 16);
            found.extend(numbers(page.rows));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{limit}");
    }
    let filter = Search {
        text: "7010".into(),
        blood: BloodGroup::from_code("O-"),
        deferral: None,
    };
    let page = cache.page(filter, None, 2).await;
    assert_eq!((page.total, page.rows.len()), (0, 0));
    for beginning in ["+7 701 0", "87010", "77010"] {
        let page = cache.page(beginning, None, 20).await;
        assert_eq!((page.total, page.rows.len()), (9, 9), "{beginning}");
    }
}

#[tokio::test]
async fn pages_of_numbers_end_at_the_deepest() {
    use base64::Engine as _;
    let mut cache = Cache::new().await;
    let lines: Vec<String> = (0..10_060)
        .map(|n| patient(&format!("n{n:05}"), "Ким", "Ада", &format!("8501010{n:05}")))
        .collect();
    for lines in lines.chunks(2_000) {
        cache.apply(lines).await;
    }
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = cache.page("850101", after.as_deref(), 200).await;
        assert_eq!(page.total, 1_001);
        found.extend(page.rows.into_iter().map(|row| row.summary.id));
        after = page.next;
        if after.is_none() {
            break;
        }
        assert!(found.len() <= 10_000, "pages without end");
    }
    let expected: Vec<String> = (0..10_060).map(|n| format!("n{n:05}")).collect();
    assert_eq!(found, expected);
    for skip in [10_000, 10_001, u32::MAX - 1, u32::MAX] {
        let forged = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(skip.to_be_bytes());
        let page = cache.page("850101", Some(&forged), 20).await;
        assert_eq!(
            (page.rows[0].summary.id.as_str(), page.next),
            ("n10000", None),
            "{skip}"
        );
    }
}

/// However many numbers they have.
#[tokio::test]
async fn people_are_counted_not_their_numbers() {
    let mut cache = Cache::new().await;
    for donors in [0_u64..300, 300..600, 600..900, 900..1_200] {
        let lines: Vec<String> = donors
            .clone()
            .flat_map(|n| {
                let somebody = patient(&format!("n{n}"), "Ким", "Ада", "");
                let number = move |m| format!("KZ00126{m}{n:05}");
                let gave = move |m| donation(&format!("p{m}-{n}"), &format!("n{n}"), &number(m));
                (0..6).map(gave).chain([somebody])
            })
            .collect();
        cache.apply(&lines).await;
        let page = cache.page("KZ001", None, 20).await;
        assert_eq!((page.total, page.rows.len()), (donors.end.min(1_001), 20));
        let filter = Search {
            text: "KZ001".into(),
            blood: None,
            deferral: Some(DeferralState::None),
        };
        assert_eq!(
            cache.page(filter, None, 20).await.total,
            donors.end.min(1_001)
        );
    }
}

/// However many answer, whoever is spelled as typed comes first.
#[tokio::test]
async fn exact_spellings_come_first_among_many() {
    let mut cache = Cache::new().await;
    let mut lines: Vec<String> = (0..300)
        .map(|n| patient(&format!("n{n:03}"), "Касымова", "Асель", ""))
        .collect();
    lines.push(patient("q", "Қасымова", "Әсел", ""));
    lines.push(patient("k1", "Касым-Али", "Ада", ""));
    lines.push(patient("k2", "Қасым-Әли", "Ада", ""));
    cache.apply(&lines).await;
    let all = cache.ids("қасымова").await;
    assert_eq!((all.len(), all[0].as_str()), (301, "q"));
    assert!(all[1..].is_sorted(), "and each once");
    let all = cache.ids("касымова").await;
    assert_eq!((all.len(), all[300].as_str()), (301, "q"));
    assert_eq!(cache.ids("қасым-әли").await, ["k2", "k1"]);
    assert_eq!(cache.ids("касым-али").await, ["k1", "k2"]);
    assert_eq!(cache.ids("Kasym Ali").await.len(), 2);
}

/// What was left out is counted with the cursor, until the cache is emptied.
#[tokio::test]
async fn what_was_left_out_is_counted() {
    let mut cache = Cache::new().await;
    let apply = async |cache: &mut Cache, lines: &[&str]| {
        let batch = Batch::read(lines.join("\n").as_bytes()).unwrap();
        let cursor = batch.next_cursor();
        let (connection, names) = (&mut cache.connection, &mut cache.names);
        let from = cache.cursor.as_deref();
        let written = feed::write(
            connection,
            names,
            &cache.sorter,
            Stream::All,
            from,
            batch,
            0,
        );
        assert!(written.await.unwrap());
        cache.cursor = cursor.or(cache.cursor.take());
        cache::left_out(&mut cache.connection).await.unwrap()
    };
    let person = patient("a", "Ким", "Яна", "");
    let strange = put("{}");
    let lines = ["{", &person, &strange, "{"];
    assert_eq!(apply(&mut cache, &lines).await, 2, "up to the cursor");
    assert_eq!(apply(&mut cache, &["{"]).await, 2, "no cursor");
    assert_eq!(apply(&mut cache, &[&person]).await, 2);
    let end = r#"{"cursor":"2","end":true,"more":false}"#;
    assert_eq!(apply(&mut cache, &["{", end]).await, 3);
    cache.clear().await;
    assert_eq!(cache::left_out(&mut cache.connection).await.unwrap(), 0);
}

#[tokio::test]
async fn whatever_is_typed_is_only_text() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    let long = "қ".repeat(10_000);
    let words = "кас ".repeat(2_500);
    let digits = "8".repeat(10_000);
    for nothing in [
        long.as_str(),
        &words,
        &digits,
        "кас* NOT x",
        "\"кас\" OR \"ким\"",
        "NEAR(кас ким)",
        "terms:кас",
        "'; DROP TABLE donor; --",
        "1 OR 1=1",
        "а п т",
        "zzz\0zzz",
    ] {
        let page = cache.page(nothing, None, 20).await;
        assert_eq!((page.total, page.rows.len()), (0, 0), "{nothing:.40}");
    }
    assert_eq!(cache.ids("\0кас\0").await.len(), 3);
    for everybody in ["*", "%", "_", "'", "\0", "^", "()"] {
        assert_eq!(
            cache.page(everybody, None, 20).await.total,
            5,
            "{everybody}"
        );
    }
    for after in ["", "nonsense", "AAAAAA", &long] {
        assert_eq!(cache.page("", Some(after), 20).await.rows.len(), 5);
    }
}

#[tokio::test]
async fn changes_reach_every_table() {
    let mut cache = Cache::new().await;
    cache.apply(&people()).await;
    // A marriage, a move of a donation to somebody else, the end of a deferral, a deletion.
    cache
        .apply(&[
            patient("a", "Бекова", "Әсел", "850715400129"),
            donation("p1", "a", "KZ00126000001"),
            delete("Flag", "f1"),
            delete("Patient", "e"),
            delete("Patient", "nobody"),
        ])
        .await;
    assert_eq!(cache.ids("").await, ["d", "a", "b", "c"]);
    assert_eq!(cache.ids("KZ00126000001").await, ["a"]);
    assert_eq!(cache.ids("касымова асел").await, [""; 0]);
    assert_eq!(cache.ids("беков").await, ["a"]);
    assert_eq!(cache.page("", None, 20).await.total, 4);
    // The same in one batch from the beginning gives the same tables.
    let mut anew = Cache::new().await;
    let mut lines = people();
    lines.retain(|line| !line.contains("\"id\":\"e\"") && !line.contains("\"id\":\"f1\""));
    lines.push(patient("a", "Бекова", "Әсел", "850715400129"));
    lines.push(donation("p1", "a", "KZ00126000001"));
    anew.apply(&lines).await;
    assert_eq!(anew.derived().await, cache.derived().await);
    cache.clear().await;
    assert!(cache.derived().await[0].is_empty());
    cache.apply(&people()).await;
    assert_eq!(cache.ids("").await.len(), 5);
}

#[tokio::test]
async fn many_namesakes_are_paged_and_counted_to_a_limit() {
    let mut cache = Cache::new().await;
    let lines: Vec<String> = (0..1_200)
        .map(|n| {
            patient(
                &format!("n{n:04}"),
                "Ахметов",
                if n % 2 == 0 { "Асан" } else { "Үсен" },
                "",
            )
        })
        .collect();
    for batch in lines.chunks(100) {
        cache.apply(batch).await;
    }
    let page = cache.page("ах", None, 200).await;
    assert_eq!((page.total, page.rows.len()), (DonorPage::COUNTED + 1, 200));
    assert_eq!(cache.page("үсен", None, 20).await.total, 600);
    assert_eq!(cache.page("", None, 20).await.total, 1_200);
    let ids = cache.ids("ахметов").await;
    assert_eq!(ids.len(), 1_200);
    let sorted: Vec<String> = [0, 1]
        .into_iter()
        .flat_map(|odd| (odd..1_200).step_by(2).map(|n| format!("n{n:04}")))
        .collect();
    assert_eq!(ids, sorted);

    // One after the other, each before the one before: between two neighbours there is soon no place left.
    for n in (0..90).rev() {
        let one = patient(&format!("n0500-{n:02}"), "Ахметов", "Асан", "");
        cache.apply(&[one]).await;
    }
    let ids = cache.ids("ахметов").await;
    assert_eq!(ids.len(), 1_290);
    assert!(ids[..690].is_sorted(), "{:?}", &ids[240..350]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However changes are cut into batches, the tables are the same, and the list is sorted.
    #[test]
    fn batches_may_be_cut_anywhere(
        changes in proptest::collection::vec((0_u8..6, 0_u8..12, 0_u8..6, 0_u8..4), 1..80),
        cut in 1_usize..12,
    ) {
        let families = ["Қасымова", "Қасымов", "Семенов", "Семёнов", "Smith", "Ким"];
        let given = ["Асан", "Яна", "әсел", "Ася"];
        let lines: Vec<String> = changes.iter().map(|(what, who, name, number)| {
            let who = format!("d{who}");
            match what {
                0 | 1 => patient(&who, families[usize::from(*name)], given[usize::from(*number)], &format!("85071540012{number}")),
                2 => flag(&format!("f{number}"), &who, (*name > 2).then_some("2026-07-01")),
                3 => donation(&format!("p{number}"), &who, &format!("KZ0012600000{name}")),
                4 => group(&format!("o{number}"), &who, "A+"),
                _ => delete(["Patient", "Flag", "Procedure", "Observation"][usize::from(*number)], &format!("{}{name}", ["d", "f", "p", "o"][usize::from(*number)])),
            }
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut whole, mut parts) = (Cache::new().await, Cache::new().await);
            whole.apply(&lines).await;
            for part in lines.chunks(cut) {
                parts.apply(part).await;
            }
            let derived = whole.derived().await;
            prop_assert_eq!(&derived, &parts.derived().await);
            let mut sorted: Vec<(Vec<u8>, String)> = sqlx::query_as("SELECT sort_key, id FROM donor")
                .fetch_all(&mut parts.connection).await.unwrap();
            sorted.sort();
            let sorted: Vec<String> = sorted.into_iter().map(|(_, id)| id).collect();
            prop_assert_eq!(parts.ids("").await, sorted);
            Ok(())
        })?;
    }
}

/// A deferral's last day is the site's, whatever the system's zone data say: before 2024 Almaty and Kostanay were UTC+6.
#[test]
fn all_of_kazakhstan_has_one_time() {
    let at: jiff::Timestamp = "2026-11-20T18:30:00Z".parse().unwrap();
    for name in ["Almaty", "Qostanay", "Qyzylorda", "Aqtau", "Oral"] {
        let there = at.to_zoned(super::zone(&format!("Asia/{name}")));
        assert_eq!(
            there.datetime().to_string(),
            "2026-11-20T23:30:00",
            "{name}"
        );
        assert!(there.time_zone().iana_name().is_some(), "{name}");
    }
    assert_eq!(
        super::zone("Asia/Nowhere").to_offset(at),
        jiff::tz::offset(5)
    );
    assert_eq!(
        super::zone("Europe/Berlin").to_offset(at),
        jiff::tz::offset(1)
    );
}
