//! Sockets over a backend that keeps its contract in the nastiest way.
//!
//! It fulfils requests in any order and as late as it likes, a few bytes at a time; it ends a
//! receive into the pool early, also with bytes; and it may do what was asked of it although it was
//! to cancel it, or cancel it much later. Nothing of it reaches a kernel: the bytes of a stream are
//! numbers, so that each is known by its place. What users do, and give up in the middle, is chosen
//! by a seed. No byte may be lost, doubled or out of order.
//!
//! With the feature `futures-io` the stream is a `PollStream` at times. Its writes are calls of
//! their own, on a socket that seldom has room.
//!
//! - `messages`: sockets of messages, which come and go whole.
//! - `beginnings`: accepts and connects.
//!
//! Planted bugs that it found, each within eleven seeds: bytes of a dropped read are lost, into one
//! buffer or several; a read or write begins before the dropped one has ended; a buffer that no one
//! collects is lost; what a dropped write has sent is not counted; the bytes with which a receive
//! into the pool ends are lost; so is what does not fit the reader, and what a `PollStream` has not
//! given when it is a stream again; a peek takes; a `PollStream` writes without its turn.
//!
//! Invariant **Owned while in flight**: what a request points at stays valid until its terminal
//! completion; a request leaves the list before that is reported.

mod beginnings;
mod messages;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::rc::Weak;

use miniss_core::op::{Completion, OpId};
use socket2::SockRef;

use super::*;
use crate::driver::backend::{Backend, BackendStats, REFUSED};
use crate::driver::buffers::{BufferPool, PoolBuf};
use crate::driver::request::{Request, flags_naming};
use crate::driver::start::Operations;

/// xorshift64*.
struct Random(Cell<u64>);

impl Random {
    fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    fn below(&self, end: usize) -> usize {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        (x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    fn one_in(&self, end: usize) -> bool {
        self.below(end) == 0
    }
}

/// The byte at this place of a stream.
fn byte_at(place: usize) -> u8 {
    (place ^ place >> 8).wrapping_mul(31) as u8
}

fn bytes_at(place: usize, len: usize) -> Vec<u8> {
    (place..place + len).map(byte_at).collect()
}

/// What was taken in and has not ended.
#[derive(Clone, Copy)]
struct Waiting {
    id: OpId,
    request: Request,
    is_cancelled: bool,
}

/// A backend with one stream.
pub(in crate::driver) struct Hostile {
    random: Random,
    waiting: RefCell<Vec<Waiting>>,
    pool: RefCell<Weak<BufferPool>>,
    /// Bytes of the peer's that have come, and how many of them have been received.
    arrived: Cell<usize>,
    received: Cell<usize>,
    has_ended: Cell<bool>,
    /// What the peer was sent.
    sent: RefCell<Vec<u8>>,
    /// The other end of the stream's socket, for what is sent without a request.
    peer: RefCell<Option<UnixStream>>,
    undrained: Cell<usize>,
    messages: messages::World,
    beginnings: beginnings::World,
}

/// What becomes of a request that is looked at.
enum Step {
    Wait,
    Part(Completion),
    End(Completion),
}

fn end(result: usize) -> Step {
    Step::End(Completion { result: result as i32, flags: 0 })
}

impl Hostile {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            waiting: RefCell::default(),
            pool: RefCell::default(),
            arrived: Cell::new(0),
            received: Cell::new(0),
            has_ended: Cell::new(false),
            sent: RefCell::default(),
            peer: RefCell::default(),
            undrained: Cell::new(0),
            messages: messages::World::default(),
            beginnings: beginnings::World::default(),
        }
    }

    /// Notes what was sent without a request.
    fn drain(&self) {
        if self.undrained.get() > 0 {
            let mut bytes = vec![0; self.undrained.take()];
            self.peer.borrow_mut().as_mut().unwrap().read_exact(&mut bytes).unwrap();
            self.sent.borrow_mut().extend(bytes);
        }
    }

