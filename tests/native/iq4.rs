//! Files of the types IQ4_NL and IQ4_XS. A weight of theirs is a byte of a table times a scale, so that
//! Q8_0 can hold the same weights: both files give the same scores.

use qwen3_rerank::gguf::TensorType;
use qwen3_rerank::{RerankRequest, Score};

use crate::model::{self, Parts, Tensor};

/// ggml's `kvalues_iq4nl`.
const TABLE: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// The index of the table's value that is nearest to a byte of Q8_0.
fn index(quant: u8) -> u8 {
    let distance = |&index: &u8| (TABLE[usize::from(index)] as i16 - (quant as i8) as i16).abs();
    (0..16).min_by_key(distance).expect("sixteen values")
}

/// 32 indices, as both types hold them: the first 16 in the low halves of bytes.
fn nibbles(quants: &[u8]) -> Vec<u8> {
    (0..16).map(|i| index(quants[i]) | index(quants[i + 16]) << 4).collect()
}

/// Replaces a tensor of Q8_0 by one in IQ4, and the original by the same weights in Q8_0.
fn convert(tensor: &mut Tensor, dtype: TensorType) -> Tensor {
    let mut converted = Tensor { type_id: dtype.id(), data: Vec::new(), ..tensor.clone() };
    let blocks = dtype.block_size() / 32;
    for superblock in tensor.data.chunks_exact_mut(blocks * 34) {
        // One scale for all blocks of a superblock, whose own scales are 33 − 32.
        let scale = [superblock[0], superblock[1]];
        converted.data.extend(scale);
        if dtype == TensorType::IQ4XS {
            converted.data.extend([0xaa, 0xaa, 0x11, 0x11, 0x11, 0x11]);
        }
        for block in superblock.chunks_exact_mut(34) {
            converted.data.extend(nibbles(&block[2..]));
            block[..2].copy_from_slice(&scale);
            for quant in &mut block[2..] {
                *quant = TABLE[usize::from(index(*quant))] as u8;
            }
        }
    }
    converted
}

#[test]
fn a_file_of_iq4_scores_as_the_same_weights_in_q8_0_to_the_bit() {
    let mut in_q8_0 = Parts::committed();
    let mut in_iq4 = in_q8_0.clone();
    let mut types = Vec::new();
    for (tensor, converted) in in_q8_0.tensors.iter_mut().zip(&mut in_iq4.tensors) {
        if tensor.type_id == TensorType::Q8_0.id() {
            let is_long = tensor.dims[0] % 256 == 0;
            let dtype = if is_long { TensorType::IQ4XS } else { TensorType::IQ4NL };
            *converted = convert(tensor, dtype);
            types.push(dtype);
        }
    }
    assert!(types.contains(&TensorType::IQ4NL) && types.contains(&TensorType::IQ4XS));
    let documents = ["Paris is the capital of France.", "A goat stands on a roof.", "42"];
    let request = RerankRequest::new("capital of France", documents.map(String::from).into());
    let scores = |parts: &Parts| -> Vec<(usize, Score)> {
        let reranker = model::load(&parts.to_bytes()).expect("the model loads");
        let ranking = reranker.rerank(&request).expect("the request is answered");
        ranking.results.iter().map(|ranked| (ranked.index, ranked.score)).collect()
    };
    let (expected, found) = (scores(&in_q8_0), scores(&in_iq4));
    assert_eq!(found, expected);
    assert_ne!(expected, scores(&Parts::committed()), "the weights were not rounded");
}
