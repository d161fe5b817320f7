//! What a list row and a donor card show, assembled from FHIR resources at a given day.
//!
//! Nothing is merged silently: deferrals that have not ended all count, and a disagreement on the blood group shows the safer
//! value beside every determination ([`crate::blood::Determined`]).

mod assemble;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

pub(crate) use self::assemble::{conflict, deferrals, determinations, donated_at};
use self::assemble::{determined, donations, end_of, flags};
use crate::{
    blood::BloodGroup,
    eligibility::{self, NextDate, next_dates},
    fhir::{FhirDate, Identifier, Patient, Resource, system},
    iin::{Iin, Sex, Warning},
    laboratory::{Phenotype, Screening, Vital, phenotype, screenings, vitals},
    rules::Rules,
    source::Stated,
};

/// Whether the person may donate, as far as deferrals go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferralState {
    None,
    /// Whatever deferrals say: the person's record, or one of the donations, is not understood.
    Unclear,
    Temporary,
    Permanent,
}

/// Kind of one deferral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferralKind {
    Temporary,
    Permanent,
}

/// A deferral that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferral {
    pub kind: DeferralKind,
    pub reason_kk: String,
    pub reason_ru: String,
    /// First day, `YYYY-MM-DD`; empty if it is not known.
    pub from: String,
    /// Last day, `YYYY-MM-DD`; absent if permanent.
    pub until: Option<String>,
    /// Days from today to the last day; 0 on the last day.
    pub days_left: Option<i32>,
    /// Who deferred.
    pub by: Option<String>,
    /// The order that the rule comes from.
    pub rule: Option<String>,
    /// Whether that rule is confirmed.
    pub verified: bool,
}

/// Kind of a donation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DonationKind {
    WholeBlood,
    Plasma,
    Platelets,
}

impl DonationKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::WholeBlood, Self::Plasma, Self::Platelets];

    /// The code in `Procedure.code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::WholeBlood => "whole-blood",
            Self::Plasma => "plasma",
            Self::Platelets => "platelets",
        }
    }

    pub(crate) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.code() == code)
    }
}

/// How a donation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DonationStatus {
    Completed,
    /// Nothing was taken.
    NotDone,
    /// It began, and was broken off.
    Stopped,
    /// It goes on, or nobody wrote down that it ended.
    InProgress,
    OnHold,
    Unknown,
}

impl DonationStatus {
    /// Of a FHIR event status; `None` for what was not begun, or written down by mistake.
    pub(crate) fn from_code(code: &str) -> Option<Self> {
        match code {
            "completed" => Some(Self::Completed),
            "not-done" => Some(Self::NotDone),
            "stopped" => Some(Self::Stopped),
            "in-progress" => Some(Self::InProgress),
            "on-hold" => Some(Self::OnHold),
            "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// A donation of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Donation {
    /// `YYYY-MM-DD`, or less where less is known.
    pub date: String,
    /// Thirteen characters, only if they form a donation number.
    pub din: Option<String>,
    /// Its check character.
    pub din_check: Option<String>,
    /// `None` if it is not known here.
    pub kind: Option<DonationKind>,
    pub volume_ml: Option<u32>,
    pub status: DonationStatus,
}

/// Everything a card shows about a donor, as of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub id: String,
    pub family: String,
    pub given: String,
    pub patronymic: Option<String>,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    pub sex: Sex,
    /// Completed years.
    pub age: i16,
    /// As recorded; empty if there is none.
    pub iin: String,
    /// Twelve digits with a right check digit.
    pub iin_valid: bool,
    /// What of the record does not agree with the number.
    pub iin_warnings: Vec<Warning>,
    pub donor_number: Option<String>,
    /// Invented, for training.
    pub training: bool,
    /// Permanent first, then those that last longest.
    pub deferrals: Vec<Deferral>,
    pub blood: Option<BloodGroup>,
    /// Every determination if they disagree, the safer one first.
    pub blood_conflict: Vec<Stated<BloodGroup>>,
    /// Latest first.
    pub donations: Vec<Donation>,
    /// When each kind of donation is possible next.
    pub next_dates: Vec<NextDate>,
    /// Latest first.
    pub screening: Vec<Screening>,
    pub phenotype: Vec<Phenotype>,
    /// The latest of each.
    pub vitals: Vec<Vital>,
    /// As recorded.
    pub phone: Option<String>,
    /// Resources about this person that say something this version does not know: their values are not shown.
    pub not_understood: u64,
}

/// What a list keeps about a donor apart from the resources; independent of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that do not exclude each other"
)]
pub struct Summary {
    pub id: String,
    pub family: String,
    pub given: String,
    pub patronymic: Option<String>,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// As recorded; empty if there is none.
    pub iin: String,
    pub donor_number: Option<String>,
    /// Invented, for training.
    #[serde(default)]
    pub training: bool,
    /// The safer value.
    pub blood: Option<BloodGroup>,
    /// Determinations of the group disagree.
    pub blood_conflict: bool,
    /// The person's record, or one of the donations, is not understood: nobody can say when the next one may be.
    pub not_understood: bool,
    /// Some deferral has no end.
    pub permanent: bool,
    /// Last day of the longest temporary deferral, past ones included.
    pub deferred_until: Option<Date>,
}

/// No card can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DonorError {
    #[error("there is no such person among the resources")]
    Missing,
    #[error("the person's record lacks what the profile demands")]
    Incomplete,
}

impl DonorError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "donor-missing",
            Self::Incomplete => "donor-incomplete",
        }
    }
}

