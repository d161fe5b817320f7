//! Search by number: IIN, donation number, telephone; each by its beginning.

use std::collections::HashSet;

use infoblood_clinical::{
    isbt128::Din,
    keyboard::{self, Layout},
};
use sqlx::{FromRow, SqliteConnection};

use super::{donors::phone, filters::Filters, search::COUNTED};
use crate::database::DatabaseError;

/// Beginnings that one text may have: of an IIN, a donation number and two telephones.
const KINDS: usize = 4;

/// Answers to one beginning, in the order of its index: who has several numbers that begin so, at the first of them (`numbers` is in the
/// same order), and nobody who answers an earlier beginning. A kind that is not asked for is NULL and finds nothing.
macro_rules! answers {
    ($begin:literal $(, $earlier:literal)*) => {
        concat!(
            "SELECT key, summary FROM number CROSS JOIN name USING (slot) CROSS JOIN donor USING (position)
             WHERE key >= ", $begin, " AND key < ", $begin, " || '~'
             AND (?5 = 0 OR blood = ?5) AND deferred >= ?6 AND deferred < ?7
             AND instr(' ' || numbers || ' ', ' ' || key || ' ') = instr(' ' || numbers, ' ' || ", $begin, ")",
            $(" AND (instr(' ' || numbers, ' ' || ", $earlier, ") > 0) IS NOT TRUE",)*
            " ORDER BY key, number.slot"
        )
    };
}

