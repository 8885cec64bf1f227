//! `info`: what a model file holds.

use std::io::Write as _;

use anyhow::Result;
use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

use super::load::ModelArgs;
use super::output::print_json;
use crate::error::escape;
use crate::{Diagnostics, ModelInfo};

/// Arguments of `info`.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Print JSON rather than a table
    #[arg(long)]
    json: bool,
}

impl InfoArgs {
    pub(super) fn run(self) -> Result<()> {
        let reranker = self.model.load(None)?;
        let (info, runs_on) = (reranker.info(), reranker.diagnostics());
        if self.json {
            return print_json(&Facts { info, runs_on: &runs_on });
        }
        let mut stdout = std::io::stdout().lock();
        for (name, text) in table(info, &runs_on) {
            writeln!(stdout, "{name:<16}{text}")?;
        }
        Ok(stdout.flush()?)
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    info: &'a ModelInfo,
    runs_on: &'a Diagnostics,
}

/// The lines of the table. That the model loaded says that its prompt's tokens are right.
fn table(info: &ModelInfo, runs_on: &Diagnostics) -> Vec<(&'static str, String)> {
    let config = &info.config;
    let types = info.types.iter().map(|(name, count)| format!("{count} × {name}"));
    let attention = format!(
        "{} heads of {} values, {} for keys and values",
        config.num_attention_heads, config.head_dim, config.num_key_value_heads
    );
    let mut lines = vec![
        ("name", escape(&info.name)),
        ("architecture", "qwen3".to_string()),
        ("file", HumanBytes(info.file_size).to_string()),
        ("parameters", info.parameters.to_string()),
        ("tensors", types.collect::<Vec<_>>().join(", ")),
        ("layers", config.num_hidden_layers.to_string()),
        ("hidden size", config.hidden_size.to_string()),
        ("ffn size", config.intermediate_size.to_string()),
        ("attention", attention),
        ("context", format!("{} tokens", config.max_position_embeddings)),
        ("longest prompt", format!("{} tokens", info.max_length)),
        ("vocabulary", format!("{} tokens", info.vocabulary_size)),
        ("scoring head", info.head.to_string()),
        ("prompt", "its control tokens, yes and no are single tokens".to_string()),
    ];
    let threads = runs_on.threads;
    let plural = if threads == 1 { "" } else { "s" };
    lines.push(("runs on", format!("{}, {threads} thread{plural}", runs_on.backend)));
    let paths = runs_on.paths.iter().map(|(name, path)| ("", format!("{name} by {path}")));
    lines.extend(paths);
    lines.extend(info.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines
}
