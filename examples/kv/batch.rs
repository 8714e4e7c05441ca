//! Requests on their way to another shard, and the replies on their way back.
//!
//! `socket ─▶ parser ─▶ route ─▶ [batch] ─▶ store ─▶ reply ─▶ socket`
//!
//! All requests of one connection for one shard travel together: their bytes in one buffer, their
//! replies in another. The batch goes over with its requests, runs there, and comes back with its
//! replies; then its memory serves the next one. Nothing in it points outside but to what is
//! shared: a request that goes to every shard, a long string in a reply.
//!
//! **Replies are bounded.** A run stops once it wrote [`REPLY_BYTES_MAX`], and the batch is sent
//! again for the rest after those replies were taken. But it stops only behind a *large* request,
//! one whose reply may have any size: what was handed over before it has room to run whether the
//! client reads or not. See [`round`](crate::round) for what may follow a large request.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::budget::Budget;
use crate::command::table::Run;
use crate::command::{Call, Pace};
use crate::resp::{Args, Output, Part, Proto, Span};
use crate::store::Store;

/// Bytes of replies after which a run stops, and after which no more is handled.
pub const REPLY_BYTES_MAX: usize = 256 << 10;
/// Bytes of requests in a batch that should go out before more is added.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Bytes of an empty batch's buffers that are kept for the next use.
const BYTES_KEPT: usize = 2 << 10;
/// Requests and arguments of an empty batch whose room is kept for the next use.
const ENTRIES_KEPT: usize = 64;

/// Requests for one shard, in order, and the replies to the first of them.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    requests: Vec<Request>,
    /// Requests that ran.
    ran: usize,
    /// Requests up to the first large one, that one included; zero without one.
    large_end: usize,
    replies: Output,
    /// Where each reply in `replies` ends.
    ends: Vec<usize>,
    /// Replies that were taken.
    taken: usize,
    /// Where the last of them ended.
    taken_bytes: usize,
    /// How far a walk over all keys came that was left half done.
    pace: Pace,
}

/// One request: its spans end here, the ones before it end where its own begin.
#[derive(Debug)]
struct Request {
    run: Run,
    proto: Proto,
    spans_end: u32,
    /// Its arguments, if every shard has the same.
    whole: Option<Arc<Whole>>,
}

/// The arguments of a request that goes to every shard.
#[derive(Debug)]
pub struct Whole {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Whole {
    /// A copy of `args`.
    pub fn new(args: &Args<'_>) -> Self {
        let (mut bytes, mut spans) = (Vec::new(), Vec::with_capacity(args.len()));
        copy(&mut bytes, &mut spans, args.from(0));
        Self { bytes, spans }
    }
}

impl Batch {
    /// Copies a request in: `run` with `args`, for a client that speaks `proto`.
    pub fn push<'a>(&mut self, run: Run, proto: Proto, args: impl Iterator<Item = &'a [u8]>) {
        copy(&mut self.bytes, &mut self.spans, args);
        self.add(run, proto, None);
    }

    /// Adds a request that goes to every shard.
    pub fn push_whole(&mut self, run: Run, proto: Proto, whole: &Arc<Whole>) {
        self.add(run, proto, Some(whole.clone()));
    }

    fn add(&mut self, run: Run, proto: Proto, whole: Option<Arc<Whole>>) {
        // Fits: a request is smaller than 4 GiB, and a batch takes no more once it is full.
        let spans_end = self.spans.len() as u32;
        self.requests.push(Request { run, proto, spans_end, whole });
    }

    /// Says that the last request's reply may have any size: behind it a run may stop.
    pub fn mark_large(&mut self) {
        if self.large_end == 0 {
            self.large_end = self.requests.len();
        }
    }

    /// Charges replies to `budget`.
    pub fn charge_to(&mut self, budget: Option<Arc<Budget>>) {
        self.replies.charge_to(budget);
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// True if there are requests that have not run: the batch should be sent.
    pub fn is_waiting(&self) -> bool {
        self.ran < self.requests.len()
    }

    /// True if it should be sent before more is added.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= REQUEST_BYTES_MAX
    }

