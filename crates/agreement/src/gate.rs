//! The gate: the only code that turns a verified acceptance, receipt and grant, a person's keys and the keyring's item
//! into [`Unlocked`], without which no function reads patient data.

use std::sync::atomic::{AtomicBool, Ordering};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::cbor::{self, Limits, Value};
use crate::courier::ShareKey;
use crate::document::Documents;
use crate::grant::{Expected, GrantError, Role, VerifiedGrant};
use crate::lease::{BreakGlassError, Lease, Mode, Reason, lease_state};
use crate::receipt::VerifiedReceipt;
use crate::statement::{Acceptance, Decision, Verified, person_of};
use crate::vault::{self, PersonKeys, VaultError, WorkstationKeys};

/// How far the local clock may lie behind a signed server time, in seconds.
pub const CLOCK_TOLERANCE: i64 = 5 * 60;
/// Version of the wrapped database key.
const VERSION: u64 = 1;
const DEK_AAD: &[u8] = b"infoblood/dek/v1";

/// Why the gate stays closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    #[error("the current agreement is not accepted by this person on this device")]
    AgreementRequired,
    #[error("the receipt is for another statement or of another server")]
    Receipt,
    #[error("the grant does not fit")]
    Grant(#[source] GrantError),
    #[error("the lease and its read-only time ended at {read_only_until}")]
    Expired {
        /// Unix seconds.
        read_only_until: i64,
    },
    #[error("the clock is behind the server's signed time {floor}")]
    ClockBehind {
        /// Unix seconds.
        floor: i64,
    },
    #[error("the person's keys are not the ones that accepted")]
    Person,
    #[error("the wrapped database key is of another epoch, server share or workstation")]
    DatabaseKey,
    #[error("a key cannot be derived or wrapped")]
    Vault(#[source] VaultError),
}

impl GateError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AgreementRequired => "agreement-required",
            Self::Receipt => "receipt-invalid",
            Self::Grant(_) | Self::Person | Self::DatabaseKey => "grant-invalid",
            Self::Expired { .. } => "grant-expired",
            Self::ClockBehind { .. } => "clock-behind",
            Self::Vault(inner) => inner.code(),
        }
    }
}

/// The database key of `patients.db` under a key that needs the keyring's S *and* the server's share.
///
/// Stored form: CBOR [1, epoch, nonce (12) ‖ ciphertext ‖ tag].
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDek {
    epoch: u64,
    sealed: Vec<u8>,
}

impl WrappedDek {
    /// Reads the stored form.
    pub fn parse(bytes: &[u8]) -> Result<Self, GateError> {
        let value =
            cbor::decode(bytes, &Limits::bytes(1024)).map_err(|_| GateError::DatabaseKey)?;
        let Some([version, epoch, sealed]) = value.as_items() else {
            return Err(GateError::DatabaseKey);
        };
        if version.as_u64() != Some(VERSION) {
            return Err(GateError::DatabaseKey);
        }
        Ok(Self {
            epoch: epoch.as_u64().ok_or(GateError::DatabaseKey)?,
            sealed: sealed.as_bytes().ok_or(GateError::DatabaseKey)?.to_vec(),
        })
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(&Value::Array(vec![
            VERSION.into(),
            self.epoch.into(),
            self.sealed.as_slice().into(),
        ]))
    }

    /// The epoch whose share opens it.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// All that the gate needs.
pub struct Inputs<'a> {
    /// This person's acceptance from this device, of a document that counts now.
    pub acceptance: &'a Verified<Acceptance>,
    /// The log's receipt for it.
    pub receipt: &'a VerifiedReceipt,
    /// The right to open the cache.
    pub grant: &'a VerifiedGrant,
    /// The acceptance that the grant names: the same, or another of this person here. Who accepted the next version before its
    /// date needs no new grant at that date.
    pub granted_for: &'a Verified<Acceptance>,
    /// The person's keys, opened with the passphrase.
    pub person: &'a PersonKeys,
    /// The keyring's item.
    pub workstation: &'a WorkstationKeys,
    /// All documents that are known.
    pub documents: &'a Documents,
    /// The stored database key; `None` creates one, which [`Unlocked::new_dek`] gives for storing.
    pub wrapped_dek: Option<&'a WrappedDek>,
}

