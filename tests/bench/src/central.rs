//! The whole way: a real server in this process, a registered person, and an empty cache that the change feed fills.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use infoblood_agreement::{document::Document, grant::Role, profile::DeviceApproval};
use infoblood_client::{
    Decision, EnrolRequest, Evidence, Language, Options, PersonSession, UnlockedWorkstation,
    Workstation,
    clock::SystemClock,
    keyring::{Keyring, KeyringError, SecretBytes},
    sync,
};
use infoblood_server::{
    Context, Place, ServeConfig,
    service::{administration, init},
    storage::{
        Database, FeedStorage as _, NewResource, Site, Transaction as _, sqlite::SqliteDatabase,
    },
};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::{
    data::{self, SITE},
    measured::{Line, Result, Times, Watch, memory_now, peak_memory},
};

/// Searches after the filling.
const ASKED: usize = 500;
const PASSPHRASE: &str = "гроза над степью 47 рек";

#[derive(Default)]
struct MemoryKeyring(Mutex<Option<Vec<u8>>>);

impl Keyring for MemoryKeyring {
    fn get(&self) -> std::result::Result<Option<SecretBytes>, KeyringError> {
        let item = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(item.clone().map(Zeroizing::new))
    }

    fn set(&self, item: &[u8]) -> std::result::Result<(), KeyringError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(item.to_vec());
        Ok(())
    }
}

/// Fills an empty cache while somebody searches in it.
pub(crate) async fn fill(records: u64) -> Result<Vec<Line>> {
    // Somebody may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (central, machine) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let place = Place::new(central.path());
    let context = begin(&place).await?;
    let prepared = Instant::now();
    put(&context, records).await?;
    println!(
        "feed: the server took {records} records in {:.0} s",
        prepared.elapsed().as_secs_f64()
    );
    let server = infoblood_server::start(ServeConfig::loopback(place)).await?;
    let (workstation, session) = enrolled(&context, &server.url, &machine).await?;
    let outcome = sync::run_once(&workstation).await?;
    if let Some(error) = outcome.error {
        return Err(error.into());
    }
    let cache = session.unlock(&workstation, true).await?;

    let (memory, watch) = (memory_now(), Watch::start());
    let mut waits = Times::default();
    let refreshed = tokio::select! {
        refreshed = cache.refresh() => refreshed?,
        failed = search_on(&cache, &mut waits) => return Err(failed),
    };
    let (seconds, processor, busiest) = (watch.seconds(), watch.processor(), watch.busiest());
    if refreshed.skipped > 0 {
        return Err(format!("{} records were not acceptable", refreshed.skipped).into());
    }
    let page = cache.search(cache.gate(), "", None, 1).await?;
    println!(
        "feed: {} lines applied, {} donors, {seconds:.1} s, {processor:.1} s of processor, {busiest:.1} s of the busiest thread",
        refreshed.applied, page.total
    );
    let mut asked = Times::default();
    for text in ["қас", "әсел", "850", "к", "нұр ас"]
        .iter()
        .cycle()
        .take(ASKED)
    {
        let started = Instant::now();
        cache.search(cache.gate(), *text, None, 20).await?;
        asked.push(started.elapsed());
    }
    let rate = refreshed.applied as f64 / seconds;
    cache.lock().await?;
    Ok(vec![
        Line::new(
            format!("filling from a local server, {records} records"),
            format!("{rate:.0}/s"),
            if records < 1_000_000 {
                "at least 20,000/s"
            } else {
                "at least 13,000/s"
            },
        ),
        Line::new(
            "its processor time, server and client; the busiest thread",
            format!(
                "{:.1} µs, {:.1} µs a record",
                processor / refreshed.applied as f64 * 1e6,
                busiest / refreshed.applied as f64 * 1e6
            ),
            "",
        ),
        Line::new(
            "a search meanwhile: p50, p99",
            format!(
                "{:.0} ms, {:.0} ms",
                waits.permille(500),
                waits.permille(990)
            ),
            "",
        ),
        Line::new(
            "a search afterwards, its access recorded: p50, p99",
            format!(
                "{:.1} ms, {:.1} ms",
                asked.permille(500),
                asked.permille(990)
            ),
            "with the window at most 50 ms",
        ),
        Line::new(
            "memory before and most",
            format!("{memory} MiB, {} MiB", peak_memory()),
            "flat",
        ),
    ])
}

/// A server with one site.
pub(crate) async fn begin(place: &Place) -> Result<Context<SqliteDatabase>> {
    let clock: Arc<infoblood_server::clock::SystemClock> = Arc::default();
    let context = init::init(place, "https://central.example", clock).await?;
    administration::add_site(&context, &site(&context)).await?;
    Ok(context)
}

/// Searches twice a second, for good; the error that ended it.
async fn search_on(cache: &UnlockedWorkstation, times: &mut Times) -> Box<dyn Error + Send + Sync> {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let started = Instant::now();
        if let Err(error) = cache.search(cache.gate(), "қас", None, 20).await {
            return error.into();
        }
        times.push(started.elapsed());
    }
}

fn site(context: &Context<SqliteDatabase>) -> Site {
    Site {
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
    }
}

async fn put(context: &Context<SqliteDatabase>, records: u64) -> Result {
    let mut left = records;
    let mut number = 0;
    let mut resources = Vec::new();
    for donor in data::donors(records)? {
        for resource in donor.resources.iter().take(usize::try_from(left)?) {
            number += 1;
            resources.push(NewResource {
                kind: resource.resource_type().to_owned(),
                id: resource.id().to_owned(),
                site: SITE.to_owned(),
                safety: resource.is_safety(),
                national: resource.is_safety(),
                body: data::record(resource)?,
            });
        }
        left = records - number;
        if resources.len() > 5_000 || left == 0 {
            let mut transaction = context.database.write().await?;
            transaction.put_resources(&resources).await?;
            transaction.commit().await?;
            resources.clear();
        }
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// Somebody who signed at a new workstation; the server knows nothing of it yet.
pub(crate) async fn enrolled(
    context: &Context<SqliteDatabase>,
    url: &str,
    machine: &TempDir,
) -> Result<(Workstation, PersonSession)> {
    let issued =
        administration::add_person(context, "bench", SITE, "Аружан Қасымова", Role::Clinician)
            .await?;
    let profile = administration::site_profile(context, SITE, url, None, None).await?;
    let workstation = Workstation::open_with(
        machine.path(),
        &profile,
        Arc::<MemoryKeyring>::default(),
        Arc::new(SystemClock),
        Options::default(),
    )
    .await?;
    let pending = workstation
        .enrol(EnrolRequest {
            login: "bench".into(),
            code: issued.code.display().to_string().into(),
            passphrase: PASSPHRASE.into(),
            evidence: Evidence {
                document: *Document::builtin().digest(),
                opened_at: 1_700_000_000,
                visible_seconds: 61,
                languages_shown: vec![Language::Kk, Language::Ru],
                end_reached: vec![Language::Kk],
            },
            decision: Decision::Accepted,
        })
        .await?;
    Ok((workstation, pending.session))
}
