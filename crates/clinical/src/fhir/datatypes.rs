//! FHIR datatypes, each with the elements this product reads or writes.

use jiff::{
    ToSpan as _,
    civil::{Date, DateTime, Time},
};
use serde::{Deserialize, Serialize};

use super::text::{list, optional, required};

/// Hours from UTC to Kazakhstan's one time, that of every site.
const SITE_HOURS: i64 = 5;
/// FHIR knows no year 0.
const FIRST_DAY: Date = Date::constant(1, 1, 1);

/// A FHIR `date` or `dateTime` of any precision, read as the days it can mean.
///
/// A date without a time counts as written. A moment counts as the day that it is at the sites, UTC+5, wherever it was written: 22:00 UTC is
/// the next day there, and a deferral or an interval must not end a day early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FhirDate {
    /// First possible day.
    pub first: Date,
    /// Last possible day; the same for a full date.
    pub last: Date,
    /// Time of that day at the sites, where one is written.
    pub time: Option<Time>,
}

impl FhirDate {
    /// `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or a date with a time.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text
            .split_once('T')
            .map_or((text, None), |(d, t)| (d, Some(t)));
        // Four digits, and FHIR knows no year 0.
        let year = date.get(..4)?;
        let has_year = year.bytes().all(|b| b.is_ascii_digit()) && year != "0000";
        if !has_year || !date.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return None;
        }
        if let Some(time) = time {
            let at = at_site(date, time)?;
            return Some(Self {
                first: at.date(),
                last: at.date(),
                time: Some(at.time()),
            });
        }
        match date.len() {
            4 => {
                let year = date.parse().ok()?;
                Some(Self {
                    first: Date::new(year, 1, 1).ok()?,
                    last: Date::new(year, 12, 31).ok()?,
                    time: None,
                })
            }
            7 => {
                let first: Date = format!("{date}-01").parse().ok()?;
                Some(Self {
                    first,
                    last: first.last_of_month(),
                    time: None,
                })
            }
            10 => date.parse().ok().map(|day| Self {
                first: day,
                last: day,
                time: None,
            }),
            _ => None,
        }
    }

    /// The day, if the precision is a full date.
    pub fn day(&self) -> Option<Date> {
        (self.first == self.last).then_some(self.first)
    }
}

/// Date and time at the sites. Not by way of a timestamp: the last of those lies a day before the end of the calendar, which is how
/// some write «without an end».
fn at_site(date: &str, time: &str) -> Option<DateTime> {
    let (time, hours, minutes) = if let Some(time) = time.strip_suffix('Z') {
        (time, 0, 0)
    } else {
        let (time, offset) = time.split_at_checked(time.len().checked_sub(6)?)?;
        let (sign, offset) = offset.split_at_checked(1)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let (hours, minutes) = offset.split_once(':')?;
        let number = |digits: &str, most: i64| {
            let is_number = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            let number: i64 = digits.parse().ok().filter(|_| is_number)?;
            (number <= most).then_some(number)
        };
        (time, sign * number(hours, 14)?, sign * number(minutes, 59)?)
    };
    let is_time = time.len() >= 8
        && time
            .bytes()
            .all(|b| b.is_ascii_digit() || b":.".contains(&b));
    if date.len() != 10 || !is_time {
        return None;
    }
    let written: DateTime = format!("{date}T{time}").parse().ok()?;
    // In one unit: a span has one sign for all of its units.
    let shift = ((SITE_HOURS - hours) * 60 - minutes).minutes();
    Some(written.saturating_add(shift).max(FIRST_DAY.at(0, 0, 0, 0)))
}

/// The day of a `date` or `dateTime` as a card shows it: of a moment the day at the sites, else as written.
pub(crate) fn shown_day(written: &str) -> String {
    match FhirDate::parse(written) {
        Some(day) if day.time.is_some() => day.first.to_string(),
        _ => written.split('T').next().unwrap_or(written).to_owned(),
    }
}

/// `Meta`: only security labels and tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meta {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security: Vec<Coding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<Coding>,
}

/// An `Extension` with the value types used here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_code: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub value_string: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extension: Vec<Extension>,
}

impl Extension {
    const TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/translation";

    /// HL7's translation extension.
    pub fn translation(language: &str, content: &str) -> Self {
        Self {
            url: Self::TRANSLATION.to_owned(),
            extension: vec![
                Self {
                    url: "lang".to_owned(),
                    value_code: Some(language.to_owned()),
                    ..Self::default()
                },
                Self {
                    url: "content".to_owned(),
                    value_string: Some(content.to_owned()),
                    ..Self::default()
                },
            ],
            ..Self::default()
        }
    }

    fn translated(&self, language: &str) -> Option<&str> {
        let part = |url| self.extension.iter().find(|e| e.url == url);
        (self.url == Self::TRANSLATION && part("lang")?.value_code.as_deref()? == language)
            .then(|| part("content")?.value_string.as_deref())
            .flatten()
    }
}

/// The part of a primitive that stands under its name with `_`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Element {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extension: Vec<Extension>,
}

