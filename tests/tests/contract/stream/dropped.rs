//! Reads that are dropped at each moment of their life: no byte is lost, none comes twice.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::net::Stream;
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{spawn, yield_now};
use miniss_tests::deadline::SOON;
use miniss_tests::random::Random;

use super::{Kind, numbered, pair};
use crate::harness::{poll_once, settle, soon};

for_each_kind![
    a_read_dropped_before_it_began_takes_nothing,
    a_read_dropped_before_the_kernel_knows_of_it_takes_nothing,
    a_read_dropped_while_it_waits_takes_nothing,
    a_read_dropped_between_its_bytes_and_its_wake_takes_nothing,
    a_read_dropped_when_it_is_done_and_no_one_has_looked_takes_nothing,
    the_end_of_a_stream_is_not_lost_with_a_read_that_was_dropped,
    a_read_begun_at_once_after_one_that_was_dropped_gets_the_bytes,
    reads_dropped_at_random_moments_lose_no_byte,
    a_stream_dropped_with_its_reads_and_writes_in_the_air_closes,
];

/// A way to read some bytes.
type Read<K> = fn(Rc<Stream<K>>) -> Pin<Box<dyn Future<Output = Vec<u8>>>>;

fn by_read<K: Kind>(stream: Rc<Stream<K>>) -> Pin<Box<dyn Future<Output = Vec<u8>>>> {
    Box::pin(async move {
        let (result, mut bytes) = stream.read(Vec::with_capacity(64)).await;
        bytes.truncate(result.unwrap());
        bytes
    })
}

fn by_recv<K: Kind>(stream: Rc<Stream<K>>) -> Pin<Box<dyn Future<Output = Vec<u8>>>> {
    Box::pin(async move { stream.recv().await.unwrap().to_vec() })
}

fn by_read_vectored<K: Kind>(stream: Rc<Stream<K>>) -> Pin<Box<dyn Future<Output = Vec<u8>>>> {
    Box::pin(async move {
        let buffers = [Vec::with_capacity(1), Vec::with_capacity(63)];
        let (result, [first, second]) = stream.read_vectored(buffers).await;
        let mut bytes = [first, second].concat();
        bytes.truncate(result.unwrap());
        bytes
    })
}

/// A look ahead, and then the read of what was seen.
fn by_peek<K: Kind>(stream: Rc<Stream<K>>) -> Pin<Box<dyn Future<Output = Vec<u8>>>> {
    Box::pin(async move {
        let (result, _) = stream.peek([0; 3]).await;
        let room = result.unwrap().max(1);
        let (result, mut bytes) = stream.read(Vec::with_capacity(room)).await;
        bytes.truncate(result.unwrap());
        bytes
    })
}

fn ways<K: Kind>() -> [(&'static str, Read<K>); 4] {
    [("read", by_read), ("recv", by_recv), ("read_vectored", by_read_vectored), ("peek", by_peek)]
}

/// What the next reads give, by whichever way, up to `len` bytes.
async fn take<K: Kind>(stream: &Rc<Stream<K>>, len: usize) -> Vec<u8> {
    let mut received = Vec::new();
    for (_, read) in ways().iter().cycle() {
        if received.len() >= len {
            break;
        }
        let bytes = timeout(SOON, read(stream.clone())).await.expect("the bytes are there");
        assert!(!bytes.is_empty(), "the stream has not ended");
        received.extend_from_slice(&bytes);
    }
    received
}

async fn a_read_dropped_before_it_began_takes_nothing<K: Kind>() {
    for (name, read) in ways() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        drop(read(ours.clone()));
        peer.write_all(b"abc").unwrap();
        drop(read(ours.clone()));
        assert_eq!(take(&ours, 3).await, b"abc", "{name}");
    }
}

async fn a_read_dropped_before_the_kernel_knows_of_it_takes_nothing<K: Kind>() {
    for (name, read) in ways() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut dropped = read(ours.clone());
        assert!(poll_once(dropped.as_mut()).is_pending());
        drop(dropped);
        peer.write_all(b"abc").unwrap();
        assert_eq!(take(&ours, 3).await, b"abc", "{name}");
    }
}

