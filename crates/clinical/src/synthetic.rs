//! Reproducible synthetic donors as FHIR R5 resources.
//!
//! The same generator state, `today`, sites and count give the same bytes. The iterator streams: what it keeps does not grow
//! with the number of donors (only one counter per site and year). IINs are unique within one run and their check digits are
//! right; names, numbers and deferrals are invented, and no table of a real population stands behind them.

mod people;
mod records;

use std::collections::HashMap;

use jiff::{ToSpan as _, civil::Date};
use rand_core::Rng;

use self::records::{Donor, Running};
use crate::{
    donor::DonationKind,
    fhir::{
        Coding, HumanName, Identifier, Meta, Organization, Patient, Reference, Resource, TEST_DATA,
        system,
    },
    iin::{Iin, Sex},
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
        ..Organization::default()
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
            meta: Some(Meta {
                security: vec![Coding::new(system::ACT_REASON, TEST_DATA)],
                ..meta(&one.site)
            }),
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
            ..Patient::default()
        }));
        let dates = self.donation_dates(birth);
        let running = self.deferrals(&mut one);
        if let Some(Running {
            since,
            found_at_visit: true,
        }) = running
        {
            self.donation(&mut one, since, DonationKind::WholeBlood, false);
        }
        for &(day, kind) in &dates {
            // Nobody donates while deferred.
            if running.is_none_or(|r| day < r.since) {
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
            Resource::Patient(_) => 0,
            Resource::Observation(_) => 1,
            Resource::Flag(_) => 2,
            _ => 3,
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

    /// Uniform below `n`.
    fn below(&mut self, n: u64) -> u64 {
        (u64::from(self.rng.next_u32()) * n) >> 32
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

fn meta(site: &str) -> Meta {
    Meta {
        security: Vec::new(),
        tag: vec![Coding::new(system::SITE, site)],
    }
}

#[cfg(test)]
mod tests;
