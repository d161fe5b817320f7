use futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{SqliteTx, Stored, signed, unsigned};
use crate::storage::departures::{self, Known, Step, Turn};
use crate::storage::feed::{mark, said};
use crate::storage::{
    Change, FeedHead, FeedStorage, MOST_BYTES, NewResource, StorageError, Stream,
};

fn known(row: &SqliteRow) -> Stored<Known> {
    Ok(Known {
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        site: row.try_get("site")?,
        national: row.try_get("national")?,
    })
}

fn departure(row: &SqliteRow) -> Stored<Change> {
    Ok(Change {
        sequence: unsigned(row, "sequence")?,
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        body: None,
    })
}

fn change(row: &SqliteRow) -> Stored<Change> {
    let deleted: bool = row.try_get("deleted")?;
    Ok(Change {
        sequence: unsigned(row, "sequence")?,
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        body: if deleted {
            None
        } else {
            Some(row.try_get("body")?)
        },
    })
}

impl SqliteTx {
    /// Takes `count` sequences under the head's row, with the mark of what they will say, and returns the first.
    async fn allocate(&mut self, count: u64, said: impl Iterator<Item = &str>) -> Stored<i64> {
        let row = sqlx::query(
            "UPDATE change_head SET sequence = sequence + ? WHERE id = 1 RETURNING sequence",
        )
        .bind(signed(count)?)
        .fetch_one(self.conn()?)
        .await?;
        let before = unsigned(&row, "sequence")? - count;
        let earlier = self.marks(&[before]).await?;
        let mark = mark(earlier.first().copied().unwrap_or_default(), said);
        let first = signed(before)? + 1;
        sqlx::query("INSERT INTO change_marks (first, mark) VALUES (?, ?)")
            .bind(first)
            .bind(mark)
            .execute(self.conn()?)
            .await?;
        Ok(first)
    }

    /// The rows that a batch will change, as they are.
    async fn known(&mut self, batch: &[NewResource]) -> Stored<Vec<Known>> {
        let keys: Vec<_> = batch.iter().map(|one| [&one.kind, &one.id]).collect();
        let keys = serde_json::to_string(&keys)
            .map_err(|error| StorageError::Unavailable(Box::new(error)))?;
        let rows = sqlx::query(
            "SELECT known.kind, known.id, known.site, known.safety AND known.national AS national
             FROM json_each(?) AS wanted CROSS JOIN resources AS known
             ON known.kind = wanted.value ->> 0 AND known.id = wanted.value ->> 1",
        )
        .bind(keys)
        .fetch_all(self.conn()?)
        .await?;
        rows.iter().map(known).collect()
    }

    /// Writes down what left somebody's scope.
    async fn turn(&mut self, step: &Step<'_>) -> Stored<()> {
        match step.turn {
            Turn::Everybodys => {
                sqlx::query("DELETE FROM departures WHERE kind = ? AND id = ?")
                    .bind(step.kind)
                    .bind(step.id)
                    .execute(self.conn()?)
                    .await?;
                Ok(())
            }
            Turn::Moved { from, to } => {
                sqlx::query("DELETE FROM departures WHERE kind = ? AND id = ? AND site = ? AND NOT national")
                    .bind(step.kind)
                    .bind(step.id)
                    .bind(to)
                    .execute(self.conn()?)
                    .await?;
                sqlx::query(
                    "UPDATE departures SET site = ? WHERE kind = ? AND id = ? AND national",
                )
                .bind(to)
                .bind(step.kind)
                .bind(step.id)
                .execute(self.conn()?)
                .await?;
                self.depart(step, from, false).await
            }
            Turn::Withdrawn { own } => self.depart(step, own, true).await,
        }
    }

    async fn depart(&mut self, step: &Step<'_>, site: &str, national: bool) -> Stored<()> {
        sqlx::query(
            "INSERT INTO departures (kind, id, site, national, sequence) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (kind, id, site, national) DO UPDATE SET sequence = excluded.sequence",
        )
        .bind(step.kind)
        .bind(step.id)
        .bind(site)
        .bind(national)
        .bind(step.sequence)
        .execute(self.conn()?)
        .await?;
        Ok(())
    }

    /// What left a stream after `after`, in order.
    async fn departures(
        &mut self,
        site: &str,
        stream: Stream,
        after: u64,
        limit: u32,
    ) -> Stored<Vec<Change>> {
        let sql = match stream {
            Stream::All => {
                "SELECT sequence, kind, id FROM departures
                 WHERE national = FALSE AND site = ? AND sequence > ? ORDER BY sequence LIMIT ?"
            }
            Stream::Safety => {
                "SELECT sequence, kind, id FROM departures
                 WHERE national = TRUE AND site <> ? AND sequence > ? ORDER BY sequence LIMIT ?"
            }
        };
        let rows = sqlx::query(sql)
            .bind(site)
            .bind(signed(after)?)
            .bind(i64::from(limit))
            .fetch_all(self.conn()?)
            .await?;
        rows.iter().map(departure).collect()
    }

