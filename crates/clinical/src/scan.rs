//! What somebody scanned or typed: a donation's label or number, or a person's IIN; under whatever keyboard layout it came.

use crate::{
    iin::{Iin, IinError},
    isbt128::{Din, IsbtError, Label},
    keyboard::{self, Layout},
};

/// Longest text that is read; the longest label has far less.
const LONGEST: usize = 256;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    Donation(Din),
    Person(Iin),
    /// It has the form of a number, and its check character is another.
    WrongCheck,
    /// Neither.
    Unknown(Expected),
}

/// What was expected in place of something unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A donation number or an IIN.
    Number,
    /// The donation number's own symbol: this is another one of the label.
    DonationNumber,
    /// All of it: a part is missing.
    Whole,
    /// One label at a time: these are parts of two.
    OneLabel,
    /// The IIN of somebody who is on record here.
    KnownIin,
}

impl Expected {
    /// Stable kebab-case code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::DonationNumber => "donation-number",
            Self::Whole => "whole",
            Self::OneLabel => "one-label",
            Self::KnownIin => "known-iin",
        }
    }
}

/// Why one reading of the keys is no number; the last tells most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Nothing,
    NoDonation,
    Cut,
    Mixed,
    Check,
}

impl Scan {
    /// Reads a text as it is, and as keys of the Russian and the Kazakh layout.
    pub fn read(text: &str) -> Self {
        if text.len() > LONGEST {
            return Self::Unknown(Expected::Number);
        }
        // Scanners put a line end or a group separator after, or between.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim();
        let readings = [
            text.to_owned(),
            keyboard::decode_shifted(text, Layout::Russian),
            keyboard::decode_shifted(text, Layout::Kazakh),
            text.to_uppercase(),
            keyboard::decode(text, Layout::Russian),
            keyboard::decode(text, Layout::Kazakh),
        ];
        let mut telling = Fault::Nothing;
        for reading in &readings {
            match read_once(reading) {
                Ok(scan) => return scan,
                Err(fault) => telling = telling.max(fault),
            }
        }
        match telling {
            Fault::Check => Self::WrongCheck,
            Fault::Mixed => Self::Unknown(Expected::OneLabel),
            Fault::Cut => Self::Unknown(Expected::Whole),
            Fault::NoDonation => Self::Unknown(Expected::DonationNumber),
            Fault::Nothing => Self::Unknown(Expected::Number),
        }
    }
}

/// Reads one text of Latin keys.
fn read_once(text: &str) -> Result<Scan, Fault> {
    if text.starts_with(['=', '&', ']']) {
        return label(text);
    }
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if !bare.is_ascii() || bare.is_empty() {
        return Err(Fault::Nothing);
    }
    // Scanned twice: the trigger was held. A single number has no more than 14 characters.
    let (first, second) = bare.split_at(bare.len() / 2);
    let is_twice = bare.len() > 14 && first == second;
    let bare = if is_twice { first } else { &bare };
    if bare.bytes().all(|b| b.is_ascii_digit()) {
        return match Iin::parse(bare) {
            Ok(iin) => Ok(Scan::Person(iin)),
            Err(IinError::CheckDigit | IinError::NeverIssued) => Err(Fault::Check),
            Err(IinError::Length | IinError::Digits) => Err(Fault::Nothing),
        };
    }
    // A component's own number begins with that of its donation.
    let number = match bare.split_at_checked(13) {
        Some((din, rest)) if rest.starts_with('-') => din.to_owned(),
        _ => bare.replace('-', ""),
    };
    match Din::parse(&number) {
        Ok(din) => Ok(Scan::Donation(din)),
        Err(IsbtError::Check) => Err(Fault::Check),
        Err(_) => Err(beginning(&number)),
    }
}

fn label(text: &str) -> Result<Scan, Fault> {
    match Label::parse(text) {
        Ok(Label { din: Some(din), .. }) => Ok(Scan::Donation(din)),
        Ok(_) => Err(Fault::NoDonation),
        Err(IsbtError::Check) => Err(Fault::Check),
        Err(IsbtError::Contradiction) => Err(Fault::Mixed),
        Err(IsbtError::Length) => Err(Fault::Cut),
        Err(_) => Err(Fault::Nothing),
    }
}

