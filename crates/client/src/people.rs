//! Who is enrolled on this workstation, and how far each registration is.

use infoblood_agreement::{
    cbor::Limits,
    document::Documents,
    lease::{Lease, lease_state},
    statement::Decision,
    transparent,
};
use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use crate::{
    Workstation,
    database::DatabaseError,
    document::DocumentFacts,
    error::StoreError,
    proof::{self, Registered},
    session::stored_grant,
};

/// A person of the list «who are you».
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// 32 hex digits.
    pub person_id: String,
    /// Lower case.
    pub login: String,
    /// As the server names the person; `None` before the first session.
    pub name: Option<String>,
    /// `clinician`, `registrar` …; `None` before the first session.
    pub role: Option<String>,
    /// Whether the decision's receipt was verified; of a newer one that waits in its place, not yet.
    pub is_registered: bool,
    /// Whether the server took the right back, of the person or of the workstation: the keys are destroyed, and signing in says which.
    pub is_revoked: bool,
    /// Whether nothing that was accepted counts any more: the person reads the current document and accepts it with
    /// [`Workstation::accept_again`].
    pub must_accept: bool,
    /// The newest version whose acceptance is registered.
    pub accepted_version: Option<u64>,
    /// End of the lease of the stored grant; `None` without one that verifies.
    pub offline_until: Option<Timestamp>,
    /// End of the read-only time after it.
    pub read_only_until: Option<Timestamp>,
    /// How long that lease still runs.
    pub lease: Option<Lease>,
    /// The last time the person opened the patient views here.
    pub last_sign_in: Option<Timestamp>,
}

/// How far a registration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Lower case.
    pub login: String,
    /// Leaf hash of the decision, hex.
    pub statement_id: String,
    /// When it was signed, which is when it was stored.
    pub signed_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// When the receipt verified here.
    pub receipt_verified_at: Option<Timestamp>,
    /// What the receipt says.
    pub receipt: Option<ReceiptFacts>,
    /// Failed attempts at what is next.
    pub attempts: u32,
    /// When the next attempt is due; `None` when nothing waits for time.
    pub next_attempt_at: Option<Timestamp>,
    /// Code of the last failure.
    pub error: Option<String>,
    /// Whether the failure is final: the person enrols again with a new code.
    pub is_refused: bool,
    /// What was accepted.
    pub document: DocumentFacts,
}

/// What a verified receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptFacts {
    /// By the server's clock.
    pub registered_at: Timestamp,
    /// Leaves in the log then.
    pub tree_size: u64,
    /// The statement's place, from 0.
    pub leaf_index: u64,
}

#[derive(FromRow)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) person_id: String,
    pub(crate) login: String,
    pub(crate) name: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) wrapped: Option<Vec<u8>>,
    pub(crate) signed_in_at: Option<i64>,
    pub(crate) refused: Option<String>,
}

