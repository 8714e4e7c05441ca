//! Slow readers and shared buffers: pressure goes back to the sender, and no one pays for another.
//! Scenarios N7, R13.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, spawn};
use miniss_tests::alone::alone;
use miniss_tests::census::{assert_rests, counted, resident_bytes};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::sockets::pair;

const LONG: Duration = SOON;

#[test]
fn n7_a_peer_that_does_not_read_makes_the_writer_wait_and_costs_no_memory() {
    alone(
        "pressure::n7_a_peer_that_does_not_read_makes_the_writer_wait_and_costs_no_memory",
        || {
            let _deadline = deadline("n7");
            const TOTAL: usize = 256 << 20;
            let runtime = Runtime::builder().shards(1).build().unwrap();
            runtime.block_on(counted(async {
                let (ours, mut peer) = pair();
                let writer = spawn(async move {
                    let mut buffer = vec![3_u8; 64 << 10];
                    for _ in 0..TOTAL / buffer.len() {
                        let result;
                        (result, buffer) = ours.write_all(buffer).await;
                        result.unwrap();
                    }
                });
                sleep(Duration::from_millis(200)).await;
                assert!(!writer.is_finished(), "{TOTAL} bytes went nowhere");
                let wait = async || sleep(Duration::from_millis(500)).await;
                assert_rests(Duration::from_millis(50), wait).await;
                let bytes = resident_bytes();
                let reader = thread::spawn(move || {
                    let (mut buffer, mut read) = (vec![0; 1 << 20], 0);
                    while read < TOTAL {
                        read += peer.read(&mut buffer).unwrap();
                    }
                });
                writer.await.unwrap();
                let grown = resident_bytes().saturating_sub(bytes);
                assert!(grown < 16 << 20, "{TOTAL} bytes cost {grown} bytes of memory");
                reader.join().unwrap();
            }));
        },
    );
}

#[test]
fn r13_a_hundred_busy_sockets_share_four_buffers() {
    alone("pressure::r13_a_hundred_busy_sockets_share_four_buffers", || {
        let mut random = Random::new();
        let runtime = Runtime::builder().shards(1).recv_buffers(4, 1024).build().unwrap();
        runtime.block_on(counted(async {
            let mut senders = Vec::new();
            let mut readers = Vec::new();
            for number in 0..100 {
                let (ours, mut peer) = pair();
                let bytes = random.bytes(20_000);
                let sent = bytes.clone();
                senders.push(thread::spawn(move || {
                    for piece in sent.chunks(700) {
                        peer.write_all(piece).unwrap();
                    }
                    peer
                }));
                readers.push(spawn(async move {
                    let mut received = Vec::new();
                    while received.len() < bytes.len() {
                        let piece = ours.recv().await.expect("no one is reset");
                        assert!(!piece.is_empty(), "the peer has not ended");
                        // Some hold on to what they have.
                        if number % 3 == 0 {
                            sleep(Duration::from_micros(500)).await;
                        }
                        received.extend_from_slice(&piece);
                    }
                    assert!(received == bytes, "socket {number}");
                }));
            }
            for reader in readers {
                timeout(LONG, reader).await.expect("all bytes arrive").unwrap();
            }
            for sender in senders {
                sender.join().unwrap();
            }
        }));
    });
}

#[test]
fn r13_readers_that_hold_every_buffer_stop_no_one() {
    alone("pressure::r13_readers_that_hold_every_buffer_stop_no_one", || {
        let _deadline = deadline("r13, held");
        let runtime = Runtime::builder().shards(1).recv_buffers(4, 1024).build().unwrap();
        runtime.block_on(counted(async {
            let (mut held, mut quiet) = (Vec::new(), Vec::new());
            for _ in 0..4 {
                let (ours, mut peer) = pair();
                peer.write_all(&[1; 1024]).unwrap();
                held.push(ours.recv().await.unwrap());
                quiet.push((ours, peer));
            }
            let (ours, mut peer) = pair();
            peer.write_all(&[2; 5000]).unwrap();
            let mut received = 0;
            while received < 5000 {
                let piece = timeout(LONG, ours.recv()).await.expect("it goes on").unwrap();
                assert!(piece.iter().all(|&byte| byte == 2));
                received += piece.len();
            }
            // Nothing to read, and no buffer: it must wait without turning round and round.
            let wait = async || {
                let nothing = timeout(Duration::from_millis(500), ours.recv()).await;
                assert!(nothing.is_err());
            };
            assert_rests(Duration::from_millis(50), wait).await;
            peer.write_all(&[3; 10]).unwrap();
            assert_eq!(timeout(LONG, ours.recv()).await.unwrap().unwrap().len(), 10);
            assert!(held.iter().all(|bytes| bytes.iter().all(|&byte| byte == 1)));
            held.clear();
            for (stream, peer) in &mut quiet {
                peer.write_all(&[4; 1500]).unwrap();
                let (result, bytes) = stream.read_exact(vec![0; 1500]).await;
                result.unwrap();
                assert!(bytes.iter().all(|&byte| byte == 4));
            }
        }));
    });
}

#[test]
fn r13_one_stream_that_no_one_reads_does_not_hold_all_buffers() {
    alone("pressure::r13_one_stream_that_no_one_reads_does_not_hold_all_buffers", || {
        let mut random = Random::new();
        let bytes = random.bytes(200_000);
        let runtime = Runtime::builder().shards(1).recv_buffers(32, 1024).build().unwrap();
        runtime.block_on(counted(async {
            let (unread, mut its_peer) = pair();
            let unread = Rc::new(unread);
            its_peer.write_all(&bytes[..10]).unwrap();
            let mut received = unread.recv().await.unwrap().to_vec();
            let rest = bytes[10..].to_vec();
            let sender = thread::spawn(move || {
                its_peer.write_all(&rest).unwrap();
                its_peer
            });
            sleep(Duration::from_millis(20)).await;
            let (busy, mut peer) = pair();
            for _ in 0..200 {
                peer.write_all(&[9; 1000]).unwrap();
                let (result, got) = busy.read_exact(vec![0; 1000]).await;
                result.unwrap();
                assert!(got.iter().all(|&byte| byte == 9));
                let next = busy.recv();
                peer.write_all(&[8; 1000]).unwrap();
                assert_eq!(timeout(LONG, next).await.expect("it goes on").unwrap()[0], 8);
                while busy_rest(&busy).await {}
            }
            while received.len() < bytes.len() {
                let piece = timeout(LONG, unread.recv()).await.expect("the rest comes").unwrap();
                received.extend_from_slice(&piece);
            }
            assert!(received == bytes);
            sender.join().unwrap();
        }));
    });
}

/// Takes what may be left of a message that came in pieces.
async fn busy_rest(stream: &miniss_linux::net::TcpStream) -> bool {
    timeout(Duration::from_micros(200), stream.recv()).await.is_ok()
}

#[test]
fn received_buffers_outlive_their_runtime() {
    let _deadline = deadline("buffers outlive");
    let runtime = Runtime::builder().shards(1).recv_buffers(4, 64).build().unwrap();
    let mut kept = runtime.block_on(async {
        let (ours, mut peer) = pair();
        peer.write_all(b"kept for later").unwrap();
        ours.recv().await.unwrap()
    });
    drop(runtime);
    assert_eq!(&kept[..], b"kept for later");
    kept[0] = b'K';
    assert_eq!(&kept[..], b"Kept for later");
    kept.advance(5);
    assert_eq!(&kept[..], b"for later");
}
