//! The words of all donors' names, in memory: who has a word that begins so, in any spelling, and is in a state.
//!
//! Donors have slots, small numbers that stay while they are there. A question is answered with one bit for each slot, a word at a time,
//! so two common words cost little more than one. The table `name` has what is read when the cache is opened; whatever changes a row
//! there changes it here, and what fails half way is read anew ([`super::writer`]).

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    ops::{Bound, Range},
};

use infoblood_clinical::{
    donor::DeferralState,
    names::{Word, search_key},
};
use sqlx::SqliteConnection;
use zeroize::Zeroize as _;

use super::{
    filters::{FOREVER, Filters},
    letters::{Letter, Letters},
    slots::Slots,
};
use crate::database::DatabaseError;

/// Rows of `name` that are read at once.
const ROWS: i64 = 4_096;
/// Blood groups, and the one that is not known.
const GROUPS: usize = 9;

/// A row of `name`.
pub(super) struct Entry<'a> {
    pub(super) slot: u32,
    pub(super) position: i64,
    pub(super) spelling: &'a str,
    pub(super) blood: u8,
    pub(super) deferred: u32,
}

/// The answers to a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) total: usize,
    /// Rank (0: as typed) and position of those after a place, one more than asked for if there are others.
    pub(super) places: Vec<(u8, i64)>,
}

/// The index.
#[derive(Default)]
pub(super) struct Names {
    /// By the numbers of words.
    words: Vec<Held>,
    /// Who has a word that begins with a letter: of one letter typed, too many words are held by too many to go through.
    letters: Letters,
    /// Words as they are spelled, with their numbers.
    spelled: BTreeMap<String, u32>,
    /// Their search keys, several where Latin letters may be read in several ways; with the numbers of the words.
    keys: BTreeMap<String, Vec<u32>>,
    /// By slot, as in the table.
    positions: Vec<i64>,
    deferred: Vec<u32>,
    /// Somebody's.
    here: Slots,
    groups: [Slots; GROUPS],
    /// Deferred without an end; with one, past or not, or not understood.
    permanent: Slots,
    ending: Slots,
    /// Nobody's, to be given.
    vacant: Vec<u32>,
}

/// A word.
struct Held {
    /// Who has it: slots in no order.
    holders: Vec<u32>,
    /// What it and its keys begin with.
    letters: Vec<Letter>,
}

impl Names {
    /// Reads the table.
    pub(super) async fn load(cache: &mut SqliteConnection) -> Result<Self, DatabaseError> {
        let mut names = Self::default();
        let mut after = -1;
        loop {
            // One row for thousands: rows cost more than what is in them.
            let (last, rows): (Option<i64>, String) = sqlx::query_as(
                "SELECT max(slot), json_group_array(json_array(slot, position, spelling, blood, deferred))
                 FROM (SELECT * FROM name WHERE slot > ? ORDER BY slot LIMIT ?)",
            )
            .bind(after)
            .bind(ROWS)
            .fetch_one(&mut *cache)
            .await?;
            let Some(last) = last else {
                break;
            };
            after = last;
            let rows: Vec<(u32, i64, String, u8, u32)> = serde_json::from_str(&rows)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            for (slot, position, spelling, blood, deferred) in rows {
                names.reserve(slot);
                names.put(
                    &Entry {
                        slot,
                        position,
                        spelling: &spelling,
                        blood,
                        deferred,
                    },
                    None,
                );
            }
        }
        let slots = 0..u32::try_from(names.positions.len()).unwrap_or(u32::MAX);
        names.vacant = slots.filter(|slot| !names.here.has(*slot)).collect();
        Ok(names)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.positions.len() - self.vacant.len()
    }

    /// A slot for somebody new.
    pub(super) fn take_slot(&mut self) -> u32 {
        self.vacant.pop().unwrap_or_else(|| {
            let slot = u32::try_from(self.positions.len()).unwrap_or(u32::MAX);
            self.reserve(slot);
            slot
        })
    }

    fn reserve(&mut self, slot: u32) {
        let wanted = self.positions.len().max(slot as usize + 1);
        self.positions.resize(wanted, 0);
        self.deferred.resize(wanted, 0);
        let sets = [&mut self.here, &mut self.permanent, &mut self.ending];
        for set in sets.into_iter().chain(&mut self.groups) {
            set.reserve(wanted);
        }
    }

