//! The native faces, tested from outside: the real binary and real sockets.

mod bench;
mod broken;
mod cli;
mod cli_documents;
#[cfg(feature = "embedded-model")]
mod default_model;
mod eval;
mod examples;
mod fuzz;
mod head;
mod iq4;
mod model;
mod properties;
mod quantize;
mod random;
mod recorded;
mod server;
mod server_binary;
mod server_input;
mod server_time;
mod serving;
mod shards;
mod template;
mod threads;
