//! Receipts, however they come: by the network, in a courier's answer, through a phone. Verified first, then kept with the
//! statement, and only then the sealed item goes.

use infoblood_agreement::receipt::VerifiedReceipt;
use jiff::Timestamp;
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    Workstation,
    database::DatabaseError,
    error::StoreError,
    settings,
    sync::{note_head, verdict},
};

/// Name of the setting: when the server last acknowledged an item, Unix seconds.
pub(crate) const LAST_SUCCESS: &str = "last_sync_success";

/// The same for items of one kind.
pub(crate) fn last_success_of(kind: &str) -> String {
    format!("{LAST_SUCCESS}/{kind}")
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It verified and is stored; of a decision also whose it is.
    Verified { decided: Option<String> },
    /// It is not this statement's receipt, or not of this server.
    Refused,
    /// No statement of this workstation has this id.
    Unknown,
}

impl Workstation {
    /// Verifies the receipt of the statement whose item has this id, and stores it; the item's row and file go. The same receipt
    /// again changes nothing.
    pub(crate) async fn keep_receipt(
        &self,
        item_id: &str,
        receipt: &[u8],
    ) -> Result<Kept, StoreError> {
        let mut store = self.store().await;
        let statement: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT bytes FROM statement WHERE item_id = ?")
                .bind(item_id)
                .fetch_optional(&mut *store)
                .await?;
        let Some(statement) = statement else {
            return Ok(Kept::Unknown);
        };
        let Ok(verified) = verdict::of_receipt(&self.key_set(), &statement, receipt) else {
            return Ok(Kept::Refused);
        };
        let mut transaction = store.begin().await?;
        write(&mut transaction, item_id, receipt, &verified, self.now()).await?;
        let decided = decided(&mut transaction, item_id).await?;
        transaction.commit().await?;
        drop(store);
        self.0.outbox.remove(item_id)?;
        Ok(Kept::Verified { decided })
    }
}

/// Stores a receipt that verified, in place of the item's row. One that it replaces is kept beside it: it stays evidence. The caller
/// removes the file after the commit.
pub(crate) async fn write(
    store: &mut SqliteConnection,
    item_id: &str,
    receipt: &[u8],
    verified: &VerifiedReceipt,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO superseded_receipt (statement_id, receipt, registered_at, tree_size, leaf_index, superseded_at)
         SELECT id, receipt, registered_at, tree_size, leaf_index, ? FROM statement
         WHERE item_id = ? AND receipt IS NOT NULL AND receipt <> ?",
    )
    .bind(now.as_second())
    .bind(item_id)
    .bind(receipt)
    .execute(&mut *store)
    .await?;
    sqlx::query(
        "UPDATE statement SET receipt = ?, verified_at = ?, registered_at = ?, tree_size = ?, leaf_index = ? WHERE item_id = ?",
    )
    .bind(receipt)
    .bind(now.as_second())
    .bind(verified.registered_at())
    .bind(verified.tree_size() as i64)
    .bind(verified.leaf_index() as i64)
    .bind(item_id)
    .execute(&mut *store)
    .await?;
    note_head(
        store,
        verified.tree_size(),
        verified.root(),
        verified.registered_at(),
    )
    .await?;
    drop_row(store, item_id, now).await
}

/// Drops the row of an item that is at the server, and notes the success.
pub(crate) async fn drop_row(
    store: &mut SqliteConnection,
    item_id: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let kind: Option<String> = sqlx::query_scalar("DELETE FROM outbox WHERE id = ? RETURNING kind")
        .bind(item_id)
        .fetch_optional(&mut *store)
        .await?;
    if let Some(kind) = kind {
        settings::set_int(store, &last_success_of(&kind), now.as_second()).await?;
    }
    settings::set_int(store, LAST_SUCCESS, now.as_second()).await
}

/// The person whose decision this item is.
pub(crate) async fn decided(
    store: &mut SqliteConnection,
    item_id: &str,
) -> Result<Option<String>, DatabaseError> {
    Ok(sqlx::query_scalar(
        "SELECT i.person_id FROM statement s JOIN identity i ON i.id = s.identity WHERE s.item_id = ? AND s.kind = 'acceptance'",
    )
    .bind(item_id)
    .fetch_optional(store)
    .await?)
}
