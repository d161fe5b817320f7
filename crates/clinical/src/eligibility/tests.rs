use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::fhir::Record;

const TODAY: Date = date(2026, 11, 22);

fn donation(id: &str, kind: &str, day: &str, status: &str) -> String {
    format!(
        r#"{{"resourceType":"Procedure","id":"{id}","status":"{status}","code":{{"coding":[{{"system":"urn:infoblood:donation-kind","code":"{kind}"}}]}},"subject":{{"reference":"Patient/d-1"}},"occurrenceDateTime":"{day}"}}"#
    )
}

fn flag(id: &str, period: &str, rest: &str) -> String {
    format!(
        r#"{{"resourceType":"Flag","id":"{id}","status":"active","code":{{"coding":[{{"system":"urn:infoblood:deferral-reason","code":"tattoo"}}]}},"subject":{{"reference":"Patient/d-1"}},"period":{period}{rest}}}"#
    )
}

fn next(lines: &[String]) -> Vec<NextDate> {
    let resources: Vec<Resource> = lines
        .iter()
        .map(|line| Record::parse_line(line.as_bytes()).unwrap().resource)
        .collect();
    next_dates("d-1", &resources, TODAY, Rules::builtin())
}

/// Whole blood, plasma, platelets.
fn dates(lines: &[String]) -> Vec<(Option<Date>, Option<Blocked>)> {
    let next = next(lines);
    next.into_iter().map(|n| (n.date, n.blocked_by)).collect()
}

#[test]
fn whoever_never_donated_may_today() {
    assert_eq!(dates(&[]), [(Some(TODAY), None); 3]);
    let not_done = donation("p", "whole-blood", "2026-11-21", "not-done");
    assert_eq!(dates(&[not_done]), [(Some(TODAY), None); 3]);
    let other = donation("p", "whole-blood", "2026-11-21", "completed").replace("d-1", "d-2");
    assert_eq!(dates(&[other]), [(Some(TODAY), None); 3]);
}

#[test]
fn intervals_with_their_rule() {
    let last = donation("p", "whole-blood", "2026-11-01T23:30:00+05:00", "completed");
    let found = next(&[last]);
    assert_eq!(found[0].date, Some(date(2026, 12, 31)));
    assert_eq!(
        (found[0].days_left, found[0].blocked_by, found[0].verified),
        (Some(39), Some(Blocked::Interval), false)
    );
    assert_eq!(found[0].rule.as_deref(), Some("ҚР ДСМ-102/2020"));
    let plasma = donation("p", "plasma", "2026-11-09", "completed");
    assert_eq!(
        dates(&[plasma])[1],
        (Some(date(2026, 11, 23)), Some(Blocked::Interval))
    );
    let plasma = donation("p", "plasma", "2026-11-08", "completed");
    assert_eq!(dates(&[plasma])[1], (Some(TODAY), None), "from today on");
    // It was the 9th at the site.
    let plasma = donation("p", "plasma", "2026-11-08T20:00:00Z", "completed");
    assert_eq!(
        dates(&[plasma])[1],
        (Some(date(2026, 11, 23)), Some(Blocked::Interval))
    );
    let stopped = donation("p", "plasma", "2026-11-20", "stopped");
    assert_eq!(
        dates(&[stopped])[1].0,
        Some(date(2026, 12, 4)),
        "blood was taken"
    );
    let month = donation("p", "plasma", "2026-10", "completed");
    assert_eq!(dates(&[month])[1].0, Some(TODAY));
    let month = donation("p", "plasma", "2026-11", "completed");
    assert_eq!(
        dates(&[month])[1].0,
        Some(date(2026, 12, 14)),
        "its last day"
    );
}

#[test]
fn an_older_donation_may_last_longer() {
    let lines = [
        donation("p1", "whole-blood", "2026-10-20", "completed"),
        donation("p2", "plasma", "2026-11-15", "completed"),
    ];
    assert_eq!(dates(&lines)[0].0, Some(date(2026, 12, 19)));
}

