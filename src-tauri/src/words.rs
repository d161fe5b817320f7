//! The few words the shell itself says, before there is a window to say them. They stand in the same locale files as the window's.

use std::io::Write as _;

use rust_i18n::t;

/// What happened and what to do, in both languages, on the standard error.
pub(crate) fn print_error(code: &str) {
    // Nobody is left to tell when even this fails.
    let _ = std::io::stderr().write_all(error_text(code).as_bytes());
}

fn error_text(code: &str) -> String {
    let mut text = String::new();
    for language in ["kk", "ru"] {
        let title = t!(format!("error.{code}.title"), locale = language);
        let next = t!(format!("error.{code}.next"), locale = language);
        text.extend([&title, " ", &next, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_start_has_words_in_both_languages() {
        for code in ["already-running", "disk-full", "internal"] {
            let text = error_text(code);
            assert_eq!(text.lines().count(), 2);
            // A missing text would be its key.
            assert!(!text.contains("error."), "{text}");
        }
    }
}
