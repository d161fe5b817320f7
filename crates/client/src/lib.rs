//! The workstation: encrypted store, outbox, synchronisation, the gate in use, the patient cache. No window, no Tauri.
//!
//! The way through it:
//!
//! 1. [`Workstation::open`] takes the lock, reads the keyring, opens `workstation.db`, and repairs the outbox after a crash.
//! 2. [`Workstation::enrol`] signs enrolment and acceptance, or [`Workstation::decline`] a refusal; durable when they return.
//! 3. [`sync::run_once`] sends what waits and keeps receipts that verified. [`Workstation::progress`] tells how far it is.
//! 4. [`Workstation::sign_in`] opens a person's keys; [`PersonSession::unlock`] renews the grant and opens the gate.
//! 5. [`UnlockedWorkstation`] reads the change feed and answers [`UnlockedWorkstation::search`] and [`UnlockedWorkstation::card`], each
//!    with an audit event before the answer, until [`UnlockedWorkstation::lock`].
//!
//! Files in the data directory: `workstation.db`, `patients.db`, `outbox/<id>.sealed`, `lock`.
//! Every error has `code()`: the stable code for which the interface has words.

pub mod clock;
pub mod courier;
pub mod database;
pub mod disk;
pub mod document;
pub mod error;
pub mod keyring;
pub mod relay;
pub mod sync;
pub mod transport;

mod audit;
mod backoff;
mod enrol;
mod lock_file;
mod opening;
mod outbox;
mod passphrase;
mod people;
mod proof;
mod random;
mod receipts;
mod revocation;
mod session;
mod settings;
mod sign_in;
mod unlocked;
mod watch;
mod workstation;

pub use document::DocumentsError;
pub use enrol::{EnrolError, EnrolRequest, Evidence, Pending};
pub use passphrase::ChangePassphraseError;
pub use people::{Person, Progress, Proof, ReceiptFacts};
pub use random::RandomError;
pub use revocation::Revocation;
pub use session::{PersonSession, UnlockError};
pub use sign_in::SignInError;
#[cfg(feature = "measure")]
pub use unlocked::measure;
pub use unlocked::{
    Delivery, DonationCard, DonorCard, DonorPage, DonorRow, Holder, Lookback, OwnAccess, OwnLog,
    RecipientCard, RecipientPage, RecipientRow, Refreshed, Search, Stock, Taking,
    UnlockedWorkstation,
};
pub use watch::Jump;
pub use workstation::{OpenError, Options, Workstation};

pub use infoblood_agreement::{
    audit::Purpose,
    lease::{Lease, LeaseState, Mode},
    statement::{Decision, Language},
};