/// Opens the gate at `now` (Unix seconds by the local clock).
///
/// Every check is made here once more on values that can only come from a verification; only then is a key derived.
pub fn open(
    inputs: &Inputs<'_>,
    now: i64,
    rng: &mut impl CryptoRng,
) -> Result<Unlocked, GateError> {
    check(inputs, now)?;
    check_time(inputs, now)?;
    let grant = inputs.grant.terms();

    let share = inputs
        .grant
        .open_share(inputs.person.x25519())
        .map_err(GateError::Grant)?;
    let kek = inputs.workstation.kek(&share, grant.epoch);
    let aad = [DEK_AAD, &grant.epoch.to_be_bytes()].concat();
    let mut dek = Zeroizing::new([0; 32]);
    let new_dek = if let Some(wrapped) = inputs.wrapped_dek {
        let plaintext = vault::unwrap(&kek, &aad, &wrapped.sealed).ok_or(GateError::DatabaseKey)?;
        if plaintext.len() != dek.len() {
            return Err(GateError::DatabaseKey);
        }
        dek.copy_from_slice(&plaintext);
        None
    } else {
        rng.fill_bytes(dek.as_mut_slice());
        let sealed = vault::wrap(&kek, &aad, dek.as_slice(), rng).map_err(GateError::Vault)?;
        Some(WrappedDek {
            epoch: grant.epoch,
            sealed,
        })
    };
    Ok(Unlocked {
        person_id: grant.person_id.clone(),
        device_id: grant.device_id.clone(),
        site: grant.site.clone(),
        role: grant.role,
        offline_until: grant.offline_until,
        read_only_until: grant.read_only_until,
        is_glass_broken: AtomicBool::new(false),
        document: inputs.acceptance.payload().document_sha256,
        dek,
        courier: ShareKey::derive(&share, grant.epoch),
        new_dek,
    })
}

/// The time by which documents come into force: the local one, but never before a signed one.
fn document_time(inputs: &Inputs<'_>, now: i64) -> i64 {
    now.max(inputs.workstation.time_floor())
        .max(inputs.grant.terms().issued_at)
}

/// Person, device, document, statement, server and epoch are one and the same everywhere.
fn check(inputs: &Inputs<'_>, now: i64) -> Result<(), GateError> {
    let acceptance = inputs.acceptance;
    let device_id = inputs.workstation.device_id();
    let at = document_time(inputs, now);
    if !inputs
        .documents
        .counts(&acceptance.payload().document_sha256, at)
    {
        return Err(GateError::AgreementRequired);
    }
    for accepted in [acceptance, inputs.granted_for] {
        let claims = accepted.payload();
        if claims.decision != Decision::Accepted || claims.device_id != device_id {
            return Err(GateError::AgreementRequired);
        }
        if *accepted.kid() != inputs.person.public().kid() || accepted.iss() != acceptance.iss() {
            return Err(GateError::Person);
        }
    }
    let person_id = person_of(acceptance.iss()).ok_or(GateError::Person)?;
    let receipt = inputs.receipt;
    if receipt.leaf() != acceptance.leaf() || receipt.issuer() != inputs.grant.issuer() {
        return Err(GateError::Receipt);
    }
    inputs
        .grant
        .matches(&Expected {
            person_id,
            device_id: &device_id,
            document: &inputs.granted_for.payload().document_sha256,
            leaf: inputs.granted_for.leaf(),
        })
        .map_err(GateError::Grant)?;
    let epoch = inputs.grant.terms().epoch;
    if inputs.wrapped_dek.is_some_and(|dek| dek.epoch != epoch) {
        return Err(GateError::Grant(GrantError::Epoch));
    }
    Ok(())
}

/// Not before what the server signed, not after the read-only time. A grant is itself a signed server time.
fn check_time(inputs: &Inputs<'_>, now: i64) -> Result<(), GateError> {
    let terms = inputs.grant.terms();
    let floor = inputs.workstation.time_floor().max(terms.issued_at);
    if now < floor.saturating_sub(CLOCK_TOLERANCE) {
        return Err(GateError::ClockBehind { floor });
    }
    let read_only_until = terms.read_only_until;
    if now.max(floor) > read_only_until {
        return Err(GateError::Expired { read_only_until });
    }
    Ok(())
}

