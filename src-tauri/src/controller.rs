//! The one owner of all state behind the window. Everything else sends it messages: commands, the sync loop, the unlocking of a
//! person's cache, the clock. Each message is handled to its end before the next.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use infoblood_agreement::{document::Document, profile::SiteProfile};
use infoblood_client::{
    Decision, PersonSession, Workstation, clock::Clock, keyring::Keyring, relay::Collector,
};
use secrecy::SecretString;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    profile::Places,
    view::{
        self, AccessPage, AgreementView, AppError, CodeCheck, Connection, DonationCard, DonorCard,
        DonorFilter, DonorPage, Evidence, FileTaken, FramesTaken, Inventory, InventoryFilter, Lang,
        Lookback, PassphraseCheck, Purpose, QrCode, RecipientCard, RecipientPage, SavedPack,
        SavedProof, Scan, Taking,
    },
};

mod access;
mod agreement;
mod courier;
mod donations;
mod enrol;
mod failure;
mod language;
mod patients;
mod proof;
mod relay;
mod screen;
mod session;
mod start;
mod stock;
mod sync;
mod terms;

use failure::{internal, named};
use session::OpenCache;
use sync::Syncer;
use terms::Known;

/// Messages that may wait while one is handled.
const QUEUE: usize = 64;
/// How often idle time and due attempts are looked at.
const TICK: Duration = Duration::from_secs(1);

/// How often the state is looked at when nothing happens: time alone ends leases and brings terms into force.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What was sealed is sent so much later; what searches left, when nothing was searched for so long, so that it is not in the way of the
/// next key.
const SETTLED: Duration = Duration::from_secs(1);

/// What the controller does to the window.
pub trait Shell: Send + Sync + 'static {
    /// Tells the window the new state.
    fn show(&self, state: &view::State);
    /// Drops the page with everything it holds and loads it anew.
    fn forget_page(&self);
}

/// What a controller is given.
pub struct Config {
    /// The workstation's data directory; it exists.
    pub data_dir: PathBuf,
    /// Where site profiles may stand.
    pub profile: Places,
    /// The workstation's keyring item.
    pub keyring: Arc<dyn Keyring>,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where saved proofs go.
    pub downloads: Option<PathBuf>,
    /// Whether a WebDriver drives the window.
    pub automation: bool,
    /// How long a minute of the idle policy lasts; shorter only in tests.
    pub idle_minute: Duration,
}

/// The way back to whoever asked.
pub type Reply<T> = oneshot::Sender<Result<T, AppError>>;

