//! The document: one version of the agreement. Both texts verbatim, their pairing, and the digest that names them.
//!
//! The text shown, hashed and signed is the customer's, byte for byte, with its mistakes; what is wrong with it stands in
//! [`publisher_notes`], beside the document and not under its digest.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cbor::{self, CborError, Fields, Limits, Value};
use crate::cose::{self, CoseError, Header, content_type};
use crate::keys::{PublicKey, SigningKey};
use crate::statement::terms_urn;

mod changes;
mod structure;
mod versions;

pub use changes::{ChangeKind, Sides, UnitChange, changes};
use structure::Structure;
pub use structure::{Line, Mismatch, Role, Segment, Unit, UnitKind};
pub use versions::Documents;

/// The document's identifier; there is only one.
const ID: &str = "terms";

const KK: &str = include_str!("../document/kk.txt");
const RU: &str = include_str!("../document/ru.txt");
const STRUCTURE: &str = include_str!("../document/structure.json");
const NOTES: &str = include_str!("../document/notes.json");

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("not a document message, or not signed by this key")]
    Cose(#[from] CoseError),
    #[error("the payload is malformed")]
    Payload(#[from] CborError),
    #[error("a value of the payload is not allowed")]
    Value,
    #[error("the subject or identifier is another")]
    Subject,
    #[error("the structure is not valid: {0}")]
    Structure(&'static str),
    #[error("the structure is not valid at unit {unit}: {problem}")]
    Unit {
        /// From 1.
        unit: u32,
        problem: &'static str,
    },
    #[error("a text or the structure has another digest")]
    Digest,
    #[error("no document key of this server signed it")]
    Signer,
    #[error("another document has this version")]
    Version,
    #[error("the version before it is not known")]
    Gap,
}

impl DocumentError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Cose(inner) => inner.code(),
            Self::Payload(inner) => inner.code(),
            Self::Value => "document-value",
            Self::Subject => "document-subject",
            Self::Structure(_) | Self::Unit { .. } => "document-structure",
            Self::Digest => "document-digest",
            Self::Signer => "document-signer",
            Self::Version => "document-version",
            Self::Gap => "document-gap",
        }
    }
}

/// What a new version means for earlier acceptances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Everybody accepts anew.
    Material,
    /// Earlier acceptances stand for what they covered.
    Editorial,
}

impl Change {
    /// The word in the payload.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Material => "material",
            Self::Editorial => "editorial",
        }
    }

    /// The change of a word.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Material, Self::Editorial]
            .into_iter()
            .find(|change| change.name() == name)
    }
}

/// What is signed about one version: it commits to both texts and their pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub version: u64,
    /// Unix seconds from which the version counts; 0 for the built-in one.
    pub effective_from: i64,
    pub change: Change,
    pub kk_sha256: [u8; 32],
    pub ru_sha256: [u8; 32],
    pub structure_sha256: [u8; 32],
}

impl Meta {
    /// The payload's bytes: the file `document.cbor`.
    pub fn payload(&self) -> Vec<u8> {
        cbor::encode(&Value::map([
            (1, ID.into()),
            (2, self.version.into()),
            (3, self.effective_from.into()),
            (4, self.change.name().into()),
            (5, self.kk_sha256.into()),
            (6, self.ru_sha256.into()),
            (7, self.structure_sha256.into()),
        ]))
    }

    /// The document's digest: SHA-256 of the payload's bytes.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.payload()).into()
    }

    /// Reads a payload, which must be in the one deterministic form: its digest names the document.
    pub fn decode(payload: &[u8], limits: &Limits) -> Result<Self, DocumentError> {
        let mut fields = Fields::decode(payload, limits)?;
        if fields.text(1)? != ID {
            return Err(DocumentError::Subject);
        }
        let meta = Self {
            version: fields.uint(2)?,
            effective_from: fields.int(3)?,
            change: Change::of(&fields.text(4)?).ok_or(DocumentError::Value)?,
            kk_sha256: fields.array(5)?,
            ru_sha256: fields.array(6)?,
            structure_sha256: fields.array(7)?,
        };
        fields.end()?;
        if meta.version == 0 || meta.payload() != payload {
            return Err(DocumentError::Value);
        }
        Ok(meta)
    }

    /// Signs the document message with a document key; `iss` is the server's URL, `issued_at` in Unix seconds.
    pub fn sign(&self, iss: &str, issued_at: i64, key: &SigningKey) -> Vec<u8> {
        let sub = terms_urn(self.version);
        let header = Header::new(content_type::DOCUMENT, key, iss, &sub, issued_at);
        cose::sign(&header, &self.payload(), key)
    }
}

/// A verified document message. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMeta {
    meta: Meta,
    raw: Vec<u8>,
    issuer: String,
}

