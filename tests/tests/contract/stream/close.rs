//! Streams that end: closed, shut down, dropped, by us or by the peer.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::rc::Rc;

use miniss_linux::net::{Stream, is_cancelled, is_closed};
use miniss_linux::spawn;

use super::{Kind, Peer, TOO_MUCH, narrow_pair, numbered, pair};
use crate::harness::{beside, errno, poll_and_drop, poll_once, settle, soon};

for_each_kind![
    a_read_in_progress_at_a_close_is_cancelled,
    a_read_that_waits_in_a_task_is_woken_by_a_close,
    writes_in_progress_at_a_close_are_cancelled_those_that_wait_their_turn_too,
    everything_after_a_close_says_that_there_is_no_such_socket,
    a_second_close_has_nothing_to_do,
    a_close_that_is_given_up_closes_all_the_same,
    a_close_without_a_poll_is_no_close,
    what_was_written_before_a_close_arrives_and_then_the_end,
    what_was_written_before_a_drop_arrives_and_then_the_end,
    a_close_while_the_peer_does_not_read_does_not_wait_for_it,
    the_number_of_a_closed_descriptor_is_free_and_no_one_touches_its_next_owner,
    after_a_shutdown_of_sending_the_peer_reads_all_and_the_end_and_can_still_answer,
    writes_after_a_shutdown_of_sending_are_broken_pipes,
    a_write_in_progress_at_a_shutdown_of_sending_is_a_broken_pipe,
    a_shutdown_of_receiving_is_the_end_for_a_reader_that_waits,
    a_shutdown_of_both_ends_both,
    a_peer_that_has_ended_its_sending_can_still_be_written_to,
    writes_to_a_peer_that_has_gone_fail_and_go_on_failing,
    a_write_that_waits_ends_when_the_peer_goes,
    a_closed_stream_shows_itself_and_what_it_was_lent_answers_nothing,
];

/// An attempt to do something with a stream, by its name.
type Attempt<K> =
    (&'static str, fn(Rc<Stream<K>>) -> Pin<Box<dyn Future<Output = io::Result<()>>>>);

/// All that waits for the peer to send something.
fn reads<K: Kind>() -> [Attempt<K>; 5] {
    [
        ("read", |stream| Box::pin(async move { stream.read(vec![0; 8]).await.0.map(drop) })),
        ("recv", |stream| Box::pin(async move { stream.recv().await.map(drop) })),
        ("peek", |stream| Box::pin(async move { stream.peek(vec![0; 8]).await.0.map(drop) })),
        ("read_exact", |stream| Box::pin(async move { stream.read_exact(vec![0; 8]).await.0 })),
        ("read_vectored", |stream| {
            Box::pin(
                async move { stream.read_vectored([vec![0; 8], vec![0; 8]]).await.0.map(drop) },
            )
        }),
    ]
}

/// All that waits for the peer to read something, in the order in which it goes out.
fn writes<K: Kind>() -> [Attempt<K>; 4] {
    [
        ("write_all", |stream| {
            Box::pin(async move { stream.write_all(vec![1; TOO_MUCH]).await.0 })
        }),
        ("write", |stream| Box::pin(async move { stream.write(vec![1; 8]).await.0.map(drop) })),
        ("write_vectored_all", |stream| {
            Box::pin(async move { stream.write_vectored_all([vec![1; 8], vec![1; 8]]).await.0 })
        }),
        ("write_vectored", |stream| {
            Box::pin(async move { stream.write_vectored(["one", "two"]).await.0.map(drop) })
        }),
    ]
}

/// The end of what the peer reads, and what came before.
async fn rest(mut peer: Peer) -> (io::Result<()>, Vec<u8>) {
    beside(move || {
        let mut bytes = Vec::new();
        (peer.read_to_end(&mut bytes).map(drop), bytes)
    })
    .await
}

async fn a_read_in_progress_at_a_close_is_cancelled<K: Kind>() {
    for (name, read) in reads() {
        for settled in [false, true] {
            let (ours, peer) = pair::<K>();
            let ours = Rc::new(ours);
            let mut read = read(ours.clone());
            assert!(poll_once(read.as_mut()).is_pending());
            if settled {
                settle().await;
            }
            soon(ours.close()).await.unwrap();
            assert_eq!(errno(soon(read).await), libc::ECANCELED, "{name}");
            rest(peer).await.0.unwrap();
        }
    }
}

async fn a_read_that_waits_in_a_task_is_woken_by_a_close<K: Kind>() {
    for (name, read) in reads() {
        let (ours, _peer) = pair::<K>();
        let ours = Rc::new(ours);
        let reader = spawn(read(ours.clone()));
        settle().await;
        soon(ours.close()).await.unwrap();
        let error = soon(reader).await.unwrap().unwrap_err();
        assert!(is_cancelled(&error) && !is_closed(&error), "{name}: {error}");
    }
}

async fn writes_in_progress_at_a_close_are_cancelled_those_that_wait_their_turn_too<K: Kind>() {
    for settled in [false, true] {
        let (ours, peer) = narrow_pair::<K>();
        let ours = Rc::new(ours);
        let mut writes: Vec<_> =
            writes().into_iter().map(|(name, write)| (name, write(ours.clone()))).collect();
        for (name, write) in &mut writes {
            assert!(poll_once(write.as_mut()).is_pending(), "{name}");
        }
        if settled {
            settle().await;
        }
        soon(ours.close()).await.unwrap();
        for (name, write) in writes {
            assert_eq!(errno(soon(write).await), libc::ECANCELED, "{name}");
        }
        drop(rest(peer).await);
    }
}

async fn everything_after_a_close_says_that_there_is_no_such_socket<K: Kind>() {
    let (ours, _peer) = pair::<K>();
    let ours = Rc::new(ours);
    soon(ours.close()).await.unwrap();
    for (name, attempt) in reads().into_iter().chain(writes()) {
        assert_eq!(errno(soon(attempt(ours.clone())).await), libc::EBADF, "{name}");
    }
    for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
        assert_eq!(errno(soon(ours.shutdown(how)).await), libc::EBADF);
    }
    assert_eq!(errno(ours.local_addr()), libc::EBADF);
    assert_eq!(errno(ours.peer_addr()), libc::EBADF);
    assert!(is_closed(&soon(ours.recv()).await.unwrap_err()));
}