    /// Memory it owns, in bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.replies.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.requests.capacity() * size_of::<Request>()
            + self.ends.capacity() * size_of::<usize>()
    }

    /// Runs requests on `store`, which must be their shard's, until all ran, it is time for others,
    /// or, behind a large one, the replies exceed `reply_bytes_max`. At least one runs, or goes on,
    /// if one is waiting.
    pub fn run(&mut self, store: &mut Store, now_ms: u64, reply_bytes_max: usize) {
        self.pace.is_spent = false;
        let mut spans_start = match self.ran {
            0 => 0,
            ran => self.requests[ran - 1].spans_end as usize,
        };
        let stops_from = if self.large_end == 0 { usize::MAX } else { self.large_end };
        while let Some(request) = self.requests.get(self.ran) {
            let spans_end = request.spans_end as usize;
            let args = match &request.whole {
                Some(whole) => Args::new(&whole.bytes, &whole.spans),
                None => Args::new(&self.bytes, &self.spans[spans_start..spans_end]),
            };
            spans_start = spans_end;
            let (proto, out, pace) = (request.proto, &mut self.replies, &mut self.pace);
            Call { store, now_ms, proto, args, out, pace }.finish(request.run);
            if self.pace.paused.is_some() {
                break;
            }
            self.ends.push(self.replies.len());
            self.ran += 1;
            let is_full = self.ran >= stops_from && self.replies.bytes_to_send() >= reply_bytes_max;
            if is_full || self.pace.is_spent {
                break;
            }
        }
    }

    /// The oldest reply that was not taken.
    #[inline]
    pub fn reply(&self) -> Option<Part<'_>> {
        let end = *self.ends.get(self.taken)?;
        Some(self.replies.part(self.taken_bytes..end))
    }

    /// Moves the oldest reply that was not taken to `out`; false if there is none.
    #[inline]
    pub fn take_reply(&mut self, out: &mut Output) -> bool {
        let Some(reply) = self.reply() else { return false };
        if out.is_empty() && self.ends.len() == 1 {
            out.take_over(&mut self.replies);
        } else {
            out.append(reply);
        }
        self.advance();
        true
    }

    /// Takes that reply away. The last one frees the room of all.
    #[inline]
    pub fn advance(&mut self) {
        self.taken_bytes = self.ends[self.taken];
        self.taken += 1;
        if self.taken == self.ends.len() {
            self.recycle();
        }
    }

    fn recycle(&mut self) {
        (self.taken, self.taken_bytes) = (0, 0);
        recycle(&mut self.ends, ENTRIES_KEPT);
        self.replies.recycle(BYTES_KEPT);
        if !self.is_waiting() {
            (self.ran, self.large_end) = (0, 0);
            self.replies.charge_to(None);
            recycle(&mut self.requests, ENTRIES_KEPT);
            recycle(&mut self.spans, ENTRIES_KEPT);
            recycle(&mut self.bytes, BYTES_KEPT);
        }
    }
}

fn copy<'a>(bytes: &mut Vec<u8>, spans: &mut Vec<Span>, args: impl Iterator<Item = &'a [u8]>) {
    for arg in args {
        let start = bytes.len();
        bytes.extend_from_slice(arg);
        spans.push(Span::new(start, bytes.len()));
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
            all.push(String::from_utf8(reply.bytes().to_vec()).unwrap());
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
        batch.large_end = 2;
        let mut seen = 0;
        while batch.is_waiting() {
            batch.run(&mut store, 0, 30);
            assert!(batch.replies.len() < 60);
            seen += take_all(&mut batch).len();
        }
        assert_eq!(seen, 11);
    }

    #[test]
    fn a_run_stops_only_behind_a_large_request() {
        let (mut batch, mut store) = (Batch::default(), Store::new(0, 1));
        push(&mut batch, "set a 0123456789");
        (0..10).for_each(|_| push(&mut batch, "get a"));
        batch.run(&mut store, 0, 30);
        assert!(!batch.is_waiting());
        take_all(&mut batch);
        (0..5).for_each(|_| push(&mut batch, "get a"));
        push(&mut batch, "hgetall h");
        batch.mark_large();
        (0..5).for_each(|_| push(&mut batch, "get a"));
        batch.run(&mut store, 0, 30);
        assert_eq!(take_all(&mut batch).len(), 6);
        assert!(batch.is_waiting());
    }

    #[test]
    fn an_empty_batch_keeps_little_of_what_it_held() {
        let (mut batch, mut store) = (Batch::default(), Store::new(0, 1));
        let value = "x".repeat(10_000);
        for number in 0..2000 {
            push(&mut batch, &format!("set {number} {value}"));
            push(&mut batch, &format!("get {number}"));
        }
        batch.run(&mut store, 0, usize::MAX);
        assert!(batch.capacity_bytes() > 30 << 20);
        take_all(&mut batch);
        assert!(batch.capacity_bytes() < 8 << 10, "{}", batch.capacity_bytes());
    }
}