/// The proof that the gate was open: every function that reads patient data takes a reference to one.
///
/// It has no other constructor than [`open`], no `Clone` and no `Debug`; the database key is zeroized when it is dropped.
///
/// ```compile_fail,E0451
/// let forged = infoblood_agreement::gate::Unlocked {
///     person_id: String::new(),
///     device_id: String::new(),
///     site: String::new(),
///     role: infoblood_agreement::grant::Role::Clinician,
///     offline_until: i64::MAX,
///     read_only_until: i64::MAX,
///     is_glass_broken: false.into(),
///     document: [0; 32],
///     dek: zeroize::Zeroizing::new([0; 32]),
///     courier: infoblood_agreement::courier::ShareKey::derive(&[0; 32], 1),
///     new_dek: None,
/// };
/// ```
///
/// ```compile_fail,E0277
/// fn needs_default<T: Default>() {}
/// needs_default::<infoblood_agreement::gate::Unlocked>();
/// ```
///
/// ```compile_fail,E0277
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<infoblood_agreement::gate::Unlocked>();
/// ```
///
/// ```compile_fail,E0277
/// fn needs_debug<T: std::fmt::Debug>() {}
/// needs_debug::<infoblood_agreement::gate::Unlocked>();
/// ```
pub struct Unlocked {
    person_id: String,
    device_id: String,
    site: String,
    role: Role,
    offline_until: i64,
    read_only_until: i64,
    is_glass_broken: AtomicBool,
    document: [u8; 32],
    dek: Zeroizing<[u8; 32]>,
    courier: ShareKey,
    new_dek: Option<WrappedDek>,
}

impl Unlocked {
    /// Who is signed in: 32 hex digits.
    pub fn person_id(&self) -> &str {
        &self.person_id
    }

    /// On which device: 32 hex digits.
    pub fn device_id(&self) -> &str {
        &self.device_id
    }

    /// The person's site, by the server.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The person's role, by the server.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The last second of the lease (Unix seconds).
    pub const fn offline_until(&self) -> i64 {
        self.offline_until
    }

    /// The last second of the read-only time after it (Unix seconds).
    pub const fn read_only_until(&self) -> i64 {
        self.read_only_until
    }

    /// How long the lease still runs at `now` (Unix seconds).
    pub fn lease(&self, now: i64) -> Lease {
        lease_state(now, self.offline_until, self.read_only_until)
    }

    /// What may be done at `now` (Unix seconds); `None`: nothing any more.
    pub fn mode(&self, now: i64) -> Option<Mode> {
        if now > self.read_only_until {
            None
        } else if now <= self.offline_until {
            Some(Mode::Full)
        } else if self.is_glass_broken.load(Ordering::Relaxed) {
            Some(Mode::BreakGlass)
        } else {
            Some(Mode::ReadOnly)
        }
    }

    /// Whether the restriction of the read-only time may be lifted at `now`, for this reason. `is_allowed`: the site's policy.
    pub fn may_break_glass(
        &self,
        now: i64,
        is_allowed: bool,
        reason: &str,
    ) -> Result<Reason, BreakGlassError> {
        if !is_allowed {
            return Err(BreakGlassError::Forbidden);
        }
        if self.mode(now) != Some(Mode::ReadOnly) {
            return Err(BreakGlassError::NotReadOnly);
        }
        Reason::parse(reason)
    }

    /// Lifts it until the lock. The reason has been recorded: it comes from [`Unlocked::may_break_glass`].
    pub fn break_glass(&self, _recorded: &Reason) {
        self.is_glass_broken.store(true, Ordering::Relaxed);
    }

    /// Digest of the document whose acceptance opened it.
    pub const fn document(&self) -> &[u8; 32] {
        &self.document
    }

    /// The raw SQLCipher key of `patients.db`.
    pub fn database_key(&self) -> &[u8; 32] {
        &self.dek
    }

    /// Opens the patient data of a courier's answer.
    pub const fn courier_key(&self) -> &ShareKey {
        &self.courier
    }

    /// The wrapped database key, if it was created just now: store it before the database is created.
    pub const fn new_dek(&self) -> Option<&WrappedDek> {
        self.new_dek.as_ref()
    }
}

#[cfg(test)]
mod tests;
