//! The components of one synthetic donation: the tree, where each one stands today, and to whom it went.

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use super::{
    Donors,
    laboratory::{Drawn, quantity},
    recipients::Step,
    records::Donor,
    test_meta,
};
use crate::{
    blood::BloodGroup,
    donor::DonationKind,
    fhir::{
        BiologicallyDerivedProduct, CodeableConcept, Coding, Identifier, ProductCollection,
        ProductProperty, RECALLED, Reference, Resource, system,
    },
    isbt128::Din,
};

/// Days until the screening of a donation is known and its components may be released.
const QUARANTINE: i64 = 2;

/// A component before its place in the world is known.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) id: String,
    pub(super) product: &'static str,
    /// What the label says: the safer value if determinations disagree.
    pub(super) group: BloodGroup,
    parent: Option<String>,
    /// Something was made of it.
    processed: bool,
}

/// What is known of a donation when its components are made.
pub(super) struct Source<'a> {
    pub(super) drawn: Drawn<'a>,
    pub(super) kind: DonationKind,
    pub(super) din: Din,
    pub(super) group: BloodGroup,
    /// From this day on nothing of the donor may be used.
    pub(super) recalled: Option<Date>,
    /// What can be given was given: there is somebody for whom to look back.
    pub(super) is_traced: bool,
}

impl Unit {
    /// Whether it carries red cells.
    pub(super) fn is_red(&self) -> bool {
        matches!(
            self.product,
            "whole-blood" | "red-cells-sagm" | "red-cells-cpda1"
        )
    }

    /// Days it keeps; invented data keep to the usual ones.
    fn keeps(&self) -> i64 {
        match self.product {
            "red-cells-sagm" => 42,
            "red-cells-cpda1" | "whole-blood" => 35,
            "platelets" => 5,
            _ => 1095,
        }
    }

    fn volume(&self) -> u64 {
        match self.product {
            "whole-blood" => 450,
            "red-cells-sagm" | "red-cells-cpda1" => 280,
            "platelets" => 60,
            "cryo" => 30,
            _ => 220,
        }
    }

    fn storage(&self) -> &'static str {
        match self.product {
            "platelets" => "Инкубатор",
            "ffp" | "cryo" => "Мұздатқыш",
            _ => "Тоңазытқыш",
        }
    }
}

impl<R: Rng> Donors<R> {
    /// All components of a completed donation, parents first.
    pub(super) fn components(&mut self, one: &mut Donor, source: &Source<'_>) {
        for unit in self.tree(one, source) {
            let (status, request) = self.fate(one, source, &unit);
            let taken = one.taken_at(source.drawn.number);
            let expires = source.drawn.day.checked_add(unit.keeps().days());
            let shelf = 1 + self.below(12);
            let din = Identifier::new(system::DIN, source.din.as_str());
            let label = |value| ProductProperty {
                type_: CodeableConcept::of(system::PROPERTY, value),
                ..ProductProperty::default()
            };
            let number = format!("{}-{}-00", source.din.as_str(), unit.product);
            one.others.push(Resource::BiologicallyDerivedProduct(
                BiologicallyDerivedProduct {
                    id: unit.id.clone(),
                    meta: Some(test_meta(&one.site)),
                    identifier: vec![din.clone(), Identifier::new(system::COMPONENT, number)],
                    biological_source_event: Some(din),
                    product_code: Some(CodeableConcept::of(system::PRODUCT, unit.product)),
                    division: Some("00".to_owned()),
                    product_status: Some(Coding::new(system::PRODUCT_STATUS, status)),
                    expiration_date: expires.ok().map(|day| format!("{day}T23:59:00+05:00")),
                    parent: unit
                        .parent
                        .iter()
                        .map(|id| Reference::to("BiologicallyDerivedProduct", id))
                        .collect(),
                    request: request
                        .iter()
                        .map(|id| Reference::to("ServiceRequest", id))
                        .collect(),
                    collection: Some(ProductCollection {
                        source: Some(Reference::to("Patient", &one.id())),
                        collected_date_time: Some(taken),
                        ..ProductCollection::default()
                    }),
                    property: vec![
                        ProductProperty {
                            value_codeable_concept: Some(CodeableConcept::of(
                                system::BLOOD_GROUP,
                                unit.group.code(),
                            )),
                            ..label("blood-group")
                        },
                        ProductProperty {
                            value_string: Some(format!("{} {shelf}", unit.storage())),
                            ..label("storage")
                        },
                        ProductProperty {
                            value_quantity: Some(quantity(unit.volume(), "мл", "mL")),
                            ..label("volume")
                        },
                    ],
                    ..BiologicallyDerivedProduct::default()
                },
            ));
        }
    }

