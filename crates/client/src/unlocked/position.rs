//! Places in the donor table, so that whatever is read in the order of places comes out in Kazakh order without sorting.
//!
//! A place is at first where the name's beginning lies among all possible names, and in any case between its neighbours. Only where
//! there is no room between them, after thousands of namesakes, does a name get the next free place after.

use std::ops::Range;

/// Letters that decide about the first guess: of the family name, then of the given name after a shorter one.
const DECIDING: usize = 7;
/// Values of one letter: none, 42 letters, something after them.
const LETTERS: u64 = 44;
/// Places for names that begin alike. `44^7 × 2^24 < 2^63`.
const ROOM: u64 = 1 << 24;

const ALPHABET: &str = "аәбвгғдеёжзийкқлмнңоөпрстуұүфһхцчшщъыіьэюя";

/// Behind the last place.
const END: i64 = LETTERS.pow(DECIDING as u32).cast_signed() * ROOM.cast_signed();

/// The places of names that begin like this one.
pub(super) fn places(family: &str, given: &str) -> Range<i64> {
    let letters = |name: &str| {
        name.chars()
            .flat_map(char::to_lowercase)
            .map(letter_value)
            .collect::<Vec<_>>()
    };
    let value = letters(family)
        .into_iter()
        .chain([0])
        .chain(letters(given))
        .chain(std::iter::repeat(0))
        .take(DECIDING)
        .fold(0, |value, letter| value * LETTERS + letter);
    let start = (value * ROOM).cast_signed();
    start..start + ROOM.cast_signed()
}

fn letter_value(letter: char) -> u64 {
    ALPHABET
        .chars()
        .position(|known| known == letter)
        .map_or(LETTERS - 1, |at| at as u64 + 1)
}

/// Spreads `count` new names between two neighbours, if possible within the places of their beginning; `None` where there is no room.
pub(super) fn spread(
    places: &Range<i64>,
    before: Option<i64>,
    after: Option<i64>,
    count: usize,
) -> Option<impl Iterator<Item = i64> + use<>> {
    let count = i64::try_from(count).ok()?;
    let free = between(before, after);
    let own = places.start.max(free.start)..places.end.min(free.end);
    let Range { start, end } = if own.end - own.start >= count {
        own
    } else {
        free
    };
    let room = end - start;
    (room >= count)
        .then(move || (0..count).map(move |at| start + room / count * at + room / count / 2))
}

/// Spreads rows that stand already evenly between the ones that stay, with the widest gap before the row at `middle`, where others are to come;
/// `None` where they would be nearer to each other than `gap`.
pub(super) fn apart(
    before: Option<i64>,
    after: Option<i64>,
    count: usize,
    middle: usize,
    gap: i64,
) -> Option<impl Iterator<Item = i64>> {
    let free = between(before, after);
    let step = (free.end - free.start) / i64::try_from(count + 2).ok()?;
    let at = move |index: usize| free.start + step * i64::try_from(index).unwrap_or(i64::MAX);
    (step >= gap).then(move || (0..count).map(move |row| at(row + 1 + usize::from(row >= middle))))
}

/// All places between two neighbours.
fn between(before: Option<i64>, after: Option<i64>) -> Range<i64> {
    before.map_or(0, |before| before + 1)..after.unwrap_or(END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_alphabet() {
        let names = [
            ("Абаев", "Яна"),
            ("Әбдірахманов", "Асан"),
            ("Ким", ""),
            ("Ким", "Ада"),
            ("Кимов", "Ада"),
            ("Қасымов", "Асан"),
            ("Қасымова", "Асан"),
            ("Яя", "Яя"),
            ("Smith", "Ann"),
        ];
        for pair in names.windows(2) {
            let (one, two) = (places(pair[0].0, pair[0].1), places(pair[1].0, pair[1].1));
            assert!(one == two || one.end <= two.start, "{pair:?}");
        }
        let last = places("zzzzzzzz", "z");
        assert!(last.start > 0 && last.end > last.start);
    }

    #[test]
    fn names_are_spread_between_their_neighbours() {
        let all = |before, after, count| {
            spread(&(100..200), before, after, count).map(Iterator::collect::<Vec<_>>)
        };
        assert_eq!(all(None, None, 2), Some(vec![125, 175]));
        assert_eq!(all(Some(7), Some(900), 1), Some(vec![150]));
        assert_eq!(all(Some(197), Some(900), 2), Some(vec![198, 199]));
        assert_eq!(
            all(Some(198), Some(900), 2),
            Some(vec![374, 724]),
            "beside its own places"
        );
        assert_eq!(all(Some(150), Some(151), 1), None);
        assert_eq!(all(Some(160), Some(151), 1), None);
        assert_eq!(all(Some(END - 2), None, 2), None);
    }

    #[test]
    fn rows_move_apart_around_a_gap() {
        let all = |before, after, count, middle| {
            apart(before, after, count, middle, 10).map(Iterator::collect::<Vec<_>>)
        };
        assert_eq!(
            all(Some(99), Some(160), 4, 2),
            Some(vec![110, 120, 140, 150])
        );
        assert_eq!(
            all(Some(99), Some(160), 4, 0),
            Some(vec![120, 130, 140, 150])
        );
        assert_eq!(all(Some(99), Some(159), 4, 0), None);
        assert!(all(None, None, 1000, 1000).is_some());
    }
}
