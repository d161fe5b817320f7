//! Statements and receipts, verified again each time they leave the store: no row is believed.

use infoblood_agreement::{
    cbor::Limits,
    key_set::{KeySet, KeyUse},
    receipt::{Receipt, ReceiptError, VerifiedReceipt},
    statement::{Acceptance, Enrolment, Signer, Verified, verify_acceptance, verify_enrolment},
};
use sqlx::SqliteConnection;

use crate::{Workstation, database::DatabaseError};

/// Verifies a receipt under one of the log's keys, and that it is of this server and for this statement.
pub(crate) fn verify_receipt(
    keys: &KeySet,
    receipt: &[u8],
    leaf: &[u8; 32],
    sub: &str,
) -> Result<VerifiedReceipt, ReceiptRefused> {
    let parsed = Receipt::parse(receipt, &Limits::DEFAULT)?;
    let signers = keys.signers(KeyUse::Log);
    let key = signers
        .iter()
        .find(|key| key.kid() == *parsed.unverified_kid())
        .ok_or(ReceiptRefused::Signer)?;
    let verified = parsed.verify(leaf, sub, key)?;
    if verified.issuer() == keys.issuer() {
        Ok(verified)
    } else {
        Err(ReceiptRefused::Issuer)
    }
}

/// Why a receipt is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiptRefused {
    #[error("the key is not of this server's log")]
    Signer,
    #[error("the receipt is of another server")]
    Issuer,
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

/// A person's registered decision with everything that the gate asks for, verified just now.
pub(crate) struct Registered {
    pub(crate) acceptance: Verified<Acceptance>,
    pub(crate) receipt: VerifiedReceipt,
}

impl Workstation {
    /// Loads the newest enrolment and acceptance of an identity and verifies signatures and receipts. `None`: something is missing or
    /// does not verify, which is the same to the gate.
    pub(crate) async fn registered(
        &self,
        store: &mut SqliteConnection,
        identity: i64,
    ) -> Result<Option<Registered>, DatabaseError> {
        let Some((enrolment, Some(enrolment_receipt))) =
            statement(store, identity, "enrolment").await?
        else {
            return Ok(None);
        };
        let Some((acceptance, Some(receipt))) = statement(store, identity, "acceptance").await?
        else {
            return Ok(None);
        };
        let keys = self.key_set();
        Ok(verify(
            &keys,
            &enrolment,
            &enrolment_receipt,
            &acceptance,
            &receipt,
        ))
    }
}

/// Verifies both statements with their receipts. `None`: something does not verify.
pub(crate) fn verify(
    keys: &KeySet,
    enrolment: &[u8],
    enrolment_receipt: &[u8],
    acceptance: &[u8],
    receipt: &[u8],
) -> Option<Registered> {
    let enrolment: Verified<Enrolment> = verify_enrolment(enrolment, &Limits::DEFAULT).ok()?;
    verify_receipt(keys, enrolment_receipt, enrolment.leaf(), enrolment.sub()).ok()?;
    let claims = enrolment.payload();
    let signer = Signer {
        key: &claims.person_key,
        person_id: &claims.person_id,
        device_id: &claims.device_id,
    };
    let acceptance = verify_acceptance(acceptance, &signer, &Limits::DEFAULT).ok()?;
    let receipt = verify_receipt(keys, receipt, acceptance.leaf(), acceptance.sub()).ok()?;
    Some(Registered {
        acceptance,
        receipt,
    })
}

/// The newest statement of a kind: its bytes and its receipt.
pub(crate) async fn statement(
    store: &mut SqliteConnection,
    identity: i64,
    kind: &str,
) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT bytes, receipt FROM statement WHERE identity = ? AND kind = ? ORDER BY created_at DESC, sequence DESC LIMIT 1",
    )
    .bind(identity)
    .bind(kind)
    .fetch_optional(store)
    .await?)
}