    /// Looks at one of the requests, whichever it is.
    fn look_at_one(&self, ops: &Operations) -> bool {
        let count = self.waiting.borrow().len();
        if count == 0 {
            return false;
        }
        let place = self.random.below(count);
        let Waiting { id, request, is_cancelled } = self.waiting.borrow()[place];
        let ends_early = is_cancelled && !is_queued(request) && self.random.one_in(2);
        let step = match ends_early {
            true => Step::End(REFUSED),
            // SAFETY: *Owned while in flight*: it is in the list.
            false => unsafe { self.perform(request) },
        };
        match step {
            Step::Wait => return false,
            Step::Part(completion) => {
                if let Request::SendZeroCopy { bytes, len, flags, .. } = request {
                    // What is left is to tell that it is no longer read.
                    let request = Request::SendZeroCopy { fd: QUEUED, bytes, len, flags };
                    self.waiting.borrow_mut()[place].request = request;
                }
                ops.complete(id, completion, true);
            }
            Step::End(completion) => {
                self.waiting.borrow_mut().remove(place);
                ops.complete(id, completion, false);
            }
        }
        true
    }

    /// # Safety
    /// What the request points at is valid.
    unsafe fn perform(&self, request: Request) -> Step {
        match request {
            Request::Nop => end(0),
            Request::Cancel { id } => {
                self.note_cancel(id);
                end(0)
            }
            Request::Recv { buffer, len, flags, .. } => {
                // SAFETY: the caller's promise.
                unsafe { self.receive(&[(buffer, len as usize)], flags) }
            }
            Request::RecvMsg { header, flags, .. } if flags & libc::MSG_TRUNC != 0 => {
                // SAFETY: the caller's promise.
                unsafe { self.receive_message(header, flags) }
            }
            Request::RecvMsgPool { .. } => match self.receive_message_into_pool() {
                Step::End(part) if part.result > 0 && !self.random.one_in(8) => Step::Part(part),
                step => step,
            },
            Request::RecvMsg { header, flags, .. } => {
                // SAFETY: the caller's promise.
                let pieces = unsafe { pieces_of(header) };
                // SAFETY: as above.
                unsafe { self.receive(&pieces, flags) }
            }
            Request::RecvPool { .. } => match self.receive_into_pool() {
                // It may go on, or not.
                Step::End(part) if part.result > 0 && !self.random.one_in(8) => Step::Part(part),
                step => step,
            },
            Request::RecvPoolOnce { .. } if self.has_something() => self.receive_into_pool(),
            Request::RecvPoolOnce { .. } => Step::Wait,
            // SAFETY: the caller's promise.
            Request::Send { bytes, len, .. } => unsafe { self.send(&[(bytes, len as usize)]) },
            Request::SendZeroCopy { bytes, len, .. } if is_queued(request) => {
                // The network reads it until the end.
                let place = self.random.below(len as usize);
                // SAFETY: the caller's promise.
                std::hint::black_box(unsafe { bytes.add(place).read_volatile() });
                end(0)
            }
            Request::SendZeroCopy { bytes, len, .. } => {
                // SAFETY: the caller's promise.
                match unsafe { self.send(&[(bytes, len as usize)]) } {
                    Step::End(result) => Step::Part(result),
                    step => step,
                }
            }
            Request::SendMsg { header, flags, .. } if flags & libc::MSG_DONTWAIT != 0 => {
                // SAFETY: the caller's promise.
                unsafe { self.send_message(header) }
            }
            Request::SendMsg { header, .. } => {
                // SAFETY: the caller's promise.
                let pieces = unsafe { pieces_of(header) };
                // SAFETY: as above.
                unsafe { self.send(&pieces.map(|(start, len)| (start.cast_const(), len))) }
            }
            Request::Poll { events: libc::POLLOUT, .. } => {
                self.drain();
                end(libc::POLLOUT as usize)
            }
            Request::Poll { events, .. } if self.has_something() => end(events as usize),
            Request::Poll { .. } => Step::Wait,
            Request::Accept { .. } => self.accept(),
            Request::AcceptMany { .. } => match self.accept() {
                Step::End(part) if !self.random.one_in(8) => Step::Part(part),
                step => step,
            },
            // SAFETY: the caller's promise.
            Request::Connect { address, len, .. } => unsafe { self.connect(address, len) },
            Request::File(_) => unreachable!("it takes none"),
        }
    }

