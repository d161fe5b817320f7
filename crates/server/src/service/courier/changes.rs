//! Patient data for an answer: the change feed, page by page.

use infoblood_agreement::courier::{AnswerRecord, Change, RequestHead, Stream};

use super::reply::Out;
use crate::context::Context;
use crate::problem::Problem;
use crate::service::access::{self, Scope};
use crate::service::feed::{self, Cursor, DEFAULT_LIMIT, Page};
use crate::storage::{self, Database, Device, DeviceStorage, PeopleStorage, Person, Transaction};

/// A record is closed once it holds this much.
const LINES_BYTES: usize = 256 * 1024;

/// Which changes a device gets, and by whose right.
#[derive(Debug)]
pub(super) struct Feed {
    device: Device,
    granted: Vec<Person>,
    /// Where the streams go on.
    starts: [(Stream, Cursor); 2],
}

impl Feed {
    pub(super) async fn new(
        tx: &mut impl Transaction,
        device: Device,
        granted: Vec<Person>,
        asked: &RequestHead,
    ) -> Result<Self, Problem> {
        let mut starts = [Stream::Safety, Stream::All].map(|stream| (stream, Cursor::START));
        let cursors = [&asked.safety_cursor, &asked.all_cursor];
        for ((_, start), cursor) in starts.iter_mut().zip(cursors) {
            match Cursor::parse(cursor.as_deref()) {
                Ok(after) if after.is_current(tx).await? => *start = after,
                // A cursor that is none is as good as one that is too old. The device empties its cache once for both streams.
                _ => {
                    starts = starts.map(|(stream, _)| (stream, Cursor::START));
                    break;
                }
            }
        }
        Ok(Self {
            device,
            granted,
            starts,
        })
    }

    /// What the device may hold now: by the same grants, on the same device.
    async fn scope<D: Database>(
        &self,
        context: &Context<D>,
        tx: &mut D::Tx,
    ) -> Result<Scope, Problem> {
        let gone = || Problem::forbidden("device-changed", "This device changed meanwhile.");
        let device = tx
            .device(&self.device.device_id)
            .await?
            .filter(|device| device.epoch == self.device.epoch)
            .ok_or_else(gone)?;
        let mut refused = gone();
        for person in &self.granted {
            let person = tx.person(&person.person_id).await?.ok_or_else(gone)?;
            match access::scope(context, tx, &person, &device).await {
                Ok(scope) => return Ok(scope),
                Err(problem) if problem.status >= 500 => return Err(problem),
                Err(problem) => refused = problem,
            }
        }
        Err(refused)
    }
}

/// Writes both streams, safety first; returns how many lines there were.
pub(super) async fn write<D: Database>(
    context: &Context<D>,
    out: &mut Out<'_>,
    feed: &Feed,
) -> Result<u64, Problem> {
    let mut count = 0;
    for (stream, after) in &feed.starts {
        count += one(context, out, feed, *stream, *after).await?;
    }
    Ok(count)
}

async fn one<D: Database>(
    context: &Context<D>,
    out: &mut Out<'_>,
    feed: &Feed,
    stream: Stream,
    mut after: Cursor,
) -> Result<u64, Problem> {
    let mut count = 0;
    let mut is_fresh = after == Cursor::START;
    let mut lines = String::new();
    loop {
        let page = page(context, feed, stream, after).await?;
        for (cursor, change) in &page.changes {
            feed::write_line(&mut lines, *cursor, change);
            count += 1;
            if lines.len() >= LINES_BYTES {
                let record = record(stream, &mut is_fresh, &mut lines, *cursor, false);
                out.push(record).await?;
            }
        }
        after = page.next;
        if !page.more {
            let record = record(stream, &mut is_fresh, &mut lines, page.next, true);
            out.push(record).await?;
            return Ok(count);
        }
    }
}

/// One page, with the right to it, in one transaction that ends before anybody waits for the page to be taken.
async fn page<D: Database>(
    context: &Context<D>,
    feed: &Feed,
    stream: Stream,
    after: Cursor,
) -> Result<Page, Problem> {
    let mut tx = context.database.read().await?;
    let scope = feed.scope(context, &mut tx).await?;
    let stream = match stream {
        Stream::Safety => storage::Stream::Safety,
        Stream::All => storage::Stream::All,
    };
    feed::read(&mut tx, &scope, stream, after, DEFAULT_LIMIT).await
}

fn record(
    stream: Stream,
    is_fresh: &mut bool,
    lines: &mut String,
    cursor: Cursor,
    is_end: bool,
) -> AnswerRecord {
    AnswerRecord::Change(Change {
        stream,
        from_start: std::mem::take(is_fresh),
        lines: std::mem::take(lines).into_bytes(),
        cursor: cursor.to_string(),
        is_end,
    })
}
