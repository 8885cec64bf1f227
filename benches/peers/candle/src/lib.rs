//! candle-transformers' Qwen3 of a GGUF file, as its own examples use it.

use std::io::{Read, Seek};

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, IndexOp, Result, Tensor};
use candle_transformers::models::quantized_qwen3::ModelWeights;

/// A loaded model.
#[cfg_attr(target_arch = "wasm32", wasm_bindgen::prelude::wasm_bindgen)]
pub struct Peer(ModelWeights);

impl Peer {
    /// Loads a GGUF file.
    pub fn load<R: Read + Seek>(mut source: R) -> Result<Self> {
        let content = Content::read(&mut source)?;
        ModelWeights::from_gguf(content, &mut source, &Device::Cpu).map(Self)
    }

    /// Reads a prompt from its beginning: the logits behind its last token.
    pub fn prompt(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        self.0.clear_kv_cache();
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        self.0.forward(&ids, 0)?.i(0)?.to_vec1()
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use wasm_bindgen::prelude::*;

    use super::{Peer, Result};

    fn thrown<T>(result: Result<T>) -> std::result::Result<T, JsError> {
        result.map_err(|error| JsError::new(&error.to_string()))
    }

    #[wasm_bindgen]
    impl Peer {
        /// Loads a GGUF file's bytes.
        #[wasm_bindgen(constructor)]
        pub fn new(file: Vec<u8>) -> std::result::Result<Peer, JsError> {
            thrown(Self::load(std::io::Cursor::new(file)))
        }

        /// Reads a prompt: the logits behind its last token.
        pub fn read(&mut self, ids: &[u32]) -> std::result::Result<Vec<f32>, JsError> {
            thrown(self.prompt(ids))
        }
    }
}
