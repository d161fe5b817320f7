//! Lines of the change feed, read and checked: what one transaction applies.

use std::collections::HashMap;

use infoblood_clinical::fhir::Record;

use crate::transport::{FeedLine, parse_line, written_line};

/// What lines say, without what later ones among them override.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) puts: Vec<Record>,
    /// Type and id.
    pub(crate) deletes: Vec<(String, String)>,
    /// Lines that are in effect or overridden.
    pub(crate) applied: u64,
    /// Lines that were no acceptable resource.
    pub(crate) skipped: u64,
    /// Where to resume after the last line.
    pub(crate) cursor: Option<String>,
    /// The page ended: where the next begins, and whether there is more at once.
    pub(crate) end: Option<(String, bool)>,
}

enum Operation {
    Put(Box<Record>),
    Delete(String, String),
}

impl Batch {
    /// Reads lines; what stands after an end line does not count. Takes a while: 2,000 lines are some 20 ms.
    pub(crate) fn read(lines: &[u8]) -> Self {
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
        for operation in operations.into_iter().flatten() {
            match operation {
                Operation::Put(record) => batch.puts.push(*record),
                Operation::Delete(kind, id) => batch.deletes.push((kind, id)),
            }
        }
        batch
    }

    /// Where to resume when this is applied; `None` if it moves nothing.
    pub(crate) fn next_cursor(&self) -> Option<String> {
        let end = self.end.as_ref().map(|(cursor, _)| cursor);
        end.or(self.cursor.as_ref()).cloned()
    }

    fn line(&mut self, line: &[u8]) -> Option<(String, String, Operation)> {
        // The usual layout is read once; anything else, and every failure, goes the careful way.
        if let Some((cursor, resource)) = written_line(line)
            && let Ok(record) = Record::received(resource.as_bytes())
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
                    self.cursor = Some(cursor);
                    None
                }
            },
            FeedLine::Delete { cursor, kind, id } => {
                self.applied += 1;
                self.cursor = Some(cursor);
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
        self.cursor = Some(cursor);
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
        let batch = Batch::read(lines.join("\n").as_bytes());
        assert_eq!((batch.applied, batch.skipped), (3, 2));
        assert!(batch.puts.is_empty() && batch.end.is_none());
        assert_eq!(batch.deletes.len(), 2);
        assert_eq!(batch.cursor.as_deref(), Some("4"));

        let lines = [
            r#"{"cursor":"2","op":"delete","type":"Flag","id":"f"}"#.into(),
            put("5"),
            r#"{"cursor":"6","end":true,"more":true}"#.into(),
            put("7"),
        ];
        let batch = Batch::read(lines.join("\r\n").as_bytes());
        assert_eq!((batch.puts.len(), batch.deletes.len()), (1, 0));
        assert_eq!(batch.puts[0].raw, FLAG);
        assert_eq!(batch.cursor.as_deref(), Some("5"));
        assert_eq!(batch.end, Some(("6".into(), true)));
    }
}