    /// Takes a row in place of one whose name was spelled as `before`.
    pub(super) fn put(&mut self, entry: &Entry<'_>, before: Option<&str>) {
        if before != Some(entry.spelling) {
            self.forget_words(entry.slot, before.unwrap_or_default());
            for word in words(entry.spelling) {
                let number = self.number(word);
                let word = &mut self.words[number as usize];
                word.holders.push(entry.slot);
                self.letters.put(&word.letters, entry.slot);
            }
        }
        let Entry { slot, deferred, .. } = *entry;
        self.positions[slot as usize] = entry.position;
        self.deferred[slot as usize] = deferred;
        self.here.set(slot, true);
        self.permanent.set(slot, deferred == FOREVER);
        self.ending.set(slot, deferred != 0 && deferred != FOREVER);
        for (group, set) in self.groups.iter_mut().enumerate() {
            set.set(slot, group == usize::from(entry.blood));
        }
    }

    /// Somebody's row stands elsewhere.
    pub(super) fn place(&mut self, slot: u32, position: i64) {
        self.positions[slot as usize] = position;
    }

    /// Somebody is gone whose name was spelled so.
    pub(super) fn remove(&mut self, slot: u32, spelling: &str) {
        self.forget_words(slot, spelling);
        let sets = [&mut self.here, &mut self.permanent, &mut self.ending];
        for set in sets.into_iter().chain(&mut self.groups) {
            set.set(slot, false);
        }
        self.vacant.push(slot);
    }

