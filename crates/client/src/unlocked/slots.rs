//! One bit for each slot: a set of donors.

/// A set of slots. Those beyond its end are not in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots(Vec<u64>);

impl Slots {
    /// The empty set with room for so many.
    pub(super) fn empty(slots: usize) -> Self {
        Self(vec![0; slots.div_ceil(64)])
    }

    /// Makes room for so many.
    pub(super) fn reserve(&mut self, slots: usize) {
        self.0.resize(self.0.len().max(slots.div_ceil(64)), 0);
    }

    /// Puts one in or takes it out; there must be room for it.
    pub(super) fn set(&mut self, slot: u32, is_in: bool) {
        let (bits, bit) = (&mut self.0[slot as usize / 64], 1 << (slot % 64));
        if is_in {
            *bits |= bit;
        } else {
            *bits &= !bit;
        }
    }

    pub(super) fn has(&self, slot: u32) -> bool {
        let bits = self.0.get(slot as usize / 64);
        bits.is_some_and(|bits| bits & (1 << (slot % 64)) != 0)
    }

    /// Puts those of the other set in; there must be room for them.
    pub(super) fn add(&mut self, others: &Self) {
        for (bits, other) in self.0.iter_mut().zip(&others.0) {
            *bits |= other;
        }
    }

    /// Leaves those that are in the other set too.
    pub(super) fn keep(&mut self, others: &Self) {
        let others = others.0.iter().chain(std::iter::repeat(&0));
        for (bits, other) in self.0.iter_mut().zip(others) {
            *bits &= other;
        }
    }

    /// Leaves those that are not in the other set.
    pub(super) fn drop(&mut self, others: &Self) {
        for (bits, other) in self.0.iter_mut().zip(&others.0) {
            *bits &= !other;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.0).flat_map(|(at, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                let next = (bits != 0).then(|| at * 64 + bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
                next
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn slots(from: &BTreeSet<u32>) -> Slots {
        let mut slots = Slots::empty(0);
        slots.reserve(from.last().map_or(0, |last| *last as usize + 1));
        for slot in from {
            slots.set(*slot, true);
        }
        slots
    }

    proptest! {
        #[test]
        fn sets_are_sets(
            one in proptest::collection::btree_set(0_u32..300, 0..80),
            other in proptest::collection::btree_set(0_u32..300, 0..80),
        ) {
            let both = |kept: &dyn Fn(&mut Slots)| {
                let mut all = slots(&one);
                kept(&mut all);
                assert_eq!(all.len(), all.iter().count());
                all.iter().collect::<BTreeSet<u32>>()
            };
            prop_assert_eq!(both(&|_| {}), one.clone());
            prop_assert_eq!(both(&|all| all.keep(&slots(&other))), &one & &other);
            prop_assert_eq!(both(&|all| all.drop(&slots(&other))), &one - &other);
            let with = |all: &mut Slots| {
                all.reserve(300);
                all.add(&slots(&other));
            };
            prop_assert_eq!(both(&with), &one | &other);
            let without = |all: &mut Slots| one.intersection(&other).for_each(|slot| all.set(*slot, false));
            prop_assert_eq!(both(&without), &one - &other);
            for slot in 0..400 {
                prop_assert_eq!(slots(&one).has(slot), one.contains(&slot));
            }
        }
    }
}