    fn has_something(&self) -> bool {
        self.arrived.get() > self.received.get() || self.has_ended.get()
    }

    /// How many bytes are moved, of so many that could be.
    fn some_of(&self, len: usize) -> usize {
        if self.random.one_in(4) { len } else { 1 + self.random.below(len) }
    }

    /// # Safety
    /// The pieces are valid, and may be written to.
    unsafe fn receive(&self, pieces: &[(*mut u8, usize)], flags: i32) -> Step {
        if !self.has_something() {
            return Step::Wait;
        }
        let room: usize = pieces.iter().map(|piece| piece.1).sum();
        let here = self.arrived.get() - self.received.get();
        if here == 0 || room == 0 {
            return end(0);
        }
        let len = self.some_of(here.min(room));
        let places = pieces.iter().flat_map(|&(start, len)| (0..len).map(move |n| (start, n)));
        for (number, (start, n)) in places.take(len).enumerate() {
            // SAFETY: the caller's promise.
            unsafe { start.add(n).write(byte_at(self.received.get() + number)) };
        }
        if flags & libc::MSG_PEEK == 0 {
            self.received.set(self.received.get() + len);
        }
        end(len)
    }

    /// Without a free buffer it ends, whether there are bytes or not.
    fn receive_into_pool(&self) -> Step {
        let pool = self.pool.borrow().upgrade().expect("a receive has its pool");
        let Some((buffer, memory)) = pool.take() else {
            return Step::End(Completion { result: -libc::ENOBUFS, flags: 0 });
        };
        let len = pool.buffer_bytes() as usize;
        // SAFETY: the buffer has just been taken out of the pool, and has so many bytes.
        match unsafe { self.receive(&[(memory, len)], 0) } {
            Step::End(part) if part.result > 0 => {
                Step::End(Completion { flags: flags_naming(buffer), ..part })
            }
            nothing => {
                pool.take_back(buffer);
                nothing
            }
        }
    }

    /// # Safety
    /// The pieces are valid.
    unsafe fn send(&self, pieces: &[(*const u8, usize)]) -> Step {
        self.drain();
        let total: usize = pieces.iter().map(|piece| piece.1).sum();
        let len = if total == 0 { 0 } else { self.some_of(total) };
        let places = pieces.iter().flat_map(|&(start, len)| (0..len).map(move |n| (start, n)));
        for (start, n) in places.take(len) {
            // SAFETY: the caller's promise.
            self.sent.borrow_mut().push(unsafe { start.add(n).read() });
        }
        end(len)
    }

    fn is_queued_at(&self, place: usize) -> bool {
        is_queued(self.waiting.borrow()[place].request)
    }

    fn note_cancel(&self, id: OpId) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.iter_mut().filter(|of| of.id == id).for_each(|of| of.is_cancelled = true);
    }
}

/// The pieces of memory that a header names; there are two of them at most.
///
/// # Safety
/// The header and its pieces are valid.
unsafe fn pieces_of(header: *const libc::msghdr) -> [(*mut u8, usize); 2] {
    // SAFETY: the caller's promise.
    let header = unsafe { &*header };
    assert!(header.msg_iovlen <= 2);
    [0, 1].map(|place| {
        if place >= header.msg_iovlen {
            return (std::ptr::null_mut(), 0);
        }
        // SAFETY: the caller's promise, and the place is below their number.
        let piece = unsafe { &*header.msg_iov.add(place) };
        (piece.iov_base.cast(), piece.iov_len)
    })
}

fn is_receive(request: Request) -> bool {
    use Request::{Recv, RecvMsg, RecvMsgPool, RecvPool, RecvPoolOnce};
    matches!(
        request,
        Recv { .. } | RecvMsg { .. } | RecvMsgPool { .. } | RecvPool { .. } | RecvPoolOnce { .. }
    )
}

/// In place of the descriptor of a send whose bytes are all queued, and of what names none.
const QUEUED: RawFd = -1;

