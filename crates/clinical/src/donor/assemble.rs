//! Reading deferrals, donations and blood groups of one donor out of many resources.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{Deferral, DeferralKind, Donation, DonationKind, DonationStatus};
use crate::{
    blood::{BloodGroup, Determined},
    fhir::{FhirDate, Flag, Identifier, Procedure, Resource, Specimen, system},
    isbt128::Din,
    rules::Rules,
};

pub(crate) fn determined(id: &str, resources: &[Resource]) -> Determined {
    let groups: Vec<BloodGroup> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Observation(o) if o.subject.id_of("Patient") == Some(id) => o.blood_group(),
            _ => None,
        })
        .collect();
    Determined::from_groups(&groups)
}

/// Flags of a donor that count: active ones, and those of which it cannot be said that they do not.
pub(super) fn flags<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a Flag> {
    resources.iter().filter_map(move |r| match r {
        Resource::Flag(f)
            if f.subject.id_of("Patient") == Some(id)
                && (f.status == "active" || is_modified(f) && f.status != "entered-in-error") =>
        {
            Some(f)
        }
        _ => None,
    })
}

fn is_modified(flag: &Flag) -> bool {
    flag.implicit_rules.is_some() || !flag.modifier_extension.is_empty()
}

/// Last day a flag can mean; `None` is permanent. An end that is not understood counts as none: the safer value.
pub(super) fn end_of(flag: &Flag) -> Option<Date> {
    if is_modified(flag) {
        return None;
    }
    flag.period
        .as_ref()?
        .end
        .as_deref()
        .and_then(FhirDate::parse)
        .map(|end| end.last)
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
    if is_modified(flag) {
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
        .and_then(|code| rules.deferral(code));
    let fallback = || {
        let display = flag
            .code
            .coding
            .iter()
            .find_map(|c| c.display.clone().or_else(|| c.code.clone()));
        flag.code.text.clone().or(display).unwrap_or_default()
    };
    let start = flag
        .period
        .as_ref()
        .and_then(|p| p.start.as_deref())
        .and_then(FhirDate::parse);
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
        from: start.map(|s| s.first.to_string()).unwrap_or_default(),
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
    let mut found: Vec<(&str, Donation)> = resources
        .iter()
        .filter_map(|r| match r {
            Resource::Procedure(p)
                if p.subject.id_of("Patient") == Some(id) && !r.not_understood() =>
            {
                Some((
                    p.occurred()?,
                    donation(p, volumes.get(p.id.as_str()).copied())?,
                ))
            }
            _ => None,
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    found.into_iter().map(|(_, donation)| donation).collect()
}

fn donation(procedure: &Procedure, volume_ml: Option<u32>) -> Option<Donation> {
    let status = match procedure.status.as_str() {
        "completed" => DonationStatus::Completed,
        "not-done" => DonationStatus::NotDone,
        _ => return None,
    };
    let kind = DonationKind::from_code(procedure.code.as_ref()?.code_in(system::DONATION)?)?;
    let occurred = procedure.occurred()?;
    let din = Identifier::find(&procedure.identifier, system::DIN).and_then(|d| Din::parse(d).ok());
    Some(Donation {
        date: occurred.split('T').next().unwrap_or(occurred).to_owned(),
        din_check: din.map(|d| d.check_char().to_string()),
        din: din.map(|d| d.to_string()),
        kind,
        volume_ml: volume_ml.filter(|_| status == DonationStatus::Completed),
        status,
    })
}

/// The kind of a donation at which blood may have been taken, and the last day that its date can mean. `None`: nothing was taken, or it is no
/// donation. One that was stopped brought blood too.
pub(crate) fn donated_at(procedure: &Procedure) -> Option<(DonationKind, Option<Date>)> {
    let kind = DonationKind::from_code(procedure.code.as_ref()?.code_in(system::DONATION)?)?;
    let day = procedure.occurred().and_then(FhirDate::parse);
    (!matches!(
        procedure.status.as_str(),
        "not-done" | "preparation" | "entered-in-error"
    ))
    .then(|| (kind, day.map(|day| day.last)))
}
