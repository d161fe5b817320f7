//! Statements and receipts, verified again each time they leave the store: no row is believed.

use infoblood_agreement::{
    cbor::Limits,
    document::Documents,
    key_set::{KeySet, KeyUse},
    receipt::{Receipt, ReceiptError, VerifiedReceipt},
    statement::{
        Acceptance, Decision, Enrolment, Signer, Verified, verify_acceptance, verify_enrolment,
    },
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

/// A registered decision with everything that the gate asks for, verified just now.
pub(crate) struct Decided {
    pub(crate) acceptance: Verified<Acceptance>,
    pub(crate) receipt: VerifiedReceipt,
}

impl Decided {
    /// What orders decisions, at the server too: the earlier of signing and registration, then the device's own count.
    fn order(&self) -> (i64, u64) {
        let registered_at = self.receipt.registered_at();
        (
            self.acceptance.issued_at().min(registered_at),
            self.acceptance.payload().sequence,
        )
    }
}

/// The registered decisions of one identity; there is at least one.
pub(crate) struct Registered {
    enrolled: Enrolled,
    /// Newest first.
    decisions: Vec<Decided>,
}

impl Registered {
    /// With one more; the same again stays one.
    pub(crate) fn with(known: Option<Self>, enrolled: Enrolled, more: Decided) -> Self {
        let mut decisions = known.map_or_else(Vec::new, |known| known.decisions);
        decisions.retain(|known| known.acceptance.leaf() != more.acceptance.leaf());
        decisions.push(more);
        Self::of(enrolled, decisions)
    }

    fn of(enrolled: Enrolled, mut decisions: Vec<Decided>) -> Self {
        decisions.sort_by_key(|decided| std::cmp::Reverse(decided.order()));
        Self {
            enrolled,
            decisions,
        }
    }

    /// Whose decisions they are.
    pub(crate) fn enrolled(&self) -> &Enrolled {
        &self.enrolled
    }

    /// Every decision, newest first.
    pub(crate) fn all(&self) -> &[Decided] {
        &self.decisions
    }

    /// The decision with this leaf hash.
    pub(crate) fn find(&self, leaf: &[u8; 32]) -> Option<&Decided> {
        self.decisions
            .iter()
            .find(|decided| decided.acceptance.leaf() == leaf)
    }

    /// The decision that counts at `at` (Unix seconds): the last one about the newest of the documents that count then. The
    /// server decides alike.
    pub(crate) fn counting(&self, documents: &Documents, at: i64) -> Option<&Decided> {
        documents
            .required(at)
            .into_iter()
            .find_map(|document| self.about(document.digest()))
    }

    /// The last decision about the document with this digest.
    pub(crate) fn about(&self, document: &[u8; 32]) -> Option<&Decided> {
        self.decisions
            .iter()
            .find(|decided| decided.acceptance.payload().document_sha256 == *document)
    }

    /// The same, if it is an acceptance.
    pub(crate) fn accepted(&self, documents: &Documents, at: i64) -> Option<&Decided> {
        self.counting(documents, at)
            .filter(|decided| decided.acceptance.payload().decision == Decision::Accepted)
    }
}

impl Workstation {
    /// Loads the enrolment and the registered decisions of an identity and verifies signatures and receipts. `None`: something is
    /// missing or does not verify, which is the same to the gate.
    pub(crate) async fn registered(
        &self,
        store: &mut SqliteConnection,
        identity: i64,
    ) -> Result<Option<Registered>, DatabaseError> {
        let Some((enrolment, Some(receipt))) = statement(store, identity, "enrolment").await?
        else {
            return Ok(None);
        };
        let keys = self.key_set();
        let Some(enrolled) = Enrolled::verify(&keys, &enrolment, &receipt) else {
            return Ok(None);
        };
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT bytes, receipt FROM statement WHERE identity = ? AND kind = 'acceptance' AND receipt IS NOT NULL
             ORDER BY sequence DESC",
        )
        .bind(identity)
        .fetch_all(store)
        .await?;
        let decisions: Vec<_> = rows
            .iter()
            .filter_map(|(acceptance, receipt)| enrolled.decided(&keys, acceptance, receipt))
            .collect();
        Ok((!decisions.is_empty()).then(|| Registered::of(enrolled, decisions)))
    }
}

/// A registered enrolment: whose key signs decisions.
pub(crate) struct Enrolled(Verified<Enrolment>);

impl Enrolled {
    /// Verifies the enrolment with its receipt. `None`: something does not verify.
    pub(crate) fn verify(keys: &KeySet, enrolment: &[u8], receipt: &[u8]) -> Option<Self> {
        let enrolment = verify_enrolment(enrolment, &Limits::DEFAULT).ok()?;
        verify_receipt(keys, receipt, enrolment.leaf(), enrolment.sub()).ok()?;
        Some(Self(enrolment))
    }

    /// Verifies a decision of this person. `None`: it does not verify.
    pub(crate) fn read(&self, acceptance: &[u8]) -> Option<Verified<Acceptance>> {
        let claims = self.0.payload();
        let signer = Signer {
            key: &claims.person_key,
            person_id: &claims.person_id,
            device_id: &claims.device_id,
        };
        verify_acceptance(acceptance, &signer, &Limits::DEFAULT).ok()
    }

    /// Verifies a decision of this person with its receipt. `None`: something does not verify.
    pub(crate) fn decided(
        &self,
        keys: &KeySet,
        acceptance: &[u8],
        receipt: &[u8],
    ) -> Option<Decided> {
        let acceptance = self.read(acceptance)?;
        let receipt = verify_receipt(keys, receipt, acceptance.leaf(), acceptance.sub()).ok()?;
        Some(Decided {
            acceptance,
            receipt,
        })
    }
}

/// The newest statement of a kind: its bytes and its receipt.
pub(crate) async fn statement(
    store: &mut SqliteConnection,
    identity: i64,
    kind: &str,
) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT bytes, receipt FROM statement WHERE identity = ? AND kind = ? ORDER BY sequence DESC, created_at DESC LIMIT 1",
    )
    .bind(identity)
    .bind(kind)
    .fetch_optional(store)
    .await?)
}
