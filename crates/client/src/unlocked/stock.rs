//! Components in the house: one row for each, and how many of them are alike. Both follow every batch, so that the stock of a whole
//! country is counted from a few thousand rows.

use std::collections::BTreeMap;

use infoblood_agreement::{audit::Action, gate::Unlocked};
use infoblood_clinical::{
    blood::BloodGroup,
    component::{Component, Product, Status},
    fhir::{BiologicallyDerivedProduct, Resource},
    inventory::{Filter, GROUPS, Inventory, Lot, StockRules, cuts, soon_before},
};
use jiff::{Timestamp, Zoned};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::{
    UnlockedWorkstation,
    apply::{json, values},
    cache, texts,
};
use crate::{database::DatabaseError, session::UnlockError};

/// Rows of one statement.
const ROWS: usize = 64;
/// `expires` of what has no expiry that can be read: beyond every date.
const NOT_KNOWN: i64 = 253_402_300_800;
/// Components that are listed because they expire soon.
const LISTED: usize = 50;
const KIND: &str = "BiologicallyDerivedProduct";

/// The stock, as counted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// What there is; not counted while the data are not whole.
    pub inventory: Inventory,
    /// What expires soon, the nearest first; at most 50.
    pub expiring: Vec<Component>,
    /// The moment that counts for expiries, in the place of the site.
    pub now: Zoned,
    /// Age of the data: when the change feed was last read to its end; `None` while they are not whole.
    pub as_of: Option<Timestamp>,
}

/// What is alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromRow)]
struct Kind {
    product: String,
    blood: String,
    status: String,
    expires: i64,
}

/// A component that was written down.
pub(super) struct Unit {
    id: String,
    /// `None`: not in the house any more.
    kind: Option<Kind>,
}

impl Unit {
    /// `None` for what is no component.
    pub(super) fn of(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::BiologicallyDerivedProduct(product) => Some(Self {
                id: product.id.clone(),
                kind: Kind::of(product),
            }),
            _ => None,
        }
    }
}

impl Kind {
    /// `None` for what is not in the house any more.
    fn of(product: &BiologicallyDerivedProduct) -> Option<Self> {
        let component = Component::read(product);
        let status = component.status;
        (status.is_in_stock() || status == Status::Unknown).then(|| Self {
            product: component.product.code().to_owned(),
            blood: component.blood.map_or("", |group| group.code()).to_owned(),
            status: status.code().to_owned(),
            expires: component
                .expires
                .map_or(NOT_KNOWN, |expiry| expiry.at.as_second()),
        })
    }
}

impl UnlockedWorkstation {
    /// The stock by product and group, with what expires soon. The look is recorded as a query: the list names donations.
    pub async fn inventory(&self, gate: &Unlocked, filter: Filter) -> Result<Stock, UnlockError> {
        self.admit(gate, Action::PatientQuery, None).await?;
        let now = self.site_now();
        let mut connection = self.cache().await?;
        let as_of = cache::as_of(&mut connection).await?;
        let (inventory, expiring) = if as_of.is_some() {
            count(&mut connection, filter, &now, StockRules::builtin()).await?
        } else {
            (Inventory::uncounted(), Vec::new())
        };
        Ok(Stock {
            inventory,
            expiring,
            now,
            as_of,
        })
    }
}

/// Brings the tables up to date with a batch.
pub(super) async fn write(
    cache: &mut SqliteConnection,
    units: Vec<Unit>,
    deletes: &[(String, String)],
) -> Result<(), DatabaseError> {
    let deleted = deletes.iter().filter(|(kind, _)| kind == KIND);
    let touched: Vec<&str> = units
        .iter()
        .map(|unit| unit.id.as_str())
        .chain(deleted.map(|(_, id)| id.as_str()))
        .collect();
    if touched.is_empty() {
        return Ok(());
    }
    let mut change: BTreeMap<Kind, i64> = BTreeMap::new();
    let before: Vec<Kind> = sqlx::query_as(
        "DELETE FROM stock_unit WHERE id IN (SELECT value FROM json_each(?)) RETURNING product, blood, status, expires",
    )
    .bind(json(&touched))
    .fetch_all(&mut *cache)
    .await?;
    for kind in before {
        *change.entry(kind).or_default() -= 1;
    }
    let units: Vec<(String, Kind)> = units
        .into_iter()
        .filter_map(|unit| Some((unit.id, unit.kind?)))
        .collect();
    insert(cache, &units).await?;
    for (_, kind) in units {
        *change.entry(kind).or_default() += 1;
    }
    change.retain(|_, units| *units != 0);
    tally(cache, &change).await
}

async fn insert(
    cache: &mut SqliteConnection,
    units: &[(String, Kind)],
) -> Result<(), DatabaseError> {
    for units in units.chunks(ROWS) {
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO stock_unit (id, product, blood, status, expires) VALUES {}",
            values(5, units.len())
        )));
        for (id, kind) in units {
            query = query
                .bind(id)
                .bind(&kind.product)
                .bind(&kind.blood)
                .bind(&kind.status)
                .bind(kind.expires);
        }
        query.execute(&mut *cache).await?;
    }
    Ok(())
}

