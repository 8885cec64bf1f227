//! How to serve.

use std::path::PathBuf;
use std::time::Duration;

/// How to serve. `default` fills in all; the fields are public to be changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Names of the model besides its own. They matter with `strict_model`.
    pub aliases: Vec<String>,
    /// Refuse requests that name another model with status 404. By default any name is taken, and
    /// the answer names the model that scored.
    pub strict_model: bool,
    /// The key that requests must carry; `None` serves anyone.
    pub api_key: Option<String>,
    /// A folder with a page to serve beside the API.
    pub page: Option<PathBuf>,
    /// Origins such as `https://example.org` whose pages may use the API from browsers; `*` for
    /// all, none by default.
    pub cors_origins: Vec<String>,
    /// How many requests may wait while one runs; more get status 429.
    pub queue: usize,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// Most connections at a time; more wait to be accepted.
    pub connections: usize,
    /// How long a client may take for a request's headers, for the next part of its body, and for
    /// the next part of its answer.
    pub io_timeout: Duration,
    /// How long requests may go on after the signal to stop.
    pub shutdown_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            aliases: Vec::new(),
            strict_model: false,
            api_key: None,
            page: None,
            cors_origins: Vec::new(),
            queue: 32,
            body_limit: 32 << 20,
            // Half of the file handles that a process usually gets.
            connections: 512,
            io_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
