use std::future::Future;

use super::Stored;

/// A verified event of a device's audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// SHA-256 of the message: what the next event names.
    pub hash: [u8; 32],
    /// The event's own id.
    pub id: Vec<u8>,
    /// Which chain.
    pub device_id: String,
    /// From 1.
    pub sequence: u64,
    /// Hash of the event before.
    pub previous: Option<[u8; 32]>,
    /// Who looked.
    pub person_id: Option<String>,
    /// What was done.
    pub action: String,
    /// `permit` or `deny`.
    pub outcome: String,
    /// What it was done to.
    pub reference: Option<String>,
    /// The device's clock, Unix seconds.
    pub at: i64,
    /// Ours.
    pub received_at: i64,
    /// The signed message.
    pub message: Vec<u8>,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKind {
    /// Events have not come.
    Missing,
    /// An event does not continue the one before it.
    Broken,
    /// Two events claim one place.
    Fork,
}

impl GapKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Broken => "broken",
            Self::Fork => "fork",
        }
    }
}

/// A fault found in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditGap {
    /// Which chain.
    pub device_id: String,
    /// What is wrong.
    pub kind: GapKind,
    /// First sequence concerned.
    pub first: u64,
    /// Last one.
    pub last: u64,
    /// Unix seconds.
    pub detected_at: i64,
    /// Unix seconds; when the missing events came after all.
    pub closed_at: Option<i64>,
}

/// The audit chains of all devices.
pub trait AuditStorage {
    /// Whether this message is stored.
    fn has_audit_event(&mut self, hash: &[u8; 32]) -> impl Future<Output = Stored<bool>> + Send;

    /// Adds an event; `Conflict` if it is stored already.
    fn add_audit_event(&mut self, event: &AuditEvent) -> impl Future<Output = Stored<()>> + Send;

    /// Hashes of the stored events of a device with this sequence.
    fn audit_hashes(
        &mut self,
        device_id: &str,
        sequence: u64,
    ) -> impl Future<Output = Stored<Vec<[u8; 32]>>> + Send;

    /// Stored events that name the event before `sequence + 1`: the `previous` of a successor, if it is here.
    fn audit_successor(
        &mut self,
        device_id: &str,
        sequence: u64,
    ) -> impl Future<Output = Stored<Vec<Option<[u8; 32]>>>> + Send;

    /// Stored events of a device in the order of (sequence, hash), after that one.
    fn audit_events(
        &mut self,
        device_id: &str,
        after: (u64, [u8; 32]),
        limit: u32,
    ) -> impl Future<Output = Stored<Vec<AuditEvent>>> + Send;

    /// Highest stored sequence of a device, 0 if none.
    fn last_audit_sequence(&mut self, device_id: &str) -> impl Future<Output = Stored<u64>> + Send;

    /// How many different sequences from `first` to `last` are stored.
    fn count_audit_events(
        &mut self,
        device_id: &str,
        first: u64,
        last: u64,
    ) -> impl Future<Output = Stored<u64>> + Send;

    /// Records a fault; the same one again changes nothing.
    fn add_audit_gap(&mut self, gap: &AuditGap) -> impl Future<Output = Stored<()>> + Send;

    /// Faults of a device, in order.
    fn audit_gaps(&mut self, device_id: &str)
    -> impl Future<Output = Stored<Vec<AuditGap>>> + Send;

    /// Marks a run of missing events as complete.
    fn close_audit_gap(
        &mut self,
        device_id: &str,
        first: u64,
        at: i64,
    ) -> impl Future<Output = Stored<()>> + Send;
}
