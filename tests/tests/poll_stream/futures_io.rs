//! What `futures` does with its traits.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io::{IoSlice, IoSliceMut};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_buf,
};
use futures::{FutureExt, StreamExt, TryStreamExt};
use miniss_linux::{Runtime, spawn, stats, yield_now};
use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;
use miniss_tests::sockets;

use super::{both_ends, exchange, on_one_shard, pair, poll_once};

#[test]
fn an_echo_gives_back_what_was_sent() {
    let _deadline = deadline("echo by futures");
    let bytes = Random::new().bytes(1 << 20);
    on_one_shard(async {
        let (ours, peer) = pair();
        let back = exchange(peer, bytes.clone());
        let (reader, mut writer) = ours.split();
        assert_eq!(copy(reader, &mut writer).await.unwrap(), bytes.len() as u64);
        writer.close().await.unwrap();
        assert!(back.join().unwrap() == bytes);

        let (ours, peer) = pair();
        let back = exchange(peer, bytes.clone());
        assert_eq!(copy_buf(ours, &mut futures::io::sink()).await.unwrap(), bytes.len() as u64);
        assert!(back.join().unwrap().is_empty());
    });
}

#[test]
fn where_no_buffer_of_the_pool_is_free_messages_get_memory_of_their_own() {
    let _deadline = deadline("no buffer");
    let bytes = Random::new().bytes(1 << 16);
    let runtime = Runtime::builder().shards(1).recv_buffers(1, 512).build().unwrap();
    runtime.block_on(async {
        let (holder, client) = sockets::both_ends().await.unwrap();
        client.write_all("held").await.0.unwrap();
        let held = holder.recv().await.unwrap();
        let (mut ours, peer) = pair();
        let sending = exchange(peer, bytes.clone());
        let mut received = Vec::new();
        loop {
            // Lent or copied, and lent in vain now and then.
            let _ = poll_once(pin!(ours.fill_buf()));
            let lent = ours.fill_buf().await.unwrap();
            if lent.is_empty() {
                break;
            }
            let len = lent.len().div_ceil(2);
            received.extend_from_slice(&lent[..len]);
            ours.consume_unpin(len);
            let mut buffer = [0; 700];
            let len = ours.read(&mut buffer).await.unwrap();
            received.extend_from_slice(&buffer[..len]);
        }
        assert!(received == bytes);
        drop(ours);
        sending.join().unwrap();
        assert_eq!(held[..], *b"held");
    });
}

#[test]
fn bytes_can_be_read_one_by_one_and_others_have_their_turns_meanwhile() {
    let _deadline = deadline("one by one");
    let bytes = Random::new().bytes(5000);
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        client.write_all(&bytes).await.unwrap();
        let polls = stats().polls;
        for expected in &bytes {
            let mut byte = [0];
            server.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte[0], *expected);
        }
        assert!(stats().polls - polls > 5000 / 128 / 2, "it never gave way");

        client.close().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "the end stays");
    });
}

#[test]
fn a_reader_of_lines_lends_what_was_received() {
    let _deadline = deadline("lines");
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        client.write_all(b"one\ntwo\r\n\nlast").await.unwrap();
        client.close().await.unwrap();

        let seen = server.fill_buf().await.unwrap().to_vec();
        assert_eq!(server.fill_buf().await.unwrap(), seen, "it takes nothing");
        server.consume_unpin(1);
        let mut start = [0; 2];
        server.read_exact(&mut start).await.unwrap();
        assert_eq!(start, *b"ne");
        let lines: Vec<String> = server.lines().try_collect().await.unwrap();
        assert_eq!(lines, ["", "two", "", "last"]);
    });
}

