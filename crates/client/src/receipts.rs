//! Receipts, however they come: by the network, in a courier's answer, through a phone. Verified first, then kept with the
//! statement, and only then the sealed item goes.

use infoblood_agreement::{
    cbor::Limits,
    receipt::VerifiedReceipt,
    sealed::Kind,
    statement::{leaf_hash, peek},
};
use jiff::Timestamp;
use sqlx::{Connection as _, FromRow, SqliteConnection};

use crate::{
    Workstation, database::DatabaseError, enrol::checkpoint_bytes, error::StoreError,
    proof::verify_receipt, settings,
};

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

#[derive(FromRow)]
struct Row {
    kind: String,
    bytes: Vec<u8>,
    person_id: Option<String>,
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
        let row: Option<Row> = sqlx::query_as(
            "SELECT s.kind, s.bytes, i.person_id FROM statement s LEFT JOIN identity i ON i.id = s.identity WHERE s.item_id = ?",
        )
        .bind(item_id)
        .fetch_optional(&mut *store)
        .await?;
        let Some(row) = row else {
            return Ok(Kept::Unknown);
        };
        let leaf = leaf_hash(&row.bytes, &Limits::DEFAULT).map_err(StoreError::sign)?;
        let sub = peek(&row.bytes, &Limits::DEFAULT)
            .map_err(StoreError::sign)?
            .sub;
        let verified = match verify_receipt(&self.key_set(), receipt, &leaf, &sub) {
            Ok(verified) => verified,
            Err(error) => {
                tracing::warn!(%error, "a receipt was refused");
                return Ok(Kept::Refused);
            }
        };
        let mut transaction = store.begin().await?;
        write(&mut transaction, item_id, receipt, &verified, self.now()).await?;
        transaction.commit().await?;
        drop(store);
        self.0.outbox.remove(item_id)?;
        let is_decision = row.kind == Kind::Acceptance.as_str();
        Ok(Kept::Verified {
            decided: row.person_id.filter(|_| is_decision),
        })
    }
}

/// Stores a receipt that verified, in place of the item's row. The caller removes the file after the commit.
pub(crate) async fn write(
    store: &mut SqliteConnection,
    item_id: &str,
    receipt: &[u8],
    verified: &VerifiedReceipt,
    now: Timestamp,
) -> Result<(), DatabaseError> {
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
    sqlx::query("DELETE FROM outbox WHERE id = ?")
        .bind(item_id)
        .execute(&mut *store)
        .await?;
    let checkpoint = checkpoint_bytes(verified.tree_size(), verified.root());
    let known = settings::get(store, "checkpoint").await?;
    // Receipts may come in any order; the tree's size stands first, big endian.
    if known.is_none_or(|known| known < checkpoint) {
        settings::set(store, "checkpoint", &checkpoint).await?;
    }
    Ok(())
}
