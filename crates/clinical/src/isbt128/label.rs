//! What a scanner reads from a label: one data structure or several in one burst, in any order.

use jiff::civil::{Date, DateTime, Time};

use super::{Din, IsbtError, blood_group};
use crate::blood::BloodGroup;

/// Longest text that is read; the longest label has far less.
const MAX_TEXT: usize = 256;

/// Product code, data structure 003. The standard's tables are licensed: nothing here says what the product is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProductCode([u8; 8]);

impl ProductCode {
    /// Product description code, five characters.
    pub fn description(&self) -> &str {
        self.part(0..5)
    }

    /// Type of the donation, or of the intended use.
    pub fn donation_type(&self) -> char {
        char::from(self.0[5])
    }

    /// Division, `00` for the whole.
    pub fn division(&self) -> &str {
        self.part(6..8)
    }

    /// The eight characters.
    pub fn as_str(&self) -> &str {
        self.part(0..8)
    }

    fn part(&self, range: std::ops::Range<usize>) -> &str {
        // The constructor only admits ASCII.
        str::from_utf8(&self.0[range]).unwrap_or_default()
    }

    fn parse(text: &str) -> Result<Self, IsbtError> {
        let bytes: [u8; 8] = text.as_bytes().try_into().map_err(|_| IsbtError::Length)?;
        let [letter, rest @ ..] = &bytes;
        let is_code = letter.is_ascii_uppercase() && rest.iter().all(u8::is_ascii_alphanumeric);
        is_code.then_some(Self(bytes)).ok_or(IsbtError::Character)
    }
}

/// Everything that one scan said; at least one of them is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Label {
    /// 001.
    pub din: Option<Din>,
    /// 002.
    pub group: Option<BloodGroup>,
    /// 003.
    pub product: Option<ProductCode>,
    /// 004 (end of the day) or 005.
    pub expires: Option<DateTime>,
}

impl Label {
    /// Reads a scan: `=αppppyynnnnnnff`, `=%ggre`, `=<αoooodds`, `=>cyyjjj`, `&>cyyjjjhhmm`, each at most once (or the same again), with
    /// `]C0` or `]C4` before any of them. A compound message's head `=+aabbb` is skipped. Anything else is [`IsbtError::Unknown`]; two
    /// different values of one structure are [`IsbtError::Contradiction`], for they come from two labels.
    pub fn parse(text: &str) -> Result<Self, IsbtError> {
        let mut rest = text.trim();
        if rest.len() > MAX_TEXT {
            return Err(IsbtError::Length);
        }
        let mut label = Self::default();
        while !rest.is_empty() {
            rest = super::strip_scanner(rest);
            let length = match rest.as_bytes() {
                [b'=', b'%', ..] => 6,
                [b'=', b'+', ..] => 7,
                [b'=', b'<', ..] => 10,
                [b'=', b'>', ..] => 8,
                [b'&', b'>', ..] => 12,
                [b'=', first, ..] if first.is_ascii_alphanumeric() => 16,
                _ => return Err(IsbtError::Unknown),
            };
            let (symbol, after) = rest.split_at_checked(length).ok_or(IsbtError::Length)?;
            label.add(symbol)?;
            rest = after.trim_start();
        }
        if label == Self::default() {
            return Err(IsbtError::Unknown);
        }
        Ok(label)
    }

    fn add(&mut self, symbol: &str) -> Result<(), IsbtError> {
        if let Some(code) = symbol.strip_prefix("=<") {
            once(&mut self.product, ProductCode::parse(code)?)
        } else if let Some(day) = symbol.strip_prefix("=>") {
            once(&mut self.expires, date(day)?.at(23, 59, 0, 0))
        } else if let Some(time) = symbol.strip_prefix("&>") {
            let (day, time) = time.split_at_checked(6).ok_or(IsbtError::Length)?;
            let (hour, minute) = time.split_at_checked(2).ok_or(IsbtError::Length)?;
            let time = clock_time(number(hour)?, number(minute)?)?;
            once(&mut self.expires, date(day)?.to_datetime(time))
        } else if symbol.starts_with("=%") {
            once(&mut self.group, blood_group(symbol)?)
        } else if let Some(head) = symbol.strip_prefix("=+") {
            number(head).map(|_| ())
        } else {
            once(&mut self.din, Din::parse(symbol)?)
        }
    }
}

fn once<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<(), IsbtError> {
    match place {
        Some(before) if *before != value => Err(IsbtError::Contradiction),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn number(digits: &str) -> Result<i16, IsbtError> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(IsbtError::Character);
    }
    digits.parse().map_err(|_| IsbtError::Length)
}

