//! What a new version changes, unit by unit.
//!
//! A new unit in the middle moves the numbers of all after it, so units are paired by what they say: equal ones first of all,
//! then those that share many of their words, in their order. What finds no partner was added or removed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Document, Line, Unit};

/// What an equal pair counts, over the most that a similar one does.
const EQUAL: u32 = 1000;
/// Per mille of common words from which on two units are one that was changed.
const SIMILAR: u32 = 350;

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Changed,
    Added,
    Removed,
}

/// The lines of a unit, verbatim; a blank line inside it is an empty one here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sides {
    pub kk: Vec<String>,
    pub ru: Vec<String>,
}

impl Sides {
    fn of(unit: &Unit) -> Self {
        Self {
            kk: lines(&unit.kk),
            ru: lines(&unit.ru),
        }
    }
}

/// One unit that differs between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitChange {
    pub kind: ChangeKind,
    /// Its id in the new version; `None` for a removed one.
    pub unit: Option<u32>,
    /// `None` for an added one.
    pub before: Option<Sides>,
    /// `None` for a removed one.
    pub after: Option<Sides>,
    /// Its id in the old version; `None` for an added one.
    pub old_unit: Option<u32>,
}

/// The units that differ, in the order of the new version; removed ones stand where they stood.
pub fn changes(old: &Document, new: &Document) -> Vec<UnitChange> {
    let compare = |units: &[Unit]| -> Vec<Compared> { units.iter().map(Compared::of).collect() };
    let (before, after) = (compare(old.units()), compare(new.units()));
    let mut found = Vec::new();
    for pair in align(&before, &after) {
        let old_unit = pair.0.and_then(|at| old.units().get(at));
        let new_unit = pair.1.and_then(|at| new.units().get(at));
        let (before, after) = (old_unit.map(Sides::of), new_unit.map(Sides::of));
        let kind = match (&before, &after) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(_), Some(_)) => ChangeKind::Changed,
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
        };
        found.push(UnitChange {
            kind,
            unit: new_unit.map(|unit| unit.id),
            before,
            after,
            old_unit: old_unit.map(|unit| unit.id),
        });
    }
    found
}

/// A unit as it is compared.
struct Compared {
    sides: Sides,
    words: BTreeSet<String>,
}

impl Compared {
    fn of(unit: &Unit) -> Self {
        let sides = Sides::of(unit);
        let words = sides
            .kk
            .iter()
            .chain(&sides.ru)
            .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        Self { sides, words }
    }

    /// What it is worth to pair the two; 0: they are not the same unit.
    fn score(&self, other: &Self) -> u32 {
        if self.sides == other.sides {
            return 2 * EQUAL;
        }
        let common = self.words.intersection(&other.words).count();
        let all = self.words.len() + other.words.len();
        let similarity = u32::try_from((2 * EQUAL as usize * common).checked_div(all).unwrap_or(0))
            .unwrap_or(EQUAL);
        if similarity < SIMILAR { 0 } else { similarity }
    }
}

