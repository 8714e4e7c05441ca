//! The wait for a peer that will send no more.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{Read, Write};
use std::mem;
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, driver_stats, spawn};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::sockets::{pair, reset_on_close};

/// For the kernel to have done its part.
const A_WHILE: Duration = Duration::from_millis(20);

fn runtime() -> Runtime {
    Runtime::builder().shards(1).build().unwrap()
}

fn is_pending(future: impl Future) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn a_peer_that_ends_closes_or_resets_is_noticed_and_what_it_sent_can_be_read() {
    let _deadline = deadline("peer closed");
    runtime().block_on(async {
        for how in ["shutdown", "close", "reset"] {
            let (stream, mut peer) = pair();
            let stream = Rc::new(stream);
            let watch = spawn({
                let stream = stream.clone();
                async move { stream.peer_closed().await }
            });
            peer.write_all(b"last words").unwrap();
            sleep(A_WHILE).await;
            assert!(!watch.is_finished(), "bytes are no end");
            match how {
                "shutdown" => peer.shutdown(Shutdown::Write).unwrap(),
                "close" => peer = pair().1,
                _ => {
                    reset_on_close(&peer);
                    peer = pair().1;
                }
            }
            timeout(SOON, watch).await.expect(how).unwrap().unwrap();
            // It says so as often as it is asked.
            stream.peer_closed().await.unwrap();
            assert_eq!(stream.read_exact([0; 10]).await.1, *b"last words");
            assert_eq!(stream.recv().await.is_err(), how == "reset");
            if how == "shutdown" {
                stream.write_all("an answer").await.0.unwrap();
                drop(stream);
                let mut answer = String::new();
                peer.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, "an answer");
            }
        }
    });
}

#[test]
fn a_close_of_our_own_ends_all_waits_also_those_that_were_forgotten() {
    let _deadline = deadline("peer closed, close");
    runtime().block_on(async {
        let (stream, mut peer) = pair();
        let stream = Rc::new(stream);
        let watch = |_| {
            let stream = stream.clone();
            spawn(async move { stream.peer_closed().await })
        };
        let watches: Vec<_> = (0..3).map(watch).collect();
        let mut forgotten = Box::pin({
            let stream = stream.clone();
            async move { stream.peer_closed().await }
        });
        assert!(forgotten.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        mem::forget(forgotten);
        assert!(is_pending(stream.peer_closed()), "one that is dropped");
        sleep(A_WHILE).await;
        stream.close().await.unwrap();
        for watch in watches {
            let error = watch.await.unwrap().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
        }
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the peer sees the end");
        let error = stream.peer_closed().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    });
}

#[test]
fn waits_that_are_given_up_leave_nothing_in_flight_and_take_no_bytes() {
    let _deadline = deadline("peer closed, given up");
    runtime().block_on(async {
        let (stream, mut peer) = pair();
        for round in 0..100_u8 {
            assert!(is_pending(stream.peer_closed()));
            peer.write_all(&[round]).unwrap();
            assert_eq!(stream.recv().await.unwrap()[..], [round]);
        }
        let (reader, writer) = stream.into_split();
        assert!(is_pending(reader.peer_closed()) && is_pending(writer.peer_closed()));
        drop((reader, writer));
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        while driver_stats().in_flight > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    });
}
