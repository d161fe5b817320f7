//! Lines of the change feed, read and checked, with all that follows from them alone: what one transaction applies. While the store
//! writes one batch, another is read.

use std::collections::HashMap;

use infoblood_clinical::{
    fhir::{self, Record, Resource},
    names::Sorter,
};

use super::{donations, people::Person, stock, texts::Packer};
use crate::{
    error::StoreError,
    transport::{FeedLine, parse_line, written_line},
};

/// What lines say, without what later ones among them override.
#[derive(Default)]
pub(crate) struct Batch {
    /// Those about one person stand together.
    pub(super) puts: Vec<Put>,
    /// Type and id.
    pub(super) deletes: Vec<(String, String)>,
    /// Whom the puts are about, each once.
    pub(super) people: Vec<Person>,
    /// Components among the puts.
    pub(super) units: Vec<stock::Unit>,
    /// What the puts are found by.
    pub(super) traces: Vec<donations::Trace>,
    /// Lines that are in effect or overridden.
    pub(crate) applied: u64,
    /// Lines that were no acceptable resource.
    pub(crate) skipped: u64,
    /// Of those, the ones before `cursor`.
    skipped_before: u64,
    /// Lines that were no acceptable resource, of batches before this one, with no cursor after them yet.
    skipped_earlier: u64,
    /// Where to resume after the last line.
    pub(crate) cursor: Option<String>,
    /// The page ended: where the next begins, and whether there is more at once.
    pub(crate) end: Option<(String, bool)>,
}

/// A resource to write.
pub(super) struct Put {
    pub(super) kind: &'static str,
    pub(super) id: String,
    /// Whom it is about.
    pub(super) donor: Option<String>,
    /// As [`super::texts`] has it.
    pub(super) text: Vec<u8>,
}

/// Whether an older version goes when its successor is left out: it must not pass for what is known now, as «available» of a component that
/// was recalled. Without the record of a person nothing else about them would be found, their deferrals neither.
fn goes((kind, _): &(String, String)) -> bool {
    kind != "Patient"
}

enum Operation {
    Put(Box<Record>),
    Delete(String, String),
}

