//! What the laboratory and the examination before a donation write down: screening, vital signs, antigens.

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use super::{Donors, meta, records::Donor};
use crate::{
    blood::{Antigen, BloodGroup},
    fhir::{
        CodeableConcept, Observation, ObservationComponent, Quantity, Reference, Resource, system,
        vital,
    },
};

/// Infections that are screened for.
const INFECTIONS: [&str; 4] = ["hiv", "hbv", "hcv", "syphilis"];

/// One completed donation while it is being made.
pub(super) struct Drawn<'a> {
    /// Number within the donor.
    pub(super) number: u32,
    pub(super) day: Date,
    /// The infection found at it.
    pub(super) reactive: Option<&'a str>,
}

impl<R: Rng> Donors<R> {
    /// Screening of one donation, known a day later. Without `reactive` nothing is positive.
    pub(super) fn screening(&mut self, one: &mut Donor, drawn: &Drawn<'_>) {
        let known = drawn.day.checked_add(1.days()).unwrap_or(drawn.day);
        for test in INFECTIONS {
            let result = if drawn.reactive == Some(test) {
                "POS"
            } else {
                "NEG"
            };
            one.resources.push(Resource::Observation(Observation {
                interpretation: vec![CodeableConcept::of(system::INTERPRETATION, result)],
                method: Some(CodeableConcept {
                    text: Some(
                        if test == "syphilis" {
                            "ИФА"
                        } else {
                            "ИХЛА"
                        }
                        .to_owned(),
                    ),
                    ..CodeableConcept::default()
                }),
                ..laboratory(one, drawn, test, known)
            }));
        }
        let alt = 8 + self.below(30);
        one.resources.push(Resource::Observation(Observation {
            value_quantity: Some(quantity(alt, "Ед/л", "U/L")),
            ..laboratory(one, drawn, "alt", known)
        }));
    }

    /// Haemoglobin, blood pressure, pulse and weight before a donation.
    pub(super) fn vital_signs(&mut self, one: &mut Donor, drawn: &Drawn<'_>) {
        let measured = [
            (vital::HAEMOGLOBIN, 130 + self.below(35), "г/л", "g/L"),
            (vital::PULSE, 58 + self.below(30), "мин⁻¹", "/min"),
            (vital::WEIGHT, 52 + self.below(50), "кг", "kg"),
        ];
        for (code, value, unit, ucum) in measured {
            let found = Observation {
                value_quantity: Some(quantity(value, unit, ucum)),
                ..vital_sign(one, drawn, code)
            };
            one.resources.push(Resource::Observation(found));
        }
        let pressure = [
            (vital::SYSTOLIC, 105 + self.below(35)),
            (vital::DIASTOLIC, 62 + self.below(24)),
        ];
        let found = Observation {
            component: pressure
                .into_iter()
                .map(|(code, value)| ObservationComponent {
                    code: CodeableConcept::of(system::LOINC, code),
                    value_quantity: Some(quantity(value, "мм рт. ст.", "mm[Hg]")),
                    ..ObservationComponent::default()
                })
                .collect(),
            ..vital_sign(one, drawn, vital::BLOOD_PRESSURE)
        };
        one.resources.push(Resource::Observation(found));
    }

    /// Antigens of some donors; K agrees with the Kell of the blood group.
    pub(super) fn phenotype(&mut self, one: &mut Donor, group: BloodGroup, day: Date) {
        let mut found = vec![("C", self.chance(68)), ("E", self.chance(29))];
        // Who lacks one antigen of a pair has the other.
        found.push(("c", !found[0].1 || self.chance(60)));
        found.push(("e", !found[1].1 || self.chance(85)));
        found.push(("Cw", self.chance(2)));
        found.extend(group.kell.map(|kell| ("K", kell == Antigen::Positive)));
        let observation = Observation {
            id: format!("o-{}-antigens", one.key),
            meta: Some(meta(&one.site)),
            status: "final".to_owned(),
            category: vec![CodeableConcept::of(
                system::OBSERVATION_CATEGORY,
                "laboratory",
            )],
            code: CodeableConcept::of(system::PHENOTYPE, "phenotype"),
            subject: Reference::to("Patient", &one.id()),
            effective_date_time: Some(day.to_string()),
            component: found
                .into_iter()
                .map(|(antigen, present)| serology(system::ANTIGEN, antigen, present))
                .collect(),
            ..Observation::default()
        };
        one.resources.push(Resource::Observation(observation));
    }
}

/// An antigen or antibody that is there or not.
pub(super) fn serology(system: &str, code: &str, present: bool) -> ObservationComponent {
    let result = if present { "POS" } else { "NEG" };
    ObservationComponent {
        code: CodeableConcept::of(system, code),
        value_codeable_concept: Some(CodeableConcept::of(system::INTERPRETATION, result)),
        ..ObservationComponent::default()
    }
}

/// A number with its unit, as shown and as UCUM.
pub(super) fn quantity(value: u64, unit: &str, ucum: &str) -> Quantity {
    Quantity {
        comparator: None,
        value: Some(value.into()),
        unit: Some(unit.to_owned()),
        system: Some(system::UCUM.to_owned()),
        code: Some(ucum.to_owned()),
    }
}

fn laboratory(one: &Donor, drawn: &Drawn<'_>, test: &str, known: Date) -> Observation {
    Observation {
        id: format!("o-{}-{}-{test}", one.key, drawn.number),
        category: vec![CodeableConcept::of(
            system::OBSERVATION_CATEGORY,
            "laboratory",
        )],
        code: CodeableConcept::of(system::SCREENING, test),
        effective_date_time: Some(known.to_string()),
        specimen: Some(Reference::to(
            "Specimen",
            &format!("s-{}-{}", one.key, drawn.number),
        )),
        ..of_donation(one, drawn)
    }
}

fn vital_sign(one: &Donor, drawn: &Drawn<'_>, code: &str) -> Observation {
    Observation {
        id: format!("o-{}-{}-{code}", one.key, drawn.number),
        category: vec![CodeableConcept::of(
            system::OBSERVATION_CATEGORY,
            "vital-signs",
        )],
        code: CodeableConcept::of(system::LOINC, code),
        effective_date_time: Some(drawn.day.to_string()),
        ..of_donation(one, drawn)
    }
}

fn of_donation(one: &Donor, drawn: &Drawn<'_>) -> Observation {
    Observation {
        meta: Some(meta(&one.site)),
        status: "final".to_owned(),
        subject: Reference::to("Patient", &one.id()),
        part_of: vec![Reference::to(
            "Procedure",
            &format!("p-{}-{}", one.key, drawn.number),
        )],
        ..Observation::default()
    }
}
