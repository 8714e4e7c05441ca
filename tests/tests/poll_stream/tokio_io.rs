//! What tokio's `io` does with its traits, without tokio's runtime.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, IoSlice};

use miniss_linux::net::{PollStream, UnixStream};
use miniss_linux::{spawn, stats};
use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional, copy_buf,
    split,
};

use super::{both_ends, exchange, on_one_shard, pair};

#[test]
fn an_echo_gives_back_what_was_sent() {
    let _deadline = deadline("echo by tokio's io");
    let bytes = Random::new().bytes(1 << 20);
    on_one_shard(async {
        let (ours, peer) = pair();
        let back = exchange(peer, bytes.clone());
        let (mut reader, mut writer) = split(ours);
        assert_eq!(copy(&mut reader, &mut writer).await.unwrap(), bytes.len() as u64);
        writer.shutdown().await.unwrap();
        assert!(back.join().unwrap() == bytes);

        let (mut ours, peer) = pair();
        let back = exchange(peer, bytes.clone());
        assert_eq!(copy_buf(&mut ours, &mut tokio::io::sink()).await.unwrap(), 1 << 20);
        drop(ours);
        assert!(back.join().unwrap().is_empty());
    });
}

#[test]
fn streams_of_two_kinds_are_joined() {
    let _deadline = deadline("tokio's copy_bidirectional");
    let mut random = Random::new();
    let (there, back) = (random.bytes(1 << 19), random.bytes(1 << 18));
    on_one_shard(async {
        let (mut first, peer) = pair();
        let received = exchange(peer, there.clone());
        let (second, server) = UnixStream::pair().unwrap();
        let (mut second, mut server) = (PollStream::from(second), PollStream::from(server));
        let copying = spawn(async move { copy_bidirectional(&mut first, &mut second).await });
        let sent = back.clone();
        let serving = spawn(async move {
            let mut received = Vec::new();
            server.write_all(&sent).await.unwrap();
            server.shutdown().await.unwrap();
            server.read_to_end(&mut received).await.unwrap();
            received
        });
        let copied = copying.await.unwrap().unwrap();
        assert_eq!(copied, (there.len() as u64, back.len() as u64));
        assert!(serving.await.unwrap() == there);
        assert!(received.join().unwrap() == back);
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
            assert_eq!(server.read_u8().await.unwrap(), *expected);
        }
        assert!(stats().polls - polls > 5000 / 128 / 2, "it never gave way");
        client.shutdown().await.unwrap();
        assert_eq!(server.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_reader_of_lines_lends_what_was_received() {
    let _deadline = deadline("lines");
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        client.write_all(b"one\ntwo\r\n\nlast").await.unwrap();
        client.shutdown().await.unwrap();
        assert!(server.fill_buf().await.unwrap().starts_with(b"o"));
        server.consume(1);
        assert_eq!(server.read_u8().await.unwrap(), b'n');
        let mut lines = server.lines();
        for expected in ["e", "two", "", "last"] {
            assert_eq!(lines.next_line().await.unwrap().unwrap(), expected);
        }
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
fn several_buffers_are_sent_as_one() {
    let _deadline = deadline("vectored");
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        assert!(client.is_write_vectored());
        let pieces = ["", "abc", "", "defg"].map(|piece| IoSlice::new(piece.as_bytes()));
        assert_eq!(client.write_vectored(&pieces).await.unwrap(), 7);
        let mut bytes = Vec::with_capacity(7);
        while bytes.len() < 7 {
            server.read_buf(&mut bytes).await.unwrap();
        }
        assert_eq!(bytes, b"abcdefg");
        assert_eq!(server.read(&mut []).await.unwrap(), 0, "no room, no wait");
    });
}
