//! A central server in this process, a man in the middle who can misbehave, and a workstation whose clock and keyring tests hold.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use infoblood_agreement::{
    grant::Role,
    keys::SigningKey,
    profile::{DeviceApproval, SiteProfile},
    vault::WorkstationKeys,
};
use infoblood_client::{
    Decision, EnrolRequest, Evidence, Language, Options, PersonSession, Workstation,
    clock::{Clock, SystemClock},
    keyring::{Keyring, KeyringError, SecretBytes},
    sync,
    transport::Deadlines,
};
use infoblood_server::{
    Context, Place, Running, ServeConfig,
    service::{administration, init, load},
    storage::{Site, sqlite::SqliteDatabase},
};
use jiff::Timestamp;
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) const PASSPHRASE: &str = "гроза над степью 47 рек";
pub(crate) const SITE: &str = "ALM";

/// What the man in the middle does to a path, instead of passing everything on.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Answers himself.
    Answer(u16, &'static str, Vec<u8>),
    /// Lets the request through and never answers.
    Silence,
    /// Lets the request through and gives this in place of the answer's body.
    Change(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
    /// Lets the request through and breaks the connection after so many bytes of the answer.
    Break(usize),
}

#[derive(Clone)]
struct Middle {
    server: Arc<Mutex<String>>,
    client: reqwest::Client,
    faults: Arc<Mutex<Vec<(&'static str, Fault)>>>,
    entries: Arc<AtomicUsize>,
}

impl Middle {
    fn server(&self) -> String {
        self.server.lock().unwrap().clone()
    }
}

/// A copy of a server's data, as an administrator's backup makes it.
pub(crate) struct Backup(TempDir);

pub(crate) struct Central {
    /// The server's.
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) context: Context<SqliteDatabase>,
    pub(crate) profile: SiteProfile,
    dir: TempDir,
    middle: Middle,
    addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    running: Vec<Running>,
    backups: Vec<Backup>,
}

impl Central {
    pub(crate) async fn start() -> Self {
        Self::start_with(DeviceApproval::Auto).await
    }

    pub(crate) async fn start_with(device_approval: DeviceApproval) -> Self {
        Self::start_site(|site| site.device_approval = device_approval).await
    }

    pub(crate) async fn start_site(change: impl FnOnce(&mut Site)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        let clock = Arc::<MovedClock>::default();
        let context = init::init(&place, "https://central.example", clock.clone())
            .await
            .unwrap();
        let mut site = Site {
            code: SITE.into(),
            name_kk: "Алматы қан орталығы".into(),
            name_ru: "Алматинский центр крови".into(),
            device_approval: DeviceApproval::Auto,
            time_zone: "Asia/Almaty".into(),
            support_contact: None,
            offline_days: 30,
            read_only_days: 7,
            idle_lock_minutes: 10,
            break_glass: false,
            created_at: context.now(),
        };
        change(&mut site);
        administration::add_site(&context, &site).await.unwrap();
        let config = ServeConfig {
            clock: clock.clone(),
            ..ServeConfig::loopback(place)
        };
        let running = infoblood_server::start(config).await.unwrap();

        let middle = Middle {
            server: Arc::new(Mutex::new(running.url.clone())),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            faults: Arc::default(),
            entries: Arc::default(),
        };
        let (addr, task) = listen(&middle, SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let url = format!("http://{addr}");
        let profile =
            administration::site_profile(&context, SITE, &url, None, Some("reception-1".into()))
                .await
                .unwrap();
        Self {
            clock,
            context,
            profile,
            dir,
            middle,
            addr,
            task,
            running: vec![running],
            backups: Vec::new(),
        }
    }

    /// Enrols a login at the server and returns the one-time code.
    pub(crate) async fn person(&self, login: &str) -> String {
        let issued = administration::add_person(
            &self.context,
            login,
            SITE,
            "Аружан Қасымова",
            Role::Clinician,
        )
        .await
        .unwrap();
        issued.code.display().to_string()
    }

    /// A further code. It adds an act of administration to the log.
    pub(crate) async fn another_code(&self, login: &str) -> String {
        administration::new_code(&self.context, login)
            .await
            .unwrap()
            .code
            .display()
            .to_string()
    }

    pub(crate) async fn seed(&self, donors: u64) {
        load::seed(&self.context, donors, 7, Some(SITE))
            .await
            .unwrap();
    }

    /// The key that signs key sets, kept apart after `init` and read here as its keeper would.
    pub(crate) fn authority(&self) -> SigningKey {
        let text = std::fs::read_to_string(self.dir.path().join("keys/authority")).unwrap();
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).unwrap();
        SigningKey::from_bytes(&seed)
    }

    /// A second entrance with TLS and a certificate that nobody else knows: the profile that leads there, and the server.
    pub(crate) async fn with_tls(&self) -> (SiteProfile, SiteProfile, Running) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (cert, key) = (
            self.dir.path().join("tls.pem"),
            self.dir.path().join("tls.key"),
        );
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = Some(infoblood_server::Tls { cert, key });
        let config = ServeConfig {
            tls,
            ..ServeConfig::loopback(Place::new(self.dir.path()))
        };
        let running = infoblood_server::start(config).await.unwrap();
        let profile = async |pem| {
            administration::site_profile(&self.context, SITE, &running.url, pem, None)
                .await
                .unwrap()
        };
        let (with, without) = (profile(Some(made.cert.pem())).await, profile(None).await);
        (with, without, running)
    }

    /// Copies keys and database.
    pub(crate) async fn back_up(&self) -> Backup {
        use sqlx::{ConnectOptions as _, Connection as _};
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir(copy.path().join("keys")).unwrap();
        for entry in std::fs::read_dir(self.dir.path().join("keys")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(
                entry.path(),
                copy.path().join("keys").join(entry.file_name()),
            )
            .unwrap();
        }
        let mut db = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.dir.path().join("server.db"))
            .connect()
            .await
            .unwrap();
        let to = copy.path().join("server.db");
        sqlx::query("VACUUM INTO ?")
            .bind(to.to_str().unwrap())
            .execute(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
        Backup(copy)
    }

    /// From now on the copy answers in place of the server that went on.
    pub(crate) async fn put_back(&mut self, backup: Backup) {
        let place = Place::new(backup.0.path());
        let running = infoblood_server::start(ServeConfig::loopback(place.clone()))
            .await
            .unwrap();
        (*self.middle.server.lock().unwrap()).clone_from(&running.url);
        self.context = Context::open(&place).await.unwrap();
        self.running.push(running);
        self.backups.push(backup);
    }

    pub(crate) fn fault(&self, path: &'static str, fault: Fault) {
        self.middle.faults.lock().unwrap().push((path, fault));
    }

    pub(crate) fn honest(&self) {
        self.middle.faults.lock().unwrap().clear();
    }

    /// Nobody listens any more.
    pub(crate) async fn unplug(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub(crate) async fn plug(&mut self) {
        (_, self.task) = listen(&self.middle, self.addr).await;
    }

    /// What a phone with a network of its own gets for this address: the frames that its page shows.
    pub(crate) async fn phone(&self, url: &str) -> Vec<String> {
        let (page, question) = url.split_once('#').unwrap();
        assert_eq!(page, format!("http://{}/relay", self.addr));
        let answer = self
            .middle
            .client
            .post(format!("{}/v1/relay", self.middle.server()))
            .header("content-type", "text/plain")
            .body(question.to_owned())
            .send()
            .await
            .unwrap();
        let answer: serde_json::Value =
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let frames = answer["frames"].as_array().unwrap().iter();
        frames
            .map(|frame| frame.as_str().unwrap().to_owned())
            .collect()
    }

    /// How many leaves the log has.
    pub(crate) async fn tree_size(&self) -> u64 {
        let checkpoint: serde_json::Value = serde_json::from_slice(
            &self
                .middle
                .client
                .get(format!("{}/v1/log/checkpoint", self.middle.server()))
                .send()
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap(),
        )
        .unwrap();
        checkpoint["tree_size"].as_u64().unwrap()
    }
}

async fn listen(middle: &Middle, addr: SocketAddr) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = axum::Router::new()
        .fallback(pass)
        .with_state(middle.clone());
    (
        addr,
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }),
    )
}

