//! The two halves of a stream.

use std::io::{Read, Write};
use std::pin::pin;

use miniss_linux::spawn;

use super::{Kind, TOO_MUCH, narrow_pair, numbered, pair};
use crate::harness::{beside, errno, poll_once, settle, soon};

for_each_kind![
    halves_work_in_two_tasks,
    a_dropped_write_half_ends_sending_and_the_other_reads_on,
    a_forgotten_write_half_ends_nothing,
    a_dropped_read_half_lets_the_other_write_on,
    a_shutdown_by_the_write_half_ends_sending,
    halves_come_together_again_and_have_lost_nothing,
    halves_of_two_streams_do_not_come_together_and_go_on,
    of_a_write_of_the_half_that_was_given_up_as_much_went_out_as_it_says,
];

async fn halves_work_in_two_tasks<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let (reader, writer) = ours.into_split();
    let writes = spawn(async move { writer.write_all(numbered(1 << 20)).await.0 });
    let reads = spawn(async move {
        let (result, bytes) = reader.read_exact(vec![0; 5]).await;
        result.unwrap();
        bytes
    });
    let received = beside(move || {
        let mut received = Vec::new();
        peer.write_all(b"hello").unwrap();
        // The half that writes is dropped when all is sent, which ends the stream.
        peer.read_to_end(&mut received).unwrap();
        received
    });
    assert!(received.await == numbered(1 << 20));
    soon(writes).await.unwrap().unwrap();
    assert_eq!(soon(reads).await.unwrap(), b"hello");
}

async fn a_dropped_write_half_ends_sending_and_the_other_reads_on<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (reader, writer) = ours.into_split();
    drop(writer);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    peer.write_all(b"abc").unwrap();
    assert_eq!(soon(reader.read(vec![0; 8])).await.1, b"abc");
    assert!(poll_once(pin!(reader.recv())).is_pending());
    peer.write_all(b"def").unwrap();
    assert_eq!(soon(reader.recv()).await.unwrap()[..], *b"def");
}

async fn a_forgotten_write_half_ends_nothing<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (reader, writer) = ours.into_split();
    writer.forget();
    peer.write_all(b"abc").unwrap();
    assert_eq!(soon(reader.recv()).await.unwrap()[..], *b"abc");
    peer.set_nonblocking(true).unwrap();
    let error = peer.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    peer.set_nonblocking(false).unwrap();
    drop(reader);
    assert_eq!(beside(move || peer.read(&mut [0])).await.unwrap(), 0);
}

async fn a_dropped_read_half_lets_the_other_write_on<K: Kind>() {
    for by_recv in [false, true] {
        let (ours, mut peer) = pair::<K>();
        let (reader, writer) = ours.into_split();
        if by_recv {
            assert!(poll_once(pin!(reader.recv())).is_pending());
        } else {
            assert!(poll_once(pin!(reader.read(vec![0; 8]))).is_pending());
        }
        settle().await;
        drop(reader);
        peer.write_all(b"to no one").unwrap();
        soon(writer.write_all(numbered(10_000))).await.0.unwrap();
        let mut received = vec![0; 10_000];
        peer.read_exact(&mut received).unwrap();
        assert!(received == numbered(10_000));
    }
}

async fn a_shutdown_by_the_write_half_ends_sending<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (reader, writer) = ours.into_split();
    soon(writer.write_all("last")).await.0.unwrap();
    soon(writer.shutdown()).await.unwrap();
    let mut received = Vec::new();
    peer.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"last");
    assert_eq!(errno(soon(writer.write_all("more")).await.0), libc::EPIPE);
    drop(peer);
    assert!(soon(reader.recv()).await.unwrap().is_empty());
}

async fn halves_come_together_again_and_have_lost_nothing<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (reader, writer) = ours.into_split();
    assert!(poll_once(pin!(reader.recv())).is_pending());
    peer.write_all(b"abcdef").unwrap();
    assert_eq!(soon(reader.read([0; 2])).await.1, *b"ab");
    let ours = reader.reunite(writer).unwrap();
    assert_eq!(soon(ours.read([0; 2])).await.1, *b"cd");
    soon(ours.write_all("still open")).await.0.unwrap();
    peer.read_exact(&mut [0; 10]).unwrap();
    assert_eq!(soon(ours.recv()).await.unwrap()[..], *b"ef");
}

async fn halves_of_two_streams_do_not_come_together_and_go_on<K: Kind>() {
    let ((one, mut its_peer), (two, mut other_peer)) = (pair::<K>(), pair::<K>());
    let ((reader, rest), (other_reader, writer)) = (one.into_split(), two.into_split());
    let error = reader.reunite(writer).unwrap_err();
    let (reader, writer) = (error.0, error.1);
    its_peer.write_all(b"abc").unwrap();
    assert_eq!(soon(reader.read(vec![0; 8])).await.1, b"abc");
    soon(writer.write_all("def")).await.0.unwrap();
    other_peer.read_exact(&mut [0; 3]).unwrap();
    reader.reunite(rest).unwrap();
    other_reader.reunite(writer).unwrap();
}

async fn of_a_write_of_the_half_that_was_given_up_as_much_went_out_as_it_says<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let (reader, writer) = ours.into_split();
    {
        let mut write = pin!(writer.write_all(numbered(TOO_MUCH)));
        assert!(poll_once(write.as_mut()).is_pending());
        settle().await;
    }
    let went_out = soon(writer.cancelled_write_bytes()).await;
    drop((reader, writer));
    let received = beside(move || {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received
    });
    assert!(received.await == numbered(TOO_MUCH)[..went_out]);
    assert!(went_out > 0);
}
