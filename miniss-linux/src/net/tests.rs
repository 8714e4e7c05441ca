//! Streams on a runtime of one shard, against peers of the standard library's.

mod accepted;
mod cancelled;
mod closed;
mod cut_off;
mod empty;
mod fair;
mod sizes;
mod written;
mod zero_copy;

use miniss_core::coop::unconstrained;
use std::future::Future;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::TcpStream;
use crate::time::{sleep, timeout};
use crate::{Builder, JoinHandle, Runtime, spawn};

/// Longer than any of this takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// For a write to have begun.
const A_FEW: Duration = Duration::from_millis(2);
/// For the other side, and the kernel, to have done its part.
const A_WHILE: Duration = Duration::from_millis(20);

fn builder() -> Builder {
    Runtime::builder().shards(1).shutdown_timeout(PATIENCE)
}

/// A stream of ours and its peer.
fn pair() -> (TcpStream, std::net::TcpStream) {
    let (ours, peer) = blocking_pair();
    (TcpStream::from_std(ours).unwrap(), peer)
}

/// The two ends of a connection.
fn blocking_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

/// Polls once, with a waker that does nothing; it must not be ready. It begins also where the task
/// that polls has used up its budget, as on a busy machine.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) {
    let poll = pin!(unconstrained(future)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Pending));
}

/// A task for what has begun already, however many others are to run before it.
fn spawn_begun<F: Future + 'static>(future: F) -> JoinHandle<F::Output> {
    let mut future = Box::pin(future);
    poll_once(future.as_mut());
    spawn(future)
}

async fn patiently<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it hangs")
}
