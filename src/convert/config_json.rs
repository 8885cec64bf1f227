//! A checkpoint's config.json as a [`Config`]; what this crate would compute wrongly is refused.

use serde_json::{Value as Json, json};

use super::json::{at, check};
use crate::model::Config;
use crate::model::config_fault::ConfigFault;
use crate::model::rope_scaling::{BETA_FAST, BETA_SLOW, RopeScaling, default_attention_factor};
use crate::{Error, Result};

/// The file's name.
pub const CONFIG: &str = "config.json";

/// What a checkpoint computes from its last hidden state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Logits of all tokens.
    Causal,
    /// Logits of classes.
    Classifier,
}

/// The kind that config.json names.
///
/// # Errors
/// [`Error::UnsupportedModel`] for another architecture.
pub fn kind(config: &Json) -> Result<Kind> {
    match config["architectures"][0].as_str().unwrap_or("none") {
        "Qwen3ForCausalLM" => Ok(Kind::Causal),
        "Qwen3ForSequenceClassification" => Ok(Kind::Classifier),
        other => refuse(format!(
            "the architecture is {other}; Qwen3ForCausalLM and Qwen3ForSequenceClassification are read"
        )),
    }
}

/// Reads sizes and constants, and refuses what would change scores and is not computed.
/// `has_output` tells whether the checkpoint has an output matrix.
///
/// # Errors
/// [`Error::InvalidModel`] for missing or impossible values, [`Error::UnsupportedModel`] for others
/// that this crate would compute wrongly.
pub fn read(config: &Json, has_output: bool) -> Result<Config> {
    check_supported(config)?;
    let count = |key: &str| {
        let count = config[key].as_u64().and_then(|n| usize::try_from(n).ok());
        count.ok_or_else(|| Error::model(CONFIG, format!("{key} is missing, or no count")))
    };
    let (hidden_size, num_attention_heads) = (count("hidden_size")?, count("num_attention_heads")?);
    let max_position_embeddings = count("max_position_embeddings")?;
    let config = Config {
        num_hidden_layers: count("num_hidden_layers")?,
        hidden_size,
        intermediate_size: count("intermediate_size")?,
        num_attention_heads,
        num_key_value_heads: count("num_key_value_heads")?,
        head_dim: match config["head_dim"].is_null() {
            true => hidden_size.checked_div(num_attention_heads).unwrap_or(0),
            false => count("head_dim")?,
        },
        max_position_embeddings,
        rope_theta: rope_theta(config)?,
        rope_scaling: rope_scaling(config, max_position_embeddings)?,
        rms_norm_eps: positive(config, "rms_norm_eps")?,
        tie_word_embeddings: config["tie_word_embeddings"].as_bool().unwrap_or(!has_output),
    };
    let named = |ConfigFault { field, reason }| Error::model(CONFIG, format!("{field}: {reason}"));
    config.check().map_err(named)?;
    Ok(config)
}

fn refuse<T>(reason: String) -> Result<T> {
    Err(Error::UnsupportedModel(format!("{CONFIG}: {reason}")))
}

/// Refuses what this crate would compute wrongly.
fn check_supported(config: &Json) -> Result<()> {
    let off = &[json!(false), Json::Null];
    let on = &[json!(true), Json::Null];
    let one = &[json!(1), json!(1.0), Json::Null];
    let none = &[Json::Null];
    let places: &[(&str, &[Json])] = &[
        ("model_type", &[json!("qwen3"), Json::Null]),
        ("attention_bias", off),
        ("mlp_bias", off),
        ("use_sliding_window", off),
        ("use_bidirectional_attention", off),
        ("is_causal", on),
        ("use_qk_norm", on),
        ("tie_word_embeddings", &[json!(true), json!(false), Json::Null]),
        ("hidden_act", &[json!("silu"), Json::Null]),
        ("partial_rotary_factor", one),
        ("embedding_multiplier", one),
        ("residual_multiplier", one),
        ("logits_scaling", one),
        ("attention_multiplier", none),
        ("attn_logit_softcapping", none),
        ("final_logit_softcapping", none),
        ("num_experts", &[json!(0), Json::Null]),
        ("quantization_config", none),
    ];
    check(config, CONFIG, places)?;
    let layers = &config["layer_types"];
    if !(layers.is_array() || layers.is_null()) {
        return refuse(format!("layer_types is {layers}; must be an array or null"));
    }
    for layer in 0..layers.as_array().map_or(0, Vec::len) {
        let place = format!("layer_types/{layer}");
        check(config, CONFIG, &[(&place, &[json!("full_attention")])])?;
    }
    Ok(())
}

