//! Writes: how much they write, when they wait, and in which order they go out.

use std::cell::RefCell;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use miniss_linux::buf::IoBuf;
use miniss_linux::net::{Stream, ZERO_COPY_MIN};
use miniss_linux::{spawn, yield_now};

use super::{Kind, Peer, TOO_MUCH, narrow_pair, numbered, pair};
use crate::harness::{beside, poll_once, settle, soon};

for_each_kind![
    a_write_that_fits_is_done_at_once_and_arrives,
    writes_of_nothing_are_done_at_once,
    a_write_may_be_short_and_says_how_much_went_out,
    write_all_waits_for_a_reader_and_loses_nothing,
    a_write_that_waits_is_woken_by_a_read_of_the_peer,
    writes_that_were_started_together_go_out_one_after_the_other,
    a_write_of_a_part_of_a_buffer_sends_that_part,
    buffers_of_every_type_are_sent_as_they_are,
    received_buffers_are_sent_on_without_a_copy,
    a_write_and_a_read_of_one_stream_wait_at_the_same_time,
    both_ends_send_more_than_fits_and_none_waits_for_the_other,
    a_write_that_was_never_polled_sends_nothing,
    of_a_write_that_was_given_up_as_much_went_out_as_the_stream_says,
    a_write_that_gave_up_its_place_lets_the_next_one_go,
    a_large_buffer_comes_back_in_the_same_memory,
    a_write_without_a_copy_arrives_whole_whatever_its_size,
];

/// The next `len` bytes that the peer reads.
fn read(peer: &mut Peer, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    peer.read_exact(&mut bytes).unwrap();
    bytes
}

async fn a_write_that_fits_is_done_at_once_and_arrives<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (result, buffer) = soon(ours.write("hello")).await;
    assert_eq!((result.unwrap(), buffer), (5, "hello"));
    assert_eq!(read(&mut peer, 5), b"hello");
}

async fn writes_of_nothing_are_done_at_once<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let nothing = async || {
        assert_eq!(soon(ours.write("")).await.0.unwrap(), 0);
        assert_eq!(soon(ours.write(Vec::new())).await.0.unwrap(), 0);
        soon(ours.write_all("")).await.0.unwrap();
        assert_eq!(soon(ours.write_vectored(["", ""])).await.0.unwrap(), 0);
        assert_eq!(soon(ours.write_vectored(Vec::<&str>::new())).await.0.unwrap(), 0);
        soon(ours.write_vectored_all(["", ""])).await.0.unwrap();
    };
    nothing().await;
    // Also where a write of something has to wait.
    let mut stuck = pin!(ours.write_all(vec![1; TOO_MUCH]));
    assert!(poll_once(stuck.as_mut()).is_pending());
    settle().await;
    nothing().await;
    let reader = spawn(beside(move || read(&mut peer, TOO_MUCH).len()));
    soon(stuck).await.0.unwrap();
    assert_eq!(soon(reader).await.unwrap(), TOO_MUCH);
}

async fn a_write_may_be_short_and_says_how_much_went_out<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let sent = numbered(TOO_MUCH);
    let (result, buffer) = soon(ours.write(sent.clone())).await;
    let written = result.unwrap();
    assert!((1..TOO_MUCH).contains(&written), "{written}");
    assert!(buffer == sent, "it comes back as it was");
    assert!(read(&mut peer, written) == sent[..written]);
    // And not a byte more.
    soon(ours.write("!")).await.0.unwrap();
    assert_eq!(read(&mut peer, 1), b"!");
}

async fn write_all_waits_for_a_reader_and_loses_nothing<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let sent = numbered(TOO_MUCH);
    let len = sent.len();
    let writer = spawn(async move { ours.write_all(sent).await.0 });
    settle().await;
    assert!(!writer.is_finished(), "{len} bytes went nowhere");
    let received = beside(move || read(&mut peer, len)).await;
    soon(writer).await.unwrap().unwrap();
    assert!(received == numbered(len));
}

async fn a_write_that_waits_is_woken_by_a_read_of_the_peer<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    // Until it is full.
    loop {
        let mut write = pin!(ours.write(vec![0; 64 << 10]));
        if poll_once(write.as_mut()).is_ready() {
            continue;
        }
        settle().await;
        if poll_once(write.as_mut()).is_pending() {
            let reader = thread::spawn(move || {
                read(&mut peer, 100 << 10);
                peer
            });
            assert!(soon(write).await.0.unwrap() > 0);
            drop(reader.join().unwrap());
            return;
        }
    }
}

