//! How many wait to be accepted, what a listener does that has failed, and where its connections
//! go when it is given back.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{Read, Write};
use std::net;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use miniss_core::Future as Promised;
use miniss_linux::net::{ListenOptions, TcpListener};
use miniss_linux::{Runtime, stats};
use miniss_tests::deadline::deadline;
use miniss_tests::kernel;
use miniss_tests::sockets::reset_on_close;

fn runtime() -> Runtime {
    Runtime::builder().shards(1).build().unwrap()
}

/// Connects until no one more may wait; runs beside the shard, so that it can accept ahead.
fn connect_until_full(address: net::SocketAddr, enough: usize) -> Vec<net::TcpStream> {
    let connect = || net::TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok();
    std::iter::from_fn(connect).take(enough).collect()
}

/// What `work` gives, which runs on a thread of its own while the shard goes on.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, promise) = Promised::new();
    thread::spawn(move || promise.complete(work()).ok());
    done.await.expect("the thread ends with a value")
}

#[test]
fn as_many_wait_as_the_backlog_says() {
    let _deadline = deadline("backlog");
    for backlog in [1, 16, 100] {
        let waiting = runtime().block_on(async {
            let options = ListenOptions::new().backlog(backlog);
            let listener = options.bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            // An accept that was given up: from now on one is in flight.
            drop(poll_once(listener.accept()));
            beside(move || connect_until_full(address, 1_000).len()).await
        });
        let backlog = backlog as usize;
        assert!((backlog..=backlog + 1).contains(&waiting), "{waiting} wait, not {backlog}");
    }
}

/// One poll of a future that is then dropped.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_large_backlog_is_not_cut_by_what_is_accepted_ahead() {
    let _deadline = deadline("large backlog");
    runtime().block_on(async {
        let listener = ListenOptions::new().backlog(1024).bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients = beside(move || connect_until_full(address, 600)).await;
        assert_eq!(clients.len(), 600);
        for _ in &clients {
            listener.accept().await.unwrap();
        }
    });
}

#[test]
fn a_listener_that_was_shut_down_says_so_and_then_rests_before_it_says_so_again() {
    let _deadline = deadline("shut down");
    runtime().block_on(async {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let same = listener.try_clone().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        kernel::shut_down(&same);
        let first = listener.accept().await.unwrap_err();
        assert_eq!(first.raw_os_error(), Some(libc::EINVAL));
        assert!(poll_once(listener.accept()).is_pending(), "it would spin");
        for rest in [100, 200].map(Duration::from_millis) {
            let start = Instant::now();
            let again = listener.accept().await.unwrap_err();
            assert_eq!(again.raw_os_error(), Some(libc::EINVAL));
            assert!(start.elapsed() >= rest, "it would spin: {:?}", start.elapsed());
        }
    });
}

#[test]
fn a_listener_that_has_not_failed_does_not_rest() {
    let _deadline = deadline("no rest");
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let before = stats().timers_fired;
        for _ in 0..3 {
            let _client = net::TcpStream::connect(address).unwrap();
            listener.accept().await.unwrap();
        }
        assert_eq!(stats().timers_fired, before, "it slept before an accept");
    });
}

#[test]
fn a_listener_that_is_given_back_loses_no_one() {
    let _deadline = deadline("given back");
    for (backlog, clients) in [(16, 12), (1024, 300)] {
        runtime().block_on(async {
            let listener = ListenOptions::new().backlog(backlog).bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            drop(poll_once(listener.accept()));
            let mut clients = beside(move || connect_until_full(address, clients)).await;
            let (listener, accepted) = listener.into_std().await.unwrap();
            let mut greeted = 0;
            for stream in &accepted {
                stream.write_all("hello").await.0.unwrap();
                greeted += 1;
            }
            while greeted < clients.len() {
                listener.accept().unwrap().0.write_all(b"hello").unwrap();
                greeted += 1;
            }
            for client in &mut clients {
                let mut bytes = [0; 5];
                client.read_exact(&mut bytes).unwrap();
                assert_eq!(&bytes, b"hello");
            }
        });
    }
}

#[test]
fn a_listener_of_the_standard_library_serves_here_and_blocks_again_there() {
    let _deadline = deadline("there and back");
    runtime().block_on(async {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let _client = net::TcpStream::connect(address).unwrap();
        listener.accept().await.unwrap();
        let (listener, accepted) = listener.into_std().await.unwrap();
        assert!(accepted.is_empty());
        // A listener that does not block would find no one.
        let client = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            net::TcpStream::connect(address).unwrap()
        });
        listener.accept().unwrap();
        client.join().unwrap();
    });
}

#[test]
fn connections_that_were_reset_before_they_are_accepted_are_counted() {
    let _deadline = deadline("connections lost");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(listener.connections_lost(), 0);
        for _ in 0..3 {
            reset_on_close(&net::TcpStream::connect(address).unwrap());
        }
        let client = net::TcpStream::connect(address).unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(listener.connections_lost(), 3);
    });
}
