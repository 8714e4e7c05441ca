//! One client: bytes in, requests to where they belong, replies out in order.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ [socket]`
//!
//! Requests are parsed where they were received, and a received buffer is let go of before anything
//! is waited for. While replies are being written nothing more is read. So a client that asks and
//! never reads costs the replies of one round, each of which may be as large as a value; what they
//! take is charged to the connection's [budget](crate::budget), and after some time without
//! progress the connection is ended ([`limits`](crate::limits)).
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use miniss_linux::buf::IoVecBuf;
use miniss_linux::net::{Keepalive, PoolBuf, TcpStream};
use miniss_linux::sharded::{Permits, ServiceGroup};
use miniss_linux::time::timeout;
use miniss_linux::yield_now;

use crate::batch::recycle;
use crate::budget::{Budget, Charge};
use crate::command::Fault;
use crate::limits::Limits;
use crate::resp::output::{Piece, Pieces};
use crate::resp::{Output, Parsed, Parser};
use crate::round::{Context, Round, Taken, Wait};
use crate::session::Session;
use crate::shard::{Shard, now_ms, warn_seldom};

/// Bytes of empty buffers that a connection keeps.
const BYTES_KEPT: usize = 1 << 10;
/// Bytes of a request from which on its buffer grows by a quarter.
const GROWTH_BYTES_MIN: usize = 1 << 20;
/// Bytes that are written at once when there are many or shared ones.
const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Pieces of memory that are written at once.
const CHUNK_PIECES_MAX: usize = 64;

/// Batches on their way. Between two shards so few that a lane never fills: half of what it holds,
/// the other half being for answers.
static BATCHES: ServiceGroup = ServiceGroup::new("batches", 1, 4096).per_caller_max(64);

/// A client's connection.
pub struct Connection {
    stream: Rc<TcpStream>,
    shard: Rc<Shard>,
    session: Session,
    parser: Parser,
    round: Round,
    /// For the batches of the round.
    permits: Permits,
    /// Bytes that were received and are not parsed yet.
    input: Vec<u8>,
    /// Replies that are not written yet.
    out: Output,
    /// What `input` and the session hold.
    charge: Charge,
}

impl Connection {
    /// The connection with this number, on a stream that `shard` has just accepted.
    pub fn new(number: u64, stream: Rc<TcpStream>, shard: Rc<Shard>) -> Self {
        let limits = &shard.server.limits;
        let budget = Budget::new(limits.connection_bytes(), Some(shard.budget.clone()));
        let budget = Some(Arc::new(budget));
        Self {
            stream,
            session: Session::new(number),
            parser: Parser::new(limits.request_bytes_max()),
            round: Round::new(shard.index, shard.server.clone(), budget.clone(), &shard.stock),
            permits: Permits::new(&BATCHES),
            input: Vec::new(),
            out: Output::new(budget.clone()),
            charge: Charge::new(budget),
            shard,
        }
    }

    /// Serves the client until it goes, asks to quit, breaks the protocol, or breaks a limit.
    pub async fn serve(mut self) -> io::Result<()> {
        let (timeout, keepalive) = (self.limits().timeout(), self.limits().keepalive());
        self.stream.set_nodelay(true)?;
        self.stream.set_keepalive(keepalive.map(Keepalive::after))?;
        while !self.session.closing {
            let received = match timeout {
                None => self.stream.recv().await?,
                Some(_) => within(timeout, self.stream.recv()).await??,
            };
            if received.is_empty() {
                return Ok(());
            }
            self.shard.traffic.received(received.len());
            let mut taken = self.take_in(received);
            loop {
                self.cross().await?;
                self.write().await?;
                match taken {
                    Ok(()) => break,
                    Err(Wait::ForReplies) => {}
                    Err(Wait::ForPermits(shards)) => {
                        self.permits.reserve(shards).await.map_err(io::Error::other)?;
                    }
                }
                yield_now().await;
                self.round.begin_turn();
                taken = self.take_requests_from_input();
            }
            self.settle().await?;
        }
        self.stream.shutdown(Shutdown::Write).await
    }

