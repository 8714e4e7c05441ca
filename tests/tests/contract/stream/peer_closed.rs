//! The wait for a peer that will send no more.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;

use miniss_linux::{driver_stats, spawn};
use miniss_tests::sockets::reset_on_close;

use super::{Kind, pair};
use crate::harness::{errno, on_each_driver, poll_and_drop, poll_once, settle, soon};

for_each_kind![
    a_peer_that_ends_or_closes_is_noticed_and_what_it_sent_can_be_read,
    a_peer_that_has_gone_before_is_noticed_at_once,
    a_close_of_our_own_ends_all_waits_also_those_that_no_one_polls,
    waits_that_are_given_up_leave_nothing_in_flight_and_take_no_bytes,
];

async fn a_peer_that_ends_or_closes_is_noticed_and_what_it_sent_can_be_read<K: Kind>() {
    for closes in [false, true] {
        let (stream, mut peer) = pair::<K>();
        let stream = Rc::new(stream);
        let watch = spawn({
            let stream = stream.clone();
            async move { stream.peer_closed().await }
        });
        peer.write_all(b"last words").unwrap();
        settle().await;
        assert!(!watch.is_finished(), "bytes are no end");
        let peer = if closes {
            drop(peer);
            None
        } else {
            peer.shutdown(Shutdown::Write).unwrap();
            Some(peer)
        };
        soon(watch).await.unwrap().unwrap();
        // It says so as often as it is asked.
        soon(stream.peer_closed()).await.unwrap();
        assert_eq!(soon(stream.read_exact([0; 10])).await.1, *b"last words");
        assert!(soon(stream.recv()).await.unwrap().is_empty());
        soon(stream.peer_closed()).await.unwrap();
        if let Some(mut peer) = peer {
            soon(stream.write_all("an answer")).await.0.unwrap();
            drop(stream);
            let mut answer = String::new();
            peer.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "an answer");
        }
    }
}

async fn a_peer_that_has_gone_before_is_noticed_at_once<K: Kind>() {
    let (stream, mut peer) = pair::<K>();
    // Received ahead, and not read.
    assert!(poll_and_drop(stream.recv()).is_pending());
    peer.write_all(b"last words").unwrap();
    settle().await;
    drop(peer);
    settle().await;
    soon(stream.peer_closed()).await.unwrap();
    assert_eq!(soon(stream.recv()).await.unwrap()[..], *b"last words");
    assert!(soon(stream.recv()).await.unwrap().is_empty());
}

async fn a_close_of_our_own_ends_all_waits_also_those_that_no_one_polls<K: Kind>() {
    let (stream, mut peer) = pair::<K>();
    let stream = Rc::new(stream);
    let watch = |_| {
        let stream = stream.clone();
        spawn(async move { stream.peer_closed().await })
    };
    let watches: Vec<_> = (0..3).map(watch).collect();
    let mut left = pin!(stream.peer_closed());
    assert!(poll_once(left.as_mut()).is_pending());
    assert!(poll_and_drop(stream.peer_closed()).is_pending());
    settle().await;
    soon(stream.close()).await.unwrap();
    for watch in watches {
        assert_eq!(errno(soon(watch).await.unwrap()), libc::ECANCELED);
    }
    assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the peer sees the end");
    assert_eq!(errno(soon(stream.peer_closed()).await), libc::EBADF);
    assert_eq!(errno(soon(left).await), libc::ECANCELED);
}

async fn waits_that_are_given_up_leave_nothing_in_flight_and_take_no_bytes<K: Kind>() {
    let (stream, mut peer) = pair::<K>();
    let before = driver_stats().in_flight;
    for round in 0..100_u8 {
        assert!(poll_and_drop(stream.peer_closed()).is_pending());
        peer.write_all(&[round]).unwrap();
        assert_eq!(soon(stream.recv()).await.unwrap()[..], [round]);
    }
    let (reader, writer) = stream.into_split();
    assert!(poll_and_drop(reader.peer_closed()).is_pending());
    assert!(poll_and_drop(writer.peer_closed()).is_pending());
    drop((reader, writer));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    while driver_stats().in_flight > before {
        settle().await;
    }
}

#[test]
fn a_peer_that_resets_is_noticed_and_a_read_tells_of_the_reset() {
    on_each_driver(async || {
        let (stream, mut peer) = miniss_tests::sockets::pair();
        let stream = Rc::new(stream);
        let watch = spawn({
            let stream = stream.clone();
            async move { stream.peer_closed().await }
        });
        peer.write_all(b"last words").unwrap();
        settle().await;
        reset_on_close(&peer);
        drop(peer);
        soon(watch).await.unwrap().unwrap();
        assert_eq!(soon(stream.read_exact([0; 10])).await.1, *b"last words");
        assert_eq!(errno(soon(stream.recv()).await), libc::ECONNRESET);
        soon(stream.peer_closed()).await.unwrap();
    });
}
