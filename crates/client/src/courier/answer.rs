//! «Read the answer»: checked as a whole, then receipts, documents, grants and revocations; patient data are put aside.

use std::path::{Path, PathBuf};

use infoblood_agreement::{
    courier::{AnswerHead, AnswerReader, AnswerRecord, DeviceState, ItemState},
    keys::PublicKey,
    sealed::Kind,
};
use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use tokio::io::AsyncReadExt as _;

use super::{
    Chunks, Cursors, MAX_FILE, NewFile, PIECE, PackError, Progress,
    export::{answered, requests},
};
use crate::{
    DocumentsError, Revocation, Workstation,
    database::DatabaseError,
    error::StoreError,
    receipts::{self, Kept},
    session::{stored_grant, verify_grant},
    settings,
    sync::verdict,
    transport::PublishedDocument,
};
use infoblood_agreement::courier::CourierError;

const COUNTER: &str = "courier_counter";
const PENDING: &str = "courier_answer";

/// What an answer brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Receipts that verified.
    pub receipts: u64,
    /// Items without a receipt of their own that the server has now.
    pub stored: u64,
    /// Items that the server refused; they are shown with the reason.
    pub refused: u64,
    /// Persons who may open the patient data with their passphrase now.
    pub grants: u64,
    /// Persons whose right is gone.
    pub revoked: u64,
    /// Whether patient data wait for somebody to sign in.
    pub has_patients: bool,
    /// Persons whose decision was registered.
    pub registered: Vec<String>,
}

/// The answer whose patient data wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) counter: u64,
    /// Where the change feed stood when this was asked for.
    pub(super) from: Cursors,
}

/// What is removed from the courier's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tidy {
    /// Answers that were read.
    Answers,
    /// At a start also what a crash left of files on their way.
    Everything,
}

impl Workstation {
    /// Takes the answer in `file`. The whole file is copied and verified first: a refused or cancelled one changes nothing, whatever
    /// happens to the file meanwhile. What a crash interrupts is done by reading the file again.
    pub async fn read_answer(&self, file: &Path, progress: &Progress) -> Result<Taken, PackError> {
        let _one = self.0.courier.lock().await;
        let copy = self.copy(file, progress).await?;
        let result = self.take_copy(&copy, progress).await;
        // Renamed where patient data wait in it.
        let _ = tokio::fs::remove_file(&copy).await;
        result
    }

    async fn take_copy(&self, copy: &Path, progress: &Progress) -> Result<Taken, PackError> {
        let (head, from) = self.check_answer(copy, progress).await?;
        let mut taken = Taken::default();
        let mut reader = self.answer_reader();
        let mut chunks = Chunks::open(copy).await?;
        let quiet = Progress::default();
        let mut records = Vec::new();
        while let Some(chunk) = chunks.next(&quiet).await? {
            match reader.read(&chunk, &self.keys(), None)? {
                Some(more) => records.extend(more),
                None => taken.has_patients = true,
            }
        }
        self.accept_key_set(reader.key_set().clone()).await?;
        if let Some(time) = reader.signed_time(&head.nonce) {
            self.accept_time(&time).await?;
        }
        if head.device == DeviceState::Revoked {
            self.apply_revocation(Revocation::Device).await?;
        }
        self.take_records(records, &mut taken).await?;
        if taken.has_patients {
            let pending = self.pending_file(head.counter)?;
            tokio::fs::rename(copy, &pending).await?;
            if let Some(dir) = pending.parent() {
                crate::disk::sync_directory(dir)?;
            }
        }
        self.finish(&head, from, taken.has_patients).await?;
        self.tidy_courier(Tidy::Answers).await?;
        Ok(taken)
    }

    pub(super) fn answer_reader(&self) -> AnswerReader {
        let authority: PublicKey = *self.0.profile.authority();
        AnswerReader::new((*self.key_set()).clone(), authority)
    }

    /// Where the patient data of the answer with this counter wait.
    pub(super) fn pending_file(&self, counter: u64) -> Result<PathBuf, PackError> {
        Ok(self.courier_dir()?.join(format!("answer-{counter}.ibpack")))
    }