async fn writes_that_were_started_together_go_out_one_after_the_other<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let order = Rc::new(RefCell::new(Vec::new()));
    let ours = Rc::new(ours);
    let writes: Vec<_> = (0..10_u8)
        .map(|number| {
            let (ours, order) = (ours.clone(), order.clone());
            spawn(async move {
                order.borrow_mut().push(number);
                let bytes = vec![number; 50_000];
                match number % 3 {
                    0 => ours.write_all(bytes).await.0.unwrap(),
                    1 => ours.write_vectored_all([bytes]).await.0.unwrap(),
                    _ => {
                        let parts = [bytes[..1].to_vec(), bytes[1..].to_vec()];
                        ours.write_vectored_all(parts).await.0.unwrap();
                    }
                }
            })
        })
        .collect();
    let reader = spawn(beside(move || read(&mut peer, 500_000)));
    for write in writes {
        soon(write).await.unwrap();
    }
    let received = soon(reader).await.unwrap();
    let expected: Vec<_> = order.take().into_iter().flat_map(|number| [number; 50_000]).collect();
    assert!(received == expected, "they are mixed, or out of order");
}

async fn a_write_of_a_part_of_a_buffer_sends_that_part<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (result, slice) = soon(ours.write_all(b"0123456789".to_vec().slice(3..6))).await;
    result.unwrap();
    assert_eq!(slice.into_inner(), b"0123456789");
    assert_eq!(read(&mut peer, 3), b"345");
}

async fn buffers_of_every_type_are_sent_as_they_are<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    soon(ours.write_all("str ")).await.0.unwrap();
    soon(ours.write_all(String::from("String "))).await.0.unwrap();
    soon(ours.write_all(&b"bytes "[..])).await.0.unwrap();
    soon(ours.write_all(b"array ")).await.0.unwrap();
    soon(ours.write_all(*b"value ")).await.0.unwrap();
    soon(ours.write_all(b"vec ".to_vec())).await.0.unwrap();
    soon(ours.write_all(b"box ".to_vec().into_boxed_slice())).await.0.unwrap();
    soon(ours.write_all(Rc::<[u8]>::from(&b"rc "[..]))).await.0.unwrap();
    soon(ours.write_all(Arc::<[u8]>::from(&b"arc."[..]))).await.0.unwrap();
    let expected = b"str String bytes array value vec box rc arc.";
    assert_eq!(read(&mut peer, expected.len()), expected);
}

async fn received_buffers_are_sent_on_without_a_copy<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let echo = async {
        for _ in 0..10 {
            let bytes = soon(ours.recv()).await.unwrap();
            soon(ours.write_all(bytes)).await.0.unwrap();
        }
    };
    let client = spawn(beside(move || {
        for number in 0..10 {
            std::io::Write::write_all(&mut peer, &[number; 9]).unwrap();
            assert_eq!(read(&mut peer, 9), [number; 9]);
        }
    }));
    echo.await;
    soon(client).await.unwrap();
}

async fn a_write_and_a_read_of_one_stream_wait_at_the_same_time<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let ours = Rc::new(ours);
    let (for_reads, for_writes) = (ours.clone(), ours);
    let reader = spawn(async move { for_reads.read_exact(vec![0; 4]).await });
    let writer = spawn(async move { for_writes.write_all(numbered(1 << 20)).await.0 });
    settle().await;
    assert!(!reader.is_finished() && !writer.is_finished());
    let received = beside(move || {
        std::io::Write::write_all(&mut peer, b"ping").unwrap();
        read(&mut peer, 1 << 20)
    });
    assert!(received.await == numbered(1 << 20));
    soon(writer).await.unwrap().unwrap();
    let (result, bytes) = soon(reader).await.unwrap();
    result.unwrap();
    assert_eq!(bytes, b"ping");
}

