//! Where a value comes from: a card that shows two values which disagree says who found which, and when.

use std::collections::{BTreeMap, HashMap};

use crate::{
    blood::BloodGroup,
    fhir::{Observation, Reference, Resource, shown_day},
    isbt128::Din,
};

/// The record of a determination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// `YYYY-MM-DD`, or less where less is known.
    pub date: Option<String>,
    /// The donation at which it was made.
    pub din: Option<Din>,
    /// Who made it, in the record's own words.
    pub laboratory: Option<String>,
    /// Id of the Observation.
    pub record: String,
}

/// A value, and everything that says so, the latest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated<T> {
    pub value: T,
    pub sources: Vec<Source>,
}

/// Makes sources out of observations; knows the numbers of donations.
pub(crate) struct Sources<'a>(HashMap<&'a str, Din>);

impl<'a> Sources<'a> {
    pub(crate) fn read(resources: &'a [Resource]) -> Self {
        let numbers = resources.iter().filter_map(|r| match r {
            Resource::Procedure(p) if !r.not_understood() => Some((p.id.as_str(), p.din()?)),
            _ => None,
        });
        Self(numbers.collect())
    }

    /// The number of a donation, by its id.
    pub(crate) fn din(&self, donation: &str) -> Option<Din> {
        self.0.get(donation).copied()
    }

    pub(crate) fn of(&self, observation: &Observation) -> Source {
        let name = |by: &Reference| by.display.clone();
        Source {
            date: observation.effective_date_time.as_deref().map(shown_day),
            din: observation.donation_id().and_then(|id| self.din(id)),
            laboratory: observation.performer.iter().find_map(name),
            record: observation.id.clone(),
        }
    }
}

/// Values in the order in which they are given, each with all its sources.
pub(crate) fn stated<T: Copy + Ord>(
    order: impl IntoIterator<Item = T>,
    found: &[(T, Source)],
) -> Vec<Stated<T>> {
    let mut by: BTreeMap<T, Vec<Source>> = BTreeMap::new();
    for (value, source) in found {
        by.entry(*value).or_default().push(source.clone());
    }
    order
        .into_iter()
        .map(|value| {
            let mut sources = by.remove(&value).unwrap_or_default();
            sources.sort_by(|a, b| b.cmp(a));
            sources.dedup();
            Stated { value, sources }
        })
        .collect()
}

/// Found and not found, in this order, with their sources; empty unless there are both.
pub(crate) fn disagreement(found: &[(bool, Source)]) -> Vec<Stated<bool>> {
    let says = |wanted| found.iter().any(|(present, _)| *present == wanted);
    if says(true) && says(false) {
        stated([true, false], found)
    } else {
        Vec::new()
    }
}

/// The groups that observations determine, with their sources.
pub(crate) fn groups<'a>(
    observations: impl Iterator<Item = &'a Observation>,
    sources: &Sources<'_>,
) -> Vec<(BloodGroup, Source)> {
    observations
        .flat_map(|observation| {
            let source = sources.of(observation);
            let groups = observation.blood_groups().into_iter();
            groups.map(move |group| (group, source.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(date: &str, record: &str) -> Source {
        Source {
            date: Some(date.to_owned()),
            din: None,
            laboratory: None,
            record: record.to_owned(),
        }
    }

    #[test]
    fn each_value_has_all_its_sources_the_latest_first() {
        let (old, new) = (source("2025-01-01", "o-1"), source("2026-01-01", "o-2"));
        let found = [
            (true, old.clone()),
            (false, new.clone()),
            (true, new.clone()),
            (true, new.clone()),
        ];
        let [present, absent] = &disagreement(&found)[..] else {
            panic!("{found:?}");
        };
        assert!(present.value && !absent.value);
        assert_eq!(
            disagreement(&[(true, old.clone()), (true, new.clone())]),
            []
        );
        assert_eq!(absent.sources, std::slice::from_ref(&new));
        assert_eq!(present.sources, [new, old]);
    }

    #[test]
    fn a_source_says_when_at_which_donation_and_where() {
        let lines = [
            r#"{"resourceType":"Procedure","id":"p-1","identifier":[{"system":"urn:infoblood:id:din","value":"KZ00126000001"}],"status":"completed","subject":{"reference":"Patient/d"},"occurrenceDateTime":"2026-03-01"}"#,
            r#"{"resourceType":"Observation","id":"o-1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/d"},"effectiveDateTime":"2026-03-01T22:00:00Z","partOf":[{"reference":"Procedure/p-1"}],"performer":[{"reference":"Organization/1"},{"display":"№ 2 зертхана"}]}"#,
        ];
        let resources = lines.map(|line| {
            let record = crate::fhir::Record::parse_line(line.as_bytes()).unwrap();
            record.resource
        });
        let Resource::Observation(observation) = &resources[1] else {
            panic!();
        };
        let source = Sources::read(&resources).of(observation);
        assert_eq!(
            source.date.as_deref(),
            Some("2026-03-02"),
            "as it is at the site"
        );
        assert_eq!(source.din, Din::compose("KZ001", 26, 1));
        assert_eq!(source.laboratory.as_deref(), Some("№ 2 зертхана"));
        assert_eq!(source.record, "o-1");
    }
}
