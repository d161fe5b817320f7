//! The real controller with the real client and a real server in this process; only the window and the keyring are recorders.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use infoblood::{
    controller::{self, Config, Handle, Request, Shell},
    profile::Places,
    view::{
        AppError, Connection, Delivery, DonorFilter, Evidence, Lang, Purpose, QueueKind, Screen,
        State, Taking,
    },
};
use infoblood_agreement::{grant::Role, profile::DeviceApproval};
use infoblood_client::{
    clock::SystemClock,
    keyring::{Keyring, KeyringError, SecretBytes},
};
use infoblood_server::{
    Context, Place, Running, ServeConfig, clock,
    service::{administration, init, load},
    start, storage,
};
use tokio::sync::watch;

mod donations;
mod incomplete;
mod stock;
mod weeks;

const PASSPHRASE: &str = "тоғыз жылқы таудан асты 58";
/// So many that the blood of one of them reached somebody.
const DONORS: u64 = 20;

/// A window that remembers what it was shown.
struct Recorder {
    state: watch::Sender<Option<State>>,
    pages_dropped: AtomicUsize,
}

impl Shell for Recorder {
    fn show(&self, state: &State) {
        self.state.send_replace(Some(state.clone()));
    }

    fn forget_page(&self) {
        self.pages_dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// A keyring in memory that can be made to fail or to hang.
#[derive(Default)]
struct FakeKeyring {
    item: Mutex<Option<Vec<u8>>>,
    trouble: Mutex<Option<KeyringError>>,
    hangs: bool,
}

impl Keyring for FakeKeyring {
    fn get(&self) -> Result<Option<SecretBytes>, KeyringError> {
        if self.hangs {
            std::thread::sleep(Duration::from_mins(1));
        }
        match self.trouble.lock().unwrap().clone() {
            Some(trouble) => Err(trouble),
            None => Ok(self.item.lock().unwrap().clone().map(SecretBytes::new)),
        }
    }

    fn set(&self, item: &[u8]) -> Result<(), KeyringError> {
        *self.item.lock().unwrap() = Some(item.to_vec());
        Ok(())
    }
}

/// A server, its site, and one workstation's places.
struct World {
    dir: tempfile::TempDir,
    place: Place,
    keyring: Arc<FakeKeyring>,
}

impl World {
    async fn new() -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("server"));
        let context = init::init(
            &place,
            "https://test.infoblood.example",
            Arc::new(clock::SystemClock),
        )
        .await
        .unwrap();
        let site = storage::Site {
            code: "KZ001".into(),
            name_kk: "Оқу орталығы".into(),
            name_ru: "Учебный центр".into(),
            device_approval: DeviceApproval::Auto,
            time_zone: "Asia/Almaty".into(),
            support_contact: None,
            offline_days: 30,
            read_only_days: 7,
            idle_lock_minutes: 10,
            break_glass: false,
            created_at: 0,
        };
        administration::add_site(&context, &site).await.unwrap();
        load::seed(&context, DONORS, 1, None).await.unwrap();
        Self {
            dir,
            place,
            keyring: Arc::default(),
        }
    }

    async fn person(&self, login: &str) -> String {
        let context = Context::open(&self.place).await.unwrap();
        let issued =
            administration::add_person(&context, login, "KZ001", "Әлия Серік", Role::Clinician)
                .await
                .unwrap();
        issued.code.display().to_string()
    }

    /// Starts the server, on the same address again if it ran before, and writes the profile.
    async fn serve(&self, again: Option<&str>) -> Running {
        let mut config = ServeConfig::loopback(self.place.clone());
        if let Some(url) = again {
            config.listen = url.trim_start_matches("http://").parse().unwrap();
        }
        let running = start(config).await.unwrap();
        let context = Context::open(&self.place).await.unwrap();
        let profile =
            administration::site_profile(&context, "KZ001", &running.url, None, Some("W1".into()))
                .await
                .unwrap();
        fs::write(self.profile_file(), profile.to_json().unwrap()).unwrap();
        running
    }

