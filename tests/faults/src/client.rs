//! The client's process without its window: the same store, outbox and synchronisation, doing what people do, and saying on stdout
//! what it told them. The parent kills it, fills its disk and moves its clock.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use infoblood_agreement::document::Document;
use infoblood_agreement::profile::SiteProfile;
use infoblood_client::clock::SystemClock;
use infoblood_client::transport::Deadlines;
use infoblood_client::{
    Decision, EnrolRequest, Evidence, Language, OpenError, Options, Purpose, UnlockError,
    UnlockedWorkstation, Workstation, sync,
};

use crate::Result;
use crate::chance::Chance;
use crate::keyring::FileKeyring;
use crate::report::{self, Invitation};

/// The passphrase of everybody.
const PASSPHRASE: &str = "гроза над степью 47 рек";
/// How long settling may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the parent asks for.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The machine: `keyring`, `site.json` and `people.json` stand here.
    #[arg(long)]
    machine: PathBuf,
    /// The data directory, when it is not `data` in the machine's folder.
    #[arg(long)]
    data: Option<PathBuf>,
    /// What people do is drawn from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of the first record; each record has its own.
    #[arg(long, default_value_t = 1)]
    first: i64,
    /// No network.
    #[arg(long)]
    offline: bool,
    /// Do nothing new: send what waits, and print what is here.
    #[arg(long)]
    settle: bool,
}

/// Runs until it is killed or its stdin ends.
pub(crate) async fn run(arguments: &Arguments) -> Result {
    if arguments.settle {
        settle(arguments).await
    } else {
        work(arguments).await
    }
}

/// Runs what a child process is for.
pub(crate) async fn child(work: impl Future<Output = Result>) -> ExitCode {
    // A parent that ended, however it ended, takes its children along.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match work.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed {}", chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

/// One line to the parent, at once.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

impl Arguments {
    fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| self.machine.join("data"))
    }

    async fn open(&self) -> Result<Workstation> {
        let profile = SiteProfile::parse(&fs::read(self.machine.join("site.json"))?)?;
        let options = Options {
            deadlines: Deadlines {
                connect: Duration::from_secs(2),
                total: Duration::from_secs(5),
            },
            ..Options::default()
        };
        let keyring = Arc::new(FileKeyring::of(&self.machine));
        let clock = Arc::new(SystemClock);
        match Workstation::open_with(&self.data(), &profile, keyring, clock, options).await {
            Ok(workstation) => Ok(workstation),
            Err(error) => {
                let code = error.code();
                if !matches!(error, OpenError::Random(_)) {
                    say(&format!("refused open {code}"));
                }
                Err(format!("open: {code}: {}", chain(&error)).into())
            }
        }
    }
}

/// What people do until the process ends.
async fn work(arguments: &Arguments) -> Result {
    let workstation = arguments.open().await?;
    say("open");
    if !arguments.offline {
        tokio::spawn(send(workstation.clone(), arguments.seed));
    }
    let mut chance = Chance::new(arguments.seed);
    let mut day = Day {
        invitations: invitations(&arguments.machine)?,
        number: arguments.first,
        unlocked: None,
        is_online: !arguments.offline,
        workstation,
    };
    loop {
        day.act(&mut chance).await;
        tokio::time::sleep(chance.millis(0, 25)).await;
    }
}

/// Sends in the background, as the app does, only without its pauses.
async fn send(workstation: Workstation, seed: u64) {
    let mut chance = Chance::new(seed ^ 0x5eed);
    loop {
        let _ = sync::retry_now(&workstation).await;
        match sync::run_once(&workstation).await {
            Ok(outcome) => {
                for person in outcome.registered {
                    say(&format!("told registered {person}"));
                }
            }
            Err(error) => say(&format!("refused sync {}", error.code())),
        }
        tokio::time::sleep(chance.millis(1, 60)).await;
    }
}

fn invitations(machine: &Path) -> Result<Vec<Invitation>> {
    let text = fs::read(machine.join("people.json"))?;
    Ok(serde_json::from_slice(&text)?)
}

struct Day {
    workstation: Workstation,
    invitations: Vec<Invitation>,
    number: i64,
    unlocked: Option<UnlockedWorkstation>,
    is_online: bool,
}

impl Day {
    async fn act(&mut self, chance: &mut Chance) {
        let dice = chance.below(100);
        if dice < 6 {
            self.enrol().await;
        } else if dice < 12 && self.unlocked.is_none() {
            self.unlock().await;
        } else if dice < 55 && self.unlocked.is_some() {
            self.look().await;
        } else {
            self.decline().await;
        }
    }