    /// Handles what was received; what is left of it is kept. An error if there is a whole request
    /// that must wait.
    fn take_in(&mut self, received: PoolBuf) -> Taken {
        if !self.input.is_empty() {
            self.grow_input(received.len());
            self.input.extend_from_slice(&received);
            drop(received);
            return self.take_requests_from_input();
        }
        let (used, taken) = self.take_requests(&received);
        self.input.extend_from_slice(&received[used..]);
        taken
    }

    /// Makes room for `len` bytes more of a request. A long one gets a quarter more, not as much
    /// again: what it may take is charged by what it has.
    fn grow_input(&mut self, len: usize) {
        let (used, room) = (self.input.len(), self.input.capacity());
        if used > GROWTH_BYTES_MIN && used + len > room {
            self.input.reserve_exact(len.max(used / 4));
        }
    }

    fn take_requests_from_input(&mut self) -> Taken {
        let mut input = std::mem::take(&mut self.input);
        let (used, taken) = self.take_requests(&input);
        if used == input.len() {
            recycle(&mut input, BYTES_KEPT);
        } else if used > 0 {
            input.drain(..used);
            input.shrink_to(BYTES_KEPT);
        }
        self.input = input;
        taken
    }

    /// Handles the requests at the beginning of `bytes`; returns how many bytes they were.
    fn take_requests(&mut self, bytes: &[u8]) -> (usize, Taken) {
        let (mut used, mut requests, now_ms) = (0, 0, now_ms());
        let reserve = &mut |shards: Range<usize>| {
            let has_room = self.permits.try_reserve(shards.clone());
            has_room.then_some(()).ok_or(Wait::ForPermits(shards))
        };
        let taken = self.shard.with_store(|store| {
            let (session, out) = (&mut self.session, &mut self.out);
            let mut context = Context { session, store, now_ms, reserve, out };
            while !context.session.closing {
                if self.round.is_full(context.out) {
                    return Err(Wait::ForReplies);
                }
                match self.parser.parse(&bytes[used..]) {
                    Ok(Parsed::Request { args, used: length }) => {
                        self.round.request(&mut context, &args)?;
                        (used, requests) = (used + length, requests + 1);
                    }
                    Ok(Parsed::Nothing { used: length }) => used += length,
                    Ok(Parsed::Incomplete) => return Ok(()),
                    Err(error) => {
                        error.write(self.round.sink(context.out));
                        context.session.closing = true;
                    }
                }
            }
            used = bytes.len();
            Ok(())
        });
        self.shard.traffic.handled(requests, now_ms);
        (used, taken)
    }

