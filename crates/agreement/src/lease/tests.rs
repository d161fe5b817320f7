use proptest::prelude::*;

use super::*;

const UNTIL: i64 = 1_800_000_000;
const END: i64 = UNTIL + 7 * DAY;

fn at(now: i64) -> (LeaseState, u32) {
    let lease = lease_state(now, UNTIL, END);
    (lease.state, lease.days_left)
}

#[test]
fn warnings_begin_seven_days_before_and_every_second_is_someones() {
    assert_eq!(at(UNTIL - 30 * DAY), (LeaseState::Ok, 30));
    assert_eq!(at(UNTIL - 7 * DAY - 1), (LeaseState::Ok, 8));
    assert_eq!(at(UNTIL - 7 * DAY), (LeaseState::Soon, 7));
    assert_eq!(at(UNTIL - 3 * DAY - 1), (LeaseState::Soon, 4));
    assert_eq!(at(UNTIL - 3 * DAY), (LeaseState::Attention, 3));
    assert_eq!(at(UNTIL), (LeaseState::Attention, 1));
    assert_eq!(at(UNTIL + 1), (LeaseState::ReadOnly, 7));
    assert_eq!(at(END), (LeaseState::ReadOnly, 1));
    assert_eq!(at(END + 1), (LeaseState::Ended, 0));
    // A site without a read-only time.
    assert_eq!(
        lease_state(UNTIL + 1, UNTIL, UNTIL).state,
        LeaseState::Ended
    );
}

#[test]
fn a_reason_is_a_line_of_words() {
    for good in [
        "қан керек!",
        "  Экстренное переливание, нет связи  ",
        &"ж".repeat(200),
    ] {
        assert_eq!(Reason::parse(good).unwrap().as_str(), good.trim());
    }
    for bad in [
        "",
        "срочно",
        "          срочно   ",
        "первая строка\nвторая",
        &"ж".repeat(201),
    ] {
        assert_eq!(
            Reason::parse(bad).unwrap_err().code(),
            "break-glass-reason",
            "{bad}"
        );
    }
}

proptest! {
    #[test]
    fn the_state_only_worsens(now: i64, later: i64, offline in 0..i64::MAX / 2, more in 0..i64::MAX / 4) {
        let (now, later) = (now.min(later), now.max(later));
        let before = lease_state(now, offline, offline + more);
        let after = lease_state(later, offline, offline + more);
        prop_assert!(before.state <= after.state);
        prop_assert_eq!(after.days_left == 0, after.state == LeaseState::Ended);
    }
}
