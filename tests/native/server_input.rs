//! What the HTTP face makes of the forms that clients send.

use qwen3_rerank::server::Options;
use serde_json::{Value, json};

use crate::serving::{Answer, Serving};

/// Sends a body as it is.
fn send(server: &Serving, body: impl Into<Vec<u8>>) -> Answer {
    server.send("POST", "/rerank", &[("content-type", "application/json")], body)
}

fn warnings(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("x-rerank-warning").iter();
    values.map(|value| value.to_str().unwrap().to_string()).collect()
}

#[test]
fn half_of_a_surrogate_pair_is_read_as_the_replacement_character() {
    let server = Serving::default();
    for half in [r"\ud83d", r"\uD83D", r"\udE00"] {
        let body = format!(r#"{{"query": "a {half}", "documents": ["fine", "cut {half}"]}}"#);
        let answer = send(&server, body);
        assert_eq!(answer.status, 200, "{half}: {}", answer.text);
        let replaced = json!({"query": "a \u{fffd}", "documents": ["fine", "cut \u{fffd}"]});
        assert_eq!(answer.json(), server.post("/rerank", &replaced).json(), "{half}");
    }
}

#[test]
fn a_byte_order_mark_and_null_characters_are_taken() {
    let server = Serving::default();
    let body = "\u{feff}{\"query\": \"q\", \"documents\": [\"a\\u0000b\"]}";
    let answer = send(&server, body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["results"][0]["document"], "a\0b");
}

#[test]
fn rank_fields_make_one_text_of_several_fields() {
    let server = Serving::default();
    let mut request = json!({
        "query": "q", "rank_fields": ["title", "text"],
        "documents": [{"text": "long river", "title": "Nile"}, {"text": "high", "title": "K2"}],
    });
    let answer = server.post("/v1/rerank", &request);
    assert_eq!(warnings(&answer), [""; 0]);
    let texts = json!({"query": "q", "documents": ["title: Nile\ntext: long river", "title: K2\ntext: high"]});
    let plain = server.post("/v1/rerank", &texts);
    assert_eq!(answer.json()["results"], plain.json()["results"]);
    request["rank_fields"] = Value::Null;
    let answer = server.post("/v1/rerank", &request);
    let told = "documents[0].title is not used; name it in rank_fields to score it";
    assert_eq!(warnings(&answer), [told]);
}

#[test]
fn names_of_fields_are_escaped_in_headers() {
    let server = Serving::default();
    let request = json!({"query": "q", "documents": [{"text": "d", "título\r\nx: y": "t"}]});
    let told = r"documents[0].t\u{ed}tulo\r\nx: y is not used; name it in rank_fields to score it";
    let answer = server.post("/rerank", &request);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(warnings(&answer), [told]);
    assert_eq!(answer.header("x"), "");
}

#[test]
fn raw_scores_are_margins() {
    let server = Serving::default();
    let mut request = json!({"query": "q", "documents": ["a", "b b", "c"]});
    let answers =
        |request: &Value| ["/rerank", "/v1/rerank"].map(|route| server.post(route, request).json());
    let plain = answers(&request);
    request["raw_scores"] = json!(true);
    let raw = answers(&request);
    for (plain, raw, key) in
        [(&plain[0], &raw[0], "score"), (&plain[1], &raw[1], "relevance_score")]
    {
        for (plain, raw) in
            plain["results"].as_array().unwrap().iter().zip(raw["results"].as_array().unwrap())
        {
            let (score, margin) = (plain[key].as_f64().unwrap(), raw[key].as_f64().unwrap());
            assert!((score - 1.0 / (1.0 + (-margin).exp())).abs() < 1e-12, "{plain} {raw}");
            assert_ne!(score, margin);
        }
    }
}

#[test]
fn the_instruction_is_taken_from_the_templates_arguments() {
    let server = Serving::default();
    let ask = |fields: Value| {
        let mut request = json!({"query": "q", "documents": ["a", "b b"]});
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        server.post("/rerank", &request)
    };
    let own = ask(json!({"instruction": "Find what is least relevant"}));
    let argument =
        ask(json!({"chat_template_kwargs": {"instruction": "Find what is least relevant"}}));
    assert_eq!(own.json(), argument.json());
    assert_ne!(own.json()["results"], ask(json!({})).json()["results"]);
    assert_eq!(warnings(&argument), [""; 0]);
}

#[test]
fn options_without_a_use_are_told_in_headers() {
    let server = Serving::default();
    let request = json!({
        "query": "q", "documents": ["d"], "max_chunks_per_doc": 10, "overlap_tokens": 80,
        "truncate_prompt_tokens": 512, "truncation_direction": "Left", "user": "u",
    });
    let told = warnings(&server.post("/rerank", &request));
    let names: Vec<&str> = told.iter().map(|text| text.split(' ').next().unwrap()).collect();
    let expected =
        ["max_chunks_per_doc", "overlap_tokens", "truncate_prompt_tokens", "truncation_direction"];
    assert_eq!(names, expected);
}

#[test]
fn pages_of_other_origins_are_let_in_on_request_only() {
    let preflight = [
        ("origin", "https://example.org"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type"),
    ];
    let closed = Serving::default();
    let answer = closed.send("OPTIONS", "/rerank", &preflight, "");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let mut options = Options::default();
    options.cors_origins = vec!["https://example.org".into()];
    options.api_key = Some("k".into());
    let server = Serving::start(options);
    let answer = server.send("OPTIONS", "/rerank", &preflight, "");
    assert_eq!(answer.status, 200, "a preflight request carries no key");
    assert_eq!(answer.header("access-control-allow-origin"), "https://example.org");
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    let body = json!({"query": "q", "documents": ["d"]}).to_string();
    let ask = |origin: &str, key: &str| {
        let headers =
            [("content-type", "application/json"), ("authorization", key), ("origin", origin)];
        server.send("POST", "/rerank", &headers, body.clone())
    };
    let answer = ask("https://example.org", "Bearer k");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://example.org");
    assert!(answer.header("access-control-expose-headers").contains("x-rerank-warning"));
    let refused = ask("https://example.org", "Bearer wrong");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), "https://example.org");
    assert_eq!(ask("https://evil.example", "Bearer k").header("access-control-allow-origin"), "");
}

