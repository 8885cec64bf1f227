//! The HTTP face: `POST /rerank`, `POST /v1/rerank`, `GET /health`, static files.
//!
//! A connection is accepted (`serve`) and its requests are routed (`router`). A request passes the
//! key check (`auth`), is read (`body`, within `body_budget`), waits for its inference permit
//! (`queue`) and is answered (`rerank`); whatever goes wrong on the way becomes one form of error
//! (`error`). The listener and the signal to stop are arguments of [`run`], so a caller decides on
//! both.

mod app_state;
mod auth;
mod body;
mod body_budget;
mod error;
mod options;
mod page;
mod queue;
mod rerank;
mod router;
mod serve;

pub use options::Options;
pub use serve::run;
