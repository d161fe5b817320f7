//! Who has a word that begins with a letter.

use std::collections::{BTreeMap, BTreeSet};

use super::slots::Slots;

/// The first letter of a word as it is spelled, or of one of its search keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Letter {
    Spelled(char),
    /// ASCII.
    Key(char),
}

impl Letter {
    /// Those of a word and its keys.
    pub(super) fn first_of(word: &str, keys: &BTreeSet<String>) -> Vec<Self> {
        let spelled = word.chars().next().filter(|letter| is_kept(*letter));
        let keys: BTreeSet<char> = keys.iter().filter_map(|key| key.chars().next()).collect();
        let spelled = spelled.into_iter().map(Self::Spelled);
        spelled.chain(keys.into_iter().map(Self::Key)).collect()
    }

    /// If the beginning of a word is one letter of those that are kept.
    pub(super) fn spelled_alone(beginning: &str) -> Option<Self> {
        alone(beginning).map(Self::Spelled)
    }

    /// If the beginning of a key is one letter.
    pub(super) fn of_key_alone(beginning: &str) -> Option<Self> {
        alone(beginning).map(Self::Key)
    }
}

fn alone(beginning: &str) -> Option<char> {
    let mut letters = beginning.chars();
    let letter = letters.next().filter(|letter| is_kept(*letter))?;
    letters.next().is_none().then_some(letter)
}

/// A bit for each donor is kept for the letters that many names here begin with, Latin and Cyrillic; not for thousands of others.
fn is_kept(letter: char) -> bool {
    letter.is_ascii() || ('\u{400}'..='\u{4ff}').contains(&letter)
}

/// The sets of slots.
#[derive(Default)]
pub(super) struct Letters(BTreeMap<Letter, Slots>);

impl Letters {
    /// Somebody has a word that begins so.
    pub(super) fn put(&mut self, letters: &[Letter], slot: u32) {
        for letter in letters {
            let slots = self.0.entry(*letter).or_default();
            slots.reserve(slot as usize + 1);
            slots.set(slot, true);
        }
    }

    /// Somebody has no word any more that begins so.
    pub(super) fn remove(&mut self, letters: &[Letter], slot: u32) {
        for letter in letters {
            if let Some(slots) = self.0.get_mut(letter) {
                slots.set(slot, false);
            }
        }
    }

    /// Adds who has one to a set that has room for all.
    pub(super) fn add_to(&self, slots: &mut Slots, letter: Letter) {
        if let Some(others) = self.0.get(&letter) {
            slots.add(others);
        }
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (&Letter, &Slots)> {
        self.0.iter()
    }
}
