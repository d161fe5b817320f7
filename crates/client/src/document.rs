//! Facts of the document that is current for this version of the app.

use infoblood_agreement::document::Document;

/// What identifies the document that people accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFacts {
    /// From 1.
    pub version: u64,
    /// The document digest.
    pub sha256: [u8; 32],
    /// Unix seconds.
    pub effective_from: i64,
}

impl DocumentFacts {
    /// The current material version: the one that is built in.
    pub fn current() -> Self {
        let document = Document::builtin();
        Self {
            version: document.meta().version,
            sha256: *document.digest(),
            effective_from: document.meta().effective_from,
        }
    }
}