    fn profile_file(&self) -> PathBuf {
        self.dir.path().join("profile.json")
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    fn launch(&self) -> App {
        self.launch_with(
            self.keyring.clone(),
            Some(self.profile_file()),
            Duration::from_mins(1),
        )
    }

    fn launch_with(
        &self,
        keyring: Arc<dyn Keyring>,
        flag: Option<PathBuf>,
        idle_minute: Duration,
    ) -> App {
        fs::create_dir_all(self.data_dir()).unwrap();
        let shell = Arc::new(Recorder {
            state: watch::Sender::new(None),
            pages_dropped: AtomicUsize::new(0),
        });
        let config = Config {
            data_dir: self.data_dir(),
            profile: Places {
                flag,
                chosen: self.data_dir().join("site.json"),
                machine: self.dir.path().join("no.json"),
            },
            keyring,
            clock: Arc::new(SystemClock),
            downloads: Some(self.downloads()),
            automation: true,
            idle_minute,
        };
        App {
            handle: controller::spawn(config, shell.clone()),
            shell,
        }
    }
}

/// A running controller, driven as the window does.
struct App {
    handle: Handle,
    shell: Arc<Recorder>,
}

impl App {
    async fn state(&self) -> State {
        self.handle.ask(Request::GetState).await.unwrap()
    }

    /// Waits until the window is shown a state like this.
    async fn shown(&self, what: &str, like: impl Fn(&State) -> bool) -> State {
        let mut states = self.shell.state.subscribe();
        let found = tokio::time::timeout(
            Duration::from_secs(30),
            states.wait_for(|state| state.as_ref().is_some_and(&like)),
        )
        .await;
        let Ok(state) = found else {
            panic!("never {what}: {:?}", self.shell.state.borrow())
        };
        state.unwrap().clone().unwrap()
    }

    async fn accept(&self) -> Result<(), AppError> {
        self.handle
            .ask(|reply| Request::AcceptAgreement {
                evidence: evidence(),
                reply,
            })
            .await
    }

    async fn sign(&self, login: &str, code: &str, passphrase: &str) -> Result<(), AppError> {
        self.handle
            .ask(|reply| Request::Sign {
                login: login.into(),
                code: code.into(),
                passphrase: passphrase.into(),
                reply,
            })
            .await
    }

    async fn sign_in(&self, person_id: &str, passphrase: &str) -> Result<(), AppError> {
        self.handle
            .ask(|reply| Request::SignIn {
                person_id: person_id.into(),
                passphrase: passphrase.into(),
                reply,
            })
            .await
    }

    async fn donors(&self, query: &str) -> Result<infoblood::view::DonorPage, AppError> {
        self.donors_of(query, DonorFilter::default()).await
    }

    async fn donors_of(
        &self,
        query: &str,
        filter: DonorFilter,
    ) -> Result<infoblood::view::DonorPage, AppError> {
        self.handle
            .ask(|reply| Request::SearchDonors {
                query: query.into(),
                filter,
                after: None,
                reply,
            })
            .await
    }

    async fn choose_purpose(&self) {
        let purpose = Purpose::Donation;
        self.handle
            .ask(|reply| Request::ChoosePurpose { purpose, reply })
            .await
            .unwrap();
    }