impl Workstation {
    /// Everybody who is enrolled here, by login; last those whose right was taken back.
    pub async fn people(&self) -> Result<Vec<Person>, DatabaseError> {
        let mut store = self.store().await;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT person_id FROM identity WHERE wrapped IS NOT NULL OR refused IN ('person-revoked', 'device-revoked')
             GROUP BY person_id ORDER BY max(wrapped IS NOT NULL) DESC, login",
        )
        .fetch_all(&mut *store)
        .await?;
        let now = self.document_time();
        let documents = self.documents();
        let mut people = Vec::new();
        for person_id in ids {
            let Some(identity) = identity(&mut store, &person_id).await? else {
                continue;
            };
            let registered = self.registered(&mut store, identity.id).await?;
            let terms = match &registered {
                Some(registered) => stored_grant(self, &mut store, &person_id, registered)
                    .await?
                    .map(|(grant, _)| grant.terms().clone()),
                None => None,
            };
            let counts = registered
                .as_ref()
                .is_some_and(|registered| registered.accepted(&documents, now).is_some());
            let waits = match &registered {
                Some(registered) if !counts => {
                    waits(&mut store, identity.id, registered, &documents, now).await?
                }
                _ => false,
            };
            let at = |seconds: i64| Timestamp::from_second(seconds).ok();
            people.push(Person {
                is_registered: registered.is_some() && !waits,
                must_accept: registered.is_some()
                    && !counts
                    && !waits
                    && identity.wrapped.is_some(),
                is_revoked: identity.wrapped.is_none(),
                accepted_version: registered.as_ref().and_then(newest_accepted),
                offline_until: terms.as_ref().and_then(|terms| at(terms.offline_until)),
                read_only_until: terms.as_ref().and_then(|terms| at(terms.read_only_until)),
                lease: terms
                    .as_ref()
                    .map(|terms| lease_state(now, terms.offline_until, terms.read_only_until)),
                last_sign_in: identity
                    .signed_in_at
                    .and_then(|at| Timestamp::from_second(at).ok()),
                person_id,
                login: identity.login,
                name: identity.name,
                role: identity.role,
            });
        }
        Ok(people)
    }

    /// How far this person's registration is; `None` for a stranger.
    pub async fn progress(&self, person_id: &str) -> Result<Option<Progress>, DatabaseError> {
        #[derive(FromRow)]
        struct Row {
            id: String,
            created_at: i64,
            sent_at: Option<i64>,
            document_version: i64,
            document_sha256: String,
            effective_from: i64,
        }
        #[derive(FromRow)]
        struct Waiting {
            attempts: i64,
            next_attempt_at: i64,
            error: Option<String>,
            wedged: bool,
        }
        let mut store = self.store().await;
        let Some(identity) = identity(&mut store, person_id).await? else {
            return Ok(None);
        };
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, created_at, sent_at, document_version, document_sha256, effective_from FROM statement
             WHERE identity = ? AND kind = 'acceptance' ORDER BY sequence DESC LIMIT 1",
        )
        .bind(identity.id)
        .fetch_optional(&mut *store)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let waiting: Option<Waiting> = sqlx::query_as(
            "SELECT o.attempts, o.next_attempt_at, o.error, o.wedged FROM outbox o JOIN statement s ON s.item_id = o.id
             WHERE s.identity = ? ORDER BY s.kind = 'enrolment' DESC LIMIT 1",
        )
        .bind(identity.id)
        .fetch_optional(&mut *store)
        .await?;
        let registered = self.registered(&mut store, identity.id).await?;
        let mut leaf = [0; 32];
        let _ = hex::decode_to_slice(&row.id, &mut leaf);
        let decided = registered
            .as_ref()
            .and_then(|registered| registered.find(&leaf));
        let verified_at: Option<i64> =
            sqlx::query_scalar("SELECT verified_at FROM statement WHERE id = ?")
                .bind(&row.id)
                .fetch_one(&mut *store)
                .await?;
        let mut sha256 = [0; 32];
        let _ = hex::decode_to_slice(&row.document_sha256, &mut sha256);
        let at = |seconds: i64| Timestamp::from_second(seconds).ok();
        Ok(Some(Progress {
            login: identity.login,
            statement_id: row.id,
            signed_at: at(row.created_at).unwrap_or_default(),
            sent_at: row.sent_at.and_then(at),
            receipt_verified_at: decided.and(verified_at).and_then(at),
            receipt: decided.map(|decided| ReceiptFacts {
                registered_at: at(decided.receipt.registered_at()).unwrap_or_default(),
                tree_size: decided.receipt.tree_size(),
                leaf_index: decided.receipt.leaf_index(),
            }),
            attempts: waiting.as_ref().map_or(0, |waiting| {
                u32::try_from(waiting.attempts).unwrap_or(u32::MAX)
            }),
            next_attempt_at: waiting
                .as_ref()
                .filter(|waiting| !waiting.wedged)
                .and_then(|waiting| Timestamp::from_millisecond(waiting.next_attempt_at).ok()),
            error: identity
                .refused
                .clone()
                .or_else(|| waiting.and_then(|waiting| waiting.error)),
            is_refused: identity.refused.is_some(),
            document: DocumentFacts {
                version: row.document_version.unsigned_abs(),
                sha256,
                effective_from: row.effective_from,
            },
        }))
    }

    /// The person's newest registered decision as one file that any SCITT verifier reads; `None` before there is one.
    pub async fn proof(&self, person_id: &str) -> Result<Option<Proof>, StoreError> {
        Ok(self.proofs(person_id).await?.into_iter().next())
    }

    /// Every registered decision of the person under the keys that count here, newest first: each is evidence of the document that it
    /// is about, and of nothing more.
    pub async fn proofs(&self, person_id: &str) -> Result<Vec<Proof>, StoreError> {
        let mut store = self.store().await;
        let Some(identity) = identity(&mut store, person_id).await? else {
            return Ok(Vec::new());
        };
        let Some(registered) = self.registered(&mut store, identity.id).await? else {
            return Ok(Vec::new());
        };
        let Some((enrolment, Some(receipt))) =
            proof::statement(&mut store, identity.id, "enrolment").await?
        else {
            return Ok(Vec::new());
        };
        let enrolment =
            transparent::join(&enrolment, &receipt, &Limits::DEFAULT).map_err(StoreError::sign)?;
        let mut proofs = Vec::new();
        for decided in registered.all() {
            let id = hex::encode(decided.acceptance.leaf());
            let receipt: Vec<u8> = sqlx::query_scalar("SELECT receipt FROM statement WHERE id = ?")
                .bind(&id)
                .fetch_one(&mut *store)
                .await?;
            let statement = decided.acceptance.bytes();
            proofs.push(Proof {
                acceptance: transparent::join(statement, &receipt, &Limits::DEFAULT)
                    .map_err(StoreError::sign)?,
                enrolment: enrolment.clone(),
                document_version: decided.acceptance.payload().document_version,
                statement_id: id,
            });
        }
        Ok(proofs)
    }
}

