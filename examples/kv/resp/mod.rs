//! The Redis protocol: requests out of received bytes, replies into bytes to send.
//!
//! `socket ─▶ [parser] ─▶ route ─▶ batch ─▶ store ─▶ [reply] ─▶ socket`
//!
//! * [`parser`]: one connection's parser; arguments are ranges of the receive buffer
//! * [`args`]: the arguments of one request, wherever their bytes are
//! * [`inline`]: requests typed by hand, with quotes and escapes
//! * [`output`]: replies on their way out, some of which share what they show
//! * [`reply`]: RESP2 and RESP3 replies, written straight into the output buffer
//! * [`number`]: integers as Redis reads and writes them
#![forbid(unsafe_code)]

pub mod args;
pub mod inline;
pub mod number;
pub mod output;
pub mod parser;
pub mod reply;

pub use args::{Args, Span};
pub use output::{Output, Part};
pub use parser::{Parsed, Parser};
pub use reply::Proto;
