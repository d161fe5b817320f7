//! Which stored word each typed word stands for.

/// Pairs of a typed and a stored word, no word in two of them.
pub(super) struct Pairs {
    /// By stored word: the typed one.
    of: Vec<Option<usize>>,
    typed: usize,
}

impl Pairs {
    pub(super) fn new(typed: usize, stored: usize) -> Self {
        Self {
            of: vec![None; stored],
            typed,
        }
    }

    /// Finds a stored word for every typed one that has none; those that have one may get another. Whether none is left without: then there is
    /// no way to pair them all, since taking the first that answers is not enough (`k kasymova` against «Қасымова Қарлығаш»).
    pub(super) fn complete(&mut self, answers: &impl Fn(usize, usize) -> bool) -> bool {
        let mut is_complete = true;
        for at in 0..self.typed {
            let mut asked = vec![false; self.of.len()];
            is_complete &= self.of.contains(&Some(at)) || self.find(at, answers, &mut asked);
        }
        is_complete
    }

    /// Takes a stored word that was not asked for yet, if need be from another typed word that finds one more. No deeper than there are
    /// typed words.
    fn find(
        &mut self,
        at: usize,
        answers: &impl Fn(usize, usize) -> bool,
        asked: &mut [bool],
    ) -> bool {
        for to in 0..self.of.len() {
            if asked[to] || !answers(at, to) {
                continue;
            }
            asked[to] = true;
            let is_free = match self.of[to] {
                None => true,
                Some(other) => self.find(other, answers, asked),
            };
            if is_free {
                self.of[to] = Some(at);
                return true;
            }
        }
        false
    }

    /// The pairs, typed words in their order.
    pub(super) fn in_order(&self) -> Vec<(usize, usize)> {
        let pairs = self.of.iter().enumerate();
        let mut pairs: Vec<(usize, usize)> =
            pairs.filter_map(|(to, at)| Some(((*at)?, to))).collect();
        pairs.sort_unstable();
        pairs
    }
}
