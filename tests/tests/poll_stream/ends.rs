//! How polled streams end: by half, by a reset, and by a drop.

#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use miniss_linux::net::{PollStream, UnixStream};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{driver_stats, spawn, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::kernel;
use miniss_tests::sockets::{blocking_pair, reset_on_close};

use super::{both_ends, on_one_shard, pair};

#[test]
fn a_close_ends_the_sending_direction_alone() {
    let _deadline = deadline("polled half-close");
    on_one_shard(async {
        let (mut server, mut client) = both_ends().await;
        client.write_all(b"bye").await.unwrap();
        client.flush().await.unwrap();
        client.close().await.unwrap();
        client.close().await.unwrap();
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);

        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "bye");
        server.write_all(b"you too").await.unwrap();
        server.close().await.unwrap();
        text.clear();
        client.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "you too");
    });
}

#[test]
fn a_peer_that_resets_ends_reads_and_writes_also_those_that_wait() {
    alone("ends::a_peer_that_resets_ends_reads_and_writes_also_those_that_wait", || {
        let _deadline = deadline("polled reset");
        kernel::die_of_broken_pipes();
        on_one_shard(async {
            let (mut ours, peer) = pair();
            reset_on_close(&peer);
            drop(peer);
            let error = ours.read(&mut [0; 10]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert_eq!(ours.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            ours.close().await.unwrap();

            let (ours, peer) = pair();
            reset_on_close(&peer);
            let (mut reader, mut writer) = ours.split();
            let reading = spawn(async move { reader.read(&mut [0; 10]).await });
            let writing = spawn(async move {
                let piece = vec![1; 1 << 20];
                loop {
                    if let Err(error) = writer.write(&piece).await {
                        return error;
                    }
                }
            });
            sleep(Duration::from_millis(2)).await;
            assert!(!reading.is_finished() && !writing.is_finished());
            drop(peer);
            let read = timeout(SOON, reading).await.unwrap().unwrap();
            let written = timeout(SOON, writing).await.unwrap().unwrap();
            let gone = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            // One of them is told of the reset; the other sees an end.
            assert!(read.map_or_else(|error| gone.contains(&error.kind()), |len| len == 0));
            assert!(gone.contains(&written.kind()), "{written}");
        });
    });
}

#[test]
fn a_write_that_waits_for_room_does_not_outlast_the_end_of_its_direction() {
    let _deadline = deadline("polled end without room");
    on_one_shard(async {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let (mut ours, piece) = (PollStream::from(ours), vec![1; 1 << 20]);
        while ours.write(&piece).now_or_never().is_some() {}
        // The wait is in flight.
        sleep(Duration::from_millis(2)).await;
        ours.close().await.unwrap();
        let written = timeout(SOON, ours.write(&piece)).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_polled_stream_that_is_dropped_leaves_nothing_in_flight() {
    let _deadline = deadline("polled drop");
    on_one_shard(async {
        let before = driver_stats().in_flight;
        let peers: Vec<_> = (0..20)
            .map(|_| {
                let (mut ours, peer) = pair();
                assert!(ours.read(&mut [0; 10]).now_or_never().is_none());
                let piece = vec![1; 1 << 20];
                while ours.write(&piece).now_or_never().is_some() {}
                peer
            })
            .collect();
        while driver_stats().in_flight > before {
            sleep(Duration::from_millis(1)).await;
        }
        for peer in peers {
            // The peer sees an end: after what was sent, or a reset.
            let mut received = Vec::new();
            let _ = std::io::Read::read_to_end(&mut &peer, &mut received);
        }
    });
}

#[test]
fn a_read_and_a_write_wait_at_the_same_time_for_tasks_of_their_own() {
    let _deadline = deadline("polled halves");
    on_one_shard(async {
        let (ours, peer) = blocking_pair();
        let ours = miniss_linux::net::TcpStream::from_std(ours).unwrap();
        let (mut reader, mut writer) = miniss_linux::net::PollStream::from(ours).split();
        let received = super::exchange(peer, b"from the peer".to_vec());
        let writing = spawn(async move {
            writer.write_all(&vec![7; 4 << 20]).await.unwrap();
            writer.close().await.unwrap();
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "from the peer");
        writing.await.unwrap();
        assert_eq!(received.join().unwrap().len(), 4 << 20);
    });
}

#[test]
fn a_loop_of_writes_lets_others_have_their_turn() {
    let _deadline = deadline("polled writes give way");
    on_one_shard(async {
        let (mut ours, _peer) = pair();
        let turns = spawn(async {
            for _ in 0..3 {
                yield_now().await;
            }
        });
        let mut write = pin!(async {
            for _ in 0..1000 {
                ours.write_all(b"x").await.unwrap();
            }
        });
        assert!(write.as_mut().now_or_never().is_none(), "a thousand writes in one poll");
        write.await;
        assert!(turns.is_finished());
        turns.await.unwrap();
    });
}
