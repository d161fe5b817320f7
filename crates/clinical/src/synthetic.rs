//! Reproducible synthetic donors as FHIR R5 resources.
//!
//! The same generator state, `today`, sites and count give the same bytes. The iterator streams: what it keeps does not grow
//! with the number of donors (only one counter per site and year). IINs are unique within one run and their check digits are
//! right; names, numbers and deferrals are invented, and no table of a real population stands behind them.

mod people;

use std::collections::HashMap;

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use crate::{
    blood::{Abo, Antigen, BloodGroup},
    donor::DonationKind,
    fhir::{
        ABO_RH, CodeableConcept, Coding, Collection, Flag, HumanName, Identifier, Meta,
        Observation, ObservationComponent, Organization, Patient, Performer, Period, Procedure,
        Quantity, Reference, Resource, Specimen, system,
    },
    iin::{Iin, Sex},
    isbt128::Din,
    rules::{DeferralRule, Rules},
};

/// Ages in full years at `today` lie between these.
const YOUNGEST: i16 = 19;
const OLDEST: i16 = 64;
/// Serial numbers of IINs are handed out in blocks of this size, one block per donor and birthday.
const BLOCK: u64 = 16;
const BLOCKS: u64 = 10_000 / BLOCK;

/// A donor with everything that is known, in the order in which it should be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticDonor {
    /// Code of the site all these resources belong to.
    pub site: String,
    /// Patient first, then blood group, deferrals, donations.
    pub resources: Vec<Resource>,
}

/// Why no donors can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntheticError {
    #[error("there is no site to put donors in")]
    NoSite,
    #[error("too many donors for unique numbers")]
    TooMany,
    #[error("the day is outside the years for which numbers exist")]
    Today,
}

impl SyntheticError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSite => "seed-no-site",
            Self::TooMany => "seed-too-many",
            Self::Today => "seed-today",
        }
    }
}

/// The stream of donors; see [`donors`].
pub struct Donors<R> {
    rng: R,
    today: Date,
    sites: Vec<String>,
    left: u64,
    index: u64,
    first_birthday: Date,
    birthdays: u64,
    offset: u64,
    serials: HashMap<(usize, u8), u32>,
}

/// Makes `count` donors spread over `sites` (codes), all facts relative to `today`.
///
/// The first n donors of a longer run are those of a run with count n.
pub fn donors<R: Rng>(
    mut rng: R,
    today: Date,
    sites: &[String],
    count: u64,
) -> Result<Donors<R>, SyntheticError> {
    if sites.is_empty() {
        return Err(SyntheticError::NoSite);
    }
    let years_ago = |years: i16| {
        today
            .checked_sub(i32::from(years).years())
            .map_err(|_| SyntheticError::Today)
    };
    let (first, last) = (years_ago(OLDEST)?, years_ago(YOUNGEST)?);
    if first.year() < 1800 || last.year() >= 2100 {
        return Err(SyntheticError::Today);
    }
    let birthdays = first
        .until(last)
        .map_err(|_| SyntheticError::Today)?
        .get_days()
        .unsigned_abs()
        .into();
    if count > birthdays * BLOCKS {
        return Err(SyntheticError::TooMany);
    }
    let offset = rng.next_u64() % birthdays;
    Ok(Donors {
        rng,
        today,
        sites: sites.to_vec(),
        left: count,
        index: 0,
        first_birthday: first,
        birthdays,
        offset,
        serials: HashMap::new(),
    })
}

/// The Organization of a site: id and identifier are its code, the name is the Kazakh one.
pub fn organization(site: &str, name: &str) -> Resource {
    Resource::Organization(Organization {
        id: site.to_owned(),
        meta: Some(meta(site)),
        identifier: vec![Identifier::new(system::SITE, site)],
        active: Some(true),
        name: Some(name.to_owned()),
    })
}

impl<R: Rng> Iterator for Donors<R> {
    type Item = SyntheticDonor;