/// Whether it could be the beginning of a donation number: a facility, then digits alone.
fn beginning(number: &str) -> Fault {
    let is_facility = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    match number.split_at_checked(5) {
        Some((facility, rest))
            if is_facility(facility)
                && (2..8).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Fault::Cut
        }
        _ => Fault::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn donation() -> Scan {
        Scan::Donation(Din::parse("KZ00126000001").unwrap())
    }

    #[test]
    fn donations_under_every_layout() {
        for text in [
            "KZ00126000001",
            "KZ00126000001V",
            "kz001 26 000001 v",
            "KZ001-26-000001",
            "KZ00126000001-ffp-00",
            "=KZ0012600000191",
            "=KZ0012600000100\r",
            "]C0=KZ0012600000191",
            "=%5100=<E0382V00&>0263250915=KZ0012600000191",
            "=KZ0012600000191=KZ0012600000191",
            "KZ00126000001VKZ00126000001V",
            "лЯ00126000001М",
            "ЛЯ00126000001М",
            "ля00126000001м",
            "=%5100?Ю0263250915=ЛЯ0012600000191",
            "ъС0=ЛЯ0012600000191",
            "ЛЯққ\"ә,қққққ\"М",
            "=Ғғ\"ққ=БУқіұәМққ=ЛЯққ\"ә,қққққ\"ұ\"",
        ] {
            assert_eq!(Scan::read(text), donation(), "{text}");
        }
    }

    #[test]
    fn people_under_every_layout() {
        let iin = Iin::parse("850715400129").unwrap();
        for text in [
            "850715400129",
            "850715 400129",
            " 850715400129\n",
            "850715400129850715400129",
            "үғқ.\"ғңққ\"әұ",
        ] {
            assert_eq!(Scan::read(text), Scan::Person(iin), "{text}");
        }
    }

    #[test]
    fn halves_that_are_alike_are_no_second_scan() {
        let mut alike = (900_101..900_200).map(|half| format!("{half}{half}"));
        let iin = alike.find_map(|text| Iin::parse(&text).ok()).unwrap();
        assert_eq!(Scan::read(&iin.to_string()), Scan::Person(iin));
    }

    #[test]
    fn a_wrong_check_is_told_from_something_else() {
        for text in [
            "900101300018",
            "KZ00126000001X",
            "KZ00126000002V",
            "=KZ0012600000160",
            "]C0=KZ0012600000160=%5100",
            "ЛЯққ\"ә,қққққ\"Ч",
            "қққққққққққ\"",
        ] {
            assert_eq!(Scan::read(text), Scan::WrongCheck, "{text}");
        }
        for (text, expected) in [
            ("", Expected::Number),
            ("hello", Expected::Number),
            ("Қасымова", Expected::Number),
            ("4601234567890", Expected::Number),
            ("85071540012", Expected::Number),
            ("КZ00126000001V'; DROP TABLE", Expected::Number),
            ("=%5100", Expected::DonationNumber),
            ("=<E0382V00&>0263250915", Expected::DonationNumber),
            ("=%Ғ", Expected::Whole),
            // Flags that are none.
            ("=KZ00126000001ZZ", Expected::Number),
            ("=KZ00126000001+5", Expected::Number),
            ("=KZ0012600000197", Expected::Number),
            ("]C0=KZ0012600000199", Expected::Number),
            ("=KZ00126000001ё", Expected::Whole),
            ("=KZ001260000", Expected::Whole),
            ("KZ0012600", Expected::Whole),
            ("=KZ0012600000191=KZ0012600000200", Expected::OneLabel),
            // A name typed into the middle of a scan.
            ("=KZ00126Қас00000191", Expected::Number),
        ] {
            assert_eq!(Scan::read(text), Scan::Unknown(expected), "{text}");
        }
        let long = "=%5100".repeat(1_000);
        assert_eq!(Scan::read(&long), Scan::Unknown(Expected::Number));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}", symbols in "[=%<>&+\\]C0-9A-Zа-яәіңғүұқ\"]{0,60}") {
            let _ = Scan::read(&text);
            let _ = Scan::read(&symbols);
        }

        /// One wrong character never opens another donation.
        #[test]
        fn a_mistyped_digit_is_noticed(serial in 0_u32..1_000_000, at in 7_usize..13, other in 0_u8..10) {
            let din = Din::compose("KZ001", 26, serial).unwrap();
            let mut typed = format!("{din}{}", din.check_char()).into_bytes();
            prop_assert_eq!(Scan::read(str::from_utf8(&typed).unwrap()), Scan::Donation(din));
            typed[at] = (typed[at] - b'0' + 1 + other % 9) % 10 + b'0';
            prop_assert_eq!(Scan::read(str::from_utf8(&typed).unwrap()), Scan::WrongCheck);
        }
    }
}