/// The descriptor that it names.
fn fd_of(request: Request) -> RawFd {
    use Request::*;
    match request {
        Nop | Cancel { .. } | File(_) => QUEUED,
        Recv { fd, .. } | RecvPool { fd } | RecvPoolOnce { fd } | RecvMsgPool { fd } => fd,
        RecvMsg { fd, .. } | Send { fd, .. } | SendZeroCopy { fd, .. } | SendMsg { fd, .. } => fd,
        Accept { fd, .. } | AcceptMany { fd, .. } | Connect { fd, .. } | Poll { fd, .. } => fd,
    }
}

fn is_queued(request: Request) -> bool {
    matches!(request, Request::SendZeroCopy { fd: QUEUED, .. })
}

fn is_send(request: Request) -> bool {
    use Request::{Send, SendMsg, SendZeroCopy};
    let sends = matches!(request, Send { .. } | SendMsg { .. } | SendZeroCopy { .. });
    sends && !is_queued(request)
}

impl Backend for Hostile {
    const NONBLOCKING: bool = false;

    fn takes(&self, _: &Request) -> bool {
        false
    }

    unsafe fn push(&self, id: OpId, request: Request, _: &Operations) {
        self.waiting.borrow_mut().push(Waiting { id, request, is_cancelled: false });
        let waiting = self.waiting.borrow();
        let receives = waiting.iter().filter(|of| is_receive(of.request)).count();
        let sends = waiting.iter().filter(|of| is_send(of.request)).count();
        let accepts = waiting.iter().filter(|of| beginnings::is_accept(of.request)).count();
        assert!(
            receives <= 1 && sends <= 1 && accepts <= 1,
            "no one says which of two is to go first"
        );
    }

    fn cancel(&self, id: OpId, ops: &Operations) {
        let place = self.waiting.borrow().iter().position(|of| of.id == id);
        match place {
            Some(place) if !self.is_queued_at(place) && self.random.one_in(3) => {
                self.waiting.borrow_mut().remove(place);
                ops.complete(id, REFUSED, false);
            }
            _ => self.note_cancel(id),
        }
    }

    fn submit(&self) -> io::Result<()> {
        Ok(())
    }

    fn enter(&self, _: Wait) -> io::Result<()> {
        Ok(())
    }

    fn reap(&self, ops: &Operations) -> usize {
        (0..self.random.below(4)).filter(|_| self.look_at_one(ops)).count()
    }

    fn has_events(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    fn look(&self) -> io::Result<bool> {
        Ok(self.has_events())
    }

    fn arm_unparker(&self) {}

    fn has_zero_copy(&self) -> bool {
        true
    }

    unsafe fn send_many(&self, _: RawFd, messages: &mut [libc::mmsghdr]) -> io::Result<usize> {
        // SAFETY: the caller's promise.
        unsafe { self.send_messages(messages) }
    }

    fn shut_down(&self, _: RawFd, _: &Operations) {}

    fn forget(&self, fd: RawFd) {
        let goes_on = |of: &Waiting| fd_of(of.request) == fd && !of.is_cancelled;
        assert!(!self.waiting.borrow().iter().any(goes_on), "closed while a request goes on");
    }

    fn make_pool(&self, count: u16, bytes: u32) -> io::Result<Option<Rc<BufferPool>>> {
        let pool = BufferPool::new(count, bytes);
        *self.pool.borrow_mut() = Rc::downgrade(&pool);
        Ok(Some(pool))
    }

    fn cancel_all(&self, _: &Operations) {
        self.waiting.borrow_mut().iter_mut().for_each(|of| of.is_cancelled = true);
    }

    fn close(&self, _: Option<&BufferPool>) {}

    fn stats(&self) -> BackendStats {
        BackendStats::default()
    }
}

fn backend(driver: &ShardDriver) -> &Hostile {
    match &driver.backend {
        AnyBackend::Hostile(hostile) => hostile,
        _ => unreachable!(),
    }
}

/// One stream, and what its users know.
struct Life {
    driver: Closing,
    /// `None` while it is another kind of stream.
    stream: Option<TcpStream>,
    random: Random,
    /// How many bytes were read and written.
    read: Cell<usize>,
    written: Cell<usize>,
    /// Buffers that are held for a while.
    held: RefCell<Vec<PoolBuf>>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let backend = AnyBackend::Hostile(Hostile::new(seed));
        let driver = over(backend, config(1));
        let (stream, peer) = stream(&driver);
        // A few writes fill it.
        SockRef::from(&stream).set_send_buffer_size(1).unwrap();
        let life = Self {
            driver,
            stream: Some(stream),
            random: Random::new(!seed),
            read: Cell::new(0),
            written: Cell::new(0),
            held: RefCell::default(),
        };
        *life.backend().peer.borrow_mut() = Some(peer);
        life
    }

