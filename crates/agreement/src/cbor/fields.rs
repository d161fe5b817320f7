//! Reading a map with integer keys field by field.

use super::{CborError, Limits, Value, decode};

/// The fields of one payload; each is taken once, and [`Fields::end`] refuses what is left over.
#[derive(Debug)]
pub struct Fields {
    entries: Vec<(Value, Value)>,
}

impl Fields {
    /// Decodes `bytes` as a map.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, CborError> {
        Self::new(decode(bytes, limits)?)
    }

    /// Takes a decoded map.
    pub fn new(value: Value) -> Result<Self, CborError> {
        match value {
            Value::Map(entries) => Ok(Self { entries }),
            _ => Err(CborError::Type),
        }
    }

    /// Takes field `key` if it is there; null counts as there.
    pub fn take(&mut self, key: i64) -> Option<Value> {
        let at = self
            .entries
            .iter()
            .position(|(k, _)| k.as_i64() == Some(key))?;
        Some(self.entries.swap_remove(at).1)
    }

    /// Takes field `key`, which must be there.
    pub fn value(&mut self, key: i64) -> Result<Value, CborError> {
        self.take(key).ok_or(CborError::Missing(key))
    }

    /// Takes field `key`, which must be there; null is `None`.
    pub fn nullable(&mut self, key: i64) -> Result<Option<Value>, CborError> {
        Ok(match self.value(key)? {
            Value::Null => None,
            value => Some(value),
        })
    }

    /// A text field.
    pub fn text(&mut self, key: i64) -> Result<String, CborError> {
        match self.value(key)? {
            Value::Text(text) => Ok(text),
            _ => Err(CborError::Field(key)),
        }
    }

    /// A text field or null.
    pub fn nullable_text(&mut self, key: i64) -> Result<Option<String>, CborError> {
        match self.value(key)? {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(CborError::Field(key)),
        }
    }

    /// A byte string field of any length.
    pub fn bytes(&mut self, key: i64) -> Result<Vec<u8>, CborError> {
        match self.value(key)? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(CborError::Field(key)),
        }
    }

    /// A byte string field of exactly `N` bytes.
    pub fn array<const N: usize>(&mut self, key: i64) -> Result<[u8; N], CborError> {
        self.value(key)?.as_array().ok_or(CborError::Field(key))
    }

    /// A byte string field of exactly `N` bytes, or null.
    pub fn nullable_array<const N: usize>(
        &mut self,
        key: i64,
    ) -> Result<Option<[u8; N]>, CborError> {
        self.nullable(key)?
            .map(|value| value.as_array().ok_or(CborError::Field(key)))
            .transpose()
    }

    /// A truth value.
    pub fn bool(&mut self, key: i64) -> Result<bool, CborError> {
        match self.value(key)? {
            Value::Bool(value) => Ok(value),
            _ => Err(CborError::Field(key)),
        }
    }

    /// An integer field.
    pub fn int(&mut self, key: i64) -> Result<i64, CborError> {
        self.value(key)?.as_i64().ok_or(CborError::Field(key))
    }

    /// An integer field or null.
    pub fn nullable_int(&mut self, key: i64) -> Result<Option<i64>, CborError> {
        self.nullable(key)?
            .map(|value| value.as_i64().ok_or(CborError::Field(key)))
            .transpose()
    }

    /// An integer field that is not negative.
    pub fn uint(&mut self, key: i64) -> Result<u64, CborError> {
        self.value(key)?.as_u64().ok_or(CborError::Field(key))
    }

    /// An array field.
    pub fn items(&mut self, key: i64) -> Result<Vec<Value>, CborError> {
        match self.value(key)? {
            Value::Array(items) => Ok(items),
            _ => Err(CborError::Field(key)),
        }
    }

    /// An array of texts.
    pub fn texts(&mut self, key: i64) -> Result<Vec<String>, CborError> {
        self.items(key)?
            .into_iter()
            .map(|item| match item {
                Value::Text(text) => Ok(text),
                _ => Err(CborError::Field(key)),
            })
            .collect()
    }

    /// Nothing may be left: a new field is a new message type.
    pub fn end(self) -> Result<(), CborError> {
        if self.entries.is_empty() {
            Ok(())
        } else {
            Err(CborError::UnknownField)
        }
    }
}
