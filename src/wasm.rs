//! The JavaScript face of the core: what the package's worker calls.
//!
//! The only file that names `JsValue`. Errors cross as JavaScript `Error`
//! objects with `kind` and `field`; downloads, queues and messages are the
//! package's own work.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};

use js_sys::{Function, Reflect, Uint8Array};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, FileReaderSync};

use crate::wire::Documented;
use crate::{Error, Job, LoadOptions, LoadProgress, RerankRequest, Reranker, Warning};

thread_local! {
    /// What the last panic said. A trap itself says only "unreachable".
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs once when the module is instantiated.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|message| *message = Some(info.to_string()));
        console_error_panic_hook::hook(info);
    }));
}

/// The message of the panic that stopped the module, if one did.
#[wasm_bindgen(js_name = panicMessage)]
pub fn panic_message() -> Option<String> {
    PANIC.with_borrow(Clone::clone)
}

/// A loaded model.
#[wasm_bindgen(js_name = Engine)]
pub struct Engine(Reranker);

#[wasm_bindgen(js_class = Engine)]
impl Engine {
    /// Reads a GGUF model from `source` by slices; works only in a worker.
    /// `progress` is called with the bytes taken in so far and their total.
    #[wasm_bindgen(constructor)]
    pub fn load(
        source: Blob,
        name: Option<String>,
        max_length: Option<u32>,
        progress: &Function,
    ) -> Result<Engine, JsValue> {
        let mut options = LoadOptions { name, ..LoadOptions::default() };
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
        let source = BlobSource::open(source).map_err(|e| throw(Error::io("model file", e)))?;
        Reranker::load(source, options, &mut report).map(Engine).map_err(throw)
    }

    /// Facts about the model, as `qwen3-rerank info --json` prints them.
    #[wasm_bindgen(getter)]
    pub fn info(&self) -> Result<JsValue, JsValue> {
        plain(self.0.info())
    }

    /// Reads a request and starts on it.
    pub fn start(&self, request: JsValue) -> Result<EngineJob, JsValue> {
        let value: serde_json::Value = serde_wasm_bindgen::from_value(request)
            .map_err(|e| throw(Error::shape("request", e.to_string())))?;
        let request = RerankRequest::from_json(&value).map_err(throw)?;
        request.check_model(&[&self.0.info().name]).map_err(throw)?;
        let job = self.0.start(&request).map_err(throw)?;
        Ok(EngineJob { request, job })
    }
}

/// A request under way. It holds no borrow of its engine, so the worker may
/// leave it between two steps.
#[wasm_bindgen(js_name = EngineJob)]
pub struct EngineJob {
    request: RerankRequest,
    job: Job,
}

/// What a finished job hands over. `order[i]` is the place in the request of
/// `answer.results[i]`.
#[derive(Serialize)]
struct Finished {
    answer: Documented,
    order: Vec<usize>,
    warnings: Vec<Told>,
}

/// A warning with its sentence.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    warning: Warning,
    message: String,
}

#[wasm_bindgen(js_class = EngineJob)]
impl EngineJob {
    /// Does one bounded bit of work. Gives `{documents, total}`, or
    /// `undefined` when all is done.
    pub fn step(&mut self, engine: &Engine) -> Result<JsValue, JsValue> {
        match self.job.step(&engine.0).map_err(throw)? {
            Some(progress) => plain(&progress),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The answer, once `step` gave `undefined`. Ends the job.
    pub fn finish(self, engine: &Engine) -> Result<JsValue, JsValue> {
        let Self { request, job } = self;
        let ranking = job.finish(&engine.0).map_err(throw)?;
        let told =
            |warning: &Warning| Told { message: warning.to_string(), warning: warning.clone() };
        plain(&Finished {
            answer: Documented::new(&ranking, &request.query, &request.documents),
            order: ranking.results.iter().map(|ranked| ranked.index).collect(),
            warnings: ranking.warnings.iter().map(told).collect(),
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

/// Bytes read ahead, so that the many small reads of a header cost one slice.
const WINDOW: u64 = 1 << 20;

/// Longest slice that a large read takes at once; it exists twice for a moment.
const PIECE: u64 = 4 << 20;

/// A Blob or File as a byte source, read by slices and never whole.
struct BlobSource {
    blob: Blob,
    reader: FileReaderSync,
    length: u64,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl BlobSource {
    fn open(blob: Blob) -> io::Result<Self> {
        let reader = FileReaderSync::new().map_err(io_error)?;
        let length = blob.size() as u64;
        Ok(Self { blob, reader, length, position: 0, window: Vec::new(), window_start: 0 })
    }

    fn slice(&self, start: u64, length: u64) -> io::Result<Uint8Array> {
        let end = (start + length) as f64;
        let part = self.blob.slice_with_f64_and_f64(start as f64, end).map_err(io_error)?;
        let bytes =
            Uint8Array::new(&self.reader.read_as_array_buffer(&part).map_err(io_error)?.into());
        if u64::from(bytes.length()) != length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has changed"));
        }
        Ok(bytes)
    }

    /// Bytes of the window from the current position on; empty outside of it.
    fn ahead(&self) -> &[u8] {
        let skip = self.position.checked_sub(self.window_start);
        skip.and_then(|skip| self.window.get(usize::try_from(skip).ok()?..)).unwrap_or(&[])
    }
}

impl Read for BlobSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        if buffer.is_empty() || left == 0 {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            let wanted = (buffer.len() as u64).min(left);
            if wanted >= WINDOW {
                let bytes = self.slice(self.position, wanted.min(PIECE))?;
                let read = bytes.length() as usize;
                bytes.copy_to(&mut buffer[..read]);
                self.position += read as u64;
                return Ok(read);
            }
            self.window = self.slice(self.position, left.min(WINDOW))?.to_vec();
            self.window_start = self.position;
        }
        let ahead = self.ahead();
        let read = ahead.len().min(buffer.len());
        buffer[..read].copy_from_slice(&ahead[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for BlobSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek before the start of the file")
        })?;
        Ok(self.position)
    }
}

fn io_error(thrown: JsValue) -> io::Error {
    let message = match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{thrown:?}"),
    };
    io::Error::other(message)
}
