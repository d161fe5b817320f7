//! A reproducible synthetic blood centre as FHIR R5 resources: donors with their donations, screening and components, and the
//! recipients to whom components went.
//!
//! The same generator state, `today`, sites and count give the same bytes. The iterator streams: what it keeps does not grow
//! with the number of donors: one counter per facility and year, and the few recipients of a site who wait for components. IINs, donor numbers
//! and donation numbers are unique within one run, and their check digits are right. Each run takes them in one stretch that begins at a random
//! place of its own, so that runs beside one another hardly ever meet. Names, numbers and deferrals are invented, and no table of a real
//! population stands behind them.

mod components;
mod history;
mod laboratory;
mod people;
mod recipients;
mod records;

use std::collections::HashMap;

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use self::{recipients::Recipient, records::Donor};
use crate::{
    fhir::{
        Coding, ContactPoint, HumanName, Identifier, Location, Meta, Organization, Patient,
        Reference, Resource, TEST_DATA, system,
    },
    iin::{Iin, Sex},
};

/// Ages in full years at `today` lie between these.
const YOUNGEST: i16 = 19;
const OLDEST: i16 = 64;
/// Serial numbers of IINs are handed out in blocks of this size, one block per donor and birthday.
const BLOCK: u64 = 16;
const BLOCKS: u64 = 10_000 / BLOCK;
/// Donor numbers are `D-0000001` and up to so many.
const DONOR_NUMBERS: u64 = 9_999_999;
/// Donation numbers of one facility in one year.
const SERIALS: u32 = 1_000_000;
/// One recipient comes for so many donors.
const DONORS_PER_RECIPIENT: u64 = 12;
/// Hospitals of a site.
const HOSPITALS: u64 = 2;
/// Reasons of a deferral that make everything of the donor unusable, with the test that finds them.
const INFECTIONS: [(&str, &str); 3] = [
    ("hiv", "hiv"),
    ("hepatitis-b", "hbv"),
    ("hepatitis-c", "hcv"),
];

/// A donor with everything that is known, in the order in which it should be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticDonor {
    /// Code of the site all these resources belong to.
    pub site: String,
    /// The donor first, then blood group and other findings, deferrals, donations; then a recipient of the site if one comes with
    /// this donor, and the donor's components after what happened to each (requests, issues, transfusions, reactions), whose
    /// recipients were in this donor or an earlier one.
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
    /// Where this run's people begin among all places for numbers of people.
    first_place: u64,
    /// Makes ids of the day: what a run of another day made is not overwritten in part.
    salt: u64,
    first_donor_number: u64,
    first_serial: u32,
    /// Donation numbers given out, by facility and year.
    serials: HashMap<(String, u8), u32>,
    recipients: u64,
    waiting: HashMap<usize, Vec<Recipient>>,
}

/// Makes `count` donors spread over `sites` (codes), all facts relative to `today`.
///
/// Ids, and where numbers begin, are drawn from `rng` and the day: two runs of one day that are to stand beside each other need states of
/// their own.
///
/// The first n donors of a longer run are those of a run with count n. Among the first 20 are one whose blood group is disputed and one for
/// whose transfused components somebody has to look back.
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
    // Recipients have numbers too.
    if count > birthdays * BLOCKS / 2 {
        return Err(SyntheticError::TooMany);
    }
    let salt = salt(today)?;
    let first_place = (rng.next_u64() ^ salt) % (birthdays * BLOCKS);
    let first_donor_number = (rng.next_u64() ^ salt) % DONOR_NUMBERS;
    let first_serial = ((rng.next_u64() ^ salt) % u64::from(SERIALS)) as u32;
    Ok(Donors {
        rng,
        today,
        sites: sites.to_vec(),
        left: count,
        index: 0,
        first_birthday: first,
        birthdays,
        first_place,
        salt,
        first_donor_number,
        first_serial,
        serials: HashMap::new(),
        recipients: 0,
        waiting: HashMap::new(),
    })
}

/// The Organization of a site: the identifier is its code, the name is the Kazakh one.
pub fn organization(site: &str, name: &str) -> Resource {
    Resource::Organization(Organization {
        id: site_id(site),
        meta: Some(meta(site)),
        identifier: vec![Identifier::new(system::SITE, site)],
        active: Some(true),
        name: Some(name.to_owned()),
        ..Organization::default()
    })
}

/// The hospitals that ask a site for components, each as an organization and a place.
pub fn hospitals(site: &str) -> Vec<Resource> {
    const NAMES: [&str; HOSPITALS as usize] = ["Облыстық аурухана", "Қалалық аурухана"];
    (1..)
        .zip(NAMES)
        .flat_map(|(number, name)| {
            let id = hospital_id(site, number);
            [
                Resource::Organization(Organization {
                    id: id.clone(),
                    meta: Some(test_meta(site)),
                    active: Some(true),
                    name: Some(name.to_owned()),
                    ..Organization::default()
                }),
                Resource::Location(Location {
                    meta: Some(test_meta(site)),
                    status: Some("active".to_owned()),
                    name: Some(name.to_owned()),
                    managing_organization: Some(Reference::to("Organization", &id)),
                    id,
                    ..Location::default()
                }),
            ]
        })
        .collect()
}