impl SignedMeta {
    /// What was signed.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The message's bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The server's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// Verifies a document message with the document key of its kid.
pub fn verify(bytes: &[u8], key: &PublicKey, limits: &Limits) -> Result<SignedMeta, DocumentError> {
    let opened = cose::open(bytes, content_type::DOCUMENT, key, limits)?;
    let meta = Meta::decode(&opened.payload, limits)?;
    if opened.header.sub != terms_urn(meta.version) {
        return Err(DocumentError::Subject);
    }
    Ok(SignedMeta {
        meta,
        raw: bytes.to_vec(),
        issuer: opened.header.iss,
    })
}

/// One version with its texts, whose digests were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    meta: Meta,
    digest: [u8; 32],
    kk: String,
    ru: String,
    structure_json: String,
    structure: Structure,
}

static BUILTIN: LazyLock<Document> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the files are compiled in, and a test loads them"
    )]
    Document::new(1, 0, Change::Material, KK, RU, STRUCTURE)
        .expect("the built-in document is valid")
});

impl Document {
    /// Version 1, compiled in.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// A new version from its texts, for publishing. `effective_from` in Unix seconds.
    pub fn new(
        version: u64,
        effective_from: i64,
        change: Change,
        kk: &str,
        ru: &str,
        structure_json: &str,
    ) -> Result<Self, DocumentError> {
        if version == 0 {
            return Err(DocumentError::Value);
        }
        let sha256 = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
        let meta = Meta {
            version,
            effective_from,
            change,
            kk_sha256: sha256(kk),
            ru_sha256: sha256(ru),
            structure_sha256: sha256(structure_json),
        };
        Ok(Self {
            digest: meta.digest(),
            meta,
            kk: kk.to_owned(),
            ru: ru.to_owned(),
            structure_json: structure_json.to_owned(),
            structure: Structure::parse(structure_json, kk, ru)?,
        })
    }

    /// The version `meta` is about, if these are its texts.
    pub fn with_meta(
        meta: &Meta,
        kk: &str,
        ru: &str,
        structure_json: &str,
    ) -> Result<Self, DocumentError> {
        let document = Self::new(
            meta.version,
            meta.effective_from,
            meta.change,
            kk,
            ru,
            structure_json,
        )?;
        if document.meta == *meta {
            Ok(document)
        } else {
            Err(DocumentError::Digest)
        }
    }

    /// A document from the contents of its folder: `document.cbor` (the payload), `kk.txt`, `ru.txt`, `structure.json`.
    pub fn from_files(
        document_cbor: &[u8],
        kk: &str,
        ru: &str,
        structure_json: &str,
    ) -> Result<Self, DocumentError> {
        let meta = Meta::decode(document_cbor, &Limits::DEFAULT)?;
        Self::with_meta(&meta, kk, ru, structure_json)
    }

    /// The contents of its folder by file name.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 4] {
        [
            ("document.cbor", self.meta.payload()),
            ("kk.txt", self.kk.clone().into_bytes()),
            ("ru.txt", self.ru.clone().into_bytes()),
            ("structure.json", self.structure_json.clone().into_bytes()),
        ]
    }

    /// What is signed about it.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The digest that names it.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The digest in lowercase hex.
    pub fn digest_hex(&self) -> String {
        hex::encode(self.digest)
    }

    /// The Kazakh text, verbatim.
    pub fn kk(&self) -> &str {
        &self.kk
    }

    /// The Russian text, verbatim.
    pub fn ru(&self) -> &str {
        &self.ru
    }

    /// The pairing, verbatim.
    pub fn structure_json(&self) -> &str {
        &self.structure_json
    }

    /// The bilingual title line that stood above both texts.
    pub fn title(&self) -> &str {
        self.structure.title()
    }

    /// The paired units in reading order, with their text.
    pub fn units(&self) -> &[Unit] {
        self.structure.units()
    }

    /// Where the two halves do not go together. Empty for a new version worth publishing; version 1 has its known ones.
    pub fn mismatches(&self) -> Vec<Mismatch> {
        self.structure.mismatches()
    }
}

/// A note for the publisher on what is wrong in version 1; line numbers from 1 in the language's own file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The unit it is about; null for the bilingual title line or the whole text.
    pub unit: Option<u32>,
    pub kk_line: Option<usize>,
    pub ru_line: Option<usize>,
    /// `meaning`, `number`, `structure`, `typo` or `minor`.
    pub kind: String,
    pub note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    #[serde(rename = "format")]
    _format: u32,
    notes: Vec<Note>,
}

/// The publisher's notes on version 1.
pub fn publisher_notes() -> Vec<Note> {
    static PARSED: LazyLock<Vec<Note>> = LazyLock::new(|| {
        #[expect(
            clippy::expect_used,
            reason = "the file is compiled in, and a test loads it"
        )]
        serde_json::from_str::<Notes>(NOTES)
            .expect("the built-in notes are valid")
            .notes
    });
    PARSED.clone()
}

#[cfg(test)]
mod tests;
