//! `info`: what a model file holds.

use std::borrow::Cow;
use std::io::Write as _;

use anyhow::Result;
use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

use super::load::ModelArgs;
use super::output::print_json;
use crate::error::escape;
use crate::prompt::template::Template;
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
        let template = reranker.template();
        if self.json {
            return print_json(&Facts {
                info,
                template: TemplateFacts::of(template),
                runs_on: &runs_on,
            });
        }
        let mut stdout = std::io::stdout().lock();
        for (name, text) in table(info, template, &runs_on) {
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
    template: TemplateFacts<'a>,
    runs_on: &'a Diagnostics,
}

/// The template of the prompts.
#[derive(Serialize)]
struct TemplateFacts<'a> {
    /// Whether it is the official one.
    official: bool,
    /// Its text, with `{instruction}`, `{query}` and `{document}` where those go.
    text: Cow<'a, str>,
    /// Whether a request may give an instruction.
    instruction: bool,
    /// Tokens of a prompt that it takes itself.
    tokens: usize,
}

impl<'a> TemplateFacts<'a> {
    fn of(template: &'a Template) -> Self {
        Self {
            official: template.own_text().is_none(),
            text: template.text(),
            instruction: template.takes_instruction(),
            tokens: template.len(),
        }
    }
}

/// The lines of the table. That the model loaded says that its prompt's tokens are right.
fn table(
    info: &ModelInfo,
    template: &Template,
    runs_on: &Diagnostics,
) -> Vec<(&'static str, String)> {
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
    ];
    lines.extend(prompt(template));
    let threads = runs_on.threads;
    let plural = if threads == 1 { "" } else { "s" };
    lines.push(("runs on", format!("{}, {threads} thread{plural}", runs_on.backend)));
    let paths = runs_on.paths.iter().map(|(name, path)| ("", format!("{name} by {path}")));
    lines.extend(paths);
    lines.extend(info.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines
}

/// The lines on the prompt: which template it is, and a template of the file's own line by line.
fn prompt(template: &Template) -> Vec<(&'static str, String)> {
    let Some(own) = template.own_text() else {
        return vec![("prompt", "official template; its control tokens are single tokens".into())];
    };
    let instruction = match template.takes_instruction() {
        true => "takes an instruction",
        false => "takes no instruction",
    };
    let mut lines = vec![("prompt", format!("the file's own template, which {instruction}:"))];
    lines.extend(own.split('\n').map(|line| ("", escape(line))));
    lines
}
