//! The rule for a new passphrase: long enough, hard to guess, without the login. No composition rules.
//!
//! zxcvbn judges English words, keyboards and dates. For Kazakh and Russian every common word of `common.txt` counts as
//! the best-known password, and what was typed under another keyboard layout is judged as what it is by physical key.

use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

use crate::profile::normal_login;

/// Fewest characters after NFC.
pub const MIN_CHARS: usize = 12;
/// What a common word is worth.
const WORST: &str = "password";

/// Common words and phrases, one a line, lower case; `#` starts a comment.
static COMMON: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut words: Vec<_> = include_str!("common.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    // The longest first, so that a phrase is found before the words in it.
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words
});

/// The letters of the Latin, Russian and Kazakh layouts by physical key.
const LATIN: &str = "`qwertyuiop[]asdfghjkl;'zxcvbnm,.";
const RUSSIAN: &str = "ёйцукенгшщзхъфывапролджэячсмитьбю";
/// The digit row of the Kazakh layout, whose keys 2–9 and 0 give letters.
const DIGITS: &str = "234567890-=";
const KAZAKH: &str = "әіңғ,.үұқөһ";

/// Why a passphrase is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    #[error("fewer than {MIN_CHARS} characters")]
    Short,
    #[error("easy to guess")]
    Weak,
    #[error("it contains the login")]
    HasLogin,
}

impl PassphraseError {
    /// Stable kebab-case code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Short => "passphrase-short",
            Self::Weak => "passphrase-weak",
            Self::HasLogin => "passphrase-has-login",
        }
    }
}

/// A passphrase that passed the rule: what keys may be wrapped under.
pub struct NewPassphrase(SecretString);

impl NewPassphrase {
    /// Judges `passphrase` for the person of this login.
    pub fn check(passphrase: &SecretString, login: &str) -> Result<Self, PassphraseError> {
        let typed = passphrase.expose_secret();
        if typed.nfc().count() < MIN_CHARS {
            return Err(PassphraseError::Short);
        }
        let folded = Zeroizing::new(fold(typed));
        let login = fold(&normal_login(login));
        if contains_login(&folded, &login) {
            return Err(PassphraseError::HasLogin);
        }
        let parts: Vec<_> = login.split(|c: char| !c.is_alphanumeric()).collect();
        let readings = [
            folded.clone(),
            Zeroizing::new(by_key(&folded, &[(RUSSIAN, LATIN), (KAZAKH, DIGITS)])),
            Zeroizing::new(by_key(&folded, &[(LATIN, RUSSIAN)])),
        ];
        // As typed for case and symbols, then every reading with its common words replaced.
        let weak = |text: &str| zxcvbn(text, &parts).score() < Score::Three;
        let common = |text: &Zeroizing<String>| weak(&without_common(text));
        if weak(typed) || weak(&readings[1]) || readings.iter().any(common) {
            return Err(PassphraseError::Weak);
        }
        Ok(Self(passphrase.clone()))
    }

    pub(super) const fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// Lower case, NFC.
fn fold(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// The login as a whole, its part before an `@`, and both without separators; a login of one or two letters does not count.
fn contains_login(folded: &str, login: &str) -> bool {
    let plain = |text: &str| -> Zeroizing<String> {
        Zeroizing::new(text.chars().filter(|c| c.is_alphanumeric()).collect())
    };
    let squeezed = plain(folded);
    let local = login.split('@').next().unwrap_or(login);
    [login, local].into_iter().any(|name| {
        let name = plain(name);
        name.chars().count() >= 3 && squeezed.contains(name.as_str())
    })
}

/// What the same physical keys give under another layout.
fn by_key(text: &str, maps: &[(&str, &str)]) -> String {
    let turn = |c: char| {
        maps.iter().find_map(|(from, to)| {
            let at = from.chars().position(|other| other == c)?;
            to.chars().nth(at)
        })
    };
    text.chars().map(|c| turn(c).unwrap_or(c)).collect()
}

/// Every common word becomes the best-known password; blanks and punctuation between words are worth nothing then.
fn without_common(text: &str) -> Zeroizing<String> {
    let squeezed: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|c| c.is_alphanumeric() || c.is_ascii_punctuation())
            .collect(),
    );
    let mut out = squeezed.clone();
    for word in COMMON.iter() {
        if out.contains(word) {
            out = Zeroizing::new(out.replace(word, WORST));
        }
    }
    out
}