    /// Whole blood gives red cells and plasma or platelets, some plasma cryoprecipitate; apheresis gives one component.
    fn tree(&mut self, one: &Donor, source: &Source<'_>) -> Vec<Unit> {
        let mut made: Vec<Unit> = Vec::new();
        let mut add = |product, parent: Option<usize>| {
            let at = made.len();
            let parent = parent.and_then(|at| made.get_mut(at)).map(|parent| {
                parent.processed = true;
                parent.id.clone()
            });
            made.push(Unit {
                id: format!("b-{}-{}-{}", one.key, source.drawn.number, at + 1),
                product,
                group: source.group,
                parent,
                processed: false,
            });
            at
        };
        match source.kind {
            DonationKind::Plasma => {
                add("ffp", None);
            }
            DonationKind::Platelets => {
                add("platelets", None);
            }
            DonationKind::WholeBlood => {
                let whole = add("whole-blood", None);
                let red = if self.chance(80) {
                    "red-cells-sagm"
                } else {
                    "red-cells-cpda1"
                };
                add(red, Some(whole));
                if self.chance(25) {
                    add("platelets", Some(whole));
                } else {
                    let plasma = add("ffp", Some(whole));
                    if self.chance(15) {
                        add("cryo", Some(plasma));
                    }
                }
            }
        }
        made
    }

    /// The status today and the request it is for; what happened at a recipient is written down on the way.
    fn fate(
        &mut self,
        one: &mut Donor,
        source: &Source<'_>,
        unit: &Unit,
    ) -> (&'static str, Option<String>) {
        if unit.processed {
            return ("processed", None);
        }
        let drawn = source.drawn.day;
        if source.drawn.reactive.is_some() || !source.is_traced && self.chance(2) {
            return ("discarded", None);
        }
        let (Ok(released), Ok(expires)) = (
            drawn.checked_add(QUARANTINE.days()),
            drawn.checked_add(unit.keeps().days()),
        ) else {
            return ("discarded", None);
        };
        // The last day on which it could be given: yesterday, its own, or before its donor was found to be infected.
        let before_recall = source.recalled.map(|day| day.min(self.today));
        let last = expires
            .min(before_recall.unwrap_or(self.today))
            .checked_sub(1.days())
            .unwrap_or(drawn);
        let request = format!("q-{}", unit.id.trim_start_matches("b-"));
        if released <= last
            && (source.is_traced || self.chance(45))
            && let Some((person, suits)) = self.choose(one.site_index, unit)
        {
            let days = released.until(last).map_or(0, |span| span.get_days());
            let day = released
                .checked_add((self.below(days.unsigned_abs().min(30).into()) as i64).days())
                .unwrap_or(released);
            let recent = self.ago(3) <= day && source.recalled.is_none();
            let step = if recent && self.chance(50) {
                Step::Issued
            } else {
                Step::Transfused
            };
            self.give(one, unit, (&person, suits), day, step);
            let status = if step == Step::Issued {
                "issued"
            } else {
                "transfused"
            };
            return (status, Some(request));
        }
        if let Some(recalled) = source.recalled {
            return (
                if expires < recalled {
                    "expired"
                } else {
                    RECALLED
                },
                None,
            );
        }
        if expires < self.today {
            return ("expired", None);
        }
        if self.today < released {
            return ("quarantine", None);
        }
        if self.chance(6)
            && let Some((person, true)) = self.choose(one.site_index, unit)
        {
            self.give(one, unit, (&person, true), self.today, Step::Requested);
            return ("reserved", Some(request));
        }
        ("available", None)
    }
}