/// `Coding`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coding {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Shown where there are no other words for it.
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub code: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub display: Option<String>,
}

impl Coding {
    /// A coding without a display.
    pub fn new(system: &str, code: &str) -> Self {
        Self {
            system: Some(system.to_owned()),
            code: Some(code.to_owned()),
            display: None,
        }
    }

    /// Whether it is that code of that system.
    pub fn is(&self, system: &str, code: &str) -> bool {
        self.system.as_deref() == Some(system) && self.code.as_deref() == Some(code)
    }
}

/// `CodeableConcept`; `_text` may hold translations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CodeableConcept {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coding: Vec<Coding>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub text: Option<String>,
    #[serde(rename = "_text", skip_serializing_if = "Option::is_none")]
    pub text_element: Option<Element>,
}

impl CodeableConcept {
    /// One coding.
    pub fn of(system: &str, code: &str) -> Self {
        Self {
            coding: vec![Coding::new(system, code)],
            ..Self::default()
        }
    }

    /// With a Kazakh text and its Russian translation.
    #[must_use]
    pub fn with_text(mut self, kk: &str, ru: &str) -> Self {
        self.text = Some(kk.to_owned());
        self.text_element = Some(Element {
            extension: vec![Extension::translation("ru", ru)],
        });
        self
    }

    /// The code in one system.
    pub fn code_in(&self, system: &str) -> Option<&str> {
        self.coding
            .iter()
            .find(|c| c.system.as_deref() == Some(system))?
            .code
            .as_deref()
    }

    /// All codes in one system.
    pub fn codes_in<'a>(&'a self, system: &'a str) -> impl Iterator<Item = &'a str> {
        self.coding
            .iter()
            .filter(move |c| c.system.as_deref() == Some(system))
            .filter_map(|c| c.code.as_deref())
    }

    /// The text translated into a language.
    pub fn text_in(&self, language: &str) -> Option<&str> {
        self.text_element
            .as_ref()?
            .extension
            .iter()
            .find_map(|e| e.translated(language))
    }
}

/// `Identifier`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub value: Option<String>,
}

impl Identifier {
    /// A value in a system.
    pub fn new(system: &str, value: impl Into<String>) -> Self {
        Self {
            system: Some(system.to_owned()),
            value: Some(value.into()),
        }
    }

    /// The first value of a system in a list.
    pub fn find<'a>(list: &'a [Self], system: &str) -> Option<&'a str> {
        Self::all(list, system).next()
    }

    /// Every value of a system in a list.
    pub fn all<'a>(list: &'a [Self], system: &str) -> impl Iterator<Item = &'a str> {
        list.iter()
            .filter(move |identifier| identifier.system.as_deref() == Some(system))
            .filter_map(|identifier| identifier.value.as_deref())
    }
}

/// `Reference`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub display: Option<String>,
}

impl Reference {
    /// `Type/id`.
    pub fn to(resource_type: &str, id: &str) -> Self {
        Self {
            reference: Some(format!("{resource_type}/{id}")),
            display: None,
        }
    }

    /// Only words, for somebody without a record here.
    pub fn words(display: &str) -> Self {
        Self {
            reference: None,
            display: Some(display.to_owned()),
        }
    }

    /// The id, if this is a relative reference to that type.
    pub fn id_of(&self, resource_type: &str) -> Option<&str> {
        let id = self
            .reference
            .as_deref()?
            .strip_prefix(resource_type)?
            .strip_prefix('/')?;
        super::is_id(id).then_some(id)
    }
}

/// `Period`; no end means it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Period {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// `Quantity`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Quantity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Number>,
    /// `<`, `<=`, `>=` or `>`: the value is a bound, not the quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparator: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Shown where there is no unit in words.
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub code: Option<String>,
}

impl Quantity {
    /// The quantity, if it is a finite number and no bound of one.
    pub fn number(&self) -> Option<f64> {
        self.bound().filter(|_| self.comparator.is_none())
    }

    /// The number that is written, be it the quantity or a bound of it that is understood.
    pub fn bound(&self) -> Option<f64> {
        let is_known = matches!(
            self.comparator.as_deref(),
            None | Some("<" | "<=" | ">=" | ">")
        );
        let value = self.value.as_ref().filter(|_| is_known)?;
        value.as_f64().filter(|n| n.is_finite())
    }

    /// The number as it stands, with its comparator.
    pub fn written(&self) -> Option<String> {
        self.bound()?;
        let comparator = self.comparator.as_deref().unwrap_or_default();
        Some(format!("{comparator}{}", self.value.as_ref()?))
    }
}

/// `CodeableReference`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CodeableReference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concept: Option<CodeableConcept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// `Annotation`: only its words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Annotation {
    #[serde(deserialize_with = "required")]
    pub text: String,
}

/// `HumanName`; the first given name, then the patronymic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HumanName {
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    #[serde(
        default,
        deserialize_with = "optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub family: Option<String>,
    #[serde(
        default,
        deserialize_with = "list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub given: Vec<String>,
}
