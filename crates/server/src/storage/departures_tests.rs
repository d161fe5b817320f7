use proptest::prelude::*;

use super::*;
use crate::storage::MOST_BYTES;

fn put(id: &str, site: &str, national: bool) -> NewResource {
    NewResource {
        kind: "Flag".into(),
        id: id.into(),
        site: site.into(),
        safety: national,
        national,
        body: String::new(),
    }
}

fn known(id: &str, site: &str, national: bool) -> Known {
    Known {
        kind: "Flag".into(),
        id: id.into(),
        site: site.into(),
        national,
    }
}

fn step<'a>(id: &'a str, sequence: i64, turn: Turn<'a>) -> Step<'a> {
    Step {
        kind: "Flag",
        id,
        sequence,
        turn,
    }
}

#[test]
fn only_what_leaves_a_stream_departs() {
    let moved = |from, to| Turn::Moved { from, to };
    let cases: [(&str, bool, &str, bool, &[Turn<'_>]); 8] = [
        ("A", false, "A", false, &[]),
        ("A", true, "A", true, &[]),
        // Everybody has it, as before.
        ("A", true, "B", true, &[]),
        ("A", false, "B", false, &[moved("A", "B")]),
        ("A", false, "A", true, &[Turn::Everybodys]),
        ("A", false, "B", true, &[Turn::Everybodys]),
        ("A", true, "A", false, &[Turn::Withdrawn { own: "A" }]),
        (
            "A",
            true,
            "B",
            false,
            &[moved("A", "B"), Turn::Withdrawn { own: "B" }],
        ),
    ];
    for (from, was, to, is, expected) in cases {
        let before = [known("x", from, was)];
        let batch = [put("x", to, is)];
        let found: Vec<_> = steps(&before, 7, &batch).iter().map(|s| s.turn).collect();
        assert_eq!(found, expected, "{from} {was} {to} {is}");
        assert_eq!(steps(&[], 7, &batch), [], "what is new left nobody");
    }
    // National without being of safety is on no other site's stream.
    let mut quiet = put("x", "A", true);
    quiet.safety = false;
    assert_eq!(
        steps(&[known("x", "A", true)], 7, &[quiet]),
        [step("x", 7, Turn::Withdrawn { own: "A" })]
    );
}

#[test]
fn a_resource_that_comes_twice_in_a_batch_leaves_where_it_was_in_between() {
    let batch = [
        put("x", "A", false),
        put("y", "A", false),
        put("x", "B", false),
        put("x", "A", true),
    ];
    let turn = Turn::Moved { from: "A", to: "B" };
    assert_eq!(
        steps(&[], 10, &batch),
        [step("x", 12, turn), step("x", 13, Turn::Everybodys)]
    );
}

/// A stream of changes, each a resource of some size or a departure, at sequences of their own.
fn stream() -> impl Strategy<Value = Vec<(u64, Option<usize>)>> {
    let change = (1_u64..4, prop::option::of(0_usize..MOST_BYTES / 2));
    prop::collection::vec(change, 0..12).prop_map(|steps| {
        let mut sequence = 0;
        let step = |(by, size): (u64, Option<usize>)| {
            sequence += by;
            (sequence, size)
        };
        steps.into_iter().map(step).collect()
    })
}

/// What an engine reads of one of the two tables.
fn read(stream: &[(u64, Option<usize>)], resources: bool, after: u64, limit: u32) -> Vec<Change> {
    let mut bytes = 0;
    stream
        .iter()
        .filter(|(sequence, size)| *sequence > after && size.is_some() == resources)
        .take(limit as usize)
        .take_while(|(_, size)| {
            let more = bytes < MOST_BYTES;
            bytes += size.unwrap_or_default();
            more
        })
        .map(|(sequence, size)| Change {
            sequence: *sequence,
            kind: "Flag".into(),
            id: sequence.to_string(),
            body: size.map(|size| "x".repeat(size)),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn page_by_page_every_change_comes_once(stream in stream(), limit in 1_u32..6) {
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            // As the service asks: one more than it gives.
            let page = merge(
                read(&stream, true, after, limit + 1),
                read(&stream, false, after, limit + 1),
                limit + 1,
            );
            let more = page.len() > limit as usize || is_full(&page);
            seen.extend(page.iter().take(limit as usize).map(|c| (c.sequence, c.body.as_ref().map(String::len))));
            let Some((last, _)) = seen.last().filter(|_| more) else { break };
            prop_assert!(*last > after);
            after = *last;
        }
        prop_assert_eq!(seen, stream);
    }
}
