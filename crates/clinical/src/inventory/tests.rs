//! Stock at a fixed moment, and lots cut in any way.

use proptest::prelude::*;

use super::*;

fn now() -> Zoned {
    "2026-11-23T10:00:00+05:00[+05:00]".parse().unwrap()
}

fn lot(product: Product, group: &str, status: Status, expires: &str, count: u64) -> Lot {
    Lot {
        product,
        blood: BloodGroup::from_code(group),
        status,
        expires: expires.parse().ok(),
        count,
    }
}

fn count(lots: &[Lot], filter: Filter) -> Inventory {
    let lots = lots.iter().copied();
    Inventory::count(lots, filter, &now(), StockRules::builtin())
}

fn of(inventory: &Inventory, product: Product) -> &ProductStock {
    inventory
        .products
        .iter()
        .find(|stock| stock.product == product)
        .unwrap()
}

#[test]
fn what_was_not_counted_is_neither_low_nor_none() {
    // Counted, nothing at all is low everywhere; not counted, it is nothing that could be low.
    let none = count(&[], Filter::Available);
    assert!(none.products.len() == 6 && of(&none, Product::Platelets).cells[0].low);
    assert_eq!(Inventory::uncounted().products, []);
}

#[test]
fn cells_expiry_and_levels() {
    use Product::{Platelets, RedCellsSagm};
    use Status::{Available, Discarded, Quarantine, Recalled, Reserved};
    let lots = [
        lot(RedCellsSagm, "O+", Available, "2026-12-30T18:59:00Z", 12),
        lot(RedCellsSagm, "O+", Available, "2026-11-25T18:59:00Z", 1),
        lot(RedCellsSagm, "A-", Available, "2026-11-30T18:59:00Z", 3),
        lot(RedCellsSagm, "B-", Quarantine, "2026-12-30T18:59:00Z", 5),
        lot(RedCellsSagm, "", Available, "2026-12-30T18:59:00Z", 2),
        lot(RedCellsSagm, "AB-", Reserved, "2026-12-30T18:59:00Z", 1),
        lot(RedCellsSagm, "AB+", Recalled, "2026-12-30T18:59:00Z", 9),
        lot(RedCellsSagm, "AB+", Discarded, "2026-12-30T18:59:00Z", 9),
        // An hour ago, in an hour.
        lot(Platelets, "O+", Available, "2026-11-23T04:00:00Z", 4),
        lot(Platelets, "O+", Available, "2026-11-23T06:00:00Z", 2),
        lot(Platelets, "A+", Available, "", 6),
    ];
    let all = count(&lots, Filter::Available);
    assert_eq!(all.products.len(), 6, "no unknown product");
    assert_eq!((all.expiring, all.not_understood), (6, 0));
    let red = of(&all, RedCellsSagm);
    assert_eq!((red.shelf_days, red.verified), (Some(42), false));
    assert_eq!((red.total, red.unknown_group), (18, 2));
    let cell = |code: &str| red.cells[GROUPS.iter().position(|c| *c == code).unwrap()];
    let filled = |count, days, low, soon| Cell {
        count,
        nearest_days: Some(days),
        low,
        soon,
    };
    assert_eq!(cell("O+"), filled(13, 2, false, Soon::Now));
    assert_eq!(cell("A-"), filled(3, 7, true, Soon::Soon));
    assert_eq!(
        cell("B-"),
        Cell {
            low: true,
            ..Cell::default()
        }
    );
    let bars: Vec<_> = red
        .buckets
        .iter()
        .map(|b| (b.from_days, b.to_days, b.count))
        .collect();
    assert_eq!(
        bars,
        [
            (0, Some(3), 1),
            (4, Some(7), 3),
            (8, Some(14), 0),
            (15, Some(28), 0),
            (29, None, 14)
        ]
    );
    let platelets = of(&all, Platelets);
    assert_eq!((platelets.total, platelets.expired), (2, 4));
    assert_eq!(platelets.unknown_expiry, 6);
    assert_eq!(platelets.cells[0], filled(2, 0, true, Soon::Now));

    let held = count(&lots, Filter::Quarantine);
    assert_eq!(of(&held, RedCellsSagm).total, 5);
    assert!(held.products.iter().all(|p| p.cells.iter().all(|c| !c.low)));
    assert_eq!(of(&count(&lots, Filter::All), RedCellsSagm).total, 24);
}

