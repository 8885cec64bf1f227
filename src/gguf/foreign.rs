//! What a file is that is found in a model's place, and what its owner can do about it.

/// Bytes from the start of a file that tell what it is.
pub(crate) const START: usize = 512;

/// Starts of files, what they are, and what to do.
const KINDS: &[(&[u8], &str)] = &[
    (
        b"version https://git-lfs",
        "a Git LFS pointer, which only stands for the file: fetch it with `git lfs pull`",
    ),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"PK\x03\x04", "a zip archive, or a PyTorch checkpoint: unpack or convert it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"\x80\x02", "a PyTorch checkpoint: convert it first"),
    (b"lmgg", OLD),
    (b"fmgg", OLD),
    (b"tjgg", OLD),
    (b"algg", OLD),
    (b"ggml", OLD),
    (b"ggjt", OLD),
    (b"GGML", OLD),
    (b"GGJT", OLD),
    (b"FUGG", "a big-endian GGUF file: convert it to little-endian"),
];

const OLD: &str = "of a format older than GGUF (GGML, GGMF or GGJT): convert the model anew";
const PAGE: &str = "a web page: take the address that downloads the file (with /resolve/ in place of \
                    /blob/ on model hubs), not that of the page about it";
const JSON: &str = "JSON, maybe an error message of where it was downloaded: look into it";
const SAFETENSORS: &str =
    "a safetensors file: make a GGUF file of its folder with `qwen3-rerank quantize`";
const ZEROS: &str = "zeros: the download did not finish";

/// What a file of `size` bytes that starts with `start` is, if it is a known kind that is not GGUF.
pub(crate) fn describe(start: &[u8], size: u64) -> Option<&'static str> {
    if let Some((_, kind)) = KINDS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(kind);
    }
    if is_safetensors(start, size) {
        return Some(SAFETENSORS);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let page = |tag: &[u8]| text.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag));
    match text.first() {
        Some(b'<') if page(b"<!doctype html") || page(b"<html") || page(b"<?xml") => Some(PAGE),
        Some(b'{' | b'[') => Some(JSON),
        _ if start.len() >= 16 && start.iter().all(|&byte| byte == 0) => Some(ZEROS),
        _ => None,
    }
}

/// A safetensors file starts with the length of its JSON header.
fn is_safetensors(start: &[u8], size: u64) -> bool {
    start.first_chunk().is_some_and(|length| {
        u64::from_le_bytes(*length) <= size.saturating_sub(8) && start.get(8) == Some(&b'{')
    })
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn files_in_a_models_place_are_called_what_they_are() {
        let safetensors = b"\x10\0\0\0\0\0\0\0{\"a\": []}       ";
        for (start, expected) in [
            (&b"version https://git-lfs.github.com/spec/v1\noid sha256:0"[..], "Git LFS pointer"),
            (b"\n<!DOCTYPE HTML><title>404</title>", "a web page"),
            (b"\xef\xbb\xbf<html lang=en>", "a web page"),
            (b"<?xml version=\"1.0\"?><Error/>", "a web page"),
            (b"\x1f\x8b\x08\0", "a gzip archive"),
            (b"PK\x03\x04\x14\0", "a zip archive"),
            (b"\x28\xb5\x2f\xfd\0", "a Zstandard archive"),
            (b"{\"error\": \"not found\"}", "JSON"),
            (b" [1]", "JSON"),
            (safetensors, "a safetensors file"),
            (b"tjgg\x03\0\0\0", "older than GGUF"),
            (b"lmgg", "older than GGUF"),
            (&[0; 64], "zeros"),
        ] {
            let found = describe(start, start.len() as u64).unwrap_or("nothing known");
            assert!(found.contains(expected), "{found}, not {expected}");
        }
        for unknown in [&b"Paris"[..], b"", b"GGU", b"<b>", &[0; 4]] {
            assert_eq!(describe(unknown, 4), None);
        }
    }
}
