use std::future::Future;

use super::Stored;

/// One statement in the log, with its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 0.
    pub leaf_index: u64,
    /// Leaf hash: the statement's id.
    pub leaf: [u8; 32],
    /// `enrolment`, `acceptance`, `device-refusal`, `administration`.
    pub kind: String,
    /// The bytes as received.
    pub statement: Vec<u8>,
    /// The bytes as issued; every later answer is these.
    pub receipt: Vec<u8>,
    /// Unix seconds.
    pub registered_at: i64,
}

/// The log's rows; the tree over them is `crate::tree`.
pub trait LogStorage {
    /// Number of leaves.
    fn tree_size(&mut self) -> impl Future<Output = Stored<u64>> + Send;

    /// Hash of the complete subtree `idx` of 2^`level` leaves.
    fn node(
        &mut self,
        level: u32,
        idx: u64,
    ) -> impl Future<Output = Stored<Option<[u8; 32]>>> + Send;

    /// Adds the hash of a complete subtree.
    fn add_node(
        &mut self,
        level: u32,
        idx: u64,
        hash: &[u8; 32],
    ) -> impl Future<Output = Stored<()>> + Send;

    /// Appends an entry and raises the tree's size; `Conflict` if the leaf is there or another took the index.
    fn add_entry(&mut self, entry: &Entry) -> impl Future<Output = Stored<()>> + Send;

    /// The entry with this leaf hash.
    fn entry(&mut self, leaf: &[u8; 32]) -> impl Future<Output = Stored<Option<Entry>>> + Send;
}
