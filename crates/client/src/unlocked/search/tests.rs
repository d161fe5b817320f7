//! The search finds what its definition says, however the rows came to be.

use infoblood_clinical::names::{plain, search_key};
use jiff::ToSpan as _;
use proptest::prelude::*;

use super::*;
use crate::unlocked::tests::{Cache, TODAY, delete, flag, group, patient};

/// A page's total, and ids with what differs, of all rows.
type Found = (u64, Vec<(String, Option<String>)>);

/// What is to be found: every row is looked at.
async fn defined(cache: &mut Cache, what: &Search) -> Found {
    let summaries: Vec<String> =
        sqlx::query_scalar("SELECT summary FROM donor ORDER BY sort_key, id")
            .fetch_all(&mut cache.connection)
            .await
            .unwrap();
    let query = Query::parse(&what.text);
    let typed = match &query {
        Query::Words(words) => words.as_slice(),
        _ => &[],
    };
    let answers = |summary: &Summary| {
        let key = search_key(&summary.full_name());
        let begins = |typed: &String| key.split(' ').any(|key| key.starts_with(typed));
        let has = |word: &Word| word.keys.iter().any(begins);
        typed.iter().all(has)
            && what
                .blood
                .is_none_or(|group| summary.blood.is_some_and(|has| has.code() == group.code()))
            && what
                .deferral
                .is_none_or(|state| summary.deferral(TODAY) == state)
    };
    let mut found: Vec<Summary> = summaries
        .iter()
        .map(|summary| serde_json::from_str(summary).unwrap())
        .filter(answers)
        .collect();
    found.sort_by_key(|summary| {
        let name = format!(" {}", plain(&summary.full_name()));
        !typed
            .iter()
            .all(|word| name.contains(&format!(" {}", word.spelling)))
    });
    let is_everybody = typed.is_empty() && what.blood.is_none() && what.deferral.is_none();
    let total = if is_everybody {
        found.len()
    } else {
        found.len().min(1_001)
    };
    let rows = found.into_iter().map(|summary| {
        let matched = query
            .compare(&summary.full_name())
            .and_then(|found| found.difference);
        (summary.id, matched)
    });
    (total as u64, rows.collect())
}

/// All pages, which must tell one total.
async fn found(cache: &mut Cache, what: &Search, limit: u32) -> Found {
    let (mut rows, mut after, mut total) = (Vec::new(), None::<String>, None);
    loop {
        let page = cache.page(what.clone(), after.as_deref(), limit).await;
        assert_eq!(*total.get_or_insert(page.total), page.total);
        assert!(page.rows.len() <= limit as usize);
        rows.extend(
            page.rows
                .into_iter()
                .map(|row| (row.summary.id, row.matched)),
        );
        after = page.next;
        if after.is_none() {
            return (page.total, rows);
        }
    }
}

const FAMILIES: [&str; 11] = [
    "Қасымова",
    "Касымова",
    "Касимов",
    "Ибн-Сина",
    "Хамитов",
    "Kasymov",
    "Әлі",
    "Ким Ли",
    "Қасым-Әли",
    "Касым-Али",
    "Shchukin",
];
const GIVEN: [&str; 6] = ["Әсел", "Асель", "Асан Асан", "Яна", "O'Brien", "Хадиша"];
const GROUPS: [&str; 3] = ["O-", "A+", "AB+"];
const TYPED: [&str; 33] = [
    "",
    "*",
    "қ",
    "к",
    "кас",
    "қас",
    "касым",
    "kasy",
    "қасымова әсел",
    "әсел қасымова",
    "касимова асель",
    "ас кас",
    "ас ас",
    "асан асан асан",
    "ибн",
    "сина",
    "ибн-сина",
    "ибн сина яна",
    "hamit",
    "х х",
    "obrien",
    "o brien",
    "ким ли",
    "ли",
    "zzz",
    "ә ә ә",
    "қасым-әли",
    "касым али",
    "o'brien",
    "щук",
    "s",
    "sh",
    "k",
];

/// Every text with every filter.
async fn compare(cache: &mut Cache, limit: u32) {
    for (at, text) in TYPED.iter().enumerate() {
        for blood in [None, BloodGroup::from_code(GROUPS[at % 3])] {
            for deferral in [
                None,
                Some(DeferralState::None),
                Some(DeferralState::Temporary),
                Some(DeferralState::Permanent),
                Some(DeferralState::Unclear),
            ] {
                let what = Search {
                    text: (*text).to_owned(),
                    blood,
                    deferral,
                };
                let expected = defined(cache, &what).await;
                assert_eq!(found(cache, &what, limit).await, expected, "{what:?}");
            }
        }
    }
}

/// Who, what happens, name, and a number.
fn change((who, what, family, given, other): (u16, u8, usize, usize, u8)) -> String {
    let id = format!("d{who}");
    match what {
        0..=4 => patient(&id, FAMILIES[family], GIVEN[given], "").replace(
            "]}],\"telecom",
            if other > 3 {
                ",\"Кәрім\"]}],\"telecom"
            } else {
                "]}],\"telecom"
            },
        ),
        5 => group(&format!("o{who}"), &id, GROUPS[usize::from(other) % 3]),
        6 => {
            let end = (other > 1).then(|| (TODAY + (i64::from(other) - 4).days()).to_string());
            flag(&format!("f{who}"), &id, end.as_deref())
        }
        7 => delete("Flag", &format!("f{who}")),
        _ => delete("Patient", &id),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_found_is_what_is_defined(
        changes in proptest::collection::vec((0_u16..30, 0_u8..9, 0_usize..11, 0_usize..6, 0_u8..8), 1..120),
        cut in 1_usize..50,
        limit in 1_u32..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut cache = Cache::new().await;
            let lines: Vec<String> = changes.into_iter().map(change).collect();
            for lines in lines.chunks(cut) {
                cache.apply(lines).await;
            }
            compare(&mut cache, limit).await;
        });
    }
}

/// As above, with many answers.
#[tokio::test]
async fn many_are_found_as_defined() {
    let mut cache = Cache::new().await;
    let lines: Vec<String> = (0..1_600_usize)
        .map(|n| {
            change((
                (n % 400) as u16,
                [0, 5, 6, 1][n / 400],
                n % 11,
                n % 5,
                (n % 7) as u8,
            ))
        })
        .collect();
    for lines in lines.chunks(64) {
        cache.apply(lines).await;
    }
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM donor")
        .fetch_one(&mut cache.connection)
        .await
        .unwrap();
    assert_eq!(all, 400);
    compare(&mut cache, 150).await;
}

#[test]
fn the_next_page_is_read_back_and_nonsense_is_not() {
    for after in [
        After::Place(1, -7),
        After::Place(0, i64::MAX),
        After::Number(150),
    ] {
        assert_eq!(After::parse(&after.write()), Some(after));
    }
    for nonsense in [
        "",
        "?",
        "AA",
        "AAAAAAAAAAAAAAAAAAAA",
        "\0",
        &"A".repeat(10_000),
    ] {
        assert_eq!(After::parse(nonsense), None);
    }
}