async fn a_read_dropped_while_it_waits_takes_nothing<K: Kind>() {
    for (name, read) in ways() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut dropped = read(ours.clone());
        assert!(poll_once(dropped.as_mut()).is_pending());
        settle().await;
        drop(dropped);
        peer.write_all(b"abc").unwrap();
        assert_eq!(take(&ours, 3).await, b"abc", "{name}");
    }
}

async fn a_read_dropped_between_its_bytes_and_its_wake_takes_nothing<K: Kind>() {
    for (name, read) in ways() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut dropped = read(ours.clone());
        assert!(poll_once(dropped.as_mut()).is_pending());
        settle().await;
        peer.write_all(b"abc").unwrap();
        drop(dropped);
        assert_eq!(take(&ours, 3).await, b"abc", "{name}");
    }
}

async fn a_read_dropped_when_it_is_done_and_no_one_has_looked_takes_nothing<K: Kind>() {
    for (name, read) in ways() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut dropped = read(ours.clone());
        assert!(poll_once(dropped.as_mut()).is_pending());
        settle().await;
        peer.write_all(b"abc").unwrap();
        settle().await;
        drop(dropped);
        peer.write_all(b"def").unwrap();
        assert_eq!(take(&ours, 6).await, b"abcdef", "{name}");
    }
}

async fn the_end_of_a_stream_is_not_lost_with_a_read_that_was_dropped<K: Kind>() {
    for (name, read) in ways() {
        let (ours, peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut dropped = read(ours.clone());
        assert!(poll_once(dropped.as_mut()).is_pending());
        settle().await;
        drop(peer);
        settle().await;
        drop(dropped);
        for (_, next) in ways() {
            assert!(soon(next(ours.clone())).await.is_empty(), "{name}");
        }
    }
}

async fn a_read_begun_at_once_after_one_that_was_dropped_gets_the_bytes<K: Kind>() {
    for (name, read) in ways() {
        for (next_name, next) in ways() {
            let (ours, mut peer) = pair::<K>();
            let ours = Rc::new(ours);
            let mut dropped = read(ours.clone());
            assert!(poll_once(dropped.as_mut()).is_pending());
            settle().await;
            drop(dropped);
            let waits = spawn(next(ours.clone()));
            yield_now().await;
            peer.write_all(b"abc").unwrap();
            let bytes = soon(waits).await.unwrap();
            assert_eq!(bytes, b"abc", "{name}, then {next_name}");
        }
    }
}

async fn reads_dropped_at_random_moments_lose_no_byte<K: Kind>() {
    let mut random = Random::new();
    let (ours, mut peer) = pair::<K>();
    let ours = Rc::new(ours);
    let sent = numbered(30_000);
    let (rest, mut pieces) = (sent.clone(), random.clone());
    let sender = thread::spawn(move || {
        let mut rest = &rest[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(1 + pieces.below(99) as usize));
            peer.write_all(now).unwrap();
            rest = later;
            if pieces.below(4) == 0 {
                thread::sleep(Duration::from_micros(pieces.below(100)));
            }
        }
    });
    let (mut received, mut dropped) = (Vec::new(), 0);
    loop {
        let (_, read) = ways()[random.below(4) as usize];
        let mut read = read(ours.clone());
        if random.below(2) == 0 {
            for _ in 0..random.below(3) {
                if let std::task::Poll::Ready(bytes) = poll_once(read.as_mut()) {
                    received.extend_from_slice(&bytes);
                    break;
                }
                if random.below(2) == 0 {
                    yield_now().await;
                } else {
                    sleep(Duration::from_micros(random.below(50))).await;
                }
            }
            dropped += 1;
            continue;
        }
        match soon(read).await {
            bytes if bytes.is_empty() => break,
            bytes => received.extend_from_slice(&bytes),
        }
    }
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    assert!(dropped > 0);
    sender.join().unwrap();
}

async fn a_stream_dropped_with_its_reads_and_writes_in_the_air_closes<K: Kind>() {
    for (name, read) in ways() {
        let (ours, mut peer) = pair::<K>();
        let ours = Rc::new(ours);
        let mut reading = read(ours.clone());
        assert!(poll_once(reading.as_mut()).is_pending());
        settle().await;
        drop(reading);
        drop(ours);
        // A blocking read, on a thread of its own: the close may need the shard.
        let end = crate::harness::beside(move || std::io::Read::read(&mut peer, &mut [0]));
        assert_eq!(end.await.unwrap(), 0, "{name}");
    }
}
