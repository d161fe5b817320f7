//! Running the server in this process: the command's `serve`, and the tests of everybody who needs a server.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::context::{Context, OpenError, Place};
use crate::http::{App, router};
use crate::storage::postgres::PostgresDatabase;
use crate::storage::sqlite::SqliteDatabase;
use crate::storage::{Database, Location};

/// How long requests may finish after the end was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// Life of a session unless configured, seconds.
const SESSION_SECONDS: i64 = 60 * 60;

/// Certificate chain and key, PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The leaf's key.
    pub key: PathBuf,
}

/// What to run.
#[derive(Clone)]
pub struct ServeConfig {
    /// Where the server's data are; it must be initialised.
    pub place: Place,
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Without it only loopback addresses are listened on.
    pub tls: Option<Tls>,
    /// Life of a session, kept between 15 minutes and 8 hours.
    pub session_seconds: i64,
    /// The machine's, except in tests.
    pub clock: Arc<dyn Clock>,
}

impl ServeConfig {
    /// Plain HTTP on a free loopback port.
    pub fn loopback(place: Place) -> Self {
        Self {
            place,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            session_seconds: SESSION_SECONDS,
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for ServeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeConfig")
            .field("place", &self.place)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Patient data would travel readable.
    #[error("without --tls-cert and --tls-key only a loopback address is listened on")]
    NeedsTls,
    /// The server's data do not open.
    #[error("the server does not open")]
    Open(#[from] OpenError),
    /// The address cannot be listened on.
    #[error("the address cannot be listened on")]
    Listen(#[source] std::io::Error),
    /// Certificate or key are not usable.
    #[error("certificate or key are not usable")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ServeError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeedsTls => "tls-needed",
            Self::Open(error) => error.code(),
            Self::Listen(_) => "listen-failed",
            Self::Tls(_) => "tls-unusable",
        }
    }
}

/// A running server. Dropped, it is told to stop at once.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// `http://…` or `https://…` with the real port, without a final slash.
    pub url: String,
    handle: Handle<SocketAddr>,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    /// Ends gracefully: no new connections, running requests finish.
    pub async fn shutdown(mut self) {
        self.handle.graceful_shutdown(Some(GRACE));
        if let Some(task) = self.task.take()
            && let Ok(Err(error)) = task.await
        {
            tracing::error!(%error, "the listener failed");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// Starts the server and returns once it listens.
pub async fn start(config: ServeConfig) -> Result<Running, ServeError> {
    if config.tls.is_none() && !config.listen.ip().is_loopback() {
        return Err(ServeError::NeedsTls);
    }
    let tls = config.tls.as_ref().map(tls_config).transpose()?;
    match &config.place.database {
        Location::Sqlite(_) => start_on::<SqliteDatabase>(config, tls).await,
        Location::Postgres(_) => start_on::<PostgresDatabase>(config, tls).await,
    }
}

async fn start_on<D: Database>(
    config: ServeConfig,
    tls: Option<RustlsConfig>,
) -> Result<Running, ServeError> {
    let context = Context::<D>::open_on(&config.place, Arc::clone(&config.clock)).await?;
    let database = context.database.clone();
    let listener = TcpListener::bind(config.listen).map_err(ServeError::Listen)?;
    listener.set_nonblocking(true).map_err(ServeError::Listen)?;
    let addr = listener.local_addr().map_err(ServeError::Listen)?;

    let service = router(Arc::new(App::new(context, config.session_seconds)))
        .into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let (scheme, task) = if let Some(tls) = tls {
        let server = axum_server::from_tcp_rustls(listener, tls).map_err(ServeError::Listen)?;
        let server = server.handle(handle.clone()).serve(service);
        ("https", tokio::spawn(serve(server, database)))
    } else {
        let server = axum_server::from_tcp(listener).map_err(ServeError::Listen)?;
        let server = server.handle(handle.clone()).serve(service);
        ("http", tokio::spawn(serve(server, database)))
    };
    Ok(Running {
        addr,
        url: format!("{scheme}://{addr}"),
        handle,
        task: Some(task),
    })
}

/// Serves until the end, then closes the database.
async fn serve<D: Database>(
    server: impl Future<Output = std::io::Result<()>>,
    database: D,
) -> std::io::Result<()> {
    let served = server.await;
    if let Err(error) = database.close().await {
        tracing::warn!(%error, "the database was not closed in order");
    }
    served
}

fn tls_config(tls: &Tls) -> Result<RustlsConfig, ServeError> {
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| ServeError::Tls(error);
    let chain = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string().into()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| unusable(error.to_string().into()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(error.into()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
