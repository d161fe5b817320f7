//! Reading deferrals, donations and blood groups of one donor out of many resources.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{Deferral, DeferralKind, Donation, DonationKind, DonationStatus};
use crate::{
    blood::{BloodGroup, Determined},
    fhir::{FhirDate, Flag, Observation, Procedure, Resource, Specimen, shown_day, system},
    rules::Rules,
    source::{Source, Sources, Stated, groups, stated},
};

fn observations<'a>(
    id: &'a str,
    resources: &'a [Resource],
) -> impl Iterator<Item = &'a Observation> {
    resources.iter().filter_map(move |r| match r {
        Resource::Observation(o) if o.subject.id_of("Patient") == Some(id) => Some(o),
        _ => None,
    })
}

pub(super) fn determined(id: &str, resources: &[Resource]) -> Determined {
    let groups: Vec<BloodGroup> = observations(id, resources)
        .flat_map(Observation::blood_groups)
        .collect();
    Determined::from_groups(&groups)
}

/// Every determination of a donor's group, with its source.
pub(crate) fn determinations(id: &str, resources: &[Resource]) -> Vec<(BloodGroup, Source)> {
    groups(observations(id, resources), &Sources::read(resources))
}

/// What disagrees, with the sources of each.
pub(crate) fn conflict(
    determined: &Determined,
    found: &[(BloodGroup, Source)],
) -> Vec<Stated<BloodGroup>> {
    stated(determined.conflict.iter().copied(), found)
}

/// Flags of a donor that count: active ones, and those of which it cannot be said that they do not.
pub(super) fn flags<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a Flag> {
    resources.iter().filter_map(move |r| match r {
        Resource::Flag(f)
            if f.subject.id_of("Patient") == Some(id)
                && (f.status == "active" || f.is_modified() && f.status != "entered-in-error") =>
        {
            Some(f)
        }
        _ => None,
    })
}

/// Last day a flag can mean; `None` is permanent. An end that is not understood counts as none: the safer value.
pub(super) fn end_of(flag: &Flag) -> Option<Date> {
    let (_, last) = flag.days();
    last.filter(|_| !flag.is_modified())
}

pub(crate) fn deferrals(
    id: &str,
    resources: &[Resource],
    today: Date,
    rules: &Rules,
) -> Vec<Deferral> {
    let mut found: Vec<(Option<Date>, Deferral)> = flags(id, resources)
        .map(|flag| (end_of(flag), flag))
        .filter(|(end, _)| end.is_none_or(|end| end >= today))
        .map(|(end, flag)| (end, deferral(flag, end, today, rules)))
        .collect();
    // No end first, then the latest end.
    found.sort_by_key(|(end, d)| (end.is_some(), end.map(std::cmp::Reverse), d.from.clone()));
    found.into_iter().map(|(_, deferral)| deferral).collect()
}

fn deferral(flag: &Flag, end: Option<Date>, today: Date, rules: &Rules) -> Deferral {
    if flag.is_modified() {
        return Deferral {
            kind: DeferralKind::Permanent,
            reason_kk: rules.not_understood.kk.clone(),
            reason_ru: rules.not_understood.ru.clone(),
            from: String::new(),
            until: None,
            days_left: None,
            by: None,
            rule: None,
            verified: false,
        };
    }
    let rule = flag
        .code
        .code_in(system::DEFERRAL)
        .and_then(|code| rules.deferral(code, today));
    let fallback = || {
        let display = flag
            .code
            .coding
            .iter()
            .find_map(|c| c.display.clone().or_else(|| c.code.clone()));
        flag.code.text.clone().or(display).unwrap_or_default()
    };
    let (start, _) = flag.days();
    let reason = |language: &str, of_rule: Option<&String>| {
        flag.code
            .text_in(language)
            .map(ToOwned::to_owned)
            .or_else(|| of_rule.cloned())
    };
    Deferral {
        kind: if end.is_some() {
            DeferralKind::Temporary
        } else {
            DeferralKind::Permanent
        },
        // The text itself is Kazakh where it has a Russian translation.
        reason_kk: match (&flag.code.text, flag.code.text_in("ru")) {
            (Some(text), Some(_)) => text.clone(),
            _ => reason("kk", rule.map(|r| &r.kk)).unwrap_or_else(fallback),
        },
        reason_ru: reason("ru", rule.map(|r| &r.ru)).unwrap_or_else(fallback),
        from: start.map(|day| day.to_string()).unwrap_or_default(),
        until: end.map(|e| e.to_string()),
        days_left: end
            .and_then(|e| today.until(e).ok())
            .map(|span| span.get_days()),
        by: flag.author.as_ref().and_then(|a| a.display.clone()),
        rule: rule.map(|r| r.source.clone()),
        verified: rule.is_some() && rules.verified,
    }
}

pub(super) fn donations(id: &str, resources: &[Resource]) -> Vec<Donation> {
    let volumes: HashMap<&str, u32> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Specimen(s) if !r.not_understood() => {
                Some((s.procedure_id()?, Specimen::volume_ml(s)?))
            }
            _ => None,
        })
        .collect();
    let mut found: Vec<(String, &str, Donation)> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Procedure(p)
                if p.subject.id_of("Patient") == Some(id) && !r.not_understood() =>
            {
                let donation = donation(p, volumes.get(p.id.as_str()).copied())?;
                Some((shown_day(p.occurred()?), p.occurred()?, donation))
            }
            _ => None,
        })
        .collect();
    found.sort_by(|(a_day, a, _), (b_day, b, _)| (b_day, b).cmp(&(a_day, a)));
    found.into_iter().map(|(.., donation)| donation).collect()
}

/// What a timeline shows; also what bars by its interval, or by what is not known of it.
fn donation(procedure: &Procedure, volume_ml: Option<u32>) -> Option<Donation> {
    let status = DonationStatus::from_code(&procedure.status)?;
    let kind = procedure.donation_kind();
    if kind.is_none() && !procedure.may_have_taken() {
        return None;
    }
    let din = procedure.din();
    Some(Donation {
        date: shown_day(procedure.occurred()?),
        din_check: din.map(|d| d.check_char().to_string()),
        din: din.map(|d| d.to_string()),
        kind,
        volume_ml: volume_ml.filter(|_| status != DonationStatus::NotDone),
        status,
    })
}

/// The kind of a donation at which blood may have been taken, if it is known, and the last day that its date can mean. `None`: nothing was
/// taken, or it is a transfusion.
pub(crate) fn donated_at(procedure: &Procedure) -> Option<(Option<DonationKind>, Option<Date>)> {
    let day = procedure.occurred().and_then(FhirDate::parse);
    let donated = (procedure.donation_kind(), day.map(|day| day.last));
    procedure.may_have_taken().then_some(donated)
}
