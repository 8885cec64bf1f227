//! The layers on the processor: `layer` is one transformer layer, `pass` runs tokens through all.

pub mod layer;
pub mod pass;
#[cfg(any(feature = "native", target_arch = "wasm32"))]
mod products;
