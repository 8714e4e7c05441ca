//! The client's loop.
//!
//! Invariant **Forever**: what is sent lies in the table of the pattern, which is never freed.

use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use io_uring::{cqueue, opcode, squeue, types};

use super::connection::Connection;
use super::{Clocks, Load, LoadError, Report, Until, latencies};
use crate::echo::buffers::{Buffers, GROUP};
use crate::echo::ring::Ring;

const ENTRIES: u32 = 1024;
const BATCH: usize = 256;
const BUFFER_BYTES_MIN: usize = 4 << 10;
const BUFFER_BYTES_MAX: usize = 64 << 10;
const BUFFERS_MIN: usize = 64;
const BUFFERS_MAX: usize = 4096;
/// How often the loop looks at the time even if nothing comes back.
const TICK: types::Timespec = types::Timespec::new().nsec(20_000_000);
/// A server that lets nothing come back for so long has lost something.
const STALL: Duration = Duration::from_secs(10);

/// What a completion is about: bits 60 and up of `user_data`. Below are the generation of the
/// connection, 28 bits, and its number, 32 bits.
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const TICKED: u64 = 3;
const GENERATION_MASK: u32 = (1 << 28) - 1;

/// When counting began.
struct Start {
    at: Instant,
    clocks: Clocks,
}

pub(super) struct Run {
    load: Load,
    /// Dropped before the buffers.
    ring: Ring,
    buffers: Buffers,
    connections: Vec<Connection>,
    latency: Histogram<u64>,
    connects: u64,
    now: Instant,
    last_reply: Instant,
}

impl Run {
    pub(super) fn new(load: Load) -> Result<Self, LoadError> {
        let ring = Ring::new(ENTRIES).map_err(LoadError::Ring)?;
        let bytes = load.message_bytes.saturating_mul(load.depth).next_power_of_two();
        let bytes = bytes.clamp(BUFFER_BYTES_MIN, BUFFER_BYTES_MAX);
        let count = (load.connections * 2).next_power_of_two().clamp(BUFFERS_MIN, BUFFERS_MAX);
        let buffers = Buffers::new(&ring, count as u16, bytes as u32).map_err(LoadError::Ring)?;
        let now = Instant::now();
        Ok(Self {
            load,
            ring,
            buffers,
            connections: Vec::new(),
            latency: latencies(),
            connects: 0,
            now,
            last_reply: now,
        })
    }

    pub(super) fn finish(
        mut self,
        clocks: &mut dyn FnMut() -> Clocks,
    ) -> Result<Report, LoadError> {
        self.push(opcode::Timeout::new(&TICK).flags(types::TimeoutFlags::MULTISHOT).build(), {
            TICKED << 60
        })?;
        for number in 0..self.load.connections {
            let connection = self.connect(number, 0)?;
            self.connections.push(connection);
        }
        self.now = Instant::now();
        (0..self.load.connections).try_for_each(|number| self.begin(number))?;
        let warm = self.now + self.load.warm_up_at_first();
        while self.now < warm {
            self.turn()?;
        }
        self.latency = latencies();
        let start = Start { at: Instant::now(), clocks: clocks() };
        while !self.is_over(&start) {
            self.turn()?;
        }
        Ok(self.report(&start, &clocks()))
    }

    fn is_over(&self, start: &Start) -> bool {
        match self.load.until {
            Until::Time(time) => self.now >= start.at + time,
            Until::Requests(count) => self.latency.len() >= count,
            Until::Each(count) => self.latency.len() >= count * self.connections.len() as u64,
        }
    }

    fn report(self, start: &Start, end: &Clocks) -> Report {
        Report {
            latency: self.latency,
            elapsed: self.now.saturating_duration_since(start.at),
            connects: self.connects,
            client_cpu: end.own - start.clocks.own,
            server_cpu: end.server - start.clocks.server,
        }
    }

    fn turn(&mut self) -> Result<(), LoadError> {
        self.ring.wait(self.load.spin).map_err(LoadError::Ring)?;
        self.now = Instant::now();
        if self.now > self.last_reply + STALL {
            return Err(LoadError::Stalled(STALL));
        }
        let mut batch = [const { MaybeUninit::uninit() }; BATCH];
        loop {
            let taken = self.ring.take(&mut batch);
            let count = taken.len();
            for completion in &*taken {
                self.dispatch(completion)?;
            }
            if count < BATCH {
                break;
            }
        }
        self.buffers.publish();
        Ok(())
    }

    fn push(&mut self, entry: squeue::Entry, data: u64) -> Result<(), LoadError> {
        // SAFETY: *Forever*; the timespec is a constant, and other entries point at nothing.
        unsafe { self.ring.push(&entry.user_data(data)) }.map_err(LoadError::Ring)
    }

