//! One blood component as a view shows it: what it is, where it stands, until when it keeps.

use jiff::{
    Timestamp, Zoned,
    civil::{Date, time},
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

use crate::{
    blood::{BloodGroup, Determined},
    fhir::{BiologicallyDerivedProduct, FhirDate},
    isbt128::Din,
};

/// What a component is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    WholeBlood,
    RedCellsSagm,
    #[serde(rename = "red-cells-cpda1")]
    RedCellsCpda1,
    Platelets,
    Ffp,
    Cryo,
    /// A code that this version does not know, or none.
    #[default]
    Other,
}

impl Product {
    /// In the order of a stock list.
    pub const ALL: [Self; 7] = [
        Self::WholeBlood,
        Self::RedCellsSagm,
        Self::RedCellsCpda1,
        Self::Platelets,
        Self::Ffp,
        Self::Cryo,
        Self::Other,
    ];

    /// The code in [`crate::fhir::system::PRODUCT`]; `other` for what is not known.
    pub fn code(self) -> &'static str {
        match self {
            Self::WholeBlood => "whole-blood",
            Self::RedCellsSagm => "red-cells-sagm",
            Self::RedCellsCpda1 => "red-cells-cpda1",
            Self::Platelets => "platelets",
            Self::Ffp => "ffp",
            Self::Cryo => "cryo",
            Self::Other => "other",
        }
    }

    /// Reads [`Product::code`].
    pub fn from_code(code: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|product| product.code() == code)
            .unwrap_or_default()
    }
}

/// Where a component stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Quarantine,
    Available,
    Reserved,
    Issued,
    Transfused,
    /// Others were made of it.
    Processed,
    Discarded,
    Expired,
    Recalled,
    /// A code that this version does not know, or none.
    #[default]
    Unknown,
}

impl Status {
    const ALL: [Self; 10] = [
        Self::Quarantine,
        Self::Available,
        Self::Reserved,
        Self::Issued,
        Self::Transfused,
        Self::Processed,
        Self::Discarded,
        Self::Expired,
        Self::Recalled,
        Self::Unknown,
    ];

    /// The code in [`crate::fhir::system::PRODUCT_STATUS`]; `unknown` for what is not known.
    pub fn code(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Available => "available",
            Self::Reserved => "reserved",
            Self::Issued => "issued",
            Self::Transfused => "transfused",
            Self::Processed => "processed",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Recalled => "recalled",
            Self::Unknown => "unknown",
        }
    }

    /// Reads [`Status::code`].
    pub fn from_code(code: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.code() == code)
            .unwrap_or_default()
    }

    /// Whether it lies in the house and may still be given to somebody.
    pub fn is_in_stock(self) -> bool {
        matches!(self, Self::Quarantine | Self::Available | Self::Reserved)
    }
}

/// Until when a component keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// As written.
    pub text: String,
    /// The moment: a date alone ends with its day at UTC+5, Kazakhstan's one time; of less than a date the first day counts, the safer
    /// value.
    pub at: Timestamp,
}

impl Expiry {
    /// Reads `BiologicallyDerivedProduct.expirationDate`.
    pub fn parse(text: &str) -> Option<Self> {
        let days = FhirDate::parse(text)?;
        let at = if text.contains('T') {
            text.parse().ok()?
        } else {
            end_of(days.first)?
        };
        Some(Self {
            text: text.to_owned(),
            at,
        })
    }

    /// Days from today to its day, both in the place of `now`: 0 on its day, below 0 after it.
    pub fn days_left(&self, now: &Zoned) -> i32 {
        let day = self.at.to_zoned(now.time_zone().clone()).date();
        now.date().until(day).map_or(0, |span| span.get_days())
    }

    /// Whether the moment has passed.
    pub fn is_over(&self, now: &Zoned) -> bool {
        self.at < now.timestamp()
    }
}

/// The last second of a day at UTC+5.
fn end_of(day: Date) -> Option<Timestamp> {
    let zone = TimeZone::fixed(Offset::constant(5));
    let end = day.to_datetime(time(23, 59, 59, 0)).to_zoned(zone).ok()?;
    Some(end.timestamp())
}

/// A component.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Component {
    pub id: String,
    /// Its own number, as recorded.
    pub number: Option<String>,
    /// The donation it comes from.
    pub din: Option<Din>,
    pub product: Product,
    pub division: Option<String>,
    /// What the label says; the safer value if the record contradicts itself.
    pub blood: Option<BloodGroup>,
    /// Every value if they disagree.
    pub blood_conflict: Vec<BloodGroup>,
    pub status: Status,
    pub expires: Option<Expiry>,
    /// Where it lies.
    pub place: Option<String>,
    /// Ids of what it was made from; they may be missing, and may lead round in a circle.
    pub parents: Vec<String>,
    /// Id of the donor.
    pub donor: Option<String>,
    /// Something changes its meaning in a way this version does not know: only what identifies and traces it is here.
    pub not_understood: bool,
}