fn clock_time(hour: i16, minute: i16) -> Result<Time, IsbtError> {
    let part = |value| i8::try_from(value).map_err(|_| IsbtError::Date);
    Time::new(part(hour)?, part(minute)?, 0, 0).map_err(|_| IsbtError::Date)
}

/// `cyyjjj`: the year without its thousands (0 to 8 count from 2000, 9 is the 1900s), then the day of the year from 1.
fn date(text: &str) -> Result<Date, IsbtError> {
    let (year, day) = text.split_at_checked(3).ok_or(IsbtError::Length)?;
    let (year, day) = (number(year)?, number(day)?);
    let year = if year >= 900 { 1_000 } else { 2_000 } + year;
    let first = Date::new(year, 1, 1).map_err(|_| IsbtError::Date)?;
    if day < 1 || day > first.days_in_year() {
        return Err(IsbtError::Date);
    }
    first
        .checked_add(jiff::Span::new().days(day - 1))
        .map_err(|_| IsbtError::Date)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;
    use proptest::prelude::*;

    use super::*;

    const DIN: &str = "=KZ0012600000191";

    #[test]
    fn each_structure() {
        let label = Label::parse(DIN).unwrap();
        assert_eq!(label.din, Din::compose("KZ001", 26, 1));
        let label = Label::parse("=<E0382V1A").unwrap();
        let product = label.product.unwrap();
        assert_eq!(
            (
                product.description(),
                product.donation_type(),
                product.division()
            ),
            ("E0382", 'V', "1A")
        );
        assert_eq!(product.as_str(), "E0382V1A");
        assert_eq!(
            Label::parse("=>026366"),
            Err(IsbtError::Date),
            "2026 has 365 days"
        );
        let expires = |text| Label::parse(text).unwrap().expires.unwrap();
        assert_eq!(expires("=>024366"), day(2024, 12, 31).at(23, 59, 0, 0));
        assert_eq!(expires("=>999001"), day(1999, 1, 1).at(23, 59, 0, 0));
        assert_eq!(expires("&>0263250915"), day(2026, 11, 21).at(9, 15, 0, 0));
        assert_eq!(Label::parse("=%9500").unwrap().group.unwrap().code(), "O-");
    }

    #[test]
    fn several_in_any_order_and_with_prefixes() {
        let parts = [DIN, "=%5100", "=<E0382V00", "&>0263250915"];
        let whole = Label::parse(&parts.concat()).unwrap();
        assert!(whole.din.is_some() && whole.group.is_some());
        assert!(whole.product.is_some() && whole.expires.is_some());
        let mut turned = parts;
        turned.reverse();
        assert_eq!(Label::parse(&turned.concat()), Ok(whole));
        let marked = format!("]C0{}", parts.join("]C0"));
        assert_eq!(Label::parse(&marked), Ok(whole));
        let compound = format!("]C4=+04001{}", parts.concat());
        assert_eq!(Label::parse(&compound), Ok(whole));
        assert_eq!(
            Label::parse(&format!("{DIN}{DIN}")),
            Label::parse(DIN),
            "scanned twice"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, error) in [
            ("", IsbtError::Unknown),
            ("=", IsbtError::Unknown),
            ("=+04001", IsbtError::Unknown),
            ("hello", IsbtError::Unknown),
            ("=KZ00126000001", IsbtError::Length),
            ("=KZ0012600000160", IsbtError::Check),
            ("=>0263", IsbtError::Length),
            ("=>02600A", IsbtError::Character),
            ("=>026000", IsbtError::Date),
            ("&>0263252460", IsbtError::Date),
            ("=<e0382V00", IsbtError::Character),
            ("=%9900", IsbtError::Group),
            ("=%5100=%9500", IsbtError::Contradiction),
            ("=%5100rest", IsbtError::Unknown),
            ("=%51\u{451}0", IsbtError::Character),
        ] {
            assert_eq!(Label::parse(text), Err(error), "{text}");
        }
        assert_eq!(Label::parse(&"=%5100".repeat(100)), Err(IsbtError::Length));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[=%<>&+\\]C0-9A-Zё]{0,60}") {
            let _ = Label::parse(&text);
        }

        #[test]
        fn every_day_comes_back(year in 2000i16..2900, day in 1i16..=365, hour in 0i8..24, minute in 0i8..60) {
            let text = format!("&>{:03}{day:03}{hour:02}{minute:02}", year - 2000);
            let at = Label::parse(&text).unwrap().expires.unwrap();
            prop_assert_eq!((at.year(), at.day_of_year(), at.hour(), at.minute()), (year, day, hour, minute));
        }
    }
}