async fn both_ends_send_more_than_fits_and_none_waits_for_the_other<K: Kind>() {
    let (one, peer) = narrow_pair::<K>();
    let ends = [one, Stream::<K>::from_std(OwnedFd::from(peer).into()).unwrap()];
    let tasks = ends.map(|end| {
        let end = Rc::new(end);
        let writes = end.clone();
        let writer = spawn(async move { writes.write_all(numbered(1 << 20)).await.0.unwrap() });
        let reader = spawn(async move {
            let (result, bytes) = end.read_exact(Vec::with_capacity(1 << 20)).await;
            result.unwrap();
            assert!(bytes[..1 << 20] == numbered(1 << 20));
        });
        [writer, reader]
    });
    for task in tasks.into_iter().flatten() {
        soon(task).await.unwrap();
    }
}

async fn a_write_that_was_never_polled_sends_nothing<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    drop(ours.write("never"));
    drop(ours.write_all("never"));
    drop(ours.write_vectored_all(["ne", "ver"]));
    yield_now().await;
    assert_eq!(soon(ours.cancelled_write_bytes()).await, 0);
    soon(ours.write_all("sent")).await.0.unwrap();
    assert_eq!(read(&mut peer, 4), b"sent");
}

async fn of_a_write_that_was_given_up_as_much_went_out_as_the_stream_says<K: Kind>() {
    for vectored in [false, true] {
        let (ours, mut peer) = narrow_pair::<K>();
        let sent = numbered(TOO_MUCH);
        if vectored {
            let parts = [sent[..7].to_vec(), sent[7..].to_vec()];
            let mut write = Box::pin(ours.write_vectored_all(parts));
            assert!(poll_once(write.as_mut()).is_pending());
            settle().await;
        } else {
            let mut write = Box::pin(ours.write_all(sent.clone()));
            assert!(poll_once(write.as_mut()).is_pending());
            settle().await;
        }
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let went_out = soon(ours.cancelled_write_bytes()).await;
        assert_eq!(soon(ours.cancelled_write_bytes()).await, 0, "it is told once");
        soon(ours.write_all("|behind")).await.0.unwrap();
        drop(ours);
        let received = beside(move || reader.join().unwrap()).await;
        let expected = [&sent[..went_out], b"|behind"].concat();
        assert!(went_out > 0, "nothing of it went out (vectored: {vectored})");
        assert!(received == expected, "{} bytes, {went_out} told", received.len());
    }
}

async fn a_write_that_gave_up_its_place_lets_the_next_one_go<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let sent = numbered(1 << 20);
    let mut first = pin!(ours.write_all(sent.clone()));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut third = {
        let mut second = Box::pin(ours.write_all("given up"));
        assert!(poll_once(second.as_mut()).is_pending());
        let mut third = Box::pin(ours.write_all("third"));
        assert!(poll_once(third.as_mut()).is_pending());
        third
    };
    let reader = spawn(beside(move || read(&mut peer, (1 << 20) + 5)));
    soon(first).await.0.unwrap();
    soon(third.as_mut()).await.0.unwrap();
    let received = soon(reader).await.unwrap();
    assert!(received[..1 << 20] == sent[..] && received[1 << 20..] == *b"third");
}

async fn a_large_buffer_comes_back_in_the_same_memory<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let sent = numbered(TOO_MUCH);
    let memory = sent.as_ptr();
    let reader = spawn(beside(move || read(&mut peer, TOO_MUCH)));
    let (result, sent) = soon(ours.write_all(sent)).await;
    result.unwrap();
    assert_eq!(sent.as_ptr(), memory);
    assert!(soon(reader).await.unwrap() == sent);
}

async fn a_write_without_a_copy_arrives_whole_whatever_its_size<K: Kind>() {
    // Below, at and above the size from which on nothing is copied where the driver can.
    for len in [0, 1, ZERO_COPY_MIN - 1, ZERO_COPY_MIN, TOO_MUCH] {
        let (stream, mut peer) = pair::<K>();
        let reader = spawn(beside(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).map(|_| all)
        }));
        let (result, back) = soon(stream.write_all_zero_copy(numbered(len))).await;
        result.unwrap();
        assert!(back == numbered(len));
        soon(stream.write_all("behind")).await.0.unwrap();
        drop(stream);
        let all = soon(reader).await.unwrap().unwrap();
        assert_eq!(all.len(), len + 6);
        assert!(all.starts_with(&numbered(len)) && all.ends_with(b"behind"));
    }
}
