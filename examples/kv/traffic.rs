//! What a shard counts of its connections, for `INFO`: how much there was, ever and lately.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ [socket]`
#![forbid(unsafe_code)]

use std::cell::Cell;

use crate::command::info::Figures;

/// What one shard counts of its connections.
#[derive(Debug, Default)]
pub struct Traffic {
    opened: Cell<u64>,
    closed: Cell<u64>,
    commands: Rate,
    input_bytes: Rate,
    output_bytes: Rate,
    /// The second, since the epoch, that the rates count.
    second: Cell<u64>,
}

/// How much there was: ever, and lately.
#[derive(Debug, Default)]
struct Rate {
    total: Cell<u64>,
    /// What `total` was when the second began.
    before: Cell<u64>,
    /// How much there was in the second before.
    last: Cell<u64>,
}

impl Traffic {
    /// A connection was opened.
    pub fn opened(&self) {
        self.opened.update(|opened| opened + 1);
    }

    /// A connection was closed.
    pub fn closed(&self) {
        self.closed.update(|closed| closed + 1);
    }

    /// Requests were handled.
    pub fn handled(&self, requests: u64, now_ms: u64) {
        let (now, second) = (now_ms / 1000, self.second.get());
        if now != second {
            self.second.set(now);
            self.rates().into_iter().for_each(|rate| rate.begin_second(now == second + 1));
        }
        self.commands.add(requests);
    }

    /// `bytes` were received.
    pub fn received(&self, bytes: usize) {
        self.input_bytes.add(bytes as u64);
    }

    /// `bytes` were sent.
    pub fn sent(&self, bytes: usize) {
        self.output_bytes.add(bytes as u64);
    }

    fn rates(&self) -> [&Rate; 3] {
        [&self.commands, &self.input_bytes, &self.output_bytes]
    }

    /// What `INFO` tells of it.
    pub fn figures(&self, now_ms: u64) -> Figures {
        let (accepted, closed) = (self.opened.get() as i64, self.closed.get() as i64);
        let [commands, input, output] = self.rates().map(|rate| self.flow(rate, now_ms));
        let clients = accepted - closed;
        Figures { clients, accepted, commands, input, output, ..Figures::default() }
    }

    /// How much of something there was, and how much in the second before `now_ms`.
    fn flow(&self, rate: &Rate, now_ms: u64) -> [i64; 2] {
        let this = rate.total.get() - rate.before.get();
        let (last, left_ms) = (rate.last.get(), 1000 - now_ms % 1000);
        let lately = match (now_ms / 1000).saturating_sub(self.second.get()) {
            0 => this + last * left_ms / 1000,
            1 => this * left_ms / 1000,
            _ => 0,
        };
        [rate.total.get() as i64, lately as i64]
    }
}

impl Rate {
    fn add(&self, more: u64) {
        self.total.update(|total| total + more);
    }

    fn begin_second(&self, is_next: bool) {
        let total = self.total.get();
        let this = total - self.before.replace(total);
        self.last.set(if is_next { this } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_tell_what_there_was_in_the_last_second() {
        let traffic = Traffic::default();
        let per_second = |now_ms| traffic.figures(now_ms).commands[1];
        traffic.handled(100, 50_000);
        assert_eq!((per_second(50_000), per_second(50_999)), (100, 100));
        assert_eq!((per_second(51_000), per_second(51_500)), (100, 50));
        traffic.handled(30, 51_500);
        assert_eq!((per_second(51_500), per_second(51_900)), (80, 40));
        assert_eq!((per_second(52_000), per_second(53_000)), (30, 0));
        traffic.handled(7, 60_000);
        assert_eq!(traffic.figures(60_000).commands, [137, 7]);
    }
}
