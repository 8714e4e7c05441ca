//! Requests that no backend takes: performed by a thread.

use std::cell::RefCell;
use std::sync::Arc;

use miniss_core::op::{Completion, Operation};

use super::*;
use crate::driver::request::{Prepare, Request};
use crate::runtime::with_current;
use crate::{Driver, Runtime};

/// What has become of operations, in their order.
type Ends = Rc<RefCell<Vec<i32>>>;

/// Waits until its socket can be read from. Its request goes to the pool of a driver over epoll,
/// whose threads wait in `poll(2)`.
struct Wait {
    socket: UnixStream,
    ends: Ends,
}

impl Operation for Wait {
    type Output = i32;

    fn settle(self, completion: Completion) -> i32 {
        self.ends.borrow_mut().push(completion.result);
        completion.result
    }
}

impl Prepare for Wait {
    const MAY_BLOCK: bool = true;

    fn prepare(&mut self) -> Request {
        use std::os::fd::AsRawFd;
        Request::Poll { fd: self.socket.as_raw_fd(), events: libc::POLLIN }
    }
}

/// Starts one, whose end is written down.
fn wait(driver: &Rc<ShardDriver>, ends: &Ends) -> (Op<Wait>, UnixStream) {
    let (socket, peer) = UnixStream::pair().unwrap();
    (driver.start(Wait { socket, ends: ends.clone() }), peer)
}

const READABLE: i32 = libc::POLLIN as i32;

fn epoll() -> Closing {
    epoll_with_eventfd(-1)
}

/// Nothing waits in the line: the one thread has begun what there was.
fn until_begun(driver: &ShardDriver) {
    turn_until(driver, || driver.ops.on_pool.waiting() == 0);
}

#[test]
fn a_request_that_no_backend_takes_is_performed_and_tells_its_result() {
    let (driver, ends) = (epoll(), Ends::default());
    let (mut op, mut peer) = wait(&driver, &ends);
    poll_once(pin!(&mut op));
    until_begun(&driver);
    turn(&driver);
    poll_once(pin!(&mut op));
    assert_eq!(driver.in_flight(), 1);
    peer.write_all(b"x").unwrap();
    assert_eq!(finish(&driver, op), READABLE);
    assert_eq!(driver.in_flight(), 0);
}

#[test]
fn one_that_is_dropped_before_it_begins_never_does() {
    let (driver, ends) = (epoll(), Ends::default());
    let (first, mut peer) = wait(&driver, &ends);
    until_begun(&driver);
    let (second, mut other) = wait(&driver, &ends);
    let (third, mut last) = wait(&driver, &ends);
    // If it were performed, it would end with this.
    other.write_all(b"x").unwrap();
    drop(second);
    third.cancel();
    turn(&driver);
    assert_eq!((finish(&driver, third), driver.in_flight()), (-libc::ECANCELED, 1));
    assert!(last.write_all(b"x").is_err(), "its socket is closed");
    peer.write_all(b"x").unwrap();
    assert_eq!(finish(&driver, first), READABLE);
    assert_eq!(*ends.borrow(), [-libc::ECANCELED, -libc::ECANCELED, READABLE]);
}

#[test]
fn one_that_is_dropped_after_it_began_keeps_its_memory_to_the_end() {
    let (driver, ends) = (epoll(), Ends::default());
    let (op, mut peer) = wait(&driver, &ends);
    until_begun(&driver);
    drop(op);
    turn(&driver);
    assert_eq!((driver.in_flight(), ends.borrow().len()), (1, 0));
    peer.write_all(b"x").expect("its socket is open");
    turn_until(&driver, || driver.in_flight() == 0);
    assert_eq!(*ends.borrow(), [READABLE]);
}

#[test]
fn the_end_waits_for_what_has_begun_and_cancels_the_rest() {
    let (driver, ends) = (epoll(), Ends::default());
    let (first, mut peer) = wait(&driver, &ends);
    until_begun(&driver);
    let (second, _other) = wait(&driver, &ends);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(5));
            peer.write_all(b"x").unwrap();
        });
        assert_eq!(driver.close(now() + PATIENCE).count, 0);
    });
    assert_eq!(finish(&driver, first), READABLE);
    assert_eq!(finish(&driver, second), -libc::ECANCELED);
}

#[test]
fn one_that_will_not_end_is_left_behind_with_its_memory() {
    let (driver, ends) = (epoll(), Ends::default());
    let (op, mut peer) = wait(&driver, &ends);
    until_begun(&driver);
    drop(op);
    assert_eq!(driver.close(now() + Duration::from_millis(5)).count, 1);
    peer.write_all(b"x").expect("its socket is open");
    while driver.ops.on_pool.reap(&driver.ops) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(*ends.borrow(), [READABLE]);
}

#[test]
fn a_pool_that_is_closed_or_has_no_thread_ends_a_request_with_its_error() {
    let ends = Ends::default();
    let closed = pool();
    closed.close();
    let config = BlockingConfig {
        threads_max: 1,
        keep_alive: PATIENCE,
        thread_name: "none".into(),
        // No address space is so large.
        stack_bytes: Some(1 << 60),
        cpus: None,
    };
    let none = Arc::new(BlockingPool::new(config, 1));
    for (pool, errno) in [(closed, libc::ECANCELED), (none, libc::EAGAIN)] {
        let backend = AnyBackend::Epoll(Epoll::new(-1).unwrap());
        let on_pool = PoolRequests::new(pool, 0);
        let driver = Closing(ShardDriver::over(backend, config_of_epoll(), None, on_pool));
        let (op, _peer) = wait(&driver, &ends);
        assert_eq!(finish(&driver, op), -errno);
    }
}

fn config_of_epoll() -> DriverConfig {
    DriverConfig { kind: Kind::Epoll, ..config(1) }
}

/// Has no memory, and may be dropped at any time.
struct Nop;

impl Operation for Nop {
    type Output = i32;

    fn settle(self, completion: Completion) -> i32 {
        completion.result
    }
}

impl Prepare for Nop {
    const MAY_BLOCK: bool = true;

    fn prepare(&mut self) -> Request {
        Request::Nop
    }
}

#[test]
fn requests_of_many_shards_all_end_while_some_are_dropped() {
    let builder = Runtime::builder().shards(3).driver(Driver::Epoll).blocking_threads(3);
    let runtime = builder.build().unwrap();
    let ended = runtime.run(async || {
        let start = || with_current(|shard| shard.driver.start(Nop));
        let mut ended = 0;
        for round in 0..100 {
            let mut ops: Vec<_> = (0..8).map(|_| start()).collect();
            ops.truncate(round % 9);
            for op in ops {
                assert_eq!(op.await, 0);
                ended += 1;
            }
        }
        while with_current(|shard| shard.driver.in_flight()) > 0 {
            crate::yield_now().await;
        }
        ended
    });
    let expected = (0..100).map(|round| (round % 9).min(8)).sum::<usize>();
    assert_eq!(ended, [expected; 3]);
}

#[test]
fn a_completion_ends_the_sleep_of_the_shard() {
    let runtime = Runtime::builder().shards(1).driver(Driver::Epoll).build().unwrap();
    runtime.block_on(async {
        for _ in 0..20 {
            let ends = Ends::default();
            let (op, mut peer) = with_current(|shard| wait(&shard.driver, &ends));
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1));
                peer.write_all(b"x").unwrap();
                peer
            });
            assert_eq!(op.await, READABLE);
            thread.join().unwrap();
        }
    });
}