/// Transparent statements (RFC 9943).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The decision with its receipt.
    pub acceptance: Vec<u8>,
    /// The enrolment of the key that signed it, with its receipt.
    pub enrolment: Vec<u8>,
    /// What was decided about.
    pub document_version: u64,
    /// Leaf hash of the decision, hex.
    pub statement_id: String,
}

fn newest_accepted(registered: &Registered) -> Option<u64> {
    let claims = registered.all().iter().map(|one| one.acceptance.payload());
    claims
        .filter(|claims| claims.decision == Decision::Accepted)
        .map(|claims| claims.document_version)
        .max()
}

/// Whether an acceptance that would count waits for its registration.
async fn waits(
    store: &mut SqliteConnection,
    identity: i64,
    registered: &Registered,
    documents: &Documents,
    at: i64,
) -> Result<bool, DatabaseError> {
    let waiting: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT s.bytes FROM statement s JOIN outbox o ON o.id = s.item_id
         WHERE s.identity = ? AND s.kind = 'acceptance' AND s.receipt IS NULL AND o.wedged = 0 ORDER BY s.sequence DESC LIMIT 1",
    )
    .bind(identity)
    .fetch_optional(store)
    .await?;
    let waiting = waiting.and_then(|bytes| registered.enrolled().read(&bytes));
    Ok(waiting.is_some_and(|waiting| {
        let claims = waiting.payload();
        claims.decision == Decision::Accepted && documents.counts(&claims.document_sha256, at)
    }))
}

/// The identity that counts: the newest that was not refused, else the newest.
pub(crate) async fn identity(
    store: &mut SqliteConnection,
    person_id: &str,
) -> Result<Option<Identity>, DatabaseError> {
    Ok(sqlx::query_as(
        "SELECT id, person_id, login, name, role, wrapped, signed_in_at, refused FROM identity
         WHERE person_id = ? ORDER BY refused IS NULL DESC, id DESC LIMIT 1",
    )
    .bind(person_id)
    .fetch_optional(store)
    .await?)
}