/// What the window may ask; the words are those of `commands.rs`.
pub enum Request {
    GetState(Reply<view::State>),
    SetLanguage {
        language: Lang,
        reply: Reply<()>,
    },
    GetAgreement(Reply<AgreementView>),
    AcceptAgreement {
        evidence: Evidence,
        reply: Reply<()>,
    },
    DeclineAgreement {
        evidence: Evidence,
        reply: Reply<()>,
    },
    OpenAgreement(Reply<()>),
    BackToPeople(Reply<()>),
    CheckCode {
        code: SecretString,
        reply: Reply<CodeCheck>,
    },
    CheckPassphrase {
        login: String,
        passphrase: SecretString,
        reply: Reply<PassphraseCheck>,
    },
    Sign {
        login: String,
        code: SecretString,
        passphrase: SecretString,
        reply: Reply<()>,
    },
    SyncNow(Reply<()>),
    SaveProof {
        person_id: String,
        reply: Reply<SavedProof>,
    },
    SignIn {
        person_id: String,
        passphrase: SecretString,
        reply: Reply<()>,
    },
    Lock(Reply<()>),
    Touch(Reply<()>),
    UseProfile {
        text: String,
        reply: Reply<()>,
    },
    SearchDonors {
        query: String,
        filter: DonorFilter,
        after: Option<String>,
        reply: Reply<DonorPage>,
    },
    OpenDonor {
        id: String,
        reply: Reply<DonorCard>,
    },
    OpenDonation {
        din: String,
        reply: Reply<DonationCard>,
    },
    Lookback {
        din: String,
        reply: Reply<Lookback>,
    },
    Inventory {
        filter: InventoryFilter,
        reply: Reply<Inventory>,
    },
    SearchRecipients {
        query: String,
        after: Option<String>,
        reply: Reply<RecipientPage>,
    },
    OpenRecipient {
        id: String,
        reply: Reply<RecipientCard>,
    },
    ReadScan {
        text: String,
        reply: Reply<Scan>,
    },
    ChoosePurpose {
        purpose: Purpose,
        reply: Reply<()>,
    },
    AccessLog {
        after: Option<String>,
        reply: Reply<AccessPage>,
    },
    TakeAway {
        taking: Taking,
        patients: Vec<String>,
        reply: Reply<()>,
    },
    StartAnew(Reply<()>),
    BreakGlass {
        reason: String,
        reply: Reply<()>,
    },
    ShowQr {
        person_id: String,
        reply: Reply<QrCode>,
    },
    RelayFrame {
        text: String,
        reply: Reply<FramesTaken>,
    },
    RetryItem {
        id: String,
        reply: Reply<()>,
    },
    AcceptAgain {
        evidence: Evidence,
        passphrase: SecretString,
        reply: Reply<()>,
    },
    DeclineAgain {
        evidence: Evidence,
        passphrase: SecretString,
        reply: Reply<()>,
    },
    ChangePassphrase {
        person_id: String,
        old: SecretString,
        new: SecretString,
        reply: Reply<()>,
    },
    CourierExport(Reply<SavedPack>),
    UploadBegin(Reply<()>),
    UploadPiece {
        bytes: Vec<u8>,
        reply: Reply<()>,
    },
    UploadEnd(Reply<FileTaken>),
    UploadCancel(Reply<()>),
}

/// Everything the controller reacts to.
enum Event {
    Request(Request),
    Opened(Box<start::Opened>),
    Synced(sync::Outcome),
    Unlocked(Box<session::UnlockDone>),
    Refreshed(session::RefreshDone),
    Read(Box<courier::ReadDone>),
    Close(oneshot::Sender<()>),
}

/// When the window is told what an event may have changed.
enum Telling {
    Now,
    /// When nothing was searched for a moment ([`SETTLED`]).
    Settled,
    /// It changed nothing.
    Never,
}

/// Sends requests to the controller.
#[derive(Clone)]
pub struct Handle {
    events: mpsc::Sender<Event>,
}

impl Handle {
    /// Sends one request and waits for its answer.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, AppError> {
        let (reply, answer) = oneshot::channel();
        self.events
            .send(Event::Request(request(reply)))
            .await
            .map_err(|_| internal())?;
        answer.await.map_err(|_| internal())?
    }

    /// Locks, closes the databases and ends the controller; gives up after `deadline`.
    pub async fn close(&self, deadline: Duration) {
        let (done, closed) = oneshot::channel();
        let close = async {
            if self.events.send(Event::Close(done)).await.is_ok() {
                // Ended without a word is ended, too.
                let _ = closed.await;
            }
        };
        if tokio::time::timeout(deadline, close).await.is_err() {
            tracing::warn!("the controller did not end in time");
        }
    }
}

/// Starts the controller on the current runtime. The first launch shows the agreement before anything slow has happened.
pub fn spawn(config: Config, shell: Arc<dyn Shell>) -> Handle {
    let (events, inbox) = mpsc::channel(QUEUE);
    let controller = Controller::new(config, shell, events.clone());
    tokio::spawn(controller.run(inbox));
    Handle { events }
}

/// What is open of the workstation.
enum Store {
    /// Profile, keyring and database are being opened.
    Opening,
    Open(Workstation),
    /// The reason stands on the screen.
    Failed,
}

/// Where the person is.
enum Phase {
    /// A later launch, before the store is open: there is nothing to show yet.
    Starting,
    Blocked(AppError),
    /// The server took this workstation's right back; what is sealed is still sent.
    Revoked,
    /// Somebody new, or somebody known who has to accept a newer version.
    Agreement(Option<Known>),
    Identify(Evidence),
    Registering(Box<Registering>),
    Return,
    Unlocked(Box<OpenCache>),
}

