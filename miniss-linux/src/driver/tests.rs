//! The drivers without a runtime: operations are started and the kernel is entered by hand.

mod flow;
pub(super) mod hostile;
mod levels;
mod lifecycle;
mod on_pool;
mod readiness;
mod wakes;

use std::future::Future;
use std::io::{Read, Write};
use std::ops::Deref;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::backend::AnyBackend;
use super::blocking::{BlockingConfig, BlockingPool, PoolRequests};
use super::choice::{Driver, DriverConfig, Kind};
use super::epoll::Epoll;
use super::start::{Op, ShardDriver};
use super::sys::{Wait, now};
use super::unpark::Unparker;
use super::uring::Uring;
use crate::buf::IoBuf;
use crate::error::DriverUnavailable;
use crate::net::TcpStream;
use crate::op::connection::{Connection, WriteTurn};
use crate::op::fd::Fd;
use crate::op::recv::{Recv, RecvPool};
use crate::op::send::Send;

/// Longer than any of this takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn config(ring_entries: u32) -> DriverConfig {
    DriverConfig {
        kind: Kind::IoUring,
        ring_entries,
        recv_buffers: 2,
        recv_buffer_bytes: 64,
        registered_chunks_max: usize::MAX,
        idle_spin_ns: 0,
        call_spin_ns: 0,
        memory_patience: PATIENCE,
    }
}

/// A pool of one thread for a driver.
fn pool() -> Arc<BlockingPool> {
    let config = BlockingConfig {
        threads_max: 1,
        keep_alive: Duration::from_millis(1),
        thread_name: "blocking".into(),
        stack_bytes: None,
        cpus: None,
    };
    Arc::new(BlockingPool::new(config, 1))
}

fn over(backend: AnyBackend, config: DriverConfig) -> Closing {
    Closing(ShardDriver::over(backend, config, None, PoolRequests::new(pool(), 0)))
}

/// A driver that is closed when its test is over.
pub(super) struct Closing(Rc<ShardDriver>);

impl Deref for Closing {
    type Target = Rc<ShardDriver>;

    fn deref(&self) -> &Rc<ShardDriver> {
        &self.0
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close(now() + PATIENCE);
    }
}

/// A driver over a ring, for what is true of rings alone: there is none where io_uring is refused.
pub(super) fn over_ring(ring_entries: u32) -> Option<Closing> {
    over_ring_with_eventfd(ring_entries, -1)
}

fn over_ring_with_eventfd(ring_entries: u32, eventfd: RawFd) -> Option<Closing> {
    let config = config(ring_entries);
    match Uring::new(&config, eventfd) {
        Ok(uring) => Some(over(AnyBackend::Uring(uring), config)),
        Err(error) if is_refusal(&error) => {
            println!("Left out: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn is_refusal(error: &DriverUnavailable) -> bool {
    matches!(error.errno(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS))
}

fn epoll_with_eventfd(eventfd: RawFd) -> Closing {
    let config = DriverConfig { kind: Kind::Epoll, ..config(1) };
    over(AnyBackend::Epoll(Epoll::new(eventfd).unwrap()), config)
}

/// One of each kind that is to be had.
fn drivers(ring_entries: u32) -> impl Iterator<Item = Closing> {
    over_ring(ring_entries).into_iter().chain([epoll_with_eventfd(-1)])
}

/// Those that are to be had, for runtimes.
pub(crate) fn kinds() -> impl Iterator<Item = Driver> {
    over_ring(1).map(|_| Driver::IoUring).into_iter().chain([Driver::Epoll])
}

fn uring(driver: &ShardDriver) -> &Uring {
    match &driver.backend {
        AnyBackend::Uring(uring) => uring,
        _ => panic!("a test of rings, over something else"),
    }
}

fn enter(driver: &ShardDriver, wait: Wait) {
    driver.try_enter(wait).unwrap();
}

/// Enters the kernel for a while and settles what has come.
fn turn(driver: &ShardDriver) {
    enter(driver, Wait::Nanos(1_000_000));
    driver.reap();
    driver.ops.on_pool.reap(&driver.ops);
}

/// Takes turns until `done` says so.
fn turn_until(driver: &ShardDriver, mut done: impl FnMut() -> bool) {
    let end = now() + PATIENCE;
    while !done() {
        assert!(now() < end, "nothing has come of it: {driver:?}");
        turn(driver);
    }
}

/// Runs a future, which waits for this driver alone, to its end.
fn finish<F: Future>(driver: &ShardDriver, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut output = None;
    turn_until(driver, || {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ready) => output = Some(ready),
            Poll::Pending => {}
        }
        output.is_some()
    });
    output.unwrap()
}

/// A socket of the driver's, and its other end.
fn socket(driver: &Rc<ShardDriver>) -> (Rc<Connection>, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    (Connection::new(OwnedFd::from(ours), driver.clone()), peer)
}

/// A stream of the driver's, and its other end.
fn stream(driver: &Rc<ShardDriver>) -> (TcpStream, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    (TcpStream::from_fd(OwnedFd::from(ours), driver.clone()), peer)
}

/// Polls once; it must not be ready.
fn poll_once<F: Future>(future: Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn recv(connection: &Rc<Connection>, bytes: usize) -> Recv<Vec<u8>> {
    Recv { connection: connection.clone(), buffer: vec![0; bytes], peeks: false }
}

/// A send that waits for no other.
fn send<B: IoBuf>(connection: &Rc<Connection>, buffer: B) -> Send<B> {
    Send { turn: WriteTurn::beside_others(connection), buffer, done: 0, flags: 0 }
}

/// A buffer that panics when it is asked for its bytes.
struct Refusing;

impl IoBuf for Refusing {
    fn as_init(&self) -> &[u8] {
        panic!("no bytes for you")
    }
}

/// Sends bytes with a descriptor beside them.
fn send_with_descriptor(stream: &UnixStream, bytes: &[u8]) {
    use std::os::fd::AsRawFd;

    let mut piece =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0_u64; 4];
    // SAFETY: a plain C struct of numbers and nullable pointers.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (&raw mut piece, 1);
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: the macros of the C library, on a length and on a header with room for one message.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(4) as usize;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = libc::CMSG_LEN(4) as usize;
        libc::CMSG_DATA(message).cast::<i32>().write_unaligned(stream.as_raw_fd());
    }
    // SAFETY: all that the header names are locals.
    let sent = unsafe { libc::sendmsg(stream.as_raw_fd(), &raw const header, 0) };
    assert_eq!(sent, bytes.len() as isize);
}
