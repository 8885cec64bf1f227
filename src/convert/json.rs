//! Places in the JSON files of a checkpoint, and which values may stand there.

use serde_json::Value as Json;

use crate::{Error, Result};

/// What stands at `place`, such as `pre_tokenizer/type`: null if nothing does.
pub fn at<'a>(json: &'a Json, place: &str) -> &'a Json {
    json.pointer(&format!("/{place}")).unwrap_or(&Json::Null)
}

/// Checks that at each of the places stands one of its values, null meaning none.
///
/// # Errors
/// [`Error::UnsupportedModel`] naming `file`, the place and what stands there.
pub fn check(json: &Json, file: &str, places: &[(&str, &[Json])]) -> Result<()> {
    for (place, allowed) in places {
        let found = at(json, place);
        if !allowed.contains(found) {
            let allowed: Vec<_> = allowed.iter().map(Json::to_string).collect();
            let reason = format!("{file}: {place} is {found}; must be {}", allowed.join(" or "));
            return Err(Error::UnsupportedModel(reason));
        }
    }
    Ok(())
}