    /// The resources on a stream after `after`, in order; fewer than there are, but at least one, if they hold [`MOST_BYTES`].
    async fn resources(
        &mut self,
        site: &str,
        stream: Stream,
        after: u64,
        limit: u32,
    ) -> Stored<Vec<Change>> {
        let sql = match stream {
            Stream::All => {
                "SELECT sequence, kind, id, deleted, body FROM resources
                 WHERE site = ? AND sequence > ? ORDER BY sequence LIMIT ?"
            }
            Stream::Safety => {
                "SELECT sequence, kind, id, deleted, body FROM resources
                 WHERE safety AND (national OR site = ?) AND sequence > ? ORDER BY sequence LIMIT ?"
            }
        };
        let mut rows = sqlx::query(sql)
            .bind(site)
            .bind(signed(after)?)
            .bind(limit)
            .fetch(self.conn()?);
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while bytes < MOST_BYTES
            && let Some(row) = rows.try_next().await?
        {
            let change = change(&row)?;
            bytes += change.body.as_ref().map_or(0, String::len);
            changes.push(change);
        }
        Ok(changes)
    }
}

impl FeedStorage for SqliteTx {
    async fn feed_head(&mut self) -> Stored<FeedHead> {
        let row = sqlx::query("SELECT sequence, floor FROM change_head WHERE id = 1")
            .fetch_one(self.conn()?)
            .await?;
        Ok(FeedHead {
            sequence: unsigned(&row, "sequence")?,
            floor: unsigned(&row, "floor")?,
        })
    }

    async fn marks(&mut self, sequences: &[u64]) -> Stored<Vec<u32>> {
        let wanted = serde_json::to_string(sequences)
            .map_err(|error| StorageError::Unavailable(Box::new(error)))?;
        let marks = sqlx::query_scalar(
            "SELECT COALESCE((SELECT mark FROM change_marks WHERE first <= value ORDER BY first DESC LIMIT 1), 0)
             FROM json_each(?) ORDER BY key",
        )
        .bind(wanted)
        .fetch_all(self.conn()?)
        .await?;
        Ok(marks)
    }

    async fn put_resources(&mut self, resources: &[NewResource]) -> Stored<()> {
        if resources.is_empty() {
            return Ok(());
        }
        let first = self
            .allocate(resources.len() as u64, said(resources))
            .await?;
        let known = self.known(resources).await?;
        for (sequence, resource) in (first..).zip(resources) {
            sqlx::query(
                "INSERT INTO resources (kind, id, site, safety, national, deleted, sequence, body)
                 VALUES (?, ?, ?, ?, ?, FALSE, ?, ?)
                 ON CONFLICT (kind, id) DO UPDATE SET site = excluded.site, safety = excluded.safety,
                     national = excluded.national, deleted = FALSE, sequence = excluded.sequence, body = excluded.body",
            )
            .bind(&resource.kind)
            .bind(&resource.id)
            .bind(&resource.site)
            .bind(resource.safety)
            .bind(resource.national)
            .bind(sequence)
            .bind(&resource.body)
            .execute(self.conn()?)
            .await?;
        }
        for step in departures::steps(&known, first, resources) {
            self.turn(&step).await?;
        }
        Ok(())
    }

    async fn delete_resource(&mut self, kind: &str, id: &str) -> Stored<bool> {
        let sequence = self.allocate(1, [kind, id].into_iter()).await?;
        let done = sqlx::query("UPDATE resources SET deleted = TRUE, body = '', sequence = ? WHERE kind = ? AND id = ?")
            .bind(sequence)
            .bind(kind)
            .bind(id)
            .execute(self.conn()?)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn resource_site(&mut self, kind: &str, id: &str) -> Stored<Option<String>> {
        let row =
            sqlx::query("SELECT site FROM resources WHERE kind = ? AND id = ? AND NOT deleted")
                .bind(kind)
                .bind(id)
                .fetch_optional(self.conn()?)
                .await?;
        row.map(|row| row.try_get("site").map_err(Into::into))
            .transpose()
    }

    async fn changes(
        &mut self,
        site: &str,
        stream: Stream,
        after: u64,
        limit: u32,
    ) -> Stored<Vec<Change>> {
        let resources = self.resources(site, stream, after, limit).await?;
        let departures = self.departures(site, stream, after, limit).await?;
        Ok(departures::merge(resources, departures, limit))
    }

    async fn raise_floor(&mut self, floor: u64) -> Stored<()> {
        sqlx::query("DELETE FROM resources WHERE deleted AND sequence <= ?")
            .bind(signed(floor)?)
            .execute(self.conn()?)
            .await?;
        sqlx::query("DELETE FROM departures WHERE sequence <= ?")
            .bind(signed(floor)?)
            .execute(self.conn()?)
            .await?;
        sqlx::query(
            "DELETE FROM change_marks WHERE first < (SELECT MAX(first) FROM change_marks WHERE first <= ?)",
        )
        .bind(signed(floor)?)
        .execute(self.conn()?)
        .await?;
        sqlx::query("UPDATE change_head SET floor = MAX(floor, ?) WHERE id = 1")
            .bind(signed(floor)?)
            .execute(self.conn()?)
            .await?;
        Ok(())
    }
}
