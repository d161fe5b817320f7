//! Shelf lives and levels of stock as data (`data/stock.json`): each with a source and the date from which it counts. The whole file
//! carries `verified`, which is false until the blood service confirms it; the stock list shows that.

use std::sync::OnceLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::{component::Product, rules::RulesError};

/// The rule file.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct StockRules {
    /// Whether the blood service has confirmed them.
    pub verified: bool,
    /// For the publisher.
    pub note: String,
    pub products: Vec<StockRule>,
}

/// What counts for one product from a date on.
#[derive(Debug, Clone, Deserialize)]
pub struct StockRule {
    pub product: Product,
    /// Days it keeps.
    pub shelf_days: u16,
    /// With so many days left it expires soon.
    pub soon_days: u16,
    /// With so many days left it has to be used now.
    pub now_days: u16,
    /// Fewer of one group are too few.
    pub low: u32,
    /// First days left of each bar of the chart, from 0, rising.
    pub buckets: Vec<u16>,
    pub source: String,
    pub effective_from: Date,
}

impl StockRules {
    /// Reads a rule file.
    pub fn parse(json: &str) -> Result<Self, RulesError> {
        serde_json::from_str(json).map_err(RulesError)
    }

    /// The rules built in; a test proves that they parse. None should they ever not.
    pub fn builtin() -> &'static Self {
        static RULES: OnceLock<StockRules> = OnceLock::new();
        RULES.get_or_init(|| Self::parse(include_str!("../../data/stock.json")).unwrap_or_default())
    }

    /// The rule of a product on a day: the latest that has begun.
    pub fn of(&self, product: Product, today: Date) -> Option<&StockRule> {
        self.products
            .iter()
            .filter(|rule| rule.product == product && rule.effective_from <= today)
            .max_by_key(|rule| rule.effective_from)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_file_parses_and_is_complete() {
        let rules = StockRules::parse(include_str!("../../data/stock.json")).unwrap();
        assert!(!rules.verified, "nobody has confirmed these yet");
        let today = date(2026, 11, 23);
        let days = |product| rules.of(product, today).unwrap().shelf_days;
        assert_eq!(days(Product::RedCellsSagm), 42);
        assert_eq!(days(Product::RedCellsCpda1), 35);
        assert_eq!(days(Product::Platelets), 5);
        assert_eq!((days(Product::Ffp), days(Product::Cryo)), (1095, 1095));
        assert!(rules.of(Product::Other, today).is_none());
        for rule in &rules.products {
            assert_eq!(rule.buckets.first(), Some(&0));
            assert!(rule.buckets.is_sorted_by(|a, b| a < b));
            assert!(rule.now_days < rule.soon_days && rule.soon_days < rule.shelf_days);
            assert!(!rule.source.is_empty());
        }
        assert_eq!(StockRules::parse("{").unwrap_err().code(), "rules-broken");
    }

    #[test]
    fn the_latest_rule_that_has_begun_counts() {
        let mut rules = StockRules::builtin().clone();
        let mut next = rules
            .of(Product::Platelets, date(2026, 1, 1))
            .unwrap()
            .clone();
        next.shelf_days = 7;
        next.effective_from = date(2027, 1, 1);
        rules.products.push(next);
        let days = |day| {
            rules
                .of(Product::Platelets, day)
                .map(|rule| rule.shelf_days)
        };
        assert_eq!(days(date(2026, 12, 31)), Some(5));
        assert_eq!(days(date(2027, 1, 1)), Some(7));
        assert_eq!(days(date(2000, 1, 1)), None);
    }
}