async fn a_second_close_has_nothing_to_do<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut first = pin!(ours.close());
    let polled = poll_once(first.as_mut());
    soon(ours.close()).await.unwrap();
    if polled.is_pending() {
        soon(first).await.unwrap();
    }
    soon(ours.close()).await.unwrap();
    rest(peer).await.0.unwrap();
}

async fn a_close_that_is_given_up_closes_all_the_same<K: Kind>() {
    for (name, read) in reads() {
        let (ours, peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut read = read(ours.clone());
        assert!(poll_once(read.as_mut()).is_pending());
        let _ = poll_and_drop(ours.close());
        assert_eq!(errno(soon(read).await), libc::ECANCELED, "{name}");
        rest(peer).await.0.unwrap();
    }
}

async fn a_close_without_a_poll_is_no_close<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    drop(ours.close());
    soon(ours.write_all("open")).await.0.unwrap();
    let mut received = [0; 4];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"open");
}

async fn what_was_written_before_a_close_arrives_and_then_the_end<K: Kind>() {
    let (ours, peer) = pair::<K>();
    soon(ours.write_all("last words")).await.0.unwrap();
    soon(ours.close()).await.unwrap();
    let (end, bytes) = rest(peer).await;
    end.unwrap();
    assert_eq!(bytes, b"last words");
}

async fn what_was_written_before_a_drop_arrives_and_then_the_end<K: Kind>() {
    let (ours, peer) = pair::<K>();
    soon(ours.write_all(numbered(100_000))).await.0.unwrap();
    drop(ours);
    let (end, bytes) = rest(peer).await;
    end.unwrap();
    assert!(bytes == numbered(100_000));
}

async fn a_close_while_the_peer_does_not_read_does_not_wait_for_it<K: Kind>() {
    let (ours, peer) = narrow_pair::<K>();
    let ours = Rc::new(ours);
    let writes = ours.clone();
    let writer = spawn(async move { writes.write_all(numbered(TOO_MUCH)).await.0 });
    settle().await;
    soon(ours.close()).await.unwrap();
    assert_eq!(errno(soon(writer).await.unwrap()), libc::ECANCELED);
    let (end, bytes) = rest(peer).await;
    end.unwrap();
    assert!(bytes == numbered(TOO_MUCH)[..bytes.len()], "{} bytes", bytes.len());
}

