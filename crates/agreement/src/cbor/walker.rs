//! The strict reader: it builds nothing that it has not checked.

use std::collections::BTreeSet;

use super::{CborError, Value, encode};

/// What is left to read.
pub(super) struct Walker<'a> {
    rest: &'a [u8],
}

impl<'a> Walker<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], CborError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn argument(&mut self, info: u8) -> Result<u64, CborError> {
        let (n, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(u8::from_be_bytes(self.take_array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.take_array()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.take_array()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.take_array()?), 1 << 32),
            31 => return Err(CborError::Indefinite),
            _ => return Err(CborError::Unsupported),
        };
        if n < least {
            return Err(CborError::NotShortest);
        }
        Ok(n)
    }

    /// A length or count: never more than the bytes that are left, so a lie allocates nothing.
    fn length(&mut self, info: u8) -> Result<usize, CborError> {
        let n = usize::try_from(self.argument(info)?).map_err(|_| CborError::Truncated)?;
        if n > self.rest.len() {
            return Err(CborError::Truncated);
        }
        Ok(n)
    }

    /// Reads one item that may nest `depth` levels.
    pub(super) fn item(&mut self, depth: usize) -> Result<Value, CborError> {
        let deeper = depth.checked_sub(1).ok_or(CborError::TooDeep)?;
        let [initial] = self.take_array()?;
        let info = initial & 0x1f;
        Ok(match initial >> 5 {
            0 => Value::Uint(self.argument(info)?),
            1 => Value::Nint(self.argument(info)?),
            2 => {
                let length = self.length(info)?;
                Value::bytes(self.take(length)?)
            }
            3 => {
                let length = self.length(info)?;
                let text = str::from_utf8(self.take(length)?).map_err(|_| CborError::NotUtf8)?;
                Value::text(text)
            }
            4 => {
                let count = self.length(info)?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.item(deeper)?);
                }
                Value::Array(items)
            }
            5 => {
                let count = self.length(info)?;
                let mut entries = Vec::new();
                let mut seen = BTreeSet::new();
                for _ in 0..count {
                    let key = self.item(deeper)?;
                    // Compared in deterministic form: a map as a key may come in any order.
                    if !seen.insert(encode(&key)) {
                        return Err(CborError::DuplicateKey);
                    }
                    entries.push((key, self.item(deeper)?));
                }
                Value::Map(entries)
            }
            6 => {
                let tag = self.argument(info)?;
                Value::Tag(tag, Box::new(self.item(deeper)?))
            }
            _ => match info {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                22 => Value::Null,
                31 => return Err(CborError::Indefinite),
                _ => return Err(CborError::Unsupported),
            },
        })
    }
}
