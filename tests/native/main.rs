//! The native faces, tested from outside: the real binary and real sockets.

mod bench;
mod broken;
mod cli;
#[cfg(feature = "embedded-model")]
mod default_model;
mod eval;
mod examples;
mod fuzz;
mod head;
mod model;
mod properties;
mod quantize;
mod random;
mod recorded;
mod server;
mod serving;
mod threads;
