//! GGUF files: an untrusting reader of their header, and a streaming writer.
//!
//! `header` parses one file's header, `shards` puts the headers of a split model together, `reader`
//! fetches tensor data, `foreign` names what is no GGUF file, `writer` writes files.
//!
//! candle has a reader too, but it allocates what a file's counts and lengths
//! claim, which aborts on a corrupt file; here each is held against the file's
//! size first.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

mod alignment;
mod float16;
pub(crate) mod foreign;
mod header;
mod iq4;
mod reader;
mod shards;
mod tensor_info;
mod tensor_type;
mod type_names;
mod value;
mod writer;

pub use alignment::DEFAULT_ALIGNMENT;
pub(crate) use float16::f16_to_f32;
pub(crate) use iq4::IQ4_VALUES;
pub use reader::Reader;
pub use shards::{open_shards, shard_paths};
pub use tensor_info::TensorInfo;
pub use tensor_type::TensorType;
pub use value::{Metadata, Value};
pub use writer::{TensorPlan, Writer};
