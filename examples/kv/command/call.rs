//! What a command's function gets, and how it fails.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A function writes its reply to `out` as it goes. If it fails, what it wrote is taken back and
//! the error takes its place, so checks may come late.
#![forbid(unsafe_code)]

use miniss_linux::need_preempt;

use super::scan::KeysWalk;
use crate::glob::{PATTERN_BYTES_MAX, STARS_MAX, TooLong, WILD_RUN_MAX};
use crate::resp::number::parse_i64;
use crate::resp::output::Mark;
use crate::resp::{Args, Output, Proto, reply};
use crate::server::Server;
use crate::session::Session;
use crate::store::{Place, Store, WrongType};

/// How a command ends.
pub type Done = Result<(), Fault>;

/// Bytes of an unknown name and of its arguments that an error message quotes at most.
const QUOTED_BYTES_MAX: usize = 128;

/// A command running on the shard that owns its keys.
pub struct Call<'a> {
    /// The shard's keys.
    pub store: &'a mut Store,
    /// The time, in milliseconds since the epoch.
    pub now_ms: u64,
    /// The protocol of the client that asks.
    pub proto: Proto,
    /// The request.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub out: &'a mut Output,
    /// How far it is before others are to have a turn.
    pub pace: &'a mut Pace,
}

impl Call<'_> {
    /// Runs `run` and leaves exactly one reply in the output; or a part of one if it
    /// [paused](Pace::paused), and is to be run again with what it has left.
    pub fn finish(mut self, run: fn(&mut Call<'_>) -> Done) {
        let start = self.out.mark();
        let done = run(&mut self);
        end_reply(self.out, start, done);
    }

    /// Finds the request's first key, which is to be read.
    pub fn read(&mut self) -> Option<Place> {
        self.store.read(self.args.at(1), self.now_ms)
    }

    /// Finds the request's first key, which is to be changed.
    pub fn find(&mut self) -> Option<Place> {
        self.store.locate(self.args.at(1), self.now_ms).ok()
    }

    /// Argument `index` as an integer.
    pub fn integer(&self, index: usize) -> Result<i64, Fault> {
        parse_i64(self.args.at(index)).ok_or(Fault::NOT_INTEGER)
    }
}

/// What walks over all keys have done of a turn. They alone look at the time: everything else takes
/// no longer than to receive the request or to send the reply.
#[derive(Debug, Default)]
pub struct Pace {
    /// True if others are to have a turn.
    pub is_spent: bool,
    /// The walk that goes on in the next one.
    pub paused: Option<Box<KeysWalk>>,
}

impl Pace {
    /// Looks whether others are to have a turn.
    pub fn look(&mut self) -> bool {
        self.is_spent = self.is_spent || need_preempt();
        self.is_spent
    }
}

/// A command about the connection or the server, which needs no keys.
pub struct Talk<'a> {
    /// The connection it came from.
    pub session: &'a mut Session,
    /// The server it asks about.
    pub server: &'a Server,
    /// The request.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub out: &'a mut Output,
}

impl Talk<'_> {
    /// Runs `run` and leaves exactly one reply in the output.
    pub fn finish(mut self, run: fn(&mut Talk<'_>) -> Done) {
        let start = self.out.mark();
        let done = run(&mut self);
        end_reply(self.out, start, done);
    }
}

/// Ends the reply that began at `start`: it stays, or an error takes its place.
#[inline]
pub fn end_reply(out: &mut Output, start: Mark, done: Done) {
    if out.is_over() || done.is_err() {
        refuse_reply(out, start, &done.err().unwrap_or(Fault::NO_MEMORY));
    }
}

#[cold]
fn refuse_reply(out: &mut Output, start: Mark, fault: &Fault) {
    out.truncate(start);
    fault.write(out);
}

