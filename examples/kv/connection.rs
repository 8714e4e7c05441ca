//! One client: bytes in, requests to where they belong, replies out in order.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ [socket]`
//!
//! Requests are parsed where they were received, and a received buffer is let go of before anything
//! is waited for. While replies are being written nothing more is read. So a client that asks and
//! never reads costs no more than one round's replies.
#![forbid(unsafe_code)]

use std::io;
use std::net::Shutdown;

use miniss_linux::net::{PoolBuf, TcpStream};
use miniss_linux::{ShardId, run_on, yield_now};

use crate::batch::{Batch, REPLY_BYTES_MAX, recycle};
use crate::resp::{Parsed, Parser};
use crate::round::{Context, Round};
use crate::session::Session;
use crate::shard::{Counters, facts, next_connection, now_ms, shards, with_store};

/// Bytes of empty buffers that a connection keeps.
const BYTES_KEPT: usize = 16 << 10;

/// A client's connection.
pub struct Connection {
    stream: TcpStream,
    session: Session,
    parser: Parser,
    round: Round,
    /// Bytes that were received and are not parsed yet.
    input: Vec<u8>,
    /// Replies that are not written yet.
    out: Vec<u8>,
}

/// Why parsing stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// There is no whole request any more.
    Short,
    /// There is, but what was asked so far is to be answered first.
    Full,
}

impl Connection {
    /// The connection on a stream that was just accepted.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            session: Session::new(next_connection()),
            parser: Parser::new(),
            round: Round::new(ShardId::current().index(), shards()),
            input: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Serves the client until it goes, asks to quit, or breaks the protocol.
    pub async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        while !self.session.closing {
            let received = self.stream.recv().await?;
            if received.is_empty() {
                return Ok(());
            }
            let mut stopped = self.take_in(received);
            loop {
                self.cross().await?;
                self.write().await?;
                if stopped == Stopped::Short {
                    break;
                }
                yield_now().await;
                self.round.begin_turn();
                stopped = self.take_requests_from_input();
            }
        }
        self.stream.shutdown(Shutdown::Write).await
    }

    /// Handles what was received; what is left of it is kept.
    fn take_in(&mut self, received: PoolBuf) -> Stopped {
        if !self.input.is_empty() {
            self.input.extend_from_slice(&received);
            drop(received);
            return self.take_requests_from_input();
        }
        let (used, stopped) = self.take_requests(&received);
        self.input.extend_from_slice(&received[used..]);
        stopped
    }

    fn take_requests_from_input(&mut self) -> Stopped {
        let mut input = std::mem::take(&mut self.input);
        let (used, stopped) = self.take_requests(&input);
        if used == input.len() {
            recycle(&mut input, BYTES_KEPT);
        } else {
            input.drain(..used);
        }
        self.input = input;
        stopped
    }

    /// Handles the requests at the beginning of `bytes`; returns how many bytes they were.
    fn take_requests(&mut self, bytes: &[u8]) -> (usize, Stopped) {
        let (mut used, mut requests) = (0, 0);
        let stopped = with_store(|store| {
            let now_ms = now_ms();
            while !self.session.closing {
                if self.round.is_full(&self.out) {
                    return Stopped::Full;
                }
                match self.parser.parse(&bytes[used..]) {
                    Ok(Parsed::Request { args, used: length }) => {
                        (used, requests) = (used + length, requests + 1);
                        let (session, out) = (&mut self.session, &mut self.out);
                        let mut context = Context { session, store, now_ms, facts: &facts, out };
                        self.round.request(&mut context, &args);
                    }
                    Ok(Parsed::Nothing { used: length }) => used += length,
                    Ok(Parsed::Incomplete) => return Stopped::Short,
                    Err(error) => {
                        error.write(self.round.sink(&mut self.out));
                        self.session.closing = true;
                    }
                }
            }
            used = bytes.len();
            Stopped::Short
        });
        Counters::here().handled(requests);
        (used, stopped)
    }

    /// Has other shards answer what is theirs.
    async fn cross(&mut self) -> io::Result<()> {
        while self.round.is_waiting() {
            if self.round.is_paused() {
                // What runs on this shard runs at once: first the others have their turn.
                yield_now().await;
            }
            let mut calls = Vec::new();
            for shard in 0..shards() {
                if let Some(batch) = self.round.take_batch(shard) {
                    calls.push((shard, run_on(shard, move || run_here(batch))));
                }
            }
            for (shard, call) in calls {
                let batch = call.await.map_err(io::Error::other)?;
                self.round.put_batch(shard, batch);
            }
            if !self.round.drain(&facts, &mut self.out) {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Writes the replies that are there.
    async fn write(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let (result, mut out) = self.stream.write_all(std::mem::take(&mut self.out)).await;
        recycle(&mut out, BYTES_KEPT);
        self.out = out;
        result
    }
}

/// Runs another shard's requests on this one's keys.
fn run_here(mut batch: Batch) -> Batch {
    with_store(|store| batch.run(store, now_ms(), REPLY_BYTES_MAX));
    batch
}
