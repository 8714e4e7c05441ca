//! What the client knows of one connection: positions in the sequence, and when requests were sent.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::Instant;

use crate::echo::pattern::{self, PIECE_BYTES_MAX};

/// One connection.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Told apart from an earlier connection in the same place.
    pub(super) generation: u32,
    first: u64,
    received: u64,
    /// Bytes handed to the kernel.
    sent: u64,
    /// Bytes of requests that were made.
    wanted: u64,
    /// A send is under way that will be reported.
    pub(super) sending: bool,
    /// When the requests under way were made, oldest first.
    made: VecDeque<Instant>,
    /// Requests that may still be made.
    left: u64,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        number: usize,
        generation: u32,
        requests_max: Option<u64>,
    ) -> Self {
        Self {
            stream,
            generation,
            first: pattern::start_of(number),
            received: 0,
            sent: 0,
            wanted: 0,
            sending: false,
            made: VecDeque::new(),
            left: requests_max.unwrap_or(u64::MAX),
        }
    }

    /// Makes a request, to be sent with the next [`piece`](Self::next_piece); `false` if the
    /// connection has made all that it may.
    pub(super) fn make_request(&mut self, bytes: usize, now: Instant) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.wanted += bytes as u64;
        self.made.push_back(now);
        true
    }

    /// What is to be sent now, in one piece; it counts as sent.
    pub(super) fn next_piece(&mut self) -> Option<&'static [u8]> {
        let len = (self.wanted - self.sent).min(PIECE_BYTES_MAX as u64);
        if self.sending || len == 0 {
            return None;
        }
        let piece = pattern::piece(self.first + self.sent, len as usize);
        self.sent += len;
        Some(piece)
    }

    /// Checks what came back. Calls `done` with the time at which each request that is now whole
    /// was made; `Err` with the bytes that were right before if anything differs.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        message_bytes: usize,
        mut done: impl FnMut(Instant),
    ) -> Result<(), u64> {
        let before = self.received;
        let is_due = before + bytes.len() as u64 <= self.sent;
        if !is_due || !pattern::matches(self.first + before, bytes) {
            return Err(before);
        }
        self.received += bytes.len() as u64;
        let message_bytes = message_bytes as u64;
        let whole = self.received / message_bytes - before / message_bytes;
        let whole = self.made.drain(..whole as usize);
        whole.for_each(&mut done);
        Ok(())
    }

    /// Nothing is under way, and nothing will be.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.made.is_empty()
    }
}
