//! Bringing clinical data in: synthetic donors, and FHIR NDJSON files.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use infoblood_clinical::fhir::{FhirDate, MAX_LINE, Record, Resource};
use infoblood_clinical::synthetic;
use jiff::civil::Date;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::context::Context;
use crate::problem::Problem;
use crate::storage::{Database, FeedStorage, NewResource, SiteStorage, Transaction};

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
/// same donors.
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
    let today = jiff::Timestamp::from_second(context.now())
        .map_err(Problem::internal)?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let mut donors = synthetic::donors(ChaCha20Rng::seed_from_u64(seed), today, &codes, count)
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
    /// Storing failed.
    #[error("the resources were not stored")]
    Problem(#[from] Problem),
}

/// Puts the resources of all files into the feed, or of none.
pub async fn import<D: Database>(
    context: &Context<D>,
    files: &[PathBuf],
) -> Result<Loaded, ImportError> {
    let mut tx = context.database.write().await.map_err(Problem::from)?;
    let known = tx.sites().await.map_err(Problem::from)?;
    let today = jiff::Timestamp::from_second(context.now())
        .map_err(Problem::internal)?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let mut loaded = Loaded {
        sources: 0,
        resources: 0,
        sites: Vec::new(),
    };
    for path in files {
        let name = path.display().to_string();
        let unreadable = |source| ImportError::File {
            file: name.clone(),
            source,
        };
        let mut lines = Lines::open(path).map_err(unreadable)?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some((number, line)) = lines.next().map_err(unreadable)? {
            let refused = |code, detail| ImportError::Line {
                file: name.clone(),
                line: number,
                code,
                detail,
            };
            let record = Record::parse_line(line)
                .map_err(|error| refused(error.code(), error.to_string()))?;
            if is_born_later(&record.resource, today) {
                let detail = "somebody is not born yet: Patient.birthDate is after today";
                return Err(refused("birth-in-future", detail.to_owned()));
            }
            let site = match (record.resource.site(), known.as_slice()) {
                (Some(code), known) => known.iter().find(|site| site.code == code),
                (None, [only]) => Some(only),
                (None, _) => None,
            };
            let site = site.ok_or_else(|| {
                refused(
                    "site-unknown",
                    "the resource is tagged with no site that is known here".to_owned(),
                )
            })?;
            if !loaded.sites.contains(&site.code) {
                loaded.sites.push(site.code.clone());
            }
            bytes += record.raw.len();
            batch.push(new_resource(
                &record.resource,
                Some(record.raw),
                &site.code,
            )?);
            loaded.resources += 1;
            if batch.len() >= RESOURCES_AT_ONCE || bytes >= BYTES_AT_ONCE {
                tx.put_resources(&batch).await.map_err(Problem::from)?;
                batch.clear();
                bytes = 0;
            }
        }
        tx.put_resources(&batch).await.map_err(Problem::from)?;
        loaded.sources += 1;
    }
    tx.commit().await.map_err(Problem::from)?;
    Ok(loaded)
}

/// Whether a person's birthday has begun nowhere on earth.
fn is_born_later(resource: &Resource, today: Date) -> bool {
    let Resource::Patient(patient) = resource else {
        return false;
    };
    let birth = patient.birth_date.as_deref().and_then(FhirDate::parse);
    birth.is_some_and(|birth| today.tomorrow().is_ok_and(|last| birth.first > last))
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

/// The lines of a file that are not blank, each within the limit or one byte over it.
struct Lines {
    reader: BufReader<std::fs::File>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            reader: BufReader::new(std::fs::File::open(path)?),
            line: Vec::new(),
            number: 0,
        })
    }

    /// The next line with its number, from 1.
    fn next(&mut self) -> std::io::Result<Option<(u64, &[u8])>> {
        loop {
            self.line.clear();
            let limit = MAX_LINE as u64 + 2;
            if self
                .reader
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut self.line)?
                == 0
            {
                return Ok(None);
            }
            self.number += 1;
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((
                    self.number,
                    self.line.strip_suffix(b"\n").unwrap_or(&self.line),
                )));
            }
        }
    }
}
