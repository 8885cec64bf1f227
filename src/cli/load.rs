//! Loading the model that `--model` names, with a progress bar, or the default one.

use std::io::{Read, Seek};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::number;
use crate::gguf::open_shards;
use crate::input_file::open;
use crate::{EMBEDDED_MODEL, LoadOptions, Reranker};

/// Which model, for every subcommand that scores.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// GGUF file of a Qwen3 reranker, or any file of a split one [default: the small English model in this program, if it carries one]
    #[arg(long, value_name = "FILE", env = "QWEN3_RERANK_MODEL")]
    model: Option<PathBuf>,
    /// Longest prompt in tokens [default: 8192, or what the model takes if less]
    #[arg(long, value_name = "TOKENS", value_parser = number::count)]
    max_length: Option<usize>,
    /// Load embedding models too, whose scores mean nothing unless they were trained to rerank
    #[arg(long)]
    any_pooling: bool,
}

impl ModelArgs {
    /// Loads the model; `name` replaces the one in the file.
    pub(crate) fn load(&self, name: Option<String>) -> Result<Reranker> {
        match &self.model {
            Some(path) => {
                open(path)?;
                let context = || path.display().to_string();
                let files = open_shards(path).with_context(context)?;
                self.read(files, name).with_context(context)
            }
            None => self.read_embedded(name),
        }
    }

    fn read_embedded(&self, name: Option<String>) -> Result<Reranker> {
        let model = EMBEDDED_MODEL.context("this program carries no model; give --model FILE")?;
        self.read(vec![std::io::Cursor::new(model)], name)
    }

    fn read(&self, files: Vec<impl Read + Seek>, name: Option<String>) -> Result<Reranker> {
        let any_pooling = self.any_pooling;
        let mut options = LoadOptions { name, any_pooling, ..LoadOptions::default() };
        if let Some(max_length) = self.max_length {
            options.max_length = max_length;
        }
        let bar = bar("loading", "{bytes}/{total_bytes}");
        let loaded = Reranker::load_shards(files, options, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.bytes);
        });
        bar.finish_and_clear();
        Ok(loaded?)
    }

    /// The file's name without its folder and ending; none for the default model.
    pub(crate) fn stem(&self) -> Option<String> {
        Some(self.model.as_ref()?.file_stem()?.to_string_lossy().into_owned())
    }
}

/// A bar on stderr, drawn only where that is a terminal.
pub(crate) fn bar(what: &'static str, count: &str) -> ProgressBar {
    let template = format!("{{msg}} {{wide_bar}} {count}");
    let style = ProgressStyle::with_template(&template).expect("the template is valid: bug");
    ProgressBar::new(0).with_style(style).with_message(what)
}
