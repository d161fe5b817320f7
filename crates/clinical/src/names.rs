//! Names: search keys that join Kazakh, Russian and Latin spellings, an explanation of how a spelling differed, and sort keys.

use icu_collator::{CollatorBorrowed, options::CollatorOptions};
use icu_locale::locale;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::keyboard;

mod key;
mod pairs;

use pairs::Pairs;

/// NFC and lower case: the exact spelling, for ranking.
pub fn spelling(text: &str) -> String {
    text.nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect()
}

/// [`spelling`] with Kazakh letters folded to Russian ones: ә→а ғ→г қ→к ң→н ө→о ұ,ү→у һ→х і,ы→и ё→е, Latin i→и.
pub fn fold(text: &str) -> String {
    spelling(text).chars().map(fold_char).collect()
}

/// The words of a name as a typed word is compared with them: in [`spelling`], one space between them, and without what stands inside a
/// word and is not heard: apostrophes (O'Brien, Il'yas), accents over letters («Ива́нов», with U+0301), soft hyphens. Everything else that
/// is no letter or digit separates, a hyphen too.
pub fn plain(text: &str) -> String {
    words(text).join(" ")
}

/// What an index stores: for each word of [`plain`] all its keys, one space between them. A key is ASCII, and spellings of one name have one
/// in common: «Касымова», «Қасымова» and `kasymova`; «Шолпан», `Şolpan` and `Sholpan`. Cyrillic words have one key; Latin ones have one more
/// for each letter pair that may be read otherwise (`Orazhan`: «Оразхан», or «Оражан»).
///
/// The key of a word's beginning begins the word's key. A typed beginning that ends inside a letter pair, as `S` of `Shchukin`, has the
/// keys of the whole pair beside its own: see [`Word::keys`].
pub fn search_key(text: &str) -> String {
    let words = words(text);
    let keys: Vec<String> = words.iter().flat_map(|word| key::keys(word)).collect();
    keys.join(" ")
}

/// Words of a search that count; further ones do not.
const MOST_WORDS: usize = 8;

/// What a person typed into the search field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Nothing to look for: show everybody.
    All,
    /// A number or its beginning (IIN), already decoded from the Kazakh digit row.
    Digits(String),
    /// Words of a name, each possibly only its beginning; at most eight.
    Words(Vec<Word>),
}

/// One typed word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As typed, one word of [`plain`].
    pub spelling: String,
    /// A name answers if one of its keys begins with one of these, of which there is at least one. ASCII letters and digits only: safe inside
    /// an FTS5 or LIKE pattern.
    pub keys: Vec<String>,
}

/// How a stored name answers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Spelled exactly as typed; such rows come first.
    pub exact: bool,
    /// Stored and typed letters that differ, e.g. `қ→к` or, for Latin typing, `қасымова→kasymova`; `None` if exact.
    pub difference: Option<String>,
}

impl Query {
    /// Reads the field.
    pub fn parse(text: &str) -> Self {
        if let Some(digits) = keyboard::digits(text) {
            return Self::Digits(digits);
        }
        let words: Vec<Word> = words(text)
            .into_iter()
            .map(|spelling| Word {
                keys: key::beginnings(&spelling),
                spelling,
            })
            .filter(|word| !word.keys.is_empty())
            .take(MOST_WORDS)
            .collect();
        if words.is_empty() {
            Self::All
        } else {
            Self::Words(words)
        }
    }

