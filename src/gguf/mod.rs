//! GGUF files: an untrusting reader of their header, and a streaming writer.
//!
//! candle has a reader too, but it allocates what a file's counts and lengths
//! claim, which aborts on a corrupt file; here each is held against the file's
//! size first. Matrices are packed by `kernel`; the rest becomes candle's quantized types.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

mod float16;
mod iq4;
mod reader;
mod tensor_type;
mod value;
mod writer;

pub(crate) use float16::f16_to_f32;
pub(crate) use iq4::IQ4_VALUES;
pub use reader::{Reader, TensorInfo};
pub use tensor_type::TensorType;
pub use value::{Metadata, Value};
pub use writer::{TensorPlan, Writer};

/// Where tensor data starts is a multiple of this, unless `general.alignment` says otherwise.
pub const DEFAULT_ALIGNMENT: u64 = 32;