    fn forget_words(&mut self, slot: u32, spelling: &str) {
        for word in words(spelling) {
            if let Some(number) = self.spelled.get(word) {
                let word = &mut self.words[*number as usize];
                if let Some(at) = word.holders.iter().position(|holder| *holder == slot) {
                    word.holders.swap_remove(at);
                }
                self.letters.remove(&word.letters, slot);
            }
        }
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.spelled.get(word) {
            return *number;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.spelled.insert(word.to_owned(), number);
        let keys: BTreeSet<String> = search_key(word).split(' ').map(str::to_owned).collect();
        self.words.push(Held {
            holders: Vec::new(),
            letters: Letter::first_of(word, &keys),
        });
        for key in keys {
            self.keys.entry(key).or_default().push(number);
        }
        number
    }

    /// Who has all the words and passes the filters: those spelled as typed first, each in the order of positions.
    pub(super) fn find(
        &self,
        typed: &[Word],
        filters: &Filters,
        after: (u8, i64),
        limit: u32,
    ) -> Answers {
        let wanted = limit as usize + 1;
        let (mut others, exact) = self.having(typed);
        self.filter(&mut others, filters);
        let total = others.len();
        let Some(mut exact) = exact else {
            let places = self.first(&others, 0, after, wanted);
            return Answers { total, places };
        };
        exact.keep(&others);
        let mut places = self.first(&exact, 0, after, wanted);
        if places.len() < wanted {
            others.drop(&exact);
            places.extend(self.first(&others, 1, after, wanted - places.len()));
        }
        Answers { total, places }
    }

    /// The first so many of a rank after a place, in the order of positions.
    fn first(&self, slots: &Slots, rank: u8, after: (u8, i64), wanted: usize) -> Vec<(u8, i64)> {
        if rank < after.0 {
            return Vec::new();
        }
        let after = if rank == after.0 { after.1 } else { i64::MIN };
        let places = slots.iter().map(|slot| self.positions[slot as usize]);
        let mut first: BinaryHeap<i64> = BinaryHeap::with_capacity(wanted);
        for position in places.filter(|place| *place > after) {
            if first.len() < wanted {
                first.push(position);
            } else if let Some(mut last) = first.peek_mut()
                && position < *last
            {
                *last = position;
            }
        }
        let first = first.into_sorted_vec().into_iter();
        first.map(|position| (rank, position)).collect()
    }

    /// Leaves those who pass.
    fn filter(&self, matching: &mut Slots, filters: &Filters) {
        if filters.blood != 0 {
            matching.keep(&self.groups[usize::from(filters.blood)]);
        }
        match filters.deferral {
            None => {}
            Some(DeferralState::Permanent) => matching.keep(&self.permanent),
            Some(DeferralState::Temporary | DeferralState::Unclear) => {
                matching.keep(&self.ending_in(filters.deferred()));
            }
            Some(DeferralState::None) => {
                matching.drop(&self.permanent);
                matching.drop(&self.ending_in(filters.today..FOREVER));
            }
        }
    }

    /// Whose `deferred` is one of these, without those who are never or for ever deferred.
    fn ending_in(&self, days: Range<u32>) -> Slots {
        let mut ending = Slots::empty(self.positions.len());
        for slot in self.ending.iter() {
            ending.set(slot, days.contains(&self.deferred[slot as usize]));
        }
        ending
    }

    /// Who has, for every typed word, one that answers it, and who one that is spelled so; without words everybody.
    fn having(&self, typed: &[Word]) -> (Slots, Option<Slots>) {
        let mut matching = self.here.clone();
        let mut exact: Option<Slots> = None;
        for word in typed {
            let mut answering = Slots::empty(self.positions.len());
            let mut spelled = Slots::empty(self.words.len());
            if let Some(letter) = Letter::spelled_alone(&word.spelling) {
                self.letters.add_to(&mut answering, letter);
            } else {
                for (_, number) in beginning_with(&self.spelled, &word.spelling) {
                    spelled.set(*number, true);
                }
                self.add_holders(&mut answering, spelled.iter());
            }
            match &mut exact {
                Some(exact) => exact.keep(&answering),
                None => exact = Some(answering.clone()),
            }
            for key in &word.keys {
                if let Some(letter) = Letter::of_key_alone(key) {
                    self.letters.add_to(&mut answering, letter);
                    continue;
                }
                let numbers = beginning_with(&self.keys, key).flat_map(|(_, numbers)| numbers);
                // Those spelled as typed are in already, and are most of all.
                let others = numbers.copied().filter(|number| !spelled.has(*number));
                self.add_holders(&mut answering, others);
            }
            matching.keep(&answering);
        }
        (matching, exact)
    }

    fn add_holders(&self, slots: &mut Slots, words: impl Iterator<Item = u32>) {
        for number in words {
            for slot in &self.words[number as usize].holders {
                slots.set(*slot, true);
            }
        }
    }

    /// Who is there, with position, words, group and deferral.
    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<String> {
        let nothing = || (Vec::<&str>::new(), BTreeSet::<Letter>::new());
        let mut all: BTreeMap<u32, _> = self.here.iter().map(|slot| (slot, nothing())).collect();
        for (word, number) in &self.spelled {
            let held = &self.words[*number as usize];
            for slot in &held.holders {
                let (words, letters) = all.get_mut(slot).expect("a word of nobody");
                words.push(word);
                letters.extend(&held.letters);
            }
        }
        let told = all.into_iter().map(|(slot, (words, letters))| {
            let has = self.letters.all().filter(|(_, slots)| slots.has(slot));
            assert_eq!(
                has.map(|(letter, _)| *letter).collect::<BTreeSet<_>>(),
                letters
            );
            let (position, deferred) =
                (self.positions[slot as usize], self.deferred[slot as usize]);
            assert_eq!(self.permanent.has(slot), deferred == FOREVER);
            assert_eq!(self.ending.has(slot), (1..FOREVER).contains(&deferred));
            let has = |group: &usize| self.groups[*group].has(slot);
            let groups: Vec<usize> = (0..GROUPS).filter(has).collect();
            format!("{slot} {position} {words:?} {groups:?} {deferred}")
        });
        let told: Vec<_> = told.collect();
        let letters = self.letters.all().map(|(_, slots)| slots);
        let sets = self.groups.iter().chain([&self.permanent, &self.ending]);
        for set in sets.chain(letters) {
            let mut others = set.clone();
            others.drop(&self.here);
            assert_eq!(others.len(), 0);
        }
        assert_eq!(told.len(), self.len());
        told
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for (mut word, _) in std::mem::take(&mut self.spelled) {
            word.zeroize();
        }
        for (mut key, _) in std::mem::take(&mut self.keys) {
            key.zeroize();
        }
    }
}

/// The different words of a name.
fn words(spelling: &str) -> BTreeSet<&str> {
    spelling
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect()
}

fn beginning_with<'a, T>(
    map: &'a BTreeMap<String, T>,
    beginning: &'a str,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    map.range::<str, _>((Bound::Included(beginning), Bound::Unbounded))
        .take_while(move |(word, _)| word.starts_with(beginning))
}