async fn tally(
    cache: &mut SqliteConnection,
    change: &BTreeMap<Kind, i64>,
) -> Result<(), DatabaseError> {
    if change.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = change
        .iter()
        .map(|(kind, units)| {
            (
                &kind.product,
                &kind.blood,
                &kind.status,
                kind.expires,
                units,
            )
        })
        .collect();
    sqlx::query(
        "INSERT INTO stock_count (product, blood, status, expires, units)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?) WHERE true
         ON CONFLICT (product, blood, status, expires) DO UPDATE SET units = units + excluded.units",
    )
    .bind(json(&rows))
    .execute(&mut *cache)
    .await?;
    let fewer: Vec<_> = rows.into_iter().filter(|(.., units)| **units < 0).collect();
    if !fewer.is_empty() {
        sqlx::query(
            "DELETE FROM stock_count WHERE (product, blood, status, expires) IN
                 (SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)) AND units = 0",
        )
        .bind(json(&fewer))
        .execute(cache)
        .await?;
    }
    Ok(())
}

/// The stock, and what expires soon.
pub(super) async fn count(
    cache: &mut SqliteConnection,
    filter: Filter,
    now: &Zoned,
    rules: &StockRules,
) -> Result<(Inventory, Vec<Component>), DatabaseError> {
    // Expiries are kept in whole seconds.
    let now = now
        .with()
        .subsec_nanosecond(0)
        .build()
        .unwrap_or(now.clone());
    let lots = lots(cache, filter, &now, rules).await?;
    let inventory = Inventory::count(lots, filter, &now, rules);
    let expiring = expiring(cache, filter, &now, rules).await?;
    Ok((inventory, expiring))
}

/// What is counted, joined between the moments at which something changes.
async fn lots(
    cache: &mut SqliteConnection,
    filter: Filter,
    now: &Zoned,
    rules: &StockRules,
) -> Result<Vec<Lot>, DatabaseError> {
    // Codes and numbers of this program alone: nothing of this text comes from outside.
    let mut spans = Vec::new();
    for product in Product::ALL {
        let cuts = cuts(product, now, rules);
        let cuts = cuts.into_iter().map(Timestamp::as_second);
        let mut from = -NOT_KNOWN;
        for to in cuts.chain([NOT_KNOWN, NOT_KNOWN + 1]) {
            spans.push(format!("('{}', {from}, {to})", product.code()));
            from = to;
        }
    }
    let statuses = filter.statuses().iter().copied().chain([Status::Unknown]);
    let statuses: Vec<String> = statuses
        .map(|status| format!("('{}')", status.code()))
        .collect();
    let groups: Vec<String> = GROUPS.iter().map(|code| format!("('{code}')")).collect();
    let span = "FROM stock_count AS c WHERE (c.product, c.blood, c.status) = (span.product, groups.blood, statuses.status)
             AND c.expires >= span.since AND c.expires < span.until";
    // A seek for each span: the rows are in this order, and nothing is sorted.
    let rows: Vec<(String, String, String, i64, i64)> = sqlx::query_as(AssertSqlSafe(format!(
        "WITH span (product, since, until) AS (VALUES {}), statuses (status) AS (VALUES {}), groups (blood) AS (VALUES (''), {}),
         lot AS MATERIALIZED (
             SELECT product, blood, status, (SELECT min(expires) {span}) AS expires, (SELECT sum(units) {span}) AS units
             FROM span CROSS JOIN groups CROSS JOIN statuses)
         SELECT product, blood, status, expires, units FROM lot WHERE expires IS NOT NULL",
        spans.join(", "),
        statuses.join(", "),
        groups.join(", ")
    )))
    .fetch_all(cache)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(product, blood, status, expires, units)| Lot {
            product: Product::from_code(&product),
            blood: BloodGroup::from_code(&blood),
            status: Status::from_code(&status),
            expires: (expires < NOT_KNOWN)
                .then(|| Timestamp::from_second(expires).ok())
                .flatten(),
            count: units.unsigned_abs(),
        })
        .collect())
}

async fn expiring(
    cache: &mut SqliteConnection,
    filter: Filter,
    now: &Zoned,
    rules: &StockRules,
) -> Result<Vec<Component>, DatabaseError> {
    let soon: Vec<(&str, i64)> = Product::ALL
        .into_iter()
        .filter_map(|product| {
            let before = soon_before(product, now, rules)?;
            Some((product.code(), before.as_second()))
        })
        .collect();
    let Some(latest) = soon.iter().map(|(_, before)| *before).max() else {
        return Ok(Vec::new());
    };
    // Codes and numbers of this program alone.
    let cases: Vec<String> = soon
        .iter()
        .map(|(product, before)| format!("WHEN '{product}' THEN {before}"))
        .collect();
    let mut nearest: Vec<(i64, String)> = Vec::new();
    for status in filter.statuses() {
        let found: Vec<(i64, String)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT expires, id FROM stock_unit WHERE status = ? AND expires >= ? AND expires < ?
                 AND expires < CASE product {} ELSE 0 END ORDER BY expires, id LIMIT ?",
            cases.join(" ")
        )))
        .bind(status.code())
        .bind(now.timestamp().as_second())
        .bind(latest)
        .bind(LISTED as i64)
        .fetch_all(&mut *cache)
        .await?;
        nearest.extend(found);
    }
    nearest.sort_unstable();
    nearest.truncate(LISTED);
    let ids: Vec<&str> = nearest.iter().map(|(_, id)| id.as_str()).collect();
    let texts: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT resource.text FROM json_each(?) AS wanted JOIN resource ON resource.kind = ? AND resource.id = wanted.value
         ORDER BY wanted.key",
    )
    .bind(json(&ids))
    .bind(KIND)
    .fetch_all(cache)
    .await?;
    let resources = texts::resources(&texts)?.into_iter();
    Ok(resources
        .filter_map(|resource| match resource {
            Resource::BiologicallyDerivedProduct(product) => Some(Component::read(&product)),
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests;