    fn next(&mut self) -> Option<SyntheticDonor> {
        while self.left > 0 {
            self.left -= 1;
            let index = self.index;
            self.index += 1;
            if let Some(donor) = self.donor(index) {
                return Some(donor);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, usize::try_from(self.left).ok())
    }
}

impl<R: Rng> Donors<R> {
    fn donor(&mut self, index: u64) -> Option<SyntheticDonor> {
        let sex = if self.chance(52) {
            Sex::Male
        } else {
            Sex::Female
        };
        let (birth, iin) = self.number(index, sex)?;
        let site_index = self.below(self.sites.len() as u64) as usize;
        let site = self.sites.get(site_index)?.clone();
        let name = people::name(sex, &mut |n| self.below(n));
        let mut one = Donor {
            key: format!("{:016x}", self.rng.next_u64()),
            site,
            site_index,
            sex,
            resources: Vec::new(),
            donations: 0,
            flags: 0,
        };
        one.resources.push(Resource::Patient(Patient {
            id: one.id(),
            meta: Some(meta(&one.site)),
            identifier: vec![
                Identifier::new(system::IIN, iin.to_string()),
                Identifier::new(system::DONOR_NUMBER, format!("D-{:07}", index + 1)),
            ],
            active: Some(true),
            name: vec![HumanName {
                use_: Some("official".to_owned()),
                family: Some(name.family),
                given: name.given,
            }],
            gender: Some(if sex == Sex::Male { "male" } else { "female" }.to_owned()),
            birth_date: Some(birth.to_string()),
            managing_organization: Some(Reference::to("Organization", &one.site)),
        }));
        let dates = self.donation_dates(birth);
        let last_low = self.deferrals(&mut one);
        if let Some(day) = last_low {
            self.donation(&mut one, day, DonationKind::WholeBlood, false);
        }
        for &(day, kind) in &dates {
            if last_low.is_none_or(|low| day < low) {
                let done = !self.chance(6);
                self.donation(&mut one, day, kind, done);
            }
        }
        if !dates.is_empty() || self.chance(70) {
            let tested = dates.last().map_or(self.today, |(day, _)| *day);
            self.blood_group(&mut one, tested);
        }
        // Patient, blood group, deferrals, donations.
        one.resources.sort_by_key(|r| match r {
            Resource::Patient(_) | Resource::Organization(_) => 0,
            Resource::Observation(_) => 1,
            Resource::Flag(_) => 2,
            Resource::Procedure(_) | Resource::Specimen(_) => 3,
        });
        Some(SyntheticDonor {
            site: one.site,
            resources: one.resources,
        })
    }

    /// A birthday and a number that no other donor of this run has: days are visited in a scattered order, and each visit of a
    /// day takes another block of serial numbers.
    fn number(&mut self, index: u64, sex: Sex) -> Option<(Date, Iin)> {
        // 4099 is a prime that does not divide the number of days (about 16,400), so the visit of days is a permutation.
        let step = if self.birthdays.is_multiple_of(4099) {
            4111
        } else {
            4099
        };
        let day = (index % self.birthdays * step + self.offset) % self.birthdays;
        let round = index / self.birthdays;
        // 311 has no factor in common with 625 blocks.
        let block = (round * 311 + day * 7919) % BLOCKS;
        let birth = self.first_birthday.checked_add((day as i64).days()).ok()?;
        let start = self.below(BLOCK);
        let iin = (0..BLOCK)
            .find_map(|i| Iin::compose(birth, sex, (block * BLOCK + (start + i) % BLOCK) as u16))?;
        Some((birth, iin))
    }

