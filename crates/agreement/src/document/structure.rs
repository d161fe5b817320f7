//! `structure.json`: which lines of the two texts belong together, and what they are.

use serde::{Deserialize, Serialize};

use super::DocumentError;

/// Most units of one document: comparing two versions takes the square of it.
const MAX_UNITS: usize = 1000;

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    Title,
    Para,
    /// An extract of one law.
    Part,
    Chapter,
    #[serde(rename = "chapter+paragraph")]
    ChapterParagraph,
    Article,
    Point,
    #[serde(rename = "point+list")]
    PointList,
}

impl UnitKind {
    /// Level in the contents list, 1–3; `None` for running text.
    pub const fn heading_level(self) -> Option<u8> {
        match self {
            Self::Title | Self::Part => Some(1),
            Self::Chapter | Self::ChapterParagraph => Some(2),
            Self::Article => Some(3),
            Self::Para | Self::Point | Self::PointList => None,
        }
    }
}

/// What a stretch of a unit's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Text,
    /// The words before a list.
    Lead,
    Item,
    /// The clause that closes the sentence after the last item, as Kazakh has it.
    Tail,
    Chapter,
    Paragraph,
}

/// A stretch of one line, verbatim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    pub role: Role,
    pub text: String,
}

/// One line of a text; its segments put together are the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Number in the language's file, from 1.
    pub number: usize,
    pub segments: Vec<Segment>,
}

impl Line {
    /// The whole line, verbatim.
    pub fn text(&self) -> String {
        self.segments.iter().map(|s| s.text.as_str()).collect()
    }
}

/// A unit of the agreement in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// From 1.
    pub id: u32,
    pub kind: UnitKind,
    pub kk: Vec<Line>,
    pub ru: Vec<Line>,
}

/// A difference between the halves of one unit that a machine can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    pub unit: u32,
    /// `items`: another number of list items; `numbers`: other digits.
    pub kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Structure {
    title: String,
    units: Vec<Unit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    title: String,
    units: Vec<FileUnit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileUnit {
    id: u32,
    kind: UnitKind,
    kk: Vec<FileLine>,
    ru: Vec<FileLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLine {
    /// From 1.
    line: usize,
    /// The role of the whole line, if it has no segments.
    role: Option<Role>,
    /// Role, first code point and end of each segment, from 0.
    segments: Option<Vec<(Role, usize, usize)>>,
}

impl Structure {
    /// Reads the file and resolves it over the texts: every line that is not empty belongs to exactly one unit, in order.
    pub(super) fn parse(json: &str, kk: &str, ru: &str) -> Result<Self, DocumentError> {
        let file: File = serde_json::from_str(json)
            .map_err(|_| DocumentError::Structure("not the expected JSON"))?;
        if file.format != 1 {
            return Err(DocumentError::Structure("an unknown format"));
        }
        if file.units.len() > MAX_UNITS {
            return Err(DocumentError::Structure("more than 1000 units"));
        }
        let (mut kk, mut ru) = (Text::new(kk)?, Text::new(ru)?);
        let mut units = Vec::with_capacity(file.units.len());
        for (unit, id) in file.units.into_iter().zip(1..) {
            let at = |problem| DocumentError::Unit { unit: id, problem };
            if unit.id != id {
                return Err(at("its number does not follow the one before"));
            }
            units.push(Unit {
                id,
                kind: unit.kind,
                kk: kk.resolve(unit.kk).map_err(at)?,
                ru: ru.resolve(unit.ru).map_err(at)?,
            });
        }
        kk.end()?;
        ru.end()?;
        Ok(Self {
            title: file.title,
            units,
        })
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    pub(super) fn mismatches(&self) -> Vec<Mismatch> {
        let mut found = Vec::new();
        for unit in &self.units {
            if items(&unit.kk) != items(&unit.ru) {
                found.push(Mismatch {
                    unit: unit.id,
                    kind: "items",
                });
            }
            if numbers(&unit.kk) != numbers(&unit.ru) {
                found.push(Mismatch {
                    unit: unit.id,
                    kind: "numbers",
                });
            }
        }
        found
    }
}

/// A text whose lines are handed out in order.
struct Text<'a> {
    /// Lines that are not empty, with their numbers.
    left: std::vec::IntoIter<(usize, &'a str)>,
}

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Result<Self, DocumentError> {
        if text.contains('\r') || text.ends_with('\n') {
            return Err(DocumentError::Structure("lines end in other than LF"));
        }
        let lines: Vec<_> = (1..)
            .zip(text.split('\n'))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        Ok(Self {
            left: lines.into_iter(),
        })
    }

    fn resolve(&mut self, lines: Vec<FileLine>) -> Result<Vec<Line>, &'static str> {
        if lines.is_empty() {
            return Err("it has no counterpart in the other language");
        }
        lines
            .into_iter()
            .map(|line| {
                let (number, text) = self
                    .left
                    .next()
                    .filter(|(number, _)| *number == line.line)
                    .ok_or("a line before it belongs to no unit, or its line is not in the text")?;
                Ok(Line {
                    number,
                    segments: cut(text, &line)?,
                })
            })
            .collect()
    }

    fn end(mut self) -> Result<(), DocumentError> {
        match self.left.next() {
            None => Ok(()),
            Some(_) => Err(DocumentError::Structure(
                "a line after the last unit belongs to none",
            )),
        }
    }
}

fn cut(text: &str, line: &FileLine) -> Result<Vec<Segment>, &'static str> {
    let Some(ranges) = &line.segments else {
        return Ok(vec![Segment {
            role: line.role.unwrap_or(Role::Text),
            text: text.to_owned(),
        }]);
    };
    let mut characters = text.chars();
    let mut at = 0;
    let mut segments = Vec::with_capacity(ranges.len());
    for &(role, start, end) in ranges {
        let part: String = characters
            .by_ref()
            .take(end.saturating_sub(start))
            .collect();
        if start != at || part.chars().count() != end.saturating_sub(start) || part.is_empty() {
            return Err("segments do not cover their line");
        }
        at = end;
        segments.push(Segment { role, text: part });
    }
    if line.role.is_some() || characters.next().is_some() {
        return Err("segments do not cover their line");
    }
    Ok(segments)
}

fn items(lines: &[Line]) -> usize {
    lines
        .iter()
        .flat_map(|line| &line.segments)
        .filter(|segment| segment.role == Role::Item)
        .count()
}

/// The numbers written in digits, sorted: languages order them differently.
fn numbers(lines: &[Line]) -> Vec<String> {
    let mut numbers: Vec<String> = lines
        .iter()
        .flat_map(|line| {
            line.text()
                .split(|c: char| !c.is_ascii_digit())
                .filter(|digits| !digits.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    numbers.sort();
    numbers
}
