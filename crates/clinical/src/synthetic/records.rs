//! The clinical records of one synthetic donor: donations, deferrals, blood group.

use std::collections::HashMap;

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use super::{Donors, SERIALS, laboratory::quantity, meta, people, recipients::opposite};
use crate::{
    blood::{Abo, Antigen, BloodGroup},
    donor::DonationKind,
    fhir::{
        ABO_RH, CodeableConcept, Coding, Collection, Flag, Identifier, Observation,
        ObservationComponent, Performer, Period, Procedure, Reference, Resource, Specimen, system,
    },
    iin::Sex,
    isbt128::Din,
    rules::{DeferralRule, Rules},
};

/// One donor while it is being made.
pub(super) struct Donor {
    pub(super) key: String,
    pub(super) site: String,
    pub(super) site_index: usize,
    pub(super) sex: Sex,
    pub(super) resources: Vec<Resource>,
    /// What comes after them: a recipient, the components and where they went.
    pub(super) others: Vec<Resource>,
    /// When each completed donation began.
    pub(super) taken: HashMap<u32, String>,
    pub(super) donations: u32,
    pub(super) flags: u32,
}

/// A deferral that lasts today.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) since: Date,
    /// Somebody came to donate and was sent home.
    pub(super) found_at_visit: bool,
    /// What was taken before must not be used.
    pub(super) is_infection: bool,
}

/// The deferral that somebody has or had.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deferred {
    Running(Running),
    /// It ended before today; both days belong to it.
    Over {
        from: Date,
        to: Date,
    },
}

impl Donor {
    pub(super) fn id(&self) -> String {
        format!("d-{}", self.key)
    }

    /// When a donation began.
    pub(super) fn taken_at(&self, donation: u32) -> String {
        self.taken.get(&donation).cloned().unwrap_or_default()
    }
}

impl<R: Rng> Donors<R> {
    /// Zero to twelve donations, latest first, as far apart as the rules demand and not before the age of 18.
    pub(super) fn donation_dates(&mut self, birth: Date) -> Vec<(Date, DonationKind)> {
        let count = match self.below(100) {
            0..15 => 0,
            15..45 => 1,
            45..65 => 2,
            65..92 => 3 + self.below(4),
            _ => 7 + self.below(6),
        };
        let mut day = self.today;
        let mut dates = Vec::new();
        for _ in 0..count {
            let kind = match self.below(100) {
                0..80 => DonationKind::WholeBlood,
                80..94 => DonationKind::Plasma,
                _ => DonationKind::Platelets,
            };
            // The interval is counted for the longest rule, so it holds whatever comes next.
            let gap = longest_interval() + self.below(200) as i64;
            let first = dates.is_empty();
            let back = if first {
                1 + self.below(300) as i64
            } else {
                gap
            };
            let Ok(earlier) = day.checked_sub(back.days()) else {
                break;
            };
            day = earlier;
            if crate::donor::age(birth, day) < 18 {
                break;
            }
            dates.push((day, kind));
        }
        dates
    }

    /// About 8 % with a running temporary deferral, 3 % permanent, 5 % with one that is over.
    pub(super) fn deferrals(&mut self, one: &mut Donor) -> Option<Deferred> {
        let rules = Rules::builtin();
        let fits = |rule: &&DeferralRule| rule.sex.is_none_or(|sex| sex == one.sex);
        let roll = self.below(100);
        let wanted: Vec<&DeferralRule> = match roll {
            0..8 | 11..16 => rules
                .deferrals
                .iter()
                .filter(fits)
                .filter(|r| r.days.is_some())
                .collect(),
            8..11 => rules
                .deferrals
                .iter()
                .filter(fits)
                .filter(|r| r.days.is_none())
                .collect(),
            _ => return None,
        };
        let rule = *wanted.get(self.below(wanted.len() as u64) as usize)?;
        let period = i64::from(rule.days.unwrap_or(0));
        let ago = match roll {
            0..8 => self.below(period.unsigned_abs().max(1)) as i64,
            8..11 => 1 + self.below(2000) as i64,
            _ => period + 1 + self.below(400) as i64,
        };
        let start = self.today.checked_sub(ago.days()).ok()?;
        let end = rule
            .days
            .and_then(|days| start.checked_add(i64::from(days).days()).ok());
        self.flag(one, rule, start, end);
        if roll < 11 {
            return Some(Deferred::Running(Running {
                since: start,
                found_at_visit: rule.code == "low-haemoglobin",
                is_infection: super::INFECTIONS
                    .iter()
                    .any(|(reason, _)| *reason == rule.code),
            }));
        }
        end.map(|to| Deferred::Over { from: start, to })
    }

