//! Streams and pipes for code that polls with borrowed buffers: with the traits of `futures`, those
//! of tokio, and a TLS client and server above them.

mod codec;
mod ends;
mod futures_io;
mod order;
mod pipes;
mod tls;
mod tokio_io;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{self, Shutdown};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use miniss_linux::net::{PollStream, Tcp};
use miniss_linux::{Budget, Runtime};
use miniss_tests::sockets;

/// Polls once, and no one is woken.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn on_one_shard<T>(body: impl Future<Output = T>) -> T {
    // What is polled by hand and ready says so, however slow the machine.
    let budget = Budget { time_max: Duration::ZERO, ..Budget::default() };
    Runtime::builder().shards(1).budget(budget).build().unwrap().block_on(body)
}

/// A connection: our end, and the peer's as a blocking socket.
fn pair() -> (PollStream<Tcp>, net::TcpStream) {
    let (ours, peer) = sockets::pair();
    (ours.into(), peer)
}

/// A connection with both ends in the runtime.
async fn both_ends() -> (PollStream<Tcp>, PollStream<Tcp>) {
    let (server, client) = sockets::both_ends().await.unwrap();
    (server.into(), client.into())
}

/// A blocking peer that sends `bytes` and the end, and returns all that comes.
fn exchange(mut peer: net::TcpStream, bytes: Vec<u8>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut writer = peer.try_clone().unwrap();
        let sender = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        sender.join().unwrap();
        back
    })
}
