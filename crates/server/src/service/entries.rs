//! The log: what goes into it and what is answered. An append, its receipt and what follows from it are one transaction.

use infoblood_agreement::cbor::Limits;
use infoblood_agreement::keys::{PublicKey, SigningKey};
use infoblood_agreement::receipt;
use infoblood_agreement::statement::{
    self, Acceptance, Decision as Word, Kind, Signer, StatementError, Verified,
};

use super::access;
use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{
    AgreementStorage, Database, Decision, Device, DeviceStatus, DeviceStorage, Entry, LogStorage,
    PeopleStorage, StorageError, Transaction,
};
use crate::tree;

/// Longest statement in bytes.
pub const MAX_STATEMENT_BYTES: usize = Limits::DEFAULT.max_bytes;

/// Who signs receipts.
#[derive(Debug, Clone, Copy)]
pub struct LogAuthor<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// The log's key.
    pub key: &'a SigningKey,
}

/// A statement that was verified and is to be appended.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its bytes as received.
    pub bytes: &'a [u8],
    /// Its leaf hash.
    pub leaf: &'a [u8; 32],
    /// Its subject, repeated by the receipt.
    pub sub: &'a str,
}

impl<'a> NewEntry<'a> {
    pub(super) fn of<T>(kind: Kind, statement: &'a Verified<T>) -> Self {
        Self {
            kind,
            bytes: statement.bytes(),
            leaf: statement.leaf(),
            sub: statement.sub(),
        }
    }
}

/// Appends and issues the receipt.
pub async fn append(
    tx: &mut impl Transaction,
    author: LogAuthor<'_>,
    new: NewEntry<'_>,
    now: i64,
) -> Result<Entry, Problem> {
    let inclusion = tree::append(tx, new.leaf).await?;
    let receipt = receipt::issue(
        new.leaf,
        &inclusion,
        author.issuer,
        new.sub,
        now,
        author.key,
    )
    .map_err(Problem::internal)?;
    let entry = Entry {
        leaf_index: inclusion.leaf_index,
        leaf: *new.leaf,
        kind: new.kind.name().to_owned(),
        statement: new.bytes.to_vec(),
        receipt,
        registered_at: now,
    };
    tx.add_entry(&entry).await?;
    Ok(entry)
}

/// The entry with this id, lower-case hex of the leaf hash.
pub async fn find<D: Database>(context: &Context<D>, id: &str) -> Result<Option<Entry>, Problem> {
    let mut leaf = [0; 32];
    if id.bytes().any(|b| b.is_ascii_uppercase()) || hex::decode_to_slice(id, &mut leaf).is_err() {
        return Ok(None);
    }
    Ok(context.database.read().await?.entry(&leaf).await?)
}

/// The entry of these very bytes, if they were registered before.
pub(super) async fn registered<D: Database>(
    context: &Context<D>,
    bytes: &[u8],
) -> Result<Option<Entry>, Problem> {
    let leaf = statement::leaf_hash(bytes, &Limits::DEFAULT).map_err(|error| refused(&error))?;
    Ok(context.database.read().await?.entry(&leaf).await?)
}

/// 400 for a statement that does not hold.
pub(super) fn refused(error: &StatementError) -> Problem {
    Problem::malformed(error.code(), error.to_string())
}

/// Takes a person's decision or a device's refusal; the same statement again is answered with the same receipt.
pub async fn register<D: Database>(context: &Context<D>, bytes: &[u8]) -> Result<Entry, Problem> {
    let header = statement::peek(bytes, &Limits::DEFAULT).map_err(|error| refused(&error))?;
    if let Some(entry) = registered(context, bytes).await? {
        return Ok(entry);
    }
    match header.kind {
        Kind::Acceptance => acceptance(context, bytes, &header.kid).await,
        Kind::DeviceRefusal => device_refusal(context, bytes, &header.kid).await,
        Kind::Enrolment => Err(Problem::malformed(
            "statement-kind",
            "Enrolments go to /v1/enrolments.",
        )),
        Kind::Administration => Err(Problem::forbidden(
            "key-unknown",
            "Only the server itself signs acts of administration.",
        )),
    }
}

