//! Registering through any phone: the QR code to show, and the answer that the bench scanner or a pasted text brings back.
//!
//! [`Workstation::relay_url`] gives the address for [`picture`]; what comes back goes through [`typed`] into a [`Collector`], and its
//! answer to [`Workstation::accept_relay`].

use infoblood_agreement::{
    cbor::Limits,
    grant::{Expected, GrantError, VerifiedGrant},
    key_set::{KeySet, KeySetError},
    receipt::VerifiedReceipt,
    relay::{Answer, Question, RelayError},
    statement::{leaf_hash, peek},
};
use infoblood_clinical::keyboard::{self, Layout};
use qrcode::{EcLevel, QrCode, render::svg};
use sqlx::{Connection as _, FromRow, SqliteConnection};

use crate::{
    Workstation,
    database::DatabaseError,
    error::StoreError,
    people::identity,
    proof::{Enrolled, Registered, verify_receipt},
    receipts,
    revocation::REVOKED,
    session::{store_grant, stored_grant},
    settings, transport,
};

pub use infoblood_agreement::relay::{Collector, FrameError, Progress};

/// What an answer brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Whose answer it is: 32 hex digits.
    pub person_id: String,
    /// Whether enrolment and acceptance are both registered now.
    pub is_registered: bool,
    /// Whether a grant of this answer is stored: [`crate::PersonSession::unlock`] opens without a network.
    pub is_granted: bool,
    /// Code of what the server refused, for people; e.g. the device waits for its approval.
    pub refusal: Option<&'static str>,
}