fn hospital_id(site: &str, number: u64) -> String {
    format!("h-{}-{number}", site_id(site))
}

/// The code of a site as ids have it: the code itself, if it is a FHIR id. No id has `_`: `.` stands in its place, and at the end a number
/// whose bits say where, so that `A_1`, `A.1` and `A-1` stay three sites.
fn site_id(code: &str) -> String {
    if !code.contains('_') {
        return code.to_owned();
    }
    let places = code
        .bytes()
        .fold(0_u32, |bits, byte| bits << 1 | u32::from(byte == b'_'));
    format!("{}--{places}", code.replace('_', "."))
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
            key: self.key(),
            site,
            site_index,
            sex,
            resources: Vec::new(),
            others: Vec::new(),
            taken: HashMap::new(),
            donations: 0,
            flags: 0,
        };
        one.resources.push(Resource::Patient(Patient {
            id: one.id(),
            meta: Some(test_meta(&one.site)),
            identifier: vec![
                Identifier::new(system::IIN, iin.to_string()),
                Identifier::new(system::DONOR_NUMBER, self.donor_number(index)),
            ],
            active: Some(true),
            name: vec![HumanName {
                use_: Some("official".to_owned()),
                family: Some(name.family),
                given: name.given,
            }],
            telecom: vec![ContactPoint {
                system: Some("phone".to_owned()),
                value: Some(format!(
                    "+7 700 {:03} {:02} {:02}",
                    self.below(1000),
                    self.below(100),
                    self.below(100)
                )),
            }],
            gender: Some(if sex == Sex::Male { "male" } else { "female" }.to_owned()),
            birth_date: Some(birth.to_string()),
            managing_organization: Some(Reference::to("Organization", &site_id(&one.site))),
            ..Patient::default()
        }));
        if index.is_multiple_of(DONORS_PER_RECIPIENT) {
            self.recipient(&mut one);
        }
        self.history(&mut one, index, birth);
        // Patient, blood group, deferrals, donations.
        one.resources.sort_by_key(|r| match r {
            Resource::Patient(_) => 0,
            Resource::Observation(_) => 1,
            Resource::Flag(_) => 2,
            _ => 3,
        });
        one.resources.append(&mut one.others);
        Some(SyntheticDonor {
            site: one.site,
            resources: one.resources,
        })
    }

    /// The day so many days before today.
    fn ago(&self, days: i64) -> Date {
        self.today.checked_sub(days.days()).unwrap_or(self.today)
    }

    /// What the ids of a person's records have in common.
    fn key(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64() ^ self.salt)
    }

    fn donor_number(&self, index: u64) -> String {
        format!(
            "D-{:07}",
            (self.first_donor_number + index) % DONOR_NUMBERS + 1
        )
    }

    /// A birthday and a number that nobody else of this run has. All runs walk through the same places, each a day and a block of serial numbers,
    /// from their own beginning on: days are visited in a scattered order, and each visit of a day takes another block.
    fn number(&mut self, index: u64, sex: Sex) -> Option<(Date, Iin)> {
        // 4099 is a prime that does not divide the number of days (about 16,400), so the visit of days is a permutation.
        let step = if self.birthdays.is_multiple_of(4099) {
            4111
        } else {
            4099
        };
        let place = (self.first_place + index) % (self.birthdays * BLOCKS);
        let day = place % self.birthdays * step % self.birthdays;
        let round = place / self.birthdays;
        // 311 has no factor in common with 625 blocks.
        let block = (round * 311 + day * 7919) % BLOCKS;
        let birth = self.first_birthday.checked_add((day as i64).days()).ok()?;
        let start = self.below(BLOCK);
        let iin = (0..BLOCK)
            .find_map(|i| Iin::compose(birth, sex, (block * BLOCK + (start + i) % BLOCK) as u16))?;
        Some((birth, iin))
    }

    /// Uniform below `n`.
    fn below(&mut self, n: u64) -> u64 {
        (u64::from(self.rng.next_u32()) * n) >> 32
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Any number of a day, far from those of its neighbours. The last steps of the generator splitmix64.
fn salt(today: Date) -> Result<u64, SyntheticError> {
    let days = Date::ZERO
        .until(today)
        .map_err(|_| SyntheticError::Today)?
        .get_days();
    let mut z = u64::from(days.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Ok(z ^ (z >> 31))
}

fn meta(site: &str) -> Meta {
    Meta {
        security: Vec::new(),
        tag: vec![Coding::new(system::SITE, site)],
    }
}

/// As [`meta`], for what is about a person or what was taken from one: invented.
fn test_meta(site: &str) -> Meta {
    Meta {
        security: vec![Coding::new(system::ACT_REASON, TEST_DATA)],
        ..meta(site)
    }
}

#[cfg(test)]
mod tests;
