//! The limit: an echo server on io_uring by hand, one core, no runtime.
//!
//! Multishot accept into direct descriptors, multishot receive into provided buffers, and one
//! system call for submitting, completing and waiting. A received buffer is sent as it is. A send
//! asks not to be waited for and reports only failure (*quiet*): it has ended when the system call
//! that submitted it returns, so its buffer is free without a completion. What the socket had no
//! room for is sent again and waited for (*loud*). A connection has one send under way at a time;
//! what else it receives queues up.
//!
//! Invariant **Held while sent**: a buffer goes back to the kernel only after the send of it has
//! ended: the completion of a loud one has come, or the quiet one was submitted, and the
//! completions that this brought have been seen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::time::Duration;

use io_uring::{cqueue, opcode, squeue, types};

use super::buffers::{Buffers, GROUP};
use super::ring::Ring;
use super::servers::work;

/// Direct descriptors: the most connections at a time.
const CONNECTIONS_MAX: u32 = 4096;
const ENTRIES: u32 = 1024;
const BUFFERS: u16 = 512;
const BUFFER_BYTES: u32 = 16 << 10;
const BATCH: usize = 256;

/// What a completion is about: the upper half of `user_data`; the lower half is a number.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const CLOSE: u64 = 3;

#[derive(Default)]
struct Connection {
    /// Received while a send was under way.
    queue: VecDeque<u16>,
    sending: bool,
    /// Nothing more will be received.
    ended: bool,
    /// Nothing more can be sent.
    broken: bool,
}

/// What a buffer holds.
#[derive(Clone, Copy, Default)]
struct Filled {
    connection: u32,
    start: u32,
    len: u32,
    quiet: bool,
}

struct Server {
    ring: Ring,
    buffers: Buffers,
    filled: Vec<Filled>,
    connections: Vec<Connection>,
    listener: TcpListener,
    /// Buffers of quiet sends that were pushed, and of those that were submitted.
    pushed: Vec<u16>,
    submitted: Vec<u16>,
    /// Connections that found no buffer.
    starved: Vec<u32>,
    /// Something queues behind a quiet send, so there may be no completion to wait for.
    hurries: bool,
}

