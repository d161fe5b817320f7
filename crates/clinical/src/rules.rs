//! Donation intervals and deferral periods as data (`data/rules.json`): each has a source and the date from which it counts.
//! The whole file carries `verified`, which is false until the blood service confirms it; a card shows that.

use std::sync::OnceLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::{donor::DonationKind, iin::Sex};

/// The rule file.
#[derive(Debug, Clone, Deserialize)]
pub struct Rules {
    /// Whether the blood service has confirmed the periods.
    pub verified: bool,
    /// For the publisher.
    pub note: String,
    /// What is said in place of a reason that is not understood.
    pub not_understood: Words,
    pub intervals: Vec<Interval>,
    pub deferrals: Vec<DeferralRule>,
}

/// One text in both languages.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Words {
    pub kk: String,
    pub ru: String,
}

/// Least days from a donation of one kind to one of another.
#[derive(Debug, Clone, Deserialize)]
pub struct Interval {
    pub last: DonationKind,
    pub next: DonationKind,
    pub days: u16,
    pub source: String,
    pub effective_from: Date,
}

/// One reason to defer.
#[derive(Debug, Clone, Deserialize)]
pub struct DeferralRule {
    /// Code in `Flag.code`.
    pub code: String,
    pub kk: String,
    pub ru: String,
    /// Days from its beginning; `None` is permanent. What the synthetic centre writes: of a flag its own end counts.
    pub days: Option<u16>,
    pub source: String,
    pub effective_from: Date,
    /// Only for this sex; what the synthetic centre writes.
    pub sex: Option<Sex>,
}

impl Rules {
    /// Reads a rule file.
    pub fn parse(json: &str) -> Result<Self, RulesError> {
        serde_json::from_str(json).map_err(RulesError)
    }

    /// The rules built in; a test proves that they parse. Empty and unverified should they ever not.
    pub fn builtin() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| {
            Self::parse(include_str!("../data/rules.json")).unwrap_or_else(|_| Self {
                verified: false,
                note: String::new(),
                not_understood: Words::default(),
                intervals: Vec::new(),
                deferrals: Vec::new(),
            })
        })
    }

    /// The rule of a reason, as it counts on a day: the newest that is in force.
    pub fn deferral(&self, code: &str, today: Date) -> Option<&DeferralRule> {
        self.deferrals
            .iter()
            .filter(|rule| rule.code == code && rule.effective_from <= today)
            .max_by_key(|rule| rule.effective_from)
    }

    /// The rule for a donation of `next` after one of `last`, as it counts on a day: the newest that is in force.
    pub fn interval(
        &self,
        last: DonationKind,
        next: DonationKind,
        today: Date,
    ) -> Option<&Interval> {
        self.intervals
            .iter()
            .filter(|rule| rule.last == last && rule.next == next && rule.effective_from <= today)
            .max_by_key(|rule| rule.effective_from)
    }
}

/// The rule file is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("broken rule file")]
pub struct RulesError(#[source] pub(crate) serde_json::Error);

impl RulesError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        "rules-broken"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_parses_and_is_complete() {
        let rules = Rules::parse(include_str!("../data/rules.json")).unwrap();
        assert!(!rules.verified, "nobody has confirmed these periods yet");
        let today = Date::constant(2026, 11, 22);
        let days = |last, next| rules.interval(last, next, today).map(|rule| rule.days);
        for next in DonationKind::ALL {
            assert_eq!(days(DonationKind::WholeBlood, next), Some(60));
            assert_eq!(days(DonationKind::Plasma, next), Some(14));
            assert!(days(DonationKind::Platelets, next).is_some());
        }
        assert!(!rules.not_understood.kk.is_empty() && !rules.not_understood.ru.is_empty());
        assert!(rules.deferrals.iter().any(|d| d.days.is_none()));
        let mut codes: Vec<_> = rules.deferrals.iter().map(|d| &d.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), rules.deferrals.len());
        assert!(
            rules
                .deferrals
                .iter()
                .all(|d| !d.kk.is_empty() && !d.ru.is_empty() && !d.source.is_empty())
        );
        assert_eq!(Rules::parse("{").unwrap_err().code(), "rules-broken");
    }

    #[test]
    fn a_rule_counts_from_its_date() {
        let mut rules = Rules::builtin().clone();
        let kind = DonationKind::Plasma;
        let rule = rules.interval(kind, kind, Date::constant(2026, 1, 1));
        let newer = Interval {
            days: 28,
            effective_from: Date::constant(2026, 6, 1),
            ..rule.unwrap().clone()
        };
        rules.intervals.insert(0, newer);
        let days = |day| rules.interval(kind, kind, day).map(|rule| rule.days);
        assert_eq!(days(Date::constant(2026, 5, 31)), Some(14));
        assert_eq!(days(Date::constant(2026, 6, 1)), Some(28));
        assert_eq!(days(Date::constant(2020, 9, 15)), None);

        let newer = DeferralRule {
            source: "later".into(),
            effective_from: Date::constant(2026, 6, 1),
            ..rules.deferrals[0].clone()
        };
        let code = newer.code.clone();
        rules.deferrals.push(newer);
        let source = |day| rules.deferral(&code, day).map(|rule| rule.source.as_str());
        assert_eq!(source(Date::constant(2026, 5, 31)), Some("ҚР ДСМ-102/2020"));
        assert_eq!(source(Date::constant(2026, 6, 1)), Some("later"));
        assert_eq!(source(Date::constant(2020, 9, 15)), None);
    }
}
