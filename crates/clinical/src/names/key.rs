//! Keys of one word: what is alike however a name is written.
//!
//! A word is read once from its beginning to its end, so a key only grows: the key of a beginning is the beginning of a key. Cyrillic letters
//! are sounds already. Latin ones are read by the longest letters of [`TOGETHER`] that stand there, and where those may be other sounds as
//! well (`zh` of `Zhanar`, and of `Orazhan`, which is «Оразхан»), the word has a key for either.

use any_ascii::any_ascii_char;

use super::fold_char;

/// Latin letters that stand for one sound or for several, and the keys of what they may be, the likeliest first. Longer ones stand first.
///
/// In a key `w` is ш or щ, `j` is ж and `h` is х: «с» is not the beginning of «ш».
const TOGETHER: [(&str, &[&str]); 8] = [
    ("shch", &["w", "wch", "shch"]),
    ("sch", &["w", "sch"]),
    ("sh", &["w", "sh"]),
    ("zh", &["j", "zh"]),
    ("kh", &["h", "kh"]),
    ("gh", &["g", "gh"]),
    ("ye", &["e", "ie"]),
    ("yo", &["e", "io"]),
];

/// Most keys of a word; what would make more is read in the likeliest way alone.
const MOST: usize = 32;

/// All keys of a word in lower case, the likeliest first; none of a word without a sound.
pub(super) fn keys(word: &str) -> Vec<String> {
    let mut keys = readings(word);
    keys.retain(|key| !key.is_empty());
    keys
}

/// All keys of a typed word, which may be only a beginning: where it ends inside letters of [`TOGETHER`], theirs too. None begins with
/// another.
pub(super) fn beginnings(word: &str) -> Vec<String> {
    let mut found = keys(word);
    for (letters, sounds) in TOGETHER {
        for end in 1..letters.len() {
            if let Some(before) = word.strip_suffix(&letters[..end]) {
                found.extend(followed(&readings(before), sounds));
            }
        }
    }
    found.sort_unstable();
    found.dedup_by(|key, before| key.starts_with(before.as_str()));
    found
}

fn readings(word: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut rest = word;
    while let Some(letter) = rest.chars().next() {
        if let Some((letters, sounds)) = together(rest) {
            rest = &rest[letters.len()..];
            let is_much = keys.len() * sounds.len() > MOST;
            keys = followed(&keys, if is_much { &sounds[..1] } else { sounds });
        } else {
            rest = &rest[letter.len_utf8()..];
            for key in &mut keys {
                add_letter(key, letter);
            }
        }
    }
    keys
}

fn together(rest: &str) -> Option<(&'static str, &'static [&'static str])> {
    TOGETHER
        .into_iter()
        .find(|(letters, _)| rest.starts_with(letters))
}

/// Every key with each of the sounds after it.
fn followed(keys: &[String], sounds: &[&str]) -> Vec<String> {
    let mut all = Vec::with_capacity(keys.len() * sounds.len());
    for sound in sounds {
        for key in keys {
            let mut key = key.clone();
            add(&mut key, sound);
            all.push(key);
        }
    }
    all
}

/// Adds a letter that stands alone. What other alphabets have is written in Latin first, and read in the likeliest way.
fn add_letter(key: &mut String, letter: char) {
    let mut rest = match letter {
        'ş' | 'ș' | 'š' => "sh",
        'ç' | 'č' => "ch",
        'ž' => "zh",
        other => any_ascii_char(fold_char(other)),
    };
    while !rest.is_empty() {
        let (length, sound) = match (together(rest), &rest[..1]) {
            (Some((letters, sounds)), _) => (letters.len(), sounds[0]),
            (None, "y") => (1, "i"),
            (None, "q") => (1, "k"),
            (None, "w") => (1, "v"),
            (None, "x") => (1, "ks"),
            (None, sound) => (1, sound),
        };
        rest = &rest[length..];
        add(key, sound);
    }
}

/// Adds sounds; one letter twice is once (Assel, Asel).
fn add(key: &mut String, sounds: &str) {
    for sound in sounds.chars().filter(char::is_ascii_alphanumeric) {
        let sound = sound.to_ascii_lowercase();
        if !(sound.is_ascii_alphabetic() && key.ends_with(sound)) {
            key.push(sound);
        }
    }
}
