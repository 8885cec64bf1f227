//! The JavaScript face of the core: what the package's worker calls.
//!
//! The only module that names `JsValue`. Errors cross as JavaScript `Error`
//! objects with `kind` and `field`; downloads, queues and messages are the
//! package's own work.

mod blob;
#[cfg(feature = "threads")]
mod threads;

use std::sync::{Arc, Mutex, PoisonError};

use js_sys::{Function, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use self::blob::BlobSource;
use crate::api::dialect::DocumentedResponse;
use crate::{
    Diagnostics, Error, Job, JobStep, LoadOptions, LoadProgress, RerankRequest, Reranker, Warning,
};

/// What the last panic said, on whichever thread. A trap itself says only "unreachable".
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs once for each memory, when its first instance starts.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string());
        console_error_panic_hook::hook(info);
    }));
}

/// The message of the panic that stopped the module, if one did.
#[wasm_bindgen(js_name = panicMessage)]
pub fn panic_message() -> Option<String> {
    PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A loaded model.
#[wasm_bindgen(js_name = Engine)]
pub struct Engine(Reranker);

#[wasm_bindgen(js_class = Engine)]
impl Engine {
    /// Reads a GGUF model by slices from `sources`, one file or all files of a split model in any
    /// order; works only in a worker. `anyPooling` is [`LoadOptions::any_pooling`].
    /// `progress` is called with the bytes taken in so far and their total.
    #[wasm_bindgen(constructor)]
    pub fn load(
        sources: Vec<Blob>,
        name: Option<String>,
        max_length: Option<u32>,
        progress: &Function,
        any_pooling: Option<bool>,
    ) -> Result<Engine, JsValue> {
        let any_pooling = any_pooling.unwrap_or(false);
        let mut options = LoadOptions { name, any_pooling, ..LoadOptions::default() };
        if let Some(length) = max_length {
            options.max_length = length as usize;
        }
        let mut report = |at: LoadProgress| {
            // A listener that throws is the listener's own trouble.
            let _ = progress.call2(
                &JsValue::NULL,
                &JsValue::from_f64(at.bytes as f64),
                &JsValue::from_f64(at.total as f64),
            );
        };
        let sources = sources.into_iter().map(BlobSource::open).collect::<Result<_, _>>();
        let sources = sources.map_err(|e| throw(Error::io("model file", e)))?;
        Reranker::load_shards(sources, options, &mut report).map(Engine).map_err(throw)
    }

    /// Facts about the model, as `qwen3-rerank info --json` prints them.
    #[wasm_bindgen(getter)]
    pub fn info(&self) -> Result<JsValue, JsValue> {
        plain(self.0.info())
    }

    /// How the module computes, and the memory that it takes.
    pub fn diagnostics(&self) -> Result<JsValue, JsValue> {
        plain(&EngineDiagnostics { runs_on: self.0.diagnostics(), memory_bytes: memory_bytes() })
    }

    /// Runs only the matrix products of a pass of `tokens` tokens, on made-up activations: for
    /// benchmarks. Making those up takes under a hundredth of the time with the 0.6B shape.
    #[wasm_bindgen(js_name = productsAlone)]
    pub fn products_alone(&self, tokens: usize) {
        self.0.model().products(tokens).multiply();
    }

    /// Reads a request and starts on it.
    pub fn start(&self, request: JsValue) -> Result<EngineJob, JsValue> {
        let value: serde_json::Value = serde_wasm_bindgen::from_value(request)
            .map_err(|e| throw(Error::shape("request", e.to_string())))?;
        let request = RerankRequest::from_json(&value).map_err(throw)?;
        // One model is loaded, so any name is taken; the answer names what scored.
        let request = Arc::new(request);
        let job = self.0.start(request.clone()).map_err(throw)?;
        Ok(EngineJob { request, job, waiting: false })
    }
}

/// A request under way. It shares the model with its engine, so the worker may
/// leave it between two steps.
#[wasm_bindgen(js_name = EngineJob)]
pub struct EngineJob {
    request: Arc<RerankRequest>,
    job: Job,
    waiting: bool,
}

/// The result of a finished job. `order[i]` is the index in the request's documents of
/// `answer.results[i]`.
#[derive(Serialize)]
struct Finished {
    answer: DocumentedResponse,
    order: Vec<usize>,
    warnings: Vec<WarningMessage>,
}

/// The result of `Engine::diagnostics`.
#[derive(Serialize)]
struct EngineDiagnostics {
    #[serde(flatten)]
    runs_on: Diagnostics,
    memory_bytes: u64,
}

/// Size of the module's memory, which never shrinks: so also its peak.
fn memory_bytes() -> u64 {
    const PAGE: u64 = 1 << 16;
    core::arch::wasm32::memory_size(0) as u64 * PAGE
}

/// A warning with its sentence.
#[derive(Serialize)]
struct WarningMessage {
    #[serde(flatten)]
    warning: Warning,
    message: String,
}

#[wasm_bindgen(js_class = EngineJob)]
impl EngineJob {
    /// Whether the last step waits for a device: let messages in before the next.
    #[wasm_bindgen(getter)]
    pub fn waiting(&self) -> bool {
        self.waiting
    }

    /// Does one bounded step of work. Gives `{documents, total}`, or
    /// `undefined` when all is done.
    pub fn step(&mut self) -> Result<JsValue, JsValue> {
        let step = self.job.step().map_err(throw)?;
        self.waiting = matches!(step, JobStep::Waiting(_));
        match step {
            JobStep::Working(progress) | JobStep::Waiting(progress) => plain(&progress),
            JobStep::Done => Ok(JsValue::UNDEFINED),
        }
    }

    /// The answer, once `step` gave `undefined`. Ends the job.
    pub fn finish(self) -> Result<JsValue, JsValue> {
        let Self { request, job, .. } = self;
        let ranking = job.finish().map_err(throw)?;
        let message = |warning: &Warning| WarningMessage {
            message: warning.to_string(),
            warning: warning.clone(),
        };
        plain(&Finished {
            answer: DocumentedResponse::new(&ranking, &request),
            order: ranking.results.iter().map(|ranked| ranked.index).collect(),
            warnings: ranking.warnings.iter().map(message).collect(),
        })
    }
}

/// A value as plain JavaScript objects, arrays, numbers and strings.
fn plain(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value.serialize(&Serializer::json_compatible()).map_err(JsValue::from)
}

/// An error as a JavaScript `Error` with `kind` and, where there is one, `field`.
fn throw(error: Error) -> JsValue {
    let thrown = js_sys::Error::new(&error.to_string());
    let facts = [("kind", Some(error.kind())), ("field", error.field())];
    for (key, value) in facts {
        if let Some(value) = value {
            Reflect::set(&thrown, &key.into(), &value.into()).expect("a new object takes any key");
        }
    }
    thrown.into()
}
