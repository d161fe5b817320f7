//! The workstation: its keys, its store, its outbox. A cheap handle that a background task and the window share.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use infoblood_agreement::{
    document::Documents,
    gate::CLOCK_TOLERANCE,
    key_set::KeySet,
    profile::SiteProfile,
    sealed::{Kind, SealedItem},
    session::SignedTime,
    vault::{VaultError, WorkstationKeys},
};
use jiff::Timestamp;
use sqlx::SqliteConnection;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    clock::Clock,
    courier::Tidy,
    database::{self, DatabaseError},
    disk::{Disk, RealDisk},
    document,
    keyring::{self, Keyring, KeyringError, TimedKeyring},
    lock_file::LockFile,
    opening::{self, Missing},
    outbox::{Outbox, SealedFile},
    random::RandomError,
    settings,
    sync::Syncing,
    transport::{Deadlines, Transport, TransportError},
    unlocked::Opened,
    watch::Watch,
};

pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/workstation/0001_first.sql"),
    include_str!("../migrations/workstation/0002_documents.sql"),
    include_str!("../migrations/workstation/0003_sync.sql"),
    include_str!("../migrations/workstation/0004_own_access.sql"),
];
pub(crate) const DATABASE: &str = "workstation.db";
pub(crate) const PATIENTS: &str = "patients.db";
/// Code of items that only a courier pack can carry: their store is gone.
pub(crate) const NEEDS_COURIER: &str = "needs-courier";

/// Why the workstation did not open. Nothing was changed or created then, except an empty data directory; only an older copy of the store
/// that was put back is set aside.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the data directory.
    #[error("another process uses the data directory")]
    AlreadyRunning,
    /// The keyring gave no answer.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Databases are here, their keys are not.
    #[error("the databases' keys are not in the keyring")]
    KeyringLost,
    /// The keyring's item cannot be read.
    #[error("the keyring's item cannot be used")]
    Item(#[source] VaultError),
    /// `workstation.db` cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The profile is of another server than the one this data directory belongs to.
    #[error("the profile is of another server")]
    OtherServer,
    /// The profile's address or certificates cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The data directory cannot be written.
    #[error("the data directory cannot be used")]
    Directory(#[from] io::Error),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl OpenError {
    /// Stable code for the interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRunning => "already-running",
            Self::Keyring(error) => error.code(),
            Self::KeyringLost => "keyring-lost",
            Self::Item(error) => error.code(),
            Self::Database(error) => error.code(),
            Self::OtherServer => "profile-other-server",
            Self::Transport(error) => error.code(),
            Self::Directory(error) if crate::disk::is_full(error) => "disk-full",
            Self::Directory(_) | Self::Random(_) => "internal",
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What a caller may set besides the defaults; tests do.
#[derive(Clone)]
pub struct Options {
    /// Version of the app, for the evidence in statements.
    pub app_version: String,
    /// How long one call to the keyring may take.
    pub keyring_deadline: Duration,
    /// How long requests may take.
    pub deadlines: Deadlines,
    /// Where files are written.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
            keyring_deadline: keyring::DEADLINE,
            deadlines: Deadlines::default(),
            disk: Arc::new(RealDisk),
        }
    }
}

/// A workstation that is open. Clones are handles to the same one.
#[derive(Clone)]
pub struct Workstation(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) profile: SiteProfile,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Transport,
    pub(crate) outbox: Outbox,
    pub(crate) app_version: String,
    pub(crate) keyring: TimedKeyring,
    keys: RwLock<Arc<WorkstationKeys>>,
    key_set: RwLock<Arc<KeySet>>,
    pub(crate) documents: RwLock<Arc<Documents>>,
    store: database::Shared,
    /// One change of the keyring's item at a time.
    pub(crate) changing_keys: Mutex<()>,
    /// One answer of the courier at a time, read or applied.
    pub(crate) courier: Mutex<()>,
    /// The patient cache, where it is open.
    pub(crate) opened: Opened,
    pub(crate) watch: Watch,
    /// One synchronisation at a time.
    pub(crate) syncing: Syncing,
    _lock: LockFile,
}

impl Workstation {
    /// Opens the data directory, creating keys and store at the very first start only.
    pub async fn open(
        dir: &Path,
        profile: &SiteProfile,
        keyring: Arc<dyn Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        Self::open_with(dir, profile, keyring, clock, Options::default()).await
    }