/// A first launch shows the agreement at once; a later one waits for the store.
fn launch_phase(data_dir: &Path) -> Phase {
    if data_dir.join("workstation.db").exists() {
        Phase::Starting
    } else {
        Phase::Agreement(None)
    }
}

/// Signed, on the way to the first unlocking.
struct Registering {
    person_id: String,
    /// The person's open keys; `None` after a restart.
    session: Option<PersonSession>,
    unlocking: bool,
    /// What the last attempt to unlock ended with.
    trouble: Option<AppError>,
    /// When to try unlocking again.
    again_at: Instant,
}

struct Controller {
    config: Config,
    shell: Arc<dyn Shell>,
    events: mpsc::Sender<Event>,
    /// The version that the window shows, or was given last.
    document: Arc<Document>,
    language: Lang,
    profile: Option<SiteProfile>,
    store: Store,
    phase: Phase,
    /// Requests that need the store, while it is being opened.
    waiting_for_store: Vec<Request>,
    syncer: Option<Syncer>,
    /// Opening and unlocking under way.
    tasks: JoinSet<()>,
    connection: Connection,
    /// When the task that synchronises goes on by itself.
    next_round: Option<jiff::Timestamp>,
    last_touch: Instant,
    /// Attempts to open a cache so far; an older one that ends late is told by its number.
    openings: u64,
    /// Frames of an answer that came through a phone.
    frames: Collector,
    /// A chosen file on its way in.
    upload: Option<courier::Upload>,
    /// A chosen file that is being read, and how many there were.
    reading: Option<courier::Reading>,
    readings: u64,
    shown: Option<view::State>,
}

