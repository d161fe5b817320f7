//! Patient data for the window. Nothing here decides who may see what: every call to the cache takes the gate's proof.

use infoblood_client as client;
use infoblood_clinical::{blood, donor, eligibility, iin, laboratory, source};

use super::{
    Controller, Phase,
    failure::{named, told},
    session::OpenCache,
};
use crate::view::{self, AppError, DonorCard, DonorFilter, DonorPage, DonorRow, GroupCode};

/// Rows of one page: more than a usual window shows, and no more, because the first page is what a person waits for.
pub(super) const PAGE: u32 = 24;

impl Controller {
    pub(super) async fn search(
        &self,
        text: String,
        filter: DonorFilter,
        after: Option<String>,
    ) -> Result<DonorPage, AppError> {
        let cache = &self.open_cache()?.cache;
        let search = client::Search {
            text,
            blood: filter.blood.map(group_of),
            deferral: filter.deferral.map(|state| match state {
                view::DeferralState::None => donor::DeferralState::None,
                view::DeferralState::Unclear => donor::DeferralState::Unclear,
                view::DeferralState::Temporary => donor::DeferralState::Temporary,
                view::DeferralState::Permanent => donor::DeferralState::Permanent,
            }),
        };
        let page = cache
            .search(cache.gate(), search, after.as_deref(), PAGE)
            .await
            .map_err(|error| told("search", error.code(), &error))?;
        Ok(DonorPage {
            total: u32::try_from(page.total).unwrap_or(u32::MAX),
            rows: page.rows.into_iter().map(row).collect(),
            next: page.next,
        })
    }

    /// The look is recorded before the card is shown.
    pub(super) async fn open_donor(&self, id: &str) -> Result<DonorCard, AppError> {
        let cache = &self.open_cache()?.cache;
        let card = cache
            .card(cache.gate(), id)
            .await
            .map_err(|error| told("card", error.code(), &error))?;
        self.nudge();
        Ok(donor_card(card))
    }

    pub(super) fn open_cache(&self) -> Result<&OpenCache, AppError> {
        match &self.phase {
            Phase::Unlocked(open) => Ok(open),
            _ => Err(named("patient-locked")),
        }
    }
}

fn row(row: client::DonorRow) -> DonorRow {
    let client::DonorRow {
        summary,
        deferral,
        matched,
    } = row;
    let digits = summary.iin.chars().count();
    DonorRow {
        id: summary.id,
        family: summary.family,
        given: summary.given,
        patronymic: summary.patronymic,
        birth_date: summary.birth_date,
        iin_last4: summary.iin.chars().skip(digits.saturating_sub(4)).collect(),
        blood: summary.blood.map(blood_group),
        blood_conflict: summary.blood_conflict,
        deferral: match deferral {
            donor::DeferralState::None => view::DeferralState::None,
            donor::DeferralState::Unclear => view::DeferralState::Unclear,
            donor::DeferralState::Temporary => view::DeferralState::Temporary,
            donor::DeferralState::Permanent => view::DeferralState::Permanent,
        },
        training: summary.training,
        matched,
    }
}

fn group_of(code: GroupCode) -> blood::BloodGroup {
    use blood::{Abo, Antigen};
    let (abo, rh) = match code {
        GroupCode::OPositive => (Abo::O, Antigen::Positive),
        GroupCode::ONegative => (Abo::O, Antigen::Negative),
        GroupCode::APositive => (Abo::A, Antigen::Positive),
        GroupCode::ANegative => (Abo::A, Antigen::Negative),
        GroupCode::BPositive => (Abo::B, Antigen::Positive),
        GroupCode::BNegative => (Abo::B, Antigen::Negative),
        GroupCode::AbPositive => (Abo::AB, Antigen::Positive),
        GroupCode::AbNegative => (Abo::AB, Antigen::Negative),
    };
    blood::BloodGroup {
        abo,
        rh,
        kell: None,
    }
}

fn donor_card(card: client::DonorCard) -> DonorCard {
    let facts = card.facts;
    DonorCard {
        id: facts.id,
        family: facts.family,
        given: facts.given,
        patronymic: facts.patronymic,
        birth_date: facts.birth_date,
        sex: sex(facts.sex),
        age: u32::try_from(facts.age).unwrap_or(0),
        iin: facts.iin,
        iin_valid: facts.iin_valid,
        iin_warnings: facts.iin_warnings.into_iter().map(iin_warning).collect(),
        same_iin: card.same_iin,
        donor_number: facts.donor_number,
        training: facts.training,
        deferrals: facts.deferrals.into_iter().map(deferral).collect(),
        blood: facts.blood.map(blood_group),
        blood_conflict: facts.blood_conflict.into_iter().map(stated_group).collect(),
        donations: facts.donations.into_iter().map(donation).collect(),
        next_dates: facts.next_dates.into_iter().map(next_date).collect(),
        screening: facts.screening.into_iter().map(screening).collect(),
        phenotype: facts.phenotype.into_iter().map(antigen).collect(),
        vitals: facts.vitals.into_iter().map(vital).collect(),
        phone: facts.phone,
        not_understood: number(facts.not_understood),
        logged_at: card.logged_at.to_string(),
        as_of: card.as_of.map(|time| time.to_string()),
    }
}

pub(super) fn sex(sex: iin::Sex) -> view::Sex {
    match sex {
        iin::Sex::Male => view::Sex::Male,
        iin::Sex::Female => view::Sex::Female,
    }
}