#[test]
fn several_buffers_are_filled_and_sent_front_to_back() {
    let _deadline = deadline("vectored");
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        let pieces: Vec<IoSlice<'_>> =
            ["", "abc", "", "defg"].map(|piece| IoSlice::new(piece.as_bytes())).into();
        assert_eq!(client.write_vectored(&pieces).await.unwrap(), 7);
        let many = vec![IoSlice::new(b"x"); 3000];
        let mut sent = 0;
        while sent < 3000 {
            sent += client.write_vectored(&many[sent..]).await.unwrap();
        }

        // Into the first one that has room.
        let mut first = [0; 7];
        let none = &mut [IoSliceMut::new(&mut [])];
        assert_eq!(server.read_vectored(none).now_or_never().unwrap().unwrap(), 0);
        let mut buffers = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut first)];
        assert_eq!(server.read_vectored(&mut buffers).await.unwrap(), 7);
        assert_eq!(first, *b"abcdefg");
        let mut rest = [0; 3000];
        server.read_exact(&mut rest).await.unwrap();
        assert_eq!(rest, [b'x'; 3000]);

        // A read with no room does not wait, nor does an empty write.
        assert_eq!(server.read(&mut []).now_or_never().unwrap().unwrap(), 0);
        assert_eq!(server.write(&[]).now_or_never().unwrap().unwrap(), 0);
        client.close().await.unwrap();
    });
}

#[test]
fn a_writer_waits_for_a_slow_reader_and_can_be_given_up_at_any_time() {
    let _deadline = deadline("slow reader");
    let mut random = Random::new();
    let bytes = random.bytes(8 << 20);
    on_one_shard(async {
        let (mut ours, peer) = pair();
        let received = exchange(peer, Vec::new());
        let (mut sent, mut waits) = (0, 0);
        while sent < bytes.len() {
            let len = 1 + random.below(1 << 18) as usize;
            let piece = &bytes[sent..bytes.len().min(sent + len)];
            let mut write = ours.write(piece);
            match poll_fn(|cx| Poll::Ready(write.poll_unpin(cx))).await {
                Poll::Ready(result) => sent += result.unwrap(),
                Poll::Pending if random.below(2) == 0 => {
                    waits += 1;
                    yield_now().await;
                }
                Poll::Pending => sent += write.await.unwrap(),
            }
        }
        println!("given up {waits} times");
        ours.close().await.unwrap();
        assert!(received.join().unwrap() == bytes);
    });
}

#[test]
fn reads_can_be_given_up_at_any_time() {
    let _deadline = deadline("reads given up");
    let mut random = Random::new();
    let bytes = random.bytes(1 << 18);
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        let sent = bytes.clone();
        let seed = random.number();
        let writing = spawn(async move {
            let mut random = Random::from_seed(seed);
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let (piece, next) = rest.split_at(rest.len().min(1 + random.below(3000) as usize));
                client.write_all(piece).await.unwrap();
                rest = next;
                for _ in 0..random.below(3) {
                    yield_now().await;
                }
            }
        });
        let (mut received, mut buffer) = (Vec::new(), vec![0; 2000]);
        while received.len() < bytes.len() {
            let room = 1 + random.below(2000) as usize;
            let read = server.read(&mut buffer[..room]);
            let mut read = pin!(read);
            let mut polls = random.below(3);
            let len = loop {
                let polled = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
                match polled {
                    Poll::Ready(result) => break result.unwrap(),
                    Poll::Pending if polls == 0 => break 0,
                    Poll::Pending => polls -= 1,
                }
                yield_now().await;
            };
            received.extend_from_slice(&buffer[..len]);
            yield_now().await;
        }
        assert!(received == bytes);
        writing.await.unwrap();
    });
}

#[test]
fn it_is_unpin_and_an_object() {
    fn check<T: AsyncBufRead + AsyncWrite + Unpin>(_: &T) {}
    on_one_shard(async {
        let (server, client) = both_ends().await;
        check(&server);
        let mut server: Pin<Box<dyn AsyncBufRead>> = Box::pin(server);
        drop(client);
        assert!(server.fill_buf().await.unwrap().is_empty());
        let mut lines = server.lines();
        assert!(lines.next().await.is_none());
    });
}
