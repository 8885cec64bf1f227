//! Typed reading of a JSON object's fields, with synonyms. `null` means left out.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The first of `names` that is there and not null.
///
/// # Errors
/// [`Error::InvalidValue`] if two synonyms are there and differ.
pub(crate) fn field<'a>(
    fields: &'a Map<String, Value>,
    names: &[&'static str],
) -> Result<Option<(&'static str, &'a Value)>> {
    let mut present = names
        .iter()
        .filter_map(|&name| fields.get(name).filter(|v| !v.is_null()).map(|value| (name, value)));
    let found = present.next();
    if let (Some((first, a)), Some((second, b))) = (found, present.next())
        && a != b
    {
        return Err(Error::value(second, format!("contradicts {first}; give only one of them")));
    }
    Ok(found)
}

/// A string under one of `names`; `None` if it is not there or null.
pub(crate) fn text(fields: &Map<String, Value>, names: &[&'static str]) -> Result<Option<String>> {
    match field(fields, names)? {
        None => Ok(None),
        Some((_, Value::String(text))) => Ok(Some(text.clone())),
        Some((name, other)) => {
            Err(Error::shape(name, format!("must be a string, not {}", type_name(other))))
        }
    }
}

/// A string that must be there under `name`.
pub(crate) fn required_text(fields: &Map<String, Value>, name: &'static str) -> Result<String> {
    text(fields, &[name])?.ok_or_else(|| Error::shape(name, "is missing; give a string"))
}

/// A boolean under one of `names`; `None` if it is not there or null.
pub(crate) fn flag(fields: &Map<String, Value>, names: &[&'static str]) -> Result<Option<bool>> {
    match field(fields, names)? {
        None => Ok(None),
        Some((_, Value::Bool(flag))) => Ok(Some(*flag)),
        Some((name, other)) => {
            Err(Error::shape(name, format!("must be true or false, not {}", type_name(other))))
        }
    }
}

/// A whole number of at least 1 under one of `names`; `None` if it is not there or null.
pub(crate) fn count(fields: &Map<String, Value>, names: &[&'static str]) -> Result<Option<usize>> {
    let Some((name, value)) = field(fields, names)? else { return Ok(None) };
    let Value::Number(number) = value else {
        let reason = format!("must be a whole number of at least 1, not {}", type_name(value));
        return Err(Error::shape(name, reason));
    };
    // JavaScript and some clients write whole numbers as 3.0.
    let whole = number.as_u64().or_else(|| {
        // A conversion of what is too large gives the largest number.
        number.as_f64().filter(|f| f.fract() == 0.0 && *f >= 1.0).map(|f| f as u64)
    });
    match whole.map(usize::try_from) {
        Some(Ok(count)) if count > 0 => Ok(Some(count)),
        // More than there can be is the same as all.
        Some(Err(_)) => Ok(Some(usize::MAX)),
        _ => Err(Error::value(name, format!("is {number}; must be a whole number of at least 1"))),
    }
}

/// Strings of an array under `name`; empty if it is not there or null.
pub(crate) fn names(fields: &Map<String, Value>, name: &'static str) -> Result<Vec<String>> {
    let Some((_, value)) = field(fields, &[name])? else { return Ok(Vec::new()) };
    let Value::Array(items) = value else {
        let reason = format!("must be an array of strings, not {}", type_name(value));
        return Err(Error::shape(name, reason));
    };
    let item = |(index, item): (usize, &Value)| match item {
        Value::String(text) => Ok(text.clone()),
        other => {
            let reason = format!("must be a string, not {}", type_name(other));
            Err(Error::shape(format!("{name}[{index}]"), reason))
        }
    };
    items.iter().enumerate().map(item).collect()
}

/// What a value is, for messages.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
