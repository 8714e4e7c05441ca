//! Commands that would change what the ones behind them mean, and that are not supported.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! A client that pipelines has sent what follows before it reads the error. If its `MULTI` was
//! refused and the rest ran, it would repeat the rest; if its `SELECT 1` was refused, it would
//! write to the wrong database. So after such a command the connection is in a *mode*: everything
//! is refused until the client leaves the mode, as it would have to in Redis.
//!
//! | after | refused until |
//! |---|---|
//! | `MULTI` | `EXEC`, which aborts, or `DISCARD` |
//! | `SELECT` of another database | `SELECT 0` |
//! | `SUBSCRIBE` and its kind in RESP2 | `UNSUBSCRIBE` and its kind |
//! | `MONITOR` | |
//!
//! `RESET` and `QUIT` leave every mode. `SYNC` and `PSYNC` speak another protocol from then on and
//! end the connection, as does `CLIENT REPLY OFF`, after which nothing should be answered. So do
//! `POST` and `Host:`, without a word: they are how a browser begins that was tricked into sending
//! its user's requests here.
#![forbid(unsafe_code)]

use super::call::{Fault, end_reply};
use crate::resp::{Args, Output, Proto, reply};
use crate::session::Session;
use crate::shard::warn_seldom;

/// What a refused command was to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A transaction.
    Transaction,
    /// Requests to another database than the one there is.
    Database,
    /// A subscription.
    Subscription,
    /// A stream of what others do.
    Monitor,
}

const SUBSCRIBE: [&str; 3] = ["subscribe", "psubscribe", "ssubscribe"];
const UNSUBSCRIBE: [&str; 3] = ["unsubscribe", "punsubscribe", "sunsubscribe"];

/// Answers a request that names no command we have; `fault` says so.
pub fn unknown(session: &mut Session, args: &Args<'_>, fault: Fault, out: &mut Output) {
    if is_http(args) {
        return close_http(session);
    }
    unsupported(session, args).unwrap_or(fault).write(out);
}

/// What to say to a command that Redis has and that would change what follows.
fn unsupported(session: &mut Session, args: &Args<'_>) -> Option<Fault> {
    let (alone, text) = (args.len() == 1, Fault::Text);
    if alone && args.is(0, "multi") {
        session.mode = Some(Mode::Transaction);
        return Some(text("ERR MULTI is not supported; all up to EXEC or DISCARD is refused"));
    }
    if !alone && is_one_of(args, &SUBSCRIBE) {
        // In RESP3 a subscriber may send any command.
        session.mode = (session.proto == Proto::Resp2).then_some(Mode::Subscription);
        return Some(text("ERR subscriptions are not supported; all up to UNSUBSCRIBE is refused"));
    }
    if alone && args.is(0, "monitor") {
        session.mode = Some(Mode::Monitor);
        return Some(text("ERR MONITOR is not supported; all up to RESET is refused"));
    }
    if alone && args.is(0, "exec") {
        return Some(text("ERR EXEC without MULTI"));
    }
    if alone && args.is(0, "discard") {
        return Some(text("ERR DISCARD without MULTI"));
    }
    if args.is(0, "sync") || args.is(0, "psync") {
        session.closing = true;
        return Some(text("ERR replication is not supported; the connection is closed"));
    }
    None
}

/// Answers a request in the mode that its connection is in; false if it is to be run as usual.
pub fn answer(session: &mut Session, args: &Args<'_>, out: &mut Output) -> bool {
    let Some(mode) = session.mode else { return false };
    if is_http(args) {
        close_http(session);
        return true;
    }
    if args.is(0, "quit") || args.is(0, "reset") {
        return false;
    }
    let alone = args.len() == 1;
    match mode {
        Mode::Transaction if alone && args.is(0, "exec") => {
            session.mode = None;
            let text = "EXECABORT Transaction discarded because of previous errors.";
            Fault::Text(text).write(out);
        }
        Mode::Transaction if alone && args.is(0, "discard") => {
            session.mode = None;
            reply::ok(out);
        }
        Mode::Database if args.len() == 2 && args.is(0, "select") => return false,
        Mode::Subscription if is_one_of(args, &UNSUBSCRIBE) => {
            session.mode = None;
            let start = out.mark();
            reply::array(out, 3);
            reply::bulk(out, &args.at(0).to_ascii_lowercase());
            reply::null(out, session.proto);
            reply::integer(out, 0);
            end_reply(out, start, Ok(()));
        }
        _ => Fault::Text(mode.refusal()).write(out),
    }
    true
}

impl Mode {
    fn refusal(self) -> &'static str {
        match self {
            Self::Transaction => "ERR refused, since MULTI was; send EXEC or DISCARD",
            Self::Database => {
                "ERR refused, since the database selected does not exist; send SELECT 0"
            }
            Self::Subscription => "ERR refused, since SUBSCRIBE was; send UNSUBSCRIBE",
            Self::Monitor => "ERR refused, since MONITOR was; send RESET",
        }
    }
}

fn is_one_of(args: &Args<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| args.is(0, name))
}

fn is_http(args: &Args<'_>) -> bool {
    is_one_of(args, &["post", "host:"])
}

fn close_http(session: &mut Session) {
    session.closing = true;
    warn_seldom(
        "Possible SECURITY ATTACK: a client sends POST or Host:, as a browser does that was \
         tricked into talking to this server. Its connection is closed.",
    );
}
