//! The change feed: what a device may hold, in the order in which it changed.

use std::fmt::{self, Write as _};

use serde_json::json;

use super::access::Scope;
use crate::problem::Problem;
use crate::storage::{Change, MARKS, Stream, Transaction, is_full};

/// Changes in one answer, unless the caller asks for fewer.
pub const DEFAULT_LIMIT: u32 = 500;
/// Most changes in one answer.
pub const MAX_LIMIT: u32 = 2_000;

/// Length of a cursor as clients see it.
const CURSOR_DIGITS: usize = 16;

/// A place in the feed: after the change of this sequence, which has this mark. To clients it is opaque, of fixed length, and ordered like the
/// changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    sequence: u64,
    mark: u32,
}

impl Cursor {
    /// From the beginning.
    pub const START: Self = Self {
        sequence: 0,
        mark: 0,
    };

    /// Reads one; absent or empty means from the beginning.
    pub fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self::START);
        };
        let is_hex = text.len() == CURSOR_DIGITS
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16)
            .ok()
            .filter(|number| is_hex && i64::try_from(*number).is_ok());
        let number = number.ok_or_else(|| {
            Problem::malformed(
                "cursor-malformed",
                "This cursor was not given out by this server.",
            )
        })?;
        Ok(Self {
            sequence: number / u64::from(MARKS),
            mark: (number % u64::from(MARKS)) as u32,
        })
    }

    /// Whether the feed still goes on from here.
    pub async fn is_current(self, tx: &mut impl Transaction) -> Result<bool, Problem> {
        let Self { sequence, mark } = self;
        let head = tx.feed_head().await?;
        if sequence > head.sequence || sequence != 0 && sequence < head.floor {
            return Ok(false);
        }
        // Another mark: given out before this server was restored from a backup, for changes that it lost.
        Ok(tx.marks(&[sequence]).await? == [mark])
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.sequence * u64::from(MARKS) + u64::from(self.mark);
        write!(f, "{number:0CURSOR_DIGITS$x}")
    }
}

/// A part of the feed.
#[derive(Debug)]
pub struct Page {
    /// In order, each with where to go on after it.
    pub changes: Vec<(Cursor, Change)>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether there is more now.
    pub more: bool,
}

/// Appends one change as a line of NDJSON.
pub fn write_line(lines: &mut String, cursor: Cursor, change: &Change) {
    // The resource stands as it was stored, which was checked to be one line of JSON.
    let written = match &change.body {
        Some(body) => writeln!(
            lines,
            r#"{{"cursor":"{cursor}","op":"put","resource":{body}}}"#
        ),
        None => writeln!(
            lines,
            "{}",
            json!({ "cursor": cursor.to_string(), "op": "delete", "type": change.kind, "id": change.id })
        ),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// The changes after a cursor in a scope.
pub async fn read(
    tx: &mut impl Transaction,
    scope: &Scope,
    stream: Stream,
    after: Cursor,
    limit: u32,
) -> Result<Page, Problem> {
    if !after.is_current(tx).await? {
        return Err(Problem::new(
            410,
            "cursor-expired",
            "This cursor is too old. Start from the beginning.",
        ));
    }
    let limit = limit.clamp(1, MAX_LIMIT);
    let head = tx.feed_head().await?;
    let mut changes = tx
        .changes(scope.site(), stream, after.sequence, limit + 1)
        .await?;
    let more = changes.len() > limit as usize || is_full(&changes);
    changes.truncate(limit as usize);
    // At the end the cursor goes to the head, so that a quiet site's cursor does not grow old.
    let next = match changes.last() {
        Some(last) if more => last.sequence,
        _ => head.sequence,
    };
    let sequences: Vec<u64> = changes
        .iter()
        .map(|change| change.sequence)
        .chain([next])
        .collect();
    let marks = tx.marks(&sequences).await?;
    let mut cursors = sequences
        .into_iter()
        .zip(marks)
        .map(|(sequence, mark)| Cursor { sequence, mark });
    Ok(Page {
        changes: changes
            .into_iter()
            .zip(cursors.by_ref())
            .map(|(change, cursor)| (cursor, change))
            .collect(),
        next: cursors.next().unwrap_or(after),
        more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_ordered_and_strict() {
        let cursor = |sequence, mark| Cursor { sequence, mark };
        let text = |sequence, mark| cursor(sequence, mark).to_string();
        assert!(text(9, MARKS - 1) < text(10, 1) && text(255, 7) < text(256, 7));
        for one in [Cursor::START, cursor(77, 1), cursor(1 << 40, MARKS - 1)] {
            assert_eq!(Cursor::parse(Some(&one.to_string())).unwrap(), one);
        }
        assert_eq!(Cursor::parse(None).unwrap(), Cursor::START);
        for bad in [
            "x",
            "1",
            "-000000000000001",
            "000000000000000G",
            "ffffffffffffffff",
            "00000000000000001",
        ] {
            assert_eq!(
                Cursor::parse(Some(bad)).unwrap_err().code,
                "cursor-malformed",
                "{bad}"
            );
        }
    }
}
