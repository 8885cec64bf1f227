//! A real server on a free port, and a client that reads errors too.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qwen3_rerank::server::{Options, run};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::model;

/// A server that ends when dropped.
pub struct Serving {
    /// `127.0.0.1:port`.
    pub address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer of any status.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Serving {
    /// Serves the committed model.
    pub fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a socket can be asynchronous");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let reranker = model::load(model::bytes()).expect("the model loads");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
                let stopped = async { drop(stopped.await) };
                run(listener, reranker, options, stopped).await;
            });
            runtime.shutdown_timeout(Duration::from_secs(5));
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Serves with all options at their defaults.
    pub fn default() -> Self {
        Self::start(Options::default())
    }

    /// Sends `body` with the given headers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("the request is well formed");
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(120)));
        let agent: ureq::Agent = config.build().into();
        let mut response = agent.run(request).expect("the server answers");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().expect("the answer is text"),
        }
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string())
    }

    /// Starts a request that runs for far longer than any test, by hand so that its client can
    /// leave; see [`Serving::start_request`].
    pub fn start_long_request(&self) -> TcpStream {
        self.start_request(1000)
    }

    /// Starts a request of `documents` long documents and returns its connection once it runs. The
    /// server must have a queue of 0, so that others are refused then.
    pub fn start_request(&self, documents: usize) -> TcpStream {
        let document = |i: usize| format!("{i} {}", "some words that take a while ".repeat(200));
        let documents: Vec<String> = (0..documents).map(document).collect();
        let body = serde_json::json!({"query": "q", "documents": documents}).to_string();
        let small = serde_json::json!({"query": "q", "documents": ["d"]});
        let start = Instant::now();
        loop {
            let stream = self.write_request(&body);
            // An answer means that it was refused in favour of a small one: then it is sent anew.
            while !has_answer(&stream) {
                if self.post("/rerank", &small).status == 429 {
                    return stream;
                }
                assert!(start.elapsed() < Duration::from_secs(120), "it never ran");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Sends a request by hand and leaves its answer unread.
    pub fn write_request(&self, body: &str) -> TcpStream {
        let head = format!(
            "POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.write_raw(&(head + body))
    }

    /// Opens a connection and writes `text` to it.
    pub fn write_raw(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the server accepts");
        stream.write_all(text.as_bytes()).expect("the server reads");
        stream
    }

    /// Gives the signal to stop, and waits until the server has ended.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        self.thread.take().expect("it is stopped once").join().expect("the server ends in order");
    }

    /// Fails unless the server still answers a good request.
    pub fn assert_alive(&self) {
        let body = serde_json::json!({"query": "q", "documents": ["d"]});
        let answer = self.post("/rerank", &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, None | Some(Ok(()))), "the server ends in order");
        }
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// A header's value, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Whether there is something to read.
fn has_answer(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket can be asynchronous");
    let answered = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).expect("a socket can be synchronous");
    answered
}

/// The keys of an object, in order of name.
pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}
