//! Quantizing checkpoints and GGUF files, and what is refused.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use clap::ValueEnum;
use qwen3_rerank::convert::quantize;
use qwen3_rerank::convert::random::{FileType, RandomModel};
use qwen3_rerank::gguf::{Reader, TensorType, Value};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::model::Parts;
use super::random::{file, small};

fn reader(bytes: &[u8]) -> Reader<Cursor<Vec<u8>>> {
    Reader::new(Cursor::new(bytes.to_vec())).unwrap()
}

fn run(
    from: &Path,
    options: impl Into<quantize::Options>,
    out: &Path,
) -> Result<quantize::Report, String> {
    quantize::run(from, options, out, &mut |_, _| {}).map_err(|error| error.to_string())
}

/// The official name of a tensor.
fn official(name: &str) -> String {
    let parts = [
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("blk.", "model.layers."),
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("attn_output", "self_attn.o_proj"),
        ("attn_q_norm", "self_attn.q_norm"),
        ("attn_k_norm", "self_attn.k_norm"),
        ("attn_q.", "self_attn.q_proj."),
        ("attn_k.", "self_attn.k_proj."),
        ("attn_v.", "self_attn.v_proj."),
        ("ffn_", "mlp."),
        ("gate.", "gate_proj."),
        ("up.", "up_proj."),
        ("down.", "down_proj."),
    ];
    let name = if name == "output.weight" { "lm_head.weight" } else { name };
    parts.iter().fold(name.to_string(), |name, (ours, theirs)| name.replacen(ours, theirs, 1))
}