    fn stream(&self) -> &TcpStream {
        self.stream.as_ref().expect("it has become one again")
    }

    fn backend(&self) -> &Hostile {
        backend(&self.driver)
    }

    /// These are the next bytes of the stream.
    fn note_read(&self, bytes: &[u8]) {
        assert!(bytes.iter().copied().eq((0..bytes.len()).map(|n| byte_at(self.read.get() + n))));
        self.read.set(self.read.get() + bytes.len());
    }

    /// Reads once, in one of the ways; `true` if there are no more bytes.
    async fn read(&self) -> bool {
        let (room, other) = (1 + self.random.below(100), self.random.below(20));
        match self.random.below(5) {
            0 | 1 => {
                let bytes = self.stream().recv().await.unwrap();
                self.note_read(&bytes);
                let has_ended = bytes.is_empty();
                self.held.borrow_mut().extend(self.random.one_in(3).then_some(bytes));
                has_ended
            }
            2 => {
                let (result, buffer) = self.stream().read(Vec::with_capacity(room)).await;
                self.note_read(&buffer[..result.unwrap()]);
                buffer.is_empty()
            }
            3 => {
                let (result, buffer) = self.stream().peek(Vec::with_capacity(room)).await;
                let before = self.read.get();
                self.note_read(&buffer[..result.unwrap()]);
                self.read.set(before);
                buffer.is_empty()
            }
            _ => {
                let buffers = [Vec::with_capacity(room), Vec::with_capacity(other)];
                let (result, [first, second]) = self.stream().read_vectored(buffers).await;
                self.note_read(&first);
                self.note_read(&second);
                result.unwrap() == 0
            }
        }
    }

    /// The next `len` bytes that are to be written.
    fn next_bytes(&self, len: usize) -> Vec<u8> {
        bytes_at(self.written.get(), len)
    }

    /// Writes once, in one of the ways.
    async fn write(&self) {
        self.note_cancelled().await;
        let bytes = self.next_bytes(1 + self.random.below(60));
        let len = bytes.len();
        let written = match self.random.below(5) {
            0 => self.stream().write(bytes).await.0.unwrap(),
            4 => {
                self.stream().write_all_without_copy(bytes).await.0.unwrap();
                len
            }
            1 => {
                self.stream().write_all(bytes).await.0.unwrap();
                len
            }
            way => {
                let (first, second) = bytes.split_at(len / 2);
                let pieces = [first.to_vec(), second.to_vec()];
                if way == 2 {
                    self.stream().write_vectored(pieces).await.0.unwrap()
                } else {
                    self.stream().write_vectored_all(pieces).await.0.unwrap();
                    len
                }
            }
        };
        self.written.set(self.written.get() + written);
    }

    /// What went out of writes that were given up.
    async fn note_cancelled(&self) {
        let went_out = self.stream().cancelled_write_bytes().await;
        self.written.set(self.written.get() + went_out);
    }

    /// Reads and writes for a while, side by side, and then gives up what has not come.
    fn turn(&self) {
        let backend = self.backend();
        backend.arrived.set(backend.arrived.get() + self.random.below(80));
        let (mut reading, mut writing) = (pin!(self.read()), pin!(self.write()));
        let (mut reads, mut writes) = (self.random.one_in(2), self.random.one_in(2));
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..self.random.below(8) {
            reads = reads && reading.as_mut().poll(cx).is_pending();
            writes = writes && writing.as_mut().poll(cx).is_pending();
            self.driver.submit();
            self.driver.reap();
        }
        let held = self.held.borrow().len();
        self.held.borrow_mut().truncate(self.random.below(held + 1));
    }