    pub(super) async fn pending(&self) -> Result<Option<Pending>, DatabaseError> {
        let json = settings::get(&mut *self.store().await, PENDING).await?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    pub(crate) async fn forget_pending(&self) -> Result<(), PackError> {
        settings::remove(&mut *self.store().await, PENDING).await?;
        self.tidy_courier(Tidy::Answers).await
    }

    /// Removes files of the courier's folder, never the one whose patient data wait.
    pub(crate) async fn tidy_courier(&self, what: Tidy) -> Result<(), PackError> {
        let kept = match self.pending().await? {
            Some(pending) => Some(self.pending_file(pending.counter)?),
            None => None,
        };
        let mut files = tokio::fs::read_dir(self.courier_dir()?).await?;
        while let Some(file) = files.next_entry().await? {
            let is_answer = file.file_name().to_string_lossy().starts_with("answer-");
            if (is_answer || what == Tidy::Everything) && Some(file.path()) != kept {
                tokio::fs::remove_file(file.path()).await?;
            }
        }
        Ok(())
    }

    /// A copy of the file in a place of ours. Copying and checking are the two halves of the progress.
    async fn copy(&self, file: &Path, progress: &Progress) -> Result<PathBuf, PackError> {
        let path = self.courier_dir()?.join("answer-unread.ibpack");
        let mut from = tokio::fs::File::open(file).await?;
        let length = from.metadata().await?.len();
        if length > MAX_FILE {
            return Err(CourierError::TooLarge.into());
        }
        progress.begin(length * 2);
        let mut copy = NewFile::create(&path).await?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = from.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            progress.add(read)?;
            copy.write(&piece[..read]).await?;
        }
        copy.finish().await?;
        Ok(path)
    }

    /// Every signature, the order and the end; then that it is ours, asked for, and not older than what was read.
    async fn check_answer(
        &self,
        file: &Path,
        progress: &Progress,
    ) -> Result<(AnswerHead, Cursors), PackError> {
        let mut reader = self.answer_reader();
        let mut chunks = Chunks::open(file).await?;
        let mut first = None;
        while let Some(chunk) = chunks.next(progress).await? {
            reader.check(&chunk)?;
            first.get_or_insert(chunk);
        }
        reader.end()?;
        let first = first.ok_or(CourierError::Truncated)?;
        let records = self.answer_reader().read(&first, &self.keys(), None)?;
        let Some(AnswerRecord::Head(head)) = records.into_iter().flatten().next() else {
            return Err(CourierError::Order.into());
        };
        if head.device_id != self.device_id() || head.site != self.0.profile.site().code {
            return Err(CourierError::OtherDevice.into());
        }
        let mut store = self.store().await;
        let nonce = hex::encode(head.nonce);
        let asked = requests(&mut store)
            .await?
            .into_iter()
            .find(|asked| asked.nonce == nonce)
            .ok_or(PackError::Unasked)?;
        let read = settings::int(&mut store, COUNTER).await?.unwrap_or(0);
        let counter = i64::try_from(head.counter).map_err(|_| CourierError::Order)?;
        if counter <= read {
            return Err(PackError::Old);
        }
        Ok((head, asked.cursors))
    }

    async fn take_records(
        &self,
        records: Vec<AnswerRecord>,
        taken: &mut Taken,
    ) -> Result<(), PackError> {
        // Grants need the receipts, the receipts of this very answer too.
        let (grants, others): (Vec<_>, Vec<_>) = records
            .into_iter()
            .partition(|record| matches!(record, AnswerRecord::Grant { .. }));
        for record in others.into_iter().chain(grants) {
            match record {
                AnswerRecord::Receipt { id, receipt } => {
                    if let Kept::Verified { decided } = self.keep_receipt(&id, &receipt).await? {
                        taken.receipts += 1;
                        taken.registered.extend(decided);
                    }
                }
                AnswerRecord::Item { id, state } => self.take_item(&id, state, taken).await?,
                AnswerRecord::Grant {
                    person_id,
                    name,
                    role,
                    grant,
                } => {
                    if self.take_grant(&person_id, &grant, &name, &role).await? {
                        taken.grants += 1;
                    }
                }
                AnswerRecord::NoGrant { person_id, code } => {
                    if code == "person-revoked" {
                        self.apply_revocation(Revocation::Person(&person_id))
                            .await?;
                        taken.revoked += 1;
                    } else if code == "agreement-required" {
                        self.apply_revocation(Revocation::Grant(&person_id)).await?;
                    }
                }
                AnswerRecord::Document {
                    message,
                    kk,
                    ru,
                    structure,
                } => {
                    let sent = PublishedDocument {
                        message,
                        kk,
                        ru,
                        structure,
                    };
                    self.take_document(sent).await?;
                }
                // Patient data come later, the head was read.
                AnswerRecord::Change(_) | AnswerRecord::Head(_) => {}
            }
        }
        Ok(())
    }