fn key_unknown() -> Problem {
    Problem::forbidden("key-unknown", "No enrolment of this key is registered.")
}

async fn acceptance<D: Database>(
    context: &Context<D>,
    bytes: &[u8],
    kid: &[u8; 32],
) -> Result<Entry, Problem> {
    let mut tx = context.database.read().await?;
    let key = tx.person_key(kid).await?.ok_or_else(key_unknown)?;
    drop(tx);
    let public = PublicKey::from_bytes(&key.signing_key)
        .map_err(|_| StorageError::Damaged("person_keys"))?;
    let signer = Signer {
        key: &public,
        person_id: &key.person_id,
        device_id: &key.device_id,
    };
    let statement = statement::verify_acceptance(bytes, &signer, &Limits::DEFAULT)
        .map_err(|error| refused(&error))?;

    let mut tx = context.database.write().await?;
    let person = tx.person(&key.person_id).await?.ok_or_else(key_unknown)?;
    let device = tx.device(&key.device_id).await?.ok_or_else(key_unknown)?;
    access::refuse_revoked(&person, &device)?;
    finish(
        context,
        tx,
        Kind::Acceptance,
        &statement,
        Some(key.person_id),
        &device,
    )
    .await
}

async fn device_refusal<D: Database>(
    context: &Context<D>,
    bytes: &[u8],
    kid: &[u8; 32],
) -> Result<Entry, Problem> {
    let mut tx = context.database.read().await?;
    let device = tx.device_by_kid(kid).await?.ok_or_else(key_unknown)?;
    drop(tx);
    let public =
        PublicKey::from_bytes(&device.signing_key).map_err(|_| StorageError::Damaged("devices"))?;
    let statement = statement::verify_device_refusal(bytes, &public, &Limits::DEFAULT)
        .map_err(|error| refused(&error))?;

    let mut tx = context.database.write().await?;
    let device = tx
        .device(&device.device_id)
        .await?
        .ok_or_else(key_unknown)?;
    if device.status == DeviceStatus::Revoked {
        return Err(Problem::forbidden(
            "device-revoked",
            "This device's access was revoked.",
        ));
    }
    finish(context, tx, Kind::DeviceRefusal, &statement, None, &device).await
}

async fn finish<D: Database>(
    context: &Context<D>,
    mut tx: D::Tx,
    kind: Kind,
    statement: &Verified<Acceptance>,
    person_id: Option<String>,
    device: &Device,
) -> Result<Entry, Problem> {
    let said = statement.payload();
    // Asked again under the write lock: a twin of this request may have been first.
    if let Some(entry) = tx.entry(statement.leaf()).await? {
        return Ok(entry);
    }
    if said.site != device.site {
        return Err(Problem::malformed(
            "statement-site",
            "The statement names another site than the device's.",
        ));
    }
    let known = tx.document(&said.document_sha256).await?;
    if known.is_none_or(|document| document.version != said.document_version) {
        return Err(Problem::forbidden(
            "document-unknown",
            "No such document was published.",
        ));
    }
    let now = context.now();
    let entry = append(
        &mut tx,
        context.author(),
        NewEntry::of(kind, statement),
        now,
    )
    .await?;
    tx.add_decision(&Decision {
        leaf: entry.leaf,
        leaf_index: entry.leaf_index,
        person_id,
        device_id: device.device_id.clone(),
        document: said.document_sha256,
        accepted: said.decision == Word::Accepted,
        effective_at: statement.issued_at().min(now),
        sequence: said.sequence,
    })
    .await?;
    tx.commit().await?;
    tracing::info!(
        kind = kind.name(),
        leaf_index = entry.leaf_index,
        "registered"
    );
    Ok(entry)
}
