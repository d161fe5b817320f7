use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{PostgresTx, Stored, signed, unsigned};
use crate::storage::departures::{self, Known, Step, Turn};
use crate::storage::feed::{mark, said};
use crate::storage::{Change, FeedHead, FeedStorage, MOST_BYTES, NewResource, Stream};

fn known(row: &PgRow) -> Stored<Known> {
    Ok(Known {
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        site: row.try_get("site")?,
        national: row.try_get("national")?,
    })
}

fn departure(row: &PgRow) -> Stored<Change> {
    Ok(Change {
        sequence: unsigned(row, "sequence")?,
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        body: None,
    })
}

fn change(row: &PgRow) -> Stored<Change> {
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

impl PostgresTx {
    /// Takes `count` sequences under the head's row, with the mark of what they will say, and returns the first.
    async fn allocate(&mut self, count: u64, said: impl Iterator<Item = &str>) -> Stored<i64> {
        let row = sqlx::query(
            "UPDATE change_head SET sequence = sequence + $1 WHERE id = 1 RETURNING sequence",
        )
        .bind(signed(count)?)
        .fetch_one(self.conn())
        .await?;
        let before = unsigned(&row, "sequence")? - count;
        let earlier = self.marks(&[before]).await?;
        let mark = mark(earlier.first().copied().unwrap_or_default(), said);
        let first = signed(before)? + 1;
        sqlx::query("INSERT INTO change_marks (first, mark) VALUES ($1, $2)")
            .bind(first)
            .bind(mark.cast_signed())
            .execute(self.conn())
            .await?;
        Ok(first)
    }

    /// The rows that a batch will change, as they are.
    async fn known(&mut self, batch: &[NewResource]) -> Stored<Vec<Known>> {
        let kinds: Vec<_> = batch.iter().map(|one| one.kind.as_str()).collect();
        let ids: Vec<_> = batch.iter().map(|one| one.id.as_str()).collect();
        let rows = sqlx::query(
            "SELECT known.kind, known.id, known.site, known.safety AND known.national AS national
             FROM UNNEST($1::text[], $2::text[]) AS wanted (kind, id)
             JOIN resources AS known ON known.kind = wanted.kind AND known.id = wanted.id",
        )
        .bind(kinds)
        .bind(ids)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(known).collect()
    }

    /// Writes down what left somebody's scope.
    async fn turn(&mut self, step: &Step<'_>) -> Stored<()> {
        match step.turn {
            Turn::Everybodys => {
                sqlx::query("DELETE FROM departures WHERE kind = $1 AND id = $2")
                    .bind(step.kind)
                    .bind(step.id)
                    .execute(self.conn())
                    .await?;
                Ok(())
            }
            Turn::Moved { from, to } => {
                sqlx::query("DELETE FROM departures WHERE kind = $1 AND id = $2 AND site = $3 AND NOT national")
                    .bind(step.kind)
                    .bind(step.id)
                    .bind(to)
                    .execute(self.conn())
                    .await?;
                sqlx::query(
                    "UPDATE departures SET site = $1 WHERE kind = $2 AND id = $3 AND national",
                )
                .bind(to)
                .bind(step.kind)
                .bind(step.id)
                .execute(self.conn())
                .await?;
                self.depart(step, from, false).await
            }
            Turn::Withdrawn { own } => self.depart(step, own, true).await,
        }
    }

    async fn depart(&mut self, step: &Step<'_>, site: &str, national: bool) -> Stored<()> {
        sqlx::query(
            "INSERT INTO departures (kind, id, site, national, sequence) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (kind, id, site, national) DO UPDATE SET sequence = excluded.sequence",
        )
        .bind(step.kind)
        .bind(step.id)
        .bind(site)
        .bind(national)
        .bind(step.sequence)
        .execute(self.conn())
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
                 WHERE national = FALSE AND site = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
            }
            Stream::Safety => {
                "SELECT sequence, kind, id FROM departures
                 WHERE national = TRUE AND site <> $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
            }
        };
        let rows = sqlx::query(sql)
            .bind(site)
            .bind(signed(after)?)
            .bind(i64::from(limit))
            .fetch_all(self.conn())
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
                 WHERE site = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
            }
            Stream::Safety => {
                "SELECT sequence, kind, id, deleted, body FROM resources
                 WHERE safety AND (national OR site = $1) AND sequence > $2 ORDER BY sequence LIMIT $3"
            }
        };
        let mut rows = sqlx::query(sql)
            .bind(site)
            .bind(signed(after)?)
            .bind(i64::from(limit))
            .fetch(self.conn());
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