/// Why an answer was not taken. The store is as before.
#[derive(Debug, thiserror::Error)]
pub enum RelayedError {
    /// The bytes are no answer.
    #[error("not an answer")]
    Malformed(#[source] RelayError),
    /// Of another workstation, of an older question, or changed.
    #[error("not the answer to what was signed here")]
    Mismatch,
    /// A newer grant is here already.
    #[error("older than what is here")]
    Stale,
    /// The key set in it is not the authority's.
    #[error("the key set is not the authority's")]
    KeySet(#[source] KeySetError),
    /// The grant in it does not verify.
    #[error("the grant is not valid")]
    Grant(#[source] GrantError),
    /// The server registered nothing; the code says why.
    #[error("the server refused: {0}")]
    Refused(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RelayedError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.code(),
            Self::Mismatch => "relay-mismatch",
            Self::Stale => "relay-stale",
            Self::KeySet(_) => "profile-wrong-authority",
            Self::Grant(error) => error.code(),
            Self::Refused(code) => code,
            Self::Store(error) => error.code(),
        }
    }
}

impl From<DatabaseError> for RelayedError {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

impl From<sqlx::Error> for RelayedError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a scanner or a person typed under any layout, by physical key: for [`Collector::take`], which takes letters and digits.
pub fn typed(text: &str) -> String {
    // The Kazakh layout has the Russian one's letters; its digit row is no character of a frame under any other.
    keyboard::decode(text, Layout::Kazakh)
}

/// A QR code as SVG, as coarse as its text allows; `None` if the text is too long for one.
pub fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(
        code.render::<svg::Color<'_>>()
            .module_dimensions(4, 4)
            .build(),
    )
}

/// A statement of the store.
#[derive(FromRow)]
struct Row {
    item_id: String,
    bytes: Vec<u8>,
    receipt: Option<Vec<u8>>,
}

/// A statement with the receipt that verified for it.
struct Proven {
    row: Row,
    receipt: Vec<u8>,
    verified: VerifiedReceipt,
    is_new: bool,
}

impl Workstation {
    /// The address that asks the server to register this person, for a QR code. `None` when there is nothing to ask: nobody of this
    /// id enrolled here, the enrolment was refused for good, or the decision is registered and its grant still opens.
    pub async fn relay_url(&self, person_id: &str) -> Result<Option<String>, DatabaseError> {
        let mut store = self.store().await;
        let Some(identity) = identity(&mut store, person_id).await? else {
            return Ok(None);
        };
        if identity.refused.is_some() || self.is_served(&mut store, person_id, identity.id).await? {
            return Ok(None);
        }
        let enrolment = row(&mut store, identity.id, "enrolment").await?;
        let acceptance = row(&mut store, identity.id, "acceptance").await?;
        Ok(enrolment.zip(acceptance).map(|(enrolment, acceptance)| {
            let question = Question {
                enrolment: enrolment.bytes,
                acceptance: acceptance.bytes,
            };
            question.url(self.profile().url())
        }))
    }

    /// Verifies an answer and stores what it proves: receipts as a synchronisation does, the grant if it is newer, a newer key set. All
    /// of it or nothing.
    pub async fn accept_relay(&self, answer: &[u8]) -> Result<Relayed, RelayedError> {
        let answer = Answer::decode(answer).map_err(RelayedError::Malformed)?;
        let refusal = answer.refusal.as_deref().map(transport::known_code);
        let mut store = self.store().await;
        let identity = identity(&mut store, &answer.person_id)
            .await?
            .ok_or(RelayedError::Mismatch)?;
        // An answer from before a revocation brings nothing back.
        if settings::get(&mut store, REVOKED).await?.is_some() {
            return Err(RelayedError::Refused("device-revoked"));
        }
        if let Some(code) = &identity.refused {
            return Err(RelayedError::Refused(transport::known_code(code)));
        }
        if answer.enrolment_receipt.is_none() && answer.acceptance_receipt.is_none() {
            return Err(match refusal {
                Some(code) => RelayedError::Refused(code),
                None => RelayedError::Mismatch,
            });
        }

        let sent = match &answer.key_set {
            Some(bytes) => Some(
                KeySet::verify(bytes, self.profile().authority()).map_err(RelayedError::KeySet)?,
            ),
            None => None,
        };
        let known = self.key_set();
        let keys = match &sent {
            Some(sent) if sent.version() > known.version() => sent,
            _ => &known,
        };
        let enrolment = row(&mut store, identity.id, "enrolment").await?;
        let enrolment = proven(keys, enrolment, answer.enrolment_receipt)?;
        let acceptance = row(&mut store, identity.id, "acceptance").await?;
        let acceptance = proven(keys, acceptance, answer.acceptance_receipt)?;
        let proof = enrolment.as_ref().zip(acceptance.as_ref());
        let decided = proof.and_then(|(enrolment, acceptance)| {
            let enrolled = Enrolled::verify(keys, &enrolment.row.bytes, &enrolment.receipt)?;
            let (bytes, receipt) = (&acceptance.row.bytes, &acceptance.receipt);
            let decided = enrolled.decided(keys, bytes, receipt)?;
            Some((enrolled, decided))
        });
        let leaf = decided
            .as_ref()
            .map(|(_, decided)| *decided.acceptance.leaf());
        let registered = match decided {
            Some((enrolled, decided)) => {
                let known = self.registered(&mut store, identity.id).await?;
                Some(Registered::with(known, enrolled, decided))
            }
            None => None,
        };
        let grant = match (&answer.grant, &registered) {
            (None, _) => None,
            (Some(_), None) => return Err(RelayedError::Mismatch),
            (Some(bytes), Some(registered)) => {
                let decided = leaf
                    .and_then(|leaf| registered.find(&leaf))
                    .ok_or(RelayedError::Mismatch)?;
                let expected = Expected {
                    person_id: &answer.person_id,
                    device_id: &self.device_id(),
                    document: &decided.acceptance.payload().document_sha256,
                    leaf: decided.acceptance.leaf(),
                };
                let grant =
                    VerifiedGrant::verify(bytes, keys, &expected).map_err(RelayedError::Grant)?;
                let stored = stored_grant(self, &mut store, &answer.person_id, registered).await?;
                let issued_at = grant.terms().issued_at;
                if stored.is_some_and(|(stored, _)| stored.terms().issued_at > issued_at) {
                    return Err(RelayedError::Stale);
                }
                Some(grant)
            }
        };

        let now = self.now();
        let new: Vec<_> = [enrolment, acceptance]
            .into_iter()
            .flatten()
            .filter(|proven| proven.is_new)
            .collect();
        let mut transaction = store.begin().await?;
        if keys.version() > known.version() {
            settings::set(&mut transaction, "key_set", keys.as_bytes()).await?;
        }
        for proven in &new {
            let (item_id, receipt) = (&proven.row.item_id, &proven.receipt);
            receipts::write(&mut transaction, item_id, receipt, &proven.verified, now).await?;
        }
        if let Some(grant) = &grant {
            store_grant(&mut transaction, &answer.person_id, grant.as_bytes(), now).await?;
            sqlx::query("UPDATE identity SET role = ? WHERE id = ?")
                .bind(grant.terms().role.as_str())
                .bind(identity.id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        drop(store);
        if grant.is_some() {
            self.raise_generation().await?;
        }
        if let Some(sent) = sent {
            self.accept_key_set(sent).await?;
        }
        for proven in &new {
            self.0
                .outbox
                .remove(&proven.row.item_id)
                .map_err(StoreError::from)?;
        }
        tracing::info!(receipts = new.len(), refusal, "an answer was carried here");
        Ok(Relayed {
            person_id: answer.person_id,
            is_registered: registered.is_some(),
            is_granted: grant.is_some(),
            refusal,
        })
    }

    /// Whether the decision is registered and a grant for it still opens.
    async fn is_served(
        &self,
        store: &mut SqliteConnection,
        person_id: &str,
        identity: i64,
    ) -> Result<bool, DatabaseError> {
        let newest = row(store, identity, "acceptance").await?;
        if newest.is_none_or(|newest| newest.receipt.is_none()) {
            return Ok(false);
        }
        let Some(registered) = self.registered(store, identity).await? else {
            return Ok(false);
        };
        let grant = stored_grant(self, store, person_id, &registered).await?;
        let now = self.now().as_second().max(self.time_floor());
        Ok(grant.is_some_and(|(grant, _)| now <= grant.terms().offline_until))
    }
}

/// The newest statement of a kind.
async fn row(
    store: &mut SqliteConnection,
    identity: i64,
    kind: &str,
) -> Result<Option<Row>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT item_id, bytes, receipt FROM statement WHERE identity = ? AND kind = ?
         ORDER BY sequence DESC, created_at DESC LIMIT 1",
    )
    .bind(identity)
    .bind(kind)
    .fetch_optional(store)
    .await?)
}

/// The statement with the receipt from the answer, else with the one it has; a receipt that does not fit refuses the answer.
fn proven(
    keys: &KeySet,
    row: Option<Row>,
    sent: Option<Vec<u8>>,
) -> Result<Option<Proven>, RelayedError> {
    let (Some(row), is_new) = (row, sent.is_some()) else {
        return if sent.is_some() {
            Err(RelayedError::Mismatch)
        } else {
            Ok(None)
        };
    };
    let Some(receipt) = sent.or_else(|| row.receipt.clone()) else {
        return Ok(None);
    };
    let leaf = leaf_hash(&row.bytes, &Limits::DEFAULT).map_err(StoreError::sign)?;
    let sub = peek(&row.bytes, &Limits::DEFAULT)
        .map_err(StoreError::sign)?
        .sub;
    let verified = verify_receipt(keys, &receipt, &leaf, &sub).map_err(|error| {
        tracing::warn!(%error, "a receipt was refused");
        RelayedError::Mismatch
    })?;
    Ok(Some(Proven {
        row,
        receipt,
        verified,
        is_new,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the keys of `text` type under another layout.
    fn under(layout: Layout, text: &str) -> String {
        let letters = "йцукенгшщзфывапролдячсмить";
        let latin = "QWERTYUIOPASDFGHJKLZXCVBNM";
        let digits = "қ\"әіңғ,.үұ";
        text.chars()
            .map(|c| match (c, layout) {
                ('0'..='9', Layout::Kazakh) => digits.chars().nth(c as usize - '0' as usize),
                _ => latin
                    .chars()
                    .position(|key| key == c)
                    .and_then(|at| letters.chars().nth(at)),
            })
            .zip(text.chars())
            .map(|(typed, c)| typed.unwrap_or(c))
            .collect()
    }

    #[test]
    fn a_frame_typed_under_any_layout_is_the_frame() {
        let frame = "IBR10123456789ABCDEFGHJKMNPQRSTVWXYZ\n";
        assert_eq!(typed(frame), frame);
        assert_eq!(typed(&frame.to_lowercase()), frame);
        for layout in [Layout::Kazakh, Layout::Russian] {
            let text = under(layout, frame);
            assert_ne!(text, frame);
            assert_eq!(typed(&text), frame, "{text}");
            assert_eq!(typed(&text.to_uppercase()), frame, "Caps Lock: {text}");
        }
    }

    #[test]
    fn a_picture_holds_what_a_code_can_hold() {
        let text = format!("https://central.example/relay#{}", "A".repeat(2800));
        assert!(picture(&text).unwrap().contains("<svg"));
        assert_eq!(picture(&text.repeat(2)), None);
    }
}
