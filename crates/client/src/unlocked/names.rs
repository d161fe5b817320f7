//! The words of all donors' names, in memory: who has a word that begins so, in any spelling, and is in a state.
//!
//! Donors have slots, small numbers that stay while they are there. A question is answered with one bit for each slot, a word at a time,
//! so two common words cost little more than one. The table `name` has what is read when the cache is opened; whatever changes a row
//! there changes it here, and what fails half way is read anew ([`super::writer`]).

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    ops::Bound,
};

use infoblood_clinical::names::{Word, search_key};
use sqlx::SqliteConnection;
use zeroize::Zeroize as _;

use super::filters::Filters;
use crate::database::DatabaseError;

/// Answers that are ranked: as typed first.
pub(super) const RANKED: usize = 200;
/// Rows of `name` that are read at once.
const ROWS: i64 = 4_096;
/// `deferred` of nobody, which passes no filter.
const NOBODY: u32 = u32::MAX;

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
    /// Who has a word, by its number: slots in no order.
    holders: Vec<Vec<u32>>,
    /// Words as they are spelled, what stands between spaces; with their numbers.
    spelled: BTreeMap<String, u32>,
    /// Their search keys, several where a hyphen is inside; with the numbers of the words.
    keys: BTreeMap<String, Vec<u32>>,
    // By slot.
    positions: Vec<i64>,
    blood: Vec<u8>,
    deferred: Vec<u32>,
    /// Slots of nobody.
    vacant: Vec<u32>,
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
        let slots = names.deferred.iter().zip(0..);
        names.vacant = slots
            .filter(|(deferred, _)| **deferred == NOBODY)
            .map(|(_, slot)| slot)
            .collect();
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
        self.blood.resize(wanted, 0);
        self.deferred.resize(wanted, NOBODY);
    }

    /// Takes a row in place of one whose name was spelled as `before`.
    pub(super) fn put(&mut self, entry: &Entry<'_>, before: Option<&str>) {
        if before != Some(entry.spelling) {
            self.forget_words(entry.slot, before.unwrap_or_default());
            for word in words(entry.spelling) {
                let number = self.number(word);
                self.holders[number as usize].push(entry.slot);
            }
        }
        let slot = entry.slot as usize;
        self.positions[slot] = entry.position;
        self.blood[slot] = entry.blood;
        self.deferred[slot] = entry.deferred;
    }

    /// Somebody's row stands elsewhere.
    pub(super) fn place(&mut self, slot: u32, position: i64) {
        self.positions[slot as usize] = position;
    }

    /// Somebody is gone whose name was spelled so.
    pub(super) fn remove(&mut self, slot: u32, spelling: &str) {
        self.forget_words(slot, spelling);
        self.deferred[slot as usize] = NOBODY;
        self.vacant.push(slot);
    }

    fn forget_words(&mut self, slot: u32, spelling: &str) {
        for word in words(spelling) {
            if let Some(number) = self.spelled.get(word) {
                let holders = &mut self.holders[*number as usize];
                if let Some(at) = holders.iter().position(|holder| *holder == slot) {
                    holders.swap_remove(at);
                }
            }
        }
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.spelled.get(word) {
            return *number;
        }
        let number = u32::try_from(self.holders.len()).unwrap_or(u32::MAX);
        self.holders.push(Vec::new());
        self.spelled.insert(word.to_owned(), number);
        let keys: BTreeSet<String> = search_key(word).split(' ').map(str::to_owned).collect();
        for key in keys {
            self.keys.entry(key).or_default().push(number);
        }
        number
    }

    /// Who has all the words and passes the filters, in the order of positions; of [`RANKED`] and fewer, those spelled as typed first.
    pub(super) fn find(
        &self,
        typed: &[Word],
        filters: &Filters,
        after: (u8, i64),
        limit: u32,
    ) -> Answers {
        let wanted = limit as usize + 1;
        let matching = self.all_of(typed, |word| self.by_key(&word.key));
        let mut total = 0;
        let mut few = Vec::new();
        let mut first: BinaryHeap<i64> = BinaryHeap::with_capacity(wanted);
        matching.for_each(|slot| {
            if !filters.pass(self.blood[slot], self.deferred[slot]) {
                return;
            }
            let position = self.positions[slot];
            total += 1;
            if few.len() <= RANKED {
                few.push(slot);
            }
            if position <= after.1 {
            } else if first.len() < wanted {
                first.push(position);
            } else if let Some(mut last) = first.peek_mut()
                && position < *last
            {
                *last = position;
            }
        });
        let places = if typed.is_empty() || total > RANKED {
            let first = first.into_sorted_vec();
            first.into_iter().map(|position| (0, position)).collect()
        } else {
            let exact = self.all_of(typed, |word| self.by_spelling(&word.spelling));
            let mut ranked: Vec<(u8, i64)> = few
                .into_iter()
                .map(|slot| (u8::from(!exact.has(slot)), self.positions[slot]))
                .filter(|place| *place > after)
                .collect();
            ranked.sort_unstable();
            ranked.truncate(wanted);
            ranked
        };
        Answers { total, places }
    }

    /// Who is there, with position, words, group and deferral.
    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<(u32, i64, Vec<&str>, u8, u32)> {
        let mut all: BTreeMap<u32, Vec<&str>> = (0..)
            .zip(&self.deferred)
            .filter(|(_, deferred)| **deferred != NOBODY)
            .map(|(slot, _)| (slot, Vec::new()))
            .collect();
        for (word, number) in &self.spelled {
            for slot in &self.holders[*number as usize] {
                all.get_mut(slot).expect("a word of nobody").push(word);
            }
        }
        all.into_iter()
            .map(|(slot, words)| {
                let at = slot as usize;
                (
                    slot,
                    self.positions[at],
                    words,
                    self.blood[at],
                    self.deferred[at],
                )
            })
            .collect()
    }

    fn all_of(&self, typed: &[Word], one: impl Fn(&Word) -> Slots) -> Slots {
        let mut typed = typed.iter();
        let mut all = match typed.next() {
            Some(word) => one(word),
            None => Slots::full(self.positions.len()),
        };
        for word in typed {
            all.keep(&one(word));
        }
        all
    }

    fn by_key(&self, beginning: &str) -> Slots {
        let mut slots = Slots::empty(self.positions.len());
        for (_, numbers) in beginning_with(&self.keys, beginning) {
            for number in numbers {
                slots.add(&self.holders[*number as usize]);
            }
        }
        slots
    }

    fn by_spelling(&self, beginning: &str) -> Slots {
        let mut slots = Slots::empty(self.positions.len());
        for (_, number) in beginning_with(&self.spelled, beginning) {
            slots.add(&self.holders[*number as usize]);
        }
        slots
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

/// One bit for each slot.
struct Slots(Vec<u64>);

impl Slots {
    fn empty(slots: usize) -> Self {
        Self(vec![0; slots.div_ceil(64)])
    }

    fn full(slots: usize) -> Self {
        let mut bits = vec![u64::MAX; slots.div_ceil(64)];
        if let Some(last) = bits.last_mut()
            && !slots.is_multiple_of(64)
        {
            *last = (1 << (slots % 64)) - 1;
        }
        Self(bits)
    }

    fn add(&mut self, slots: &[u32]) {
        for slot in slots {
            self.0[*slot as usize / 64] |= 1 << (slot % 64);
        }
    }

    fn keep(&mut self, others: &Self) {
        for (bits, other) in self.0.iter_mut().zip(&others.0) {
            *bits &= other;
        }
    }

    fn has(&self, slot: usize) -> bool {
        self.0[slot / 64] & (1 << (slot % 64)) != 0
    }

    fn for_each(&self, mut each: impl FnMut(usize)) {
        for (at, bits) in self.0.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                each(at * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}