async fn pass(State(middle): State<Middle>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let fault = {
        let faults = middle.faults.lock().unwrap();
        faults
            .iter()
            .find(|(at, _)| *at == path || *at == "*")
            .map(|(_, fault)| fault.clone())
    };
    if let Some(Fault::Answer(status, kind, body)) = fault {
        return (
            StatusCode::from_u16(status).unwrap(),
            [("content-type", kind)],
            body,
        )
            .into_response();
    }
    if path == "/entries" {
        middle.entries.fetch_add(1, Ordering::SeqCst);
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{}{}", middle.server(), parts.uri.path_and_query().unwrap());
    let mut headers = parts.headers;
    headers.remove("host");
    headers.remove("accept-encoding");
    let answer = middle
        .client
        .request(parts.method, url)
        .headers(headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    let mut headers = answer.headers().clone();
    headers.remove("content-length");
    headers.remove("transfer-encoding");
    let body = answer.bytes().await.unwrap();
    let body = match fault {
        Some(Fault::Silence) => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Body::empty()
        }
        Some(Fault::Change(change)) => Body::from(change(body.to_vec())),
        Some(Fault::Break(at)) => {
            let head = Ok(body.slice(..at.min(body.len())));
            let end = Err(std::io::Error::other("broken"));
            Body::from_stream(futures::stream::iter([head, end]))
        }
        _ => Body::from(body),
    };
    (status, headers, body).into_response()
}

/// A clock that is the machine's, moved by so many seconds; the second number moves the time that passed.
#[derive(Default)]
pub(crate) struct MovedClock(pub(crate) AtomicI64, pub(crate) AtomicI64);

impl Clock for MovedClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests run against a real server's time"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        let moved = self.1.load(Ordering::SeqCst).unsigned_abs();
        SystemClock.elapsed() + Duration::from_secs(moved)
    }
}

