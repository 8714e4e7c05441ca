//! Panics, refusals and the end: nothing stays in flight, nothing is freed early.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Wake;

/// What is left behind was waited for as long.
const A_WHILE: Duration = Duration::from_millis(50);

#[test]
fn a_buffer_that_panics_leaves_nothing_in_flight() {
    for driver in drivers(8) {
        let (connection, _peer) = socket(&driver);
        let start = || driver.start(send(&connection, Refusing));
        assert!(catch_unwind(AssertUnwindSafe(start)).is_err());
        assert_eq!(driver.in_flight(), 0);
        assert_eq!(driver.close(now()).count, 0);
    }
}

#[test]
fn a_closed_driver_refuses() {
    for driver in drivers(8) {
        let (connection, _peer) = socket(&driver);
        driver.refuse();
        let (result, buffer) = finish(&driver, driver.start(recv(&connection, 8)));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert_eq!(buffer.len(), 8);
        assert_eq!(driver.close(now() + PATIENCE).count, 0);
        let (result, _) = finish(&driver, driver.start(send(&connection, "late")));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        assert!(driver.pool().is_err());
    }
}

#[test]
fn a_driver_that_may_not_wait_still_gets_what_ends_at_once() {
    for driver in drivers(4) {
        let sockets: Vec<_> = (0..20).map(|_| socket(&driver)).collect();
        let reads: Vec<_> = sockets.iter().map(|(fd, _)| driver.start(recv(fd, 8))).collect();
        assert_eq!(driver.close(now()).count, 0);
        for read in reads {
            let (result, _) = finish(&driver, read);
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
        }
    }
}

#[test]
fn an_operation_that_will_not_end_is_left_behind_in_time() {
    for driver in drivers(8) {
        let (connection, _peer) = socket(&driver);
        // The kernel never hears of it.
        let _op = driver.ops.table.insert(recv(&connection, 8));
        let start = now();
        assert_eq!(driver.close(start + A_WHILE).count, 1);
        assert!((A_WHILE..PATIENCE).contains(&(now() - start)));
        // A second close would wait again.
        std::mem::forget(driver);
    }
}

#[test]
fn a_received_buffer_outlives_its_driver() {
    for driver in drivers(8) {
        let pool = driver.pool().unwrap().unwrap();
        let (connection, mut peer) = socket(&driver);
        let mut op = driver.start(RecvPool::new(connection, pool.clone()));
        peer.write_all(b"still here").unwrap();
        let part = finish(&driver, std::future::poll_fn(|cx| op.poll_part(cx)));
        let miniss_core::op::Part::More(completion) = part else { panic!("it ended") };
        let bytes = crate::op::recv::received(pool, completion).unwrap();
        drop((op, pool));
        assert_eq!(driver.close(now() + PATIENCE).count, 0);
        drop(driver);
        assert_eq!(&bytes[..], b"still here");
    }
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

#[test]
fn a_waker_that_panics_loses_no_completion_behind_it() {
    // A ring alone has so many of them in flight.
    let Some(driver) = over_ring(64) else { return };
    let (connection, mut peer) = socket(&driver);
    let mut first = driver.start(send(&connection, "a"));
    let waker = Waker::from(Arc::new(Panicking));
    assert!(pin!(&mut first).poll(&mut Context::from_waker(&waker)).is_pending());
    let others: Vec<_> = (0..30).map(|_| driver.start(send(&connection, "b"))).collect();
    turn_until(&driver, || driver.in_flight() == 0);
    for op in others {
        assert_eq!(finish(&driver, op).0.unwrap(), 1);
    }
    peer.read_exact(&mut [0; 31]).unwrap();
}

#[test]
fn a_close_names_its_descriptor_to_no_one_else() {
    // A ring closes in its turn, epoll at once.
    let Some(driver) = over_ring(8) else { return };
    let (stream, mut peer) = stream(&driver);
    let mut waiting = pin!(stream.read(vec![0; 8]));
    poll_once(waiting.as_mut());
    turn(&driver);
    let mut close = pin!(stream.close());
    poll_once(close.as_mut());
    // The number is still open, but what starts now must not go by it: it would be sent to the
    // kernel after the close.
    let late = driver.start(recv(&stream.connection, 8));
    let (result, _) = finish(&driver, late);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
    finish(&driver, close).unwrap();
    let (result, _) = finish(&driver, waiting);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ECANCELED));
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0, "the peer sees the end");
    finish(&driver, stream.close()).unwrap();
}

#[test]
fn a_close_that_is_dropped_closes_all_the_same() {
    for driver in drivers(8) {
        let (stream, mut peer) = stream(&driver);
        let mut reading = pin!(stream.read(vec![0; 8]));
        let mut writing = pin!(stream.write_all(vec![1; 1 << 20]));
        poll_once(reading.as_mut());
        poll_once(writing.as_mut());
        turn(&driver);
        // On epoll it is done by then.
        let _ = pin!(stream.close()).poll(&mut Context::from_waker(Waker::noop()));
        turn_until(&driver, || driver.in_flight() == 0);
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut received = Vec::new();
        peer.read_to_end(&mut received).expect("the peer sees the end");
        assert!(received.len() < 1 << 20);
    }
}

#[test]
fn an_exec_closes_every_descriptor() {
    static UNPARKER: Unparker = Unparker::new();
    let unparker = UNPARKER.open().unwrap();
    let Some(driver) = over_ring_with_eventfd(8, unparker) else { return };
    let ring = uring(&driver).ring.borrow().as_ref().unwrap().fd();
    for fd in [unparker, ring] {
        // SAFETY: no pointers.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
}
