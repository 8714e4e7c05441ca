//! More operations than a ring has room for: order, cancels, buffers.

use super::*;
use crate::driver::buffers::PoolBuf;
use crate::driver::uring::tag;
use crate::op::connect::{Accept, connection};
use crate::op::connection::Reading;
use crate::op::file::{OpenFile, read_at};
use crate::op::recv::received;
use io_uring::{cqueue, opcode};
use miniss_core::op::Part;
use std::fs::File;
use std::mem::MaybeUninit;

#[test]
fn a_ring_of_four_keeps_the_order_of_a_hundred_operations() {
    let Some(driver) = over_ring(4) else { return };
    let (connection, mut peer) = socket(&driver);
    let sends: Vec<_> = (0..100_u8).map(|n| driver.start(send(&connection, [n]))).collect();
    for op in sends {
        assert_eq!(finish(&driver, op).0.unwrap(), 1);
    }
    let mut bytes = [0; 100];
    peer.read_exact(&mut bytes).unwrap();
    assert!(bytes.iter().copied().eq(0..100), "{bytes:?}");
}

#[test]
fn entries_that_wait_for_room_go_before_later_ones() {
    let Some(driver) = over_ring(4) else { return };
    let mut ring = uring(&driver).ring.borrow_mut();
    let ring = ring.as_mut().unwrap();
    let nop = |n: u64| opcode::Nop::new().build().user_data(tag::IGNORE | n);
    // As if the kernel had refused to take more.
    ring.waiting.push_back(nop(0));
    for n in 1..20 {
        // SAFETY: the entry points at nothing.
        unsafe { ring.push(nop(n)) };
    }
    let mut seen = Vec::new();
    while seen.len() < 20 {
        assert!(ring.wants_enter() || ring.has_completions());
        ring.enter(Wait::No).unwrap();
        let mut batch = [const { MaybeUninit::uninit() }; 8];
        let taken = ring.take(&mut batch);
        seen.extend(taken.iter().map(|entry: &cqueue::Entry| entry.user_data() & !tag::MASK));
    }
    assert!(seen.iter().copied().eq(0..20), "{seen:?}");
}

#[test]
fn no_cancel_is_lost_when_the_ring_is_full() {
    for driver in drivers(2) {
        let sockets: Vec<_> = (0..50).map(|_| socket(&driver)).collect();
        let reads: Vec<_> = sockets.iter().map(|(fd, _)| driver.start(recv(fd, 8))).collect();
        turn(&driver);
        assert_eq!(driver.in_flight(), 50);
        drop(reads);
        // Not all of them have been handed over either.
        drop(sockets.iter().map(|(fd, _)| driver.start(recv(fd, 8))).collect::<Vec<_>>());
        turn_until(&driver, || driver.in_flight() == 0);
    }
}

#[test]
fn the_cancels_of_a_turn_leave_with_it_however_many_there_are() {
    let Some(driver) = over_ring(2) else { return };
    let sockets: Vec<_> = (0..50).map(|_| socket(&driver)).collect();
    let reads: Vec<_> = sockets.iter().map(|(fd, _)| driver.start(recv(fd, 8))).collect();
    turn(&driver);
    drop(reads);
    // The ring is full, too.
    let late: Vec<_> = sockets.iter().take(2).map(|(fd, _)| driver.start(recv(fd, 8))).collect();
    driver.submit();
    assert!(!driver.ops.table.wants_cancel(), "a cancel waits for room while others go ahead");
    turn_until(&driver, || driver.in_flight() == late.len());
}

#[test]
fn a_cancel_that_comes_too_late_ends_nothing_else() {
    for driver in drivers(8) {
        let (first, mut peer) = socket(&driver);
        let read = driver.start(recv(&first, 8));
        let (second, _peer) = socket(&driver);
        let sent = driver.start(send(&second, "x"));
        enter(&driver, Wait::No);
        // It is done, and no one has looked yet.
        drop(sent);
        turn(&driver);
        turn_until(&driver, || driver.in_flight() <= 1);
        peer.write_all(b"for it").unwrap();
        let (result, buffer) = finish(&driver, read);
        assert_eq!(&buffer[..result.unwrap()], b"for it");
    }
}

/// The next bytes of a receive, or the number of the error that ended it.
fn next(driver: &Rc<ShardDriver>, op: &mut Op<RecvPool>) -> Result<PoolBuf, i32> {
    let pool = driver.pool().unwrap().unwrap();
    match finish(driver, std::future::poll_fn(|cx| op.poll_part(cx))) {
        Part::More(completion) => Ok(received(pool, completion).unwrap()),
        Part::End(ended) => {
            let bytes = received(pool, ended.completion).filter(|bytes| !bytes.is_empty());
            bytes.ok_or(-ended.completion.result)
        }
    }
}

#[test]
fn buffers_go_round_from_each_holder() {
    for driver in drivers(8) {
        let pool = driver.pool().unwrap().unwrap();
        let (connection, mut peer) = socket(&driver);
        let _reading = Reading::begin(&connection).unwrap();
        for round in 0..100_u8 {
            let mut op = driver.start(RecvPool::new(connection.clone(), pool.clone()));
            peer.write_all(&[round]).unwrap();
            let first = next(&driver, &mut op).unwrap();
            peer.write_all(&[round, 1]).unwrap();
            let second = next(&driver, &mut op).unwrap();
            assert_eq!((&first[..], &second[..]), (&[round][..], &[round, 1][..]));
            // Both are held: the third message finds none, and stays in the socket.
            peer.write_all(&[round, 1, 2]).unwrap();
            assert_eq!(next(&driver, &mut op).err(), Some(libc::ENOBUFS));
            drop(first);
            let mut op = driver.start(RecvPool::new(connection.clone(), pool.clone()));
            assert_eq!(&next(&driver, &mut op).unwrap()[..], &[round, 1, 2]);
            // It may have ended for want of a buffer, as the second is held.
            drop((op, second));
            turn_until(&driver, || driver.in_flight() == 0);
            // What no one collects goes back as well.
            let op = driver.start(RecvPool::new(connection.clone(), pool.clone()));
            let taken = driver.ops.buffers_taken.get();
            peer.write_all(&[9]).unwrap();
            turn_until(&driver, || driver.ops.buffers_taken.get() != taken);
            drop(op);
            turn_until(&driver, || driver.in_flight() == 0);
        }
    }
}