    /// [`Workstation::open`] with options.
    pub async fn open_with(
        dir: &Path,
        profile: &SiteProfile,
        keyring: Arc<dyn Keyring>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        Self::open_as(dir, profile, keyring, clock, options, Missing::Ask).await
    }

    pub(crate) async fn open_as(
        dir: &Path,
        profile: &SiteProfile,
        keyring: Arc<dyn Keyring>,
        clock: Arc<dyn Clock>,
        options: Options,
        missing: Missing,
    ) -> Result<Self, OpenError> {
        let lock = opening::claim(dir)?;
        let fields = profile.fields();
        let transport = Transport::new(
            profile.url(),
            fields.ca_pem.as_deref(),
            fields.proxy.as_deref(),
            options.deadlines,
        )?;
        let keyring = TimedKeyring::new(keyring, options.keyring_deadline);
        let (keys, mut store) = opening::keys_and_store(dir, &keyring, missing).await?;
        let key_set = remember_profile(&mut store, profile).await?;
        let documents = document::load(&mut store, &key_set).await?;
        let outbox = Outbox::open(dir, options.disk)?;
        outbox.remove_unfinished()?;

        let workstation = Self(Arc::new(Inner {
            dir: dir.to_owned(),
            profile: profile.clone(),
            clock,
            transport,
            outbox,
            app_version: options.app_version,
            keyring,
            keys: RwLock::new(Arc::new(keys)),
            key_set: RwLock::new(Arc::new(key_set)),
            documents: RwLock::new(Arc::new(documents)),
            store: database::Shared::new(store),
            courier: Mutex::new(()),
            changing_keys: Mutex::new(()),
            opened: Opened::default(),
            watch: Watch::default(),
            syncing: Syncing::default(),
            _lock: lock,
        }));
        workstation.reconcile().await?;
        if let Err(error) = workstation.tidy_courier(Tidy::Everything).await {
            tracing::warn!(code = error.code(), "the courier's folder was not tidied");
        }
        if let Err(error) = workstation.resume_wipe().await {
            // What opens anything is gone already.
            tracing::error!(code = error.code(), "a wipe did not come to its end");
        }
        workstation.glance_at_clock().await;
        Ok(workstation)
    }

    /// The profile that it was opened with.
    pub fn profile(&self) -> &SiteProfile {
        &self.0.profile
    }

    /// 32 hex digits.
    pub fn device_id(&self) -> String {
        self.keys().device_id()
    }

    /// The highest signed server time that was seen, Unix seconds; 0 before the first.
    pub fn time_floor(&self) -> i64 {
        self.keys().time_floor()
    }

    /// Whether the server answers at all.
    pub async fn is_server_reachable(&self) -> bool {
        self.0.transport.is_reachable().await
    }

