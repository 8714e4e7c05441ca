//! Sockets of messages: each goes and comes whole, in its order, whenever it does.
//!
//! Each message tells its number, so one that is lost, doubled or cut shows. Planted bugs that this
//! found, each within four seeds: the message of a receive that was dropped is lost; a batch is
//! sent without its turn.

use super::*;
use crate::driver::request::{MESSAGE_OFFSET, MessageHead};
use crate::net::UnixDatagram;

/// What the network has for our socket, and what our socket has sent.
#[derive(Default)]
pub(super) struct World {
    /// Messages that have come, and how many of them have been received.
    arrived: Cell<usize>,
    received: Cell<usize>,
    sent: RefCell<Vec<Vec<u8>>>,
}

/// A message, of up to so many bytes that no buffer has room for it.
fn message(number: usize) -> Vec<u8> {
    let mut bytes = (number as u32).to_le_bytes().to_vec();
    bytes.extend((0..number * 37 % 600).map(byte_at));
    bytes
}

/// As it comes to us; some have no bytes.
fn arriving(number: usize) -> Vec<u8> {
    if number % 7 == 3 { Vec::new() } else { message(number) }
}

impl Hostile {
    /// # Safety
    /// What the header names is valid, and may be written to.
    pub(super) unsafe fn receive_message(&self, header: *mut libc::msghdr, flags: i32) -> Step {
        let World { arrived, received, .. } = &self.messages;
        if arrived == received {
            return Step::Wait;
        }
        let bytes = arriving(received.get());
        // SAFETY: the caller's promise.
        let pieces = unsafe { pieces_of(header) };
        let places = pieces.iter().flat_map(|&(start, len)| (0..len).map(move |n| (start, n)));
        for (&byte, (start, n)) in bytes.iter().zip(places) {
            // SAFETY: the caller's promise.
            unsafe { start.add(n).write(byte) };
        }
        // SAFETY: as above.
        unsafe { ((*header).msg_namelen, (*header).msg_controllen) = (0, 0) };
        if flags & libc::MSG_PEEK == 0 {
            received.set(received.get() + 1);
        }
        end(bytes.len())
    }

    /// Without a free buffer it ends, whether there are messages or not.
    pub(super) fn receive_message_into_pool(&self) -> Step {
        let pool = self.pool.borrow().upgrade().expect("a receive has its pool");
        let Some((buffer, memory)) = pool.take() else {
            return Step::End(Completion { result: -libc::ENOBUFS, flags: 0 });
        };
        let World { arrived, received, .. } = &self.messages;
        if arrived == received {
            pool.take_back(buffer);
            return Step::Wait;
        }
        let bytes = arriving(received.replace(received.get() + 1));
        let head = MessageHead { name_len: 0, len_sent: bytes.len() as u32, flags: 0 }.to_bytes();
        let len = bytes.len().min(pool.buffer_bytes() as usize - MESSAGE_OFFSET);
        // SAFETY: the buffer has just been taken out of the pool, and has room for both.
        unsafe {
            memory.copy_from_nonoverlapping(head.as_ptr(), head.len());
            memory.add(MESSAGE_OFFSET).copy_from_nonoverlapping(bytes.as_ptr(), len);
        }
        let result = (MESSAGE_OFFSET + len) as i32;
        Step::End(Completion { result, flags: flags_naming(buffer) })
    }

    /// # Safety
    /// What the header names is valid.
    pub(super) unsafe fn send_message(&self, header: *const libc::msghdr) -> Step {
        if self.random.one_in(4) {
            return Step::End(Completion { result: -libc::EAGAIN, flags: 0 });
        }
        // SAFETY: the caller's promise.
        let pieces = unsafe { pieces_of(header) };
        let mut bytes = Vec::new();
        for (start, len) in pieces.into_iter().filter(|piece| piece.1 > 0) {
            // SAFETY: the caller's promise.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(start, len) });
        }
        let len = bytes.len();
        self.messages.sent.borrow_mut().push(bytes);
        end(len)
    }

    /// # Safety
    /// What the messages name is valid.
    pub(super) unsafe fn send_messages(&self, messages: &[libc::mmsghdr]) -> io::Result<usize> {
        let mut sends = self.waiting.borrow().iter().filter(|of| is_send(of.request)).count();
        assert_eq!(sends, 0, "it goes before what was begun before");
        for message in &messages[..self.random.below(messages.len() + 1)] {
            // SAFETY: the caller's promise.
            match unsafe { self.send_message(&raw const message.msg_hdr) } {
                Step::End(sent) if sent.result >= 0 => sends += 1,
                _ => break,
            }
        }
        if sends == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(sends) }
    }
}