/// The base of the rotary frequencies. Versions of transformers keep it in different places, and
/// take that of a different one where there are several.
fn rope_theta(config: &Json) -> Result<f64> {
    let places = ["rope_theta", "rope_parameters/rope_theta", "rope_scaling/rope_theta"];
    let mut given = places.into_iter().filter(|place| !at(config, place).is_null());
    let first = given.next().unwrap_or(places[0]);
    let base = positive(config, first)?;
    for place in given {
        if positive(config, place)? != base {
            let (base, other) = (at(config, first), at(config, place));
            let reason = format!("{first} is {base}, but {place} is {other}");
            return Err(Error::model(CONFIG, reason));
        }
    }
    Ok(base)
}

/// How the frequencies are scaled, by either of the places that versions of transformers keep it in.
fn rope_scaling(config: &Json, context: usize) -> Result<Option<RopeScaling>> {
    let mut found: Option<(&str, Option<RopeScaling>)> = None;
    for place in ["rope_scaling", "rope_parameters"] {
        let rope = &config[place];
        if rope.is_null() {
            continue;
        }
        if !rope.is_object() {
            return refuse(format!("{place} is {rope}; must be an object or null"));
        }
        let scaling = scaling_at(config, place, context)?;
        match &found {
            Some((other, before)) if *before != scaling => {
                return refuse(format!("{other} and {place} scale frequencies differently"));
            }
            _ => found = Some((place, scaling)),
        }
    }
    Ok(found.and_then(|(_, scaling)| scaling))
}

/// Keys that an object about rotary frequencies may have whatever the kind of scaling.
const COMMON: &[&str] = &["rope_theta", "rope_type", "type", "partial_rotary_factor"];
/// Keys of YaRN alone.
const YARN: &[&str] = &[
    "factor",
    "original_max_position_embeddings",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "truncate",
];

fn scaling_at(config: &Json, place: &str, context: usize) -> Result<Option<RopeScaling>> {
    let own = |key: &str| format!("{place}/{key}");
    let one = &[json!(1), json!(1.0), Json::Null];
    check(config, CONFIG, &[(&own("partial_rotary_factor"), one)])?;
    // Older files say `type`.
    let kinds: Vec<_> =
        ["rope_type", "type"].into_iter().filter(|key| !at(config, &own(key)).is_null()).collect();
    let kind = kinds.first().map_or(&Json::Null, |key| at(config, &own(key)));
    if let [first, second] = kinds[..]
        && at(config, &own(second)) != kind
    {
        return refuse(format!("{place}/{first} and {place}/{second} differ"));
    }
    let (keys, scaling) = match kind.as_str() {
        None if kind.is_null() => (&[][..], None),
        Some("default") => (&[][..], None),
        Some("linear") => {
            let factor = positive(config, &own("factor"))?;
            (&["factor"][..], Some(RopeScaling::Linear { factor }))
        }
        Some("yarn") => (YARN, Some(yarn_at(config, place, context)?)),
        _ => {
            let key = own(kinds[0]);
            return refuse(format!("{key} is {kind}; must be \"default\", \"linear\" or \"yarn\""));
        }
    };
    let mut stated = config[place].as_object().into_iter().flatten();
    match stated.find(|(key, value)| {
        !value.is_null() && !COMMON.contains(&key.as_str()) && !keys.contains(&key.as_str())
    }) {
        Some((key, value)) => {
            refuse(format!("{place}/{key} is {value}, which may change scores and is not computed"))
        }
        None => Ok(scaling.filter(|scaling| !scaling.is_none())),
    }
}

fn yarn_at(config: &Json, place: &str, context: usize) -> Result<RopeScaling> {
    let own = |key: &str| format!("{place}/{key}");
    let number = |key: &str| match at(config, &own(key)).is_null() {
        true => Ok(None),
        false => positive(config, &own(key)).map(Some),
    };
    check(config, CONFIG, &[(&own("truncate"), &[json!(true), Json::Null])])?;
    let stated = number("original_max_position_embeddings")?;
    let original = stated.unwrap_or(context as f64);
    let factor = match (number("factor")?, stated) {
        (Some(factor), _) => factor,
        (None, Some(original)) => context as f64 / original,
        (None, None) => positive(config, &own("factor"))?,
    };
    let attention_factor = number("attention_factor")?;
    Ok(RopeScaling::Yarn {
        factor,
        original_max_position_embeddings: original as usize,
        attention_factor: attention_factor.unwrap_or_else(|| default_attention_factor(factor)),
        beta_fast: number("beta_fast")?.unwrap_or(BETA_FAST),
        beta_slow: number("beta_slow")?.unwrap_or(BETA_SLOW),
    })
}

fn positive(config: &Json, place: &str) -> Result<f64> {
    let number = at(config, place).as_f64().filter(|n| n.is_finite() && *n > 0.0);
    let reason = || format!("{place} is missing, or no positive number");
    number.ok_or_else(|| Error::model(CONFIG, reason()))
}
