use std::future::Future;

use super::Stored;

/// A published document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// SHA-256 of the signed payload.
    pub digest: [u8; 32],
    /// From 1.
    pub version: u64,
    /// Unix seconds.
    pub effective_from: i64,
    /// Whether it needs new acceptances.
    pub material: bool,
    /// The signed message.
    pub message: Vec<u8>,
}

/// The texts of a published document, verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Kazakh.
    pub kk: String,
    /// Russian.
    pub ru: String,
    /// Their pairing, JSON.
    pub structure: String,
}

/// One registered decision about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Leaf hash of the statement.
    pub leaf: [u8; 32],
    /// Its place in the log.
    pub leaf_index: u64,
    /// Absent for a refusal by a device nobody had enrolled on.
    pub person_id: Option<String>,
    /// Where it was made.
    pub device_id: String,
    /// Digest of the document.
    pub document: [u8; 32],
    /// Accepted or declined.
    pub accepted: bool,
    /// The earlier of signing and registration, Unix seconds.
    pub effective_at: i64,
    /// The device's own count.
    pub sequence: u64,
}

/// Documents and decisions.
pub trait AgreementStorage {
    /// Adds a document; `Conflict` if digest or version is taken.
    fn add_document(&mut self, document: &Document) -> impl Future<Output = Stored<()>> + Send;

    /// The document with this digest.
    fn document(
        &mut self,
        digest: &[u8; 32],
    ) -> impl Future<Output = Stored<Option<Document>>> + Send;

    /// Documents in force at `at`, newest version first.
    fn documents_in_force(&mut self, at: i64)
    -> impl Future<Output = Stored<Vec<Document>>> + Send;

    /// Documents with a version after `version`, oldest first, in force or not.
    fn documents_after(
        &mut self,
        version: u64,
    ) -> impl Future<Output = Stored<Vec<Document>>> + Send;

    /// Adds the texts of a document; `Conflict` if it has some.
    fn add_texts(
        &mut self,
        digest: &[u8; 32],
        texts: &Texts,
    ) -> impl Future<Output = Stored<()>> + Send;

    /// The texts of a document; `None` for the one that is built in.
    fn texts(&mut self, digest: &[u8; 32]) -> impl Future<Output = Stored<Option<Texts>>> + Send;

    /// Adds a decision.
    fn add_decision(&mut self, decision: &Decision) -> impl Future<Output = Stored<()>> + Send;

    /// The latest decision of this person on this device about this document: by time, then the device's count, then
    /// the order of registration.
    fn latest_decision(
        &mut self,
        person_id: &str,
        device_id: &str,
        document: &[u8; 32],
    ) -> impl Future<Output = Stored<Option<Decision>>> + Send;
}