#[test]
fn deferrals_come_first() {
    let until = flag("f", r#"{"start":"2026-11-01","end":"2026-12-24"}"#, "");
    let found = next(std::slice::from_ref(&until));
    assert_eq!(found[0].date, Some(date(2026, 12, 25)));
    assert_eq!(
        (found[0].blocked_by, found[0].days_left),
        (Some(Blocked::Deferral), Some(33))
    );
    assert_eq!(found[0].rule.as_deref(), Some("ҚР ДСМ-102/2020"));
    let donated = donation("p", "whole-blood", "2026-11-01", "completed");
    let both = dates(&[until.clone(), donated.clone()]);
    assert_eq!(both[0], (Some(date(2026, 12, 31)), Some(Blocked::Interval)));
    let forever = flag("g", r#"{"start":"2026-11-01"}"#, "");
    assert_eq!(
        dates(&[until, donated, forever]),
        [(None, Some(Blocked::Deferral)); 3]
    );
    let over = flag("f", r#"{"start":"2026-11-01","end":"2026-11-21"}"#, "");
    // The last second of the 21st in UTC is the 22nd at the site.
    let today = flag(
        "f",
        r#"{"start":"2026-11-01","end":"2026-11-21T23:59:59Z"}"#,
        "",
    );
    assert_eq!(
        dates(&[today])[0],
        (Some(date(2026, 11, 23)), Some(Blocked::Deferral))
    );
    assert_eq!(dates(&[over]), [(Some(TODAY), None); 3]);
}

#[test]
fn nothing_is_guessed() {
    let modifier = r#","modifierExtension":[{"url":"urn:x"}]"#;
    let unknown = flag(
        "f",
        r#"{"start":"2020-01-01","end":"2020-01-02"}"#,
        modifier,
    );
    assert_eq!(dates(&[unknown]), [(None, Some(Blocked::Deferral)); 3]);
    let unknown = donation("p", "plasma", "2020-01-01", "completed")
        .replace("\"status\"", &format!("{},\"status\"", &modifier[1..]));
    assert_eq!(dates(&[unknown]), [(None, None); 3]);
    let mut rules = Rules::builtin().clone();
    rules
        .intervals
        .retain(|rule| rule.next != DonationKind::Plasma);
    let line = donation("p", "plasma", "2026-11-01", "completed");
    let resources = [Record::parse_line(line.as_bytes()).unwrap().resource];
    let found = next_dates("d-1", &resources, TODAY, &rules);
    assert_eq!((found[1].date, found[1].rule.as_deref()), (None, None));
    assert!(found[0].date.is_some());
    // Of a kind that is not known, or of two: whatever was taken, nobody can say when the next one may be.
    for status in ["completed", "stopped", "in-progress", "on-hold", "unknown"] {
        let unknown = donation("p", "granulocytes", "2026-11-21", status);
        assert_eq!(dates(std::slice::from_ref(&unknown)), [(None, None); 3]);
        let code = r#""code":{"coding":[{"system":"urn:infoblood:donation-kind","code":"granulocytes"}]},"#;
        let without = unknown.replace(code, "");
        assert_ne!(without, unknown);
        assert_eq!(dates(&[without]), [(None, None); 3], "{status}");
        let two = unknown.replace(
            r#""granulocytes"}]"#,
            r#""plasma"},{"system":"urn:infoblood:donation-kind","code":"platelets"}]"#,
        );
        assert_eq!(dates(&[two]), [(None, None); 3], "{status}");
    }
    for status in ["not-done", "preparation", "entered-in-error"] {
        let nothing = donation("p", "granulocytes", "2026-11-21", status);
        assert_eq!(dates(&[nothing]), [(Some(TODAY), None); 3], "{status}");
    }
    let end_of_time = donation("p", "plasma", "9999-12-31", "completed");
    assert_eq!(dates(&[end_of_time])[0], (None, None));
}

proptest! {
    #[test]
    fn never_before_today_nor_within_an_interval(
        days in proptest::collection::vec((0usize..3, 0i64..400), 0..8),
        deferred in proptest::option::of(-50i64..400),
    ) {
        let back = |n: i64| TODAY.checked_sub(n.days()).unwrap();
        let mut lines: Vec<String> = days.iter().enumerate().map(|(at, (kind, ago))| {
            donation(&format!("p{at}"), DonationKind::ALL[*kind].code(), &back(*ago).to_string(), "completed")
        }).collect();
        if let Some(n) = deferred {
            lines.push(flag("f", &format!(r#"{{"start":"2020-01-01","end":"{}"}}"#, back(-n)), ""));
        }
        let found = next(&lines);
        lines.reverse();
        prop_assert_eq!(&next(&lines), &found, "the order does not matter");
        for next in found {
            let date = next.date.unwrap();
            prop_assert!(date >= TODAY);
            prop_assert_eq!(next.blocked_by.is_none(), date == TODAY);
            for (kind, ago) in &days {
                let rule = Rules::builtin().interval(DonationKind::ALL[*kind], next.kind, TODAY).unwrap();
                prop_assert!(back(*ago).checked_add(i64::from(rule.days).days()).unwrap() <= date);
            }
            if let Some(n) = deferred {
                prop_assert!(date == TODAY || back(-n) < date);
                prop_assert!(n < 0 || back(-n) < date);
            }
        }
    }
}
