//! What the laboratory and the examination found about a donor: screening by donation, antigens, vital signs.
//!
//! Where two results of one test disagree, both are shown, the graver one first. What is not understood is left out here and counted
//! by the card.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};

use crate::{
    blood::{BloodGroup, Determined},
    fhir::{FhirDate, Observation, Quantity, Resource, shown_day, system, vital},
    isbt128::Din,
    source::{Source, Sources, Stated, disagreement},
};

/// A test of a screening.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    Hiv,
    Hbv,
    Hcv,
    Syphilis,
    Alt,
    /// A code that this version does not know; its result is shown all the same.
    Other(String),
}

impl Test {
    /// The code in [`system::SCREENING`].
    pub fn code(&self) -> &str {
        match self {
            Self::Hiv => "hiv",
            Self::Hbv => "hbv",
            Self::Hcv => "hcv",
            Self::Syphilis => "syphilis",
            Self::Alt => "alt",
            Self::Other(code) => code,
        }
    }

    fn from_code(code: &str) -> Self {
        [Self::Hiv, Self::Hbv, Self::Hcv, Self::Syphilis, Self::Alt]
            .into_iter()
            .find(|test| test.code() == code)
            .unwrap_or_else(|| Self::Other(code.to_owned()))
    }
}

/// What a test found; the graver ones first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    Positive,
    Indeterminate,
    Negative,
    /// The value with its unit.
    Number(String),
}

/// Results of one donation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screening {
    /// When the last of them was known, `YYYY-MM-DD` or less; empty if that was not written down.
    pub date: String,
    /// Id of the donation.
    pub donation: Option<String>,
    pub din: Option<Din>,
    /// By test; more than one of a test where they disagree, the graver first.
    pub results: Vec<(Test, Finding)>,
    /// The blood group as it was determined then: none, one, or all that disagree, the safer first.
    pub groups: Vec<BloodGroup>,
}

impl Screening {
    /// Whether an infection was found.
    pub fn is_positive(&self) -> bool {
        self.has(&Finding::Positive)
    }

    /// Whether an infection was found, or could not be ruled out.
    pub fn is_reactive(&self) -> bool {
        self.is_positive() || self.has(&Finding::Indeterminate)
    }

    /// Takes in what else was found at the same time.
    pub(crate) fn join(&mut self, results: Vec<(Test, Finding)>, groups: Vec<BloodGroup>) {
        self.results.extend(results);
        self.results.sort();
        self.results.dedup();
        self.groups.extend(groups);
        self.groups.sort_unstable();
        self.groups.dedup();
        // Without Kell it is no other group than with it.
        let with_kell = self.groups.clone().into_iter().filter(|g| g.kell.is_some());
        let with_kell: Vec<&str> = with_kell.map(|g| g.code()).collect();
        self.groups
            .retain(|g| g.kell.is_some() || !with_kell.contains(&g.code()));
        let conflict = Determined::from_groups(&self.groups).conflict;
        if !conflict.is_empty() {
            self.groups = conflict;
        }
    }

    fn has(&self, wanted: &Finding) -> bool {
        self.results.iter().any(|(_, finding)| finding == wanted)
    }
}

/// An antigen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phenotype {
    /// `C`, `c`, `E`, `e`, `Cw`, `K` …
    pub antigen: String,
    /// Whether some determination found it: the safer value for who gives blood.
    pub present: bool,
    /// Found, and not found, each with its sources; empty unless they disagree.
    pub conflict: Vec<Stated<bool>>,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    Haemoglobin,
    Pressure,
    Pulse,
    Weight,
}

/// A vital sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vital {
    pub measure: Measure,
    /// Systolic and diastolic with a stroke between them.
    pub value: String,
    pub unit: String,
    /// `YYYY-MM-DD`, or less where less is known.
    pub date: String,
}

/// Determinations of a donor that count and are understood.
fn found<'a>(id: &'a str, resources: &'a [Resource]) -> impl Iterator<Item = &'a Observation> {
    resources.iter().filter_map(move |r| match r {
        Resource::Observation(o)
            if o.subject.id_of("Patient") == Some(id) && o.counts() && !r.not_understood() =>
        {
            Some(o)
        }
        _ => None,
    })
}

/// Screenings of a donor, latest first. A group that was determined at a donation is part of its row, with or without results; one without a
/// donation is told in the rows of its day, and makes none.
pub fn screenings(id: &str, resources: &[Resource]) -> Vec<Screening> {
    let sources = Sources::read(resources);
    // By donation; results without one by day.
    let mut rows: BTreeMap<(Option<&str>, String), Screening> = BTreeMap::new();
    let mut of_days: Vec<(String, Vec<BloodGroup>)> = Vec::new();
    for observation in found(id, resources) {
        let result = result(observation);
        let groups = observation.blood_groups();
        let donation = observation.donation_id();
        let day = day(observation);
        if result.is_none() && groups.is_empty() {
            continue;
        }
        if result.is_none() && donation.is_none() {
            // What has no day is of none.
            if !day.is_empty() {
                of_days.push((day, groups));
            }
            continue;
        }
        let of_day = day.clone();
        let key = (donation, donation.map_or(of_day, |_| String::new()));
        let row = rows.entry(key).or_insert_with(|| Screening {
            date: String::new(),
            donation: donation.map(ToOwned::to_owned),
            din: donation.and_then(|id| sources.din(id)),
            results: Vec::new(),
            groups: Vec::new(),
        });
        if first_day(&day) > first_day(&row.date) {
            row.date = day;
        }
        row.join(result.into_iter().collect(), groups);
    }
    let mut rows: Vec<Screening> = rows.into_values().collect();
    for row in &mut rows {
        let donated = row.donation.as_deref().and_then(|id| drawn(id, resources));
        for (day, groups) in &of_days {
            if row.date == *day || donated.as_ref() == Some(day) {
                row.join(Vec::new(), groups.clone());
            }
        }
    }
    rows.sort_by(|a, b| (first_day(&b.date), &b.donation).cmp(&(first_day(&a.date), &a.donation)));
    rows
}