/// Serves forever; looks for work for so long before it sleeps.
///
/// # Errors
///
/// What the kernel says; it has to be Linux 6.6 or later.
pub fn serve(listener: TcpListener, spin: Duration) -> io::Result<Infallible> {
    let mut server = Server::new(listener)?;
    server.accept()?;
    loop {
        server.turn(spin)?;
    }
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Self> {
        let ring = Ring::new(ENTRIES)?;
        ring.submitter().register_files_sparse(CONNECTIONS_MAX)?;
        let buffers = Buffers::new(&ring, BUFFERS, BUFFER_BYTES)?;
        let connection = |_| Connection::default();
        Ok(Self {
            ring,
            buffers,
            filled: vec![Filled::default(); usize::from(BUFFERS)],
            connections: (0..CONNECTIONS_MAX).map(connection).collect(),
            listener,
            pushed: Vec::new(),
            submitted: Vec::new(),
            starved: Vec::new(),
            hurries: false,
        })
    }

    fn turn(&mut self, spin: Duration) -> io::Result<()> {
        if std::mem::take(&mut self.hurries) {
            self.ring.submit()?;
        } else {
            self.ring.wait(spin)?;
        }
        if self.ring.is_all_submitted() {
            std::mem::swap(&mut self.pushed, &mut self.submitted);
        } else {
            self.hurries = true;
        }
        self.work_off()?;
        self.settle_quiet()?;
        self.buffers.publish();
        while let Some(starved) = self.starved.pop() {
            self.receive(starved)?;
        }
        Ok(())
    }

    fn work_off(&mut self) -> io::Result<()> {
        let mut batch = [const { MaybeUninit::uninit() }; BATCH];
        loop {
            let taken = self.ring.take(&mut batch);
            let count = taken.len();
            for completion in &*taken {
                self.dispatch(completion)?;
            }
            if count < BATCH {
                return Ok(());
            }
        }
    }

    fn dispatch(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        let data = completion.user_data();
        let number = data as u32;
        match data >> 32 {
            RECEIVE => self.received(number, completion),
            SEND => self.sent(number as u16, completion.result()),
            ACCEPT => self.accepted(completion),
            // A place is free, for which someone may be waiting.
            _ => Ok(()),
        }
    }

    fn push(&mut self, entry: squeue::Entry, what: u64, number: u32) -> io::Result<()> {
        let entry = entry.user_data(what << 32 | u64::from(number));
        // SAFETY: *Held while sent*; entries of other kinds point at nothing.
        unsafe { self.ring.push(&entry) }
    }

    fn accept(&mut self) -> io::Result<()> {
        let listener = types::Fd(self.listener.as_raw_fd());
        let entry = opcode::AcceptMulti::new(listener).allocate_file_index(true).build();
        self.push(entry, ACCEPT, 0)
    }

    fn accepted(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        if completion.result() < 0 {
            return Err(io::Error::from_raw_os_error(-completion.result()));
        }
        let number = completion.result() as u32;
        self.connections[number as usize] = Connection::default();
        self.receive(number)?;
        if cqueue::more(completion.flags()) { Ok(()) } else { self.accept() }
    }

    fn receive(&mut self, number: u32) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(types::Fixed(number), GROUP).build();
        self.push(entry, RECEIVE, number)
    }

    fn received(&mut self, number: u32, completion: &cqueue::Entry) -> io::Result<()> {
        let result = completion.result();
        if let Some(buffer) = cqueue::buffer_select(completion.flags()) {
            match u32::try_from(result) {
                Ok(len) if len > 0 => {
                    work();
                    let filled = Filled { connection: number, start: 0, len, quiet: false };
                    self.filled[usize::from(buffer)] = filled;
                    self.echo(number, buffer)?;
                }
                _ => self.buffers.give(buffer),
            }
        }
        match result {
            _ if cqueue::more(completion.flags()) => Ok(()),
            1.. => self.receive(number),
            _ if result == -libc::ENOBUFS => {
                self.starved.push(number);
                Ok(())
            }
            _ => {
                self.connections[number as usize].ended = true;
                self.close_if_done(number)
            }
        }
    }

    #[inline]
    fn echo(&mut self, number: u32, buffer: u16) -> io::Result<()> {
        let connection = &mut self.connections[number as usize];
        if connection.sending {
            connection.queue.push_back(buffer);
            self.hurries = true;
            return Ok(());
        }
        self.send(number, buffer, true)
    }

    fn send(&mut self, number: u32, buffer: u16, quiet: bool) -> io::Result<()> {
        self.connections[number as usize].sending = true;
        let filled = &mut self.filled[usize::from(buffer)];
        filled.quiet = quiet;
        let (start, len) = (filled.start as usize, filled.len as usize);
        let bytes = &self.buffers.bytes(buffer, len)[start..];
        let flags = libc::MSG_WAITALL | if quiet { libc::MSG_DONTWAIT } else { 0 };
        let entry = opcode::Send::new(types::Fixed(number), bytes.as_ptr(), bytes.len() as u32)
            .flags(flags | libc::MSG_NOSIGNAL)
            .build();
        if quiet {
            self.pushed.push(buffer);
            return self.push(entry.flags(squeue::Flags::SKIP_SUCCESS), SEND, u32::from(buffer));
        }
        self.push(entry, SEND, u32::from(buffer))
    }

    /// A loud send has ended, or a quiet one failed, perhaps only in part.
    fn sent(&mut self, buffer: u16, result: i32) -> io::Result<()> {
        let filled = &mut self.filled[usize::from(buffer)];
        let number = filled.connection;
        filled.start += result.max(0) as u32;
        let is_short = filled.start < filled.len && (result >= 0 || result == -libc::EAGAIN);
        if is_short {
            return self.send(number, buffer, false);
        }
        self.connections[number as usize].broken |= result < 0;
        filled.quiet = false;
        self.finish(buffer)
    }

    /// The quiet sends that were submitted and have not reported failure have ended.
    fn settle_quiet(&mut self) -> io::Result<()> {
        let mut submitted = std::mem::take(&mut self.submitted);
        for buffer in submitted.drain(..) {
            if std::mem::take(&mut self.filled[usize::from(buffer)].quiet) {
                self.finish(buffer)?;
            }
        }
        self.submitted = submitted;
        Ok(())
    }

    fn finish(&mut self, buffer: u16) -> io::Result<()> {
        let number = self.filled[usize::from(buffer)].connection;
        self.buffers.give(buffer);
        let connection = &mut self.connections[number as usize];
        connection.sending = false;
        if connection.broken {
            let queue = std::mem::take(&mut connection.queue);
            queue.into_iter().for_each(|buffer| self.buffers.give(buffer));
        } else if let Some(next) = connection.queue.pop_front() {
            // What queues behind this one needs to hear of its end.
            let quiet = connection.queue.is_empty();
            return self.send(number, next, quiet);
        }
        self.close_if_done(number)
    }

    fn close_if_done(&mut self, number: u32) -> io::Result<()> {
        let connection = &mut self.connections[number as usize];
        if !connection.ended || connection.sending {
            return Ok(());
        }
        // Only once, and nothing is left to be sent.
        connection.ended = false;
        let close = opcode::Close::new(types::Fixed(number)).build();
        self.push(close, CLOSE, number)
    }
}
