//! Search by number: IIN, donation number, telephone; each by its beginning.

use infoblood_clinical::{
    isbt128::Din,
    keyboard::{self, Layout},
};
use sqlx::{FromRow, SqliteConnection};

use super::{donors::phone, filters::Filters, search::COUNTED};
use crate::database::DatabaseError;

/// Answers by number beyond this are not paged through.
const DEEPEST: u32 = 10_000;

/// Beginnings that one text may have: of an IIN, a donation number and a telephone.
const KINDS: usize = 3;

/// One page. A kind that is not asked for is NULL and finds nothing. One kind is read after the other, each in the order of its index, as
/// far as the page goes: an order of the whole would sort everything first.
const PAGE: &str = "
        SELECT * FROM (
            SELECT key, summary FROM number CROSS JOIN name USING (slot) CROSS JOIN donor USING (position)
            WHERE key >= ?1 AND key < ?1 || '~' AND (?4 = 0 OR blood = ?4) AND deferred >= ?5 AND deferred < ?6
            ORDER BY key, number.slot)
        UNION ALL
        SELECT * FROM (
            SELECT key, summary FROM number CROSS JOIN name USING (slot) CROSS JOIN donor USING (position)
            WHERE key >= ?2 AND key < ?2 || '~' AND (?4 = 0 OR blood = ?4) AND deferred >= ?5 AND deferred < ?6
            ORDER BY key, number.slot)
        UNION ALL
        SELECT * FROM (
            SELECT key, summary FROM number CROSS JOIN name USING (slot) CROSS JOIN donor USING (position)
            WHERE key >= ?3 AND key < ?3 || '~' AND (?4 = 0 OR blood = ?4) AND deferred >= ?5 AND deferred < ?6
            ORDER BY key, number.slot)
        LIMIT ?7 + 0 OFFSET ?8";
const COUNT: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?1 AND key < ?1 || '~' AND (?4 = 0 OR blood = ?4) AND deferred >= ?5 AND deferred < ?6
        UNION ALL
        SELECT 1 FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?2 AND key < ?2 || '~' AND (?4 = 0 OR blood = ?4) AND deferred >= ?5 AND deferred < ?6
        UNION ALL
        SELECT 1 FROM number CROSS JOIN name USING (slot)
        WHERE key >= ?3 AND key < ?3 || '~' AND (?4 = 0 OR blood = ?4) AND deferred >= ?5 AND deferred < ?6
        LIMIT ?7 + 0)";
const COUNT_ALL: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM number WHERE key >= ?1 AND key < ?1 || '~'
        UNION ALL SELECT 1 FROM number WHERE key >= ?2 AND key < ?2 || '~'
        UNION ALL SELECT 1 FROM number WHERE key >= ?3 AND key < ?3 || '~'
        LIMIT ?4 + 0)";

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
        for typed in [
            text.to_uppercase(),
            keyboard::decode(text, Layout::Russian),
            keyboard::decode(text, Layout::Kazakh),
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
            let mut keys = vec![format!("i{digits}"), format!("d{digits}")];
            keys.extend(phone(&digits).map(|phone| format!("p{phone}")));
            if text.starts_with('+') {
                keys.retain(|key| key.starts_with('p'));
            }
            return Some(Self(keys));
        }
        let typed: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let has = |kind: fn(&u8) -> bool| typed.as_bytes().iter().any(kind);
        let is_beginning = typed.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase);
        is_beginning.then(|| Self(vec![format!("d{typed}")]))
    }
}

/// How many answer, at most one more than is counted, and one row more than a page has. In the order of the numbers, IINs first.
pub(super) async fn search(
    cache: &mut SqliteConnection,
    numbers: &Numbers,
    filters: &Filters,
    skip: u32,
    limit: u32,
) -> Result<(u64, Vec<Found>), DatabaseError> {
    let skip = skip.min(DEEPEST);
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
        rows.len() as i64
    } else {
        count(cache, numbers, filters).await?
    };
    let found = rows.into_iter().map(Found::from).collect();
    Ok((total.min(COUNTED + 1).unsigned_abs(), found))
}

async fn count(
    cache: &mut SqliteConnection,
    numbers: &Numbers,
    filters: &Filters,
) -> Result<i64, DatabaseError> {
    let sql = if filters.is_empty() { COUNT_ALL } else { COUNT };
    let mut query = sqlx::query_scalar(sql);
    for at in 0..KINDS {
        query = query.bind(numbers.0.get(at));
    }
    if !filters.is_empty() {
        query = query
            .bind(filters.blood)
            .bind(filters.deferred().start)
            .bind(filters.deferred().end);
    }
    Ok(query.bind(COUNTED + 1).fetch_one(cache).await?)
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
