//! The JSON of a resource as the cache keeps it: compressed together with examples of the profile, which have said most of it already.
//! Texts are most of what is written, encrypted and read again; so they are some six times shorter.

use std::{io, sync::LazyLock};

use infoblood_clinical::fhir::{MAX_LINE, Record, Resource};
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

use crate::database::DatabaseError;

/// Part of the schema: what was written with other examples cannot be read.
const EXAMPLES: &[u8] = include_bytes!("../../migrations/patients/examples.ndjson");

/// The first of those that are quick: as short as those above, in less time.
const LEVEL: i32 = -1;

static WRITING: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(EXAMPLES, LEVEL));
static READING: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(EXAMPLES));

/// Writes texts, one after the other.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    /// Fails without memory.
    pub(super) fn new() -> io::Result<Self> {
        Compressor::with_prepared_dictionary(&WRITING).map(Self)
    }

    /// What `resource.text` has for a JSON.
    pub(super) fn pack(&mut self, json: &str) -> io::Result<Vec<u8>> {
        self.0.compress(json.as_bytes())
    }
}

/// Reads texts, one after the other.
pub(super) struct Unpacker(Decompressor<'static>);

impl Unpacker {
    /// Fails without memory.
    pub(super) fn new() -> Result<Self, DatabaseError> {
        Decompressor::with_prepared_dictionary(&READING)
            .map(Self)
            .map_err(broken)
    }

    /// The resource of a text. `None`: an earlier version took it, this one does not.
    pub(super) fn resource(&mut self, text: &[u8]) -> Result<Option<Resource>, DatabaseError> {
        let json = self.0.decompress(text, MAX_LINE).map_err(broken)?;
        Ok(Record::received(&json).ok().map(|record| record.resource))
    }
}

/// The resources of texts.
pub(super) fn resources(texts: &[Vec<u8>]) -> Result<Vec<Resource>, DatabaseError> {
    let mut unpacker = Unpacker::new()?;
    let resources = texts
        .iter()
        .filter_map(|text| unpacker.resource(text).transpose());
    resources.collect()
}

/// Pages are authenticated: nobody changed it.
fn broken(error: io::Error) -> DatabaseError {
    DatabaseError::Corrupt(sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &str = r#"{"resourceType":"Flag","id":"f","status":"active","code":{"text":"уақытша — временно"},"subject":{"reference":"Patient/a"},"period":{"start":"2026-01-01"}}"#;

    #[test]
    fn texts_come_back_and_are_short() {
        let mut packer = Packer::new().unwrap();
        let text = packer.pack(FLAG).unwrap();
        let expected = Record::received(FLAG.as_bytes()).unwrap().resource;
        let read = resources(&[text.clone(), text.clone()]).unwrap();
        assert_eq!(read, [expected.clone(), expected]);
        assert!(text.len() < FLAG.len(), "{}", text.len());
        // Every example is said already.
        for example in str::from_utf8(EXAMPLES).unwrap().lines() {
            let text = packer.pack(example).unwrap();
            assert!(
                text.len() * 4 < example.len(),
                "{} of {example}",
                text.len()
            );
            assert_eq!(resources(&[text]).unwrap().len(), 1);
        }
    }

    #[test]
    fn large_ones_come_back_and_nonsense_is_refused() {
        let narrative = "қан ".repeat(30_000);
        let large = FLAG.replace("уақытша", &narrative);
        let text = Packer::new().unwrap().pack(&large).unwrap();
        let expected = Record::received(large.as_bytes()).unwrap().resource;
        assert_eq!(resources(std::slice::from_ref(&text)).unwrap(), [expected]);
        for broken in [FLAG.as_bytes(), &text[..text.len() - 1]] {
            let error =
                resources(&[broken.to_vec()]).expect_err(&format!("{} bytes", broken.len()));
            assert_eq!(error.code(), "store-corrupt");
        }
    }
}
