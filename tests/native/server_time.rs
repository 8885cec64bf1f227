//! The server's deadlines, over real sockets.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use qwen3_rerank::server::Options;

use crate::serving::Serving;

/// Long enough that a test which waits for it has failed.
const FAR: Duration = Duration::from_secs(300);

/// All that comes until the connection ends, in order or not.
fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.set_read_timeout(Some(FAR)).unwrap();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

#[test]
fn a_client_that_reads_nothing_is_sent_away() {
    const SIZE: usize = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.bin"), vec![b'x'; SIZE]).unwrap();
    let mut options = Options::default();
    options.page = Some(folder.path().to_path_buf());
    // The next connection is served once this one is closed.
    options.connections = 1;
    options.io_timeout = Duration::from_millis(300);
    let server = Serving::start(options);
    let idle = server.write_raw("GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(server.send("GET", "/health", &[], "").status, 200);
    let read = read_to_end(&idle);
    assert!(read.starts_with(b"HTTP/1.1 200"), "the answer had begun");
    assert!(read.len() < SIZE, "the answer was cut off");
}

#[test]
fn a_request_within_the_grace_is_answered_after_the_signal_to_stop() {
    let mut options = Options::default();
    options.queue = 0;
    options.shutdown_grace = FAR;
    let mut server = Serving::start(options);
    let stream = server.start_request(4);
    server.stop();
    let answer = String::from_utf8(read_to_end(&stream)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_request_beyond_the_grace_is_cut_off() {
    let mut options = Options::default();
    options.queue = 0;
    options.shutdown_grace = Duration::from_millis(50);
    let mut server = Serving::start(options);
    let stream = server.start_long_request();
    let start = Instant::now();
    server.stop();
    // It has minutes of work; the server ends at its next step.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(read_to_end(&stream), b"");
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let mut options = Options::default();
    options.shutdown_grace = FAR;
    let mut server = Serving::start(options);
    let idle = server.write_raw("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut head = [0; 12];
    (&idle).read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < FAR, "{:?}", start.elapsed());
}
