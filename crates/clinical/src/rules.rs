//! Donation intervals and deferral periods as data (`data/rules.json`): each has a source and the date from which it counts.
//! The whole file carries `verified`, which is false until the blood service confirms it; a card shows that.

use std::sync::OnceLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::iin::Sex;

/// The rule file.
#[derive(Debug, Clone, Deserialize)]
pub struct Rules {
    /// Whether the blood service has confirmed the periods.
    pub verified: bool,
    /// For the publisher.
    pub note: String,
    pub intervals: Vec<Interval>,
    pub deferrals: Vec<DeferralRule>,
}

/// Least days between donations.
#[derive(Debug, Clone, Deserialize)]
pub struct Interval {
    /// `whole-blood`, `plasma`, `platelets`.
    pub kind: String,
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
    /// Days from its beginning; `None` is permanent.
    pub days: Option<u16>,
    pub source: String,
    pub effective_from: Date,
    /// Only for this sex.
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
                intervals: Vec::new(),
                deferrals: Vec::new(),
            })
        })
    }

    /// The rule of a reason.
    pub fn deferral(&self, code: &str) -> Option<&DeferralRule> {
        self.deferrals.iter().find(|rule| rule.code == code)
    }

    /// The rule of a kind of donation.
    pub fn interval(&self, kind: &str) -> Option<&Interval> {
        self.intervals.iter().find(|rule| rule.kind == kind)
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
        assert_eq!(rules.interval("whole-blood").map(|i| i.days), Some(60));
        assert_eq!(rules.interval("plasma").map(|i| i.days), Some(14));
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
}
