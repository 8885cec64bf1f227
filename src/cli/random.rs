//! `random`: writes a model with random weights.

use std::path::PathBuf;

use clap::Args;

use super::progress;
use crate::RopeScaling;
use crate::convert::random::{FileType, RandomModel, Shape, TINY_MERGES, write_file};

/// `random`: writes a seeded random model.
#[derive(Args, Clone, Debug)]
pub struct RandomArgs {
    /// Sizes to start from.
    #[arg(long, value_enum, default_value = "tiny")]
    shape: Shape,
    /// How matrices are stored.
    #[arg(long = "type", value_enum, default_value = "q8_0")]
    file_type: FileType,
    /// Another seed gives other weights.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of layers, in place of the shape's.
    #[arg(long)]
    layers: Option<usize>,
    /// Width of the residual stream, in place of the shape's.
    #[arg(long)]
    hidden: Option<usize>,
    /// Width of the feed-forward part, in place of the shape's.
    #[arg(long)]
    ffn: Option<usize>,
    /// Number of query heads, in place of the shape's.
    #[arg(long)]
    heads: Option<usize>,
    /// Number of key and value heads, in place of the shape's.
    #[arg(long)]
    kv_heads: Option<usize>,
    /// Width of a head, in place of the shape's.
    #[arg(long)]
    head_dim: Option<usize>,
    /// Longest input in tokens that the file states.
    #[arg(long)]
    context: Option<usize>,
    /// Scale rotary frequencies by YaRN, for sequences so many times as long.
    #[arg(long, value_name = "FACTOR")]
    yarn_factor: Option<f64>,
    /// Longest sequence of the training before, in tokens, for YaRN [default: the context].
    #[arg(long, value_name = "TOKENS", requires = "yarn_factor")]
    original_context: Option<usize>,
    /// Give the head weights of its own.
    #[arg(long, conflicts_with = "tied")]
    untied: bool,
    /// Let the embedding be the head.
    #[arg(long)]
    tied: bool,
    /// Qwen3's vocabulary: `full`, `cut`, or a number of merges.
    #[arg(long, value_parser = parse_vocabulary)]
    vocabulary: Option<Merges>,
    /// Leave out cls.output.weight: a plain causal model.
    #[arg(long)]
    no_cls: bool,
    /// Write output.weight beside cls.output.weight in an untied model.
    #[arg(long)]
    keep_output: bool,
    /// The model's name in the file.
    #[arg(long)]
    name: Option<String>,
    /// The file to write.
    out: PathBuf,
}

/// How much of the vocabulary; `None` for all of it.
#[derive(Clone, Copy, Debug)]
struct Merges(Option<usize>);

fn parse_vocabulary(text: &str) -> std::result::Result<Merges, String> {
    match text {
        "full" => Ok(Merges(None)),
        "cut" => Ok(Merges(Some(TINY_MERGES))),
        number => match number.parse() {
            Ok(count) => Ok(Merges(Some(count))),
            Err(_) => Err("must be full, cut or a number of merges".into()),
        },
    }
}

impl RandomArgs {
    /// The model that the arguments ask for.
    fn model(&self) -> RandomModel {
        let mut model = self.shape.model(self.file_type, self.seed);
        let config = &mut model.config;
        for (size, wish) in [
            (&mut config.num_hidden_layers, self.layers),
            (&mut config.hidden_size, self.hidden),
            (&mut config.intermediate_size, self.ffn),
            (&mut config.num_attention_heads, self.heads),
            (&mut config.num_key_value_heads, self.kv_heads),
            (&mut config.head_dim, self.head_dim),
            (&mut config.max_position_embeddings, self.context),
        ] {
            *size = wish.unwrap_or(*size);
        }
        config.tie_word_embeddings = (config.tie_word_embeddings || self.tied) && !self.untied;
        if let Some(factor) = self.yarn_factor {
            let original = self.original_context.unwrap_or(config.max_position_embeddings);
            config.rope_scaling = Some(RopeScaling::yarn(factor, original));
        }
        if let Some(Merges(merges)) = self.vocabulary {
            model.merges = merges;
        }
        model.cls = !self.no_cls;
        model.output = self.keep_output;
        if let Some(name) = &self.name {
            model.name.clone_from(name);
        }
        model
    }

    /// Writes the model, showing progress on a terminal.
    pub fn run(self) -> anyhow::Result<()> {
        let mut bar = progress::bar("writing");
        write_file(&self.model(), &self.out, &mut bar)?;
        Ok(())
    }
}
