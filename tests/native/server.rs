//! The HTTP face over real sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qwen3_rerank::server::Options;
use serde_json::{Value, json};

use crate::model;
use crate::serving::{Serving, keys};

#[test]
fn the_documented_form_has_exactly_its_keys_best_first() {
    let server = Serving::default();
    let answer = server.post("/rerank", &model::regolo());
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let answer = answer.json();
    assert_eq!(keys(&answer), ["model", "query", "results"]);
    assert_eq!(answer["query"], model::regolo()["query"]);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        assert_eq!(keys(result), ["document", "score"]);
        let documents = model::regolo()["documents"].as_array().unwrap().clone();
        assert!(documents.contains(&result["document"]));
    }
    assert!(results.is_sorted_by_key(|result| -result["score"].as_f64().unwrap()));
}

#[test]
fn the_v1_form_has_id_index_document_and_usage() {
    let server = Serving::default();
    let mut request = model::regolo();
    let answer = server.post("/v1/rerank", &request).json();
    assert_eq!(keys(&answer), ["id", "model", "results", "usage"]);
    assert_eq!(keys(&answer["usage"]), ["prompt_tokens", "total_tokens"]);
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() > 4 * 60);
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(keys(result), ["document", "index", "relevance_score"]);
        let index = result["index"].as_u64().unwrap() as usize;
        assert_eq!(result["document"]["text"], request["documents"][index]);
    }
    let documented = server.post("/rerank", &request).json();
    for (a, b) in
        documented["results"].as_array().unwrap().iter().zip(answer["results"].as_array().unwrap())
    {
        assert_eq!(a["score"], b["relevance_score"]);
    }
    request["return_documents"] = json!(false);
    let bare = server.post("/v1/rerank", &request).json();
    assert_eq!(keys(&bare["results"][0]), ["index", "relevance_score"]);
    assert_ne!(bare["id"], answer["id"]);
}

#[test]
fn what_the_caller_should_know_stands_in_headers() {
    let server = Serving::default();
    let request = json!({
        "query": "<Query>: q", "documents": ["one two three four"], "max_tokens_per_doc": 2,
    });
    for route in ["/rerank", "/v1/rerank"] {
        let answer = server.post(route, &request);
        let warnings: Vec<&str> = answer
            .headers
            .get_all("x-rerank-warning")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("query already carries the prompt template"));
        assert!(warnings[1].starts_with("documents[0] was cut to fit"));
    }
    let many = vec!["one two three four"; 50];
    let many: Vec<String> =
        many.iter().enumerate().map(|(i, text)| format!("{text} {i}")).collect();
    let answer =
        server.post("/rerank", &json!({"query": "q", "documents": many, "max_tokens_per_doc": 2}));
    let warnings = answer.headers.get_all("x-rerank-warning");
    assert_eq!(warnings.iter().next_back().unwrap(), "and 30 more");
    assert_eq!(server.post("/rerank", &model::regolo()).header("x-rerank-warning"), "");
}

#[test]
fn the_model_answers_to_its_names_only() {
    let mut options = Options::default();
    options.aliases = vec!["Qwen3-Reranker-4B".into(), "nick".into()];
    let server = Serving::start(options);
    let own = model::load(model::bytes()).unwrap().info().name.clone();
    let ask = |name: Value| {
        let body = json!({"model": name, "query": "q", "documents": ["d"]});
        server.post("/rerank", &body)
    };
    for name in [own.as_str(), &own.to_uppercase(), &format!("Qwen/{own}"), "NICK", "a/b/nick", ""]
    {
        let answer = ask(json!(name));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        assert_eq!(answer.json()["model"], own);
    }
    assert_eq!(ask(Value::Null).status, 200);
    let answer = ask(json!("gpt-4"));
    assert_eq!(answer.status, 404);
    let error = &answer.json()["error"];
    assert_eq!((&error["type"], &error["param"]), (&json!("unknown_model"), &json!("model")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&own) && message.contains("nick"), "{message}");
}