/// Pairs the units in their order so that as much as possible stays together.
fn align(before: &[Compared], after: &[Compared]) -> Vec<(Option<usize>, Option<usize>)> {
    let scores: Vec<Vec<u32>> = before
        .iter()
        .map(|old| after.iter().map(|new| old.score(new)).collect())
        .collect();
    let score = |i: usize, j: usize| {
        scores
            .get(i)
            .and_then(|row| row.get(j))
            .copied()
            .unwrap_or(0)
    };
    // best[i][j]: the best that before[i..] and after[j..] can give.
    let width = after.len() + 1;
    let mut best = vec![0u32; (before.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let value = |best: &[u32], i, j| best.get(at(i, j)).copied().unwrap_or(0);
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            let mut top = value(&best, i + 1, j).max(value(&best, i, j + 1));
            if score(i, j) > 0 {
                top = top.max(value(&best, i + 1, j + 1) + score(i, j));
            }
            if let Some(cell) = best.get_mut(at(i, j)) {
                *cell = top;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::with_capacity(before.len().max(after.len()));
    while i < before.len() || j < after.len() {
        let here = value(&best, i, j);
        let both = i < before.len() && j < after.len();
        if both && score(i, j) > 0 && here == value(&best, i + 1, j + 1) + score(i, j) {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if i < before.len() && (j == after.len() || here == value(&best, i + 1, j)) {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs
}

/// Lines as they stand in the text; where numbers jump, blank lines stood between.
fn lines(lines: &[Line]) -> Vec<String> {
    let mut texts = Vec::with_capacity(lines.len());
    let mut expected = lines.first().map_or(0, |line| line.number);
    for line in lines {
        texts.resize(
            texts.len() + line.number.saturating_sub(expected),
            String::new(),
        );
        texts.push(line.text());
        expected = line.number + 1;
    }
    texts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::Change;

    /// A document of one line per unit.
    fn document(version: u64, units: &[(String, String)]) -> Document {
        let side = |of: fn(&(String, String)) -> &String| {
            units
                .iter()
                .map(|unit| of(unit).as_str())
                .collect::<Vec<_>>()
                .join("\n\n")
        };
        let (kk, ru) = (side(|unit| &unit.0), side(|unit| &unit.1));
        let units: Vec<_> = (1..=units.len())
            .map(|id| {
                let line = 2 * id - 1;
                serde_json::json!({"id": id, "kind": "point", "kk": [{"line": line}], "ru": [{"line": line}]})
            })
            .collect();
        let structure = serde_json::json!({"format": 1, "title": "t", "units": units}).to_string();
        Document::new(version, 0, Change::Material, &kk, &ru, &structure).unwrap()
    }

    fn units(texts: &[&str]) -> Vec<(String, String)> {
        texts
            .iter()
            .map(|text| (format!("kk {text}"), format!("ru {text}")))
            .collect()
    }

    const A: &str = "alpha beta gamma delta epsilon";
    const B: &str = "one two three four five six";
    const C: &str = "red green blue white black";

    #[test]
    fn a_changed_an_added_and_a_removed_unit_are_told_apart() {
        let old = document(1, &units(&[A, B, C]));
        let found = changes(
            &old,
            &document(2, &units(&[A, "one two three four five seven", C])),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind, found[0].unit, found[0].old_unit),
            (ChangeKind::Changed, Some(2), Some(2))
        );
        assert_eq!(found[0].before.as_ref().unwrap().kk, [format!("kk {B}")]);
        assert_eq!(
            found[0].after.as_ref().unwrap().ru,
            ["ru one two three four five seven"]
        );

        // One more at the beginning: nothing after it counts as changed.
        let found = changes(&old, &document(2, &units(&["quite new words", A, B, C])));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].unit), (ChangeKind::Added, Some(1)));
        assert_eq!((found[0].before.as_ref(), found[0].old_unit), (None, None));

        let found = changes(&old, &document(2, &units(&[A, C])));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind, found[0].unit, found[0].old_unit),
            (ChangeKind::Removed, None, Some(2))
        );
        assert_eq!(found[0].after, None);

        // Replaced by something else altogether: the old one went, a new one came.
        let found = changes(&old, &document(2, &units(&[A, "quite new words", C])));
        let kinds: Vec<_> = found.iter().map(|change| change.kind).collect();
        assert_eq!(kinds, [ChangeKind::Removed, ChangeKind::Added]);
    }

    #[test]
    fn the_agreement_itself_is_compared_by_its_words() {
        let old = Document::builtin();
        let kk = old.kk().replacen("құпия", "өте құпия", 1);
        let new = Document::new(2, 1, Change::Editorial, &kk, old.ru(), old.structure_json());
        let found = changes(old, &new.unwrap());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].kind, ChangeKind::Changed);
        assert_eq!(found[0].unit, found[0].old_unit);
        let (before, after) = (
            found[0].before.as_ref().unwrap(),
            found[0].after.as_ref().unwrap(),
        );
        assert_eq!(before.ru, after.ru);
        assert_ne!(before.kk, after.kk);
    }

    proptest! {
        #[test]
        fn equal_documents_have_no_changes_and_every_change_accounts_for_its_units(
            old in prop::collection::vec("[a-d]{1,3}( [a-d]{1,3}){0,4}", 1..8),
            new in prop::collection::vec("[a-d]{1,3}( [a-d]{1,3}){0,4}", 1..8),
        ) {
            let of = |version, texts: &[String]| {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                document(version, &units(&texts))
            };
            let (old, new) = (of(1, &old), of(2, &new));
            prop_assert_eq!(changes(&old, &old), []);
            prop_assert_eq!(changes(&new, &new), []);
            let found = changes(&old, &new);
            let count = |kind| found.iter().filter(|change| change.kind == kind).count();
            prop_assert_eq!(
                old.units().len() + count(ChangeKind::Added),
                new.units().len() + count(ChangeKind::Removed)
            );
            for change in &found {
                prop_assert!(change.before != change.after);
                prop_assert_eq!(change.before.is_some(), change.old_unit.is_some());
                prop_assert_eq!(change.after.is_some(), change.unit.is_some());
            }
        }
    }
}
