//! Stock: components that lie in the house and keep, by product and group, with the days they still keep.
//!
//! A component whose expiry has passed is no stock, whatever its status says; nor is one whose expiry, status or meaning is not known.
//! They are counted apart, so that nobody relies on them and nobody forgets them.

mod rules;

use jiff::{Timestamp, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};

pub use self::rules::{StockRule, StockRules};
use crate::{
    blood::BloodGroup,
    component::{Product, Status},
};

/// Codes of the groups, in the order of a stock list.
pub const GROUPS: [&str; 8] = ["O+", "O-", "A+", "A-", "B+", "B-", "AB+", "AB-"];

/// Which part of the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// What may be given out.
    #[default]
    Available,
    /// What waits for its screening.
    Quarantine,
    /// Both, and what is reserved.
    All,
}

impl Filter {
    /// The statuses that it lets through.
    pub fn statuses(self) -> &'static [Status] {
        match self {
            Self::Available => &[Status::Available],
            Self::Quarantine => &[Status::Quarantine],
            Self::All => &[Status::Quarantine, Status::Available, Status::Reserved],
        }
    }
}

/// Components that count alike. Those of one lot expire between the same two of [`cuts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    pub product: Product,
    /// `None` if it is not determined, or its determinations disagree.
    pub blood: Option<BloodGroup>,
    pub status: Status,
    /// The earliest expiry; `None` if it is not known.
    pub expires: Option<Timestamp>,
    pub count: u64,
}

/// How pressing an expiry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Soon {
    #[default]
    None,
    Soon,
    Now,
}

/// One product and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    pub count: u64,
    /// Days left of what expires first.
    pub nearest_days: Option<i32>,
    /// Too few of it may be given out.
    pub low: bool,
    pub soon: Soon,
}

/// A bar of the chart: what keeps from so many days to so many, both inclusive; without an end the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub from_days: u16,
    pub to_days: Option<u16>,
    pub count: u64,
}

/// One product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductStock {
    pub product: Product,
    /// Days it keeps; `None` without a rule.
    pub shelf_days: Option<u16>,
    /// The order that the rule comes from.
    pub source: Option<String>,
    /// Whether the rule is confirmed.
    pub verified: bool,
    /// In the order of [`GROUPS`].
    pub cells: [Cell; 8],
    /// Of no group, or of one that is contradicted.
    pub unknown_group: u64,
    /// Cells and unknown group together.
    pub total: u64,
    /// Passed its expiry, and is not discarded yet.
    pub expired: u64,
    /// Has no expiry that can be read.
    pub unknown_expiry: u64,
    /// Of the total.
    pub buckets: Vec<Bucket>,
}

/// The stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// All known products; an unknown one only if there is some of it. None at all where nothing was counted.
    pub products: Vec<ProductStock>,
    /// How many of the total expire soon, or now.
    pub expiring: u64,
    /// Components whose status, or whose meaning, this version does not know: they may lie in the house.
    pub not_understood: u64,
}

impl Inventory {
    /// Nothing was counted: of a part of the data nobody can say how much there is, or that it is low.
    pub fn uncounted() -> Self {
        Self {
            products: Vec::new(),
            expiring: 0,
            not_understood: 0,
        }
    }

    /// Counts lots.
    pub fn count(
        lots: impl IntoIterator<Item = Lot>,
        filter: Filter,
        now: &Zoned,
        rules: &StockRules,
    ) -> Self {
        let today = now.date();
        let mut products = Product::ALL.map(|product| {
            let rule = rules.of(product, today);
            (rule, ProductStock::empty(product, rule, rules.verified))
        });
        let (mut expiring, mut not_understood) = (0, 0);
        for lot in lots {
            if lot.status == Status::Unknown {
                not_understood += lot.count;
            }
            if !filter.statuses().contains(&lot.status) {
                continue;
            }
            let found = products
                .iter_mut()
                .find(|(_, stock)| stock.product == lot.product);
            let Some((rule, stock)) = found else { continue };
            if stock.add(&lot, now, *rule) > Soon::None {
                expiring += lot.count;
            }
        }
        let products = products
            .into_iter()
            .map(|(rule, mut stock)| {
                if let Some(rule) = rule.filter(|_| filter == Filter::Available) {
                    for cell in &mut stock.cells {
                        cell.low = cell.count < u64::from(rule.low);
                    }
                }
                stock
            })
            .filter(|stock| stock.product != Product::Other || !stock.is_empty())
            .collect();
        Self {
            products,
            expiring,
            not_understood,
        }
    }
}

