//! Transactions of many batches: seen at once, lost whole, gone on with.

use std::path::Path;

use tokio::time::timeout;

use super::*;
use crate::unlocked::{MIGRATIONS, tests::patient};

const KEY: [u8; 32] = [7; 32];

async fn open(path: &Path) -> Writer {
    Writer::new(database::open_cache(path, &KEY, MIGRATIONS).await.unwrap())
}

/// Lines `from..to` of a feed of people.
fn batch(from: u64, to: u64, is_end: bool) -> Batch {
    let lines: Vec<String> = (from..to)
        .map(|n| {
            patient(&format!("d{n}"), "Қасымов", "Асан", "")
                .replace("\"cursor\":\"1\"", &format!("\"cursor\":\"{:05}\"", n + 1))
        })
        .collect();
    let mut batch = Batch::read(lines.join("\n").as_bytes()).unwrap();
    assert_eq!(batch.skipped, 0);
    if is_end {
        batch.end = Some((format!("{to:05}"), false));
    }
    batch
}

async fn apply(writer: &mut Writer, from: u64, to: u64, is_end: bool) -> bool {
    let at = (from > 0).then(|| format!("{from:05}"));
    let sorter = Sorter::new().unwrap();
    let batch = batch(from, to, is_end);
    writer
        .apply(&sorter, Stream::All, at.as_deref(), batch, 1)
        .await
        .unwrap()
}

async fn cursor(writer: &mut Writer) -> Option<String> {
    sqlx::query_scalar("SELECT cursor FROM feed")
        .fetch_optional(writer.reader())
        .await
        .unwrap()
}

async fn donors(writer: &mut Writer) -> i64 {
    let (connection, names) = writer.searcher().await.unwrap();
    let donors: i64 = sqlx::query_scalar("SELECT count(*) FROM donor")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let read = Names::load(connection).await.unwrap();
    assert_eq!((names.len() as i64, names.told()), (donors, read.told()));
    donors
}

#[tokio::test]
async fn batches_are_seen_at_once_and_a_crash_leaves_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let mut writer = open(&path).await;
    assert!(apply(&mut writer, 0, 5, false).await);
    writer.commit().await.unwrap();
    assert!(apply(&mut writer, 5, 9, false).await);
    writer.recover().await;
    assert!(!apply(&mut writer, 5, 9, false).await, "applied already");
    assert!(apply(&mut writer, 9, 12, false).await);
    assert_eq!(donors(&mut writer).await, 12);
    assert_eq!(cursor(&mut writer).await.as_deref(), Some("00012"));

    // The files as a crash leaves them. What an answer for a passed cursor committed is there.
    let copy = dir.path().join("b.db");
    for end in ["", "-wal"] {
        let of = |path: &Path| format!("{}{end}", path.display());
        std::fs::copy(of(&path), of(&copy)).unwrap();
    }
    let mut after = open(&copy).await;
    assert_eq!(cursor(&mut after).await.as_deref(), Some("00009"));
    assert_eq!(donors(&mut after).await, 9);
    assert!(apply(&mut after, 9, 12, true).await);
    assert_eq!(donors(&mut after).await, 12);
    after.close().await.unwrap();

    writer.close().await.unwrap();
    let mut again = open(&path).await;
    assert_eq!(
        cursor(&mut again).await.as_deref(),
        Some("00012"),
        "closing commits"
    );
    again.clear().await.unwrap();
    assert_eq!(
        (cursor(&mut again).await, donors(&mut again).await),
        (None, 0)
    );
}

#[tokio::test]
async fn enough_lines_and_the_end_are_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(&dir.path().join("a.db")).await;
    assert!(apply(&mut writer, 0, 3, true).await);
    assert!(matches!(writer.state, State::Idle));
    assert!(apply(&mut writer, 3, 4, false).await);
    assert!(matches!(writer.state, State::Open { lines: 1, .. }));
    writer.state = State::Open {
        lines: LINES - 1,
        since: Instant::now(),
    };
    assert!(apply(&mut writer, 4, 5, false).await);
    assert!(matches!(writer.state, State::Idle));
}

#[tokio::test]
async fn what_was_dropped_half_way_or_failed_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(&dir.path().join("a.db")).await;
    assert!(apply(&mut writer, 0, 3, true).await);
    for microseconds in [0, 100, 500, 1_000, 3_000, 10_000] {
        let dropped = apply(&mut writer, 3, 203, false);
        let outcome = timeout(Duration::from_micros(microseconds), dropped).await;
        writer.recover().await;
        let expected = if outcome.is_ok() { 203 } else { 3 };
        assert_eq!(donors(&mut writer).await, expected, "{microseconds}");
        if outcome.is_ok() {
            break;
        }
    }

    let dir = tempfile::tempdir().unwrap();
    let mut writer = open(&dir.path().join("a.db")).await;
    assert!(apply(&mut writer, 0, 3, true).await);
    assert!(apply(&mut writer, 3, 5, false).await);
    sqlx::raw_sql(
        "CREATE TEMP TRIGGER fails BEFORE INSERT ON feed BEGIN SELECT RAISE(FAIL, 'x'); END",
    )
    .execute(writer.reader())
    .await
    .unwrap();
    let sorter = Sorter::new().unwrap();
    let failed = writer.apply(&sorter, Stream::All, Some("00005"), batch(5, 6, false), 1);
    assert!(failed.await.is_err());
    writer.recover().await;
    assert_eq!(donors(&mut writer).await, 3);
    // The trigger went with the transaction in which it was made.
    assert!(apply(&mut writer, 3, 6, true).await);
    assert_eq!(donors(&mut writer).await, 6);
}