impl Batch {
    /// Reads lines; what stands after an end line does not count. Takes a while: 1,000 lines are some 20 ms.
    pub(crate) fn read(lines: &[u8]) -> Result<Self, StoreError> {
        let sorter = Sorter::new().map_err(StoreError::sign)?;
        let mut batch = Self::default();
        let mut operations: Vec<Option<Operation>> = Vec::new();
        let mut latest: HashMap<String, usize> = HashMap::new();
        for line in lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            if line.is_empty() {
                continue;
            }
            let Some((kind, id, operation)) = batch.line(line) else {
                if batch.end.is_some() {
                    break;
                }
                continue;
            };
            if let Some(before) = latest.insert(format!("{kind}/{id}"), operations.len()) {
                operations[before] = None;
            }
            operations.push(Some(operation));
        }
        let mut records = Vec::new();
        for operation in operations.into_iter().flatten() {
            match operation {
                Operation::Put(record) => records.push(*record),
                Operation::Delete(kind, id) => batch.deletes.push((kind, id)),
            }
        }
        batch.take(records, &sorter)?;
        Ok(batch)
    }

    fn take(&mut self, mut records: Vec<Record>, sorter: &Sorter) -> Result<(), StoreError> {
        records.sort_by(|a, b| a.resource.patient_id().cmp(&b.resource.patient_id()));
        let (resources, texts): (Vec<Resource>, Vec<String>) = records
            .into_iter()
            .map(|record| (record.resource, record.raw))
            .unzip();
        self.people = resources
            .chunk_by(|a, b| a.patient_id() == b.patient_id())
            .filter_map(|about| Some(Person::new(about.first()?.patient_id()?, about, sorter)))
            .collect();
        self.units = resources.iter().filter_map(stock::Unit::of).collect();
        self.traces = resources.iter().flat_map(donations::Trace::of).collect();
        let mut packer = Packer::new()?;
        for (resource, json) in resources.iter().zip(texts) {
            self.puts.push(Put {
                kind: resource.resource_type(),
                id: resource.id().to_owned(),
                donor: resource.patient_id().map(str::to_owned),
                text: packer.pack(&json)?,
            });
        }
        Ok(())
    }

    /// Where to resume when this is applied; `None` if it moves nothing.
    pub(crate) fn next_cursor(&self) -> Option<String> {
        let end = self.end.as_ref().map(|(cursor, _)| cursor);
        end.or(self.cursor.as_ref()).cloned()
    }

    /// Lines that are left out for good when this is applied: those before [`Batch::next_cursor`]. Those after it come again if the feed is
    /// cut here.
    pub(crate) fn left_out(&self) -> u64 {
        self.skipped_earlier + self.skipped - self.skipped_after()
    }

    /// Goes on from a batch that had so many skipped lines after its cursor; how many this one has.
    pub(crate) fn continue_from(&mut self, skipped_earlier: u64) -> u64 {
        self.skipped_earlier = skipped_earlier;
        if self.next_cursor().is_some() {
            self.skipped_after()
        } else {
            self.skipped_earlier + self.skipped
        }
    }

    fn skipped_after(&self) -> u64 {
        match self.end {
            Some(_) => 0,
            None => self.skipped - self.skipped_before,
        }
    }

    fn move_to(&mut self, cursor: String) {
        self.cursor = Some(cursor);
        self.skipped_before = self.skipped;
    }

    fn line(&mut self, line: &[u8]) -> Option<(String, String, Operation)> {
        // The usual layout is read once; anything else, and every failure, goes the careful way.
        if let Some((cursor, resource)) = written_line(line)
            && let Ok(record) = Record::received(resource)
        {
            return Some(self.put(cursor.to_owned(), record));
        }
        match parse_line(line) {
            FeedLine::Put { cursor, resource } => match Record::received(resource.as_bytes()) {
                Ok(record) => Some(self.put(cursor, record)),
                Err(error) => {
                    tracing::warn!(
                        code = error.code(),
                        "a resource of the change feed was left out"
                    );
                    self.skipped += 1;
                    self.move_to(cursor);
                    let (kind, id) = fhir::named(resource.as_bytes()).filter(goes)?;
                    Some((kind.clone(), id.clone(), Operation::Delete(kind, id)))
                }
            },
            FeedLine::Delete { cursor, kind, id } => {
                self.applied += 1;
                self.move_to(cursor);
                Some((kind.clone(), id.clone(), Operation::Delete(kind, id)))
            }
            FeedLine::End { cursor, more } => {
                self.end = Some((cursor, more));
                None
            }
            FeedLine::Broken => {
                self.skipped += 1;
                None
            }
        }
    }

    fn put(&mut self, cursor: String, record: Record) -> (String, String, Operation) {
        self.applied += 1;
        self.move_to(cursor);
        let resource = &record.resource;
        (
            resource.resource_type().to_owned(),
            resource.id().to_owned(),
            Operation::Put(Box::new(record)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: &str = r#"{"resourceType":"Flag","id":"f","status":"active","code":{"text":"x"},"subject":{"reference":"Patient/a"},"period":{"start":"2026-01-01"}}"#;

    #[test]
    fn the_last_word_on_a_resource_counts_and_nonsense_is_skipped() {
        let put = |cursor: &str| {
            format!("{{\"cursor\":\"{cursor}\",\"op\":\"put\",\"resource\":{FLAG}}}")
        };
        let lines = [
            put("1"),
            r#"{"cursor":"2","op":"delete","type":"Flag","id":"f"}"#.into(),
            r#"{"cursor":"3","op":"delete","type":"Flag","id":"g"}"#.into(),
            "{broken".into(),
            r#"{"cursor":"4","op":"put","resource":{"resourceType":"Spaceship","id":"x"}}"#.into(),
        ];
        let batch = Batch::read(lines.join("\n").as_bytes()).unwrap();
        assert_eq!((batch.applied, batch.skipped), (3, 2));
        assert!(batch.puts.is_empty() && batch.end.is_none());
        assert_eq!(
            batch.deletes.len(),
            3,
            "whatever an unknown one may have been"
        );
        assert_eq!(batch.cursor.as_deref(), Some("4"));

        let lines = [
            r#"{"cursor":"2","op":"delete","type":"Flag","id":"f"}"#.into(),
            put("5"),
            r#"{"cursor":"6","end":true,"more":true}"#.into(),
            put("7"),
        ];
        let batch = Batch::read(lines.join("\r\n").as_bytes()).unwrap();
        assert_eq!((batch.puts.len(), batch.deletes.len()), (1, 0));
        assert_eq!(batch.puts[0].id, "f");
        assert_eq!(batch.cursor.as_deref(), Some("5"));
        assert_eq!(batch.end, Some(("6".into(), true)));
    }

    #[test]
    fn an_older_version_goes_when_its_successor_is_left_out() {
        let line = |cursor: usize, resource: &str| {
            format!("{{\"cursor\":\"{cursor}\",\"op\":\"put\",\"resource\":{resource}}}\n")
        };
        let unit = r#"{"resourceType":"BiologicallyDerivedProduct","id":"c-1","productCode":{"text":"x"}}"#;
        let impossible = unit.replace("\"id\"", "\"expirationDate\":\"2026-02-30\",\"id\"");
        let person = r#"{"resourceType":"Patient","id":"d-1"}"#;
        let nameless = r#"{"resourceType":"Procedure","id":"p 1"}"#;
        let batch = Batch::read(
            [
                line(1, unit),
                line(2, &impossible),
                line(3, person),
                line(4, nameless),
            ]
            .concat()
            .as_bytes(),
        )
        .unwrap();
        assert_eq!((batch.applied, batch.skipped), (1, 3));
        assert!(batch.puts.is_empty());
        let gone = ("BiologicallyDerivedProduct".to_owned(), "c-1".to_owned());
        assert_eq!(batch.deletes, [gone]);
        // What is readable again counts again.
        let lines = [line(2, &impossible), line(3, unit)].concat();
        let batch = Batch::read(lines.as_bytes()).unwrap();
        assert_eq!((batch.puts.len(), batch.deletes.len()), (1, 0));
    }

    /// However lines are cut into batches, and wherever filling stops and goes on from the last cursor, each is left out once.
    #[test]
    fn every_line_is_left_out_once() {
        let delete = |cursor: usize| {
            format!(
                "{{\"cursor\":\"{cursor}\",\"op\":\"delete\",\"type\":\"Flag\",\"id\":\"f\"}}\n"
            )
        };
        let strange = |cursor: usize| {
            format!("{{\"cursor\":\"{cursor}\",\"op\":\"put\",\"resource\":{{}}}}\n")
        };
        // b: broken; s: with a cursor, but no resource; d: a deletion.
        let kinds = "bbdsbdbbsbdb";
        let lines: Vec<String> = kinds
            .chars()
            .enumerate()
            .map(|(at, kind)| match kind {
                'b' => "{\n".to_owned(),
                's' => strange(at + 1),
                _ => delete(at + 1),
            })
            .collect();
        let end = format!(
            "{{\"cursor\":\"{}\",\"end\":true,\"more\":false}}\n",
            lines.len()
        );
        let bad = kinds.chars().filter(|kind| *kind != 'd').count() as u64;
        for size in 1..=lines.len() {
            for stop in 0..=lines.len() {
                let (mut left_out, mut from) = (0, 0);
                let mut fill = |upto: usize, end: &str| {
                    let mut behind = 0;
                    let rest = [&lines[from..upto], &[end.to_owned()]].concat();
                    for lines in rest.chunks(size) {
                        let mut batch = Batch::read(lines.concat().as_bytes()).unwrap();
                        behind = batch.continue_from(behind);
                        if let Some(cursor) = batch.next_cursor() {
                            left_out += batch.left_out();
                            from = cursor.parse().unwrap();
                        }
                    }
                };
                fill(stop, "");
                fill(lines.len(), &end);
                assert_eq!(left_out, bad, "{size} {stop}");
            }
        }
    }
}
