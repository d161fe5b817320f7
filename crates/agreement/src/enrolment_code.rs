//! The one-time enrolment code: 100 bits as 20 Crockford base32 symbols and a check symbol.
//!
//! Shown as `XXXXX-XXXXX-XXXXX-XXXXX-X`. Input may be in either case, with O for 0 and I or L for 1, with or without
//! separators, and typed under the Kazakh or Russian layout: what counts is the physical key.

use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keys::{PublicKey, SigningKey};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS: usize = 20;
const KEY_INFO: &[u8] = b"infoblood/enrolment-code/v1";

/// What the Kazakh layout types on the digit row, 1 to 9 and 0, plain and with Shift or Caps Lock.
const KAZAKH_DIGITS: [(&str, char); 10] = [
    ("\"!", '1'),
    ("әӘ", '2'),
    ("іІ", '3'),
    ("ңҢ", '4'),
    ("ғҒ", '5'),
    (",;", '6'),
    (".:", '7'),
    ("үҮ", '8'),
    ("ұҰ", '9'),
    ("қҚ", '0'),
];

/// The letters of the Russian layout, which the Kazakh one shares, and the Latin letters on the same keys.
const CYRILLIC_KEYS: &str = "йцукенгшщзфывапролдячсмить";
const LATIN_KEYS: &str = "QWERTYUIOPASDFGHJKLZXCVBNM";

/// Why typed text is not an enrolment code. Whether the code is the right one only the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentCodeError {
    #[error("not 21 symbols")]
    Length,
    #[error("a symbol that no code has")]
    Symbol,
    #[error("the check symbol does not fit")]
    Check,
}

impl EnrolmentCodeError {
    /// Stable kebab-case code: for a person all of them are a typing mistake.
    pub const fn code(&self) -> &'static str {
        "code-mistyped"
    }
}

/// A code that is well formed. Secret: no `Debug`, wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct EnrolmentCode {
    /// Normalised symbols in ASCII, without the check symbol.
    symbols: [u8; SYMBOLS],
}

impl EnrolmentCode {
    /// A new random code.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut symbols = [0; SYMBOLS];
        rng.fill_bytes(&mut symbols);
        // 32 divides 256: every symbol is equally likely.
        for symbol in &mut symbols {
            *symbol = ALPHABET[usize::from(*symbol % 32)];
        }
        Self { symbols }
    }

    /// Reads what a person typed, pasted or scanned.
    pub fn parse(input: &str) -> Result<Self, EnrolmentCodeError> {
        let mut typed = Zeroizing::new([0_u8; SYMBOLS + 1]);
        let mut count = 0;
        for symbol in input.nfc().filter_map(normalise) {
            let symbol = symbol?;
            *typed.get_mut(count).ok_or(EnrolmentCodeError::Length)? = symbol;
            count += 1;
        }
        let (symbols, [check]) = typed
            .split_first_chunk::<SYMBOLS>()
            .filter(|_| count == SYMBOLS + 1)
            .ok_or(EnrolmentCodeError::Length)?
        else {
            return Err(EnrolmentCodeError::Length);
        };
        if check_symbol(symbols) != *check {
            return Err(EnrolmentCodeError::Check);
        }
        Ok(Self { symbols: *symbols })
    }

    /// The code as it is handed over: `XXXXX-XXXXX-XXXXX-XXXXX-X`.
    pub fn display(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(25));
        for (i, symbol) in self.symbols.iter().enumerate() {
            if i > 0 && i % 5 == 0 {
                text.push('-');
            }
            text.push(char::from(*symbol));
        }
        text.push('-');
        text.push(char::from(check_symbol(&self.symbols)));
        text
    }

    /// The code's Ed25519 key: its seed is HKDF-SHA256 over the 20 symbols, without salt, info
    /// `infoblood/enrolment-code/v1`.
    pub fn signing_key(&self) -> SigningKey {
        let mut seed = Zeroizing::new([0; 32]);
        #[expect(
            clippy::expect_used,
            reason = "a constant length, far below what HKDF-SHA256 can give"
        )]
        Hkdf::<Sha256>::new(None, &self.symbols)
            .expand(KEY_INFO, seed.as_mut_slice())
            .expect("32 bytes are within HKDF-SHA256's range");
        SigningKey::from_bytes(&seed)
    }

    /// The public half: all that the server stores.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.signing_key())
    }
}

/// One symbol of input; `None` for separators.
fn normalise(c: char) -> Option<Result<u8, EnrolmentCodeError>> {
    // The key right of 0 types a hyphen, under the Kazakh layout ө.
    if c.is_whitespace() || matches!(c, '-' | '_' | '\u{2010}'..='\u{2015}' | 'ө' | 'Ө') {
        return None;
    }
    let key = physical_key(c).to_ascii_uppercase();
    let symbol = match key {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    Some(
        u8::try_from(symbol)
            .ok()
            .filter(|symbol| ALPHABET.contains(symbol))
            .ok_or(EnrolmentCodeError::Symbol),
    )
}

/// What the US layout has on the key that typed `c` under the Kazakh or Russian layout.
fn physical_key(c: char) -> char {
    if let Some((_, digit)) = KAZAKH_DIGITS.iter().find(|(typed, _)| typed.contains(c)) {
        return *digit;
    }
    let lower = c.to_lowercase().next().unwrap_or(c);
    CYRILLIC_KEYS
        .chars()
        .zip(LATIN_KEYS.chars())
        .find_map(|(cyrillic, latin)| (cyrillic == lower).then_some(latin))
        .unwrap_or(c)
}

/// Σ (i+1)·value_i over GF(32), i from 0.
fn check_symbol(symbols: &[u8; SYMBOLS]) -> u8 {
    let sum = (1_u8..).zip(symbols).fold(0, |sum, (factor, symbol)| {
        let value = ALPHABET.iter().position(|s| s == symbol).unwrap_or(0) as u8;
        sum ^ multiply(factor, value)
    });
    ALPHABET[usize::from(sum % 32)]
}

/// Product in GF(32) with the polynomial x⁵ + x² + 1.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut a) = (0, a);
    for bit in 0..5 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a & 0b10_0000 != 0 {
            a ^= 0b10_0101;
        }
    }
    product
}

#[cfg(test)]
mod tests;
