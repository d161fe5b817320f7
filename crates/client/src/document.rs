//! The versions of the agreement: those that are known here, which of them counts now, and where new ones come from.

use std::sync::{Arc, PoisonError};

use infoblood_agreement::{
    document::{Document, DocumentError, Documents},
    key_set::KeySet,
};
use sqlx::{Connection as _, FromRow, SqliteConnection};

use crate::{
    Workstation,
    database::DatabaseError,
    error::StoreError,
    sync::SyncOutcome,
    transport::{PublishedDocument, TransportError},
};

/// So many answers in a row are more than a server has versions to give.
const MOST_ANSWERS: usize = 64;

/// What identifies a document that people accept.
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
    /// Of this document.
    pub fn of(document: &Document) -> Self {
        Self {
            version: document.meta().version,
            sha256: *document.digest(),
            effective_from: document.meta().effective_from,
        }
    }
}

/// Why new versions were not taken. The store is as before.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The server could not be asked.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A version in the answer does not verify.
    #[error("a document of the server does not verify")]
    Document(#[from] DocumentError),
    /// They could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DocumentsError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.code(),
            Self::Document(_) => "document-invalid",
            Self::Store(error) => error.code(),
        }
    }
}

#[derive(FromRow)]
struct Row {
    message: Vec<u8>,
    kk: String,
    ru: String,
    structure: String,
}

impl Workstation {
    /// Every version that is known here, the built-in one first.
    pub fn documents(&self) -> Arc<Documents> {
        Arc::clone(
            &self
                .0
                .documents
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// The time by which versions come into force, Unix seconds: the local one, but never before a signed one.
    pub fn document_time(&self) -> i64 {
        self.now().as_second().max(self.time_floor())
    }

    /// The version to show and to accept now.
    pub fn current_document(&self) -> Arc<Document> {
        Arc::clone(self.documents().current(self.document_time()))
    }

    /// Asks the server for the versions that are not known here and keeps those that verify. Returns whether there were any.
    pub async fn refresh_documents(&self) -> Result<bool, DocumentsError> {
        let mut found = false;
        for _ in 0..MOST_ANSWERS {
            let newest = self.documents().newest().meta().version;
            let answer = self.0.transport.documents_after(newest).await?;
            if !self.take_documents(&answer).await? {
                break;
            }
            found = true;
        }
        Ok(found)
    }

    /// Keeps versions, however they came: all of them are new or known here and verify, or none is kept. Returns whether any was new.
    pub(crate) async fn take_documents(
        &self,
        sent: &[PublishedDocument],
    ) -> Result<bool, DocumentsError> {
        // Held until the new ones are known: two answers at once follow one another.
        let mut store = self.store().await;
        let mut documents = (*self.documents()).clone();
        let keys = self.key_set();
        let mut new = Vec::new();
        for one in sent {
            if documents.add(&one.message, &one.kk, &one.ru, &one.structure, &keys)? {
                new.push((documents.newest().meta().version, one));
            }
        }
        if new.is_empty() {
            return Ok(false);
        }
        let mut transaction = store.begin().await.map_err(StoreError::from)?;
        for (version, one) in new {
            // A row that did not verify when the store was opened stands in nobody's way.
            sqlx::query(
                "INSERT OR REPLACE INTO document (version, message, kk, ru, structure) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(version as i64)
            .bind(&one.message)
            .bind(&one.kk)
            .bind(&one.ru)
            .bind(&one.structure)
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::from)?;
            tracing::info!(version, "a new version of the agreement");
        }
        transaction.commit().await.map_err(StoreError::from)?;
        *self
            .0
            .documents
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(documents);
        drop(store);
        // A copy of the store from before would not know the new version.
        self.raise_generation().await.map_err(StoreError::from)?;
        Ok(true)
    }

    /// After a refusal that may mean a version which is not known here: without it nobody could accept it.
    pub(crate) async fn documents_after_refusal(&self, code: &str) {
        if code == "agreement-required"
            && let Err(error) = self.refresh_documents().await
        {
            // The next synchronisation asks again.
            tracing::warn!(code = error.code(), "no new documents were taken");
        }
    }

    /// A synchronisation's part: a server that is not there or knows nothing of versions is no failure of this round.
    pub(crate) async fn sync_documents(&self, outcome: &mut SyncOutcome) -> Result<(), StoreError> {
        if outcome.is_online == Some(false) {
            return Ok(());
        }
        match self.refresh_documents().await {
            Ok(_) => outcome.is_online = Some(true),
            Err(DocumentsError::Store(error)) => return Err(error),
            Err(error @ DocumentsError::Document(_)) => {
                tracing::warn!(%error, "a document was refused");
                outcome.error = Some(error.code().to_owned());
            }
            Err(error @ DocumentsError::Transport(_)) => {
                tracing::info!(code = error.code(), "no new documents were asked for");
            }
        }
        Ok(())
    }
}

/// The built-in version and what the store has after it. A row that does not verify ends the list: it will be fetched again.
pub(crate) async fn load(
    store: &mut SqliteConnection,
    keys: &KeySet,
) -> Result<Documents, DatabaseError> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT message, kk, ru, structure FROM document ORDER BY version")
            .fetch_all(store)
            .await?;
    let mut documents = Documents::new();
    for row in rows {
        if let Err(error) = documents.add(&row.message, &row.kk, &row.ru, &row.structure, keys) {
            tracing::warn!(%error, "a stored document does not verify");
            break;
        }
    }
    Ok(documents)
}