    /// Reads and writes with borrowed buffers for a while.
    #[cfg(feature = "futures-io")]
    fn turn_polled(&mut self) {
        use futures_io::{AsyncRead, AsyncWrite};

        let stream = self.stream.take().expect("it has become one again");
        let mut polled = crate::net::PollStream::from(stream);
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..self.random.below(8) {
            let mut buffer = [0; 30];
            let room = &mut buffer[..1 + self.random.below(30)];
            if let Poll::Ready(read) = Pin::new(&mut polled).poll_read(cx, room) {
                self.note_read(&room[..read.unwrap()]);
            }
            // Its user does not know yet what a write that was given up has sent.
            let place = self.backend().sent.borrow().len() + self.backend().undrained.get();
            let bytes = bytes_at(place, 1 + self.random.below(200));
            if let Poll::Ready(sent) = Pin::new(&mut polled).poll_write(cx, &bytes) {
                let sent = sent.unwrap();
                self.backend().undrained.set(self.backend().undrained.get() + sent);
                self.written.set(self.written.get() + sent);
            }
            self.driver.submit();
            self.driver.reap();
        }
        self.stream = Some(polled.into());
    }

    /// Sees that all bytes went where they should, and that nothing is left.
    fn end(self) {
        self.held.borrow_mut().clear();
        // Half of them leave bytes behind.
        if self.random.one_in(2) {
            self.backend().has_ended.set(true);
            while !finish(&self.driver, self.read()) {}
            assert_eq!(self.read.get(), self.backend().arrived.get());
        }
        finish(&self.driver, self.note_cancelled());
        self.backend().drain();
        let written = (0..self.written.get()).map(byte_at);
        assert!(self.backend().sent.borrow().iter().copied().eq(written));

        let Self { driver, stream, held, random, .. } = self;
        if let Some(stream) = stream.as_ref().filter(|_| random.one_in(2)) {
            let mut receiving = pin!(stream.recv());
            let is_waiting =
                receiving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
            finish(&driver, stream.close()).unwrap();
            // It has an end, whichever that is.
            drop(is_waiting.then(|| finish(&driver, receiving)));
        }
        drop((stream, held));
        turn_until(&driver, || driver.in_flight() == 0);
        if let Some(pool) = driver.made_pool() {
            let free: HashSet<u16> = std::iter::from_fn(|| pool.take()).map(|one| one.0).collect();
            assert_eq!(free.len(), 2, "a buffer is lost");
        }
    }
}

#[test]
fn streams_lose_no_byte_however_late_and_in_whatever_order_requests_are_fulfilled() {
    for seed in 0..400 {
        println!("seed {seed}");
        #[cfg_attr(not(feature = "futures-io"), expect(unused_mut))]
        let mut life = Life::new(seed);
        for _ in 0..60 {
            life.turn();
            #[cfg(feature = "futures-io")]
            if life.random.one_in(4) {
                life.turn_polled();
            }
        }
        life.end();
    }
}

/// R15: the result has come, the notice that the buffer is no longer read has not.
#[test]
fn r15_a_buffer_that_is_sent_without_a_copy_stays_until_it_is_no_longer_read() {
    struct Counted(Rc<Cell<u32>>);
    impl IoBuf for Counted {
        fn as_init(&self) -> &[u8] {
            b"twelve bytes"
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    let life = Life::new(1);
    let (driver, stream) = (&life.driver, life.stream());
    let dropped = Rc::new(Cell::new(0));
    let mut write = Box::pin(stream.write_all_without_copy(Counted(dropped.clone())));
    poll_once(write.as_mut());
    let id = life.backend().waiting.borrow()[0].id;
    driver.ops.complete(id, Completion { result: 12, flags: 0 }, true);
    poll_once(write.as_mut());
    drop(write);
    assert_eq!(finish(driver, stream.cancelled_write_bytes()), 12);
    assert_eq!((dropped.get(), driver.in_flight()), (0, 1), "the network still reads it");
    life.backend().waiting.borrow_mut().clear();
    driver.ops.complete(id, Completion { result: 0, flags: 0 }, false);
    assert_eq!((dropped.get(), driver.in_flight()), (1, 0));
}
