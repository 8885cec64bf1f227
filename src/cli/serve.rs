//! `serve`: the HTTP server, from arguments to the signal that ends it.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use tokio::net::TcpListener;

use super::load::ModelArgs;
use super::log;
use super::output::eprint_line;
use crate::Reranker;
use crate::error::escape;
use crate::server;

const EXAMPLES: &str = "\
Example:
  qwen3-rerank serve --model model.gguf &
  curl http://127.0.0.1:8080/rerank -H 'Content-Type: application/json' \\
    -d '{\"query\": \"capital of France\", \"documents\": [\"Paris\", \"Berlin\"]}'

Routes: POST /rerank (documented form), POST /v1/rerank, GET /health.
RUST_LOG sets what is logged to stderr, such as RUST_LOG=debug.";

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Address to listen on; 0.0.0.0 for every network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", env = "QWEN3_RERANK_HOST")]
    host: IpAddr,
    /// Port to listen on; 0 for any that is free
    #[arg(long, default_value_t = 8080, env = "QWEN3_RERANK_PORT")]
    port: u16,
    /// Key that requests must carry as "Authorization: Bearer KEY" [default: none]
    #[arg(
        long,
        value_name = "KEY",
        env = "QWEN3_RERANK_API_KEY",
        hide_env_values = true,
        allow_hyphen_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    api_key: Option<String>,
    /// The model's name in answers [default: the one in its file]
    #[arg(long)]
    name: Option<String>,
    /// A further name of the model for --strict-model; can be given more than once
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// Refuse requests that name another model, rather than take any name
    #[arg(long)]
    strict_model: bool,
    /// Folder of a web page to serve beside the API
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,
    /// Let web pages of this origin, such as https://example.org, use the API from browsers; * for
    /// all; can be given more than once [default: none]
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    cors_origin: Vec<String>,
    /// Requests that may wait while one runs; more get status 429
    #[arg(long, value_name = "N", default_value_t = 32)]
    queue: usize,
}

/// Fails if a key cannot be sent: what comes in a header has no white space at its ends, and its
/// scheme is cut off. The message does not repeat the key.
fn check_api_key(key: &str) -> Result<()> {
    let scheme = key.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
    if scheme || key.trim_ascii() != key || !key.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        bail!(
            "--api-key: must be printable ASCII without spaces at its ends and without \"Bearer \""
        );
    }
    Ok(())
}

/// An origin as browsers send it: scheme, host and, unless it is the scheme's own, port.
fn parse_origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host);
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@,*".contains(&b))
    };
    match text == "*" || host.is_some_and(is_host) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("must be * or scheme://host[:port], such as https://example.org".into()),
    }
}

impl ServeArgs {
    pub(super) fn run(self) -> Result<()> {
        log::start()?;
        let options = self.options()?;
        let runtime =
            tokio::runtime::Runtime::new().context("cannot start the server's threads")?;
        // Before the model, which takes long to load.
        let listener = runtime.block_on(self.listen())?;
        let reranker = self.model.load(self.name.clone())?;
        runtime.block_on(self.serve(listener, reranker, options))?;
        // A request that outlived the grace period stops at its next step.
        runtime.shutdown_timeout(Duration::from_secs(2));
        Ok(())
    }

    fn options(&self) -> Result<server::Options> {
        self.api_key.as_deref().map_or(Ok(()), check_api_key)?;
        if let Some(page) = self.page.as_deref().filter(|page| !page.is_dir()) {
            bail!("--page {}: no such folder", page.display());
        }
        Ok(server::Options {
            aliases: self.alias.iter().cloned().chain(self.model.stem()).collect(),
            strict_model: self.strict_model,
            api_key: self.api_key.clone(),
            page: self.page.clone(),
            cors_origins: self.cors_origin.clone(),
            queue: self.queue,
            ..server::Options::default()
        })
    }

    async fn listen(&self) -> Result<TcpListener> {
        let address = SocketAddr::new(self.host, self.port);
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
    }

    async fn serve(
        &self,
        listener: TcpListener,
        reranker: Reranker,
        options: server::Options,
    ) -> Result<()> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() && options.api_key.is_none() {
            // Not through the log, which RUST_LOG may silence.
            eprint_line(&format!(
                "warning: anyone who reaches {address} may use this server: no --api-key is set"
            ));
        }
        // Before the address is printed: who reads it may give the signal.
        let shutdown = shutdown_signal()?;
        let mut stdout = std::io::stdout();
        writeln!(
            stdout,
            "qwen3-rerank {} serving {} on http://{address}",
            env!("CARGO_PKG_VERSION"),
            escape(&reranker.info().name)
        )?;
        stdout.flush()?;
        server::run(listener, reranker, options, shutdown).await;
        Ok(())
    }
}

/// Waits for Ctrl-C or SIGTERM; a second one ends the process at once.
#[cfg(unix)]
fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => std::process::exit(130),
                _ = terminate.recv() => std::process::exit(143),
            }
        });
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
