//! What packs say. A record is a CBOR array whose first item names it; an unknown one makes the pack malformed.

use crate::cbor::{CborError, Fields, Value};

use super::PackId;

/// Who asks, and for what. The first record of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// The site by the workstation's profile.
    pub site: String,
    /// The device's X25519 key, to which the answer is sealed.
    pub device_x25519: [u8; 32],
    /// Local time, Unix seconds.
    pub created_at: i64,
    /// The answer repeats it.
    pub nonce: [u8; 16],
    /// Version of the newest key set that is known.
    pub key_set_version: u64,
    /// Version of the newest document that is known.
    pub document_version: u64,
    /// Where the change feed goes on; `None` from the beginning.
    pub safety_cursor: Option<String>,
    /// The same for the stream of everything.
    pub all_cursor: Option<String>,
    /// Whose grants are asked for: 32 hex digits each.
    pub people: Vec<String>,
}

/// A record of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestRecord {
    Head(RequestHead),
    /// One file of the outbox as it is.
    Item {
        /// 64 hex digits.
        id: String,
        sealed: Vec<u8>,
    },
}

/// The two streams of the change feed, in the order in which they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Safety,
    All,
}

impl Stream {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::All => "all",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Safety, Self::All]
            .into_iter()
            .find(|stream| stream.as_str() == name)
    }
}

/// What the server knows of the device that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody is enrolled on it.
    Unknown,
    Pending,
    Approved,
    Revoked,
}

impl DeviceState {
    const ALL: [Self; 4] = [Self::Unknown, Self::Pending, Self::Approved, Self::Revoked];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Revoked => "revoked",
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemState {
    /// Kept now, or was there already: it may be deleted. A statement's receipt is a record of its own.
    Stored,
    /// Will never be taken in this form.
    Rejected { code: String },
    /// Could not be taken this time.
    Later { code: String },
}

/// Whom and what an answer is for. The first record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// 32 hex digits.
    pub device_id: String,
    pub site: String,
    /// The request's.
    pub nonce: [u8; 16],
    /// Grows with every answer to this device: an older answer never follows a newer one.
    pub counter: u64,
    /// The server's clock, Unix seconds.
    pub time: i64,
    pub device: DeviceState,
    /// The request's pack.
    pub request: PackId,
}

/// A stretch of the change feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub stream: Stream,
    /// Whether what was there before must be dropped: the request's cursor was too old.
    pub from_start: bool,
    /// Lines as of `GET /v1/changes`, without the end line.
    pub lines: Vec<u8>,
    /// Where the stream stands after them.
    pub cursor: String,
    /// Whether the stream ends here for this answer.
    pub is_end: bool,
}

/// A record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerRecord {
    Head(AnswerHead),
    /// The receipt of a statement, by its item's id.
    Receipt {
        id: String,
        receipt: Vec<u8>,
    },
    Item {
        id: String,
        state: ItemState,
    },
    Document {
        message: Vec<u8>,
        kk: String,
        ru: String,
        structure: String,
    },
    /// A person's grant, sealed to that person.
    Grant {
        person_id: String,
        name: String,
        role: String,
        grant: Vec<u8>,
    },
    /// No grant for this person, and why: a code of `POST /v1/grants`.
    NoGrant {
        person_id: String,
        code: String,
    },
    /// Patient data: only in chunks that need the share.
    Change(Change),
}

impl RequestRecord {
    pub(super) fn encode(self) -> Value {
        match self {
            Self::Head(head) => named(
                "head",
                [
                    (1, head.site.into()),
                    (2, head.device_x25519.into()),
                    (3, head.created_at.into()),
                    (4, head.nonce.into()),
                    (5, head.key_set_version.into()),
                    (6, head.document_version.into()),
                    (7, head.safety_cursor.into()),
                    (8, head.all_cursor.into()),
                    (9, texts(head.people)),
                ],
            ),
            Self::Item { id, sealed } => named("item", [(1, id.into()), (2, sealed.into())]),
        }
    }

    pub(super) fn decode(value: Value) -> Result<Self, CborError> {
        let (name, mut fields) = open(value)?;
        let record = match name.as_str() {
            "head" => Self::Head(RequestHead {
                site: fields.text(1)?,
                device_x25519: fields.array(2)?,
                created_at: fields.int(3)?,
                nonce: fields.array(4)?,
                key_set_version: fields.uint(5)?,
                document_version: fields.uint(6)?,
                safety_cursor: fields.nullable_text(7)?,
                all_cursor: fields.nullable_text(8)?,
                people: fields.texts(9)?,
            }),
            "item" => Self::Item {
                id: fields.text(1)?,
                sealed: fields.bytes(2)?,
            },
            _ => return Err(CborError::Type),
        };
        fields.end()?;
        Ok(record)
    }
}

