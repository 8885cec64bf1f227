//! The command line: one file per subcommand, and what they share.

mod arguments;
mod bench;
mod documents;
mod eval;
mod info;
mod load;
mod log;
mod number;
mod output;
mod progress;
mod quantize;
mod random;
mod rerank;
mod run_files;
mod score;
mod serve;

pub use arguments::Cli;
pub use output::{eprint_line, is_closed_pipe};