    /// One deferral.
    pub(super) fn flag(
        &mut self,
        one: &mut Donor,
        rule: &DeferralRule,
        start: Date,
        end: Option<Date>,
    ) {
        one.flags += 1;
        let by = people::physician(&mut |n| self.below(n));
        one.resources.push(Resource::Flag(Flag {
            id: format!("f-{}-{}", one.key, one.flags),
            meta: Some(meta(&one.site)),
            status: if end.is_some_and(|e| e < self.today) {
                "inactive"
            } else {
                "active"
            }
            .to_owned(),
            category: vec![CodeableConcept::of(system::FLAG_CATEGORY, "clinical")],
            code: CodeableConcept::of(system::DEFERRAL, &rule.code).with_text(&rule.kk, &rule.ru),
            subject: Reference::to("Patient", &one.id()),
            period: Some(Period {
                start: Some(start.to_string()),
                end: end.map(|e| e.to_string()),
            }),
            author: Some(Reference::words(&by)),
            ..Flag::default()
        }));
    }

    /// One donation and what was taken; returns its number if it was completed.
    pub(super) fn donation(
        &mut self,
        one: &mut Donor,
        day: Date,
        kind: DonationKind,
        done: bool,
    ) -> Option<Din> {
        one.donations += 1;
        let id = format!("p-{}-{}", one.key, one.donations);
        let minute = 8 * 60 + self.below(8 * 60) as u32;
        let at = |minutes: u32| format!("{day}T{:02}:{:02}:00+05:00", minutes / 60, minutes % 60);
        let length = match kind {
            DonationKind::WholeBlood => 10,
            DonationKind::Plasma => 45,
            DonationKind::Platelets => 90,
        };
        let din = if done { self.din(&one.site, day) } else { None };
        one.resources.push(Resource::Procedure(Procedure {
            id: id.clone(),
            meta: Some(meta(&one.site)),
            identifier: din
                .map(|d| Identifier::new(system::DIN, d.as_str()))
                .into_iter()
                .collect(),
            status: if done { "completed" } else { "not-done" }.to_owned(),
            status_reason: (!done).then(|| {
                let rule = Rules::builtin().deferral("low-haemoglobin", self.today);
                rule.map_or_else(CodeableConcept::default, |r| {
                    CodeableConcept::of(system::DEFERRAL, &r.code).with_text(&r.kk, &r.ru)
                })
            }),
            code: Some(CodeableConcept::of(system::DONATION, kind.code())),
            subject: Reference::to("Patient", &one.id()),
            occurrence_date_time: (!done).then(|| at(minute)),
            occurrence_period: done.then(|| Period {
                start: Some(at(minute)),
                end: Some(at(minute + length)),
            }),
            performer: vec![Performer {
                actor: Reference::to("Organization", &super::site_id(&one.site)),
                ..Performer::default()
            }],
            ..Procedure::default()
        }));
        if done {
            one.taken.insert(one.donations, at(minute));
            let volume = match kind {
                DonationKind::WholeBlood => 450,
                DonationKind::Plasma => 600,
                DonationKind::Platelets => 250,
            };
            one.resources.push(Resource::Specimen(Specimen {
                id: format!("s-{}-{}", one.key, one.donations),
                meta: Some(meta(&one.site)),
                accession_identifier: din.map(|d| Identifier::new(system::DIN, d.as_str())),
                status: Some("available".to_owned()),
                subject: Reference::to("Patient", &one.id()),
                collection: Some(Collection {
                    collected_date_time: Some(at(minute)),
                    quantity: Some(quantity(volume, "мл", "mL")),
                    procedure: Some(Reference::to("Procedure", &id)),
                    ..Collection::default()
                }),
                ..Specimen::default()
            }));
        }
        din
    }

