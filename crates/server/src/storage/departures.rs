//! Who has to be told that a resource is not theirs any more. A stream shows a resource while it stands on it; what left it is told by a
//! departure, which has the sequence of the change by which it left: that change is not on the stream.
//!
//! A workstation reads two streams into one cache, so what the own site gets by `all` is never withdrawn by the safety stream, and what everybody
//! gets by the safety stream is never withdrawn by `all`.

use std::collections::HashMap;

use super::{Change, NewResource, is_full};

/// Whose a resource is, or a deleted one's tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home<'a> {
    /// On this site's streams.
    pub(super) site: &'a str,
    /// And on everybody's safety stream.
    pub(super) national: bool,
}

/// The row of a resource as it was before a batch.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) site: String,
    pub(super) national: bool,
}

/// What the departures of a resource become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn<'a> {
    /// Everybody has it again: there are none.
    Everybodys,
    /// It left the stream `all` of one site and came to another.
    Moved { from: &'a str, to: &'a str },
    /// It left the safety streams of all sites but its own.
    Withdrawn { own: &'a str },
}

/// One of them, and the change that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) kind: &'a str,
    pub(super) id: &'a str,
    pub(super) sequence: i64,
    pub(super) turn: Turn<'a>,
}

/// What a batch whose first sequence is `first` does to departures, in order: mostly nothing. A resource may be in it more than once.
pub(super) fn steps<'a>(known: &'a [Known], first: i64, batch: &'a [NewResource]) -> Vec<Step<'a>> {
    let mut homes: HashMap<(&str, &str), Home<'_>> = known
        .iter()
        .map(|row| {
            let home = Home {
                site: &row.site,
                national: row.national,
            };
            ((row.kind.as_str(), row.id.as_str()), home)
        })
        .collect();
    let mut steps = Vec::new();
    for (sequence, resource) in (first..).zip(batch) {
        let (kind, id) = (resource.kind.as_str(), resource.id.as_str());
        let home = Home {
            site: &resource.site,
            national: resource.safety && resource.national,
        };
        // What is new, or was forgotten with everything before it, left nobody.
        if let Some(before) = homes.insert((kind, id), home) {
            steps.extend(turns(before, home).map(|turn| Step {
                kind,
                id,
                sequence,
                turn,
            }));
        }
    }
    steps
}

fn turns<'a>(before: Home<'a>, now: Home<'a>) -> impl Iterator<Item = Turn<'a>> {
    let returned = now.national && !before.national;
    let moved = !now.national && before.site != now.site;
    let withdrawn = before.national && !now.national;
    [
        returned.then_some(Turn::Everybodys),
        moved.then_some(Turn::Moved {
            from: before.site,
            to: now.site,
        }),
        withdrawn.then_some(Turn::Withdrawn { own: now.site }),
    ]
    .into_iter()
    .flatten()
}

/// The first `limit` changes of a stream: the resources on it and what left it, each in order and each read up to the same limit.
/// Where the resources ended early because they are large, nothing after the last of them is known to be complete.
pub(super) fn merge(resources: Vec<Change>, departures: Vec<Change>, limit: u32) -> Vec<Change> {
    let end = resources
        .last()
        .filter(|_| is_full(&resources))
        .map_or(u64::MAX, |last| last.sequence);
    let mut all = resources;
    all.extend(departures.into_iter().filter(|left| left.sequence <= end));
    all.sort_by_key(|change| change.sequence);
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    all
}

#[cfg(test)]
#[path = "departures_tests.rs"]
mod tests;
