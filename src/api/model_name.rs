//! Comparing the names that clients send with those of loaded models.

use std::sync::LazyLock;

use regex::Regex;

/// Whether two names mean the same model: compared without owner, case, spaces, `-`, `_`, the
/// ending `.gguf`, the number of a shard and the quantization. So `Qwen/Qwen3-Reranker-0.6B`,
/// "Qwen3 Reranker 0.6B" and `Qwen3-Reranker-0.6B-Q8_0.gguf` are the same.
pub(crate) fn is_same_model(a: &str, b: &str) -> bool {
    comparable(a) == comparable(b)
}

fn comparable(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name).trim().to_lowercase();
    let name = name.strip_suffix(".gguf").unwrap_or(&name);
    let name = SHARD.replace(name, "");
    let name = QUANTIZATION.replace(&name, "");
    name.chars().filter(|c| !matches!(c, '-' | '_') && !c.is_whitespace()).collect()
}

/// The end of the name of one of several files, such as `-00001-of-00003`.
static SHARD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-[0-9]{5}-of-[0-9]{5}$").expect("the pattern is valid: bug"));

/// The names that llama.cpp's files give to types, with what publishers put before them.
static QUANTIZATION: LazyLock<Regex> = LazyLock::new(|| {
    let types = r"f32|f16|bf16|q[0-9]_k(_(xs|s|m|l|xl))?|q[0-9]_[0-9](_[0-9]_[0-9])?|iq[0-9]_(xxs|xs|s|m|nl)|tq[12]_0|mxfp4|nvfp4";
    Regex::new(&format!(r"[-_.: ](i1-|ud-)?({types})$")).expect("the pattern is valid: bug")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_owner_spelling_and_quantization() {
        for name in [
            "Qwen3 Reranker 0.6B",
            "Qwen/Qwen3-Reranker-0.6B",
            "qwen3_reranker_0.6b",
            "Qwen3-Reranker-0.6B.gguf",
            "Qwen3-Reranker-0.6B-Q8_0.gguf",
            "Qwen3-Reranker-0.6B.Q4_K_M.gguf",
            "Qwen3-Reranker-0.6B-f16",
            "a/b/Qwen3-Reranker-0.6B-UD-IQ4_XS.GGUF",
            "hf.co/Qwen/Qwen3-Reranker-0.6B:Q5_1",
            "Qwen3-Reranker-0.6B-Q4_0_4_4",
            "Qwen3-Reranker-0.6B-BF16-00001-of-00002.gguf",
            " Qwen3-Reranker-0.6B ",
        ] {
            assert!(is_same_model(name, "Qwen/Qwen3-Reranker-0.6B"), "{name}");
        }
    }

    #[test]
    fn other_models_stay_others() {
        for (a, b) in [
            ("Qwen3-Reranker-0.6B", "Qwen3-Reranker-4B"),
            ("Qwen3-Reranker-0.6B", "Qwen3-Reranker-06B"),
            ("Qwen3-Reranker", "Qwen3-Embedding"),
            ("bge-reranker-v2-m3", "bge-reranker-v2"),
            ("Q8_0", ""),
        ] {
            assert!(!is_same_model(a, b), "{a} and {b}");
        }
    }
}