    /// The next number of a facility and year; none once a million are used up. A site whose code cannot be a facility code uses
    /// the invented `KZ001`, which others may use too.
    fn din(&mut self, site: &str, day: Date) -> Option<Din> {
        let year = day.year().rem_euclid(100) as u8;
        let facility = match Din::compose(site, year, 0) {
            Some(_) => site,
            None => "KZ001",
        };
        let given = self.serials.entry((facility.to_owned(), year)).or_insert(0);
        if *given == SERIALS {
            return None;
        }
        let serial = (self.first_serial + *given) % SERIALS;
        *given += 1;
        Din::compose(facility, year, serial)
    }

    /// A blood group as frequent as among people here.
    pub(super) fn group(&mut self) -> BloodGroup {
        let abo = match self.below(100) {
            0..34 => Abo::O,
            34..62 => Abo::A,
            62..91 => Abo::B,
            _ => Abo::AB,
        };
        let rh = if self.chance(8) {
            Antigen::Negative
        } else {
            Antigen::Positive
        };
        let kell = match self.below(100) {
            0..15 => None,
            15..20 => Some(Antigen::Positive),
            _ => Some(Antigen::Negative),
        };
        BloodGroup { abo, rh, kell }
    }
}

/// A donor's group as it was determined, at a donation if one is named.
pub(super) fn blood_group(one: &mut Donor, group: BloodGroup, day: Date, donation: Option<u32>) {
    let id = format!("o-{}-1", one.key);
    let at = |number| Reference::to("Procedure", &format!("p-{}-{number}", one.key));
    let found = Observation {
        part_of: donation.map(at).into_iter().collect(),
        ..blood_group_observation(&id, &one.site, &one.id(), group, day)
    };
    one.resources.push(Resource::Observation(found));
}

/// An earlier determination that disagrees.
pub(super) fn disputed(one: &mut Donor, group: BloodGroup, day: Date) {
    let id = format!("o-{}-2", one.key);
    let earlier = day.checked_sub(90.days()).unwrap_or(day);
    let other = BloodGroup {
        rh: opposite(group.rh),
        ..group
    };
    let found = blood_group_observation(&id, &one.site, &one.id(), other, earlier);
    one.resources.push(Resource::Observation(found));
}

/// What a label says while determinations of RhD disagree.
pub(super) fn safer(group: BloodGroup) -> BloodGroup {
    BloodGroup {
        rh: Antigen::Positive,
        ..group
    }
}

/// The longest of all intervals between two donations, in days.
pub(super) fn longest_interval() -> i64 {
    let days = Rules::builtin().intervals.iter().map(|i| i64::from(i.days));
    days.max().unwrap_or(60)
}

/// A determination of somebody's group.
pub(super) fn blood_group_observation(
    id: &str,
    site: &str,
    patient: &str,
    group: BloodGroup,
    day: Date,
) -> Observation {
    let result = |antigen| {
        if antigen == Antigen::Positive {
            "POS"
        } else {
            "NEG"
        }
    };
    let mut value = CodeableConcept::of(system::BLOOD_GROUP, group.code());
    value.text = Some(group.code().to_owned());
    let code = Coding {
        display: Some("ABO and Rh group [Type] in Blood".to_owned()),
        ..Coding::new(system::LOINC, ABO_RH)
    };
    Observation {
        id: id.to_owned(),
        meta: Some(meta(site)),
        status: "final".to_owned(),
        category: vec![CodeableConcept::of(
            system::OBSERVATION_CATEGORY,
            "laboratory",
        )],
        code: CodeableConcept {
            coding: vec![code],
            ..CodeableConcept::default()
        },
        subject: Reference::to("Patient", patient),
        effective_date_time: Some(day.to_string()),
        value_codeable_concept: Some(value),
        component: vec![ObservationComponent {
            code: CodeableConcept::of(system::ANTIGEN, "kell"),
            value_codeable_concept: group
                .kell
                .map(|k| CodeableConcept::of(system::INTERPRETATION, result(k))),
            data_absent_reason: group
                .kell
                .is_none()
                .then(|| CodeableConcept::of(system::DATA_ABSENT, "not-performed")),
            ..ObservationComponent::default()
        }],
        ..Observation::default()
    }
}
