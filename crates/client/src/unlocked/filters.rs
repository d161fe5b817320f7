//! Blood group and deferral as the tables know them: numbers that are compared.

use std::ops::Range;

use infoblood_clinical::{
    blood::BloodGroup,
    donor::{DeferralState, Summary},
};
use jiff::civil::Date;

/// `deferred` of who may never donate: after every day.
pub(super) const FOREVER: u32 = 99_999_999;
/// `deferred` of who is not understood: after every day, and so never among those whom nothing forbids.
const UNCLEAR: u32 = 99_999_998;

/// What passes.
pub(super) struct Filters {
    /// 0: every group, and none.
    pub(super) blood: u8,
    pub(super) deferral: Option<DeferralState>,
    /// As `deferred` of who is deferred until today.
    pub(super) today: u32,
}

impl Filters {
    pub(super) fn new(
        blood: Option<BloodGroup>,
        deferral: Option<DeferralState>,
        today: Date,
    ) -> Self {
        Self {
            blood: blood_number(blood),
            deferral,
            today: day(today),
        }
    }

    /// Whether everybody passes.
    pub(super) fn is_empty(&self) -> bool {
        self.blood == 0 && self.deferral.is_none()
    }

    /// `deferred` of those who pass.
    pub(super) fn deferred(&self) -> Range<u32> {
        match self.deferral {
            None => 0..FOREVER + 1,
            Some(DeferralState::None) => 0..self.today,
            Some(DeferralState::Temporary) => self.today..UNCLEAR,
            Some(DeferralState::Unclear) => UNCLEAR..FOREVER,
            Some(DeferralState::Permanent) => FOREVER..FOREVER + 1,
        }
    }
}

/// `blood` of a row; 0 if it is not known.
pub(super) fn blood_number(group: Option<BloodGroup>) -> u8 {
    match group.as_ref().map(BloodGroup::code) {
        None => 0,
        Some("O-") => 1,
        Some("O+") => 2,
        Some("A-") => 3,
        Some("A+") => 4,
        Some("B-") => 5,
        Some("B+") => 6,
        Some("AB-") => 7,
        Some(_) => 8,
    }
}

/// `deferred` of a row.
pub(super) fn deferred_number(summary: &Summary) -> u32 {
    if summary.permanent {
        FOREVER
    } else if summary.not_understood {
        UNCLEAR
    } else {
        summary.deferred_until.map_or(0, day)
    }
}

/// YYYYMMDD; every day before the year 0 is long ago.
fn day(date: Date) -> u32 {
    let number =
        i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day());
    u32::try_from(number).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_in_order_and_before_forever() {
        let days = [
            Date::MIN,
            jiff::civil::date(-1, 12, 31),
            jiff::civil::date(0, 1, 1),
            jiff::civil::date(2026, 5, 31),
            jiff::civil::date(2026, 6, 1),
            Date::MAX,
        ];
        let numbers = days.map(day);
        assert!(numbers.is_sorted() && numbers[0] > 0, "{numbers:?}");
        assert!(numbers[5] < UNCLEAR);
    }
}