#[test]
fn what_is_not_known_is_no_stock() {
    let lots = [
        lot(
            Product::Other,
            "",
            Status::Unknown,
            "2026-12-30T18:59:00Z",
            3,
        ),
        lot(
            Product::Other,
            "A+",
            Status::Available,
            "2026-12-30T18:59:00Z",
            2,
        ),
    ];
    for filter in [Filter::Available, Filter::Quarantine, Filter::All] {
        assert_eq!(count(&lots, filter).not_understood, 3);
    }
    let all = count(&lots, Filter::Available);
    let other = of(&all, Product::Other);
    assert_eq!((other.total, other.shelf_days), (2, None));
    assert_eq!(
        (other.cells[2].low, other.cells[2].soon),
        (false, Soon::None)
    );
    assert_eq!(other.buckets.len(), 1);
}

#[test]
fn the_day_is_the_sites() {
    // At the site it is the 24th already.
    let now: Zoned = "2026-11-24T01:00:00+05:00[+05:00]".parse().unwrap();
    let lots = [lot(
        Product::Platelets,
        "A+",
        Status::Available,
        "2026-11-24T18:59:00Z",
        1,
    )];
    let stock = Inventory::count(lots, Filter::All, &now, StockRules::builtin());
    assert_eq!(
        of(&stock, Product::Platelets).cells[2].nearest_days,
        Some(0)
    );
}

#[test]
fn rules_that_have_not_begun_say_nothing() {
    let before: Zoned = "2019-01-01T01:00:00+05:00[+05:00]".parse().unwrap();
    let lots = [lot(
        Product::Ffp,
        "A+",
        Status::Available,
        "2019-01-02T18:59:00Z",
        1,
    )];
    let stock = Inventory::count(lots, Filter::All, &before, StockRules::builtin());
    let plasma = of(&stock, Product::Ffp);
    assert_eq!((plasma.total, plasma.shelf_days), (1, None));
    assert_eq!(
        (
            stock.expiring,
            cuts(Product::Ffp, &before, StockRules::builtin()).len()
        ),
        (0, 1)
    );
}

proptest! {
    /// Joining what lies between the same cuts changes nothing.
    #[test]
    fn lots_may_be_joined_between_cuts(
        units in proptest::collection::vec((0_usize..7, 0_usize..9, 0_usize..4, -90_000_i64..40_000_000), 0..60),
        filter in prop_oneof![Just(Filter::Available), Just(Filter::Quarantine), Just(Filter::All)],
    ) {
        let (now, rules) = (now(), StockRules::builtin());
        let statuses = [Status::Available, Status::Quarantine, Status::Reserved, Status::Unknown];
        let single: Vec<Lot> = units.iter().map(|&(product, group, status, seconds)| Lot {
            product: Product::ALL[product],
            blood: GROUPS.get(group).and_then(|code| BloodGroup::from_code(code)),
            status: statuses[status],
            expires: Timestamp::from_second(now.timestamp().as_second() + seconds).ok(),
            count: 1,
        }).collect();
        let mut joined: Vec<(usize, Lot)> = Vec::new();
        for lot in &single {
            let slot = cuts(lot.product, &now, rules).iter().filter(|cut| Some(**cut) <= lot.expires).count();
            match joined.iter_mut().find(|(of, other)| {
                *of == slot && (other.product, other.blood, other.status) == (lot.product, lot.blood, lot.status)
            }) {
                Some((_, other)) => {
                    other.count += 1;
                    other.expires = other.expires.min(lot.expires);
                }
                None => joined.push((slot, *lot)),
            }
        }
        let whole = Inventory::count(single, filter, &now, rules);
        prop_assert_eq!(&whole, &Inventory::count(joined.into_iter().map(|(_, lot)| lot), filter, &now, rules));
        let expiring: u64 = whole.products.iter().map(|p| p.total).sum();
        prop_assert!(whole.expiring <= expiring);
    }
}