    async fn take_item(
        &self,
        id: &str,
        state: ItemState,
        taken: &mut Taken,
    ) -> Result<(), PackError> {
        match state {
            // A statement of ours goes only with its verified receipt.
            ItemState::Stored => {
                let mut store = self.store().await;
                let is_ours: bool = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT 1 FROM outbox o WHERE id = ? AND NOT EXISTS (SELECT 1 FROM statement WHERE item_id = o.id))",
                )
                .bind(id)
                .fetch_one(&mut *store)
                .await?;
                if is_ours {
                    receipts::drop_row(&mut store, id, self.now()).await?;
                    drop(store);
                    self.0.outbox.remove(id).map_err(StoreError::from)?;
                    taken.stored += 1;
                }
            }
            ItemState::Rejected { code } => {
                let kind: Option<String> =
                    sqlx::query_scalar("SELECT kind FROM outbox WHERE id = ?")
                        .bind(id)
                        .fetch_optional(&mut *self.store().await)
                        .await?;
                let kind = kind.as_deref().and_then(Kind::parse);
                if kind.is_some_and(|kind| verdict::is_final_by_courier(kind, &code))
                    && self.wedge(id, &code).await?
                {
                    taken.refused += 1;
                }
            }
            ItemState::Later { .. } => {}
        }
        Ok(())
    }

    /// Keeps a version of the agreement that verifies; one that does not changes nothing.
    async fn take_document(&self, sent: PublishedDocument) -> Result<(), StoreError> {
        match self.take_documents(&[sent]).await {
            Err(DocumentsError::Store(error)) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "a document in an answer was refused");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Keeps a grant that verifies; one that does not changes nothing.
    pub(crate) async fn take_grant(
        &self,
        person_id: &str,
        grant: &[u8],
        name: &str,
        role: &str,
    ) -> Result<bool, StoreError> {
        let mut store = self.store().await;
        let Some(identity) = crate::people::identity(&mut store, person_id).await? else {
            return Ok(false);
        };
        let Some(registered) = self.registered(&mut store, identity.id).await? else {
            return Ok(false);
        };
        let Ok((verified, _)) = verify_grant(self, grant, person_id, &registered) else {
            tracing::warn!("a grant in an answer was refused");
            return Ok(false);
        };
        // An answer may come after a session that brought a newer one.
        let stored = stored_grant(self, &mut store, person_id, &registered).await?;
        if stored.is_some_and(|(stored, _)| stored.terms().issued_at > verified.terms().issued_at) {
            return Ok(false);
        }
        crate::session::store_grant(&mut store, person_id, verified.as_bytes(), self.now()).await?;
        sqlx::query("UPDATE identity SET name = ?, role = ? WHERE id = ?")
            .bind(name)
            .bind(role)
            .bind(identity.id)
            .execute(&mut *store)
            .await?;
        drop(store);
        self.raise_generation().await?;
        Ok(true)
    }

    async fn finish(
        &self,
        head: &AnswerHead,
        from: Cursors,
        has_patients: bool,
    ) -> Result<(), PackError> {
        let mut store = self.store().await;
        let mut transaction = store.begin().await?;
        if has_patients {
            let pending = Pending {
                counter: head.counter,
                from,
            };
            let json = serde_json::to_vec(&pending).map_err(StoreError::sign)?;
            settings::set(&mut transaction, PENDING, &json).await?;
        }
        let counter = i64::try_from(head.counter).map_err(|_| CourierError::Order)?;
        settings::set_int(&mut transaction, COUNTER, counter).await?;
        answered(&mut transaction, &head.nonce, self.now().as_second()).await?;
        transaction.commit().await?;
        Ok(())
    }
}