#[test]
fn answers_and_the_page_are_compressed_for_those_who_accept_it() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>page</p>".repeat(1000)).unwrap();
    std::fs::write(folder.path().join("model.gguf"), "x".repeat(5000)).unwrap();
    let mut options = Options::default();
    options.page = Some(folder.path().to_path_buf());
    let server = Serving::start(options);
    let ask = |head: &str, body: &str| {
        let stream =
            server.write_raw(&format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n{body}"));
        let mut bytes = Vec::new();
        (&stream).read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase(), bytes.len() - end)
    };
    let body = json!({"query": "q", "documents": ["word ".repeat(1000)], "max_tokens_per_doc": 5})
        .to_string();
    let post = format!(
        "POST /rerank HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}",
        body.len()
    );
    for (head, body) in [("GET / HTTP/1.1".to_string(), ""), (post, &*body)] {
        let (plain_head, plain) = ask(&head, body);
        assert!(!plain_head.contains("content-encoding"), "{plain_head}");
        let (zipped_head, zipped) = ask(&format!("{head}\r\nAccept-Encoding: gzip"), body);
        assert!(zipped_head.contains("content-encoding: gzip"), "{zipped_head}");
        assert!(zipped_head.contains("vary: ") && zipped_head.contains("accept-encoding"));
        assert!(zipped * 4 < plain, "{zipped} of {plain} bytes");
        assert_eq!(
            plain_head.contains("x-rerank-warning"),
            zipped_head.contains("x-rerank-warning")
        );
        assert!(zipped_head.contains("x-content-type-options: nosniff"));
    }
    let (model, _) = ask("GET /model.gguf HTTP/1.1\r\nAccept-Encoding: gzip", "");
    assert!(
        model.contains("content-length: 5000") && !model.contains("content-encoding"),
        "{model}"
    );
}
