//! Chooses the model that the program carries, for the feature `embedded-model`:
//! the file that `QWEN3_RERANK_EMBED` names, or the checkout's default model. The
//! crate's package holds no model (a registry takes 10 MiB at most), so a program
//! built from it carries none unless the variable names one.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

/// Names a GGUF file to carry in place of the default model.
const VARIABLE: &str = "QWEN3_RERANK_EMBED";

/// The default model, which is there in a checkout.
const DEFAULT_MODEL: &str = "models/qwen3-rerank-nano-q8_0.gguf";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rustc-check-cfg=cfg(has_embedded_model)");
    if env::var_os("CARGO_FEATURE_EMBEDDED_MODEL").is_none() {
        return ExitCode::SUCCESS;
    }
    let named = env::var_os(VARIABLE).filter(|value| !value.is_empty());
    // Relative paths are relative to the package, where Cargo runs this program.
    let folder = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let file = PathBuf::from(folder).join(named.as_deref().unwrap_or(DEFAULT_MODEL.as_ref()));
    if file.is_file() {
        println!("cargo::rerun-if-changed={}", file.display());
        println!("cargo::rustc-env=QWEN3_RERANK_EMBEDDED_FILE={}", file.display());
        println!("cargo::rustc-cfg=has_embedded_model");
    } else if named.is_some() {
        let advice = "give the path of a GGUF file, or unset the variable";
        println!("cargo::error={VARIABLE}: {} is not a file; {advice}", file.display());
        return ExitCode::FAILURE;
    } else {
        // A checkout may get its model later.
        println!("cargo::rerun-if-changed=models");
    }
    ExitCode::SUCCESS
}