    async fn close(self) {
        self.handle.close(Duration::from_secs(5)).await;
    }
}

fn evidence() -> Evidence {
    Evidence {
        opened_at: 1_790_000_000,
        visible_seconds: 90,
        languages_shown: vec![Lang::Kk, Lang::Ru],
        end_reached: vec![Lang::Kk],
    }
}

fn is_unlocked(state: &State) -> bool {
    matches!(state.screen, Screen::Unlocked { .. }) && state.data_as_of.is_some()
}

/// When the last event of the access log was acknowledged.
fn sent_at(state: &State) -> Option<String> {
    let queues = &state.sync.as_ref()?.queues;
    let events = queues
        .iter()
        .find(|queue| queue.kind == QueueKind::AuditEvent)?;
    events.last_success.clone()
}

fn is_return(state: &State) -> bool {
    matches!(state.screen, Screen::Return { .. })
}

fn blocked(code: &str) -> impl Fn(&State) -> bool {
    move |state| matches!(&state.screen, Screen::Blocked { error, .. } if error.code == code)
}

fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn from_the_first_launch_to_a_donor_card_and_back_without_a_network() {
    let world = World::new().await;
    let code = world.person("A.Serik").await;
    let server = world.serve(None).await;
    let app = world.launch();
    assert!(matches!(
        app.state().await.screen,
        Screen::Agreement {
            declined: false,
            has_people: false,
            ..
        }
    ));
    assert_eq!(app.donors("").await.unwrap_err().code, "patient-locked");

    app.accept().await.unwrap();
    assert_eq!(
        app.sign("A.Serik", &code, "password1234")
            .await
            .unwrap_err()
            .code,
        "passphrase-weak"
    );
    assert_eq!(
        app.sign("A.Serik", "ABCDE", PASSPHRASE)
            .await
            .unwrap_err()
            .code,
        "code-mistyped"
    );
    app.sign("A.Serik", &code, PASSPHRASE).await.unwrap();
    let state = app.shown("unlocked", is_unlocked).await;
    assert!(state.data_changes > 0);
    let Screen::Unlocked { person } = state.screen else {
        unreachable!()
    };
    assert_eq!(
        (person.login.as_str(), person.name.as_str()),
        ("a.serik", "Әлия Серік")
    );
    assert_eq!(state.connection, Connection::Online);

    let page = app.donors("").await.unwrap();
    assert_eq!(u64::from(page.total), DONORS);
    app.choose_purpose().await;
    let state = app.state().await;
    let Screen::Unlocked { person: chosen } = state.screen else {
        unreachable!()
    };
    assert_eq!(
        (chosen.purpose, chosen.last_purpose),
        (Some(Purpose::Donation), None)
    );
    let id = page.rows[0].id.clone();
    for taking in [Taking::Print, Taking::Copy] {
        let patients = vec![id.clone()];
        app.handle
            .ask(|reply| Request::TakeAway {
                taking,
                patients,
                reply,
            })
            .await
            .unwrap();
    }
    let card = app
        .handle
        .ask(|reply| Request::OpenDonor { id, reply })
        .await
        .unwrap();
    assert_eq!(card.family, page.rows[0].family);
    app.shown("every audit event acknowledged", |state| state.waiting == 0)
        .await;
    let log = app
        .handle
        .ask(|reply| Request::AccessLog { after: None, reply })
        .await
        .unwrap();
    let told: Vec<_> = log.rows.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(
        told[..4],
        [
            "patient-query",
            "patient-read",
            "patient-copy",
            "patient-print"
        ]
    );
    let read = &log.rows[1];
    assert_eq!(read.purpose, Some(Purpose::Donation));
    assert!(
        read.patient_name
            .as_ref()
            .is_some_and(|name| name.contains(&card.family))
    );
    assert_eq!(read.delivery, Delivery::Delivered);

    // A search tells the window nothing at once; what it left goes by itself as soon as nothing more is searched for.
    let sent_before = sent_at(&app.state().await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    app.donors("а").await.unwrap();
    app.shown("the search's event acknowledged", |state| {
        state.waiting == 0 && sent_at(state) > sent_before
    })
    .await;

    // Nor does what is recorded of a list wait for the next minute.
    app.handle
        .ask(|reply| Request::AccessLog { after: None, reply })
        .await
        .unwrap();
    app.shown("what was left is sealed", |state| state.waiting > 0)
        .await;
    app.shown("and acknowledged", |state| state.waiting == 0)
        .await;

    let person_id = person.person_id;
    let saved = app
        .handle
        .ask(|reply| Request::SaveProof {
            person_id: person_id.clone(),
            reply,
        })
        .await
        .unwrap();
    assert!(
        Path::new(&saved.path).exists() && !saved.path.contains("serik"),
        "{}",
        saved.path
    );
    assert_eq!(files(&world.downloads()).len(), 2);

    app.handle.ask(Request::Lock).await.unwrap();
    assert!(is_return(&app.state().await));
    assert_eq!(app.shell.pages_dropped.load(Ordering::SeqCst), 1);
    assert_eq!(app.donors("").await.unwrap_err().code, "patient-locked");
    app.close().await;

    // The next launch, without a network.
    server.shutdown().await;
    let app = world.launch();
    let Screen::Return { people } = app.state().await.screen else {
        panic!("not the list of people")
    };
    assert!(people[0].registered && people[0].login == "a.serik");
    // RFC 3339 in UTC: the later one is the greater one.
    assert!(people[0].offline_until.is_some());
    assert!(people[0].read_only_until > people[0].offline_until);
    assert_eq!(
        app.sign_in(&person_id, "another passphrase 1")
            .await
            .unwrap_err()
            .code,
        "passphrase-wrong"
    );
    app.sign_in(&person_id, PASSPHRASE).await.unwrap();
    assert!(matches!(app.state().await.screen, Screen::Unlocked { .. }));
    assert_eq!(u64::from(app.donors("").await.unwrap().total), DONORS);
    app.close().await;
}

#[tokio::test]
async fn what_waits_goes_on_by_itself_also_after_a_restart() {
    let world = World::new().await;
    let code = world.person("b.omar").await;
    let server = world.serve(None).await;
    let url = server.url.clone();
    server.shutdown().await;

    let app = world.launch();
    app.accept().await.unwrap();
    app.sign("b.omar", &code, PASSPHRASE).await.unwrap();
    let state = app
        .shown("an honest error", |state| {
            matches!(&state.screen, Screen::Registering { progress } if progress.error.as_ref().is_some_and(|error| error.code == "server-unreachable"))
        })
        .await;
    assert_eq!((state.waiting, state.connection), (2, Connection::Offline));
    app.close().await;

    // Started again, still alone; then the connection returns.
    let app = world.launch();
    assert!(matches!(
        app.state().await.screen,
        Screen::Registering { .. }
    ));
    let server = world.serve(Some(&url)).await;
    app.handle.ask(Request::SyncNow).await.unwrap();
    app.shown("registered without anybody", |state| {
        matches!(&state.screen, Screen::Registering { progress } if progress.receipt_verified_at.is_some() && progress.needs_passphrase)
    })
    .await;
    app.handle.ask(Request::BackToPeople).await.unwrap();
    let Screen::Return { people } = app.state().await.screen else {
        panic!("not the list of people")
    };
    app.sign_in(&people[0].person_id, PASSPHRASE).await.unwrap();
    app.shown("unlocked", is_unlocked).await;
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_agreement_waits_for_no_keyring_and_a_hanging_one_is_named() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let hanging = Arc::new(FakeKeyring {
        hangs: true,
        ..FakeKeyring::default()
    });
    let app = world.launch_with(hanging, Some(world.profile_file()), Duration::from_mins(1));
    let started = std::time::Instant::now();
    assert!(matches!(app.state().await.screen, Screen::Agreement { .. }));
    let agreement = app.handle.ask(Request::GetAgreement).await.unwrap();
    assert_eq!(agreement.units.len(), 35);
    app.accept().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
    // Nothing can be signed before the keyring answers.
    assert_eq!(
        app.sign("a", "b", PASSPHRASE).await.unwrap_err().code,
        "keyring-timeout"
    );
    app.shown("blocked", blocked("keyring-timeout")).await;
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_locked_keyring_blocks_until_it_is_open() {
    let world = World::new().await;
    let server = world.serve(None).await;
    *world.keyring.trouble.lock().unwrap() = Some(KeyringError::Locked);
    let app = world.launch();
    app.shown("blocked", blocked("keyring-locked")).await;
    assert!(!world.data_dir().join("workstation.db").exists());
    *world.keyring.trouble.lock().unwrap() = None;
    app.handle.ask(Request::SyncNow).await.unwrap();
    app.shown("the agreement", |state| {
        matches!(state.screen, Screen::Agreement { .. }) && state.connection == Connection::Online
    })
    .await;
    app.close().await;
    // The item is gone, the database is there: never a first run.
    *world.keyring.item.lock().unwrap() = None;
    let app = world.launch();
    app.shown("blocked", blocked("keyring-lost")).await;
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_profile_is_found_by_hand_and_kept() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let app = world.launch_with(world.keyring.clone(), None, Duration::from_mins(1));
    app.shown("blocked", blocked("profile-missing")).await;
    let refused = app
        .handle
        .ask(|reply| Request::UseProfile {
            text: "<html>".into(),
            reply,
        })
        .await;
    assert_eq!(refused.unwrap_err().code, "profile-malformed");
    let text = fs::read_to_string(world.profile_file()).unwrap();
    app.handle
        .ask(|reply| Request::UseProfile {
            text: text.clone(),
            reply,
        })
        .await
        .unwrap();
    app.shown("the site", |state| {
        state.site.as_ref().is_some_and(|site| site.code == "KZ001")
    })
    .await;
    app.close().await;

    // Another server's profile is refused by the store that belongs to the first.
    let stranger = World::new().await;
    let other = stranger.serve(None).await;
    let app = world.launch_with(
        world.keyring.clone(),
        Some(stranger.profile_file()),
        Duration::from_mins(1),
    );
    app.shown("blocked", blocked("profile-other-server")).await;
    app.close().await;
    let app = world.launch_with(world.keyring.clone(), None, Duration::from_mins(1));
    assert!(matches!(app.state().await.screen, Screen::Agreement { .. }));
    let second = world.launch_with(world.keyring.clone(), None, Duration::from_mins(1));
    app.shown("the site", |state| state.site.is_some()).await;
    second.shown("blocked", blocked("already-running")).await;
    second.close().await;
    app.close().await;
    other.shutdown().await;
    server.shutdown().await;
}

#[tokio::test]
async fn declining_is_recorded_and_one_may_come_back() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let app = world.launch();
    app.handle
        .ask(|reply| Request::DeclineAgreement {
            evidence: evidence(),
            reply,
        })
        .await
        .unwrap();
    assert!(matches!(
        app.state().await.screen,
        Screen::Agreement { declined: true, .. }
    ));
    assert_eq!(files(&world.data_dir().join("outbox")).len(), 1);
    app.close().await;
    let app = world.launch();
    assert!(matches!(
        app.state().await.screen,
        Screen::Agreement { declined: true, .. }
    ));
    assert_eq!(
        app.sign("a.serik", "ABCDE", PASSPHRASE)
            .await
            .unwrap_err()
            .code,
        "agreement-required"
    );
    app.accept().await.unwrap();
    assert!(matches!(app.state().await.screen, Screen::Identify { .. }));
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn an_idle_workstation_locks_itself() {
    let world = World::new().await;
    let code = world.person("c.dana").await;
    let server = world.serve(None).await;
    // Ten minutes of the policy last four seconds.
    let app = world.launch_with(
        world.keyring.clone(),
        Some(world.profile_file()),
        Duration::from_millis(400),
    );
    app.state().await;
    app.accept().await.unwrap();
    app.sign("c.dana", &code, PASSPHRASE).await.unwrap();
    app.shown("unlocked", |state| {
        matches!(state.screen, Screen::Unlocked { .. })
    })
    .await;
    // What the page looks for by itself when data change is nobody's act.
    let asked = async {
        loop {
            let _ = app.donors("").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::select! {
        () = asked => {}
        _ = app.shown("locked", is_return) => {}
    }
    assert_eq!(app.shell.pages_dropped.load(Ordering::SeqCst), 1);
    assert_eq!(app.donors("").await.unwrap_err().code, "patient-locked");
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_new_code_is_entered_after_the_session_ended_and_its_page_is_gone() {
    let world = World::new().await;
    let code = world.person("d.erlan").await;
    let server = world.serve(None).await;
    let app = world.launch();
    app.accept().await.unwrap();
    app.sign("d.erlan", &code, PASSPHRASE).await.unwrap();
    app.shown("unlocked", is_unlocked).await;
    app.choose_purpose().await;
    app.handle.ask(Request::OpenAgreement).await.unwrap();
    assert!(matches!(app.state().await.screen, Screen::Agreement { .. }));
    assert_eq!(app.shell.pages_dropped.load(Ordering::SeqCst), 1);
    assert_eq!(app.donors("").await.unwrap_err().code, "patient-locked");

    // Nobody is signed in any more: there is nothing to end.
    app.handle.ask(Request::BackToPeople).await.unwrap();
    app.handle.ask(Request::OpenAgreement).await.unwrap();
    app.handle.ask(Request::BackToPeople).await.unwrap();
    assert_eq!(app.shell.pages_dropped.load(Ordering::SeqCst), 1);
    let Screen::Return { people } = app.state().await.screen else {
        panic!("not the list of people")
    };
    app.sign_in(&people[0].person_id, PASSPHRASE).await.unwrap();
    app.shown("unlocked", is_unlocked).await;
    let log = app
        .handle
        .ask(|reply| Request::AccessLog { after: None, reply })
        .await
        .unwrap();
    let ended = log.rows.iter().filter(|row| row.action == "lock").count();
    assert_eq!(ended, 1, "the end of the session is recorded");
    app.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_language_is_remembered() {
    let world = World::new().await;
    let server = world.serve(None).await;
    let app = world.launch();
    assert_eq!(app.state().await.language, Lang::Kk);
    app.handle
        .ask(|reply| Request::SetLanguage {
            language: Lang::Ru,
            reply,
        })
        .await
        .unwrap();
    app.close().await;
    let app = world.launch();
    assert_eq!(app.state().await.language, Lang::Ru);
    app.close().await;
    server.shutdown().await;
}
