//! Audit events: each one opened, verified, stored once; what is missing from a device's chain is recorded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use infoblood_agreement::audit::{self, AuditEvent as Event};
use infoblood_agreement::keys::PublicKey;
use infoblood_agreement::sealed::{Kind, SealedItem, item_id};

use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{AuditEvent, AuditGap, Database, GapKind, StorageError, Transaction};

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored; with a code if the chain is not whole around it.
    Stored(Option<&'static str>),
    /// It was stored before.
    Duplicate,
    /// It will never be stored.
    Rejected(&'static str),
}

/// Takes one sealed event. `id` is the item's id (hex SHA-256 of the message) or the event's own (16 bytes, hex).
///
/// Only storage failures are errors; a bad item is [`Outcome::Rejected`].
pub async fn take<D: Database>(
    context: &Context<D>,
    id: &str,
    sealed: &str,
) -> Result<Outcome, Problem> {
    let message = match open(context, sealed) {
        Ok(message) => message,
        Err(code) => return Ok(Outcome::Rejected(code)),
    };
    let mut tx = context.database.read().await?;
    let verified = match verify(&mut tx, message).await {
        Ok(verified) => verified,
        Err(Refusal::Code(code)) => return Ok(Outcome::Rejected(code)),
        Err(Refusal::Storage(error)) => return Err(error.into()),
    };
    drop(tx);
    if id != item_id(&verified.message) && id != hex::encode(verified.event.id) {
        return Ok(Outcome::Rejected("id-mismatch"));
    }
    let mut tx = context.database.write().await?;
    let outcome = store(&mut tx, verified, context.now()).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// Takes the opened messages of several events in one transaction: all outcomes are durable, or none.
pub async fn take_opened<D: Database>(
    context: &Context<D>,
    messages: Vec<Vec<u8>>,
) -> Result<Vec<Outcome>, Problem> {
    let now = context.now();
    let mut outcomes = Vec::with_capacity(messages.len());
    let mut tx = context.database.write().await?;
    for message in messages {
        outcomes.push(match verify(&mut tx, message).await {
            Ok(verified) => store(&mut tx, verified, now).await?,
            Err(Refusal::Code(code)) => Outcome::Rejected(code),
            Err(Refusal::Storage(error)) => return Err(error.into()),
        });
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// An event under its device's signature.
struct Verified {
    message: Vec<u8>,
    event: Event,
    device_id: String,
}

enum Refusal {
    Code(&'static str),
    Storage(StorageError),
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

fn open<D>(context: &Context<D>, sealed: &str) -> Result<Vec<u8>, &'static str> {
    let bytes = BASE64.decode(sealed).map_err(|_| "sealed-malformed")?;
    let item = SealedItem::parse(&bytes).map_err(|error| error.code())?;
    if item.kind() != Kind::AuditEvent {
        return Err("sealed-unknown");
    }
    let message = item
        .open(&context.keys.sealing)
        .map_err(|error| error.code())?;
    Ok(message.to_vec())
}

async fn verify(tx: &mut impl Transaction, message: Vec<u8>) -> Result<Verified, Refusal> {
    let claimed = audit::claimed_device(&message).map_err(|error| Refusal::Code(error.code()))?;
    let device = tx
        .device(&claimed)
        .await?
        .ok_or(Refusal::Code("device-unknown"))?;
    // A revoked device's events still count: they may be the ones that matter.
    let key =
        PublicKey::from_bytes(&device.signing_key).map_err(|error| Refusal::Code(error.code()))?;
    let event = Event::verify(&message, &key).map_err(|error| Refusal::Code(error.code()))?;
    Ok(Verified {
        message,
        event,
        device_id: device.device_id,
    })
}

async fn store(
    tx: &mut impl Transaction,
    verified: Verified,
    now: i64,
) -> Result<Outcome, StorageError> {
    let Verified {
        message,
        event,
        device_id,
    } = verified;
    let hash = audit::message_hash(&message);
    if tx.has_audit_event(&hash).await? {
        return Ok(Outcome::Duplicate);
    }
    let sequence = event.sequence;
    let mut faults = Vec::new();
    let mut fault = |kind, first, last| {
        let device_id = device_id.clone();
        faults.push(AuditGap {
            device_id,
            kind,
            first,
            last,
            detected_at: now,
            closed_at: None,
        });
    };

    if !tx.audit_hashes(&device_id, sequence).await?.is_empty() {
        fault(GapKind::Fork, sequence, sequence);
    }
    let last = tx.last_audit_sequence(&device_id).await?;
    if sequence > last + 1 {
        fault(GapKind::Missing, last + 1, sequence - 1);
    }
    if let Some(previous) = event.previous {
        let before = tx.audit_hashes(&device_id, sequence - 1).await?;
        if !before.is_empty() && !before.contains(&previous) {
            fault(GapKind::Broken, sequence, sequence);
        }
    }
    let after = tx.audit_successor(&device_id, sequence).await?;
    if !after.is_empty() && !after.contains(&Some(hash)) {
        fault(GapKind::Broken, sequence + 1, sequence + 1);
    }

    tx.add_audit_event(&AuditEvent {
        hash,
        id: event.id.to_vec(),
        device_id: device_id.clone(),
        sequence,
        previous: event.previous,
        person_id: event.person_id,
        action: event.action.as_str().to_owned(),
        outcome: event.outcome.as_str().to_owned(),
        reference: event.reference,
        at: event.time,
        received_at: now,
        message,
    })
    .await?;
    let code = faults.first().map(|gap| match gap.kind {
        GapKind::Missing => "audit-gap",
        GapKind::Broken => "audit-broken",
        GapKind::Fork => "audit-fork",
    });
    for gap in &faults {
        tracing::warn!(device = %gap.device_id, kind = gap.kind.as_str(), first = gap.first, last = gap.last, "audit chain");
        tx.add_audit_gap(gap).await?;
    }
    for gap in tx.audit_gaps(&device_id).await? {
        let here = gap.kind == GapKind::Missing
            && gap.closed_at.is_none()
            && (gap.first..=gap.last).contains(&sequence);
        if here
            && tx
                .count_audit_events(&device_id, gap.first, gap.last)
                .await?
                == gap.last - gap.first + 1
        {
            tx.close_audit_gap(&device_id, gap.first, now).await?;
        }
    }
    Ok(Outcome::Stored(code))
}
