//! Making a server: keys, key set, the first document.

use std::sync::Arc;

use infoblood_agreement::document::{Change, Document as Text};
use infoblood_agreement::key_set::{KeyEntry, KeySet, KeyUse};
use infoblood_agreement::keys::PublicKey;
use infoblood_agreement::statement::Action;
use rand_core::CryptoRng;

use super::administration::record;
use crate::clock::Clock;
use crate::context::{AUTHORITY, Context, ISSUER, KEY_SET, OpenError, PERSON_SALT, Place};
use crate::keys::ServerKeys;
use crate::problem::Problem;
use crate::storage::sqlite::SqliteDatabase;
use crate::storage::{
    AgreementStorage, Database, Document, SettingsStorage, StorageError, Transaction,
};

/// The `iss` of receipts unless `init` is told another.
pub const DEFAULT_ISSUER: &str = "https://infoblood.example";

/// Why there is no new server.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one here.
    #[error("there is a server here already")]
    AlreadyInitialised,
    /// The issuer is not an https or http URL.
    #[error("--issuer must be an https:// or http:// URL")]
    Issuer,
    /// Directory or keys cannot be made.
    #[error("the data directory cannot be prepared")]
    Directory(#[source] std::io::Error),
    /// As when opening.
    #[error("the server cannot be made")]
    Open(#[from] OpenError),
    /// A step failed.
    #[error("the server cannot be made")]
    Problem(#[from] Problem),
}

impl InitError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyInitialised => "already-initialised",
            Self::Issuer => "issuer-malformed",
            Self::Directory(_) => "directory-unusable",
            Self::Open(error) => error.code(),
            Self::Problem(problem) => problem.code,
        }
    }
}

impl From<StorageError> for InitError {
    fn from(error: StorageError) -> Self {
        Self::Open(error.into())
    }
}

/// Makes a server on the embedded database of `place`.
pub async fn init(
    place: &Place,
    issuer: &str,
    clock: Arc<dyn Clock>,
) -> Result<Context<SqliteDatabase>, InitError> {
    init_with(place, issuer, clock, &mut crate::context::rng()?).await
}

/// Makes a server in `place`, on a database of this engine. Interrupted, it can be run again: keys that exist are kept,
/// the rest is one transaction.
pub async fn init_with<D: Database>(
    place: &Place,
    issuer: &str,
    clock: Arc<dyn Clock>,
    rng: &mut impl CryptoRng,
) -> Result<Context<D>, InitError> {
    let host = issuer
        .strip_prefix("https://")
        .or_else(|| issuer.strip_prefix("http://"));
    if host.is_none_or(|host| {
        host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace)
    }) {
        return Err(InitError::Issuer);
    }
    std::fs::create_dir_all(&place.data_dir).map_err(InitError::Directory)?;
    let database = D::open_at(&place.database, true).await?;
    if database.read().await?.setting(ISSUER).await?.is_some() {
        return Err(InitError::AlreadyInitialised);
    }
    let (keys, authority) = ServerKeys::create(&place.data_dir, rng).map_err(OpenError::Keys)?;
    let mut person_salt = vec![0; 32];
    rng.fill_bytes(&mut person_salt);
    let now = clock.now();
    let public = |key| *PublicKey::of(key).as_bytes();
    let entries = [
        KeyEntry::new(KeyUse::Log, public(&keys.log), now),
        KeyEntry::new(KeyUse::Grant, public(&keys.grant), now),
        KeyEntry::new(KeyUse::Document, public(&keys.document), now),
        KeyEntry::new(
            KeyUse::Sealing,
            x25519_dalek::PublicKey::from(&keys.sealing).to_bytes(),
            now,
        ),
    ];
    let key_set = KeySet::issue(issuer, 1, &entries, now, &authority).map_err(Problem::internal)?;
    let context = Context {
        database,
        keys,
        issuer: issuer.to_owned(),
        person_salt,
        key_set,
        authority: PublicKey::of(&authority),
        clock,
    };
    write(&context, now).await?;
    Ok(context)
}

async fn write<D: Database>(context: &Context<D>, now: i64) -> Result<(), InitError> {
    let mut tx = context.database.write().await?;
    let settings: [(&str, &[u8]); 4] = [
        (ISSUER, context.issuer.as_bytes()),
        (AUTHORITY, context.authority.as_bytes()),
        (KEY_SET, context.key_set.as_bytes()),
        (PERSON_SALT, &context.person_salt),
    ];
    for (name, value) in settings {
        tx.add_setting(name, value)
            .await
            .map_err(|error| match error {
                StorageError::Conflict => InitError::AlreadyInitialised,
                other => other.into(),
            })?;
    }
    let text = Text::builtin();
    tx.add_document(&Document {
        digest: *text.digest(),
        version: text.meta().version,
        effective_from: text.meta().effective_from,
        material: text.meta().change == Change::Material,
        message: text
            .meta()
            .sign(&context.issuer, now, &context.keys.document),
    })
    .await?;
    let detail = [("version", &*text.meta().version.to_string())];
    record(
        &mut tx,
        context.author(),
        Action::DocumentPublished,
        &text.digest_hex(),
        &detail,
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}
