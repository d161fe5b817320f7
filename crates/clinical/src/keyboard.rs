//! Text that a keyboard-wedge scanner or a person typed under another layout, decoded by physical key.
//!
//! Under the Kazakh layout the digit row types `" ә і ң ғ , . ү ұ қ` (keys 1 … 0), so an IIN arrives garbled; under both
//! Cyrillic layouts the letters of a donation number do.

/// Keyboard layout the text was typed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Kazakh,
    Russian,
}

const KAZAKH_DIGIT_ROW: [char; 10] = ['"', 'ә', 'і', 'ң', 'ғ', ',', '.', 'ү', 'ұ', 'қ'];
const CYRILLIC: &str = "йцукенгшщзфывапролдячсмить";
const LATIN: &str = "QWERTYUIOPASDFGHJKLZXCVBNM";
/// Cyrillic letters whose keys carry punctuation in the Latin layout.
const PUNCTUATION: [(char, char); 7] = [
    ('х', '['),
    ('ъ', ']'),
    ('ж', ';'),
    ('э', '\''),
    ('б', ','),
    ('ю', '.'),
    ('ё', '`'),
];

/// What the same keys give under the Latin layout; letters come out in upper case, other characters stay.
pub fn decode(text: &str, layout: Layout) -> String {
    text.chars().map(|c| decode_char(c, layout)).collect()
}

/// What the same keys give under the Latin layout, Shift and all: a scanner sends capital letters and signs with it. A text typed with
/// Caps Lock does not survive this; [`decode`] is for that.
pub fn decode_shifted(text: &str, layout: Layout) -> String {
    text.chars()
        .map(|c| shifted_char(c, layout).unwrap_or(c))
        .collect()
}

/// The digits of a text that is nothing but digits, possibly typed on the Kazakh digit row; `None` for anything else. Spaces
/// and hyphens are skipped. Words made of Kazakh letters alone are not digits: fewer than six keys of the row need a real
/// digit or a punctuation key among them.
pub fn digits(text: &str) -> Option<String> {
    let keys: Vec<char> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    let found: Option<String> = keys
        .iter()
        .map(|&c| Some(decode_char(c, Layout::Kazakh)).filter(char::is_ascii_digit))
        .collect();
    let certain = keys.len() >= 6 || keys.iter().any(|c| !c.is_alphabetic());
    found.filter(|f| !f.is_empty() && certain)
}

/// Whether the keys of one entry came faster than a person types: at least `MIN_BURST` keys, none later than 35 ms after the
/// one before. `times` are milliseconds of the key events, in order.
pub fn is_burst(times: &[f64]) -> bool {
    times.len() >= MIN_BURST && times.windows(2).all(|pair| pair[1] - pair[0] <= 35.0)
}

/// Fewest keys that count as a scan.
pub const MIN_BURST: usize = 6;

/// The character a key gives under the Latin layout, from `KeyboardEvent.code`; `None` for keys without one.
pub fn decode_code(code: &str, shift: bool) -> Option<char> {
    let single = |rest: &str| rest.chars().next().filter(|_| rest.len() == 1);
    if let Some(letter) = code
        .strip_prefix("Key")
        .and_then(single)
        .filter(char::is_ascii_uppercase)
    {
        return Some(letter);
    }
    if let Some(digit) = code
        .strip_prefix("Digit")
        .and_then(single)
        .filter(char::is_ascii_digit)
    {
        return Some(if shift {
            b")!@#$%^&*("[digit as usize - '0' as usize] as char
        } else {
            digit
        });
    }
    if let Some(digit) = code
        .strip_prefix("Numpad")
        .and_then(single)
        .filter(char::is_ascii_digit)
    {
        return Some(digit);
    }
    let (plain, shifted) = match code {
        "Minus" => ('-', '_'),
        "Equal" => ('=', '+'),
        "BracketLeft" => ('[', '{'),
        "BracketRight" => (']', '}'),
        "Semicolon" => (';', ':'),
        "Quote" => ('\'', '"'),
        "Comma" => (',', '<'),
        "Period" => ('.', '>'),
        "Slash" => ('/', '?'),
        "Backquote" => ('`', '~'),
        "Backslash" => ('\\', '|'),
        "Space" => (' ', ' '),
        _ => return None,
    };
    Some(if shift { shifted } else { plain })
}

/// The digit row with Shift, 1 to 0.
const KAZAKH_SHIFTED_ROW: [char; 10] = ['!', 'Ә', 'І', 'Ң', 'Ғ', ';', ':', 'Ү', 'Ұ', 'Қ'];
const RUSSIAN_SHIFTED_ROW: [char; 10] = ['!', '"', '№', ';', '%', ':', '?', '*', '(', ')'];
const LATIN_SHIFTED_ROW: [char; 10] = ['!', '@', '#', '$', '%', '^', '&', '*', '(', ')'];
/// The signs that [`PUNCTUATION`] gives with Shift, in its order.
const SHIFTED_PUNCTUATION: [char; 7] = ['{', '}', ':', '"', '<', '>', '~'];