    /// The next person who is not enrolled yet.
    async fn enrol(&mut self) {
        let people = match self.workstation.people().await {
            Ok(people) => people,
            Err(error) => return say(&format!("refused list {}", error.code())),
        };
        let next = self
            .invitations
            .iter()
            .find(|invitation| people.iter().all(|person| person.login != invitation.login));
        let Some(next) = next else { return };
        let request = request(next, self.number);
        self.number += 1;
        match self.workstation.enrol(request).await {
            Ok(pending) => say(&format!("told accepted {}", pending.statement_id)),
            Err(error) => say(&format!("refused enrol {}", error.code())),
        }
    }

    async fn decline(&mut self) {
        let number = self.number;
        self.number += 1;
        match self.workstation.decline(&evidence(number)).await {
            Ok(()) => say(&format!("told declined {number}")),
            Err(error) => say(&format!("refused decline {}", error.code())),
        }
    }

    /// Somebody who is registered signs in and opens the gate.
    async fn unlock(&mut self) {
        let people = match self.workstation.people().await {
            Ok(people) => people,
            Err(error) => return say(&format!("refused list {}", error.code())),
        };
        let Some(person) = people.into_iter().find(|person| person.is_registered) else {
            return;
        };
        let signed_in = self
            .workstation
            .sign_in(&person.person_id, PASSPHRASE.into());
        let session = match signed_in.await {
            Ok(session) => session,
            Err(error) => return say(&format!("refused sign-in {}", error.code())),
        };
        match session.unlock(&self.workstation, self.is_online).await {
            Ok(unlocked) => {
                if let Err(error) = unlocked.choose_purpose(Purpose::Donation).await {
                    return say(&format!("refused unlock {}", error.code()));
                }
                say("unlocked");
                self.unlocked = Some(unlocked);
            }
            Err(error) => say(&format!("refused unlock {}", error.code())),
        }
    }

    /// A look at a record that no site has: the answer is «no such record», and the audit event is what stays. Its reference carries
    /// the number.
    async fn look(&mut self) {
        let Some(unlocked) = &self.unlocked else {
            return;
        };
        let number = self.number;
        self.number += 1;
        let id = report::record(number);
        match unlocked.card(unlocked.gate(), &id).await {
            Ok(_) | Err(UnlockError::Unknown) => say(&format!("told looked {number}")),
            Err(error) => say(&format!("refused look {}", error.code())),
        }
    }
}

/// What the person of this invitation signs.
pub(crate) fn request(invitation: &Invitation, number: i64) -> EnrolRequest {
    EnrolRequest {
        login: invitation.login.clone(),
        code: invitation.code.clone().into(),
        passphrase: PASSPHRASE.into(),
        evidence: evidence(number),
        decision: Decision::Accepted,
    }
}

fn evidence(number: i64) -> Evidence {
    Evidence {
        document: *Document::builtin().digest(),
        // What tells the records apart: the payload under the signature carries it.
        opened_at: number,
        visible_seconds: 61,
        languages_shown: vec![Language::Kk, Language::Ru],
        end_reached: vec![Language::Kk, Language::Ru],
    }
}

/// Sends until nothing waits, then prints what the store holds.
async fn settle(arguments: &Arguments) -> Result {
    let workstation = arguments.open().await?;
    if !arguments.offline {
        // What the device signed before anybody enrolled waits for the first enrolment.
        if workstation.people().await?.is_empty()
            && let Some(first) = invitations(&arguments.machine)?.into_iter().next()
        {
            workstation.enrol(request(&first, arguments.first)).await?;
        }
        send_all(&workstation).await?;
    }
    workstation.close().await?;
    let keys = FileKeyring::of(&arguments.machine).keys()?;
    let report = report::of_client(&arguments.data(), &keys).await?;
    say(&format!("report {}", serde_json::to_string(&report)?));
    Ok(())
}

async fn send_all(workstation: &Workstation) -> Result {
    let until = Instant::now() + PATIENCE;
    loop {
        sync::retry_now(workstation).await?;
        let outcome = sync::run_once(workstation).await?;
        let waiting = workstation.waiting().await?;
        if waiting == 0 {
            return Ok(());
        }
        if Instant::now() > until {
            let code = outcome.error.unwrap_or_default();
            return Err(format!("{waiting} items still wait: {code}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
