//! Requests on their way to another shard, and the replies on their way back.
//!
//! `socket ─▶ parser ─▶ route ─▶ [batch] ─▶ store ─▶ reply ─▶ socket`
//!
//! All requests of one connection for one shard travel together: their bytes in one buffer, their
//! replies in another. The batch goes over with its requests, runs there, and comes home with its
//! replies; then its memory serves the next one. Nothing in it points outside.
//!
//! **Replies are bounded.** A small pipeline can ask for any amount of bytes. A run stops once it
//! wrote [`REPLY_BYTES_MAX`], and the batch is sent again for the rest after those replies were
//! taken. One reply may exceed the bound; that is as large as a value.
#![forbid(unsafe_code)]

use crate::command::table::Run;
use crate::command::{Call, Pace};
use crate::resp::{Args, Proto, Span};
use crate::store::Store;

/// Bytes of replies after which a run stops.
pub const REPLY_BYTES_MAX: usize = 256 << 10;
/// Bytes of requests in a batch that should go out before more is added.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Bytes of an empty batch's buffers that are kept for the next use.
const BYTES_KEPT: usize = 64 << 10;
/// Requests and arguments of an empty batch whose room is kept for the next use.
const ENTRIES_KEPT: usize = 4096;

/// Requests for one shard, in order, and the replies to the first of them.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    requests: Vec<Request>,
    /// Requests that ran.
    ran: usize,
    replies: Vec<u8>,
    /// Where each reply in `replies` ends.
    ends: Vec<usize>,
    /// Replies that were taken.
    taken: usize,
    /// How far a walk over all keys came that was left half done.
    pace: Pace,
}

/// One request: its spans end here, the ones before it end where its own begin.
#[derive(Clone, Copy, Debug)]
struct Request {
    run: Run,
    proto: Proto,
    spans_end: usize,
}

impl Batch {
    /// Copies a request in: `run` with `args`, for a client that speaks `proto`.
    pub fn push<'a>(&mut self, run: Run, proto: Proto, args: impl Iterator<Item = &'a [u8]>) {
        for arg in args {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(arg);
            self.spans.push(Span::new(start, self.bytes.len()));
        }
        self.requests.push(Request { run, proto, spans_end: self.spans.len() });
    }

    /// True if there are requests that have not run: the batch should be sent.
    pub fn is_waiting(&self) -> bool {
        self.ran < self.requests.len()
    }

    /// True if it should be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= REQUEST_BYTES_MAX || self.replies.len() >= REPLY_BYTES_MAX
    }

    /// Runs requests on `store`, which must be their shard's, until all ran, the replies exceed
    /// `reply_bytes_max`, or it is time for others. At least one runs, or goes on, if one is
    /// waiting.
    pub fn run(&mut self, store: &mut Store, now_ms: u64, reply_bytes_max: usize) {
        self.pace.begin_turn();
        while let Some(request) = self.requests.get(self.ran) {
            let start = self.ran.checked_sub(1).map_or(0, |last| self.requests[last].spans_end);
            let args = Args::new(&self.bytes, &self.spans[start..request.spans_end]);
            let (proto, out, pace) = (request.proto, &mut self.replies, &mut self.pace);
            Call { store, now_ms, proto, args, out, pace }.finish(request.run);
            if self.pace.is_paused() {
                break;
            }
            self.ends.push(self.replies.len());
            self.ran += 1;
            if self.replies.len() >= reply_bytes_max || self.pace.is_spent() {
                break;
            }
        }
    }

    /// The oldest reply that was not taken.
    pub fn reply(&self) -> Option<&[u8]> {
        let end = *self.ends.get(self.taken)?;
        let start = self.taken.checked_sub(1).map_or(0, |last| self.ends[last]);
        Some(&self.replies[start..end])
    }

    /// Takes that reply away. The last one frees the room of all.
    pub fn advance(&mut self) {
        self.taken += 1;
        if self.taken < self.ends.len() {
            return;
        }
        self.taken = 0;
        recycle(&mut self.ends, ENTRIES_KEPT);
        recycle(&mut self.replies, BYTES_KEPT);
        if !self.is_waiting() {
            self.ran = 0;
            recycle(&mut self.requests, ENTRIES_KEPT);
            recycle(&mut self.spans, ENTRIES_KEPT);
            recycle(&mut self.bytes, BYTES_KEPT);
        }
    }
}

/// Empties `buffer` and keeps a modest part of its room: an idle connection should be small.
pub fn recycle<T>(buffer: &mut Vec<T>, kept: usize) {
    buffer.clear();
    buffer.shrink_to(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Reach};

    fn push(batch: &mut Batch, request: &str) {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let command = Command::named(words[0]).unwrap();
        let Reach::Key(run) = command.reach else { panic!("{request} is not about one key") };
        batch.push(run, Proto::Resp2, words.into_iter());
    }

    fn take_all(batch: &mut Batch) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(reply) = batch.reply() {
            all.push(String::from_utf8(reply.to_vec()).unwrap());
            batch.advance();
        }
        all
    }

    #[test]
    fn requests_run_in_order_and_the_batch_can_be_used_again() {
        let (mut batch, mut store) = (Batch::default(), Store::new(0, 1));
        for round in 1..4 {
            push(&mut batch, "incr n");
            push(&mut batch, "get n");
            assert!(batch.is_waiting());
            batch.run(&mut store, 0, REPLY_BYTES_MAX);
            assert!(!batch.is_waiting());
            let expected = [format!(":{round}\r\n"), format!("$1\r\n{round}\r\n")];
            assert_eq!(take_all(&mut batch), expected);
            assert!(batch.requests.is_empty() && batch.bytes.is_empty());
        }
    }

    #[test]
    fn a_run_stops_at_the_bound_and_goes_on_after_its_replies_were_taken() {
        let (mut batch, mut store) = (Batch::default(), Store::new(0, 1));
        push(&mut batch, "set a 0123456789");
        (0..10).for_each(|_| push(&mut batch, "get a"));
        let mut seen = 0;
        while batch.is_waiting() {
            batch.run(&mut store, 0, 30);
            assert!(batch.replies.len() < 60);
            seen += take_all(&mut batch).len();
        }
        assert_eq!(seen, 11);
    }
}
