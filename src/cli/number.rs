//! Numbers among the arguments.
//!
//! Ours rather than clap's ranged parser, whose message for `--tokens 0` is
//! "0 is not in 1..18446744073709551615", and another one for `five`.

/// Parses a whole number of at least 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("must be a whole number of at least 1".to_string()),
    }
}

/// A parser of a whole number from 1 to `limit`.
pub(crate) fn at_most(limit: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse() {
        Ok(count) if (1..=limit).contains(&count) => Ok(count),
        _ => Err(format!("must be a whole number from 1 to {limit}")),
    }
}