    /// Closes the store. Other handles must not be used after it; the process may also simply end.
    pub async fn close(self) -> Result<(), DatabaseError> {
        if let Some(inner) = Arc::into_inner(self.0) {
            inner.store.close().await?;
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn keys(&self) -> Arc<WorkstationKeys> {
        Arc::clone(&self.0.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest key set that the authority signed.
    pub(crate) fn key_set(&self) -> Arc<KeySet> {
        Arc::clone(
            &self
                .0
                .key_set
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) async fn store(&self) -> MutexGuard<'_, SqliteConnection> {
        self.0.store.lock().await
    }

    /// Keeps a verified key set, unless a newer one is known.
    pub(crate) async fn accept_key_set(&self, key_set: KeySet) -> Result<(), DatabaseError> {
        if key_set.version() <= self.key_set().version() {
            return Ok(());
        }
        settings::set(&mut *self.store().await, "key_set", key_set.as_bytes()).await?;
        *self
            .0
            .key_set
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(key_set);
        Ok(())
    }

    /// Moves the time floor, and sets the soft mark: a jump is recorded once, and what comes after it is measured from here. The floor goes
    /// back only where the server's own clock was put right: a wrong one bricks no workstation.
    pub(crate) async fn accept_time(&self, signed: &SignedTime) -> Result<(), DatabaseError> {
        self.glance_at_clock().await;
        let floor = self.time_floor();
        if signed.time() > floor {
            return self
                .change_keys(|keys| _ = keys.raise_time_floor(signed))
                .await;
        }
        if signed.time() < floor - CLOCK_TOLERANCE {
            tracing::warn!("the server's clock was ahead and went back");
            self.change_keys(|keys| _ = keys.lower_time_floor(signed))
                .await?;
        }
        Ok(())
    }

    /// From now on an older copy of the store is recognised as one: after a grant, a new document, a revocation, and once a day.
    pub(crate) async fn raise_generation(&self) -> Result<(), DatabaseError> {
        self.change_keys(WorkstationKeys::raise_generation).await
    }

    /// Changes the keyring's item: in the store, then in the keyring, then in memory.
    async fn change_keys(
        &self,
        change: impl FnOnce(&mut WorkstationKeys),
    ) -> Result<(), DatabaseError> {
        let _one = self.0.changing_keys.lock().await;
        let Ok(mut keys) = WorkstationKeys::from_item(&self.keys().to_item()) else {
            return Ok(());
        };
        change(&mut keys);
        opening::remember(&mut *self.store().await, &keys).await?;
        if let Err(error) = self.0.keyring.set(keys.to_item()).await {
            // The store is one step ahead of the keyring then, which is accepted; the next change tries again. The time counts at once.
            tracing::warn!(code = error.code(), "the keyring was not written");
            let Ok(mut as_kept) = WorkstationKeys::from_item(&self.keys().to_item()) else {
                return Ok(());
            };
            let is_back = keys.time_floor() < as_kept.time_floor();
            let generation = if is_back {
                keys.generation()
            } else {
                as_kept.generation()
            };
            as_kept.catch_up(keys.time_floor(), generation);
            self.set_keys(as_kept);
            return Ok(());
        }
        self.set_keys(keys);
        Ok(())
    }

    pub(crate) fn set_keys(&self, keys: WorkstationKeys) {
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Makes rows and files of the outbox agree again after a crash.
    pub(crate) async fn reconcile(&self) -> Result<(), OpenError> {
        let mut store = self.store().await;
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT id, sealed FROM outbox ORDER BY created_at")
                .fetch_all(&mut *store)
                .await?;
        let known = rows
            .into_iter()
            .map(|(id, bytes)| SealedFile { id, bytes })
            .collect();
        for stranger in self.0.outbox.repair(known).await? {
            let acknowledged: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM statement WHERE item_id = ? AND receipt IS NOT NULL)",
            )
            .bind(&stranger.id)
            .fetch_one(&mut *store)
            .await?;
            if acknowledged {
                self.0.outbox.remove(&stranger.id)?;
                continue;
            }
            // A file of a store that is gone, or one that was acknowledged just before a crash: the server knows by its id.
            let Ok(item) = SealedItem::parse(&stranger.bytes) else {
                continue;
            };
            sqlx::query(
                "INSERT OR IGNORE INTO outbox (id, kind, sealed, created_at, orphan, error) VALUES (?, ?, ?, ?, 1, ?)",
            )
            .bind(&stranger.id)
            .bind(item.kind().as_str())
            .bind(&stranger.bytes)
            .bind(self.now().as_second())
            // Audit events are readable by the server on their own; a statement needs its plain bytes, which went with the store.
            .bind((item.kind() != Kind::AuditEvent).then_some(NEEDS_COURIER))
            .execute(&mut *store)
            .await?;
        }
        Ok(())
    }
}

/// Binds the store to the profile's server, and returns the newest key set of the two.
async fn remember_profile(
    store: &mut SqliteConnection,
    profile: &SiteProfile,
) -> Result<KeySet, OpenError> {
    if let Some(bytes) = settings::get(store, "profile").await? {
        let same = SiteProfile::parse(&bytes).is_ok_and(|stored| stored.is_same_server(profile));
        if !same {
            return Err(OpenError::OtherServer);
        }
    }
    let json = profile.to_json().unwrap_or_default();
    settings::set(store, "profile", json.as_bytes()).await?;
    let stored = settings::get(store, "key_set").await?;
    let stored = stored.and_then(|bytes| KeySet::verify(&bytes, profile.authority()).ok());
    Ok(match stored {
        Some(stored) if stored.version() > profile.key_set().version() => stored,
        _ => profile.key_set().clone(),
    })
}

/// The directory, readable by its owner alone.
pub(crate) fn create_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