    fn data(&self, what: u64, number: usize) -> u64 {
        let generation = self.connections[number].generation & GENERATION_MASK;
        what << 60 | u64::from(generation) << 32 | number as u64
    }

    fn connect(&mut self, number: usize, generation: u32) -> Result<Connection, LoadError> {
        let address = self.load.address;
        let fail = |error| LoadError::Connect(address, error);
        let stream = TcpStream::connect(address).map_err(fail)?;
        stream.set_nodelay(true).map_err(fail)?;
        self.connects += 1;
        Ok(Connection::new(stream, number, generation, self.load.requests_max()))
    }

    /// Starts receiving, and makes the first requests.
    fn begin(&mut self, number: usize) -> Result<(), LoadError> {
        self.receive(number)?;
        let (bytes, now) = (self.load.message_bytes, self.now);
        for _ in 0..self.load.depth {
            self.connections[number].make_request(bytes, now);
        }
        self.send(number)
    }

    fn receive(&mut self, number: usize) -> Result<(), LoadError> {
        let fd = types::Fd(self.connections[number].stream.as_raw_fd());
        self.push(opcode::RecvMulti::new(fd, GROUP).build(), self.data(RECEIVE, number))
    }

    fn send(&mut self, number: usize) -> Result<(), LoadError> {
        let data = self.data(SEND, number);
        // With one request under way, its reply says that it was sent.
        let is_reported = self.load.depth > 1;
        let connection = &mut self.connections[number];
        let Some(piece) = connection.next_piece() else { return Ok(()) };
        connection.sending = is_reported;
        let fd = types::Fd(connection.stream.as_raw_fd());
        let entry = opcode::Send::new(fd, piece.as_ptr(), piece.len() as u32)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build();
        let skip = squeue::Flags::SKIP_SUCCESS;
        self.push(if is_reported { entry } else { entry.flags(skip) }, data)
    }

    fn dispatch(&mut self, completion: &cqueue::Entry) -> Result<(), LoadError> {
        let data = completion.user_data();
        let (number, generation) = (data as u32 as usize, (data >> 32) as u32 & GENERATION_MASK);
        let what = data >> 60;
        let is_current =
            what != TICKED && self.connections[number].generation & GENERATION_MASK == generation;
        match what {
            RECEIVE => self.received(number, is_current, completion),
            SEND if is_current => self.sent(number, completion.result()),
            _ => Ok(()),
        }
    }

    fn sent(&mut self, number: usize, result: i32) -> Result<(), LoadError> {
        if result < 0 {
            return Err(failed(number, result));
        }
        self.connections[number].sending = false;
        self.send(number)
    }

    fn received(
        &mut self,
        number: usize,
        is_current: bool,
        completion: &cqueue::Entry,
    ) -> Result<(), LoadError> {
        let result = completion.result();
        let buffer = cqueue::buffer_select(completion.flags());
        if !is_current {
            buffer.into_iter().for_each(|buffer| self.buffers.give(buffer));
            return Ok(());
        }
        match (result, buffer) {
            (1.., Some(buffer)) => self.check(number, buffer, result as usize)?,
            (0, _) => return Err(LoadError::Closed(number)),
            _ if result == -libc::ENOBUFS => {}
            _ => return Err(failed(number, result)),
        }
        if self.load.churn.is_some() && self.connections[number].is_done() {
            return self.replace(number);
        }
        if !cqueue::more(completion.flags()) {
            self.buffers.publish();
            self.receive(number)?;
        }
        Ok(())
    }

    fn check(&mut self, number: usize, buffer: u16, len: usize) -> Result<(), LoadError> {
        let (now, message_bytes) = (self.now, self.load.message_bytes);
        let connection = &mut self.connections[number];
        let (latency, mut done) = (&mut self.latency, 0);
        let bytes = self.buffers.bytes(buffer, len);
        let checked = connection.receive(bytes, message_bytes, |made| {
            latency.saturating_record((now - made).as_nanos() as u64);
            done += 1;
        });
        self.buffers.give(buffer);
        checked.map_err(|after_bytes| LoadError::Mismatch { connection: number, after_bytes })?;
        self.last_reply = now;
        for _ in 0..done {
            connection.make_request(message_bytes, now);
        }
        self.send(number)
    }

    /// Makes a connection again; what the kernel still does for the old one ends by itself.
    fn replace(&mut self, number: usize) -> Result<(), LoadError> {
        let old = &self.connections[number];
        let generation = old.generation.wrapping_add(1);
        // Closing alone would leave the receive, and with it the connection, as it is.
        old.stream
            .shutdown(std::net::Shutdown::Both)
            .map_err(|error| LoadError::Connection(number, error))?;
        self.connections[number] = self.connect(number, generation)?;
        self.begin(number)
    }
}

fn failed(number: usize, result: i32) -> LoadError {
    LoadError::Connection(number, std::io::Error::from_raw_os_error(-result))
}
