//! What `wasm-bindgen --target web` does, and nothing else: the command itself also compiles a
//! WebDriver client, an HTTP server and TLS. Built by scripts/toolchain.mjs.

use std::path::PathBuf;

use wasm_bindgen_cli_support::Bindgen;

/// Usage: `bindgen MODULE.wasm OUT_DIR`.
fn main() {
    let [module, folder] = std::env::args()
        .skip(1)
        .map(PathBuf::from)
        .collect::<Vec<_>>()
        .try_into()
        .expect("usage: bindgen MODULE.wasm OUT_DIR");
    Bindgen::new()
        .web(true)
        .expect("web is the only output that was chosen: bug")
        .input_path(module)
        .omit_default_module_path(false)
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .unwrap_or_else(|error| panic!("{error:?}"));
}
