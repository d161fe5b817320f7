use super::*;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn code(seed: u64) -> EnrolmentCode {
    EnrolmentCode::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

/// What the keys of `text` type under the Kazakh layout.
fn under_kazakh(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '-' => 'ө',
            _ => KAZAKH_DIGITS
                .iter()
                .find(|(_, digit)| *digit == c)
                .and_then(|(typed, _)| typed.chars().next())
                .unwrap_or_else(|| under_russian(c)),
        })
        .collect()
}

fn under_russian(c: char) -> char {
    CYRILLIC_KEYS
        .chars()
        .zip(LATIN_KEYS.chars())
        .find_map(|(cyrillic, latin)| (latin == c.to_ascii_uppercase()).then_some(cyrillic))
        .unwrap_or(c)
}

#[test]
fn the_digit_row_of_the_kazakh_layout() {
    let row = "\"әіңғ,.үұқ";
    let decoded: String = row.chars().map(physical_key).collect();
    assert_eq!(decoded, "1234567890");
    let capitals: String = "!ӘІҢҒ;:ҮҰҚ".chars().map(physical_key).collect();
    assert_eq!(capitals, "1234567890");
    let letters: String = "ЙЦУКЕНГШЩЗФЫВАПРОЛДЯЧСМИТЬ"
        .chars()
        .map(physical_key)
        .collect();
    assert_eq!(letters, LATIN_KEYS);
}

#[test]
fn multiplication_is_that_of_the_field() {
    assert_eq!(multiply(2, 16), 0b00101);
    for a in 1..32 {
        let mut products: Vec<u8> = (0..32).map(|b| multiply(a, b)).collect();
        products.sort_unstable();
        assert_eq!(products, (0..32).collect::<Vec<_>>(), "{a} has an inverse");
        assert_eq!(multiply(a, 1), a);
    }
}

#[test]
fn every_single_symbol_error_and_every_swap_is_detected() {
    for seed in 0..8 {
        let shown: Vec<char> = code(seed).display().replace('-', "").chars().collect();
        for at in 0..shown.len() {
            for symbol in ALPHABET.iter().copied().map(char::from) {
                let mut wrong = shown.clone();
                wrong[at] = symbol;
                let result = EnrolmentCode::parse(&wrong.iter().collect::<String>());
                assert_eq!(result.is_ok(), wrong == shown);
            }
            for other in 0..at.min(SYMBOLS) {
                let mut wrong = shown.clone();
                wrong.swap(at, other);
                let result = EnrolmentCode::parse(&wrong.iter().collect::<String>());
                if at < SYMBOLS {
                    assert_eq!(result.is_ok(), wrong == shown);
                }
            }
        }
    }
}

#[test]
fn what_is_no_code_is_mistyped() {
    let shown = code(1).display();
    let short = &shown[..24];
    for (input, error) in [
        ("", EnrolmentCodeError::Length),
        (short, EnrolmentCodeError::Length),
        (&format!("{}0", *shown), EnrolmentCodeError::Length),
        ("UUUUU-00000-00000-00000-0", EnrolmentCodeError::Symbol),
        ("00000-00000-00000-00000-*", EnrolmentCodeError::Symbol),
        ("00000-00000-00000-00000-1", EnrolmentCodeError::Check),
    ] {
        let refused = EnrolmentCode::parse(input).err();
        assert_eq!(refused, Some(error));
        assert_eq!(error.code(), "code-mistyped");
    }
}

#[test]
fn look_alikes_and_separators() {
    let zeroes = EnrolmentCode::parse("OoOoO 00000\u{a0}00000—00000\t0").unwrap();
    assert_eq!(&*zeroes.display(), "00000-00000-00000-00000-0");
    // 1·Σ(1…20) in GF(32) is 20: the symbols 1…20 xor to 20, and 20 is M.
    let ones = EnrolmentCode::parse("IiLl1-11111-11111-11111-m").unwrap();
    assert_eq!(&*ones.display(), "11111-11111-11111-11111-M");
}

proptest! {
    #[test]
    fn round_trip_under_every_layout(seed in any::<u64>()) {
        let code = code(seed);
        let shown = code.display();
        prop_assert_eq!(shown.len(), 25);
        let russian: String = shown.chars().map(under_russian).collect();
        for typed in [
            shown.to_string(),
            shown.to_lowercase(),
            shown.replace('-', ""),
            under_kazakh(&shown),
            under_kazakh(&shown).to_uppercase(),
            russian.to_uppercase(),
            russian,
        ] {
            let again = EnrolmentCode::parse(&typed);
            prop_assert!(again.is_ok_and(|again| again == code));
        }
    }

    #[test]
    fn never_panics(input in any::<String>()) {
        let _ = EnrolmentCode::parse(&input);
    }
}