    /// Compares with a stored name (family, given, patronymic together). `None`: the name does not answer the query. Digits and
    /// an empty query match every name exactly.
    pub fn compare(&self, name: &str) -> Option<Match> {
        let Self::Words(typed) = self else {
            return Some(Match {
                exact: true,
                difference: None,
            });
        };
        let stored = words(name);
        let is_spelled = |at: usize, to: usize| stored[to].starts_with(typed[at].spelling.as_str());
        let mut pairs = Pairs::new(typed.len(), stored.len());
        // Most names are found as they are spelled, and need no keys.
        if !pairs.complete(&is_spelled) {
            let keys: Vec<Vec<String>> = stored.iter().map(|word| key::keys(word)).collect();
            let answers = |at: usize, to: usize| {
                let begins =
                    |key: &String| typed[at].keys.iter().any(|typed| key.starts_with(typed));
                is_spelled(at, to) || keys[to].iter().any(begins)
            };
            if !pairs.complete(&answers) {
                return None;
            }
        }
        let mut differences: Vec<String> = Vec::new();
        for (at, to) in pairs.in_order() {
            if is_spelled(at, to) {
                continue;
            }
            for difference in explain(&stored[to], &typed[at].spelling) {
                if !differences.contains(&difference) {
                    differences.push(difference);
                }
            }
        }
        let exact = differences.is_empty();
        Some(Match {
            exact,
            difference: (!exact).then(|| differences.join(", ")),
        })
    }
}

/// Makes sort keys in the order of the Kazakh alphabet (CLDR `kk`).
pub struct Sorter(CollatorBorrowed<'static>);

/// The compiled collation data lacks something: a broken build.
#[derive(Debug, thiserror::Error)]
#[error("no collation data for kk")]
pub struct SorterError;

impl Sorter {
    /// Loads the compiled data; cheap.
    pub fn new() -> Result<Self, SorterError> {
        CollatorBorrowed::try_new(locale!("kk").into(), CollatorOptions::default())
            .map(Self)
            .map_err(|_| SorterError)
    }

    /// Bytes whose `memcmp` order is the order of the names: family first, then given, then patronymic. A stored key is only
    /// comparable with keys of the same version of the collation data.
    pub fn key(&self, family: &str, given: &str, patronymic: Option<&str>) -> Vec<u8> {
        let mut key = Vec::new();
        for part in [family, given, patronymic.unwrap_or_default()] {
            let normal: String = part.nfc().collect();
            let Ok(()) = self.0.write_sort_key_to(&normal, &mut key);
            // No byte of a sort key is 0, so a shorter family name sorts first.
            key.push(0);
        }
        key
    }
}

/// Words of a text, as [`plain`] says.
fn words(text: &str) -> Vec<String> {
    spelling(text)
        .split(|c: char| !c.is_alphanumeric() && !is_silent(c))
        .map(|word| word.chars().filter(|c| !is_silent(*c)).collect())
        .filter(|word: &String| !word.is_empty())
        .collect()
}

/// Whether a character inside a word is not heard.
fn is_silent(c: char) -> bool {
    let is_apostrophe = matches!(c, '\'' | '`' | '´' | '‘' | '’' | 'ʹ' | 'ʻ' | 'ʼ');
    // A soft hyphen, spaces without width, joiners, a byte order mark; and what records show in place of them.
    let is_unseen = matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fffd}'
    );
    // Marks that are letters, as Indian vowels, are heard.
    is_apostrophe || is_unseen || (is_combining_mark(c) && !c.is_alphanumeric())
}

fn fold_char(c: char) -> char {
    match c {
        'ә' => 'а',
        'ғ' => 'г',
        'қ' => 'к',
        'ң' => 'н',
        'ө' => 'о',
        'ұ' | 'ү' => 'у',
        'һ' => 'х',
        'і' | 'ы' | 'i' => 'и',
        'ё' => 'е',
        other => other,
    }
}

/// Letters that differ between a stored word and the typed beginning of it; the whole words where letters do not pair up.
fn explain(stored: &str, typed: &str) -> Vec<String> {
    let mut differences = Vec::new();
    let mut letters = stored.chars();
    for wrote in typed.chars() {
        match letters.next() {
            Some(has) if has == wrote => {}
            Some(has) if fold_char(has) == fold_char(wrote) => {
                differences.push(format!("{has}→{wrote}"));
            }
            _ => return vec![format!("{stored}→{typed}")],
        }
    }
    differences
}

#[cfg(test)]
mod tests;
