//! ISBT 128: the donation identification number (data structure 001) with its check character, blood group symbols (002) for ABO and
//! RhD, and whole labels as a scanner reads them ([`Label`]). The standard's product tables are licensed and not shipped.

mod label;

use std::fmt;

use iso_iec_7064::{MOD_37_2, System as _};

pub use self::label::{Label, ProductCode};
use crate::blood::BloodGroup;

/// Donation identification number: facility (5), year (2), serial (6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Din([u8; 13]);

/// Why a text is not the symbol it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IsbtError {
    #[error("the symbol is too short or too long")]
    Length,
    #[error("the symbol has a character that cannot stand there")]
    Character,
    #[error("the check character is wrong")]
    Check,
    #[error("the blood group code is unknown")]
    Group,
    #[error("there is no such day or time")]
    Date,
    #[error("this is no data structure that is known here")]
    Unknown,
    #[error("the scan holds two different values of one kind")]
    Contradiction,
}

impl IsbtError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length => "isbt-length",
            Self::Character => "isbt-character",
            Self::Check => "isbt-check",
            Self::Group => "isbt-group",
            Self::Date => "isbt-date",
            Self::Unknown => "isbt-unknown",
            Self::Contradiction => "isbt-contradiction",
        }
    }
}

impl Din {
    /// Reads 13 characters, 13 and the check character, or a scanned symbol: `=` and 15 characters, the last two being flags,
    /// optionally after `]C0` or `]C4`. Spaces between the parts are ignored. Flags are two digits, 00–96; 60–96 repeat the check and are
    /// verified.
    pub fn parse(text: &str) -> Result<Self, IsbtError> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let bare = strip_scanner(&compact);
        if let Some(symbol) = bare.strip_prefix('=') {
            let (body, flags) = symbol.split_at_checked(13).ok_or(IsbtError::Length)?;
            let din = Self::from_body(body)?;
            if flags.chars().count() != 2 {
                return Err(IsbtError::Length);
            }
            if !flags.bytes().all(|b| b.is_ascii_digit()) {
                return Err(IsbtError::Character);
            }
            return match flags.parse::<u8>() {
                Ok(0..60) => Ok(din),
                Ok(value @ 60..=96) if value == din.flag_value() => Ok(din),
                Ok(60..=96) => Err(IsbtError::Check),
                _ => Err(IsbtError::Character),
            };
        }
        match bare.split_at_checked(13) {
            Some((body, "")) => Self::from_body(body),
            Some((body, check)) if check.len() == 1 => {
                let din = Self::from_body(body)?;
                if check.starts_with(din.check_char()) {
                    Ok(din)
                } else {
                    Err(IsbtError::Check)
                }
            }
            _ => Err(IsbtError::Length),
        }
    }

    /// Composes a number; `None` if the facility is not of the form α pppp, the year above 99 or the serial above 999 999.
    pub fn compose(facility: &str, year: u8, serial: u32) -> Option<Self> {
        (year < 100 && serial < 1_000_000 && facility.len() == 5)
            .then(|| Self::from_body(&format!("{facility}{year:02}{serial:06}")).ok())
            .flatten()
    }

    /// ISO/IEC 7064 MOD 37-2 over the thirteen characters: a digit, a letter or `*`.
    pub fn check_char(&self) -> char {
        match MOD_37_2.checksum_string(self.as_str()) {
            Some(value @ 0..=9) => char::from(b'0' + value as u8),
            Some(value @ 10..=35) => char::from(b'A' + value as u8 - 10),
            _ => '*',
        }
    }

    /// The two flag digits that carry the check: 60 + its value.
    pub fn flag_value(&self) -> u8 {
        60 + match self.check_char() {
            digit @ '0'..='9' => digit as u8 - b'0',
            letter @ 'A'..='Z' => letter as u8 - b'A' + 10,
            _ => 36,
        }
    }

    /// The thirteen characters.
    pub fn as_str(&self) -> &str {
        // The constructor only admits ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    fn from_body(body: &str) -> Result<Self, IsbtError> {
        let bytes: [u8; 13] = body.as_bytes().try_into().map_err(|_| IsbtError::Length)?;
        let first = matches!(bytes[0], b'A'..=b'N' | b'P'..=b'Z' | b'1'..=b'9');
        let facility = bytes[1..5]
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let number = bytes[5..].iter().all(u8::is_ascii_digit);
        if first && facility && number {
            Ok(Self(bytes))
        } else {
            Err(IsbtError::Character)
        }
    }
}

