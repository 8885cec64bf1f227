//! Packs the weights of layers as they are read from a file.

use std::collections::HashMap;

use super::layer::Layer;
use crate::Result;
use crate::kernel::Linear;
use crate::model::weights::{RawTensor, TensorSink};

/// Takes the tensors of layers, packed for the kernels.
#[derive(Default)]
pub struct LayerSink {
    layers: Vec<PackedTensors>,
}

/// The tensors of one layer by name.
#[derive(Default)]
struct PackedTensors {
    vectors: HashMap<&'static str, Vec<f32>>,
    matrices: HashMap<&'static str, Linear>,
}

impl TensorSink for LayerSink {
    fn take(&mut self, tensor: RawTensor<'_>) -> Result<()> {
        let RawTensor { layer, part, shape, dtype, blocks } = tensor;
        if self.layers.len() <= layer {
            self.layers.resize_with(layer + 1, PackedTensors::default);
        }
        let packed = &mut self.layers[layer];
        match *shape {
            [outputs, inputs] => {
                packed.matrices.insert(part, Linear::new(dtype, &blocks, outputs, inputs));
            }
            _ => {
                packed.vectors.insert(part, dtype.dequantize(&blocks)?);
            }
        }
        Ok(())
    }
}

impl LayerSink {
    /// The layers, once all of their tensors have come.
    pub fn into_layers(self) -> Vec<Layer> {
        self.layers.into_iter().map(PackedTensors::into_layer).collect()
    }
}

impl PackedTensors {
    fn into_layer(mut self) -> Layer {
        let mut vector = |part| self.vectors.remove(part).expect("all vectors are read: bug");
        let mut matrix = |part| self.matrices.remove(part).expect("all matrices are read: bug");
        Layer {
            attn_norm: vector("attn_norm"),
            attn_q: matrix("attn_q"),
            attn_k: matrix("attn_k"),
            attn_v: matrix("attn_v"),
            attn_output: matrix("attn_output"),
            attn_q_norm: vector("attn_q_norm"),
            attn_k_norm: vector("attn_k_norm"),
            ffn_norm: vector("ffn_norm"),
            ffn_gate: matrix("ffn_gate"),
            ffn_up: matrix("ffn_up"),
            ffn_down: matrix("ffn_down"),
        }
    }
}
