//! Inputs that fuzzing starts from, each accepted by its target.

/// The seeds of a target of `targets.rs`.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "gguf_header" => vec![small_file()],
        "request_json" => REQUESTS.iter().map(|text| text.as_bytes().to_vec()).collect(),
        // The limit in tokens, and that control tokens count; then the text.
        "tokenizer" => TEXTS.iter().map(|text| [&[20, 1], text.as_bytes()].concat()).collect(),
        "template" => TEMPLATES.iter().map(|text| text.as_bytes().to_vec()).collect(),
        _ => panic!("there is no target {target}"),
    }
}

const REQUESTS: [&str; 4] = [
    r#"{"query": "q", "documents": ["a", {"text": "b"}], "top_n": 3, "model": "owner/name", "return_documents": null}"#,
    r#"{"query": "q", "texts": ["a"], "top_k": 2.0, "max_tokens_per_doc": 1e300, "instruct": "i", "return_text": false}"#,
    r#"{"query": "\ud83d\ude00\u0000", "documents": [""], "instruction": "i", "truncate": false, "truncation": false}"#,
    r#"{"query": "q", "documents": ["a"], "templated": true, "control_tokens": true}"#,
];

const TEXTS: [&str; 5] = [
    "The quick brown fox isn't here: 1234,  and\r\n\r\n  gone.\t\n ",
    "<|im_start|>user\n<think>\n\n</think>\n\n<|im_end|><|im_end",
    "e\u{301}\u{338}\u{1e9b}\u{323} ｶﾞ 각 \u{1100}\u{1161}\u{11a8} 👩‍👩‍👧",
    "猫はどこで眠りますか\u{3000}\u{a0}\u{2028} \u{feff}",
    "fn main() { println!(\"{}\", 'x'); } //// ====\n\n\n        return;",
];

const TEMPLATES: [&str; 3] = [
    "<|im_start|>user\n<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}<|im_end|>\n",
    "{{ document }} answers {{query}}: {\"yes\": 1, {} }",
    "Q: {query}\n\n{document}\n\nA:",
];

/// Metadata of a small model, by type.
const STRINGS: [(&str, &str); 4] = [
    ("general.architecture", "qwen3"),
    ("general.name", "small"),
    ("tokenizer.ggml.model", "gpt2"),
    ("tokenizer.ggml.pre", "qwen2"),
];
const COUNTS: [(&str, u32); 7] = [
    ("qwen3.block_count", 1),
    ("qwen3.embedding_length", 32),
    ("qwen3.feed_forward_length", 32),
    ("qwen3.attention.head_count", 2),
    ("qwen3.attention.head_count_kv", 1),
    ("qwen3.attention.key_length", 16),
    ("qwen3.context_length", 1024),
];
const FLOATS: [(&str, f32); 2] =
    [("qwen3.rope.freq_base", 1e6), ("qwen3.attention.layer_norm_rms_epsilon", 1e-6)];
/// Tokens behind those of the single bytes; those in brackets are control tokens.
const TOKENS: [&str; 7] = ["ye", "yes", "no", "<|im_start|>", "<|im_end|>", "<think>", "</think>"];
const MERGES: [&str; 3] = ["y e", "ye s", "n o"];
/// Name, dimensions from the innermost, type (F32 is 0, Q8_0 is 8) and offset.
const TENSORS: [(&str, &[u64], u32, u64); 2] =
    [("output_norm.weight", &[32], 0, 0), ("blk.0.attn_q.weight", &[32, 32], 8, 128)];

/// A GGUF file of about 8 KB: a whole header with the smallest vocabulary, and two tensors.
fn small_file() -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend((TENSORS.len() as u64).to_le_bytes());
    out.extend(((STRINGS.len() + COUNTS.len() + FLOATS.len() + 3) as u64).to_le_bytes());
    for (key, value) in STRINGS {
        put_key(&mut out, key, 8);
        put_text(&mut out, value);
    }
    for (key, value) in COUNTS {
        put_key(&mut out, key, 4);
        out.extend(value.to_le_bytes());
    }
    for (key, value) in FLOATS {
        put_key(&mut out, key, 6);
        out.extend(value.to_le_bytes());
    }
    put_vocabulary(&mut out);
    for (name, dims, kind, offset) in TENSORS {
        put_text(&mut out, name);
        out.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
        out.extend(kind.to_le_bytes());
        out.extend(offset.to_le_bytes());
    }
    out.resize(out.len().next_multiple_of(32) + 128 + 32 * 34, 0);
    out
}

fn put_vocabulary(out: &mut Vec<u8>) {
    let tokens: Vec<String> =
        (0..256).map(letter).chain(TOKENS.iter().map(ToString::to_string)).collect();
    let merges: Vec<String> = MERGES.iter().map(ToString::to_string).collect();
    for (key, items) in [("tokenizer.ggml.tokens", &tokens), ("tokenizer.ggml.merges", &merges)] {
        put_key(out, key, 9);
        out.extend(8u32.to_le_bytes());
        out.extend((items.len() as u64).to_le_bytes());
        items.iter().for_each(|item| put_text(out, item));
    }
    put_key(out, "tokenizer.ggml.token_type", 9);
    out.extend(5u32.to_le_bytes());
    out.extend((tokens.len() as u64).to_le_bytes());
    for token in &tokens {
        let kind: i32 = if token.len() > 3 { 3 } else { 1 };
        out.extend(kind.to_le_bytes());
    }
}

fn put_key(out: &mut Vec<u8>, key: &str, kind: u32) {
    put_text(out, key);
    out.extend(kind.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The letter that stands for a byte in a vocabulary: itself if it prints, else one from U+0100 on.
fn letter(byte: u32) -> String {
    let prints = |b: &u32| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..byte).filter(|b| !prints(b)).count() as u32;
    let code = if prints(&byte) { byte } else { 0x100 + others };
    char::from_u32(code).expect("it is a letter").to_string()
}
