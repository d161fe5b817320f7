//! Signing in and opening the gate.

use std::sync::Arc;

use infoblood_agreement::{
    audit::Action,
    gate::{self, GateError, Inputs, WrappedDek},
    grant::{Expected, GrantError, VerifiedGrant},
    key_set::{KeySet, KeySetError},
    keys::SigningKey,
    lease::BreakGlassError,
    session::{self, SessionError, SignedTime},
    vault::PersonKeys,
};
use jiff::Timestamp;
use rand_core::Rng as _;
use sqlx::SqliteConnection;

use crate::{
    UnlockedWorkstation, Workstation,
    audit::Access,
    database::DatabaseError,
    error::StoreError,
    proof::{Decided, Registered},
    random,
    revocation::settle_pages,
    settings,
    transport::{SessionRequest, Token, TransportError},
};

/// A person whose passphrase was right, with open keys; they are wiped when the last clone is dropped.
#[derive(Clone)]
pub struct PersonSession {
    person_id: String,
    login: String,
    identity: i64,
    keys: Arc<PersonKeys>,
}

impl std::fmt::Debug for PersonSession {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PersonSession")
            .field("person_id", &self.person_id)
            .finish_non_exhaustive()
    }
}

/// Why the gate stayed closed.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// No registered acceptance of the current document, or no grant yet.
    #[error("no registered acceptance of the current document")]
    AgreementRequired,
    /// The server could not be asked, or it refused.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The key set in the server's answer is not the authority's.
    #[error("the server's key set is not the authority's")]
    KeySet(#[source] KeySetError),
    /// The server's signed time does not verify.
    #[error("the server's signed time does not verify")]
    Time(#[source] SessionError),
    /// The grant does not verify, or is for somebody or something else.
    #[error("the grant is not valid")]
    Grant(#[source] GrantError),
    /// The gate itself refused.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The lease and its read-only time ended while the workstation was open.
    #[error("the lease ended")]
    Expired,
    /// The local clock is ahead of the time that the server signed just now, beyond the lease.
    #[error("the clock is ahead of the server's signed time")]
    ClockAhead,
    /// The person's or the device's right was taken back while the workstation was open, and the keys were destroyed.
    #[error("the right was taken back: {0}")]
    Revoked(&'static str),
    /// The read-only time is not lifted.
    #[error(transparent)]
    BreakGlass(#[from] BreakGlassError),
    /// Nobody said yet what the look is for.
    #[error("no purpose of access was chosen")]
    PurposeRequired,
    /// Nothing is printed or copied in the read-only time.
    #[error("nothing leaves the screen in the read-only time")]
    ReadOnly,
    /// No such record in the cache.
    #[error("no such record")]
    Unknown,
    /// No such recipient in the cache.
    #[error("no such recipient")]
    UnknownRecipient,
    /// No such donation in the cache.
    #[error("no such donation")]
    UnknownDonation,
    /// The feed's cursor is gone at the server, and the refill failed too.
    #[error("a record in the cache cannot be read")]
    Clinical,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UnlockError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AgreementRequired => "agreement-required",
            Self::Transport(error) => error.code(),
            Self::KeySet(_) => "profile-wrong-authority",
            Self::Time(_) | Self::Grant(_) => "grant-invalid",
            Self::Gate(error) => error.code(),
            Self::Expired => "grant-expired",
            Self::ClockAhead => "clock-ahead",
            Self::Revoked(code) => code,
            Self::BreakGlass(error) => error.code(),
            Self::PurposeRequired => "purpose-required",
            Self::ReadOnly => "read-only-time",
            Self::Unknown => "record-unknown",
            Self::UnknownRecipient => "recipient-unknown",
            Self::UnknownDonation => "donation-unknown",
            Self::Clinical => "internal",
            Self::Store(error) => error.code(),
        }
    }

    /// Whether the stored grant may be used in its place: the server was not there to say anything.
    fn is_absence(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_absence())
    }
}

impl From<DatabaseError> for UnlockError {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

impl From<sqlx::Error> for UnlockError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<random::RandomError> for UnlockError {
    fn from(error: random::RandomError) -> Self {
        Self::Store(error.into())
    }
}

impl PersonSession {
    pub(crate) fn new(person_id: String, login: String, identity: i64, keys: PersonKeys) -> Self {
        Self {
            person_id,
            login,
            identity,
            keys: Arc::new(keys),
        }
    }

    /// 32 hex digits.
    pub fn person_id(&self) -> &str {
        &self.person_id
    }

    /// Lower case.
    pub fn login(&self) -> &str {
        &self.login
    }

    pub(crate) fn identity(&self) -> i64 {
        self.identity
    }

    pub(crate) fn keys(&self) -> &PersonKeys {
        &self.keys
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        self.keys.signing()
    }

    /// Opens the gate and the patient cache. `online`: renew the grant first; if the server is not there, the stored grant counts as
    /// long as its lease runs. A refusal leaves an audit event.
    pub async fn unlock(
        &self,
        workstation: &Workstation,
        online: bool,
    ) -> Result<UnlockedWorkstation, UnlockError> {
        match self.try_unlock(workstation, online).await {
            Ok(unlocked) => {
                let access = Access::permit(Action::SignIn, &self.person_id);
                workstation.record_own(self, access).await?;
                Ok(unlocked)
            }
            Err(error) => {
                let refused = !matches!(&error, UnlockError::Store(_)) && !error.is_absence();
                if refused {
                    let access = Access::deny(Action::AccessRefused, &self.person_id, error.code());
                    workstation.record_own(self, access).await?;
                }
                Err(error)
            }
        }
    }

    async fn try_unlock(
        &self,
        workstation: &Workstation,
        online: bool,
    ) -> Result<UnlockedWorkstation, UnlockError> {
        let mut absence = None;
        let mut token = None;
        if online {
            match self.renew(workstation).await {
                Ok(renewed) => token = Some(renewed),
                Err(error) if error.is_absence() => absence = Some(error),
                Err(error) => return Err(error),
            }
        }
        workstation.still_entitled(&self.person_id).await?;
        let mut store = workstation.store().await;
        let registered = workstation
            .registered(&mut store, self.identity)
            .await?
            .ok_or(UnlockError::AgreementRequired)?;
        let documents = workstation.documents();
        let counting = registered
            .accepted(&documents, workstation.document_time())
            .ok_or(UnlockError::AgreementRequired)?;
        let Some((grant, granted_for)) =
            stored_grant(workstation, &mut store, &self.person_id, &registered).await?
        else {
            // Without a grant the reason why the server was not reached is the better answer.
            return Err(absence.unwrap_or(UnlockError::AgreementRequired));
        };
        let wrapped = match settings::get(&mut store, "wrapped_dek").await? {
            Some(bytes) => match WrappedDek::parse(&bytes) {
                Ok(wrapped) => Some(wrapped),
                Err(_) if token.is_some() => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let mut rng = random::generator()?;
        let now = workstation.now().as_second();
        let keys = workstation.keys();
        let mut inputs = Inputs {
            acceptance: &counting.acceptance,
            receipt: &counting.receipt,
            grant: &grant,
            person: &self.keys,
            workstation: &keys,
            granted_for: &granted_for.acceptance,
            documents: &documents,
            wrapped_dek: wrapped.as_ref(),
        };
        let unlocked = match gate::open(&inputs, now, &mut rng) {
            // Online, a cache under another share is filled again under the new one: it is disposable.
            Err(GateError::DatabaseKey | GateError::Grant(GrantError::Epoch))
                if token.is_some() =>
            {
                inputs.wrapped_dek = None;
                gate::open(&inputs, now, &mut rng)?
            }
            // Renewed a moment ago, and over: it is the clock.
            Err(GateError::Expired { .. })
                if token.is_some() && now > keys.time_floor() + gate::CLOCK_TOLERANCE =>
            {
                return Err(UnlockError::ClockAhead);
            }
            result => result?,
        };
        if let Some(new) = unlocked.new_dek() {
            settings::set(&mut store, "wrapped_dek", &new.to_bytes()).await?;
        }
        sqlx::query("UPDATE identity SET signed_in_at = ? WHERE id = ?")
            .bind(now)
            .bind(self.identity)
            .execute(&mut *store)
            .await?;
        // Keys of an earlier enrolment here, under a passphrase that was forgotten, are of no more use.
        let superseded = sqlx::query(
            "UPDATE identity SET wrapped = NULL, refused = 'superseded' WHERE person_id = ? AND id < ? AND wrapped IS NOT NULL",
        )
        .bind(&self.person_id)
        .bind(self.identity)
        .execute(&mut *store)
        .await?;
        if superseded.rows_affected() > 0 {
            settle_pages(&mut store).await?;
        }
        drop(store);
        UnlockedWorkstation::open(workstation.clone(), self.clone(), unlocked, token).await
    }

    /// Opens a session with the server and stores what it brings: key set, time, name, grant. Everything is verified first.
    pub(crate) async fn renew(&self, workstation: &Workstation) -> Result<Token, UnlockError> {
        let result = self.try_renew(workstation).await;
        if let Err(UnlockError::Transport(TransportError::Refused { code, .. })) = &result {
            workstation.heed(code, Some(&self.person_id)).await?;
            workstation.documents_after_refusal(code).await;
        }
        result
    }

    async fn try_renew(&self, workstation: &Workstation) -> Result<Token, UnlockError> {
        let transport = &workstation.0.transport;
        let registered = {
            let mut store = workstation.store().await;
            workstation
                .registered(&mut store, self.identity)
                .await?
                .ok_or(UnlockError::AgreementRequired)?
        };
        let challenge = transport.challenge().await?;
        let mut nonce = [0; 16];
        random::generator()?.fill_bytes(&mut nonce);
        let device_id = workstation.device_id();
        let signature = session::sign(self.keys.signing(), &challenge.0, &device_id, &nonce)
            .map_err(UnlockError::Time)?;
        let answer = transport
            .session(SessionRequest {
                challenge: &challenge.0,
                login: &self.login,
                device_id: &device_id,
                nonce: &nonce,
                signature: &signature,
            })
            .await?;
        let profile = workstation.profile();
        let key_set =
            KeySet::verify(&answer.key_set, profile.authority()).map_err(UnlockError::KeySet)?;
        let time =
            SignedTime::verify(&answer.signed_time, &key_set, &nonce).map_err(UnlockError::Time)?;
        workstation.accept_key_set(key_set).await?;
        workstation.accept_time(&time).await?;
        sqlx::query("UPDATE identity SET name = ?, role = ? WHERE id = ?")
            .bind(&answer.name)
            .bind(&answer.role)
            .bind(self.identity)
            .execute(&mut *workstation.store().await)
            .await?;

        // What counts by the server's clock: a local one that is ahead loses nobody the grant.
        let document = registered
            .accepted(&workstation.documents(), time.time())
            .map(|counting| counting.acceptance.payload().document_sha256)
            .ok_or(UnlockError::AgreementRequired)?;
        let grant = transport
            .grant(&answer.token, &hex::encode(document))
            .await?;
        let (verified, _) = verify_grant(workstation, &grant, &self.person_id, &registered)
            .map_err(UnlockError::Grant)?;
        store_grant(
            &mut *workstation.store().await,
            &self.person_id,
            verified.as_bytes(),
            workstation.now(),
        )
        .await?;
        workstation.raise_generation().await?;
        Ok(answer.token)
    }
}

/// Keeps a verified grant in place of the person's older one.
pub(crate) async fn store_grant(
    store: &mut SqliteConnection,
    person_id: &str,
    grant: &[u8],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO grant_message (person_id, bytes, received_at) VALUES (?, ?, ?)
         ON CONFLICT (person_id) DO UPDATE SET bytes = excluded.bytes, received_at = excluded.received_at",
    )
    .bind(person_id)
    .bind(grant)
    .bind(now.as_second())
    .execute(store)
    .await?;
    Ok(())
}

/// Verifies a grant, which names one of the person's registered acceptances; returns that one too.
pub(crate) fn verify_grant<'a>(
    workstation: &Workstation,
    grant: &[u8],
    person_id: &str,
    registered: &'a Registered,
) -> Result<(VerifiedGrant, &'a Decided), GrantError> {
    let (keys, device_id) = (workstation.key_set(), workstation.device_id());
    let mut refused = GrantError::Leaf;
    for decided in registered.all() {
        let expected = Expected {
            person_id,
            device_id: &device_id,
            document: &decided.acceptance.payload().document_sha256,
            leaf: decided.acceptance.leaf(),
        };
        match VerifiedGrant::verify(grant, &keys, &expected) {
            Ok(verified) => return Ok((verified, decided)),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The stored grant, verified again, and the acceptance that it names; one that does not verify is none.
pub(crate) async fn stored_grant<'a>(
    workstation: &Workstation,
    store: &mut SqliteConnection,
    person_id: &str,
    registered: &'a Registered,
) -> Result<Option<(VerifiedGrant, &'a Decided)>, DatabaseError> {
    let bytes: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT bytes FROM grant_message WHERE person_id = ?")
            .bind(person_id)
            .fetch_optional(store)
            .await?;
    Ok(bytes.and_then(|bytes| verify_grant(workstation, &bytes, person_id, registered).ok()))
}

/// Whether the local time is acceptable at all, and the later of it and the floor.
pub(crate) fn trusted_now(now: Timestamp, floor: i64) -> Result<i64, GateError> {
    let now = now.as_second();
    if now < floor - gate::CLOCK_TOLERANCE {
        Err(GateError::ClockBehind { floor })
    } else {
        Ok(now.max(floor))
    }
}
