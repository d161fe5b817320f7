//! The change feed: what a device may hold, in the order in which it changed.

use std::fmt::Write as _;

use serde_json::json;

use super::access::Scope;
use crate::problem::Problem;
use crate::storage::{Change, FeedHead, Stream, Transaction, is_full};

/// Changes in one answer, unless the caller asks for fewer.
pub const DEFAULT_LIMIT: u32 = 500;
/// Most changes in one answer.
pub const MAX_LIMIT: u32 = 2_000;

/// Length of a cursor.
const CURSOR_DIGITS: usize = 16;

/// A part of the feed.
#[derive(Debug)]
pub struct Page {
    /// In order.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub next: u64,
    /// Whether there is more now.
    pub more: bool,
}

/// A cursor as clients see it: opaque, of fixed length, ordered like the changes.
pub fn cursor(sequence: u64) -> String {
    format!("{sequence:0CURSOR_DIGITS$x}")
}

/// Reads a cursor; absent or empty means from the beginning.
pub fn parse_cursor(text: Option<&str>) -> Result<u64, Problem> {
    let malformed = || {
        Problem::malformed(
            "cursor-malformed",
            "This cursor was not given out by this server.",
        )
    };
    match text {
        None | Some("") => Ok(0),
        Some(text) => {
            let hex = text.len() == CURSOR_DIGITS
                && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if !hex {
                return Err(malformed());
            }
            u64::from_str_radix(text, 16)
                .ok()
                .filter(|n| i64::try_from(*n).is_ok())
                .ok_or_else(malformed)
        }
    }
}

/// Appends one change as a line of NDJSON.
pub fn write_line(lines: &mut String, change: &Change) {
    let cursor = cursor(change.sequence);
    // The resource stands as it was stored, which was checked to be one line of JSON.
    let written = match &change.body {
        Some(body) => writeln!(
            lines,
            r#"{{"cursor":"{cursor}","op":"put","resource":{body}}}"#
        ),
        None => writeln!(
            lines,
            "{}",
            json!({ "cursor": cursor, "op": "delete", "type": change.kind, "id": change.id })
        ),
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// Whether the feed still goes on from here.
pub fn is_current(head: FeedHead, after: u64) -> bool {
    // Above the head: given out before this server was restored from a backup.
    after <= head.sequence && (after == 0 || after >= head.floor)
}

/// The changes after a cursor in a scope.
pub async fn read(
    tx: &mut impl Transaction,
    scope: &Scope,
    stream: Stream,
    after: u64,
    limit: u32,
) -> Result<Page, Problem> {
    let head = tx.feed_head().await?;
    if !is_current(head, after) {
        return Err(Problem::new(
            410,
            "cursor-expired",
            "This cursor is too old. Start from the beginning.",
        ));
    }
    let limit = limit.clamp(1, MAX_LIMIT);
    let mut changes = tx.changes(scope.site(), stream, after, limit + 1).await?;
    let more = changes.len() > limit as usize || is_full(&changes);
    changes.truncate(limit as usize);
    // At the end the cursor goes to the head, so that a quiet site's cursor does not grow old.
    let next = match changes.last() {
        Some(last) if more => last.sequence,
        _ => head.sequence,
    };
    Ok(Page {
        changes,
        next,
        more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_ordered_and_strict() {
        assert!(cursor(9) < cursor(10) && cursor(255) < cursor(256));
        assert_eq!(parse_cursor(Some(&cursor(77))).unwrap(), 77);
        assert_eq!(parse_cursor(None).unwrap(), 0);
        for bad in [
            "x",
            "1",
            "-000000000000001",
            "000000000000000G",
            "ffffffffffffffff",
            "00000000000000001",
        ] {
            assert_eq!(
                parse_cursor(Some(bad)).unwrap_err().code,
                "cursor-malformed",
                "{bad}"
            );
        }
    }
}
