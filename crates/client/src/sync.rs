//! Sending what waits: enrolments first, then decisions, then the access log. One bad item blocks no other.

use std::time::Duration;

use infoblood_agreement::sealed::Kind;
use jiff::Timestamp;
use sqlx::{Connection as _, FromRow};

use crate::{
    Workstation, backoff,
    database::DatabaseError,
    error::StoreError,
    random,
    receipts::Kept,
    transport::{ItemState, SealedLine, TransportError},
};

/// How many audit events travel in one request.
const BATCH: usize = 40;

/// What one round brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncOutcome {
    /// Whether the server answered; `None` when nothing had to be sent.
    pub is_online: Option<bool>,
    /// Items that the server acknowledged in this round.
    pub sent: usize,
    /// Persons whose decision was registered in this round.
    pub registered: Vec<String>,
    /// Items that still wait.
    pub waiting: u64,
    /// Code of the last failure of this round.
    pub error: Option<String>,
    /// When the next item is due; `None` when none waits for time.
    pub next_attempt_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Item {
    id: String,
    attempts: i64,
    bytes: Option<Vec<u8>>,
    sealed: Vec<u8>,
}

/// What became of one item.
enum Verdict {
    /// The receipt was verified and stored.
    Done,
    /// Tried again later.
    Later {
        code: String,
        retry_after: Option<Duration>,
    },
    /// Will not succeed by waiting.
    Wedged { code: String },
}

/// Sends everything that is due, once. Errors of single items are kept with the items; the error returned is the store's own.
pub async fn run_once(workstation: &Workstation) -> Result<SyncOutcome, StoreError> {
    let _one = workstation.0.syncing.lock().await;
    workstation.watch_clock().await?;
    let mut outcome = SyncOutcome::default();
    for kind in [Kind::Enrolment, Kind::Acceptance, Kind::DeviceRefusal] {
        for item in workstation.due(kind).await? {
            let verdict = workstation.post(&item, kind, &mut outcome).await?;
            workstation.settle(&item, verdict, &mut outcome).await?;
        }
    }
    workstation.post_audit_events(&mut outcome).await?;
    workstation.sync_documents(&mut outcome).await?;
    outcome.waiting = workstation.waiting().await?;
    outcome.next_attempt_at = workstation.next_attempt().await?;
    Ok(outcome)
}

/// Makes everything due at once, for a person who asks: also what waits for time, not what was refused for good.
pub async fn retry_now(workstation: &Workstation) -> Result<(), StoreError> {
    sqlx::query("UPDATE outbox SET next_attempt_at = 0 WHERE wedged = 0")
        .execute(&mut *workstation.store().await)
        .await?;
    Ok(())
}

