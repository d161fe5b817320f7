//! Words for people, as the typed view has them. The line itself is kept as it came.

use serde::{Deserialize, Deserializer};

/// What stands where something was that nobody would see.
const MARK: char = char::REPLACEMENT_CHARACTER;

/// Writes a mark for every control character, every sign that turns the direction of writing and every one without a shape of its own:
/// unseen, they could make one name look like another, or turn the number after it round. Nothing is left out in silence.
fn shown(text: String) -> String {
    if text.contains(is_hidden) {
        text.replace(is_hidden, MARK.encode_utf8(&mut [0; 4]))
    } else {
        text
    }
}

fn is_hidden(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        // Marks, embeddings, overrides and isolates; the byte order mark and what has no width: the soft hyphen, joiners, tags. The zero
        // width joiner stays: pictures are made of several by it.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

pub(super) fn required<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(shown)
}

pub(super) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(from).map(|text: Option<String>| text.map(shown))
}

pub(super) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Vec::deserialize(from).map(|texts: Vec<String>| texts.into_iter().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_see_is_marked_and_everything_else_stays() {
        for text in [
            "Қасымова",
            "а\u{301}\u{301}",
            "<script>alert(1)</script>",
            "👩\u{200d}⚕\u{fe0f}",
            "two\nlines\tand\r",
            "",
        ] {
            assert_eq!(shown(text.to_owned()), text);
        }
        for hidden in [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{61c}',
            '\u{200f}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{ad}',
            '\u{34f}',
            '\u{180e}',
            '\u{200c}',
            '\u{e0041}',
        ] {
            assert_eq!(shown(format!("а{hidden}б{hidden}")), "а\u{fffd}б\u{fffd}");
        }
    }
}
