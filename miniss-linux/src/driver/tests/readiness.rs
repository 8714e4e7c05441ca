//! What epoll tells once is remembered: no call is made in vain, and none that is needed is left
//! out.

use super::*;
use crate::driver::request::Request;
use crate::op::recv::received;
use std::net::{TcpListener, TcpStream as StdStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Wake;

/// A TCP connection over epoll, and its other end.
fn tcp() -> (Closing, Rc<Connection>, StdStream) {
    let driver = epoll_with_eventfd(-1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    let connection = Connection::new(ours.into(), driver.0.clone());
    (driver, connection, peer)
}

fn read(driver: &Closing, connection: &Rc<Connection>, room: usize) -> Vec<u8> {
    let (result, mut buffer) = finish(driver, driver.start(recv(connection, room)));
    buffer.truncate(result.unwrap());
    buffer
}

#[test]
fn a_read_that_empties_the_socket_and_one_that_does_not_are_told_apart() {
    let (driver, connection, mut peer) = tcp();
    for room in [1, 2, 3, 5, 8] {
        peer.write_all(b"abcdefgh").unwrap();
        let mut seen = Vec::new();
        while seen.len() < 8 {
            seen.extend(read(&driver, &connection, room));
        }
        assert_eq!(seen, b"abcdefgh");
    }
}

#[test]
fn the_end_behind_a_short_read_is_seen() {
    let (driver, connection, mut peer) = tcp();
    // Both are there before the set is asked.
    let early = driver.start(recv(&connection, 64));
    peer.write_all(b"last").unwrap();
    drop(peer);
    let (result, buffer) = finish(&driver, early);
    assert_eq!(&buffer[..result.unwrap()], b"last");
    assert_eq!(read(&driver, &connection, 64), b"");
    assert_eq!(read(&driver, &connection, 64), b"", "the end stays");
}

#[test]
fn bytes_behind_urgent_data_are_read() {
    let (driver, connection, mut peer) = tcp();
    let early = driver.start(recv(&connection, 64));
    peer.write_all(b"before").unwrap();
    // SAFETY: one readable byte.
    let sent = unsafe { libc::send(peer.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
    peer.write_all(b"behind").unwrap();
    let (result, mut seen) = finish(&driver, early);
    seen.truncate(result.unwrap());
    // A read stops at the mark, short of what there is.
    while seen.len() < 12 {
        seen.extend(read(&driver, &connection, 64));
    }
    assert_eq!(seen, b"beforebehind");
}

#[test]
fn messages_with_descriptors_between_bytes_of_a_unix_stream_are_read() {
    let driver = epoll_with_eventfd(-1);
    let (connection, mut peer) = socket(&driver);
    let early = driver.start(recv(&connection, 64));
    peer.write_all(b"ab").unwrap();
    crate::driver::tests::send_with_descriptor(&peer, b"cd");
    peer.write_all(b"ef").unwrap();
    let (result, mut seen) = finish(&driver, early);
    seen.truncate(result.unwrap());
    while seen.len() < 6 {
        seen.extend(read(&driver, &connection, 64));
    }
    assert_eq!(seen, b"abcdef");
}

#[test]
fn an_idle_read_is_no_system_call_but_the_wait_for_all() {
    let (driver, connection, mut peer) = tcp();
    let mut op = driver.start(recv(&connection, 64));
    turn(&driver);
    let AnyBackend::Epoll(epoll) = &driver.backend else { unreachable!() };
    let before = epoll.calls();
    for _ in 0..10 {
        turn(&driver);
    }
    assert_eq!(epoll.calls(), before, "a call was made for a socket that has nothing");
    peer.write_all(b"x").unwrap();
    assert_eq!(finish(&driver, &mut op).0.unwrap(), 1);
    assert_eq!(epoll.calls(), before + 1);
    // The next one knows that there is nothing more.
    let op = driver.start(recv(&connection, 64));
    turn(&driver);
    assert_eq!(epoll.calls(), before + 1);
    drop(op);
}

#[test]
fn a_reader_that_waits_takes_no_operation_and_makes_no_call_in_vain() {
    let (driver, connection, mut peer) = tcp();
    let pool = driver.pool().unwrap().unwrap();
    let AnyBackend::Epoll(epoll) = &driver.backend else { unreachable!() };
    let fd = connection.fd.number();
    let receive = |cx: &Context<'_>| driver.poll_receive(fd, pool, cx).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let cx = Context::from_waker(&waker);
    for round in 1..=10 {
        assert!(receive(&cx).is_pending());
        (0..3).for_each(|_| turn(&driver));
        assert_eq!((epoll.calls(), driver.in_flight()), (round - 1, 0));
        peer.write_all(&[7]).unwrap();
        turn_until(&driver, || woken.0.load(Relaxed) == round);
        let Poll::Ready(completion) = receive(&cx) else { panic!("it was woken for nothing") };
        assert_eq!(received(pool, completion).unwrap()[..], [7]);
        assert_eq!(epoll.calls(), round);
    }
}

#[test]
fn a_reader_that_waits_is_woken_as_its_descriptor_or_its_driver_goes() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let cx = Context::from_waker(&waker);
    let wait = |driver: &ShardDriver, connection: &Connection| {
        let pool = driver.pool().unwrap().unwrap();
        assert!(driver.poll_receive(connection.fd.number(), pool, &cx).unwrap().is_pending());
    };
    let (driver, connection, _peer) = tcp();
    wait(&driver, &connection);
    finish(&driver, connection.close()).unwrap();
    assert_eq!(woken.0.load(Relaxed), 1);
    let (other, _other_peer) = socket(&driver);
    wait(&driver, &other);
    wait(&driver, &other);
    assert_eq!(woken.0.load(Relaxed), 1, "it replaced itself");
    drop(driver);
    assert_eq!(woken.0.load(Relaxed), 2);
    drop((other, waker));
    assert_eq!(Arc::strong_count(&woken), 1, "a waker is kept");
}

/// Counts its wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_number_that_is_used_again_is_another_descriptor() {
    let driver = epoll_with_eventfd(-1);
    for round in 0..50_u8 {
        let (connection, mut peer) = socket(&driver);
        let op = driver.start(recv(&connection, 8));
        peer.write_all(&[round]).unwrap();
        // It is told of this one, which goes before anyone has looked.
        enter(&driver, Wait::No);
        drop((op, connection));
        driver.submit();
        let (connection, mut peer) = socket(&driver);
        let op = driver.start(recv(&connection, 8));
        driver.reap();
        peer.write_all(&[round, 1]).unwrap();
        let (result, buffer) = finish(&driver, op);
        assert_eq!(&buffer[..result.unwrap()], [round, 1]);
    }
}

#[test]
fn a_descriptor_that_was_copied_tells_nothing_once_it_was_closed() {
    let driver = epoll_with_eventfd(-1);
    let (connection, mut peer) = socket(&driver);
    let copy = connection.fd.lend().try_clone_to_owned().unwrap();
    drop(driver.start(recv(&connection, 8)));
    turn(&driver);
    drop(connection);
    turn(&driver);
    peer.write_all(b"for the copy").unwrap();
    enter(&driver, Wait::No);
    assert!(!driver.backend.has_events(), "the set still has a descriptor that was closed");
    drop(copy);
}

#[test]
fn a_poll_is_told_of_its_own_events_alone() {
    let (driver, connection, mut peer) = tcp();
    let fd = connection.fd.number();
    let poll = |events| {
        driver.start(Polled { _fd: connection.clone(), request: Request::Poll { fd, events } })
    };
    assert_eq!(finish(&driver, poll(libc::POLLOUT)), i32::from(libc::POLLOUT));
    let mut readable = poll(libc::POLLIN);
    let mut gone = poll(libc::POLLRDHUP);
    poll_once(Pin::new(&mut readable));
    turn(&driver);
    poll_once(Pin::new(&mut readable));
    peer.write_all(b"x").unwrap();
    assert_eq!(finish(&driver, readable), i32::from(libc::POLLIN));
    poll_once(Pin::new(&mut gone));
    drop(peer);
    let found = finish(&driver, gone);
    assert_eq!(found & i32::from(libc::POLLRDHUP), i32::from(libc::POLLRDHUP));
}

#[test]
fn a_regular_file_is_always_ready() {
    let driver = epoll_with_eventfd(-1);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let connection = Connection::new(file.into(), driver.0.clone());
    let fd = connection.fd.number();
    let request = Request::Poll { fd, events: libc::POLLIN };
    let found = finish(&driver, driver.start(Polled { _fd: connection, request }));
    assert_eq!(found, i32::from(libc::POLLIN));
}

#[test]
fn without_a_wait_in_nanoseconds_a_timer_ends_the_sleep() {
    let driver = epoll_with_eventfd(-1);
    let AnyBackend::Epoll(epoll) = &driver.backend else { unreachable!() };
    epoll.forget_pwait2();
    for nanos in [1, 1_000, 5_000_000] {
        let start = now();
        enter(&driver, Wait::Nanos(nanos));
        let took = (now() - start).as_nanos() as u64;
        assert!(took >= nanos, "{took} ns of {nanos}");
        assert_eq!(driver.reap(), 0);
    }
    // A wait without an end is not ended by the timer of an earlier one.
    static UNPARKER: Unparker = Unparker::new();
    let driver = epoll_with_eventfd(UNPARKER.open().unwrap());
    let AnyBackend::Epoll(epoll) = &driver.backend else { unreachable!() };
    epoll.forget_pwait2();
    miniss_core::Unpark::unpark(&UNPARKER);
    enter(&driver, Wait::Nanos(PATIENCE.as_nanos() as u64));
    let start = now();
    enter(&driver, Wait::Nanos(2_000_000));
    assert!(now() - start < PATIENCE);
}

/// A request by itself.
struct Polled {
    _fd: Rc<Connection>,
    request: Request,
}

impl miniss_core::op::Operation for Polled {
    type Output = i32;

    fn settle(self, completion: miniss_core::op::Completion) -> i32 {
        completion.result
    }
}

impl crate::driver::Prepare for Polled {
    fn prepare(&mut self) -> Request {
        self.request
    }
}