/// A checkpoint folder with the weights of a random BF16 model; each shard
/// gets the tensors that come to it in turn.
fn checkpoint(model: &RandomModel, shards: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut source = reader(&file(model));
    let mut files = vec![Vec::new(); shards];
    let mut map = serde_json::Map::new();
    let names: Vec<String> = source.tensors.keys().cloned().collect();
    for (i, name) in names.into_iter().filter(|name| name != "cls.output.weight").enumerate() {
        let info = source.info(&name).unwrap().clone();
        let data = source.bytes(&name, 0, info.size as usize).unwrap();
        let dtype = if info.dtype == TensorType::F32 { Dtype::F32 } else { Dtype::BF16 };
        files[i % shards].push((official(&name), dtype, info.dims, data));
        map.insert(official(&name), json!(shard(i % shards, shards)));
    }
    for (i, tensors) in files.iter().enumerate() {
        let views = tensors.iter().map(|(name, dtype, dims, data)| {
            (name, TensorView::new(*dtype, dims.clone(), data).unwrap())
        });
        let path = folder.path().join(shard(i, shards));
        safetensors::serialize_to_file(views, None, &path).unwrap();
    }
    if shards > 1 {
        let index = json!({"metadata": {}, "weight_map": map});
        fs::write(folder.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    }
    write_json(folder.path(), "config.json", &config(model));
    write_json(folder.path(), "tokenizer.json", &tokenizer(&source));
    folder
}

fn shard(index: usize, count: usize) -> String {
    match count {
        1 => "model.safetensors".to_string(),
        _ => format!("model-{:05}-of-{count:05}.safetensors", index + 1),
    }
}

fn write_json(folder: &Path, name: &str, json: &Json) {
    fs::write(folder.join(name), json.to_string()).unwrap();
}

fn config(model: &RandomModel) -> Json {
    let config = &model.config;
    json!({
        "architectures": ["Qwen3ForCausalLM"], "hidden_act": "silu", "rope_scaling": null,
        "num_hidden_layers": config.num_hidden_layers, "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads, "head_dim": config.head_dim,
        "max_position_embeddings": 40960, "rope_theta": 1000000, "rms_norm_eps": 1e-6,
        "tie_word_embeddings": config.tie_word_embeddings,
    })
}

/// A tokenizer.json with the vocabulary of a GGUF file.
fn tokenizer(source: &Reader<Cursor<Vec<u8>>>) -> Json {
    let tokens = source.metadata.texts("tokenizer.ggml.tokens").unwrap().unwrap();
    let kinds = source.metadata.counts("tokenizer.ggml.token_type").unwrap().unwrap();
    let merges = source.metadata.texts("tokenizer.ggml.merges").unwrap().unwrap();
    let (mut vocab, mut added) = (serde_json::Map::new(), Vec::new());
    for (id, (token, kind)) in tokens.into_iter().zip(kinds).enumerate() {
        match kind {
            1 => drop(vocab.insert(token.to_string(), json!(id))),
            _ => added.push(json!({"id": id, "content": token, "special": kind == 3})),
        }
    }
    json!({
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": QWEN2}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        ]},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
    })
}

/// `PRETOKENIZE_REGEX` of transformers' tokenization_qwen2.py.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Asserts that two files hold the same tensors, the head aside.
fn assert_same_tensors(found: &[u8], expected: &[u8]) {
    let (mut found, mut expected) = (reader(found), reader(expected));
    expected.tensors.remove("output.weight");
    assert!(found.tensors.keys().eq(expected.tensors.keys()));
    for name in expected.tensors.keys().cloned().collect::<Vec<_>>() {
        let (a, b) = (found.info(&name).unwrap().clone(), expected.info(&name).unwrap().clone());
        assert_eq!((&a.dims, a.dtype), (&b.dims, b.dtype), "{name}");
        if name != "cls.output.weight" {
            let a = found.bytes(&name, 0, a.size as usize).unwrap();
            assert!(a == expected.bytes(&name, 0, b.size as usize).unwrap(), "{name} differs");
        }
    }
}

#[test]
fn checkpoints_keep_weights_and_vocabulary() {
    for (tied, shards) in [(true, 1), (false, 3)] {
        let mut model = small(FileType::Bf16, 64);
        model.config.tie_word_embeddings = tied;
        model.output = true;
        let folder = checkpoint(&model, shards);
        let out = folder.path().join("out.gguf");
        let report = run(folder.path(), FileType::Bf16, &out).unwrap();
        assert!(report.fallbacks.is_empty() && report.requantized == 0);
        let (found, expected) = (fs::read(&out).unwrap(), file(&model));
        assert_same_tensors(&found, &expected);
        let (mut found, mut expected) = (reader(&found), reader(&expected));
        let head = |reader: &mut Reader<_>| reader.bytes("cls.output.weight", 0, 512).unwrap();
        assert_eq!(head(&mut found), head(&mut expected));
        for (key, value) in &expected.metadata.0 {
            if key != "general.name" {
                assert!(found.metadata.get(key) == Some(value), "{key}");
            }
        }
    }
}

#[test]
fn unprefixed_names_and_other_spellings_of_config_are_read() {
    let model = small(FileType::Bf16, 64);
    let folder = checkpoint(&model, 1);
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let stripped: Vec<_> = tensors
        .iter()
        .map(|(name, view)| (name.strip_prefix("model.").unwrap().to_string(), view))
        .collect();
    let inner = folder.path().join("inner.safetensors");
    safetensors::serialize_to_file(stripped, None, &inner).unwrap();
    fs::rename(inner, path).unwrap();
    let mut config = config(&model);
    config["rope_parameters"] = json!({"rope_theta": 1e6, "rope_type": "default"});
    for key in ["rope_theta", "rope_scaling", "tie_word_embeddings"] {
        config.as_object_mut().unwrap().remove(key);
    }
    write_json(folder.path(), "config.json", &config);
    let out = folder.path().join("out.gguf");
    run(folder.path(), FileType::Bf16, &out).unwrap();
    assert_same_tensors(&fs::read(out).unwrap(), &file(&model));
}

/// A small model whose rows are all of whole blocks of 256 values, as the K types need: eight heads
/// of 32.
fn with_rows_for_k_types() -> RandomModel {
    let mut model = small(FileType::F32, 256);
    model.config.num_attention_heads = 8;
    model
}

#[test]
fn gguf_files_become_files_of_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let [from, out] = ["from.gguf", "out.gguf"].map(|name| folder.path().join(name));
    let mut model = with_rows_for_k_types();
    model.cls = false;
    fs::write(&from, file(&model)).unwrap();
    for &file_type in FileType::value_variants() {
        let report = run(&from, file_type, &out).unwrap();
        assert!(report.fallbacks.is_empty(), "{file_type:?}: {report:?}");
        let direct = RandomModel { file_type, cls: true, ..model.clone() };
        let found = fs::read(&out).unwrap();
        assert_same_tensors(&found, &file(&direct));
        assert_eq!(report.tensors, reader(&found).tensors.len());
        // Blocks of the same type are carried over as they are.
        let again = folder.path().join("again.gguf");
        assert_eq!(run(&out, file_type, &again).unwrap().requantized, 0);
        assert!(fs::read(&again).unwrap() == found, "{file_type:?}");
    }
    assert!(run(&out, FileType::Q4_0, &folder.path().join("third.gguf")).unwrap().requantized > 0);
}

