//! What a run leaves behind, and the look for patients' data where none may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use infoblood_agreement::document::Document;

use crate::Result;
use crate::server::Server;

/// Copies the folder with everything in it; sockets and the like are left out.
pub fn copy_folder(from: &Path, to: &Path) -> Result {
    for file in files(from)? {
        let place = to.join(file.strip_prefix(from)?);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::copy(&file, &place) {
            Ok(_) => {}
            // A database's side file, gone between the listing and the copy.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", file.display()).into()),
        }
    }
    Ok(())
}

/// Every regular file below a folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// The seeded donors' names and IINs, read from the bytes of the server's own database: independent of what the app shows.
pub fn donors_words(server: &Server) -> Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    for file in files(&server.data_dir())? {
        let bytes = fs::read(file)?;
        for key in ["\"family\":\"", "\"given\":[\""] {
            values(&bytes, key.as_bytes(), &mut words);
        }
        iins(&bytes, &mut words);
    }
    // Three letters may be anything; a family name of four Cyrillic letters is eight bytes.
    words.retain(|word| word.len() >= 8);
    Ok(words)
}

/// Fails if any of the words stands in the bytes of any file below the folder, as UTF-8 or UTF-16.
pub fn nothing_of(words: &BTreeSet<String>, folder: &Path) -> Result {
    for file in files(folder)? {
        let bytes = match fs::read(&file) {
            // Sent and deleted since the listing: the app may be running.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read?,
        };
        for word in words {
            let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
            if contains(&bytes, word.as_bytes()) || contains(&bytes, &wide) {
                return Err(format!("a donor's datum stands in {}", file.display()).into());
            }
        }
    }
    Ok(())
}

/// Writes `document/` in the form that `verify --document` and `agreement publish` read: the built-in version, which must be the one
/// that the server has signed as current.
pub async fn document(server: &Server, folder: &Path) -> Result {
    fs::create_dir_all(folder)?;
    let current = server.get("/v1/agreements/current").await?;
    for (name, bytes) in Document::builtin().files() {
        if name == "document.cbor" && !contains(&current, &bytes) {
            return Err("the server's current agreement is not the built-in one".into());
        }
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

fn values(bytes: &[u8], key: &[u8], words: &mut BTreeSet<String>) {
    let mut rest = bytes;
    while let Some(at) = position(rest, key) {
        rest = rest.get(at + key.len()..).unwrap_or_default();
        let end = rest
            .iter()
            .take(200)
            .position(|byte| *byte == b'"')
            .unwrap_or(0);
        if let Some(Ok(word)) = rest.get(..end).map(std::str::from_utf8) {
            words.insert(word.to_owned());
        }
    }
}

/// `"value":"` followed by exactly twelve digits.
fn iins(bytes: &[u8], words: &mut BTreeSet<String>) {
    let mut found = BTreeSet::new();
    values(bytes, b"\"value\":\"", &mut found);
    found.retain(|word| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit()));
    words.append(&mut found);
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    position(bytes, word).is_some()
}

/// Where the word first stands. The first byte is looked for alone, because that is fast also without optimisation.
fn position(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut from = 0;
    loop {
        from += bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(from..)?.starts_with(word) {
            return Some(from);
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_from_json_inside_other_bytes() {
        let bytes = "\0\u{1}{\"family\":\"Серікова\",\"given\":[\"Дәурен\"],\"value\":\"850101300123\",\"value\":\"A\"}\0";
        let mut words = BTreeSet::new();
        values(bytes.as_bytes(), b"\"family\":\"", &mut words);
        values(bytes.as_bytes(), b"\"given\":[\"", &mut words);
        iins(bytes.as_bytes(), &mut words);
        assert_eq!(
            words.into_iter().collect::<Vec<_>>(),
            ["850101300123", "Дәурен", "Серікова"]
        );
    }

    #[test]
    fn a_word_is_found_in_both_encodings() {
        let folder = tempfile::tempdir().unwrap();
        let words = BTreeSet::from(["Серікова".to_owned()]);
        fs::write(folder.path().join("clean"), b"nothing").unwrap();
        assert!(nothing_of(&words, folder.path()).is_ok());
        let wide: Vec<u8> = "xСерікова"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        fs::write(folder.path().join("wide"), wide).unwrap();
        assert!(nothing_of(&words, folder.path()).is_err());
        fs::write(folder.path().join("wide"), "…Серікова…").unwrap();
        assert!(nothing_of(&words, folder.path()).is_err());
    }
}