/// Why a command failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// This text, code included.
    Text(&'static str),
    /// This text, which quotes the client.
    Quoting(Vec<u8>),
    /// The command of this name takes another number of arguments.
    Arity(&'static str),
    /// The command of this name was given a time that is not positive or too far.
    ExpireTime(&'static str),
}

impl Fault {
    /// The key holds another kind of value.
    pub const WRONG_TYPE: Self =
        Self::Text("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// An argument or a value is no 64-bit integer.
    pub const NOT_INTEGER: Self = Self::Text("ERR value is not an integer or out of range");
    /// A number of elements is negative or no number.
    pub const NOT_POSITIVE: Self = Self::Text("ERR value is out of range, must be positive");
    /// The options make no sense.
    pub const SYNTAX: Self = Self::Text("ERR syntax error");
    /// A string would grow beyond 512 MiB.
    pub const TOO_LONG: Self =
        Self::Text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

    /// The reply would take more memory than its connection may hold.
    pub const NO_MEMORY: Self = Self::Text(
        "OOM reply exceeds the memory left to this connection (--connection-mib) or its shard \
         (--shard-mib)",
    );

    /// The request would take more memory than its connection may hold.
    pub const NO_MEMORY_FOR_REQUEST: Self = Self::Text(
        "OOM request exceeds the memory left to this connection (--connection-mib) or its shard \
         (--shard-mib)",
    );

    /// There is no such command.
    pub fn unknown_command(args: &Args<'_>) -> Self {
        let mut text = b"ERR unknown command '".to_vec();
        text.extend_from_slice(quotable(args.at(0), QUOTED_BYTES_MAX));
        text.extend_from_slice(b"', with args beginning with: ");
        let (mut arg, start) = (args.from(1), text.len());
        while text.len() - start < QUOTED_BYTES_MAX
            && let Some(bytes) = arg.next()
        {
            let room = QUOTED_BYTES_MAX - (text.len() - start);
            text.push(b'\'');
            text.extend_from_slice(quotable(bytes, room));
            text.extend_from_slice(b"' ");
        }
        Self::Quoting(text)
    }

    /// The command `parent`, in capitals, has no such subcommand.
    pub fn unknown_subcommand(parent: &str, name: &[u8]) -> Self {
        let name = quotable(name, QUOTED_BYTES_MAX);
        let end = format!("'. Try {parent} HELP.");
        Self::quoting("ERR unknown subcommand '", name, &end)
    }

    /// An error that quotes `words` between `before` and `after`.
    pub fn quoting(before: &str, words: &[u8], after: &str) -> Self {
        let words = quotable(words, usize::MAX);
        Self::Quoting([before.as_bytes(), words, after.as_bytes()].concat())
    }

    /// Appends the error reply.
    pub fn write(&self, out: &mut Output) {
        match self {
            Self::Text(text) => reply::error(out, text.as_bytes()),
            Self::Quoting(text) => reply::error(out, text),
            Self::Arity(name) => {
                let text = format!("ERR wrong number of arguments for '{name}' command");
                reply::error(out, text.as_bytes());
            }
            Self::ExpireTime(name) => {
                let text = format!("ERR invalid expire time in '{name}' command");
                reply::error(out, text.as_bytes());
            }
        }
    }
}

impl From<TooLong> for Fault {
    fn from(_: TooLong) -> Self {
        let text = format!(
            "ERR pattern is too long: it may have {PATTERN_BYTES_MAX} bytes, {STARS_MAX} stars, \
             and {WILD_RUN_MAX} characters between two stars that are not all plain"
        );
        Self::Quoting(text.into_bytes())
    }
}

impl From<WrongType> for Fault {
    fn from(_: WrongType) -> Self {
        Self::WRONG_TYPE
    }
}

/// The part of `bytes` that an error shows: up to a NUL, as Redis prints C strings, or `len_max`.
fn quotable(bytes: &[u8], len_max: usize) -> &[u8] {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    &text[..text.len().min(len_max)]
}