#[test]
fn token_vectors_may_have_a_type_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let [from, out] = ["from.gguf", "out.gguf"].map(|name| folder.path().join(name));
    fs::write(&from, file(&with_rows_for_k_types())).unwrap();
    let written = |token_embedding_type| {
        let mut options = quantize::Options::from(FileType::Q8_0);
        options.token_embedding_type = token_embedding_type;
        run(&from, options, &out).unwrap();
        reader(&fs::read(&out).unwrap())
    };
    let (plain, mixed) = (written(None), written(Some(FileType::Q6K)));
    for (name, info) in &plain.tensors {
        let vectors = name == "token_embd.weight";
        let expected = if vectors { TensorType::Q6K } else { info.dtype };
        assert_eq!(mixed.tensors[name].dtype, expected, "{name}");
    }
    assert_eq!(plain.tensors["token_embd.weight"].dtype, TensorType::Q8_0);
}

#[test]
fn rows_that_do_not_fit_fall_back_and_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let [from, out] = ["from.gguf", "out.gguf"].map(|name| folder.path().join(name));
    let mut model = small(FileType::F32, 96);
    (model.config.intermediate_size, model.config.num_attention_heads) = (40, 8);
    fs::write(&from, file(&model)).unwrap();
    let report = run(&from, FileType::Q4K, &out).unwrap();
    let told: Vec<_> = report.fallbacks.iter().map(ToString::to_string).collect();
    let gate = "blk.0.ffn_gate.weight: rows of 96 values do not fit Q4_K; written as Q5_0";
    let down = "blk.1.ffn_down.weight: rows of 40 values do not fit Q4_K; written as F16";
    assert!(told.iter().any(|line| line == gate), "{told:?}");
    assert!(told.iter().any(|line| line == down), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("attn_output")), "{told:?}");
}

#[test]
fn candle_reads_what_is_written() {
    let mut bytes = Cursor::new(file(&small(FileType::Q4KM, 256)));
    let content = candle_core::quantized::gguf_file::Content::read(&mut bytes).unwrap();
    let tensor = content.tensor(&mut bytes, "token_embd.weight", &Device::Cpu).unwrap();
    assert_eq!(tensor.dtype(), GgmlDType::Q6K);
    let values = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
    let mut reader = reader(bytes.get_ref());
    let ours = reader.blocks("token_embd.weight").unwrap();
    assert_eq!(values.to_vec1::<f32>().unwrap(), TensorType::Q6K.dequantize(&ours).unwrap());
}

/// Changes one file of a good checkpoint, and gives the error.
fn broken(change: impl FnOnce(&Path)) -> String {
    let folder = checkpoint(&small(FileType::Bf16, 64), 1);
    change(folder.path());
    let out = folder.path().join("out.gguf");
    let error = run(folder.path(), FileType::Q8_0, &out).unwrap_err();
    assert!(!out.exists() && !leaves_partial(folder.path()), "{error}");
    assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    error
}