pub(super) fn deferral(deferral: donor::Deferral) -> view::Deferral {
    view::Deferral {
        kind: match deferral.kind {
            donor::DeferralKind::Temporary => view::DeferralKind::Temporary,
            donor::DeferralKind::Permanent => view::DeferralKind::Permanent,
        },
        reason_kk: deferral.reason_kk,
        reason_ru: deferral.reason_ru,
        from: deferral.from,
        until: deferral.until,
        days_left: deferral.days_left,
        by: deferral.by,
        rule: deferral.rule,
        verified: deferral.verified,
    }
}

fn next_date(next: eligibility::NextDate) -> view::NextDate {
    view::NextDate {
        kind: donation_kind(next.kind),
        date: next.date.map(|date| date.to_string()),
        days: next.days_left,
        blocked_by: next.blocked_by.map(|blocked| match blocked {
            eligibility::Blocked::Deferral => view::NextDateBlock::Deferral,
            eligibility::Blocked::Interval => view::NextDateBlock::Interval,
        }),
        rule: next.rule,
        verified: next.verified,
    }
}

pub(super) fn screening(row: laboratory::Screening) -> view::ScreeningRow {
    view::ScreeningRow {
        date: row.date,
        din: row.din.map(|din| din.to_string()),
        results: row.results.into_iter().map(result).collect(),
        groups: row.groups.into_iter().map(blood_group).collect(),
    }
}

fn result((test, finding): (laboratory::Test, laboratory::Finding)) -> view::ScreeningResult {
    let (value, number) = match finding {
        laboratory::Finding::Positive => (view::ScreeningValue::Positive, None),
        laboratory::Finding::Indeterminate => (view::ScreeningValue::Indeterminate, None),
        laboratory::Finding::Negative => (view::ScreeningValue::Negative, None),
        laboratory::Finding::Number(number) => (view::ScreeningValue::Number, Some(number)),
    };
    view::ScreeningResult {
        code: test.code().to_owned(),
        value,
        number,
    }
}

fn antigen(antigen: laboratory::Phenotype) -> view::Antigen {
    view::Antigen {
        antigen: antigen.antigen,
        present: antigen.present,
        conflict: antigen.conflict.into_iter().map(stated_presence).collect(),
    }
}

fn vital(vital: laboratory::Vital) -> view::Vital {
    view::Vital {
        code: match vital.measure {
            laboratory::Measure::Haemoglobin => view::VitalCode::Hb,
            laboratory::Measure::Pressure => view::VitalCode::Bp,
            laboratory::Measure::Pulse => view::VitalCode::Pulse,
            laboratory::Measure::Weight => view::VitalCode::Weight,
        },
        value: vital.value,
        unit: vital.unit,
        date: vital.date,
    }
}

pub(super) fn donation_kind(kind: donor::DonationKind) -> view::DonationKind {
    match kind {
        donor::DonationKind::WholeBlood => view::DonationKind::WholeBlood,
        donor::DonationKind::Plasma => view::DonationKind::Plasma,
        donor::DonationKind::Platelets => view::DonationKind::Platelets,
    }
}

pub(super) fn donation_status(status: donor::DonationStatus) -> view::DonationStatus {
    match status {
        donor::DonationStatus::Completed => view::DonationStatus::Completed,
        donor::DonationStatus::NotDone => view::DonationStatus::NotDone,
        donor::DonationStatus::Stopped => view::DonationStatus::Stopped,
        donor::DonationStatus::InProgress => view::DonationStatus::InProgress,
        donor::DonationStatus::OnHold => view::DonationStatus::OnHold,
        donor::DonationStatus::Unknown => view::DonationStatus::Unknown,
    }
}

pub(super) fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn donation(donation: donor::Donation) -> view::Donation {
    view::Donation {
        date: donation.date,
        din: donation.din,
        din_check: donation.din_check,
        kind: donation.kind.map(donation_kind),
        volume_ml: donation.volume_ml,
        status: donation_status(donation.status),
    }
}

pub(super) fn iin_warning(warning: iin::Warning) -> view::IinWarning {
    match warning {
        iin::Warning::BirthDate => view::IinWarning::BirthDate,
        iin::Warning::Sex => view::IinWarning::Sex,
    }
}

pub(super) fn stated_group(stated: source::Stated<blood::BloodGroup>) -> view::StatedGroup {
    view::StatedGroup {
        blood: blood_group(stated.value),
        sources: stated.sources.into_iter().map(told_source).collect(),
    }
}

pub(super) fn stated_presence(stated: source::Stated<bool>) -> view::StatedPresence {
    view::StatedPresence {
        present: stated.value,
        sources: stated.sources.into_iter().map(told_source).collect(),
    }
}

fn told_source(source: source::Source) -> view::Source {
    view::Source {
        date: source.date,
        din: source.din.map(|din| din.to_string()),
        laboratory: source.laboratory,
        record: source.record,
    }
}

pub(super) fn blood_group(group: blood::BloodGroup) -> view::BloodGroup {
    let sign = |antigen| match antigen {
        blood::Antigen::Negative => "-".to_owned(),
        blood::Antigen::Positive => "+".to_owned(),
    };
    let abo = match group.abo {
        blood::Abo::O => "O",
        blood::Abo::A => "A",
        blood::Abo::B => "B",
        blood::Abo::AB => "AB",
    };
    view::BloodGroup {
        abo: abo.to_owned(),
        rh: sign(group.rh),
        kell: group.kell.map(sign),
    }
}
