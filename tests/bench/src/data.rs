//! Records as a centre has them: resources of synthetic donors, each with a narrative, so that one is about 1.2 KB.

use std::fmt::Write as _;

use infoblood_clinical::{
    fhir::Resource,
    synthetic::{self, Donors},
};
use jiff::civil::Date;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::measured::Result;

/// The day that everything is relative to.
pub(crate) const TODAY: Date = jiff::civil::date(2026, 6, 1);
pub(crate) const SITE: &str = "ALM";
/// Bytes of one record.
const SIZE: usize = 1_200;
/// At most so many are in a word of a narrative.
const LONGEST: usize = 32;
/// Words of narratives. In what order they stand in one depends on the resource: a narrative that repeats itself would be shorter in the store
/// than any that is written by people.
const WORDS: &str = "қан орталығының жазбасы донор тексеруден өтті запись центра крови донор обследован нәтижелері қалыпты результаты в \
    пределах нормы шағымдары жоқ жалоб не предъявляет дәрігер қарап шықты осмотрен врачом компонент дайындалды заготовлен компонент \
    келесі келу күні хабарланды дата следующего визита сообщена қысымы тұрақты давление стабильное пульс ритмичный жүрек соғысы \
    бірқалыпты анализ қайталанды исследование повторено зертхана растады подтверждено лабораторией сақтауға берілді передано на хранение";

pub(crate) fn donors(count: u64) -> Result<Donors<ChaCha20Rng>> {
    let random = ChaCha20Rng::seed_from_u64(7);
    Ok(synthetic::donors(random, TODAY, &[SITE.to_owned()], count)?)
}

/// The resource's JSON with a narrative.
pub(crate) fn record(resource: &Resource) -> Result<String> {
    let mut json = resource.to_line()?;
    json.pop();
    json.push_str(
        r#","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">"#,
    );
    let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
    let mut at = resource
        .id()
        .bytes()
        .fold(0, |at, byte| (at * 31 + usize::from(byte)) % 1_009)
        % words.len();
    while json.len() + LONGEST + 9 < SIZE {
        json.push_str(words[at]);
        json.push(' ');
        at = (at * 7 + json.len()) % words.len();
    }
    json.push_str("</div>\"}}");
    Ok(json)
}

/// Batches of feed lines with so many records each.
pub(crate) struct Batches {
    donors: Donors<ChaCha20Rng>,
    waiting: Vec<Resource>,
    only_people: bool,
    left: u64,
    number: u64,
}

impl Batches {
    pub(crate) fn of_records(records: u64) -> Result<Self> {
        Self::new(records, false)
    }

    /// Donors with their groups and deferrals alone: what searches look at.
    pub(crate) fn of_people(records: u64) -> Result<Self> {
        Self::new(records, true)
    }

    fn new(records: u64, only_people: bool) -> Result<Self> {
        Ok(Self {
            donors: donors(records)?,
            waiting: Vec::new(),
            only_people,
            left: records,
            number: 0,
        })
    }

    pub(crate) fn next(&mut self, records: usize) -> Result<Option<String>> {
        let mut lines = String::new();
        for _ in 0..records {
            if self.left == 0 {
                break;
            }
            while self.waiting.is_empty() {
                let Some(donor) = self.donors.next() else {
                    break;
                };
                self.waiting = donor.resources;
                if self.only_people {
                    self.waiting.retain(is_of_person);
                }
                self.waiting.reverse();
            }
            let Some(resource) = self.waiting.pop() else {
                break;
            };
            self.left -= 1;
            self.number += 1;
            writeln!(
                lines,
                "{{\"cursor\":\"{:016x}\",\"op\":\"put\",\"resource\":{}}}",
                self.number,
                record(&resource)?
            )?;
        }
        Ok(Some(lines).filter(|lines| !lines.is_empty()))
    }
}

/// A person, a group or a deferral.
fn is_of_person(resource: &Resource) -> bool {
    match resource {
        Resource::Patient(_) | Resource::Flag(_) => true,
        Resource::Observation(observation) => !observation.blood_groups().is_empty(),
        _ => false,
    }
}
