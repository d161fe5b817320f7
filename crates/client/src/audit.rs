//! The access log: signed by the device, chained, sealed into the outbox before anything is shown.

use infoblood_agreement::{
    audit::{Action, AuditEvent, Outcome, Purpose, message_hash},
    sealed::{Kind, SealedItem, item_id},
};
use rand_core::Rng as _;
use sqlx::Connection as _;

use crate::{
    PersonSession, Workstation, database::DatabaseError, error::StoreError, outbox::SealedFile,
    random, settings, unlocked::own_log,
};

/// What happened; the rest of the event is the workstation's business.
pub(crate) struct Access<'a> {
    pub(crate) action: Action,
    pub(crate) person_id: Option<&'a str>,
    pub(crate) outcome: Outcome,
    /// `Patient/<id>`.
    pub(crate) reference: Option<String>,
    /// A stable code.
    pub(crate) reason: Option<&'a str>,
    /// What the person looks for in this session.
    pub(crate) purpose: Option<Purpose>,
    /// Whether the read-only time was lifted.
    pub(crate) glass_broken: bool,
}

impl<'a> Access<'a> {
    pub(crate) fn permit(action: Action, person_id: &'a str) -> Self {
        Self {
            action,
            person_id: Some(person_id),
            outcome: Outcome::Permit,
            reference: None,
            reason: None,
            purpose: None,
            glass_broken: false,
        }
    }

    pub(crate) fn deny(action: Action, person_id: &'a str, reason: &'a str) -> Self {
        Self {
            action,
            person_id: Some(person_id),
            outcome: Outcome::Deny,
            reference: None,
            reason: Some(reason),
            purpose: None,
            glass_broken: false,
        }
    }
}

impl Workstation {
    /// Writes the event; it is on the disk, twice, when this returns.
    pub(crate) async fn record(&self, access: Access<'_>) -> Result<(), StoreError> {
        self.write(access, None).await
    }

    /// The same, with a copy that the person whose keys are open reads.
    pub(crate) async fn record_own(
        &self,
        person: &PersonSession,
        access: Access<'_>,
    ) -> Result<(), StoreError> {
        self.write(access, Some(person)).await
    }

    async fn write(
        &self,
        access: Access<'_>,
        person: Option<&PersonSession>,
    ) -> Result<(), StoreError> {
        let mut rng = random::generator()?;
        let now = self.now();
        let keys = self.keys();
        // Held to the end: the chain has one writer.
        let mut store = self.store().await;
        let head = settings::get(&mut store, "audit_head").await?;
        let (sequence, previous) = match head.as_deref().map(parse_head) {
            None => (0, None),
            Some(Some((sequence, hash))) => (sequence, Some(hash)),
            Some(None) => return Err(DatabaseError::Replaced.into()),
        };
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let event = AuditEvent {
            id,
            sequence: sequence + 1,
            previous,
            time: now.as_second(),
            action: access.action,
            person_id: access.person_id.map(str::to_owned),
            outcome: access.outcome,
            reference: access.reference,
            reason: access.reason.map(str::to_owned),
            purpose: access.purpose,
            glass_broken: access.glass_broken,
        };
        let message = event.sign(keys.device()).map_err(StoreError::sign)?;
        let file = self.seal(Kind::AuditEvent, &message, &mut rng)?;
        let prepared = self.0.outbox.prepare(vec![file.clone()]).await?;
        let mut transaction = store.begin().await?;
        let head = [&(sequence + 1).to_be_bytes()[..], &message_hash(&message)].concat();
        settings::set(&mut transaction, "audit_head", &head).await?;
        insert_row(&mut transaction, &file, Kind::AuditEvent, now.as_second()).await?;
        if let Some(person) = person {
            let copy = own_log::Copy {
                sequence: event.sequence,
                item_id: &file.id,
                at: event.time,
                message: &message,
            };
            own_log::keep(&mut transaction, person, &copy, &mut rng).await?;
        }
        transaction.commit().await?;
        prepared.publish().await?;
        Ok(())
    }

    /// Seals bytes to the server's newest sealing key.
    pub(crate) fn seal(
        &self,
        kind: Kind,
        plaintext: &[u8],
        rng: &mut impl rand_core::CryptoRng,
    ) -> Result<SealedFile, StoreError> {
        let at = self.now().as_second().max(self.time_floor());
        let key = self
            .key_set()
            .sealing_key(at)
            .ok_or(StoreError::NoSealingKey)?;
        let sealed = SealedItem::seal(kind, plaintext, &key, rng).map_err(StoreError::sign)?;
        Ok(SealedFile {
            id: item_id(plaintext),
            bytes: sealed.to_bytes(),
        })
    }
}

pub(crate) async fn insert_row(
    store: &mut sqlx::SqliteConnection,
    file: &SealedFile,
    kind: Kind,
    created_at: i64,
) -> Result<(), DatabaseError> {
    sqlx::query("INSERT INTO outbox (id, kind, sealed, created_at) VALUES (?, ?, ?, ?)")
        .bind(&file.id)
        .bind(kind.as_str())
        .bind(&file.bytes)
        .bind(created_at)
        .execute(store)
        .await?;
    Ok(())
}

fn parse_head(bytes: &[u8]) -> Option<(u64, [u8; 32])> {
    let (sequence, hash) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*sequence), hash.try_into().ok()?))
}