/// The day of a donation.
fn drawn(id: &str, resources: &[Resource]) -> Option<String> {
    resources.iter().find_map(|r| match r {
        Resource::Procedure(p) if p.id == id && !r.not_understood() => p.occurred().map(shown_day),
        _ => None,
    })
}

fn result(observation: &Observation) -> Option<(Test, Finding)> {
    let test = Test::from_code(observation.screening()?);
    let finding = if test == Test::Alt {
        let quantity = observation.value_quantity.as_ref()?;
        let value = format!("{} {}", quantity.written()?, unit(quantity));
        Finding::Number(value.trim_end().to_owned())
    } else {
        match observation.interpreted()? {
            "POS" => Finding::Positive,
            "NEG" => Finding::Negative,
            _ => Finding::Indeterminate,
        }
    };
    Some((test, finding))
}

/// Antigens of a donor, in the order in which they are usually written.
pub fn phenotype(id: &str, resources: &[Resource]) -> Vec<Phenotype> {
    const ORDER: [&str; 6] = ["C", "c", "E", "e", "Cw", "K"];
    let sources = Sources::read(resources);
    let mut results: BTreeMap<(usize, &str), Vec<(bool, Source)>> = BTreeMap::new();
    let determined = found(id, resources)
        .filter(|o| o.code.code_in(system::PHENOTYPE).is_some())
        .flat_map(|o| o.component.iter().map(move |component| (o, component)));
    for (observation, component) in determined {
        let Some(antigen) = component.code.code_in(system::ANTIGEN) else {
            continue;
        };
        for present in component.found() {
            let at = ORDER.iter().position(|known| *known == antigen);
            let entry = results.entry((at.unwrap_or(ORDER.len()), antigen));
            entry.or_default().push((present, sources.of(observation)));
        }
    }
    results
        .into_iter()
        .map(|((_, antigen), found)| Phenotype {
            antigen: antigen.to_owned(),
            present: found.iter().any(|(present, _)| *present),
            conflict: disagreement(&found),
        })
        .collect()
}

/// The latest vital signs of a donor.
pub fn vitals(id: &str, resources: &[Resource]) -> Vec<Vital> {
    let mut latest: BTreeMap<Measure, (Moment<'_>, Vital)> = BTreeMap::new();
    for observation in found(id, resources) {
        let Some((measure, value, unit)) = measured(observation) else {
            continue;
        };
        let date = day(observation);
        let at = moment(observation);
        if latest.get(&measure).is_none_or(|(before, _)| *before < at) {
            let vital = Vital {
                measure,
                value,
                unit,
                date,
            };
            latest.insert(measure, (at, vital));
        }
    }
    latest.into_values().map(|(_, vital)| vital).collect()
}

fn measured(observation: &Observation) -> Option<(Measure, String, String)> {
    let code = observation.code.code_in(system::LOINC)?;
    if code == vital::BLOOD_PRESSURE {
        let part = |wanted| {
            let part = observation
                .component
                .iter()
                .find(|c| c.code.code_in(system::LOINC) == Some(wanted))?;
            part.value_quantity.as_ref()
        };
        let (systolic, diastolic) = (part(vital::SYSTOLIC)?, part(vital::DIASTOLIC)?);
        // Two units would make one number of two.
        if unit(systolic) != unit(diastolic) {
            return None;
        }
        let value = format!("{}/{}", systolic.written()?, diastolic.written()?);
        return Some((Measure::Pressure, value, unit(systolic)));
    }
    let measure = match code {
        vital::HAEMOGLOBIN => Measure::Haemoglobin,
        vital::PULSE => Measure::Pulse,
        vital::WEIGHT => Measure::Weight,
        _ => return None,
    };
    let quantity = observation.value_quantity.as_ref()?;
    Some((measure, quantity.written()?, unit(quantity)))
}

fn unit(quantity: &Quantity) -> String {
    let unit = quantity.unit.as_ref().or(quantity.code.as_ref());
    unit.cloned().unwrap_or_default()
}

/// The day as it is shown; empty if none was written down.
fn day(observation: &Observation) -> String {
    let at = observation.effective_date_time.as_deref();
    at.map(shown_day).unwrap_or_default()
}

fn first_day(date: &str) -> Option<Date> {
    FhirDate::parse(date).map(|date| date.first)
}

/// What orders measurements: day, time, then the id by its length, as numbers grow; the order of the resources must not matter.
type Moment<'a> = (Option<Date>, Option<Time>, usize, &'a str);

fn moment(observation: &Observation) -> Moment<'_> {
    let at = observation.effective_date_time.as_deref();
    let at = at.and_then(FhirDate::parse);
    let id = observation.id.as_str();
    (
        at.map(|at| at.first),
        at.and_then(|at| at.time),
        id.len(),
        id,
    )
}

#[cfg(test)]
mod tests;