impl infoblood_server::clock::Clock for MovedClock {
    fn now(&self) -> i64 {
        Clock::now(self).as_second()
    }
}

/// A keyring in memory.
#[derive(Default)]
pub(crate) struct MemoryKeyring(
    pub(crate) Mutex<Option<Vec<u8>>>,
    pub(crate) Mutex<Option<KeyringError>>,
);

impl Keyring for MemoryKeyring {
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        if let Some(error) = self.1.lock().unwrap().clone() {
            return Err(error);
        }
        Ok(self.0.lock().unwrap().clone().map(Zeroizing::new))
    }

    fn set(&self, item: &[u8]) -> Result<(), KeyringError> {
        if let Some(error) = self.1.lock().unwrap().clone() {
            return Err(error);
        }
        *self.0.lock().unwrap() = Some(item.to_vec());
        Ok(())
    }
}

/// A machine: data directory, keyring and clock outlive the process.
#[derive(Default)]
pub(crate) struct Machine {
    dir: Option<TempDir>,
    pub(crate) keyring: Arc<MemoryKeyring>,
    pub(crate) clock: Arc<MovedClock>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            dir: Some(tempfile::tempdir().unwrap()),
            ..Self::default()
        }
    }

    /// A machine whose data directory is in this folder.
    pub(crate) fn inside(folder: &Path) -> Self {
        Self {
            dir: Some(tempfile::tempdir_in(folder).unwrap()),
            ..Self::default()
        }
    }

    /// Another machine with a copy of this one's files, and a keyring with this item.
    pub(crate) fn copy(&self, item: Option<Vec<u8>>) -> Self {
        let copy = Self::new();
        copy_directory(self.path(), copy.path());
        *copy.keyring.0.lock().unwrap() = item;
        copy
    }

    /// What the keyring holds.
    pub(crate) fn item(&self) -> Option<Vec<u8>> {
        self.keyring.0.lock().unwrap().clone()
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    pub(crate) fn options() -> Options {
        Options {
            deadlines: Deadlines {
                connect: Duration::from_secs(5),
                total: Duration::from_secs(10),
            },
            keyring_deadline: Duration::from_secs(2),
            ..Options::default()
        }
    }

    pub(crate) async fn open(&self, profile: &SiteProfile) -> Workstation {
        self.open_with(profile, Self::options()).await.unwrap()
    }

    pub(crate) async fn open_with(
        &self,
        profile: &SiteProfile,
        options: Options,
    ) -> Result<Workstation, infoblood_client::OpenError> {
        Workstation::open_with(
            self.path(),
            profile,
            self.keyring.clone(),
            self.clock.clone(),
            options,
        )
        .await
    }

    pub(crate) async fn start_anew(&self, profile: &SiteProfile) -> Workstation {
        self.try_start_anew(profile).await.unwrap()
    }

    pub(crate) async fn try_start_anew(
        &self,
        profile: &SiteProfile,
    ) -> Result<Workstation, infoblood_client::OpenError> {
        Workstation::start_anew(
            self.path(),
            profile,
            self.keyring.clone(),
            self.clock.clone(),
            Self::options(),
        )
        .await
    }

    /// The stable code of a refused start.
    pub(crate) async fn refused(&self, profile: &SiteProfile) -> &'static str {
        let opened = self.open_with(profile, Self::options()).await;
        opened.err().unwrap().code()
    }

    /// `workstation.db` as somebody with all keys of the machine sees it.
    pub(crate) async fn by_hand(&self, sql: &str) {
        use sqlx::Connection as _;
        let mut db = self.database().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
    }

    /// One number out of it.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        use sqlx::Connection as _;
        let mut db = self.database().await;
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
        count
    }

    async fn database(&self) -> sqlx::SqliteConnection {
        use sqlx::ConnectOptions as _;
        let item = self.keyring.0.lock().unwrap().clone().unwrap();
        let key = WorkstationKeys::from_item(&item).unwrap().database_key();
        sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.path().join("workstation.db"))
            .pragma("key", format!("\"x'{}'\"", hex::encode(*key)))
            .connect()
            .await
            .unwrap()
    }
}

