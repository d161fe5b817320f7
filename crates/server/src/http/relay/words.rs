//! The page's words: Kazakh above Russian, each in its own element with its own language.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    texts: BTreeMap<String, String>,
    /// By error code.
    errors: BTreeMap<String, ErrorWords>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorWords {
    /// What happened.
    title: String,
    /// What to do.
    next: String,
}

/// Kazakh, then Russian.
#[expect(clippy::expect_used, reason = "constants; a test reads them")]
fn languages() -> [(&'static str, Words); 2] {
    let read = |text| serde_json::from_str(text).expect("the words are JSON of this form");
    [
        ("kk", read(include_str!("words.kk.json"))),
        ("ru", read(include_str!("words.ru.json"))),
    ]
}

/// Puts the words in place of `{{key}}`, and one `template` for each error in place of `{{errors}}`.
pub(super) fn fill(page: &str) -> String {
    let languages = languages();
    let mut filled = page.replace("{{errors}}", &errors(&languages));
    for key in languages[0].1.texts.keys() {
        let both = both(&languages, |words| words.texts.get(key));
        filled = filled.replace(&format!("{{{{{key}}}}}"), &both);
    }
    filled
}

fn errors(languages: &[(&str, Words)]) -> String {
    let template = |code: &String| {
        let title = both(languages, |words| {
            words.errors.get(code).map(|error| &error.title)
        });
        let next = both(languages, |words| {
            words.errors.get(code).map(|error| &error.next)
        });
        format!("<template id=\"error-{code}\"><h2>{title}</h2><p>{next}</p></template>\n")
    };
    languages[0].1.errors.keys().map(template).collect()
}

fn both<'a>(
    languages: &'a [(&str, Words)],
    pick: impl Fn(&'a Words) -> Option<&'a String>,
) -> String {
    let one = |(language, words): &'a (&str, Words)| {
        let text = pick(words).map_or("", String::as_str);
        format!("<span lang=\"{language}\">{}</span>", escape(text))
    };
    languages.iter().map(one).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page names an error, or the server answers.
    const CODES: [&str; 13] = [
        "agreement-required",
        "code-expired",
        "code-used",
        "code-wrong",
        "device-pending",
        "device-revoked",
        "key-superseded",
        "nothing-to-send",
        "person-revoked",
        "refused",
        "relay-malformed",
        "server-trouble",
        "too-many-requests",
    ];

    #[test]
    fn both_languages_say_the_same_things_and_all_of_them() {
        let [(_, kk), (_, ru)] = languages();
        let keys = |words: &Words| words.texts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&kk), keys(&ru));
        for words in [&kk, &ru] {
            assert_eq!(words.errors.keys().collect::<Vec<_>>(), CODES);
            assert!(words.texts.values().all(|text| !text.is_empty()));
        }
    }

    #[test]
    fn the_page_uses_every_word_and_leaves_no_gap() {
        let page = include_str!("page.html");
        let [(_, kk), _] = languages();
        for key in kk.texts.keys() {
            assert!(
                page.contains(&format!("{{{{{key}}}}}")),
                "{key} is not used"
            );
        }
        let filled = fill(page);
        assert!(!filled.contains("{{") && !filled.contains("}}"));
        for code in CODES {
            assert!(filled.contains(&format!("id=\"error-{code}\"")), "{code}");
        }
        for remote in ["http:", "https:", "//", "style=", "<script>"] {
            assert!(!filled.contains(remote), "{remote} in the page");
        }
    }
}