impl Workstation {
    /// Sealed items that the server has not acknowledged yet; those that it refused for good are not counted.
    pub async fn waiting(&self) -> Result<u64, DatabaseError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE wedged = 0")
            .fetch_one(&mut *self.store().await)
            .await?;
        Ok(count.unsigned_abs())
    }

    async fn next_attempt(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT min(next_attempt_at) FROM outbox WHERE wedged = 0")
                .fetch_one(&mut *self.store().await)
                .await?;
        Ok(at.and_then(|at| Timestamp::from_millisecond(at).ok()))
    }

    /// What may be sent now. A decision waits for its person's enrolment, everything of the device for its first one.
    async fn due(&self, kind: Kind) -> Result<Vec<Item>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT o.id, o.attempts, s.bytes, o.sealed
             FROM outbox o LEFT JOIN statement s ON s.item_id = o.id
             WHERE o.kind = ?1 AND o.wedged = 0 AND o.next_attempt_at <= ?2
               AND (?1 = 'enrolment' OR EXISTS (SELECT 1 FROM statement e WHERE e.kind = 'enrolment' AND e.receipt IS NOT NULL
                    AND (?1 <> 'acceptance' OR e.identity = s.identity)))
             ORDER BY o.created_at, o.rowid",
        )
        .bind(kind.as_str())
        .bind(self.now().as_millisecond())
        .fetch_all(&mut *self.store().await)
        .await?)
    }

    async fn post(
        &self,
        item: &Item,
        kind: Kind,
        outcome: &mut SyncOutcome,
    ) -> Result<Verdict, StoreError> {
        let Some(statement) = item.bytes.clone() else {
            // A file whose store is gone: it travels by file, to the server's sealing key.
            return Ok(Verdict::Wedged {
                code: "store-replaced".into(),
            });
        };
        sqlx::query("UPDATE statement SET sent_at = ? WHERE item_id = ?")
            .bind(self.now().as_second())
            .bind(&item.id)
            .execute(&mut *self.store().await)
            .await?;
        let answer = match kind {
            Kind::Enrolment => self.0.transport.post_enrolment(statement.clone()).await,
            _ => self.0.transport.post_entry(statement.clone()).await,
        };
        note_connection(outcome, &answer);
        match answer {
            Ok(receipt) => Ok(match self.keep_receipt(&item.id, &receipt).await? {
                Kept::Verified { decided } => {
                    outcome.registered.extend(decided);
                    Verdict::Done
                }
                Kept::Refused | Kept::Unknown => Verdict::Later {
                    code: "receipt-invalid".into(),
                    retry_after: None,
                },
            }),
            Err(error) => {
                let code = error.code().to_owned();
                tracing::info!(kind = kind.as_str(), code, "an item was not registered");
                self.heed_item(&code, &item.id).await?;
                if error.is_transient() || !is_final(kind, &error) {
                    Ok(Verdict::Later {
                        code,
                        retry_after: error.retry_after(),
                    })
                } else {
                    Ok(Verdict::Wedged { code })
                }
            }
        }
    }

    async fn settle(
        &self,
        item: &Item,
        verdict: Verdict,
        outcome: &mut SyncOutcome,
    ) -> Result<(), StoreError> {
        match verdict {
            Verdict::Done => outcome.sent += 1,
            Verdict::Later { code, retry_after } => {
                let attempts = u32::try_from(item.attempts)
                    .unwrap_or(u32::MAX)
                    .saturating_add(1);
                let wait = backoff::wait(attempts, retry_after, &mut random::generator()?);
                let at = self
                    .now()
                    .as_millisecond()
                    .saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
                sqlx::query(
                    "UPDATE outbox SET attempts = ?, next_attempt_at = ?, error = ? WHERE id = ?",
                )
                .bind(i64::from(attempts))
                .bind(at)
                .bind(&code)
                .bind(&item.id)
                .execute(&mut *self.store().await)
                .await?;
                outcome.error = Some(code);
            }
            Verdict::Wedged { code } => {
                self.wedge(&item.id, &code).await?;
                outcome.error = Some(code);
            }
        }
        Ok(())
    }

    /// Keeps the reason why an item will never be taken. A refused enrolment takes everything under its keys with it. False for an
    /// item that does not wait.
    pub(crate) async fn wedge(&self, id: &str, code: &str) -> Result<bool, StoreError> {
        let mut store = self.store().await;
        let mut transaction = store.begin().await?;
        let wedged = sqlx::query(
            "UPDATE outbox SET wedged = 1, attempts = attempts + 1, error = ? WHERE id = ?",
        )
        .bind(code)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        if wedged.rows_affected() == 0 {
            return Ok(false);
        }
        let enrolled: Option<i64> = sqlx::query_scalar(
            "SELECT identity FROM statement WHERE item_id = ? AND kind = 'enrolment'",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(identity) = enrolled {
            // Nothing else under these keys can ever be registered; the person enrols again with another code.
            sqlx::query("UPDATE identity SET refused = ? WHERE id = ?")
                .bind(code)
                .bind(identity)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "UPDATE outbox SET wedged = 1, error = ? WHERE id IN (SELECT item_id FROM statement WHERE identity = ?)",
            )
            .bind(code)
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn post_audit_events(&self, outcome: &mut SyncOutcome) -> Result<(), StoreError> {
        loop {
            let mut items = self.due(Kind::AuditEvent).await?;
            items.truncate(BATCH);
            if items.is_empty() {
                return Ok(());
            }
            let lines: Vec<_> = items
                .iter()
                .map(|item| SealedLine {
                    id: item.id.clone(),
                    sealed: item.sealed.clone(),
                })
                .collect();
            let answer = self.0.transport.audit_events(&lines).await;
            note_connection(outcome, &answer);
            let statuses = match answer {
                Ok(statuses) => statuses,
                Err(error) => {
                    for item in &items {
                        let verdict = Verdict::Later {
                            code: error.code().to_owned(),
                            retry_after: error.retry_after(),
                        };
                        self.settle(item, verdict, outcome).await?;
                    }
                    return Ok(());
                }
            };
            for item in &items {
                let status = statuses
                    .iter()
                    .find(|status| status.id.as_ref() == Some(&item.id));
                let verdict = match status.map(|status| status.status) {
                    Some(ItemState::Stored | ItemState::Duplicate) => {
                        sqlx::query("DELETE FROM outbox WHERE id = ?")
                            .bind(&item.id)
                            .execute(&mut *self.store().await)
                            .await?;
                        self.0.outbox.remove(&item.id)?;
                        Verdict::Done
                    }
                    Some(ItemState::Rejected) => Verdict::Wedged {
                        code: "server-refused".into(),
                    },
                    None => Verdict::Later {
                        code: "server-truncated".into(),
                        retry_after: None,
                    },
                };
                self.settle(item, verdict, outcome).await?;
            }
        }
    }
}

/// Whether a refusal of this kind of item stands whatever happens at the server later. A decision whose key the server does not know
/// waits: a server that was restored from a backup gets the enrolment again.
fn is_final(kind: Kind, error: &TransportError) -> bool {
    error.is_final()
        && (kind == Kind::Enrolment
            || matches!(error, TransportError::Refused { status: 400, .. })
            || matches!(
                error.code(),
                "document-unknown" | "person-revoked" | "device-revoked"
            ))
}

fn note_connection<T>(outcome: &mut SyncOutcome, answer: &Result<T, TransportError>) {
    outcome.is_online = Some(!matches!(
        answer,
        Err(TransportError::Unreachable(_) | TransportError::Slow)
    ));
}