/// One page: one kind is read after the other, as far as the page goes; an order of the whole would sort everything first.
const PAGE: &str = concat!(
    "SELECT * FROM (",
    answers!("?1"),
    ")
     UNION ALL SELECT * FROM (",
    answers!("?2", "?1"),
    ")
     UNION ALL SELECT * FROM (",
    answers!("?3", "?1", "?2"),
    ")
     UNION ALL SELECT * FROM (",
    answers!("?4", "?1", "?2", "?3"),
    ")
     LIMIT ?8 + 0 OFFSET ?9"
);
/// Whose the keys are, in one row: rows cost more than what is in them. Parameters as above.
const SLOTS: &str = "
    SELECT json_group_array(slot) FROM (
        SELECT slot FROM number WHERE key >= ?1 AND key < ?1 || '~'
        UNION ALL SELECT slot FROM number WHERE key >= ?2 AND key < ?2 || '~'
        UNION ALL SELECT slot FROM number WHERE key >= ?3 AND key < ?3 || '~'
        UNION ALL SELECT slot FROM number WHERE key >= ?4 AND key < ?4 || '~'
        LIMIT ?8 + 0 OFFSET ?9)";
const FILTERED_SLOTS: &str = "
    SELECT json_group_array(slot) FROM (
        SELECT slot FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?1 AND key < ?1 || '~' AND (?5 = 0 OR blood = ?5) AND deferred >= ?6 AND deferred < ?7
        UNION ALL
        SELECT slot FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?2 AND key < ?2 || '~' AND (?5 = 0 OR blood = ?5) AND deferred >= ?6 AND deferred < ?7
        UNION ALL
        SELECT slot FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?3 AND key < ?3 || '~' AND (?5 = 0 OR blood = ?5) AND deferred >= ?6 AND deferred < ?7
        UNION ALL
        SELECT slot FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?4 AND key < ?4 || '~' AND (?5 = 0 OR blood = ?5) AND deferred >= ?6 AND deferred < ?7
        LIMIT ?8 + 0 OFFSET ?9)";
/// Keys that are counted at first: some more than people, who may have several.
const KEYS: u32 = 1_280;

/// Beginnings of keys in `number`, each of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numbers(Vec<String>);

/// A row and, where it is not the IIN, the number by which it was found.
pub(super) struct Found {
    pub(super) summary: String,
    pub(super) reason: Option<String>,
}

#[derive(FromRow)]
struct Row {
    key: String,
    summary: String,
}

impl Numbers {
    /// Reads the field; `None` for what is no number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // A donation number is printed in groups.
        let compact: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .collect();
        for typed in [
            compact.to_uppercase(),
            keyboard::decode(&compact, Layout::Russian),
            keyboard::decode(&compact, Layout::Kazakh),
        ] {
            if let Ok(din) = Din::parse(&typed)
                && !typed.bytes().all(|byte| byte.is_ascii_digit())
            {
                return Some(Self(vec![format!("d{din}")]));
            }
        }
        let bare = text.trim_start_matches('+');
        let bare: String = bare.chars().filter(|c| !matches!(c, '(' | ')')).collect();
        if let Some(digits) = keyboard::digits(&bare) {
            if text.starts_with('+') {
                let national = digits.strip_prefix('7').map(str::to_owned);
                let national = national.or_else(|| phone(&digits)).unwrap_or(digits);
                return Some(Self(vec![format!("p{national}")]));
            }
            let mut keys = vec![format!("i{digits}"), format!("d{digits}")];
            keys.extend(phones(&digits).map(|phone| format!("p{phone}")));
            return Some(Self(keys));
        }
        // Digits themselves, not keys of the Kazakh row: those are letters of names.
        if !compact.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let typed = keyboard::decode(&compact, Layout::Russian);
        let is_beginning = typed.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && typed.bytes().any(|byte| byte.is_ascii_uppercase());
        is_beginning.then(|| Self(vec![format!("d{typed}")]))
    }
}

/// How telephone numbers may begin of which somebody typed the beginning. A whole number is one; of a shorter one a leading 7 or 8 may stand for
/// the country, or not.
fn phones(digits: &str) -> impl Iterator<Item = String> {
    let whole = phone(digits);
    let is_short = whole.as_deref() == Some(digits) && digits.len() < 11;
    let national = digits.strip_prefix(['7', '8']).filter(|_| is_short);
    whole.into_iter().chain(national.and_then(phone))
}

/// How many people answer, at most one more than is counted, and one row more than a page has. In the order of the numbers, IINs first.
pub(super) async fn search(
    cache: &mut SqliteConnection,
    numbers: &Numbers,
    filters: &Filters,
    skip: u32,
    limit: u32,
) -> Result<(u64, Vec<Found>), DatabaseError> {
    // All kinds in one statement: each one more costs a way to the thread that has the connection, and back.
    let mut query = sqlx::query_as::<_, Row>(PAGE);
    for at in 0..KINDS {
        query = query.bind(numbers.0.get(at));
    }
    let rows = query
        .bind(filters.blood)
        .bind(filters.deferred().start)
        .bind(filters.deferred().end)
        .bind(i64::from(limit) + 1)
        .bind(skip)
        .fetch_all(&mut *cache)
        .await?;
    let total = if skip == 0 && rows.len() <= limit as usize {
        rows.len()
    } else {
        count(cache, numbers, filters).await?
    };
    let found = rows.into_iter().map(Found::from).collect();
    Ok((total as u64, found))
}

/// How many people answer, at most one more than is counted.
async fn count(
    cache: &mut SqliteConnection,
    numbers: &Numbers,
    filters: &Filters,
) -> Result<usize, DatabaseError> {
    let enough = COUNTED as usize + 1;
    let sql = if filters.is_empty() {
        SLOTS
    } else {
        FILTERED_SLOTS
    };
    let mut people: HashSet<u32> = HashSet::new();
    let (mut keys, mut skip) = (KEYS, 0);
    loop {
        let mut query = sqlx::query_scalar(sql);
        for at in 0..KINDS {
            query = query.bind(numbers.0.get(at));
        }
        let slots: String = query
            .bind(filters.blood)
            .bind(filters.deferred().start)
            .bind(filters.deferred().end)
            .bind(keys)
            .bind(skip)
            .fetch_one(&mut *cache)
            .await?;
        let slots: Vec<u32> =
            serde_json::from_str(&slots).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let is_all = slots.len() < keys as usize;
        people.extend(slots);
        if is_all || people.len() >= enough {
            return Ok(people.len().min(enough));
        }
        (skip, keys) = (skip + keys, keys.saturating_mul(2));
    }
}

impl From<Row> for Found {
    fn from(row: Row) -> Self {
        Self {
            reason: (!row.key.starts_with('i')).then(|| row.key[1..].to_owned()),
            summary: row.summary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_names() {
        let keys = |text: &str| Numbers::parse(text).map(|numbers| numbers.0.join(" "));
        let some = |keys: &str| Some(keys.to_owned());
        assert_eq!(
            keys("850715400129"),
            some("i850715400129 d850715400129 p850715400129")
        );
        assert_eq!(
            keys("үғқ.\"ғңққ\"әұ"),
            some("i850715400129 d850715400129 p850715400129")
        );
        assert_eq!(
            keys("8 701 234 56 78"),
            some("i87012345678 d87012345678 p7012345678")
        );
        assert_eq!(keys("+7 (701) 234-56-78"), some("p7012345678"));
        assert_eq!(keys("KZ00126000001"), some("dKZ00126000001"));
        assert_eq!(keys("kz001 26 000001"), some("dKZ00126000001"));
        assert_eq!(keys("ля00126000001"), some("dKZ00126000001"));
        assert_eq!(keys("ЛЯққ\"ә,қққққ\""), some("dKZ00126000001"));
        assert_eq!(keys("KZ001"), some("dKZ001"));
        for same in [
            "KZ001-26-000001",
            "KZ001 26 000001",
            "kz001-26 000001",
            "ля001-26-000001",
            "ЛЯққ\"-ә,-қққққ\"",
        ] {
            assert_eq!(keys(same), some("dKZ00126000001"), "{same}");
        }
        assert_eq!(keys("KZ001-26-0"), some("dKZ001260"));
        assert_eq!(keys("ля001-26"), some("dKZ00126"));
        assert_eq!(keys("+7 701"), some("p701"));
        assert_eq!(keys("+7 7"), some("p7"));
        assert_eq!(keys("+49 30"), some("p4930"));
        assert_eq!(keys("8701"), some("i8701 d8701 p8701 p701"));
        assert_eq!(keys("7701"), some("i7701 d7701 p7701 p701"));
        assert_eq!(keys("701"), some("i701 d701 p701"));
        assert_eq!(keys("87"), some("i87 d87"));
        for name in [
            "",
            "Қасымова",
            "kasymova",
            "Ұқ",
            "*",
            "\" OR 1=1 --",
            "a AND NOT b",
            "'; DROP TABLE donor",
        ] {
            assert_eq!(keys(name), None, "{name}");
        }
    }
}
