//! `info`: what a model file holds.

use std::io::Write as _;

use anyhow::Result;
use clap::Args;
use indicatif::HumanBytes;

use super::load::ModelArgs;
use super::rerank::print;
use crate::ModelInfo;

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
        let info = reranker.info();
        if self.json {
            return print(info);
        }
        let mut stdout = std::io::stdout().lock();
        for (name, text) in table(info) {
            writeln!(stdout, "{name:<16}{text}")?;
        }
        Ok(stdout.flush()?)
    }
}

/// The lines of the table. That the model loaded says that its prompt's tokens are right.
fn table(info: &ModelInfo) -> Vec<(&'static str, String)> {
    let config = &info.config;
    let types = info.types.iter().map(|(name, count)| format!("{count} × {name}"));
    let attention = format!(
        "{} heads of {} values, {} for keys and values",
        config.heads, config.head_dim, config.kv_heads
    );
    let mut lines = vec![
        ("name", info.name.clone()),
        ("architecture", "qwen3".to_string()),
        ("file", HumanBytes(info.file_size).to_string()),
        ("parameters", info.parameters.to_string()),
        ("tensors", types.collect::<Vec<_>>().join(", ")),
        ("layers", config.layers.to_string()),
        ("hidden size", config.hidden_size.to_string()),
        ("ffn size", config.ffn_size.to_string()),
        ("attention", attention),
        ("context", format!("{} tokens", config.context_length)),
        ("longest prompt", format!("{} tokens", info.max_length)),
        ("vocabulary", format!("{} tokens", info.vocabulary_size)),
        ("scoring head", info.head.to_string()),
        ("prompt", "its control tokens, yes and no are single tokens".to_string()),
    ];
    lines.extend(info.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines
}
