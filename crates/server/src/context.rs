//! An initialised server: its database, keys and fixed settings. Commands and requests work on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use infoblood_agreement::key_set::KeySet;
use infoblood_agreement::keys::PublicKey;

use crate::clock::{Clock, SystemClock};
use crate::keys::{KeyFileError, ServerKeys};
use crate::problem::Problem;
use crate::service::entries::LogAuthor;
use crate::storage::postgres::PostgresUrl;
use crate::storage::sqlite::SqliteDatabase;
use crate::storage::{Database, Location, SettingsStorage, StorageError};

/// Setting names.
pub(crate) const ISSUER: &str = "issuer";
pub(crate) const AUTHORITY: &str = "authority";
pub(crate) const KEY_SET: &str = "key_set";
pub(crate) const PERSON_SALT: &str = "person_salt";

/// Where a server keeps its things.
#[derive(Debug, Clone)]
pub struct Place {
    /// Holds `keys/` and, unless said otherwise, the database.
    pub data_dir: PathBuf,
    /// Where the database is.
    pub database: Location,
}

impl Place {
    /// The data directory with its own embedded database.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            database: Location::Sqlite(data_dir.join("server.db")),
        }
    }

    /// The data directory with the database that `url` names: `sqlite:PATH` or `postgres://…`. The error is a sentence.
    pub fn with_database_url(data_dir: &Path, url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self {
                data_dir: data_dir.to_owned(),
                database: Location::Postgres(PostgresUrl::parse(url)?),
            });
        }
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .ok_or("--database-url: sqlite:PATH or postgres://…")?;
        if path.is_empty() || path == ":memory:" || path.contains('?') {
            return Err(
                "--database-url: sqlite:PATH needs the path of a file, without options".to_owned(),
            );
        }
        Ok(Self {
            data_dir: data_dir.to_owned(),
            database: Location::Sqlite(PathBuf::from(path)),
        })
    }
}

/// Why a server cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `init` has not been run here.
    #[error("there is no server here: run `infoblood-server init` first")]
    NotInitialised,
    /// A key file is missing or damaged.
    #[error("a key file is not usable")]
    Keys(#[from] KeyFileError),
    /// The database does not open.
    #[error("the database does not open")]
    Storage(#[from] StorageError),
    /// Database and key files do not belong together.
    #[error("the database is of another server than the key files")]
    OtherServer,
}

impl OpenError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInitialised => "not-initialised",
            Self::Keys(_) => "keys-unusable",
            Self::Storage(error) => error.code(),
            Self::OtherServer => "keys-of-another-server",
        }
    }
}

/// An initialised server.
pub struct Context<D> {
    /// Its storage.
    pub database: D,
    /// Its secret keys.
    pub keys: ServerKeys,
    /// `iss` of receipts, grants, times.
    pub issuer: String,
    /// Makes person ids of logins.
    pub person_salt: Vec<u8>,
    /// What the authority signed.
    pub key_set: KeySet,
    /// The authority's public key.
    pub authority: PublicKey,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

impl<D> std::fmt::Debug for Context<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Context<SqliteDatabase> {
    /// Opens an initialised server on the embedded database under the machine's clock.
    pub async fn open(place: &Place) -> Result<Self, OpenError> {
        Self::open_with_clock(place, Arc::new(SystemClock)).await
    }

    /// The same under another clock.
    pub async fn open_with_clock(place: &Place, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_on(place, clock).await
    }
}

impl<D: Database> Context<D> {
    /// Opens an initialised server on a database of this engine.
    pub async fn open_on(place: &Place, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let no_file = match &place.database {
            Location::Sqlite(path) => !path.exists(),
            Location::Postgres(_) => true,
        };
        if no_file && !place.data_dir.join("keys").exists() {
            return Err(OpenError::NotInitialised);
        }
        let database = D::open_at(&place.database, false).await?;
        Self::load(database, &place.data_dir, clock).await
    }

    async fn load(database: D, data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let mut tx = database.read().await?;
        let Some(issuer) = tx.setting(ISSUER).await? else {
            return Err(OpenError::NotInitialised);
        };
        let damaged = StorageError::Damaged;
        let authority = tx.setting(AUTHORITY).await?.ok_or(damaged(AUTHORITY))?;
        let key_set = tx.setting(KEY_SET).await?.ok_or(damaged(KEY_SET))?;
        let person_salt = tx.setting(PERSON_SALT).await?.ok_or(damaged(PERSON_SALT))?;
        drop(tx);
        let authority: [u8; 32] = authority.try_into().map_err(|_| damaged(AUTHORITY))?;
        let authority = PublicKey::from_bytes(&authority)
            .map_err(|_| StorageError::Damaged("settings.authority"))?;
        let key_set = KeySet::verify(&key_set, &authority)
            .map_err(|_| StorageError::Damaged("settings.key_set"))?;
        let keys = ServerKeys::load(data_dir)?;
        let ours = PublicKey::of(&keys.log);
        if !key_set
            .entries()
            .iter()
            .any(|entry| entry.key == *ours.as_bytes())
        {
            return Err(OpenError::OtherServer);
        }
        Ok(Self {
            database,
            keys,
            issuer: String::from_utf8(issuer)
                .map_err(|_| StorageError::Damaged("settings.issuer"))?,
            person_salt,
            key_set,
            authority,
            clock,
        })
    }

    /// Unix seconds.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Who signs this server's receipts and acts.
    pub fn author(&self) -> LogAuthor<'_> {
        LogAuthor {
            issuer: &self.issuer,
            key: &self.keys.log,
        }
    }
}

/// A fresh generator, or an internal problem.
pub(crate) fn rng() -> Result<rand_chacha::ChaCha20Rng, Problem> {
    crate::clock::rng().map_err(|error| Problem::internal(error.to_string()))
}