impl Summary {
    /// Reads the donor `id` from resources; those about other people are ignored.
    pub fn assemble(id: &str, resources: &[Resource]) -> Result<Self, DonorError> {
        let person = Person::find(id, resources)?;
        let ends: Vec<Option<Date>> = flags(id, resources).map(end_of).collect();
        let blood = determined(id, resources);
        Ok(Self {
            id: id.to_owned(),
            family: person.family,
            given: person.given,
            patronymic: person.patronymic,
            birth_date: person.birth.to_string(),
            iin: person.iin,
            donor_number: person.donor_number,
            training: person.training,
            blood: blood.group,
            blood_conflict: !blood.conflict.is_empty(),
            not_understood: eligibility::donations(id, resources).is_none(),
            permanent: ends.contains(&None),
            deferred_until: ends.into_iter().flatten().max(),
        })
    }

    /// The state on a day; the last day of a deferral still counts. What is not understood outlasts one that ends.
    pub fn deferral(&self, today: Date) -> DeferralState {
        if self.permanent {
            DeferralState::Permanent
        } else if self.not_understood {
            DeferralState::Unclear
        } else if self.deferred_until.is_some_and(|until| until >= today) {
            DeferralState::Temporary
        } else {
            DeferralState::None
        }
    }

    /// Last four characters of the IIN.
    pub fn iin_last4(&self) -> &str {
        let start = self.iin.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        &self.iin[start..]
    }

    /// The name in one text, for [`crate::names::search_key`] and [`crate::names::Query::compare`].
    pub fn full_name(&self) -> String {
        joined(&self.family, &self.given, self.patronymic.as_deref())
    }
}

fn joined(family: &str, given: &str, patronymic: Option<&str>) -> String {
    [family, given, patronymic.unwrap_or_default()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

impl Facts {
    /// Reads the donor `id` from resources as of `today`; those about other people are ignored.
    pub fn assemble(
        id: &str,
        resources: &[Resource],
        today: Date,
        rules: &Rules,
    ) -> Result<Self, DonorError> {
        let person = Person::find(id, resources)?;
        let blood = determined(id, resources);
        Ok(Self {
            iin_warnings: person.iin_warnings(),
            id: id.to_owned(),
            family: person.family,
            given: person.given,
            patronymic: person.patronymic,
            birth_date: person.birth.to_string(),
            sex: person.sex,
            age: age(person.birth, today),
            iin_valid: Iin::parse(&person.iin).is_ok(),
            iin: person.iin,
            donor_number: person.donor_number,
            training: person.training,
            deferrals: deferrals(id, resources, today, rules),
            blood: blood.group,
            blood_conflict: conflict(&blood, &determinations(id, resources)),
            donations: donations(id, resources),
            next_dates: next_dates(id, resources, today, rules),
            screening: screenings(id, resources),
            phenotype: phenotype(id, resources),
            vitals: vitals(id, resources),
            phone: person.phone,
            not_understood: not_understood(id, resources),
        })
    }
}

/// Completed years on a day; 0 before the birth. Born on 29 February, a person is a year older on 1 March of common years.
pub fn age(birth: Date, today: Date) -> i16 {
    let before_birthday = (today.month(), today.day()) < (birth.month(), birth.day());
    (today.year() - birth.year() - i16::from(before_birthday)).max(0)
}

/// Who somebody is, donor or recipient.
pub(crate) struct Person {
    pub(crate) family: String,
    pub(crate) given: String,
    pub(crate) patronymic: Option<String>,
    pub(crate) birth: Date,
    pub(crate) sex: Sex,
    pub(crate) iin: String,
    donor_number: Option<String>,
    phone: Option<String>,
    pub(crate) training: bool,
}

impl Person {
    fn find(id: &str, resources: &[Resource]) -> Result<Self, DonorError> {
        let patient = resources.iter().find_map(|r| match r {
            // Recipients are no donors.
            Resource::Patient(p) if p.id == id && !p.is_recipient() => Some(p),
            _ => None,
        });
        Self::read(patient.ok_or(DonorError::Missing)?).ok_or(DonorError::Incomplete)
    }

    /// The name in one text.
    pub(crate) fn full_name(&self) -> String {
        joined(&self.family, &self.given, self.patronymic.as_deref())
    }

    /// What of the record does not agree with the IIN; nothing if that is none.
    pub(crate) fn iin_warnings(&self) -> Vec<Warning> {
        let iin = Iin::parse(&self.iin);
        iin.map(|iin| iin.warnings(self.birth, self.sex))
            .unwrap_or_default()
    }

    pub(crate) fn read(patient: &Patient) -> Option<Self> {
        let name = patient.official_name()?;
        let (given, patronymic) = name
            .given
            .split_first()
            .map_or((String::new(), String::new()), |(first, rest)| {
                (nfc(first), nfc(&rest.join(" ")))
            });
        Some(Self {
            family: nfc(name.family.as_deref()?),
            given,
            patronymic: Some(patronymic).filter(|p| !p.is_empty()),
            birth: FhirDate::parse(patient.birth_date.as_deref()?)?.day()?,
            sex: patient.sex()?,
            iin: patient.iins().next().unwrap_or_default().to_owned(),
            donor_number: Identifier::find(&patient.identifier, system::DONOR_NUMBER)
                .map(ToOwned::to_owned),
            phone: patient.phone().map(ToOwned::to_owned),
            training: patient.is_test(),
        })
    }
}

/// Resources about one person whose values must not be shown, or say too little.
fn not_understood(id: &str, resources: &[Resource]) -> u64 {
    let of_person = resources.iter().filter(|r| r.patient_id() == Some(id));
    of_person.filter(|r| r.is_unclear()).count() as u64
}

fn nfc(text: &str) -> String {
    text.trim().nfc().collect()
}

#[cfg(test)]
mod tests;
