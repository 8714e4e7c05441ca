//! Connections that end under someone's hands. Scenarios R10, R11, N3.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Wake};
use std::thread;
use std::time::Duration;

use miniss_linux::net::TcpListener;
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, driver_stats, spawn, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, counted};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::kernel;
use miniss_tests::sockets::{pair, reset_on_close};

const LONG: Duration = SOON;

#[test]
fn r11_a_read_of_another_task_ends_promptly_when_the_stream_is_closed() {
    alone("close::r11_a_read_of_another_task_ends_promptly_when_the_stream_is_closed", || {
        let runtime = Runtime::builder().shards(1).build().unwrap();
        for by_recv in [false, true] {
            runtime.block_on(counted(async {
                let (ours, mut peer) = pair();
                let ours = Rc::new(ours);
                let stream = ours.clone();
                let reader = spawn(async move {
                    match by_recv {
                        true => stream.recv().await.map(drop),
                        false => stream.read(vec![0; 9]).await.0.map(drop),
                    }
                });
                sleep(Duration::from_millis(1)).await;
                ours.close().await.unwrap();
                let outcome = timeout(LONG, reader).await.expect("the read ends").unwrap();
                let errno = outcome.unwrap_err().raw_os_error();
                assert_eq!(errno, Some(libc::ECANCELED), "by_recv: {by_recv}");
                // The peer hears of it at once, since nothing holds the connection any more.
                peer.set_read_timeout(Some(LONG)).unwrap();
                assert_eq!(peer.read(&mut [0]).unwrap(), 0);
                let errno = |error: std::io::Error| error.raw_os_error();
                assert_eq!(errno(ours.read(vec![0]).await.0.unwrap_err()), Some(libc::EBADF));
                assert_eq!(errno(ours.recv().await.unwrap_err()), Some(libc::EBADF));
                assert_eq!(errno(ours.write_all("x").await.0.unwrap_err()), Some(libc::EBADF));
                assert_eq!(errno(ours.local_addr().unwrap_err()), Some(libc::EBADF));
                ours.close().await.unwrap();
            }));
        }
    });
}

#[test]
fn r10_a_reader_that_goes_on_after_the_close_never_reads_from_a_stranger() {
    alone("close::r10_a_reader_that_goes_on_after_the_close_never_reads_from_a_stranger", || {
        let _deadline = deadline("r10");
        let before = Census::take();
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(async {
            for round in 0..200 {
                let (ours, mut peer) = pair();
                let ours = Rc::new(ours);
                let stream = ours.clone();
                let reader = spawn(async move {
                    loop {
                        let result = match round % 2 {
                            0 => stream.recv().await.map(|bytes| bytes.len()),
                            _ => stream.read(vec![0; 9]).await.0,
                        };
                        match result {
                            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => {}
                            other => return other,
                        }
                    }
                });
                yield_now().await;
                ours.close().await.unwrap();
                // The number that was freed is taken at once, by a connection with a message.
                let (stranger, mut its_peer) = pair();
                its_peer.write_all(b"not for you").unwrap();
                let outcome = timeout(LONG, reader).await.expect("the reader ends").unwrap();
                assert_eq!(outcome.unwrap_err().raw_os_error(), Some(libc::EBADF));
                let (result, text) = stranger.read_exact(vec![0; 11]).await;
                result.unwrap();
                assert_eq!(text, b"not for you");
                peer.set_read_timeout(Some(LONG)).unwrap();
                assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the connection is open still");
            }
        });
        drop(runtime);
        before.assert_back();
    });
}

#[test]
fn r11_a_close_given_up_closes_all_the_same() {
    alone("close::r11_a_close_given_up_closes_all_the_same", || {
        let before = Census::take();
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(async {
            for _ in 0..100 {
                let (ours, _peer) = pair();
                let ours = Rc::new(ours);
                let stream = ours.clone();
                let task = spawn(async move { stream.close().await });
                yield_now().await;
                task.abort();
                let _ = task.await;
            }
            while driver_stats().in_flight > 0 {
                sleep(Duration::from_micros(100)).await;
            }
        });
        drop(runtime);
        before.assert_back();
    });
}

/// Remembers that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn a_read_that_had_all_its_bytes_before_the_close_gives_them() {
    let _deadline = deadline("complete before the close");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let (ours, mut peer) = pair();
        let woken = Arc::new(Woken::default());
        let mut read = pin!(ours.read_exact(vec![0; 4]));
        let waker = woken.clone().into();
        assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        peer.write_all(b"four").unwrap();
        // They are here, and their reader has not looked yet.
        while !woken.0.load(Relaxed) {
            sleep(Duration::from_millis(1)).await;
        }
        ours.close().await.unwrap();
        let (result, bytes) = read.await;
        result.unwrap();
        assert_eq!(bytes, b"four");
    });
}

#[test]
fn a_listener_dropped_while_it_accepts_lets_go_of_its_port() {
    let _deadline = deadline("listener dropped");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = spawn(async move { listener.accept().await.map(drop) });
        sleep(Duration::from_millis(1)).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        let again = async {
            while TcpListener::bind(address).await.is_err() {
                sleep(Duration::from_micros(100)).await;
            }
        };
        timeout(LONG, again).await.expect("the port is free again");
    });
}

#[test]
fn n3_a_reset_in_the_middle_of_a_write_is_an_error_and_no_signal() {
    alone("close::n3_a_reset_in_the_middle_of_a_write_is_an_error_and_no_signal", || {
        kernel::die_of_broken_pipes();
        let before = Census::take();
        let runtime = Runtime::builder().shards(1).build().unwrap();
        let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        for form in 0..3 {
            runtime.block_on(async {
                let (ours, mut peer) = pair();
                let ours = Rc::new(ours);
                let stream = ours.clone();
                // On a thread of its own: it waits for a write that may begin late.
                let reset = thread::spawn(move || {
                    peer.read_exact(&mut [0; 1000]).unwrap();
                    reset_on_close(&peer);
                });
                let write = spawn(async move {
                    let bytes = vec![1; 8 << 20];
                    match form {
                        0 => stream.write_all(bytes).await.0,
                        1 => stream.write_vectored_all([bytes.clone(), bytes]).await.0,
                        _ => loop {
                            if let (Err(error), _) = stream.write(bytes.clone()).await {
                                break Err(error);
                            }
                        },
                    }
                });
                let error = timeout(LONG, write).await.expect("it ends").unwrap().unwrap_err();
                reset.join().unwrap();
                assert!(gone.contains(&error.kind()), "{error:?}");
                for _ in 0..3 {
                    let error = ours.write_all("more").await.0.unwrap_err();
                    assert!(gone.contains(&error.kind()), "{error:?}");
                    let (result, _) = ours.write_vectored_all(["mo", "re"]).await;
                    assert!(gone.contains(&result.unwrap_err().kind()));
                }
                drop((ours.shutdown(std::net::Shutdown::Write).await, ours.recv().await));
                let (_, writer) = Rc::into_inner(ours).unwrap().into_split();
                drop(writer);
            });
        }
        drop(runtime);
        before.assert_back();
    });
}

#[test]
fn a_reset_reaches_a_reader_once_and_what_came_before_it_is_not_lost() {
    let _deadline = deadline("reset while reading");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let (ours, mut peer) = pair();
        peer.write_all(b"last words").unwrap();
        let received = ours.recv().await.unwrap();
        assert_eq!(&received[..], b"last words");
        reset_on_close(&peer);
        drop(peer);
        let error = timeout(LONG, ours.recv()).await.expect("the reset comes").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(ours.recv().await.map_or(true, |bytes| bytes.is_empty()));
    });
}