impl Component {
    /// Reads the resource.
    pub fn read(product: &BiologicallyDerivedProduct) -> Self {
        let traced = Self {
            id: product.id.clone(),
            number: product.component().map(ToOwned::to_owned),
            din: product.din().and_then(|din| Din::parse(din).ok()),
            parents: product.parents().map(ToOwned::to_owned).collect(),
            donor: product.donor_id().map(ToOwned::to_owned),
            not_understood: product.is_modified(),
            ..Self::default()
        };
        if traced.not_understood {
            return traced;
        }
        let groups: Vec<BloodGroup> = product.blood_groups().collect();
        let Determined { group, conflict } = Determined::from_groups(&groups);
        Self {
            product: product
                .product()
                .map(Product::from_code)
                .unwrap_or_default(),
            division: product.division.clone(),
            blood: group,
            blood_conflict: conflict,
            status: product.status().map(Status::from_code).unwrap_or_default(),
            expires: product.expiration_date.as_deref().and_then(Expiry::parse),
            place: product.place().map(ToOwned::to_owned),
            ..traced
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fhir::{Record, Resource};

    fn read(rest: &str) -> Component {
        let line = format!(
            r#"{{"resourceType":"BiologicallyDerivedProduct","id":"c","productCode":{{"coding":[{{"system":"urn:infoblood:product","code":"ffp"}}]}}{rest}}}"#
        );
        match Record::parse_line(line.as_bytes()).unwrap().resource {
            Resource::BiologicallyDerivedProduct(product) => Component::read(&product),
            _ => panic!(),
        }
    }

    #[test]
    fn codes_read_back_and_unknown_ones_are_unknown() {
        for product in Product::ALL {
            assert_eq!(Product::from_code(product.code()), product);
            assert_eq!(
                serde_json::to_string(&product).unwrap(),
                format!("\"{}\"", product.code())
            );
        }
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), status);
        }
        assert_eq!(Product::from_code("granulocytes"), Product::Other);
        assert_eq!(Status::from_code("lost"), Status::Unknown);
        let in_stock: Vec<_> = Status::ALL
            .into_iter()
            .filter(|s| s.is_in_stock())
            .collect();
        assert_eq!(
            in_stock,
            [Status::Quarantine, Status::Available, Status::Reserved]
        );
    }

    #[test]
    fn days_left_are_those_of_the_site() {
        let now: Zoned = "2026-11-23T01:30:00+05:00[+05:00]".parse().unwrap();
        let left = |text: &str| {
            let expiry = Expiry::parse(text).unwrap();
            (expiry.days_left(&now), expiry.is_over(&now))
        };
        assert_eq!(left("2026-11-23T23:59:00+05:00"), (0, false));
        assert_eq!(left("2026-11-23T01:00:00+05:00"), (0, true));
        assert_eq!(left("2026-11-23"), (0, false));
        assert_eq!(left("2026-11-22"), (-1, true));
        // It is the 24th at the site already, though not where this was written.
        assert_eq!(left("2026-11-23T20:00:00Z"), (1, false));
        assert_eq!(
            left("2026-12"),
            (8, false),
            "the first day that it can mean"
        );
        assert_eq!(left("2027"), (39, false));
        assert!(!left("9999-01-01").1);
        assert!(left("0001-01-01").1);
        assert_eq!(Expiry::parse("2026-02-30"), None);
        assert_eq!(Expiry::parse("soon"), None);
    }

    #[test]
    fn what_changes_the_meaning_hides_the_values() {
        let property = r#","property":[{"type":{"coding":[{"system":"urn:infoblood:property","code":"blood-group"}]},"valueCodeableConcept":{"coding":[{"system":"urn:infoblood:blood-group","code":"A+"}]}}]"#;
        let rest = format!(
            r#","identifier":[{{"system":"urn:infoblood:id:din","value":"KZ00126000001"}}],"productStatus":{{"system":"urn:infoblood:product-status","code":"available"}},"expirationDate":"2026-12-01"{property}"#
        );
        let known = read(&rest);
        assert_eq!(
            (known.product, known.status),
            (Product::Ffp, Status::Available)
        );
        assert_eq!(known.blood.unwrap().code(), "A+");
        let modified = read(&format!(
            r#"{rest},"modifierExtension":[{{"url":"urn:x"}}]"#
        ));
        assert_eq!(
            modified,
            Component {
                id: "c".into(),
                din: known.din,
                not_understood: true,
                ..Component::default()
            }
        );
    }

    #[test]
    fn two_groups_on_one_label() {
        let group = |code: &str| {
            format!(
                r#"{{"type":{{"coding":[{{"system":"urn:infoblood:property","code":"blood-group"}}]}},"valueCodeableConcept":{{"coding":[{{"system":"urn:infoblood:blood-group","code":"{code}"}}]}}}}"#
            )
        };
        let both = read(&format!(r#","property":[{},{}]"#, group("A-"), group("A+")));
        assert_eq!(both.blood.unwrap().code(), "A+");
        assert_eq!(both.blood_conflict.len(), 2);
        let both = read(&format!(r#","property":[{},{}]"#, group("O-"), group("A-")));
        assert_eq!((both.blood, both.blood_conflict.len()), (None, 2));
    }

    proptest! {
        #[test]
        fn expiries_never_panic(text in "[0-9T:Z+.-]{0,26}") {
            let now: Zoned = "2026-11-23T01:30:00+05:00[+05:00]".parse().unwrap();
            if let Some(expiry) = Expiry::parse(&text) {
                let _ = (expiry.days_left(&now), expiry.is_over(&now));
            }
        }
    }
}
