//! When a donor may donate next, by kind of donation: after the deferrals, and after the interval of every donation before.
//!
//! Nothing is guessed: without a rule, under a deferral without an end, or with a donation or a person that is not understood there is no date.

use jiff::{ToSpan as _, civil::Date};

use crate::{
    donor::{Deferral, DonationKind, deferrals, donated_at},
    fhir::{Procedure, Resource},
    rules::Rules,
};

/// What a date waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    Deferral,
    Interval,
}

/// When one kind of donation is possible next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextDate {
    pub kind: DonationKind,
    /// The first day, today or later; `None` if there is none, or none that can be computed.
    pub date: Option<Date>,
    /// What keeps it from being today.
    pub blocked_by: Option<Blocked>,
    /// The order that the deferral's or the interval's rule comes from.
    pub rule: Option<String>,
    /// Days from today to the date.
    pub days_left: Option<i32>,
    /// Whether that rule is confirmed.
    pub verified: bool,
}

/// The next dates of a donor, one for each kind.
pub fn next_dates(id: &str, resources: &[Resource], today: Date, rules: &Rules) -> Vec<NextDate> {
    let deferrals = deferrals(id, resources, today, rules);
    let donations = donations(id, resources);
    DonationKind::ALL
        .into_iter()
        .map(|kind| {
            let after_deferral = after_deferrals(kind, &deferrals);
            let after_interval = after_donations(kind, donations.as_deref(), today, rules);
            let mut next = later(after_deferral, after_interval);
            if next.date.is_some_and(|date| date <= today) {
                next.date = Some(today);
                next.blocked_by = None;
            }
            next.days_left = next.date.and_then(|date| {
                let span = today.until(date).ok()?;
                Some(span.get_days())
            });
            next
        })
        .collect()
}

/// Kind and last possible day of every donation at which blood may have been taken. `None` if one of them, or the person's own record,
/// is not understood: then nobody can say when the next one may be.
pub(crate) fn donations(id: &str, resources: &[Resource]) -> Option<Vec<(DonationKind, Date)>> {
    let mut found = Vec::new();
    for resource in resources {
        let procedure = match resource {
            Resource::Patient(patient) if patient.id == id && resource.not_understood() => {
                return None;
            }
            Resource::Procedure(procedure) => procedure,
            _ => continue,
        };
        if resource.patient_id() != Some(id) || !may_be_donation(procedure) {
            continue;
        }
        if resource.not_understood() {
            return None;
        }
        if let Some((kind, day)) = donated_at(procedure) {
            found.push((kind?, day?));
        }
    }
    Some(found)
}

fn may_be_donation(procedure: &Procedure) -> bool {
    procedure.status != "entered-in-error" && !procedure.is_transfusion()
}

/// The first day after all deferrals; they stand in the order of their ends, those without one first.
fn after_deferrals(kind: DonationKind, deferrals: &[Deferral]) -> Option<NextDate> {
    let last = deferrals.first()?;
    let until: Option<Date> = last.until.as_deref().and_then(|day| day.parse().ok());
    Some(NextDate {
        kind,
        date: until.and_then(|day| day.checked_add(1.day()).ok()),
        blocked_by: Some(Blocked::Deferral),
        rule: last.rule.clone(),
        days_left: None,
        verified: last.verified,
    })
}

/// The first day after the intervals of all donations. Older ones count too: the interval of a plasma donation may end before that of
/// the whole blood before it.
fn after_donations(
    kind: DonationKind,
    donations: Option<&[(DonationKind, Date)]>,
    today: Date,
    rules: &Rules,
) -> NextDate {
    let unknown = NextDate {
        kind,
        date: None,
        blocked_by: None,
        rule: None,
        days_left: None,
        verified: false,
    };
    let Some(donations) = donations else {
        return unknown;
    };
    let mut next = NextDate {
        date: Some(today),
        // Nothing unconfirmed was needed for it.
        verified: true,
        ..unknown.clone()
    };
    let mut longest = (Date::MIN, 0);
    for (last, day) in donations {
        let Some(rule) = rules.interval(*last, kind, today) else {
            return unknown;
        };
        let Ok(free) = day.checked_add(i64::from(rule.days).days()) else {
            return unknown;
        };
        // Of two that end together the longer interval: the order must not matter.
        if (free, rule.days) > longest {
            longest = (free, rule.days);
            next = NextDate {
                kind,
                date: Some(free),
                blocked_by: Some(Blocked::Interval),
                rule: Some(rule.source.clone()),
                days_left: None,
                verified: rules.verified,
            };
        }
    }
    next
}

/// The one that lasts longer; a date that cannot be computed longest, and of those the deferral, whose reason is known.
fn later(deferral: Option<NextDate>, interval: NextDate) -> NextDate {
    let Some(deferral) = deferral else {
        return interval;
    };
    let is_longer = match (deferral.date, interval.date) {
        (None, _) => true,
        (Some(of_deferral), Some(of_interval)) => of_deferral >= of_interval,
        (Some(_), None) => false,
    };
    if is_longer { deferral } else { interval }
}

#[cfg(test)]
mod tests;
