//! Ranks documents for a query: `cargo run --release --example rerank -- QUERY DOCUMENT…`.
//!
//! The model is the GGUF file that the variable `MODEL` names, or the one that the crate carries.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::Cursor;

use qwen3_rerank::{EMBEDDED_MODEL, LoadOptions, RerankRequest, Reranker};

/// What is looked for where no arguments are given.
pub const QUERY: &str = "What is the capital of the United States?";

/// What is ranked where no documents are given.
pub const DOCUMENTS: [&str; 4] = [
    "Carson City is the capital city of the American state of Nevada.",
    "Capital punishment has existed in the United States since before it was a country.",
    "Washington, D.C. is the capital of the United States.",
    "The capital of the Northern Mariana Islands is Saipan.",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let query = arguments.next().unwrap_or(QUERY.into());
    let mut documents: Vec<String> = arguments.collect();
    if documents.is_empty() {
        documents = DOCUMENTS.map(String::from).into();
    }
    for line in rank(&load()?, query, documents)? {
        println!("{line}");
    }
    Ok(())
}

/// One line for each document, best first.
pub fn rank(
    reranker: &Reranker,
    query: String,
    documents: Vec<String>,
) -> Result<Vec<String>, Box<dyn Error>> {
    let request = RerankRequest::new(query, documents);
    let ranking = reranker.rerank(&request)?;
    for warning in &ranking.warnings {
        eprintln!("warning: {warning}");
    }
    let line = |ranked: &qwen3_rerank::Ranked| {
        format!("{:.3}  {}", ranked.score.probability, request.documents[ranked.index])
    };
    Ok(ranking.results.iter().map(line).collect())
}

/// Loads the file that `MODEL` names, or the model in this program.
pub fn load() -> Result<Reranker, Box<dyn Error>> {
    let options = LoadOptions::default();
    if let Some(path) = env::var_os("MODEL") {
        return Ok(Reranker::load(File::open(path)?, options, &mut |_| {})?);
    }
    let model = EMBEDDED_MODEL.ok_or("this build carries no model; set MODEL to a GGUF file")?;
    Ok(Reranker::load(Cursor::new(model), options, &mut |_| {})?)
}