/// One socket, and what its users know.
struct Life {
    driver: Closing,
    socket: UnixDatagram,
    random: Random,
    /// The number of the next message to be received, and to be sent.
    read: Cell<usize>,
    next: Cell<usize>,
    /// Messages of which it is known that they went out.
    sent: RefCell<Vec<usize>>,
}

const BUFFERS: usize = 4;

impl Life {
    fn new(seed: u64) -> Self {
        let backend = AnyBackend::Hostile(Hostile::new(seed));
        let buffers = BUFFERS as u16;
        let driver = over(
            backend,
            DriverConfig { recv_buffers: buffers, recv_buffer_bytes: 512, ..config(1) },
        );
        let (ours, _) = std::os::unix::net::UnixDatagram::pair().unwrap();
        Self {
            socket: UnixDatagram::from_fd(ours.into(), driver.clone()),
            driver,
            random: Random::new(!seed),
            read: Cell::new(0),
            next: Cell::new(0),
            sent: RefCell::default(),
        }
    }

    fn world(&self) -> &World {
        &backend(&self.driver).messages
    }

    /// This is the next message, or the front of it.
    fn note_read(&self, len_sent: usize, bytes: &[u8]) {
        let expected = arriving(self.read.get());
        assert_eq!(len_sent, expected.len());
        assert_eq!(*bytes, expected[..bytes.len()]);
        self.read.set(self.read.get() + 1);
    }

    /// Receives once, in one of the ways.
    async fn read(&self) {
        match self.random.below(4) {
            0 => {
                let (received, bytes) = self.socket.recv_pooled().await.unwrap();
                assert_eq!(received.len, bytes.len());
                self.note_read(received.len_sent, &bytes);
            }
            1 => {
                let mut messages = Vec::new();
                let limit = 1 + self.random.below(5);
                let count = self.socket.recv_many(&mut messages, limit).await.unwrap();
                assert!(count == messages.len() && (1..=limit).contains(&count));
                for (received, bytes) in &messages {
                    self.note_read(received.len_sent, bytes);
                }
            }
            way => {
                let buffer = Vec::with_capacity(self.random.below(700));
                let (result, buffer) = match way {
                    2 => self.socket.recv_from(buffer).await,
                    _ => self.socket.peek_from(buffer).await,
                };
                let received = result.unwrap();
                assert_eq!(received.len, buffer.len());
                self.note_read(received.len_sent, &buffer);
                if way == 3 {
                    self.read.set(self.read.get() - 1);
                }
            }
        }
    }

    /// Sends one or more, in one of the ways.
    async fn write(&self) {
        let first = self.next.get();
        let count = if self.random.one_in(2) { 1 } else { self.random.below(6) };
        self.next.set(first + count);
        if count == 1 {
            self.socket.send(message(first)).await.0.unwrap();
        } else {
            let messages: Vec<_> = (first..first + count).map(message).collect();
            assert_eq!(self.socket.send_many(messages).await.0.unwrap(), count);
        }
        self.sent.borrow_mut().extend(first..first + count);
    }

    /// Receives and sends for a while, side by side, and then gives up what has not come.
    fn turn(&self) {
        let arrived = &self.world().arrived;
        arrived.set(arrived.get() + self.random.below(5));
        let (mut reading, mut writing) = (pin!(self.read()), pin!(self.write()));
        let (mut reads, mut writes) = (self.random.one_in(2), self.random.one_in(2));
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..self.random.below(8) {
            reads = reads && reading.as_mut().poll(cx).is_pending();
            writes = writes && writing.as_mut().poll(cx).is_pending();
            self.driver.submit();
            self.driver.reap();
        }
    }

    /// Sees that all messages went where they should, and that nothing is left.
    fn end(self) {
        // Half of them leave messages behind.
        if self.random.one_in(2) {
            while self.read.get() < self.world().arrived.get() {
                finish(&self.driver, self.read());
            }
        }
        let Self { driver, socket, sent, .. } = self;
        drop(socket);
        turn_until(&driver, || driver.in_flight() == 0);
        if let Some(pool) = driver.made_pool() {
            let free: HashSet<u16> = std::iter::from_fn(|| pool.take()).map(|one| one.0).collect();
            assert_eq!(free.len(), BUFFERS, "a buffer is lost");
        }
        let number = |bytes: &Vec<u8>| u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let went_out = backend(&driver).messages.sent.borrow();
        let numbers: Vec<_> = went_out.iter().map(number).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        assert!(went_out.iter().zip(&numbers).all(|(bytes, &number)| *bytes == message(number)));
        assert!(sent.into_inner().iter().all(|known| numbers.contains(known)));
    }
}

#[test]
fn messages_are_whole_and_none_is_lost_however_late_and_in_whatever_order() {
    for seed in 0..400 {
        println!("seed {seed}");
        let life = Life::new(seed);
        for _ in 0..60 {
            life.turn();
        }
        life.end();
    }
}
