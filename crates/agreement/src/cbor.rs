//! The CBOR this project speaks: deterministic on writing, strict on reading.
//!
//! Writing follows RFC 8949 §4.2.1 (shortest heads, map keys in bytewise order of their encoding).
//! Reading ([`decode`], [`check`]) refuses indefinite lengths, heads longer than needed, duplicate map
//! keys at any depth, nesting deeper than the limit, trailing bytes, floats and undefined values. The order of
//! map keys is *not* checked on reading: other implementations keep their own.

use std::fmt;

mod fields;
mod walker;

pub use fields::Fields;
use walker::Walker;

/// What a reader is prepared to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest input in bytes.
    pub max_bytes: usize,
    /// Deepest nesting; a scalar at the top has depth 1.
    pub max_depth: usize,
}

impl Limits {
    /// 64 KiB and 8 levels: the size of one statement on `POST /entries`.
    pub const DEFAULT: Self = Self {
        max_bytes: 64 * 1024,
        max_depth: 8,
    };

    /// The same depth with another size limit in bytes.
    #[must_use]
    pub const fn bytes(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            max_depth: Self::DEFAULT.max_depth,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why bytes are not acceptable CBOR, or not of the expected shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("nested too deeply")]
    TooDeep,
    #[error("ends in the middle of an item")]
    Truncated,
    #[error("bytes after the end")]
    Trailing,
    #[error("an item of indefinite length")]
    Indefinite,
    #[error("a head longer than needed")]
    NotShortest,
    #[error("a map key given twice")]
    DuplicateKey,
    #[error("text that is not UTF-8")]
    NotUtf8,
    #[error("a float, undefined or reserved value")]
    Unsupported,
    #[error("an item of another type than expected")]
    Type,
    #[error("field {0} is missing")]
    Missing(i64),
    #[error("field {0} has the wrong type, length or range")]
    Field(i64),
    #[error("a field nobody knows")]
    UnknownField,
}

impl CborError {
    /// Stable kebab-case code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "cbor-too-long",
            Self::TooDeep => "cbor-too-deep",
            Self::Truncated => "cbor-truncated",
            Self::Trailing => "cbor-trailing-bytes",
            Self::Indefinite => "cbor-indefinite-length",
            Self::NotShortest => "cbor-not-shortest",
            Self::DuplicateKey => "cbor-duplicate-key",
            Self::NotUtf8 => "cbor-not-utf8",
            Self::Unsupported => "cbor-unsupported",
            Self::Type => "cbor-wrong-type",
            Self::Missing(_) => "cbor-field-missing",
            Self::Field(_) => "cbor-field-wrong",
            Self::UnknownField => "cbor-field-unknown",
        }
    }
}

/// One CBOR item without floats and undefined; every integer of CBOR has exactly one form here.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// 0 … 2⁶⁴−1.
    Uint(u64),
    /// −1 − n.
    Nint(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Tag(u64, Box<Value>),
    Bool(bool),
    Null,
}

/// Prints the shape only: the contents may be personal or secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(_) | Self::Nint(_) => f.write_str("int"),
            Self::Bytes(bytes) => write!(f, "bstr({})", bytes.len()),
            Self::Text(text) => write!(f, "tstr({})", text.len()),
            Self::Array(items) => f.debug_list().entries(items).finish(),
            Self::Map(entries) => f
                .debug_map()
                .entries(entries.iter().map(|(k, v)| (k, v)))
                .finish(),
            Self::Tag(tag, inner) => write!(f, "{tag}({inner:?})"),
            Self::Bool(_) => f.write_str("bool"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl Value {
    /// A map with integer keys, the form of every payload here.
    pub fn map<const N: usize>(entries: [(i64, Self); N]) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Self::from(key), value))
                .collect(),
        )
    }

    /// A byte string.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// A text string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An array of text strings.
    pub fn texts<T: AsRef<str>>(items: &[T]) -> Self {
        Self::Array(items.iter().map(|item| Self::text(item.as_ref())).collect())
    }

    /// The integer, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Uint(n) => i64::try_from(*n).ok(),
            Self::Nint(n) => i64::try_from(*n).ok().map(|n| -1 - n),
            _ => None,
        }
    }

    /// The unsigned integer, if it is one.
    pub const fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Uint(n) => Some(*n),
            _ => None,
        }
    }

    /// The bytes, if it is a byte string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The bytes, if it is a byte string of exactly `N` bytes.
    pub fn as_array<const N: usize>(&self) -> Option<[u8; N]> {
        self.as_bytes()?.try_into().ok()
    }

    /// The text, if it is a text string.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items, if it is an array.
    pub fn as_items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        match u64::try_from(n) {
            Ok(n) => Self::Uint(n),
            // −1 − n is the bitwise complement in two's complement.
            Err(_) => Self::Nint((!n).unsigned_abs()),
        }
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Uint(n)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Uint(n.into())
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::bytes(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::bytes(*bytes)
    }
}

/// `None` is null.
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The one deterministic encoding of `value` (RFC 8949 §4.2.1).
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

/// Appends the shortest head of `major` type (0–7) with argument `n`.
pub(crate) fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    let major = major << 5;
    if let Ok(n) = u8::try_from(n) {
        if n < 24 {
            out.push(major + n);
        } else {
            out.extend([major + 24, n]);
        }
    } else if let Ok(n) = u16::try_from(n) {
        out.push(major + 25);
        out.extend(n.to_be_bytes());
    } else if let Ok(n) = u32::try_from(n) {
        out.push(major + 26);
        out.extend(n.to_be_bytes());
    } else {
        out.push(major + 27);
        out.extend(n.to_be_bytes());
    }
}

/// Appends a byte string.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, 2, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Uint(n) => head(out, 0, *n),
        Value::Nint(n) => head(out, 1, *n),
        Value::Bytes(bytes) => write_bytes(out, bytes),
        Value::Text(text) => {
            head(out, 3, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(out, 4, items.len() as u64);
            for item in items {
                write(out, item);
            }
        }
        Value::Map(entries) => {
            head(out, 5, entries.len() as u64);
            let mut encoded: Vec<_> = entries
                .iter()
                .map(|(key, value)| (encode(key), encode(value)))
                .collect();
            encoded.sort();
            for (key, value) in encoded {
                out.extend(key);
                out.extend(value);
            }
        }
        Value::Tag(tag, inner) => {
            head(out, 6, *tag);
            write(out, inner);
        }
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Null => out.push(0xf6),
    }
}

/// Checks that `bytes` are one acceptable item and nothing else.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), CborError> {
    decode(bytes, limits).map(drop)
}

/// Reads one item and refuses everything the module's head names.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Value, CborError> {
    if bytes.len() > limits.max_bytes {
        return Err(CborError::TooLong(limits.max_bytes));
    }
    let mut walker = Walker::new(bytes);
    let value = walker.item(limits.max_depth)?;
    if walker.is_at_end() {
        Ok(value)
    } else {
        Err(CborError::Trailing)
    }
}

#[cfg(test)]
mod tests;
