//! The HTTP face over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
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
fn any_model_name_is_taken_and_the_answer_names_what_scored() {
    let server = Serving::default();
    let own = model::load(model::bytes()).unwrap().info().name.clone();
    for name in [json!("gpt-4"), json!("rerank-v3.5"), json!(""), json!(own), Value::Null] {
        for route in ["/rerank", "/v1/rerank"] {
            let body = json!({"model": name, "query": "q", "documents": ["d"]});
            let answer = server.post(route, &body);
            assert_eq!(answer.status, 200, "{name}: {}", answer.text);
            assert_eq!(answer.json()["model"], own);
        }
    }
}

#[test]
fn a_strict_model_answers_to_its_names_only() {
    let mut options = Options::default();
    options.aliases = vec!["Qwen3-Reranker-0.6B-Q8_0".into(), "nick".into()];
    options.strict_model = true;
    let server = Serving::start(options);
    let own = model::load(model::bytes()).unwrap().info().name.clone();
    let ask = |name: Value| {
        let body = json!({"model": name, "query": "q", "documents": ["d"]});
        server.post("/rerank", &body)
    };
    let upper = own.to_uppercase();
    let owned = format!("Qwen/{own}");
    for name in [
        &own,
        &upper,
        &owned,
        "NICK",
        "a/b/nick",
        "",
        "Qwen/Qwen3-Reranker-0.6B",
        "qwen3 reranker 0.6b",
    ] {
        let answer = ask(json!(name));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        assert_eq!(answer.json()["model"], own);
    }
    assert_eq!(ask(Value::Null).status, 200);
    for other in ["gpt-4", "Qwen3-Reranker-4B"] {
        let answer = ask(json!(other));
        assert_eq!(answer.status, 404, "{other}");
        let error = &answer.json()["error"];
        assert_eq!((&error["type"], &error["param"]), (&json!("unknown_model"), &json!("model")));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&own) && message.contains("nick"), "{message}");
    }
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

#[test]
fn a_full_queue_is_429_and_a_client_that_leaves_frees_its_place() {
    let mut options = Options::default();
    options.queue = 0;
    let server = Serving::start(options);
    let stream = server.start_long_request();
    let small = json!({"query": "q", "documents": ["d"]});
    let busy = server.post("/rerank", &small);
    assert_eq!(busy.status, 429);
    assert_eq!(busy.header("retry-after"), "1");
    assert_eq!(busy.json()["error"]["type"], "busy");
    drop(stream);
    let start = Instant::now();
    while server.post("/rerank", &small).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the work goes on for nobody");
    }
}

#[test]
fn clients_that_do_nothing_are_sent_away() {
    let mut options = Options::default();
    (options.connections, options.io_timeout) = (8, Duration::from_secs(1));
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
fn bodies_share_a_bounded_budget() {
    let mut options = Options::default();
    options.body_limit = 1000;
    let server = Serving::start(options);
    let head = b"POST /rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    // Eight of them fit.
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
    // A large one is refused once all of them are read; until then it is answered.
    let start = Instant::now();
    while padded(500).status != 429 {
        assert!(start.elapsed() < Duration::from_secs(20), "the budget is not taken");
    }
    assert_eq!(padded(40).status, 200, "a small one fits");
    drop(stalled);
    let start = Instant::now();
    while padded(500).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "the budget is not given back");
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
