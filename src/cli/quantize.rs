//! `quantize`: makes a rerank GGUF file of a checkpoint folder or another GGUF file.

use std::path::PathBuf;

use clap::Args;

use super::output::eprint_line;
use super::progress;
use crate::convert::quantize::{FileType, Options, run};

/// Arguments of `quantize`.
#[derive(Args, Clone, Debug)]
pub struct QuantizeArgs {
    /// Checkpoint folder (config.json, tokenizer.json, model*.safetensors) or GGUF file; of a split
    /// model, any file.
    #[arg(long, value_name = "DIR_OR_GGUF")]
    from: PathBuf,
    /// How matrices are stored.
    #[arg(long = "type", value_enum)]
    file_type: FileType,
    /// How token vectors are stored, where not as the other matrices: any of --type's values.
    #[arg(long, value_name = "TYPE", value_enum, hide_possible_values = true)]
    token_embedding_type: Option<FileType>,
    /// Take embedding models too, whose scores mean nothing unless they were trained to rerank.
    #[arg(long)]
    any_pooling: bool,
    /// The file to write.
    out: PathBuf,
}

impl QuantizeArgs {
    /// Writes the file, showing progress on a terminal, and says on standard
    /// error what its user should know.
    pub fn run(self) -> anyhow::Result<()> {
        let mut bar = progress::bar("quantizing");
        let options = Options {
            token_embedding_type: self.token_embedding_type,
            any_pooling: self.any_pooling,
            ..Options::from(self.file_type)
        };
        let report = run(&self.from, options, &self.out, &mut bar)?;
        for fallback in &report.fallbacks {
            eprint_line(&fallback.to_string());
        }
        if report.requantized > 0 {
            eprint_line(&format!(
                "{} tensors had been quantized before; making the file from the original \
                 checkpoint loses less",
                report.requantized
            ));
        }
        Ok(())
    }
}