impl ProductStock {
    fn empty(product: Product, rule: Option<&StockRule>, verified: bool) -> Self {
        let starts = rule.map_or(&[0][..], |rule| &rule.buckets);
        let ends = starts.iter().skip(1).map(|next| next.checked_sub(1));
        Self {
            product,
            shelf_days: rule.map(|rule| rule.shelf_days),
            source: rule.map(|rule| rule.source.clone()),
            verified: rule.is_some() && verified,
            cells: [Cell::default(); 8],
            unknown_group: 0,
            total: 0,
            expired: 0,
            unknown_expiry: 0,
            buckets: starts
                .iter()
                .zip(ends.chain([None]))
                .map(|(&from_days, to_days)| Bucket {
                    from_days,
                    to_days,
                    count: 0,
                })
                .collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.total + self.expired + self.unknown_expiry == 0
    }

    /// Counts a lot; how pressing it is.
    fn add(&mut self, lot: &Lot, now: &Zoned, rule: Option<&StockRule>) -> Soon {
        let Some(expires) = lot.expires else {
            self.unknown_expiry += lot.count;
            return Soon::None;
        };
        if expires < now.timestamp() {
            self.expired += lot.count;
            return Soon::None;
        }
        let day = expires.to_zoned(now.time_zone().clone()).date();
        let days = now.date().until(day).map_or(0, |span| span.get_days());
        let soon = rule.map_or(Soon::None, |rule| rule.soon(days));
        self.total += lot.count;
        let bucket = self
            .buckets
            .iter_mut()
            .rev()
            .find(|bucket| i32::from(bucket.from_days) <= days);
        if let Some(bucket) = bucket {
            bucket.count += lot.count;
        }
        let at = lot
            .blood
            .and_then(|group| GROUPS.iter().position(|code| *code == group.code()));
        match at.and_then(|at| self.cells.get_mut(at)) {
            Some(cell) => {
                cell.count += lot.count;
                cell.soon = cell.soon.max(soon);
                cell.nearest_days = Some(cell.nearest_days.map_or(days, |known| known.min(days)));
            }
            None => self.unknown_group += lot.count,
        }
        soon
    }
}

impl StockRule {
    /// How pressing so many days are.
    pub fn soon(&self, days_left: i32) -> Soon {
        if days_left <= i32::from(self.now_days) {
            Soon::Now
        } else if days_left <= i32::from(self.soon_days) {
            Soon::Soon
        } else {
            Soon::None
        }
    }
}

/// The moments at which something changes for a product: now, and the beginnings of the days that its rule names. What expires between
/// the same two of them may be counted as one [`Lot`].
pub fn cuts(product: Product, now: &Zoned, rules: &StockRules) -> Vec<Timestamp> {
    let days = rules.of(product, now.date()).into_iter().flat_map(|rule| {
        let after = [rule.now_days, rule.soon_days].map(|days| days.saturating_add(1));
        rule.buckets.iter().copied().chain(after)
    });
    let mut cuts: Vec<Timestamp> = days
        .filter(|days| *days > 0)
        .filter_map(|days| beginning(now, days))
        .chain([now.timestamp()])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Until when a product has to expire to expire soon; `None` without a rule.
pub fn soon_before(product: Product, now: &Zoned, rules: &StockRules) -> Option<Timestamp> {
    let rule = rules.of(product, now.date())?;
    beginning(now, rule.soon_days.saturating_add(1))
}

/// The first moment of a day to come.
fn beginning(now: &Zoned, days: u16) -> Option<Timestamp> {
    let day = now.date().checked_add(i64::from(days).days()).ok()?;
    let first = day.to_zoned(now.time_zone().clone()).ok()?;
    Some(first.timestamp())
}

#[cfg(test)]
mod tests;