impl Controller {
    fn new(config: Config, shell: Arc<dyn Shell>, events: mpsc::Sender<Event>) -> Self {
        Self {
            phase: launch_phase(&config.data_dir),
            language: language::load(&config.data_dir),
            config,
            shell,
            events,
            document: Arc::new(Document::builtin().clone()),
            profile: None,
            store: Store::Opening,
            waiting_for_store: Vec::new(),
            syncer: None,
            tasks: JoinSet::new(),
            connection: Connection::Unknown,
            next_round: None,
            last_touch: Instant::now(),
            openings: 0,
            frames: Collector::default(),
            upload: None,
            reading: None,
            readings: 0,
            shown: None,
        }
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Event>) {
        self.open_store();
        let mut looked = Instant::now();
        let mut settled_at: Option<Instant> = None;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let mut is_asked = false;
            tokio::select! {
                event = inbox.recv() => match event {
                    Some(Event::Close(done)) => {
                        self.close().await;
                        // What was just opened and not yet seen holds the store, too.
                        inbox.close();
                        while inbox.try_recv().is_ok() {}
                        // Nobody waits any more when the deadline has passed.
                        let _ = done.send(());
                        return;
                    }
                    Some(event) => {
                        is_asked = matches!(event, Event::Request(_));
                        match self.handle(event).await {
                            Telling::Now => {}
                            Telling::Settled => {
                                settled_at = Some(Instant::now() + SETTLED);
                                continue;
                            }
                            Telling::Never => continue,
                        }
                    }
                    None => return,
                },
                () = sleep_until(settled_at.unwrap_or(looked)), if settled_at.is_some() => {
                    settled_at = None;
                    // The end of the round is told.
                    if self.send_if_online() {
                        continue;
                    }
                }
                _ = tick.tick() => {
                    if !self.tick().await && looked.elapsed() < LOOK_EVERY {
                        continue;
                    }
                }
            }
            looked = Instant::now();
            self.show().await;
            if is_asked && self.has_fresh() {
                settled_at.get_or_insert(looked + SETTLED);
            }
        }
    }

    async fn handle(&mut self, event: Event) -> Telling {
        match event {
            Event::Request(request) => return self.request(request).await,
            Event::Opened(opened) => self.opened(*opened).await,
            Event::Synced(outcome) => self.synced(outcome).await,
            Event::Unlocked(done) => self.unlocked(*done).await,
            Event::Refreshed(done) => self.refreshed(done).await,
            Event::Read(done) => self.read_done(*done).await,
            Event::Close(_) => {}
        }
        Telling::Now
    }

    /// Answers one request. A reply nobody waits for (the page was reloaded) is dropped.
    async fn request(&mut self, request: Request) -> Telling {
        if matches!(self.store, Store::Opening) && self.needs_store(&request) {
            self.waiting_for_store.push(request);
            return Telling::Now;
        }
        // What the page asks by itself, when data change or a file is read, is nobody's act.
        let by_itself = matches!(
            request,
            Request::GetState(_)
                | Request::SearchDonors { .. }
                | Request::SearchRecipients { .. }
                | Request::Inventory { .. }
                | Request::UploadPiece { .. }
        );
        if !by_itself {
            self.last_touch = Instant::now();
        }
        match request {
            Request::GetState(reply) => drop(reply.send(self.state().await)),
            Request::SetLanguage { language, reply } => {
                drop(reply.send(self.set_language(language)));
            }
            Request::GetAgreement(reply) => drop(reply.send(self.agreement().await)),
            Request::AcceptAgreement { evidence, reply } => drop(reply.send(self.accept(evidence))),
            Request::DeclineAgreement { evidence, reply } => {
                drop(reply.send(self.decline(&evidence).await));
            }
            Request::OpenAgreement(reply) => drop(reply.send(self.open_agreement().await)),
            Request::BackToPeople(reply) => drop(reply.send(self.back_to_people().await)),
            Request::CheckCode { code, reply } => drop(reply.send(Ok(enrol::check_code(&code)))),
            Request::CheckPassphrase {
                login,
                passphrase,
                reply,
            } => {
                drop(reply.send(Ok(enrol::check_passphrase(&login, &passphrase))));
            }
            Request::Sign {
                login,
                code,
                passphrase,
                reply,
            } => drop(reply.send(self.sign(login, code, passphrase).await)),
            Request::SyncNow(reply) => drop(reply.send(self.sync_now().await)),
            Request::SaveProof { person_id, reply } => {
                drop(reply.send(self.save_proof(&person_id).await));
            }
            Request::SignIn {
                person_id,
                passphrase,
                reply,
            } => self.sign_in(&person_id, passphrase, reply).await,
            Request::Lock(reply) => drop(reply.send(self.lock().await)),
            Request::Touch(reply) => {
                drop(reply.send(Ok(())));
                return Telling::Never;
            }
            Request::UseProfile { text, reply } => drop(reply.send(self.use_profile(&text))),
            Request::SearchDonors {
                query,
                filter,
                after,
                reply,
            } => {
                let page = self.search(query, filter, after).await;
                return answer_search(reply, page);
            }
            Request::OpenDonor { id, reply } => drop(reply.send(self.open_donor(&id).await)),
            Request::OpenDonation { din, reply } => {
                drop(reply.send(self.open_donation(&din).await));
            }
            Request::Lookback { din, reply } => drop(reply.send(self.lookback(&din).await)),
            Request::Inventory { filter, reply } => drop(reply.send(self.inventory(filter).await)),
            Request::SearchRecipients {
                query,
                after,
                reply,
            } => {
                let page = self.search_recipients(&query, after).await;
                return answer_search(reply, page);
            }
            Request::OpenRecipient { id, reply } => {
                drop(reply.send(self.open_recipient(&id).await));
            }
            Request::ReadScan { text, reply } => drop(reply.send(self.read_scan(&text).await)),
            Request::ChoosePurpose { purpose, reply } => {
                drop(reply.send(self.choose_purpose(purpose).await));
            }
            Request::AccessLog { after, reply } => {
                drop(reply.send(self.access_log(after.as_deref()).await));
            }
            Request::TakeAway {
                taking,
                patients,
                reply,
            } => drop(reply.send(self.take_away(taking, &patients).await)),
            Request::StartAnew(reply) => drop(reply.send(self.start_anew().await)),
            Request::BreakGlass { reason, reply } => {
                drop(reply.send(self.break_glass(&reason).await));
            }
            Request::ShowQr { person_id, reply } => {
                drop(reply.send(self.show_qr(&person_id).await));
            }
            Request::RelayFrame { text, reply } => {
                drop(reply.send(self.relay_frame(&text).await));
            }
            Request::RetryItem { id, reply } => drop(reply.send(self.retry_item(&id).await)),
            Request::AcceptAgain {
                evidence,
                passphrase,
                reply,
            } => {
                let accepted = Decision::Accepted;
                drop(reply.send(self.decide_again(accepted, &evidence, passphrase).await));
            }
            Request::DeclineAgain {
                evidence,
                passphrase,
                reply,
            } => {
                let declined = Decision::Declined;
                drop(reply.send(self.decide_again(declined, &evidence, passphrase).await));
            }
            Request::ChangePassphrase {
                person_id,
                old,
                new,
                reply,
            } => drop(reply.send(self.change_passphrase(&person_id, old, new).await)),
            Request::CourierExport(reply) => drop(reply.send(self.courier_export().await)),
            Request::UploadBegin(reply) => drop(reply.send(self.upload_begin().await)),
            Request::UploadPiece { bytes, reply } => {
                drop(reply.send(self.upload_piece(&bytes).await));
            }
            Request::UploadEnd(reply) => self.upload_end(reply).await,
            Request::UploadCancel(reply) => drop(reply.send(self.upload_cancel().await)),
        }
        Telling::Now
    }

    /// Whether a request has to wait for the store. On a first launch the agreement does not.
    fn needs_store(&self, request: &Request) -> bool {
        match request {
            Request::GetState(_) => matches!(self.phase, Phase::Starting),
            Request::SetLanguage { .. }
            | Request::GetAgreement(_)
            | Request::AcceptAgreement { .. }
            | Request::CheckCode { .. }
            | Request::CheckPassphrase { .. }
            | Request::Touch(_) => false,
            _ => true,
        }
    }

    /// Idle lock and due attempts; true when something may have changed.
    async fn tick(&mut self) -> bool {
        match &self.phase {
            Phase::Unlocked(_) if self.last_touch.elapsed() >= self.idle_limit() => {
                if let Err(error) = self.lock().await {
                    tracing::error!(code = error.code, "the idle lock failed");
                }
                true
            }
            Phase::Registering(registering) if registering.again_at <= Instant::now() => {
                self.unlock_if_registered().await
            }
            Phase::Unlocked(_) => {
                self.refresh_if_due();
                self.reading().is_some() || self.is_told_too_fresh()
            }
            _ => self.reading.is_some(),
        }
    }

    fn idle_minutes(&self) -> u32 {
        self.profile
            .as_ref()
            .map_or(10, |profile| u32::from(profile.policy().idle_lock_minutes))
    }

    fn idle_limit(&self) -> Duration {
        self.config.idle_minute * self.idle_minutes()
    }

    fn workstation(&self) -> Result<&Workstation, AppError> {
        match &self.store {
            Store::Open(workstation) => Ok(workstation),
            Store::Opening | Store::Failed => Err(match &self.phase {
                Phase::Blocked(error) => error.clone(),
                _ => internal(),
            }),
        }
    }

    /// While something blocks the workstation, that is the answer to every act.
    fn unblocked(&self) -> Result<(), AppError> {
        match &self.phase {
            Phase::Blocked(error) => Err(error.clone()),
            Phase::Revoked => Err(named("device-revoked")),
            _ => Ok(()),
        }
    }

    /// Runs `work` beside the controller, until it closes.
    fn beside(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(work);
    }

    async fn close(&mut self) {
        self.tasks.shutdown().await;
        if let Some(syncer) = self.syncer.take() {
            syncer.stop().await;
        }
        self.end_session().await;
        self.store = Store::Failed;
    }
}

/// Answers a search. One that went well left an event of the access log, and nothing else.
fn answer_search<T>(reply: Reply<T>, page: Result<T, AppError>) -> Telling {
    let telling = if page.is_ok() {
        Telling::Settled
    } else {
        Telling::Now
    };
    drop(reply.send(page));
    telling
}