async fn the_number_of_a_closed_descriptor_is_free_and_no_one_touches_its_next_owner<K: Kind>() {
    for (name, read) in reads() {
        let (ours, peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut reading = read(ours.clone());
        assert!(poll_once(reading.as_mut()).is_pending());
        soon(ours.close()).await.unwrap();
        // The two ends of this, or one of them, have the number now.
        let (next, mut its_peer) = pair::<K>();
        its_peer.write_all(b"abc").unwrap();
        assert_eq!(errno(soon(reading).await), libc::ECANCELED, "{name}");
        assert_eq!(errno(soon(read(ours.clone())).await), libc::EBADF, "{name}");
        drop(ours);
        assert_eq!(soon(next.read(vec![0; 8])).await.1, b"abc", "{name}");
        soon(next.write_all("def")).await.0.unwrap();
        its_peer.read_exact(&mut [0; 3]).unwrap();
        drop(peer);
    }
}

async fn after_a_shutdown_of_sending_the_peer_reads_all_and_the_end_and_can_still_answer<
    K: Kind,
>() {
    let (ours, mut peer) = pair::<K>();
    soon(ours.write_all("question")).await.0.unwrap();
    soon(ours.shutdown(Shutdown::Write)).await.unwrap();
    let mut question = Vec::new();
    peer.read_to_end(&mut question).unwrap();
    assert_eq!(question, b"question");
    peer.write_all(b"answer").unwrap();
    assert_eq!(soon(ours.read(vec![0; 8])).await.1, b"answer");
    drop(peer);
    assert!(soon(ours.recv()).await.unwrap().is_empty());
}

async fn writes_after_a_shutdown_of_sending_are_broken_pipes<K: Kind>() {
    let (ours, _peer) = pair::<K>();
    let ours = Rc::new(ours);
    soon(ours.shutdown(Shutdown::Write)).await.unwrap();
    for _ in 0..2 {
        for (name, write) in writes() {
            assert_eq!(errno(soon(write(ours.clone())).await), libc::EPIPE, "{name}");
        }
    }
}

async fn a_write_in_progress_at_a_shutdown_of_sending_is_a_broken_pipe<K: Kind>() {
    let (ours, peer) = narrow_pair::<K>();
    let ours = Rc::new(ours);
    let writes = ours.clone();
    let writer = spawn(async move { writes.write_all(numbered(TOO_MUCH)).await.0 });
    settle().await;
    soon(ours.shutdown(Shutdown::Write)).await.unwrap();
    assert_eq!(errno(soon(writer).await.unwrap()), libc::EPIPE);
    let (end, bytes) = rest(peer).await;
    end.unwrap();
    assert!(bytes == numbered(TOO_MUCH)[..bytes.len()], "{} bytes", bytes.len());
}

async fn a_shutdown_of_receiving_is_the_end_for_a_reader_that_waits<K: Kind>() {
    for (name, read) in reads() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut read = read(ours.clone());
        assert!(poll_once(read.as_mut()).is_pending());
        settle().await;
        soon(ours.shutdown(Shutdown::Read)).await.unwrap();
        match soon(read).await {
            Ok(()) => assert_ne!(name, "read_exact"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name}"),
        }
        assert_eq!(soon(ours.read([0; 8])).await.0.unwrap(), 0);
        soon(ours.write_all("x")).await.0.unwrap();
        peer.read_exact(&mut [0]).unwrap();
    }
}

async fn a_shutdown_of_both_ends_both<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut read = pin!(ours.recv());
    assert!(poll_once(read.as_mut()).is_pending());
    soon(ours.shutdown(Shutdown::Both)).await.unwrap();
    assert!(soon(read).await.unwrap().is_empty());
    assert_eq!(errno(soon(ours.write_all("x")).await.0), libc::EPIPE);
    rest(peer).await.0.unwrap();
}

async fn a_peer_that_has_ended_its_sending_can_still_be_written_to<K: Kind>() {
    let (ours, peer) = pair::<K>();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(soon(ours.read([0; 8])).await.0.unwrap(), 0);
    let writer = spawn(async move { ours.write_all(numbered(TOO_MUCH)).await.0 });
    let (end, bytes) = rest(peer).await;
    end.unwrap();
    soon(writer).await.unwrap().unwrap();
    assert!(bytes == numbered(TOO_MUCH));
}

async fn writes_to_a_peer_that_has_gone_fail_and_go_on_failing<K: Kind>() {
    let (ours, peer) = pair::<K>();
    drop(peer);
    // The peer's system answers the first with a reset.
    while soon(ours.write_all("x")).await.0.is_ok() {
        settle().await;
    }
    for _ in 0..2 {
        let error = soon(ours.write_all("x")).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = soon(ours.write_vectored_all(["x"])).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}

async fn a_write_that_waits_ends_when_the_peer_goes<K: Kind>() {
    let (ours, peer) = narrow_pair::<K>();
    let writer = spawn(async move { ours.write_all(numbered(TOO_MUCH)).await.0 });
    settle().await;
    // It has not read everything: that is a reset.
    drop(peer);
    let errno = errno(soon(writer).await.unwrap());
    assert!([libc::EPIPE, libc::ECONNRESET].contains(&errno), "{errno}");
}

async fn a_closed_stream_shows_itself_and_what_it_was_lent_answers_nothing<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let lent = ours.as_fd();
    soon(ours.close()).await.unwrap();
    assert_eq!(errno(socket2::SockRef::from(&lent).r#type()), libc::EBADF);
    assert!(format!("{ours:?}").contains("Stream"));
    rest(peer).await.0.unwrap();
}
