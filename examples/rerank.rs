//! Ranks documents for a query: `cargo run --release --example rerank -- QUERY DOCUMENT…`.
//!
//! The model is the GGUF file that `MODEL` names, or the one that the crate carries.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::Cursor;

use qwen3_rerank::{EMBEDDED_MODEL, LoadOptions, RerankRequest, Reranker};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let query =
        arguments.next().unwrap_or_else(|| "What is the capital of the United States?".into());
    let mut documents: Vec<String> = arguments.collect();
    if documents.is_empty() {
        documents = vec![
            "Carson City is the capital city of the American state of Nevada.".into(),
            "Capital punishment has existed in the United States since before it was a country."
                .into(),
            "Washington, D.C. is the capital of the United States.".into(),
            "The capital of the Northern Mariana Islands is Saipan.".into(),
        ];
    }
    let reranker = load()?;
    let ranking = reranker.rerank(&RerankRequest::new(query, documents.clone()))?;
    for ranked in &ranking.results {
        println!("{:.3}  {}", ranked.score.probability, documents[ranked.index]);
    }
    for warning in &ranking.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}

fn load() -> Result<Reranker, Box<dyn Error>> {
    let options = LoadOptions::default();
    if let Some(path) = env::var_os("MODEL") {
        return Ok(Reranker::load(File::open(path)?, options, &mut |_| {})?);
    }
    let model = EMBEDDED_MODEL.ok_or("this build carries no model; set MODEL to a GGUF file")?;
    Ok(Reranker::load(Cursor::new(model), options, &mut |_| {})?)
}