/// `None` for a key that is the same in both layouts.
fn shifted_char(c: char, layout: Layout) -> Option<char> {
    let place = |row: &[char; 10]| row.iter().position(|&key| key == c);
    let (plain, shifted) = match layout {
        Layout::Kazakh => (place(&KAZAKH_DIGIT_ROW), place(&KAZAKH_SHIFTED_ROW)),
        Layout::Russian => (None, place(&RUSSIAN_SHIFTED_ROW)),
    };
    if let Some(at) = plain {
        return char::from_digit((at as u32 + 1) % 10, 10);
    }
    if let Some(at) = shifted {
        return LATIN_SHIFTED_ROW.get(at).copied();
    }
    let lower = c.to_lowercase().next()?;
    let is_capital = lower != c;
    if let Some(at) = CYRILLIC.chars().position(|key| key == lower) {
        let letter = LATIN.chars().nth(at)?;
        return Some(if is_capital {
            letter
        } else {
            letter.to_ascii_lowercase()
        });
    }
    let at = PUNCTUATION.iter().position(|(key, _)| *key == lower)?;
    if is_capital {
        SHIFTED_PUNCTUATION.get(at).copied()
    } else {
        PUNCTUATION.get(at).map(|(_, latin)| *latin)
    }
}

fn decode_char(c: char, layout: Layout) -> char {
    let lower = c.to_lowercase().next().unwrap_or(c);
    if layout == Layout::Kazakh
        && let Some(at) = KAZAKH_DIGIT_ROW.iter().position(|&key| key == lower)
    {
        return ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0'][at];
    }
    if let Some(at) = CYRILLIC.chars().position(|key| key == lower) {
        return LATIN.chars().nth(at).unwrap_or(c);
    }
    if let Some((_, latin)) = PUNCTUATION.iter().find(|(key, _)| *key == lower) {
        return *latin;
    }
    c.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kazakh_digit_row() {
        assert_eq!(decode("\"әіңғ,.үұқ", Layout::Kazakh), "1234567890");
        // 850715400129 as the Kazakh layout types it.
        assert_eq!(digits("үғқ.\"ғңққ\"әұ").as_deref(), Some("850715400129"));
        assert_eq!(digits("850715 400129").as_deref(), Some("850715400129"));
        assert_eq!(digits("ӘІҢҒҮҰҚ").as_deref(), Some("2345890"));
    }

    #[test]
    fn names_are_not_digits() {
        for name in ["Қасымова", "Ұқ", "", " ", "-"] {
            assert_eq!(digits(name), None, "{name}");
        }
    }

    #[test]
    fn letters_of_a_donation_number() {
        assert_eq!(decode("ля00126000001", Layout::Russian), "KZ00126000001");
        assert_eq!(decode("ЛЯққ\"ә,қққққ\"", Layout::Kazakh), "KZ00126000001");
    }

    #[test]
    fn signs_with_shift() {
        // `]C4=%5100&>0263250915=<E0382V00` as the two layouts type it.
        assert_eq!(
            decode_shifted("ъС4=%5100?Ю0263250915=БУ0382М00", Layout::Russian),
            "]C4=%5100&>0263250915=<E0382V00"
        );
        assert_eq!(
            decode_shifted("ъСң=Ғғ\"ққ:Юқә.іәғқ,\"ғ=БУқіұәМққ", Layout::Kazakh),
            "]C4=%5100&>0273250615=<E0392V00"
        );
        assert_eq!(decode_shifted("=+KZ001", Layout::Kazakh), "=+KZ001");
    }

    #[test]
    fn physical_keys() {
        assert_eq!(decode_code("KeyK", false), Some('K'));
        assert_eq!(decode_code("Digit0", false), Some('0'));
        assert_eq!(decode_code("Digit5", true), Some('%'));
        assert_eq!(decode_code("Numpad7", true), Some('7'));
        assert_eq!(decode_code("Equal", false), Some('='));
        assert_eq!(decode_code("Enter", false), None);
    }

    #[test]
    fn bursts() {
        assert!(is_burst(&[0.0, 8.0, 16.0, 24.0, 30.0, 44.0]));
        assert!(!is_burst(&[0.0, 8.0, 16.0, 24.0, 30.0, 144.0]));
        assert!(!is_burst(&[0.0, 8.0]));
    }

    proptest! {
        #[test]
        fn decoding_never_panics(text in "\\PC{0,40}") {
            for layout in [Layout::Kazakh, Layout::Russian] {
                let _ = (decode(&text, layout), decode_shifted(&text, layout));
            }
            let _ = digits(&text);
            let _ = decode_code(&text, true);
        }
    }
}
