//! A file of FHIR resources, read and checked line by line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use infoblood_clinical::fhir::{FhirDate, MAX_LINE, Record, Resource};
use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::{ImportError, new_resource};
use crate::storage::{NewResource, Site};

/// SHA-256 over the lines that were read.
pub(super) type Digest = [u8; 32];

/// What stands in a file, for the sites that are known here.
pub(super) struct Source<'a> {
    file: String,
    lines: Lines,
    sites: &'a [Site],
    today: Date,
    digest: Sha256,
}

impl<'a> Source<'a> {
    pub(super) fn open(path: &Path, sites: &'a [Site], today: Date) -> Result<Self, ImportError> {
        let file = path.display().to_string();
        match Lines::open(path) {
            Ok(lines) => Ok(Self {
                file,
                lines,
                sites,
                today,
                digest: Sha256::new(),
            }),
            Err(source) => Err(ImportError::File { file, source }),
        }
    }

    /// The next resource.
    pub(super) fn next(&mut self) -> Result<Option<NewResource>, ImportError> {
        let file = &self.file;
        let read = self.lines.next().map_err(|source| ImportError::File {
            file: file.clone(),
            source,
        })?;
        let Some((number, line)) = read else {
            return Ok(None);
        };
        self.digest.update(line);
        self.digest.update(b"\n");
        let refused = |code, detail| ImportError::Line {
            file: file.clone(),
            line: number,
            code,
            detail,
        };
        let record =
            Record::parse_line(line).map_err(|error| refused(error.code(), error.to_string()))?;
        if is_born_later(&record.resource, self.today) {
            let detail = "somebody is not born yet: Patient.birthDate is after today";
            return Err(refused("birth-in-future", detail.to_owned()));
        }
        let site = match (record.resource.site(), self.sites) {
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
        Ok(Some(new_resource(
            &record.resource,
            Some(record.raw),
            &site.code,
        )?))
    }

    /// What was read.
    pub(super) fn end(self) -> Digest {
        self.digest.finalize().into()
    }
}

/// Whether a person's birthday has begun nowhere on earth.
fn is_born_later(resource: &Resource, today: Date) -> bool {
    let Resource::Patient(patient) = resource else {
        return false;
    };
    let birth = patient.birth_date.as_deref().and_then(FhirDate::parse);
    birth.is_some_and(|birth| today.tomorrow().is_ok_and(|last| birth.first > last))
}

/// The lines of a file that are not blank, each within the limit or one byte over it.
struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            reader: BufReader::new(File::open(path)?),
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
