//! Writes that are given up: what went out of them stands before all later bytes, and is counted.

use super::*;
use std::pin::Pin;
use std::rc::Rc;
use std::thread::JoinHandle;

/// More than fits on the way to a peer that does not read.
const TOO_MUCH: usize = 16 << 20;
const LATER: usize = 1 << 20;
/// A ring that is soon full.
const ENTRIES: u32 = 8;

type Write = fn(&TcpStream, Vec<u8>) -> Pin<Box<dyn Future<Output = ()> + '_>>;

/// Every way to write all there is.
const WRITES: [Write; 3] = [
    |stream, bytes| Box::pin(async move { stream.write_all(bytes).await.0.unwrap() }),
    |stream, bytes| {
        let half = bytes.len() / 2;
        let halves = [bytes[half..].to_vec(), bytes[..half].to_vec()];
        Box::pin(async move { stream.write_vectored_all(halves).await.0.unwrap() })
    },
    |stream, mut bytes| {
        Box::pin(async move {
            while !bytes.is_empty() {
                let (result, back) = stream.write(bytes).await;
                bytes = back;
                bytes.drain(..result.unwrap());
            }
        })
    },
];

/// Reads to the end, on a thread of its own.
fn collect(mut peer: std::net::TcpStream) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    })
}

/// How many `A` there are, behind which there are `B` alone.
fn count_before_all_else(all: &[u8]) -> usize {
    let given_up = all.iter().position(|&byte| byte == b'B').unwrap_or(all.len());
    assert!(all[..given_up].iter().all(|&byte| byte == b'A'));
    let behind = all[given_up..].iter().filter(|&&byte| byte != b'B').count();
    assert_eq!(behind, 0, "bytes of a write that was given up go out behind later ones");
    given_up
}

#[test]
fn nothing_of_a_write_that_was_given_up_goes_out_behind_a_later_one() {
    let runtime = builder().ring_entries(ENTRIES).build().unwrap();
    for write in WRITES {
        for _ in 0..5 {
            runtime.block_on(async {
                let (stream, peer) = pair();
                let all = collect(peer);
                let given_up = timeout(A_FEW, write(&stream, vec![b'A'; TOO_MUCH])).await;
                // In the same turn, so many others begin that the cancel finds the ring full.
                let others: Vec<_> = (0..ENTRIES - 1).map(|_| pair()).collect();
                let mut reads: Vec<_> = others.iter().map(|(s, _)| Box::pin(s.recv())).collect();
                reads.iter_mut().for_each(|read| poll_once(read.as_mut()));
                patiently(write(&stream, vec![b'B'; LATER])).await;
                let went_out = patiently(stream.cancelled_write_bytes()).await;
                assert_eq!(patiently(stream.cancelled_write_bytes()).await, 0, "it was told");
                drop(stream);
                let all = all.join().unwrap();
                let counted = count_before_all_else(&all);
                assert_eq!(all.len(), counted + LATER);
                assert!(given_up.is_ok() || went_out <= counted);
            });
        }
    }
}

#[test]
fn a_write_that_was_given_up_says_how_much_of_it_went_out() {
    builder().build().unwrap().block_on(async {
        for (form, by_vectored) in [(WRITES[0], false), (WRITES[1], true)] {
            let (stream, peer) = pair();
            assert!(timeout(A_WHILE, form(&stream, vec![b'A'; TOO_MUCH])).await.is_err());
            assert!(timeout(A_WHILE, form(&stream, vec![b'A'; TOO_MUCH])).await.is_err());
            let went_out = patiently(stream.cancelled_write_bytes()).await;
            stream.shutdown(Shutdown::Write).await.unwrap();
            let all = patiently(joined(collect(peer))).await;
            assert!(went_out > 0 && went_out < TOO_MUCH);
            assert_eq!(count_before_all_else(&all), went_out, "vectored: {by_vectored}");
        }
    });
}

#[test]
fn a_shutdown_behind_a_write_that_was_given_up_ends_the_stream_there() {
    builder().build().unwrap().block_on(async {
        let (stream, peer) = pair();
        let (_reader, writer) = stream.into_split();
        let write = writer.write_all(vec![b'A'; TOO_MUCH]);
        assert!(timeout(A_WHILE, write).await.is_err());
        writer.shutdown().await.unwrap();
        let all = collect(peer);
        let went_out = patiently(writer.cancelled_write_bytes()).await;
        assert_eq!(count_before_all_else(&patiently(joined(all)).await), went_out);
    });
}

#[test]
fn a_write_that_was_given_up_before_its_turn_leaves_no_trace() {
    builder().build().unwrap().block_on(async {
        let (stream, peer) = pair();
        let stream = Rc::new(stream);
        let first = stream.clone();
        let first = spawn_begun(async move { first.write_all(vec![b'A'; TOO_MUCH]).await.0 });
        sleep(A_WHILE).await;
        {
            let mut second = pin!(stream.write_all("C"));
            let mut third = pin!(stream.write_vectored_all(["C", "C"]));
            poll_once(second.as_mut());
            poll_once(third.as_mut());
        }
        let all = collect(peer);
        patiently(stream.write_all("B")).await.0.unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(stream.cancelled_write_bytes().await, 0);
        drop(stream);
        let all = patiently(joined(all)).await;
        assert_eq!((count_before_all_else(&all), all.len()), (TOO_MUCH, TOO_MUCH + 1));
    });
}

/// What a thread has come to, without blocking the shard.
async fn joined<T>(thread: JoinHandle<T>) -> T {
    while !thread.is_finished() {
        sleep(Duration::from_millis(1)).await;
    }
    thread.join().unwrap()
}
