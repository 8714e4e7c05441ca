//! Reads and writes of several buffers at once.

use std::io::{Read, Write};
use std::pin::pin;

use miniss_linux::spawn;

use super::{Kind, TOO_MUCH, narrow_pair, numbered, pair};
use crate::harness::{beside, poll_once, settle, soon};

for_each_kind![
    a_vectored_read_fills_one_buffer_after_the_other,
    a_vectored_read_makes_each_vec_as_long_as_what_it_got,
    a_vectored_read_passes_over_buffers_without_room,
    a_vectored_read_waits_and_is_woken,
    a_vectored_read_takes_what_an_earlier_recv_has_left,
    a_vectored_read_into_very_many_buffers_loses_nothing,
    a_vectored_write_sends_one_buffer_after_the_other,
    a_vectored_write_of_very_many_buffers_sends_them_all,
    a_vectored_write_of_all_goes_on_in_the_middle_of_a_buffer,
];

/// More buffers than the kernel takes in one call.
const MANY: usize = 3000;

async fn a_vectored_read_fills_one_buffer_after_the_other<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"abcdefg").unwrap();
    let (result, buffers) = soon(ours.read_vectored([[0; 3], [0; 3], [0; 3]])).await;
    assert_eq!(result.unwrap(), 7);
    assert_eq!(buffers, [*b"abc", *b"def", *b"g\0\0"]);
}

async fn a_vectored_read_makes_each_vec_as_long_as_what_it_got<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"abcde").unwrap();
    let buffers = vec![Vec::with_capacity(3), vec![9; 3], vec![9; 3]];
    let exact = buffers.iter().all(|buffer: &Vec<u8>| buffer.capacity() == 3);
    let (result, buffers) = soon(ours.read_vectored(buffers)).await;
    assert_eq!(result.unwrap(), 5);
    assert!(exact && buffers == [&b"abc"[..], b"de", b""], "{buffers:?}");
}

async fn a_vectored_read_passes_over_buffers_without_room<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let no_room = || soon(ours.read_vectored([Vec::new(), Vec::new()]));
    assert_eq!(no_room().await.0.unwrap(), 0, "nothing is there");
    peer.write_all(b"abcd").unwrap();
    assert_eq!(no_room().await.0.unwrap(), 0);
    let none = soon(ours.read_vectored(Vec::<Vec<u8>>::new())).await;
    assert_eq!(none.0.unwrap(), 0);
    let buffers = [Vec::new(), Vec::with_capacity(2), Vec::new(), Vec::with_capacity(9)];
    let (result, buffers) = soon(ours.read_vectored(buffers)).await;
    assert_eq!(result.unwrap(), 4);
    assert_eq!(buffers, [&b""[..], b"ab", b"", b"cd"]);
}

async fn a_vectored_read_waits_and_is_woken<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let mut read = pin!(ours.read_vectored([[0; 1], [0; 1]]));
    assert!(poll_once(read.as_mut()).is_pending());
    settle().await;
    peer.write_all(b"ab").unwrap();
    let (result, buffers) = soon(read).await;
    assert_eq!((result.unwrap(), buffers), (2, [*b"a", *b"b"]));
}

async fn a_vectored_read_takes_what_an_earlier_recv_has_left<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    assert!(poll_once(pin!(ours.recv())).is_pending());
    peer.write_all(b"abcdef").unwrap();
    assert_eq!(soon(ours.read([0; 1])).await.1, *b"a");
    let (result, buffers) = soon(ours.read_vectored([[0; 2], [0; 2]])).await;
    assert_eq!((result.unwrap(), buffers), (4, [*b"bc", *b"de"]));
    assert_eq!(soon(ours.recv()).await.unwrap()[..], *b"f");
}

async fn a_vectored_read_into_very_many_buffers_loses_nothing<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let sent = numbered(MANY);
    peer.write_all(&sent).unwrap();
    let mut received: Vec<u8> = Vec::new();
    while received.len() < MANY {
        let (result, buffers) = soon(ours.read_vectored(vec![[0_u8; 1]; MANY])).await;
        let len = result.unwrap();
        received.extend(buffers[..len].iter().flatten());
    }
    assert!(received == sent);
}

async fn a_vectored_write_sends_one_buffer_after_the_other<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let (result, buffers) = soon(ours.write_vectored(["head", "", "body"])).await;
    assert_eq!((result.unwrap(), buffers), (8, ["head", "", "body"]));
    let parts = (String::from("tu"), b"p".to_vec(), "le");
    soon(ours.write_vectored_all(parts)).await.0.unwrap();
    let mut received = [0; 13];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"headbodytuple");
}

async fn a_vectored_write_of_very_many_buffers_sends_them_all<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let sent = numbered(MANY);
    let parts: Vec<_> = sent.iter().map(|&byte| [byte]).collect();
    let reader = spawn(beside(move || {
        let mut received = vec![0; MANY];
        peer.read_exact(&mut received).unwrap();
        received
    }));
    soon(ours.write_vectored_all(parts)).await.0.unwrap();
    assert!(soon(reader).await.unwrap() == sent);
}

async fn a_vectored_write_of_all_goes_on_in_the_middle_of_a_buffer<K: Kind>() {
    let (ours, mut peer) = narrow_pair::<K>();
    let sent = numbered(TOO_MUCH);
    // Lengths of which no sum is a round number.
    let parts: Vec<_> = sent.chunks(9973).map(<[u8]>::to_vec).collect();
    let len = sent.len();
    let writer = spawn(async move { ours.write_vectored_all(parts).await.0 });
    settle().await;
    assert!(!writer.is_finished(), "{len} bytes went nowhere");
    let received = beside(move || {
        let mut received = vec![0; len];
        peer.read_exact(&mut received).unwrap();
        received
    });
    assert!(received.await == sent);
    soon(writer).await.unwrap().unwrap();
}
