//! Bringing clinical data in: synthetic donors, and FHIR NDJSON files.

use std::path::PathBuf;

use infoblood_clinical::fhir::Resource;
use infoblood_clinical::synthetic;
use jiff::civil::Date;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};

use self::source::{Digest, Source};
use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{Database, FeedStorage, NewResource, Site, SiteStorage, Transaction};

mod source;

/// Donors in one transaction while seeding.
const DONORS_AT_ONCE: usize = 200;
/// Resources handed to the storage at once while importing.
const RESOURCES_AT_ONCE: usize = 1_000;
/// Or as many as hold so much.
const BYTES_AT_ONCE: usize = 16 * 1024 * 1024;

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// How many donors (seed) or files (import).
    pub sources: u64,
    /// How many resources.
    pub resources: u64,
    /// Codes of the sites they went to.
    pub sites: Vec<String>,
}

/// Makes `count` synthetic donors and their recipients from `seed`: at one site, or spread over all. The same call on the same day makes the
/// same donors, and again changes nothing but their places in the feed; a call with another seed, at other sites or on another day makes others,
/// who stand beside them.
pub async fn seed<D: Database>(
    context: &Context<D>,
    count: u64,
    seed: u64,
    site: Option<&str>,
) -> Result<Loaded, Problem> {
    let mut sites = context.database.read().await?.sites().await?;
    if let Some(code) = site {
        sites.retain(|site| site.code == code);
    }
    if sites.is_empty() {
        return Err(Problem::new(
            404,
            "seed-no-site",
            "There is no site to put donors in: run `site add` first.",
        ));
    }
    let codes: Vec<_> = sites.iter().map(|site| site.code.clone()).collect();
    let today = today(context)?;
    let mut donors = synthetic::donors(random(seed, &codes), today, &codes, count)
        .map_err(|error| Problem::malformed(error.code(), error.to_string()))?;

    let mut resources = Vec::new();
    for site in &sites {
        let organization = synthetic::organization(&site.code, &site.name_kk);
        for resource in [organization]
            .into_iter()
            .chain(synthetic::hospitals(&site.code))
        {
            resources.push(new_resource(&resource, None, &site.code)?);
        }
    }
    let mut loaded = Loaded {
        sources: 0,
        resources: 0,
        sites: codes,
    };
    loop {
        for donor in donors.by_ref().take(DONORS_AT_ONCE) {
            for resource in &donor.resources {
                resources.push(new_resource(resource, None, &donor.site)?);
            }
            loaded.sources += 1;
        }
        if resources.is_empty() {
            return Ok(loaded);
        }
        let mut tx = context.database.write().await?;
        tx.put_resources(&resources).await?;
        tx.commit().await?;
        loaded.resources += resources.len() as u64;
        resources.clear();
    }
}

/// A state of the generator that no other run of the day has.
fn random(seed: u64, sites: &[String]) -> ChaCha20Rng {
    let mut hash = Sha256::new_with_prefix("infoblood/synthetic-centre/v1");
    hash.update(seed.to_be_bytes());
    for site in sites {
        hash.update((site.len() as u64).to_be_bytes());
        hash.update(site);
    }
    ChaCha20Rng::from_seed(hash.finalize().into())
}

fn today<D: Database>(context: &Context<D>) -> Result<Date, Problem> {
    Ok(jiff::Timestamp::from_second(context.now())
        .map_err(Problem::internal)?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date())
}

/// Why an import was refused: nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{file} cannot be read")]
    File {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not acceptable.
    #[error("{file}, line {line}: {detail}")]
    Line {
        /// Which file.
        file: String,
        /// From 1.
        line: u64,
        /// Stable code.
        code: &'static str,
        /// A sentence without the line's content.
        detail: String,
    },
    /// What was read while storing is not what was checked before.
    #[error("{file} changed while it was imported")]
    Changed {
        /// Which.
        file: String,
    },
    /// Storing failed.
    #[error("the resources were not stored")]
    Problem(#[from] Problem),
}

/// Puts the resources of all files into the feed, or of none.
pub async fn import<D: Database>(
    context: &Context<D>,
    files: &[PathBuf],
) -> Result<Loaded, ImportError> {
    let mut tx = context.database.read().await.map_err(Problem::from)?;
    let sites = tx.sites().await.map_err(Problem::from)?;
    drop(tx);
    let today = today(context)?;
    let checked = check(files, &sites, today)?;
    store(context, files, &sites, today, &checked).await
}

/// Reads everything once, so that whatever is wrong is found before anybody else's writing waits.
fn check(files: &[PathBuf], sites: &[Site], today: Date) -> Result<Vec<Digest>, ImportError> {
    let read = |path: &PathBuf| {
        let mut source = Source::open(path, sites, today)?;
        while source.next()?.is_some() {}
        Ok::<_, ImportError>(source.end())
    };
    files.iter().map(read).collect()
}

/// Reads everything again, and writes it in one transaction.
async fn store<D: Database>(
    context: &Context<D>,
    files: &[PathBuf],
    sites: &[Site],
    today: Date,
    checked: &[Digest],
) -> Result<Loaded, ImportError> {
    let mut tx = context.database.write().await.map_err(Problem::from)?;
    let mut loaded = Loaded {
        sources: 0,
        resources: 0,
        sites: Vec::new(),
    };
    for (path, checked) in files.iter().zip(checked) {
        let mut source = Source::open(path, sites, today)?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(resource) = source.next()? {
            if !loaded.sites.contains(&resource.site) {
                loaded.sites.push(resource.site.clone());
            }
            bytes += resource.body.len();
            batch.push(resource);
            loaded.resources += 1;
            if batch.len() >= RESOURCES_AT_ONCE || bytes >= BYTES_AT_ONCE {
                tx.put_resources(&batch).await.map_err(Problem::from)?;
                batch.clear();
                bytes = 0;
            }
        }
        tx.put_resources(&batch).await.map_err(Problem::from)?;
        if source.end() != *checked {
            let file = path.display().to_string();
            return Err(ImportError::Changed { file });
        }
        loaded.sources += 1;
    }
    tx.commit().await.map_err(Problem::from)?;
    Ok(loaded)
}

fn new_resource(
    resource: &Resource,
    raw: Option<String>,
    site: &str,
) -> Result<NewResource, Problem> {
    let body = match raw {
        // Between the tokens of one line of JSON only spaces can stand, except a stray carriage return.
        Some(raw) => raw.replace('\r', " "),
        None => resource.to_line().map_err(Problem::internal)?,
    };
    Ok(NewResource {
        kind: resource.resource_type().to_owned(),
        id: resource.id().to_owned(),
        site: site.to_owned(),
        safety: resource.is_safety(),
        // A deferral counts wherever the donor turns up, a recall wherever the component is: they are the national list.
        national: resource.is_safety(),
        body,
    })
}

#[cfg(test)]
#[path = "load/tests.rs"]
mod tests;