#[test]
fn the_key_is_asked_for_on_the_api_routes() {
    let mut options = Options::default();
    options.api_key = Some("k-1".into());
    let server = Serving::start(options);
    let body = model::regolo().to_string();
    let ask = |authorization: Option<&str>| {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        server.send("POST", "/v1/rerank", &headers, body.clone())
    };
    for wrong in
        [None, Some("Bearer k-2"), Some("Bearer k-11"), Some("k"), Some("Bearer"), Some("")]
    {
        let answer = ask(wrong);
        assert_eq!(answer.status, 401, "{wrong:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.json()["error"]["type"], "unauthorized");
    }
    for right in ["Bearer k-1", "bearer k-1", "k-1"] {
        assert_eq!(ask(Some(right)).status, 200, "{right}");
    }
    let health = server.send("GET", "/health", &[], "");
    assert_eq!((health.status, health.json()), (200, json!({"status": "ok"})));
}

#[test]
fn requests_at_the_same_time_get_their_own_answers() {
    let server = Serving::default();
    let ask = |query: &str| {
        let request = json!({"query": query, "documents": ["a", "b b", "c c c"]});
        server.post("/rerank", &request).json()
    };
    let queries = ["first", "second", "third", "fourth"];
    let alone = queries.map(ask);
    let together = std::thread::scope(|scope| {
        let threads = queries.map(|query| scope.spawn(move || ask(query)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(alone, together);
}

/// A request that runs for far longer than the test, written by hand so that
/// its client can leave.
fn leave_running(server: &Serving) -> TcpStream {
    let document = |i: usize| format!("{i} {}", "some words that take a while ".repeat(200));
    let documents: Vec<String> = (0..2000).map(document).collect();
    let body = json!({"query": "q", "documents": documents}).to_string();
    let head = format!(
        "POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all((head + &body).as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    assert!(stream.peek(&mut [0]).is_err(), "it was answered too soon");
    stream
}

#[test]
fn a_full_queue_is_429_and_a_client_that_leaves_frees_its_place() {
    let mut options = Options::default();
    options.queue = 0;
    let server = Serving::start(options);
    let stream = leave_running(&server);
    let small = json!({"query": "q", "documents": ["d"]});
    let busy = server.post("/rerank", &small);
    assert_eq!(busy.status, 429);
    assert_eq!(busy.header("retry-after"), "1");
    assert_eq!(busy.json()["error"]["type"], "busy");
    drop(stream);
    let start = Instant::now();
    while server.post("/rerank", &small).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(5), "the work goes on for nobody");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn clients_that_do_nothing_are_sent_away() {
    let mut options = Options::default();
    (options.connections, options.patience) = (8, Duration::from_secs(1));
    let server = Serving::start(options);
    let headers = b"POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n";
    let open = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(bytes).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    };
    // More than there are places: nothing sent, half of the headers, half of a body.
    let idle: Vec<TcpStream> = (0..30).map(|_| open(b"")).collect();
    let slow = open(headers);
    let mut stalled = open(&[&headers[..], b"\r\n{\"query\""].concat());
    server.assert_alive();
    let mut answer = String::new();
    stalled.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("nothing more of the body came for 1 s"), "{answer}");
    for mut stream in idle.into_iter().chain([slow]) {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
    server.assert_alive();
}

#[test]
fn bodies_share_a_bounded_room() {
    let mut options = Options::default();
    options.body_limit = 1000;
    let server = Serving::start(options);
    let head = b"POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    // There is room for eight of them.
    let stalled: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.write_all(&[&head[..], &[b' '; 990]].concat()).unwrap();
            stream
        })
        .collect();
    let padded = |length: usize| {
        let headers = [("content-type", "application/json")];
        let body = format!("{:length$}", r#"{"query": "q", "documents": ["d"]}"#);
        server.send("POST", "/rerank", &headers, body)
    };
    // A large one takes room for as long as it runs, and so must not come before them.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(padded(500).status, 429);
    assert_eq!(padded(40).status, 200, "there is room for a small one");
    drop(stalled);
    let start = Instant::now();
    while padded(500).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(5), "room is not given back");
    }
}

#[test]
fn garbage_on_the_socket_does_not_end_the_server() {
    let server = Serving::default();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /rerank HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
        b"",
    ] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(bytes).unwrap();
        drop(stream);
        server.assert_alive();
    }
}

#[test]
fn the_page_is_served_with_its_headers() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("www");
    std::fs::create_dir(&page).unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    std::fs::write(page.join("index.html"), "<p>page").unwrap();
    std::fs::write(page.join("a.wasm"), b"\0asm").unwrap();
    let mut options = Options::default();
    options.page = Some(page);
    options.api_key = Some("k".into());
    let server = Serving::start(options);
    let index = server.send("GET", "/", &[], "");
    assert_eq!((index.status, index.text.as_str()), (200, "<p>page"));
    assert_eq!(index.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(index.header("cross-origin-embedder-policy"), "require-corp");
    assert!(index.header("content-security-policy").contains("'wasm-unsafe-eval'"));
    assert_eq!(index.header("x-content-type-options"), "nosniff");
    let part = server.send("GET", "/a.wasm", &[("range", "bytes=1-3")], "");
    assert_eq!((part.status, part.text.as_str()), (206, "asm"));
    assert_eq!(part.header("content-type"), "application/wasm");
    let since = ("if-modified-since", index.header("last-modified"));
    assert_eq!(server.send("GET", "/", &[since], "").status, 304);
    for path in ["/nothing", "/../secret", "/%2e%2e/secret", "/..%2fsecret"] {
        let answer = server.send("GET", path, &[], "");
        assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (404, json!(404)));
    }
}

#[test]
fn the_binary_says_where_it_listens_and_ends_on_sigterm() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"))
        .args(["serve", "--port", "0", "--name", "the-name", "--model"])
        .arg(model::path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let start = format!("qwen3-rerank {} serving the-name on http://", env!("CARGO_PKG_VERSION"));
    let address = line.trim_end().strip_prefix(&start).unwrap_or_else(|| panic!("{line}"));
    let answer = ureq::post(format!("http://{address}/rerank")).send_json(model::regolo());
    assert_eq!(answer.unwrap().body_mut().read_json::<Value>().unwrap()["model"], "the-name");
    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
