//! The driver over real rings, without a runtime: operations are started and the kernel is entered
//! by hand.

mod flow;
mod levels;
mod lifecycle;
mod wakes;

use std::future::Future;
use std::io::{Read, Write};
use std::ops::Deref;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::setup::{DriverConfig, make_ring};
use super::submit::{Driver, Op};
use super::sys::{Wait, now};
use super::unpark::Unparker;
use crate::buf::IoBuf;
use crate::net::TcpStream;
use crate::op::connection::{Connection, WriteTurn};
use crate::op::fd::Fd;
use crate::op::recv::{Recv, RecvPool};
use crate::op::send::Send;

/// Longer than any of this takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn config(ring_entries: u32) -> DriverConfig {
    DriverConfig {
        ring_entries,
        recv_buffers: 2,
        recv_buffer_bytes: 64,
        idle_spin_ns: 0,
        call_spin_ns: 0,
    }
}

/// A driver that is closed when its test is over.
struct Closing(Rc<Driver>);

impl Deref for Closing {
    type Target = Rc<Driver>;

    fn deref(&self) -> &Rc<Driver> {
        &self.0
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close(now() + PATIENCE);
    }
}

fn driver_with_eventfd(ring_entries: u32, eventfd: RawFd) -> Closing {
    let config = config(ring_entries);
    Closing(Driver::over(make_ring(&config).unwrap(), config, None, eventfd).unwrap())
}

/// A driver without an eventfd.
fn driver(ring_entries: u32) -> Closing {
    driver_with_eventfd(ring_entries, -1)
}

/// Enters the kernel for a while and settles what has come.
fn turn(driver: &Driver) {
    driver.enter(Wait::Nanos(1_000_000));
    driver.reap();
}

/// Takes turns until `done` says so.
fn turn_until(driver: &Driver, mut done: impl FnMut() -> bool) {
    let end = now() + PATIENCE;
    while !done() {
        assert!(now() < end, "nothing has come of it: {driver:?}");
        turn(driver);
    }
}

/// Runs a future, which waits for this driver alone, to its end.
fn finish<F: Future>(driver: &Driver, future: F) -> F::Output {
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
fn socket(driver: &Rc<Driver>) -> (Rc<Connection>, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    (Connection::new(OwnedFd::from(ours), driver.clone()), peer)
}

/// A stream of the driver's, and its other end.
fn stream(driver: &Rc<Driver>) -> (TcpStream, UnixStream) {
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