    /// Zero to twelve donations, latest first, as far apart as the rules demand and not before the age of 18.
    fn donation_dates(&mut self, birth: Date) -> Vec<(Date, DonationKind)> {
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
            let gap = Rules::builtin()
                .intervals
                .iter()
                .map(|i| i64::from(i.days))
                .max()
                .unwrap_or(60)
                + self.below(200) as i64;
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

    /// About 8 % with a running temporary deferral, 3 % permanent, 5 % with one that is over. Returns the day of a visit that
    /// ended in a deferral for low haemoglobin.
    fn deferrals(&mut self, one: &mut Donor) -> Option<Date> {
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
        }));
        (rule.code == "low-haemoglobin" && roll < 8).then_some(start)
    }

    fn donation(&mut self, one: &mut Donor, day: Date, kind: DonationKind, done: bool) {
        one.donations += 1;
        let id = format!("p-{}-{}", one.key, one.donations);
        let minute = 8 * 60 + self.below(8 * 60) as u32;
        let at = |minutes: u32| format!("{day}T{:02}:{:02}:00+05:00", minutes / 60, minutes % 60);
        let length = match kind {
            DonationKind::WholeBlood => 10,
            DonationKind::Plasma => 45,
            DonationKind::Platelets => 90,
        };
        let din = if done {
            self.din(one.site_index, &one.site, day)
        } else {
            None
        };
        one.resources.push(Resource::Procedure(Procedure {
            id: id.clone(),
            meta: Some(meta(&one.site)),
            identifier: din
                .map(|d| Identifier::new(system::DIN, d.as_str()))
                .into_iter()
                .collect(),
            status: if done { "completed" } else { "not-done" }.to_owned(),
            status_reason: (!done).then(|| {
                let rule = Rules::builtin().deferral("low-haemoglobin");
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
                actor: Reference::to("Organization", &one.site),
            }],
        }));
        if done {
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
                    quantity: Some(Quantity {
                        value: Some(volume.into()),
                        unit: Some("мл".to_owned()),
                        system: Some(system::UCUM.to_owned()),
                        code: Some("mL".to_owned()),
                    }),
                    procedure: Some(Reference::to("Procedure", &id)),
                }),
            }));
        }
    }

    /// The next number of a site and year; none once a million are used up. A site whose code cannot be a facility code uses
    /// the invented `KZ001`.
    fn din(&mut self, site_index: usize, site: &str, day: Date) -> Option<Din> {
        let year = day.year().rem_euclid(100) as u8;
        // Sites that share the fallback facility share its counter.
        let own = Din::compose(site, year, 0).is_some();
        let (slot, facility) = if own {
            (site_index, site)
        } else {
            (usize::MAX, "KZ001")
        };
        let serial = self.serials.entry((slot, year)).or_insert(0);
        *serial += 1;
        Din::compose(facility, year, *serial)
    }

    fn blood_group(&mut self, one: &mut Donor, tested: Date) {
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
        let group = BloodGroup { abo, rh, kell };
        one.resources.push(observation(one, 1, group, tested));
        // Now and then two determinations disagree, and a person has to resolve it.
        if self.below(200) == 0 {
            let other = if rh == Antigen::Positive {
                Antigen::Negative
            } else {
                Antigen::Positive
            };
            let earlier = tested.checked_sub(90.days()).unwrap_or(tested);
            one.resources.push(observation(
                one,
                2,
                BloodGroup { rh: other, ..group },
                earlier,
            ));
        }
    }

    /// Uniform below `n`.
    fn below(&mut self, n: u64) -> u64 {
        (u64::from(self.rng.next_u32()) * n) >> 32
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

struct Donor {
    key: String,
    site: String,
    site_index: usize,
    sex: Sex,
    resources: Vec<Resource>,
    donations: u32,
    flags: u32,
}

impl Donor {
    fn id(&self) -> String {
        format!("d-{}", self.key)
    }
}

fn observation(one: &Donor, number: u32, group: BloodGroup, day: Date) -> Resource {
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
    Resource::Observation(Observation {
        id: format!("o-{}-{number}", one.key),
        meta: Some(meta(&one.site)),
        status: "final".to_owned(),
        category: vec![CodeableConcept::of(
            system::OBSERVATION_CATEGORY,
            "laboratory",
        )],
        code: CodeableConcept {
            coding: vec![code],
            ..CodeableConcept::default()
        },
        subject: Reference::to("Patient", &one.id()),
        effective_date_time: Some(day.to_string()),
        value_codeable_concept: Some(value),
        data_absent_reason: None,
        component: vec![ObservationComponent {
            code: CodeableConcept::of(system::ANTIGEN, "kell"),
            value_codeable_concept: group
                .kell
                .map(|k| CodeableConcept::of(system::INTERPRETATION, result(k))),
            data_absent_reason: group
                .kell
                .is_none()
                .then(|| CodeableConcept::of(system::DATA_ABSENT, "not-performed")),
        }],
    })
}

fn meta(site: &str) -> Meta {
    Meta {
        tag: vec![Coding::new(system::SITE, site)],
    }
}

#[cfg(test)]
mod tests;