fn leaves_partial(folder: &Path) -> bool {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.into_iter().any(|name| name.to_string_lossy().ends_with(".partial"))
}

fn edit(name: &'static str, change: impl Fn(&mut Json)) -> impl Fn(&Path) {
    move |folder| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let mut json = serde_json::from_str(&text).unwrap();
        change(&mut json);
        write_json(folder, name, &json);
    }
}

#[test]
fn broken_configs_are_refused() {
    let with = |key: &'static str, value: Json| {
        broken(edit("config.json", move |config| config[key] = value.clone()))
    };
    for (error, expected) in [
        (with("hidden_size", Json::Null), "config.json: hidden_size is missing"),
        (with("num_hidden_layers", json!(0)), "num_hidden_layers: is 0; must be from 1 to 1024"),
        (with("num_hidden_layers", json!(1 << 20)), "num_hidden_layers: is 1048576; must be from"),
        (with("hidden_size", json!("64")), "config.json: hidden_size is missing, or no count"),
        (with("rope_theta", json!("x")), "rope_theta is missing, or no positive number"),
        (
            with("num_hidden_layers", json!(3)),
            "model.layers.2.input_layernorm.weight: the tensor is missing",
        ),
        (with("head_dim", json!(16)), "q_proj.weight: has sizes [128, 64]; [64, 64] are expected"),
        (with("tie_word_embeddings", json!(false)), "lm_head.weight: the tensor is missing"),
        (
            with("architectures", json!(["LlamaForCausalLM"])),
            "LlamaForCausalLM; Qwen3ForCausalLM and Qwen3ForSequenceClassification are read",
        ),
        (
            with("architectures", json!(["Qwen3ForSequenceClassification"])),
            "score.weight: the tensor is missing",
        ),
        (
            with("rope_parameters", json!({"rope_theta": 5e6})),
            "rope_theta is 1000000, but rope_parameters/rope_theta is 5000000",
        ),
        (
            with("rope_parameters", json!({"rope_theta": []})),
            "rope_parameters/rope_theta is missing",
        ),
        (
            with("rope_scaling", json!({"rope_type": "yarn"})),
            "rope_scaling/factor is missing, or no positive number",
        ),
        (
            with("rope_scaling", json!({"rope_type": "yarn", "factor": 0.5})),
            "config.json: factor: is 0.5; must lie between 1 and 10000",
        ),
        (
            with("rope_scaling", json!({"type": "dynamic", "factor": 2})),
            "rope_scaling/type is \"dynamic\"; must be \"default\", \"linear\" or \"yarn\"",
        ),
        (
            with("rope_scaling", json!({"type": "yarn", "rope_type": "linear", "factor": 2})),
            "rope_scaling/rope_type and rope_scaling/type differ",
        ),
        (
            with("rope_scaling", json!({"rope_type": "yarn", "factor": 2, "mscale": 0.7})),
            "rope_scaling/mscale is 0.7, which may change scores",
        ),
        (
            with("rope_scaling", json!({"rope_type": "yarn", "factor": 2, "truncate": false})),
            "rope_scaling/truncate is false; must be true or null",
        ),
        (
            with("rope_parameters", json!({"rope_theta": 1e6, "partial_rotary_factor": 0.5})),
            "rope_parameters/partial_rotary_factor is 0.5; must be 1",
        ),
        (with("partial_rotary_factor", json!(0.5)), "partial_rotary_factor is 0.5; must be 1"),
        (with("is_causal", json!(false)), "is_causal is false; must be true or null"),
        (with("mlp_bias", json!(true)), "mlp_bias is true; must be false or null"),
        (with("logits_scaling", json!(8)), "logits_scaling is 8; must be 1"),
        (with("final_logit_softcapping", json!(30.0)), "final_logit_softcapping is 30.0; must be"),
        (with("num_experts", json!(128)), "num_experts is 128; must be 0"),
        (with("quantization_config", json!({"bits": 4})), "quantization_config is {"),
        (with("model_type", json!("qwen3_moe")), "model_type is \"qwen3_moe\"; must be \"qwen3\""),
        (with("rope_scaling", json!({"type": 5})), "rope_scaling/type is 5; must be"),
        (with("rope_scaling", json!("yarn")), "rope_scaling is \"yarn\"; must be an object"),
        (with("attention_bias", json!(true)), "attention_bias is true; must be false or null"),
        (with("attention_bias", json!("true")), "attention_bias is \"true\"; must be"),
        (with("use_sliding_window", json!(1)), "use_sliding_window is 1; must be"),
        (with("tie_word_embeddings", json!("true")), "tie_word_embeddings is \"true\"; must be"),
        (with("layer_types", json!("full_attention")), "layer_types is \"full_attention\""),
        (
            with("layer_types", json!(["full_attention", "sliding_attention"])),
            "layer_types/1 is \"sliding_attention\"; must be \"full_attention\"",
        ),
        (with("max_position_embeddings", json!(10)), "context_length: is 10; the prompt template"),
        (with("rms_norm_eps", json!(5)), "rms_norm_eps: is 5; must lie between 0 and 1"),
        (with("rope_theta", json!(0.5)), "rope_theta: is 0.5; must be above 1"),
        (with("hidden_act", json!("gelu")), "hidden_act is \"gelu\"; must be \"silu\" or null"),
        (with("hidden_act", json!(5)), "hidden_act is 5; must be"),
        (
            broken(|folder| fs::remove_file(folder.join("config.json")).unwrap()),
            "config.json: No such file",
        ),
        (broken(|folder| fs::write(folder.join("config.json"), "{").unwrap()), "config.json: EOF"),
        (
            broken(|folder| fs::write(folder.join("config.json"), POINTER).unwrap()),
            "config.json: is a Git LFS pointer",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn broken_tokenizers_are_refused() {
    let without = |token: &'static str| {
        broken(edit("tokenizer.json", move |json| {
            drop(json["model"]["vocab"].as_object_mut().unwrap().remove(token));
        }))
    };
    let with = |place: &'static str, value: Json| {
        broken(edit("tokenizer.json", move |json| match json.pointer_mut(place) {
            Some(Json::Array(items)) => items.push(value.clone()),
            Some(old) => *old = value.clone(),
            None => panic!("nothing at {place}"),
        }))
    };
    let id = |token: &'static str, id: u64| {
        broken(edit("tokenizer.json", move |json| json["model"]["vocab"][token] = json!(id)))
    };
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "use_regex": true});
    let missing = broken(|folder| fs::remove_file(folder.join("tokenizer.json")).unwrap());
    for (error, expected) in [
        (missing, "tokenizer.json: No such file"),
        (with("/model/type", json!("Unigram")), "model/type is \"Unigram\"; must be \"BPE\""),
        (with("/model/merges", json!(["a"])), "a merge is not a pair"),
        (with("/model/merges", json!("qqq zzz")), "\"qqq\" is not in the vocabulary"),
        (with("/model/merges", json!("a b c")), "\"b c\" is not in the vocabulary"),
        (id("far", 1 << 40), "tokenizer.json: has ids up to"),
        (id("more", 10_282), "but the embedding only 10282 rows"),
        (id("five", 5), "the id 5 is that of"),
        (without("yes"), "\"yes\" is not in the vocabulary"),
        (with("/added_tokens/7/content", json!("")), "tokenizer.ggml.tokens[10263]: is empty"),
        (with("/normalizer", Json::Null), "normalizer/type is null; must be \"NFC\""),
        (with("/normalizer/type", json!("Lowercase")), "normalizer/type is \"Lowercase\""),
        (with("/pre_tokenizer", bytes.clone()), "pre_tokenizer/type is \"ByteLevel\""),
        (with("/pre_tokenizer/pretokenizers/1", bytes.clone()), "1/add_prefix_space is true"),
        (with("/pre_tokenizer/pretokenizers/1/use_regex", json!(true)), "1/use_regex is true"),
        (with("/pre_tokenizer/pretokenizers", bytes), "pre_tokenizer/pretokenizers/2 is {"),
        (
            with("/pre_tokenizer/pretokenizers/0/pattern/Regex", json!(r"\s+")),
            r#"is "\\s+"; must be"#,
        ),
        (with("/pre_tokenizer/pretokenizers/0/invert", json!(true)), "0/invert is true"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

/// What a checkout without Git LFS has in a file's place.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1200\n";

/// A checkpoint whose embedding is the same for all tokens.
fn equal_rows() -> String {
    broken(|folder| {
        let path = folder.join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        let length = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Json = serde_json::from_slice(&bytes[8..length]).unwrap();
        let place = &header["model.embed_tokens.weight"]["data_offsets"];
        let [start, end] = [0, 1].map(|i| length + place[i].as_u64().unwrap() as usize);
        bytes[start..end].fill(1);
        fs::write(path, bytes).unwrap();
    })
}

#[test]
fn broken_weights_are_refused() {
    let weights = |change: fn(&mut Vec<u8>)| {
        broken(move |folder| {
            let path = folder.join("model.safetensors");
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::write(path, bytes).unwrap();
        })
    };
    let missing = broken(|folder| fs::remove_file(folder.join("model.safetensors")).unwrap());
    let index = broken(|folder| {
        let index = json!({"weight_map": {"a": "../model.safetensors"}});
        write_json(folder, "model.safetensors.index.json", &index);
    });
    #[cfg(unix)]
    let circle = broken(|folder| {
        let index = "model.safetensors.index.json";
        std::os::unix::fs::symlink(index, folder.join(index)).unwrap();
    });
    #[cfg(unix)]
    assert!(circle.contains("/model.safetensors.index.json: "), "{circle}");
    for (error, expected) in [
        (missing, "model.safetensors: No such file"),
        (index, "weight_map holds something else than file names"),
        (weights(Vec::clear), "too short"),
        (weights(|bytes| *bytes = POINTER.into()), "is no safetensors file but a Git LFS pointer"),
        (
            weights(|bytes| *bytes = b"<!doctype html><p>Sign in</p>".to_vec()),
            "is no safetensors file but a web page",
        ),
        (weights(|bytes| bytes[7] = 0xff), "claims a header of"),
        (weights(|bytes| bytes[9] = 0xff), "its header: "),
        (weights(|bytes| bytes.truncate(bytes.len() - 1)), "it is truncated"),
        (equal_rows(), "the rows for \"yes\" and \"no\" are equal"),
        // The last bytes are those of a matrix: NaN in BF16.
        (
            weights(|bytes| bytes.iter_mut().rev().take(2).for_each(|b| *b = 0xff)),
            "not a finite number",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn sources_are_not_overwritten_and_foreign_files_refused() {
    let folder = checkpoint(&small(FileType::Bf16, 64), 1);
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        let path = folder.path().join(name);
        let before = fs::read(&path).unwrap();
        let error = run(folder.path(), FileType::Q8_0, &path).unwrap_err();
        assert!(error.contains("is a file that the model is read from"), "{error}");
        assert!(fs::read(&path).unwrap() == before);
    }
    let weights = folder.path().join("model.safetensors");
    let out = folder.path().join("out.gguf");
    let error = run(&weights, FileType::Q8_0, &out).unwrap_err();
    assert!(error.contains("not a GGUF file"), "{error}");
    let error = run(&folder.path().join("none.gguf"), FileType::Q8_0, &out).unwrap_err();
    assert!(error.contains("none.gguf: No such file"), "{error}");
}

#[test]
fn a_source_that_would_not_load_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from.gguf");
    let refusal = |change: &dyn Fn(&mut Parts)| {
        let mut parts = Parts::committed();
        change(&mut parts);
        fs::write(&from, parts.to_bytes()).unwrap();
        run(&from, FileType::F16, &folder.path().join("out.gguf")).unwrap_err()
    };
    let epsilon = "qwen3.attention.layer_norm_rms_epsilon";
    let error = refusal(&|parts| parts.metadata.retain(|(key, _)| key != epsilon));
    assert!(error.contains("layer_norm_rms_epsilon: the key is missing"), "{error}");
    let error = refusal(&|parts| parts.tensor("cls.output.weight").data.fill(0));
    assert!(error.contains("is all zero"), "{error}");
    let error = refusal(&|parts| {
        parts.tensors.retain(|tensor| tensor.name != "cls.output.weight");
        let embedding = parts.tensor("token_embd.weight");
        embedding.dims[1] = 2;
        embedding.data.truncate(2 * embedding.data.len() / 10_282);
    });
    assert!(error.contains("token_embd.weight: has 2 rows"), "{error}");
    let place = format!("{}: blk.0.attn_norm.weight: holds", from.display());
    let error = refusal(&|parts| parts.tensor("blk.0.attn_norm.weight").data[2..4].fill(0xff));
    assert!(error.contains(&place), "{error}");
    let error = refusal(&|parts| *parts.value("qwen3.context_length") = Value::U32(10));
    assert!(error.contains("qwen3.context_length: is 10; the prompt template"), "{error}");
    assert!(!leaves_partial(folder.path()));
}

#[test]
fn a_swapped_head_is_written_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = Parts::committed();
    let head = parts.tensor("cls.output.weight").data.clone();
    parts.tensor("cls.output.weight").data.rotate_left(head.len() / 2);
    let from = folder.path().join("from.gguf");
    fs::write(&from, parts.to_bytes()).unwrap();
    let out = folder.path().join("out.gguf");
    run(&from, FileType::F16, &out).unwrap();
    let mut written = reader(&fs::read(&out).unwrap());
    assert_eq!(written.bytes("cls.output.weight", 0, head.len()).unwrap(), head);
}

/// The committed model's GGUF with `change` made, quantized as it is.
fn converted(change: impl FnOnce(&mut Parts), any_pooling: bool) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let [from, out] = ["from.gguf", "out.gguf"].map(|name| folder.path().join(name));
    let mut parts = Parts::committed();
    change(&mut parts);
    fs::write(&from, parts.to_bytes()).unwrap();
    let mut options = quantize::Options::from(FileType::Q8_0);
    options.any_pooling = any_pooling;
    run(&from, options, &out).map(|_| fs::read(&out).unwrap())
}

#[test]
fn embedding_models_become_no_rerank_files_unless_asked_for() {
    for kind in [1, 2, 3] {
        let pooled = |parts: &mut Parts| *parts.value("qwen3.pooling_type") = Value::U32(kind);
        let error = converted(pooled, false).unwrap_err();
        assert!(error.contains(&format!("qwen3.pooling_type is {kind} (")), "{error}");
        assert!(error.contains("embedding model and no reranker"), "{error}");
        let written = reader(&converted(pooled, true).unwrap());
        assert_eq!(written.metadata.get("qwen3.pooling_type"), Some(&Value::U32(4)));
    }
}

#[test]
fn checkpoints_that_pool_hidden_states_are_refused_unless_asked_for() {
    let folder = checkpoint(&small(FileType::Bf16, 64), 1);
    let out = folder.path().join("out.gguf");
    let module = |name: &str| json!([{"idx": 1, "path": "1", "type": name}]);
    let refused = || run(folder.path(), FileType::Q8_0, &out).unwrap_err();
    write_json(folder.path(), "modules.json", &module("sentence_transformers.models.Pooling"));
    let error = refused();
    assert!(
        error.contains("modules.json pools hidden states: it is an embedding model"),
        "{error}"
    );
    let mut options = quantize::Options::from(FileType::Q8_0);
    options.any_pooling = true;
    run(folder.path(), options, &out).unwrap();
    // A cross-encoder has modules too.
    let scores = "sentence_transformers.cross_encoder.modules.LogitScore";
    write_json(folder.path(), "modules.json", &module(scores));
    run(folder.path(), FileType::Q8_0, &out).unwrap();
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    assert!(refused().contains("1_Pooling pools hidden states"));
}

#[test]
fn a_classifier_checkpoint_becomes_a_file_with_one_row() {
    let model = small(FileType::Bf16, 64);
    let folder = checkpoint(&model, 1);
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let row: Vec<u8> = (0..64).flat_map(|i| (i as f32 / 64.0).to_le_bytes()).collect();
    let save = |sizes: &[usize], data: &[u8]| {
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let score = TensorView::new(Dtype::F32, sizes.to_vec(), data).unwrap();
        let all = tensors.iter().map(|(name, view)| (name.to_string(), view));
        let all: Vec<_> = all.chain([("score.weight".to_string(), score)]).collect();
        safetensors::serialize_to_file(all, None, &path).unwrap();
    };
    let mut config = config(&model);
    config["architectures"] = json!(["Qwen3ForSequenceClassification"]);
    write_json(folder.path(), "config.json", &config);
    let out = folder.path().join("out.gguf");
    for sizes in [&[1, 64][..], &[64]] {
        save(sizes, &row);
        run(folder.path(), FileType::F32, &out).unwrap();
        let mut written = reader(&fs::read(&out).unwrap());
        assert_eq!(written.info("cls.output.weight").unwrap().dims, [64]);
        assert_eq!(written.bytes("cls.output.weight", 0, 256).unwrap(), row);
        assert_eq!(written.metadata.get("qwen3.classifier.output_labels"), None);
        let loaded = super::model::load(&fs::read(&out).unwrap()).unwrap();
        assert_eq!(loaded.info().head, qwen3_rerank::Head::OneRow);
    }
    save(&[2, 64], &row.repeat(2));
    let error = run(folder.path(), FileType::F32, &out).unwrap_err();
    assert!(error.contains("score.weight: has sizes [2, 64]; [1, 64] are a reranker's"), "{error}");
    save(&[1, 64], &[0; 256]);
    let error = run(folder.path(), FileType::F32, &out).unwrap_err();
    assert!(error.contains("score.weight: its row is all zero"), "{error}");
}

#[test]
fn a_scaled_rope_is_carried_into_the_file() {
    let folder = checkpoint(&small(FileType::Bf16, 64), 1);
    let out = folder.path().join("out.gguf");
    let info = |config: Json| {
        let mut whole = self::config(&small(FileType::Bf16, 64));
        whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        write_json(folder.path(), "config.json", &whole);
        run(folder.path(), FileType::Bf16, &out).unwrap();
        let loaded = super::model::load(&fs::read(&out).unwrap()).unwrap();
        serde_json::to_value(loaded.info()).unwrap()["rope_scaling"].clone()
    };
    let scaling = json!({"rope_type": "yarn", "factor": 4.0,
        "original_max_position_embeddings": 32768});
    let expected = json!({"rope_type": "yarn", "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0,
        "original_max_position_embeddings": 32768, "attention_factor": 0.1 * 4f64.ln() + 1.0});
    assert_eq!(info(json!({"rope_scaling": scaling})), expected);
    let newer = json!({"rope_theta": null, "rope_scaling": null, "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 1e6, "original_max_position_embeddings": 10240}});
    let mut expected = expected;
    // 40960 tokens are four times as many.
    expected["original_max_position_embeddings"] = json!(10240);
    assert_eq!(info(newer), expected);
    let stated = json!({"type": "yarn", "factor": 4.0, "beta_fast": 16, "beta_slow": 2,
        "original_max_position_embeddings": 100, "attention_factor": 1.5});
    let found = info(json!({"rope_scaling": stated}));
    assert_eq!((&found["beta_fast"], &found["beta_slow"]), (&json!(16.0), &json!(2.0)));
    assert!((found["attention_factor"].as_f64().unwrap() - 1.5).abs() < 1e-6, "{found}");
    let linear = json!({"rope_scaling": {"type": "linear", "factor": 2.0}});
    assert_eq!(info(linear), json!({"rope_type": "linear", "factor": 2.0}));
    assert_eq!(info(json!({"rope_scaling": {"type": "linear", "factor": 1.0}})), Json::Null);
}