impl AnswerRecord {
    /// Whether the record may travel only under the server's share.
    pub(super) const fn needs_share(&self) -> bool {
        matches!(self, Self::Change(_))
    }

    pub(super) fn encode(self) -> Value {
        match self {
            Self::Head(head) => named(
                "head",
                [
                    (1, head.device_id.into()),
                    (2, head.site.into()),
                    (3, head.nonce.into()),
                    (4, head.counter.into()),
                    (5, head.time.into()),
                    (6, head.device.as_str().into()),
                    (7, head.request.into()),
                ],
            ),
            Self::Receipt { id, receipt } => {
                named("receipt", [(1, id.into()), (2, receipt.into())])
            }
            Self::Item { id, state } => {
                let (word, code) = match state {
                    ItemState::Stored => ("stored", None),
                    ItemState::Rejected { code } => ("rejected", Some(code)),
                    ItemState::Later { code } => ("later", Some(code)),
                };
                named("item", [(1, id.into()), (2, word.into()), (3, code.into())])
            }
            Self::Document {
                message,
                kk,
                ru,
                structure,
            } => named(
                "document",
                [
                    (1, message.into()),
                    (2, kk.into()),
                    (3, ru.into()),
                    (4, structure.into()),
                ],
            ),
            Self::Grant {
                person_id,
                name,
                role,
                grant,
            } => named(
                "grant",
                [
                    (1, person_id.into()),
                    (2, name.into()),
                    (3, role.into()),
                    (4, grant.into()),
                ],
            ),
            Self::NoGrant { person_id, code } => {
                named("no-grant", [(1, person_id.into()), (2, code.into())])
            }
            Self::Change(change) => named(
                "change",
                [
                    (1, change.stream.as_str().into()),
                    (2, change.from_start.into()),
                    (3, change.lines.into()),
                    (4, change.cursor.into()),
                    (5, change.is_end.into()),
                ],
            ),
        }
    }

    pub(super) fn decode(value: Value) -> Result<Self, CborError> {
        let (name, mut fields) = open(value)?;
        let record = match name.as_str() {
            "head" => Self::Head(AnswerHead {
                device_id: fields.text(1)?,
                site: fields.text(2)?,
                nonce: fields.array(3)?,
                counter: fields.uint(4)?,
                time: fields.int(5)?,
                device: {
                    let name = fields.text(6)?;
                    DeviceState::ALL
                        .into_iter()
                        .find(|state| state.as_str() == name)
                        .ok_or(CborError::Field(6))?
                },
                request: fields.array(7)?,
            }),
            "receipt" => Self::Receipt {
                id: fields.text(1)?,
                receipt: fields.bytes(2)?,
            },
            "item" => Self::Item {
                id: fields.text(1)?,
                state: match (fields.text(2)?.as_str(), fields.nullable_text(3)?) {
                    ("stored", None) => ItemState::Stored,
                    ("rejected", Some(code)) => ItemState::Rejected { code },
                    ("later", Some(code)) => ItemState::Later { code },
                    _ => return Err(CborError::Field(2)),
                },
            },
            "document" => Self::Document {
                message: fields.bytes(1)?,
                kk: fields.text(2)?,
                ru: fields.text(3)?,
                structure: fields.text(4)?,
            },
            "grant" => Self::Grant {
                person_id: fields.text(1)?,
                name: fields.text(2)?,
                role: fields.text(3)?,
                grant: fields.bytes(4)?,
            },
            "no-grant" => Self::NoGrant {
                person_id: fields.text(1)?,
                code: fields.text(2)?,
            },
            "change" => Self::Change(Change {
                stream: Stream::parse(&fields.text(1)?).ok_or(CborError::Field(1))?,
                from_start: super::chunk::flag(&mut fields, 2)?,
                lines: fields.bytes(3)?,
                cursor: fields.text(4)?,
                is_end: super::chunk::flag(&mut fields, 5)?,
            }),
            _ => return Err(CborError::Type),
        };
        fields.end()?;
        Ok(record)
    }
}

/// [name, {fields}].
fn named<const N: usize>(name: &str, fields: [(i64, Value); N]) -> Value {
    Value::Array(vec![name.into(), Value::map(fields)])
}

fn open(value: Value) -> Result<(String, Fields), CborError> {
    let Value::Array(items) = value else {
        return Err(CborError::Type);
    };
    let Ok([Value::Text(name), fields]) = <[Value; 2]>::try_from(items) else {
        return Err(CborError::Type);
    };
    Ok((name, Fields::new(fields)?))
}

fn texts(items: Vec<String>) -> Value {
    Value::Array(items.into_iter().map(Value::from).collect())
}
