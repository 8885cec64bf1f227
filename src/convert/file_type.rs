//! The types that a model file can be written in, and which one each tensor gets.

use crate::gguf::TensorType;
use crate::model::tensors::{CLASSIFIER, EMBEDDING, OUTPUT, layer_part};

/// How the matrices of a file are stored; vectors are always F32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(missing_docs)] // The variants are ggml's own names.
pub enum FileType {
    F32,
    F16,
    Bf16,
    #[value(name = "q4_0")]
    Q4_0,
    #[value(name = "q4_1")]
    Q4_1,
    #[value(name = "q5_0")]
    Q5_0,
    #[value(name = "q5_1")]
    Q5_1,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "q2_k")]
    Q2K,
    #[value(name = "q3_k")]
    Q3K,
    #[value(name = "q4_k")]
    Q4K,
    #[value(name = "q5_k")]
    Q5K,
    #[value(name = "q6_k")]
    Q6K,
    /// Q4_K, and Q6_K for the tensors whose rounding costs most.
    #[value(name = "q4_k_m")]
    Q4KM,
}

impl FileType {
    /// The number for `general.file_type` (`enum llama_ftype` in llama.h). The
    /// unmixed K types go by the names of llama.cpp's smallest mixes.
    pub fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 7,
            Self::Q5_0 => 8,
            Self::Q5_1 => 9,
            Self::Q2K => 10,
            Self::Q3K => 11,
            Self::Q4K => 14,
            Self::Q4KM => 15,
            Self::Q5K => 16,
            Self::Q6K => 18,
            Self::Bf16 => 32,
        }
    }

    /// What most matrices are stored as.
    fn base(self) -> TensorType {
        match self {
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Bf16 => TensorType::BF16,
            Self::Q4_0 => TensorType::Q4_0,
            Self::Q4_1 => TensorType::Q4_1,
            Self::Q5_0 => TensorType::Q5_0,
            Self::Q5_1 => TensorType::Q5_1,
            Self::Q8_0 => TensorType::Q8_0,
            Self::Q2K => TensorType::Q2K,
            Self::Q3K => TensorType::Q3K,
            Self::Q4K | Self::Q4KM => TensorType::Q4K,
            Self::Q5K => TensorType::Q5K,
            Self::Q6K => TensorType::Q6K,
        }
    }

    /// The type that tensor `name` should get in a model of `layers` layers;
    /// `tied` when the embedding serves as the head too.
    ///
    /// The mix follows `llama_tensor_get_type` in llama.cpp's quantizer.
    pub fn wanted(self, name: &str, dims: &[usize], layers: usize, tied: bool) -> TensorType {
        if dims.len() < 2 || name == CLASSIFIER {
            return TensorType::F32;
        }
        let sensitive = match name {
            OUTPUT => true,
            EMBEDDING => tied,
            _ => layer_part(name).is_some_and(|(index, part)| {
                matches!(part, "attn_v" | "ffn_down") && more_bits(index, layers)
            }),
        };
        if self == Self::Q4KM && sensitive { TensorType::Q6K } else { self.base() }
    }
}

/// What a matrix with rows of `columns` values can be stored as where `wanted`
/// does not fit its rows: llama.cpp's choice, save that Q4_0 stands for its IQ4_NL.
pub fn fallback(wanted: TensorType, columns: usize) -> TensorType {
    let fits = |dtype: TensorType| columns.is_multiple_of(dtype.block_size());
    if fits(wanted) {
        return wanted;
    }
    let smaller = match wanted {
        TensorType::Q2K | TensorType::Q3K => TensorType::Q4_0,
        TensorType::Q4K => TensorType::Q5_0,
        TensorType::Q5K => TensorType::Q5_1,
        TensorType::Q6K => TensorType::Q8_0,
        _ => TensorType::F16,
    };
    if fits(smaller) { smaller } else { TensorType::F16 }
}

/// The layers to which the mixes give more bits: the first and last eighth,
/// and every third between (`use_more_bits` in llama.cpp's quantizer).
fn more_bits(index: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    index < eighth || index >= 7 * layers / 8 || (index - eighth) % 3 == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_gives_more_bits_where_it_counts() {
        let wanted = |name: &str, tied| FileType::Q4KM.wanted(name, &[256, 256], 28, tied);
        assert_eq!(wanted("token_embd.weight", true), TensorType::Q6K);
        assert_eq!(wanted("token_embd.weight", false), TensorType::Q4K);
        assert_eq!(wanted("output.weight", false), TensorType::Q6K);
        assert_eq!(wanted("blk.0.attn_q.weight", true), TensorType::Q4K);
        let more: Vec<_> = (0..28)
            .filter(|i| wanted(&format!("blk.{i}.ffn_down.weight"), true) == TensorType::Q6K)
            .collect();
        assert_eq!(more, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]);
        assert_eq!(
            FileType::Q4KM.wanted("blk.0.attn_norm.weight", &[256], 28, true),
            TensorType::F32
        );
        assert_eq!(
            FileType::Q8_0.wanted("cls.output.weight", &[2, 256], 28, true),
            TensorType::F32
        );
    }

    #[test]
    fn rows_that_are_not_whole_blocks_fall_back() {
        use TensorType::*;
        for (wanted, at_96) in [(Q2K, Q4_0), (Q3K, Q4_0), (Q4K, Q5_0), (Q5K, Q5_1), (Q6K, Q8_0)] {
            assert_eq!(fallback(wanted, 512), wanted);
            assert_eq!(fallback(wanted, 96), at_96);
            assert_eq!(fallback(wanted, 40), F16);
        }
        assert_eq!(fallback(Q8_0, 40), F16);
        assert_eq!(fallback(F32, 7), F32);
    }
}
