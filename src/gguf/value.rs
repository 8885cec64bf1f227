//! Metadata values and typed look-ups of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{Error, Result};

/// One metadata value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)] // The variants are the format's own types.
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    String(String),
    /// A string that is not UTF-8.
    Bytes(Vec<u8>),
    Array(Vec<Value>),
}

impl Value {
    /// The format's number for this value's type.
    pub(super) fn type_id(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) | Self::Bytes(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }

    fn as_integer(&self) -> Option<i128> {
        match *self {
            Self::U8(v) => Some(v.into()),
            Self::I8(v) => Some(v.into()),
            Self::U16(v) => Some(v.into()),
            Self::I16(v) => Some(v.into()),
            Self::U32(v) => Some(v.into()),
            Self::I32(v) => Some(v.into()),
            Self::U64(v) => Some(v.into()),
            Self::I64(v) => Some(v.into()),
            _ => None,
        }
    }

    fn as_u64(&self) -> Option<u64> {
        self.as_integer()?.try_into().ok()
    }

    /// The one value that an array repeats, as where a count is given for each layer; of anything
    /// else, the value itself.
    fn unrepeated(&self) -> &Self {
        match self {
            Self::Array(items) => match items.split_first() {
                Some((first, rest)) if rest.iter().all(|item| item == first) => first,
                _ => self,
            },
            _ => self,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// For messages: the type and the value, of an array its length.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(v) = self.as_integer() {
            return write!(f, "the integer {v}");
        }
        match self {
            Self::F32(v) => write!(f, "the float {v:?}"),
            Self::F64(v) => write!(f, "the float {v:?}"),
            Self::Bool(v) => write!(f, "the boolean {v}"),
            Self::String(text) => write!(f, "the string {text:?}"),
            Self::Bytes(_) => f.write_str("a string that is not UTF-8"),
            Self::Array(items) => write!(f, "an array of {}", items.len()),
            _ => unreachable!("all others are integers: bug"),
        }
    }
}

/// The metadata of a file by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub BTreeMap<String, Value>);

impl Metadata {
    /// The value of `key`, if there.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A count of at least 0, or an array that repeats one.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn count(&self, key: &str) -> Result<Option<usize>> {
        self.typed(key, "a whole number", |value| {
            value.unrepeated().as_u64().and_then(|count| usize::try_from(count).ok())
        })
    }

    /// A finite number, or an array that repeats one.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, "a finite number", |value| match *value.unrepeated() {
            Value::F32(v) if v.is_finite() => Some(v.into()),
            Value::F64(v) if v.is_finite() => Some(v),
            _ => value.unrepeated().as_integer().map(|v| v as f64),
        })
    }

    /// A truth value, as a boolean or as 0 or 1.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", |value| match *value.unrepeated() {
            Value::Bool(flag) => Some(flag),
            ref number => match number.as_u64()? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
        })
    }

    /// A string that only describes: bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn label(&self, key: &str) -> Result<Option<Cow<'_, str>>> {
        self.typed(key, "a string", |value| match value {
            Value::String(text) => Some(Cow::Borrowed(text.as_str())),
            Value::Bytes(text) => Some(String::from_utf8_lossy(text)),
            _ => None,
        })
    }

    /// A string.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", Value::as_text)
    }

    /// An array of strings.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.items(key, "strings", Value::as_text)
    }

    /// An array of counts.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] if `key` holds something else.
    pub fn counts(&self, key: &str) -> Result<Option<Vec<u64>>> {
        self.items(key, "whole numbers", Value::as_u64)
    }

    fn items<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>> {
        let array = |value: &'a Value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        };
        let expected = format!("an array of {expected}");
        let Some(items) = self.typed(key, &expected, array)? else { return Ok(None) };
        let item = |(i, item): (usize, &'a Value)| {
            read(item).ok_or_else(|| mistyped(key, &expected, format_args!("{item} at index {i}")))
        };
        items.iter().enumerate().map(item).collect::<Result<_>>().map(Some)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(mistyped(key, expected, format_args!("{value}"))),
        }
    }
}

fn mistyped(key: &str, expected: &str, found: std::fmt::Arguments) -> Error {
    Error::model(key, format!("must be {expected}, but the file holds {found}"))
}
