//! Names: search keys that join Kazakh, Russian and Latin spellings, an explanation of how a spelling differed, and sort keys.

use any_ascii::any_ascii_char;
use icu_collator::{CollatorBorrowed, options::CollatorOptions};
use icu_locale::locale;
use unicode_normalization::UnicodeNormalization as _;

use crate::keyboard;

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

/// What an index stores and what a typed word is looked up by: the folded words in ASCII, one space between them, so that
/// «Касымова», «Қасымова» and `kasymova` have one key. A prefix of a word has a prefix of its key, save inside digraphs.
pub fn search_key(text: &str) -> String {
    words(text)
        .iter()
        .map(|word| latin(word))
        .collect::<Vec<_>>()
        .join(" ")
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
    /// As typed, NFC and lower case.
    pub spelling: String,
    /// ASCII letters and digits only: safe inside an FTS5 or LIKE pattern.
    pub key: String,
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
                key: latin(&spelling),
                spelling,
            })
            .filter(|word| !word.key.is_empty())
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
        let mut taken = vec![false; stored.len()];
        // Each is made once, however many words are typed; most names are found as they are spelled.
        let mut keys: Vec<String> = Vec::new();
        let mut differences: Vec<String> = Vec::new();
        for word in typed {
            let begins =
                |at: &usize| !taken[*at] && stored[*at].starts_with(word.spelling.as_str());
            if let Some(at) = (0..stored.len()).find(begins) {
                taken[at] = true;
                continue;
            }
            if keys.is_empty() {
                keys = stored.iter().map(|word| latin(word)).collect();
            }
            let at = (0..stored.len())
                .find(|at| !taken[*at] && keys[*at].starts_with(word.key.as_str()))?;
            taken[at] = true;
            for difference in explain(&stored[at], &word.spelling) {
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

/// Words of a text: runs of letters and digits in [`spelling`]; an apostrophe or hyphen separates.
fn words(text: &str) -> Vec<String> {
    spelling(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(ToOwned::to_owned)
        .collect()
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

/// The key of one word: folded, transliterated, and usual Latin spellings of one sound joined (kh/h, zh/j, q/k, w/v, x/ks, y/i).
fn latin(word: &str) -> String {
    let ascii: String = word.chars().map(|c| any_ascii_char(fold_char(c))).collect();
    let ascii = ascii
        .to_ascii_lowercase()
        .replace("kh", "h")
        .replace("zh", "j")
        .replace('x', "ks");
    let mut key = String::with_capacity(ascii.len());
    for c in ascii.chars().filter(char::is_ascii_alphanumeric) {
        let c = match c {
            'y' => 'i',
            'q' => 'k',
            'w' => 'v',
            other => other,
        };
        if !(c == 'i' && key.ends_with('i')) {
            key.push(c);
        }
    }
    key
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(typed: &str, stored: &str) -> Option<(bool, Option<String>)> {
        Query::parse(typed)
            .compare(stored)
            .map(|m| (m.exact, m.difference))
    }

    #[test]
    fn folding_table() {
        assert_eq!(fold("ӘҒҚҢӨҰҮҺІЫЁi"), "агкноуухииеи");
        assert_eq!(fold("Қасымова"), "касимова");
    }

    #[test]
    fn one_key_for_all_spellings() {
        let key = search_key("Қасымова");
        for same in [
            "Касымова",
            "касимова",
            "kasymova",
            "Kasimova",
            "Qasymova",
            "Қасiмова",
            "Қасімова",
        ] {
            assert_eq!(search_key(same), key, "{same}");
        }
        assert_eq!(search_key("Һамид"), search_key("Хамид"));
        assert_eq!(search_key("Хамид"), search_key("Khamid"));
        assert_eq!(search_key("Мария"), search_key("maria"));
        assert_eq!(search_key("Жанар"), search_key("Zhanar"));
        assert_eq!(search_key("Александр"), search_key("Alexandr"));
        assert_eq!(search_key("Әсел  Ерланқызы"), "asel erlankizi");
    }

    #[test]
    fn a_match_says_how_the_spelling_differed() {
        assert_eq!(
            compare("касымова", "Касымова Ирина Петровна"),
            Some((true, None))
        );
        assert_eq!(
            compare("касымова", "Қасымова Әсел Ерланқызы"),
            Some((false, Some("қ→к".into())))
        );
        assert_eq!(
            compare("Касымова", "Касимова Лейла Рустамовна"),
            Some((false, Some("и→ы".into())))
        );
        assert_eq!(
            compare("асел касым", "Қасымова Әсел"),
            Some((false, Some("ә→а, қ→к".into())))
        );
        assert_eq!(
            compare("kasymova", "Қасымова Әсел"),
            Some((false, Some("қасымова→kasymova".into())))
        );
        assert_eq!(
            compare("Сейiт", "Сейіт Ая"),
            Some((false, Some("і→i".into())))
        );
        assert_eq!(compare("касымова иван", "Қасымова Әсел"), None);
        assert_eq!(compare("", "Қасымова"), Some((true, None)));
    }

    #[test]
    fn composed_and_decomposed_letters_are_one() {
        assert_eq!(compare("и\u{306}", "Йолдас"), Some((true, None)));
    }

    #[test]
    fn numbers_are_recognised() {
        assert_eq!(Query::parse("850715"), Query::Digits("850715".into()));
        assert_eq!(
            Query::parse("үғқ.\"ғңққ\"әұ"),
            Query::Digits("850715400129".into())
        );
        assert_eq!(Query::parse("  "), Query::All);
        assert_eq!(Query::parse("'\"-*"), Query::All);
    }

    #[test]
    fn of_many_words_a_few_count() {
        let Query::Words(words) = Query::parse(&"а ".repeat(5_000)) else {
            panic!();
        };
        assert_eq!(words.len(), MOST_WORDS);
        let name = format!("{}{}", "б ".repeat(5_000), "ә ".repeat(MOST_WORDS));
        assert_eq!(
            compare(&"а ".repeat(5_000), &name),
            Some((false, Some("ә→а".into())))
        );
        assert_eq!(compare(&"а ".repeat(5_000), "Әсел"), None);
    }

    #[test]
    fn kazakh_alphabet_order() {
        let sorter = Sorter::new().unwrap();
        let alphabet = "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя";
        let mut letters: Vec<String> = alphabet.chars().rev().map(String::from).collect();
        letters.sort_by_key(|l| sorter.key(l, "", None));
        assert_eq!(letters.concat(), alphabet);
        assert!(sorter.key("Ким", "Яна", None) < sorter.key("Кимов", "Ада", None));
        assert!(sorter.key("Ким", "Ада", None) < sorter.key("Ким", "Әлия", None));
        assert!(sorter.key("Ким", "Ада", None) < sorter.key("Ким", "Ада", Some("Ан")));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_keys_are_plain(text in "\\PC{0,40}", name in "\\PC{0,40}") {
            let key = search_key(&text);
            prop_assert!(key.chars().all(|c| c == ' ' || c.is_ascii_lowercase() || c.is_ascii_digit()));
            let _ = Query::parse(&text).compare(&name);
            let _ = Sorter::new().unwrap().key(&text, &name, None);
        }

        #[test]
        fn a_name_finds_itself(name in "[А-Яа-яӘәҒғҚқҢңӨөҰұҮүІі]{2,12}( [А-Яа-яӘәҒғҚқҢңӨөҰұҮүІі]{2,12}){0,2}") {
            if let query @ Query::Words(_) = Query::parse(&name) {
                prop_assert_eq!(query.compare(&name), Some(Match { exact: true, difference: None }));
            }
        }
    }
}