    /// Has other shards answer what is theirs.
    async fn cross(&mut self) -> io::Result<()> {
        while self.round.is_waiting() {
            if self.round.is_paused() {
                // What runs on this shard runs at once: first the others have their turn.
                yield_now().await;
            }
            self.permits.reserve(self.round.waiting()).await.map_err(io::Error::other)?;
            let mut calls = Vec::new();
            for permit in self.permits.drain() {
                let shard = permit.shard().index();
                if let Some(batch) = self.round.take_batch(shard) {
                    let run = |there: &Shard| there.run(batch);
                    calls.push((shard, permit.run(self.shard.siblings, run)));
                }
            }
            for (shard, call) in calls {
                let batch = call.await.map_err(io::Error::other)?;
                self.round.put_batch(shard, batch);
            }
            if !self.round.drain(&mut self.out) {
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
        self.shard.traffic.sent(self.out.bytes_to_send());
        if self.out.bytes_to_send() > CHUNK_BYTES_MAX {
            Box::pin(self.write_in_chunks()).await?;
        } else if let Some(bytes) = self.out.take_bytes() {
            let patience = self.limits().patience(bytes.len());
            let (result, bytes) = within(patience, self.stream.write_all(bytes)).await?;
            self.out.put_bytes(bytes);
            result?;
        } else {
            Box::pin(self.write_in_chunks()).await?;
        }
        self.out.recycle(BYTES_KEPT);
        Ok(())
    }

    /// Writes many bytes, or some that are shared, a chunk at a time: a client that reads slowly
    /// makes progress, and what is written need not be held any longer.
    async fn write_in_chunks(&mut self) -> io::Result<()> {
        let mut left = self.out.bytes_to_send();
        if !self.limits().allows_unread(left) {
            return Err(too_many_unread());
        }
        let (mut pieces, mut rest) = (self.out.take_pieces(), None);
        while let Some(chunk) = next_chunk(&mut pieces, &mut rest) {
            let patience = self.limits().patience(left);
            left -= chunk.0.iter().map(|piece| piece.range.len()).sum::<usize>();
            let written = within(patience, self.stream.write_vectored_all(chunk)).await;
            let (result, chunk) = written.map_err(|_| too_many_unread())?;
            result?;
            self.free(chunk);
        }
        Ok(())
    }

    /// Charges what stays while the client is waited for, and ends the connection if it is too
    /// much.
    async fn settle(&mut self) -> io::Result<()> {
        self.parser.shrink();
        let held = self.input.len() + self.parser.capacity_bytes() + self.session.name.len();
        self.charge.lower(held);
        if !self.charge.cover(held) {
            // At once: what one gives up may be what the next one needs.
            self.input = Vec::new();
            self.charge.lower(0);
            Fault::NO_MEMORY_FOR_REQUEST.write(&mut self.out);
            self.session.closing = true;
            self.write().await?;
        }
        Ok(())
    }

    /// Lets go of what was written. What nothing else holds any more is freed a piece at a time.
    fn free(&self, chunk: Chunk) {
        let strings = chunk.0.into_iter().filter_map(|piece| Arc::into_inner(piece.string));
        strings.for_each(|string| self.shard.with_garbage(|garbage| garbage.bytes(string)));
    }

    fn limits(&self) -> &Limits {
        &self.shard.server.limits
    }
}

/// Says why a connection ends of a client that does not read.
fn too_many_unread() -> io::Error {
    warn_seldom("a connection is closed: its client leaves too many replies unread");
    io::ErrorKind::TimedOut.into()
}

/// Awaits `future`, but no longer than `patience` if there is a bound.
async fn within<T>(patience: Option<Duration>, future: impl Future<Output = T>) -> io::Result<T> {
    match patience {
        None => Ok(future.await),
        // On the heap: the task of a connection without limits is to stay small.
        Some(patience) => {
            let end = |_| io::Error::from(io::ErrorKind::TimedOut);
            Box::pin(timeout(patience, future)).await.map_err(end)
        }
    }
}

/// Some pieces of memory that are written together.
struct Chunk(Vec<Piece>);

impl IoVecBuf for Chunk {
    fn for_each_init<'a>(&'a self, visit: impl FnMut(&'a [u8])) {
        self.0.iter().map(|piece| &piece.string[piece.range.clone()]).for_each(visit);
    }
}

/// The next pieces to be written; `rest` is what is left of the last one.
fn next_chunk(pieces: &mut Pieces, rest: &mut Option<Piece>) -> Option<Chunk> {
    let (mut chunk, mut room) = (Vec::new(), CHUNK_BYTES_MAX);
    while room > 0
        && chunk.len() < CHUNK_PIECES_MAX
        && let Some(mut piece) = rest.take().or_else(|| pieces.next())
    {
        let end = piece.range.start + piece.range.len().min(room);
        if end < piece.range.end {
            *rest = Some(Piece { string: piece.string.clone(), range: end..piece.range.end });
        }
        piece.range.end = end;
        room -= piece.range.len();
        chunk.push(piece);
    }
    (!chunk.is_empty()).then_some(Chunk(chunk))
}