impl FeedStorage for PostgresTx {
    async fn feed_head(&mut self) -> Stored<FeedHead> {
        let row = sqlx::query("SELECT sequence, floor FROM change_head WHERE id = 1")
            .fetch_one(self.conn())
            .await?;
        Ok(FeedHead {
            sequence: unsigned(&row, "sequence")?,
            floor: unsigned(&row, "floor")?,
        })
    }

    async fn marks(&mut self, sequences: &[u64]) -> Stored<Vec<u32>> {
        let wanted: Vec<i64> = sequences
            .iter()
            .map(|n| signed(*n))
            .collect::<Stored<_>>()?;
        let marks: Vec<i32> = sqlx::query_scalar(
            "SELECT COALESCE((SELECT mark FROM change_marks WHERE first <= sequence ORDER BY first DESC LIMIT 1), 0)
             FROM UNNEST($1::bigint[]) WITH ORDINALITY AS wanted (sequence, place) ORDER BY place",
        )
        .bind(wanted)
        .fetch_all(self.conn())
        .await?;
        Ok(marks.into_iter().map(i32::cast_unsigned).collect())
    }

    async fn put_resources(&mut self, resources: &[NewResource]) -> Stored<()> {
        if resources.is_empty() {
            return Ok(());
        }
        let first = self
            .allocate(resources.len() as u64, said(resources))
            .await?;
        let known = self.known(resources).await?;
        // One statement writes a row once: of a resource that comes twice, the last.
        let rows: BTreeMap<_, _> = (first..)
            .zip(resources)
            .map(|(sequence, resource)| {
                (
                    (resource.kind.as_str(), resource.id.as_str()),
                    (sequence, resource),
                )
            })
            .collect();
        let rows: Vec<_> = rows.into_values().collect();
        let texts = |of: fn(&NewResource) -> &str| -> Vec<&str> {
            rows.iter().map(|(_, resource)| of(resource)).collect()
        };
        let flags = |of: fn(&NewResource) -> bool| -> Vec<bool> {
            rows.iter().map(|(_, resource)| of(resource)).collect()
        };
        let sequences: Vec<i64> = rows.iter().map(|(sequence, _)| *sequence).collect();
        sqlx::query(
            "INSERT INTO resources (kind, id, site, safety, national, deleted, sequence, body)
             SELECT kind, id, site, safety, national, FALSE, sequence, body
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::bigint[], $7::text[])
                 AS new (kind, id, site, safety, national, sequence, body)
             ON CONFLICT (kind, id) DO UPDATE SET site = excluded.site, safety = excluded.safety,
                 national = excluded.national, deleted = FALSE, sequence = excluded.sequence, body = excluded.body",
        )
        .bind(texts(|resource| &resource.kind))
        .bind(texts(|resource| &resource.id))
        .bind(texts(|resource| &resource.site))
        .bind(flags(|resource| resource.safety))
        .bind(flags(|resource| resource.national))
        .bind(sequences)
        .bind(texts(|resource| &resource.body))
        .execute(self.conn())
        .await?;
        for step in departures::steps(&known, first, resources) {
            self.turn(&step).await?;
        }
        Ok(())
    }

    async fn delete_resource(&mut self, kind: &str, id: &str) -> Stored<bool> {
        let sequence = self.allocate(1, [kind, id].into_iter()).await?;
        let done = sqlx::query("UPDATE resources SET deleted = TRUE, body = '', sequence = $1 WHERE kind = $2 AND id = $3")
            .bind(sequence)
            .bind(kind)
            .bind(id)
            .execute(self.conn())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn resource_site(&mut self, kind: &str, id: &str) -> Stored<Option<String>> {
        let row =
            sqlx::query("SELECT site FROM resources WHERE kind = $1 AND id = $2 AND NOT deleted")
                .bind(kind)
                .bind(id)
                .fetch_optional(self.conn())
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
        sqlx::query("DELETE FROM resources WHERE deleted AND sequence <= $1")
            .bind(signed(floor)?)
            .execute(self.conn())
            .await?;
        sqlx::query("DELETE FROM departures WHERE sequence <= $1")
            .bind(signed(floor)?)
            .execute(self.conn())
            .await?;
        sqlx::query(
            "DELETE FROM change_marks WHERE first < (SELECT MAX(first) FROM change_marks WHERE first <= $1)",
        )
        .bind(signed(floor)?)
        .execute(self.conn())
        .await?;
        sqlx::query("UPDATE change_head SET floor = GREATEST(floor, $1) WHERE id = 1")
            .bind(signed(floor)?)
            .execute(self.conn())
            .await?;
        Ok(())
    }
}