impl fmt::Display for Din {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads a blood group symbol `=%ggre` (optionally after a scanner prefix) for ABO and RhD; `r` and `e` are not interpreted.
pub fn blood_group(text: &str) -> Result<BloodGroup, IsbtError> {
    let symbol = strip_scanner(text)
        .strip_prefix("=%")
        .ok_or(IsbtError::Character)?;
    if !symbol.is_ascii() {
        return Err(IsbtError::Character);
    }
    if symbol.len() != 4 {
        return Err(IsbtError::Length);
    }
    let code = match &symbol[..2] {
        "95" => "O-",
        "51" => "O+",
        "06" => "A-",
        "62" => "A+",
        "17" => "B-",
        "73" => "B+",
        "28" => "AB-",
        "84" => "AB+",
        _ => return Err(IsbtError::Group),
    };
    BloodGroup::from_code(code).ok_or(IsbtError::Group)
}

fn strip_scanner(text: &str) -> &str {
    text.strip_prefix("]C0")
        .or_else(|| text.strip_prefix("]C4"))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn check_characters() {
        for (din, check) in [
            ("G123498654321", 'H'),
            ("KZ00124000123", '8'),
            ("KZ00126000001", 'V'),
        ] {
            let parsed = Din::parse(din).unwrap();
            assert_eq!(parsed.check_char(), check);
            assert_eq!(Din::parse(&format!("{din}{check}")), Ok(parsed));
            assert_eq!(
                Din::parse(&format!("]C0={din}{}", parsed.flag_value())),
                Ok(parsed)
            );
            assert_eq!(Din::parse(&format!("={din}00")), Ok(parsed));
        }
        assert_eq!(Din::parse("KZ00126000001").unwrap().flag_value(), 60 + 31);
        assert_eq!(
            Din::parse("KZ001 26 000001 V")
                .map(|d| d.to_string())
                .as_deref(),
            Ok("KZ00126000001")
        );
    }

    #[test]
    fn wrong_symbols() {
        assert_eq!(Din::parse("KZ00126000001X"), Err(IsbtError::Check));
        assert_eq!(Din::parse("=KZ0012600000160"), Err(IsbtError::Check));
        assert_eq!(Din::parse("KZ0012600000"), Err(IsbtError::Length));
        assert_eq!(Din::parse("=KZ001260000019"), Err(IsbtError::Length));
        for flags in ["ZZ", "+5", "97", "98", "99", "0O", "1٣", "-1"] {
            let symbol = format!("=KZ00126000001{flags}");
            assert_eq!(Din::parse(&symbol), Err(IsbtError::Character), "{symbol}");
        }
        for flags in ["ё", "1", "001", ""] {
            let symbol = format!("=KZ00126000001{flags}");
            assert_eq!(Din::parse(&symbol), Err(IsbtError::Length), "{symbol}");
        }
        assert_eq!(Din::parse("OZ00126000001"), Err(IsbtError::Character));
        assert_eq!(Din::parse("KZ00126O00001"), Err(IsbtError::Character));
        assert_eq!(
            Din::compose("KZ001", 26, 1),
            Din::parse("KZ00126000001").ok()
        );
        assert_eq!(Din::compose("KZ0001", 26, 1), None);
    }

    #[test]
    fn blood_groups() {
        let codes = [
            ("95", "O-"),
            ("51", "O+"),
            ("06", "A-"),
            ("62", "A+"),
            ("17", "B-"),
            ("73", "B+"),
            ("28", "AB-"),
            ("84", "AB+"),
        ];
        for (gg, code) in codes {
            assert_eq!(blood_group(&format!("=%{gg}00")).unwrap().code(), code);
        }
        assert_eq!(blood_group("=%9900"), Err(IsbtError::Group));
        assert_eq!(blood_group("=%95"), Err(IsbtError::Length));
        assert_eq!(blood_group("=<9500"), Err(IsbtError::Character));
    }

    proptest! {
        /// Of all flags that can be written only those of the standard open a donation.
        #[test]
        fn flags_are_two_digits_that_agree(serial in 0_u32..1_000_000, flags in "[0-9A-Z+ё٣]{2}") {
            let din = Din::compose("KZ001", 26, serial).unwrap();
            let is_digits = flags.bytes().all(|b| b.is_ascii_digit());
            let value: Option<u8> = flags.parse().ok().filter(|_| is_digits);
            let is_right = value.is_some_and(|v| v < 60 || v == din.flag_value());
            prop_assert_eq!(Din::parse(&format!("={din}{flags}")).is_ok(), is_right);
        }

        #[test]
        fn parsers_never_panic(text in "\\PC{0,20}") {
            let _ = Din::parse(&text);
            let _ = Din::parse(&format!("={text}"));
            let _ = blood_group(&text);
            let _ = blood_group(&format!("=%{text}"));
        }
    }
}
