//! `serve` as a process: what it says, where, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::model;

/// A server process on a free port, ended when dropped.
struct Process {
    child: Child,
    /// What it printed when it was ready.
    line: String,
    /// `host:port`.
    address: String,
}

impl Process {
    fn start(arguments: &[&str], log: &str) -> Self {
        let mut child = serve(arguments, log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, address) =
            line.trim_end().split_once("http://").unwrap_or_else(|| panic!("{line}"));
        let address = address.to_string();
        Self { child, line, address }
    }

    /// Ends it by SIGTERM; its exit code and what it said on stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(arguments: &[&str], log: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-rerank"));
    command.args(["serve", "--port", "0", "--model"]).arg(model::path()).args(arguments);
    command.env("RUST_LOG", log).env_remove("QWEN3_RERANK_API_KEY");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_binary_says_where_it_listens_and_ends_on_sigterm() {
    let process = Process::start(&["--name", "the-name"], "");
    let start = format!("qwen3-rerank {} serving the-name on http://", env!("CARGO_PKG_VERSION"));
    assert!(process.line.starts_with(&start), "{}", process.line);
    let answer =
        ureq::post(format!("http://{}/rerank", process.address)).send_json(model::regolo());
    assert_eq!(answer.unwrap().body_mut().read_json::<Value>().unwrap()["model"], "the-name");
    assert_eq!(process.end(), (Some(0), String::new()));
}

#[test]
fn keys_in_addresses_are_not_logged() {
    let process = Process::start(&[], "trace");
    for path in ["rerank?api_key=SECRET", "nothing?key=SECRET"] {
        let answer = ureq::post(format!("http://{}/{path}", process.address))
            .config()
            .http_status_as_error(false)
            .build()
            .send_json(model::regolo());
        assert!(!answer.unwrap().body_mut().read_to_string().unwrap().contains("SECRET"));
    }
    let (_, said) = process.end();
    assert!(said.contains("path=\"/rerank\"") && said.contains("status=200"), "{said}");
    assert!(!said.contains("SECRET"), "{said}");
}

#[test]
fn a_server_that_is_open_to_all_says_so_whatever_is_logged() {
    let warning = "may use this server: no --api-key is set";
    let process = Process::start(&["--host", "0.0.0.0"], "off");
    let (_, said) = process.end();
    assert!(said.starts_with("warning: anyone who reaches 0.0.0.0:"), "{said}");
    assert_eq!(said.matches(warning).count(), 1);
    for closed in [&["--host", "0.0.0.0", "--api-key", "k"][..], &[]] {
        assert_eq!(Process::start(closed, "warn").end().1, "");
    }
}

#[test]
fn arguments_and_settings_that_cannot_be_meant_are_refused() {
    for (arguments, log, code, message) in [
        (&[][..], "info,=", 1, "error: RUST_LOG: \"info,=\" is no filter"),
        (&[], "hyper=loud", 1, "error: RUST_LOG: \"hyper=loud\" is no filter"),
        (&["--api-key", "Bearer k"], "", 1, "error: --api-key: must be printable ASCII"),
        (&["--cors-origin", "example.org"], "", 2, "must be * or scheme://host[:port]"),
        (
            &["--cors-origin", "https://example.org/page"],
            "",
            2,
            "must be * or scheme://host[:port]",
        ),
        (&["--cors-origin", "https://"], "", 2, "must be * or scheme://host[:port]"),
    ] {
        let output = serve(arguments, log).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(message), "{error}");
        assert!(!error.contains("Bearer k"), "{error}");
    }
}
