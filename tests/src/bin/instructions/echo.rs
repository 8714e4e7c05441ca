//! An echo server, over real sockets and a real driver: what its thread does for a request.
//!
//! The clients are plain sockets of the same thread. They send, then the main task waits, so the
//! shard sleeps in the kernel and finds all requests there at once; when all are answered, they
//! receive. So the same happens every time, but for the kernel's own mind about how many
//! completions it posts at a time. A write and a read of the client are among what is counted.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as Client};
use std::rc::Rc;
use std::task::{Poll, Waker};

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::{Driver, spawn};

use crate::runtime::runtime;

const CONNECTIONS: usize = 64;
const BYTES: usize = 64;

/// A request at a time.
pub fn one(times: usize) {
    run(Driver::IoUring, times, 1);
}

/// A request of each of [`CONNECTIONS`] at a time.
pub fn crowd(times: usize) {
    run(Driver::IoUring, times, CONNECTIONS);
}

/// As [`one`], over epoll.
pub fn one_by_epoll(times: usize) {
    run(Driver::Epoll, times, 1);
}

/// As [`crowd`], over epoll.
pub fn crowd_by_epoll(times: usize) {
    run(Driver::Epoll, times, CONNECTIONS);
}

fn run(driver: Driver, times: usize, connections: usize) {
    runtime(driver).block_on(serve(times, connections)).expect("the loopback works");
}

async fn serve(times: usize, connections: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answers = Rc::new(Answers::default());
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        clients.push(connect(address)?);
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn(echo(stream, answers.clone())).detach();
    }
    let mut answer = [0; BYTES];
    for _ in 0..times / connections {
        clients.iter_mut().try_for_each(|client| client.write_all(&[7; BYTES]))?;
        answers.wait_for(connections).await;
        clients.iter_mut().try_for_each(|client| client.read_exact(&mut answer))?;
    }
    Ok(())
}

fn connect(address: SocketAddr) -> io::Result<Client> {
    let client = Client::connect(address)?;
    client.set_nodelay(true)?;
    Ok(client)
}

async fn echo(stream: TcpStream, answers: Rc<Answers>) -> io::Result<()> {
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await.0?;
        answers.add_one();
    }
}

/// How many requests of a round have been answered.
#[derive(Default)]
struct Answers {
    missing: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Answers {
    fn add_one(&self) {
        self.missing.set(self.missing.get() - 1);
        if self.missing.get() == 0 {
            self.waker.take().expect("the main task waits").wake();
        }
    }

    async fn wait_for(&self, count: usize) {
        self.missing.set(count);
        poll_fn(|cx| {
            if self.missing.get() == 0 {
                return Poll::Ready(());
            }
            self.waker.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