pub(crate) fn evidence() -> Evidence {
    Evidence {
        document: *infoblood_agreement::document::Document::builtin().digest(),
        opened_at: 1_700_000_000,
        visible_seconds: 61,
        languages_shown: vec![Language::Kk, Language::Ru],
        end_reached: vec![Language::Kk],
    }
}

pub(crate) fn request(login: &str, code: &str) -> EnrolRequest {
    EnrolRequest {
        login: login.into(),
        code: code.into(),
        passphrase: PASSPHRASE.into(),
        evidence: evidence(),
        decision: Decision::Accepted,
    }
}

/// Copies a directory with everything in it.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = {
            let path = entry.unwrap().path();
            (path.clone(), to.join(path.file_name().unwrap()))
        };
        if path.is_dir() {
            copy_directory(&path, &to);
        } else {
            std::fs::copy(path, to).unwrap();
        }
    }
}

/// A workstation where this person is enrolled and registered.
pub(crate) async fn enrolled(
    central: &Central,
    machine: &Machine,
    login: &str,
) -> (Workstation, PersonSession) {
    let code = central.person(login).await;
    let workstation = machine.open(&central.profile).await;
    let pending = workstation.enrol(request(login, &code)).await.unwrap();
    let outcome = sync::run_once(&workstation).await.unwrap();
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.registered, [pending.person_id]);
    (workstation, pending.session)
}