#[test]
fn a_pause_that_was_asked_for_is_remembered_when_the_reader_catches_up() {
    use miniss_core::op::{Completion, Operation};

    let Some(driver) = over_ring(8) else { return };
    let (connection, _peer) = socket(&driver);
    let mut receive = RecvPool::new(connection, driver.pool().unwrap().unwrap().clone());
    let part = Completion { result: 1, flags: 0 };
    let full = (1..).find(|&waiting| receive.wants_cancel_after(part, waiting)).unwrap();
    // Some are read, and one more comes before the cancel takes effect.
    assert!(!receive.wants_cancel_after(part, full - 4));
    let ended = receive.settle(Completion { result: -libc::ECANCELED, flags: 0 });
    assert!(ended.paused, "the reader would be told of a cancel that was ours");
}

#[test]
fn a_receive_that_waits_takes_no_buffer_and_wants_one_only_for_bytes() {
    for driver in drivers(8) {
        let (connection, mut peer) = socket(&driver);
        let pool = driver.pool().unwrap().unwrap();
        let once = || driver.start(RecvPool::new(connection.clone(), pool.clone()).once());
        let held = [1, 2].map(|byte| {
            peer.write_all(&[byte]).unwrap();
            next(&driver, &mut once()).unwrap()
        });
        let mut op = once();
        (0..3).for_each(|_| turn(&driver));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(op.poll_part(&mut cx).is_pending(), "it wants a buffer, and there are no bytes");
        peer.write_all(&[1]).unwrap();
        assert_eq!(next(&driver, &mut op).unwrap_err(), libc::ENOBUFS);
        drop(held);
        assert_eq!(&next(&driver, &mut once()).unwrap()[..], &[1]);
    }
}

#[test]
fn an_accept_that_no_one_collects_from_pauses() {
    for driver in drivers(8) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(driver.is_nonblocking()).unwrap();
        let address = listener.local_addr().unwrap();
        let fd = Rc::new(Fd::new(listener.into(), driver.clone()));
        let mut op = driver.start(Accept::new(fd, 256));
        let peers: Vec<_> = (0..300)
            .map(|_| {
                enter(&driver, Wait::No);
                driver.reap();
                std::net::TcpStream::connect(address).unwrap()
            })
            .collect();
        turn_until(&driver, || driver.in_flight() == 0);
        let mut accepted = 0;
        let end = loop {
            match finish(&driver, std::future::poll_fn(|cx| op.poll_part(cx))) {
                Part::More(completion) => drop(connection(completion).unwrap()),
                Part::End(end) => break end,
            }
            accepted += 1;
        };
        assert!(end.is_none(), "a pause is no error");
        assert!((256..300).contains(&accepted), "{accepted} of {}", peers.len());
    }
}

#[test]
fn without_a_pool_a_receive_has_no_memory_before_there_is_data() {
    let Some(mut driver) = over_ring(8) else { return };
    let AnyBackend::Uring(uring) = &mut Rc::get_mut(&mut driver.0).unwrap().backend else {
        unreachable!()
    };
    uring.features.multishot_recv = false;
    let (stream, mut peer) = stream(&driver);
    for round in 0..10 {
        let mut receiving = pin!(stream.recv());
        poll_once(receiving.as_mut());
        turn(&driver);
        peer.write_all(&[round; 5]).unwrap();
        turn(&driver);
        let mut waiting = [MaybeUninit::uninit(); 16];
        let peeked = stream.connection.fd.socket().unwrap().peek(&mut waiting);
        assert_eq!(peeked.unwrap(), 5, "the kernel had a buffer to fill");
        // One that is given up after it has heard of them leaves them, too.
        if round % 2 == 0 {
            receiving.set(stream.recv());
        }
        assert_eq!(finish(&driver, receiving).unwrap()[..], [round; 5]);
    }
    let mut receiving = pin!(stream.recv());
    poll_once(receiving.as_mut());
    turn(&driver);
    finish(&driver, stream.close()).unwrap();
    let error = finish(&driver, receiving).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
}

#[test]
fn direct_reads_are_handed_over_before_the_turn_ends() {
    let Some(driver) = over_ring(64) else { return };
    let file = File::open("/proc/self/exe").unwrap();
    let file = OpenFile::new(file.into(), driver.clone(), 0, false);
    let waiting = |count: u64| {
        turn(&driver);
        let before = driver.stats().submitted;
        let read = |_| file.start(read_at(file.share().unwrap(), [0; 8], 0));
        let reads: Vec<_> = (0..count).map(read).collect();
        let waiting = before + count - driver.stats().submitted;
        reads.into_iter().for_each(|read| assert_eq!(finish(&driver, read).0.unwrap(), 8));
        waiting
    };
    assert_eq!(waiting(20), 20, "what comes from memory goes in one batch");
    file.is_direct.set(true);
    // After 2, 4, 8 and 16.
    assert_eq!([1, 2, 20].map(waiting), [1, 0, 4]);
}
