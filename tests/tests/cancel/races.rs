//! Reads given up just when their bytes come. Scenario R6.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::Write;
use std::net;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::net::TcpStream;
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::counted;
use miniss_tests::deadline::SOON;
use miniss_tests::random::Random;
use miniss_tests::sockets::pair;

use super::{GiveUp, give_up};

/// A way to read some bytes.
type Read = fn(Rc<TcpStream>) -> std::pin::Pin<Box<dyn Future<Output = Vec<u8>>>>;

const READS: [(&str, Read); 4] = [
    ("read", |stream| {
        Box::pin(async move {
            let (result, mut bytes) = stream.read(Vec::with_capacity(37)).await;
            bytes.truncate(result.unwrap());
            bytes
        })
    }),
    ("recv", |stream| Box::pin(async move { stream.recv().await.unwrap().to_vec() })),
    ("read_vectored", |stream| {
        Box::pin(async move {
            let buffers = [Vec::with_capacity(11), Vec::with_capacity(29)];
            let (result, [mut first, second]) = stream.read_vectored(buffers).await;
            first.extend_from_slice(&second);
            first.truncate(result.unwrap());
            first
        })
    }),
    ("read_vectored into arrays", |stream| {
        Box::pin(async move {
            let (result, [first, second]) = stream.read_vectored([[0; 20], [0; 20]]).await;
            let mut bytes = [first, second].concat();
            bytes.truncate(result.unwrap());
            bytes
        })
    }),
];

/// Each way by itself, then all of them in turns.
const MIXES: [&[(&str, Read)]; 5] = [&[READS[0]], &[READS[1]], &[READS[2]], &[READS[3]], &READS];

const SENT: usize = 1 << 16;

/// Sends numbered bytes in small pieces at random moments.
fn send_in_pieces(mut peer: net::TcpStream, mut random: Random) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        peer.set_nodelay(true).unwrap();
        let bytes: Vec<u8> = (0..SENT).map(|at| (at % 251) as u8).collect();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = (1 + random.below(90) as usize).min(rest.len());
            peer.write_all(&rest[..len]).unwrap();
            rest = &rest[len..];
            let until = Instant::now() + Duration::from_micros(random.below(50));
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
    })
}

fn check_next(seen: &mut usize, bytes: &[u8]) -> ControlFlow<()> {
    for &byte in bytes {
        assert_eq!(byte, (*seen % 251) as u8, "byte {seen} is lost, doubled or out of order");
        *seen += 1;
    }
    if bytes.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

#[test]
fn r6_timeouts_that_race_data_lose_no_byte() {
    alone("races::r6_timeouts_that_race_data_lose_no_byte", || {
        let mut random = Random::new();
        for reads in MIXES {
            let runtime = Runtime::builder().shards(1).build().unwrap();
            let (expired, seen) = runtime.block_on(counted(async {
                let (ours, peer) = pair();
                let sender = send_in_pieces(peer, random.clone());
                let (ours, mut expired, mut seen) = (Rc::new(ours), 0, 0);
                loop {
                    let (_, read) = reads[random.below(reads.len() as u64) as usize];
                    let limit = Duration::from_micros(random.below(50));
                    match timeout(limit, read(ours.clone())).await {
                        Ok(bytes) if check_next(&mut seen, &bytes).is_break() => break,
                        Ok(_) => {}
                        Err(_) => expired += 1,
                    }
                }
                sender.join().unwrap();
                (expired, seen)
            }));
            assert_eq!(seen, SENT, "{}, with {expired} timeouts", reads[0].0);
        }
    });
}

#[test]
fn r6_aborts_that_race_data_lose_no_byte() {
    alone("races::r6_aborts_that_race_data_lose_no_byte", || {
        let mut random = Random::new();
        for reads in MIXES {
            let runtime = Runtime::builder().shards(1).build().unwrap();
            let seen = runtime.block_on(counted(async {
                let (ours, peer) = pair();
                let sender = send_in_pieces(peer, random.clone());
                let (ours, mut seen) = (Rc::new(ours), 0);
                loop {
                    let (_, read) = reads[random.below(reads.len() as u64) as usize];
                    match give_up(GiveUp::Abort, &mut random, read(ours.clone())).await {
                        Some(bytes) if check_next(&mut seen, &bytes).is_break() => break,
                        _ => {}
                    }
                }
                sender.join().unwrap();
                seen
            }));
            assert_eq!(seen, SENT, "{}", reads[0].0);
        }
    });
}

#[test]
fn r6_a_read_dropped_after_its_bytes_came_hands_them_to_the_next() {
    alone("races::r6_a_read_dropped_after_its_bytes_came_hands_them_to_the_next", || {
        for (name, read) in READS {
            let runtime = Runtime::builder().shards(1).build().unwrap();
            runtime.block_on(counted(async {
                let (ours, mut peer) = pair();
                let ours = Rc::new(ours);
                let mut first = Box::pin(read(ours.clone()));
                assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
                yield_now().await;
                peer.write_all(b"kept").unwrap();
                // The bytes come, and no one looks at the read any more.
                sleep(Duration::from_millis(20)).await;
                drop(first);
                let next = timeout(SOON, read(ours.clone())).await;
                assert_eq!(next.expect(name), b"kept", "{name}");
            }));
        }
    });
}

#[test]
fn r6_reads_dropped_while_their_ends_wait_for_room_hand_their_bytes_to_the_next() {
    alone(
        "races::r6_reads_dropped_while_their_ends_wait_for_room_hand_their_bytes_to_the_next",
        || {
            for (name, read) in READS {
                // Far more reads end at once than its queue of completions holds.
                let runtime = Runtime::builder().shards(1).ring_entries(4).build().unwrap();
                runtime.block_on(counted(async {
                    let (streams, peers): (Vec<_>, Vec<_>) = (0..100).map(|_| pair()).unzip();
                    let streams: Vec<_> = streams.into_iter().map(Rc::new).collect();
                    let mut first: Vec<_> = streams.iter().map(|ours| read(ours.clone())).collect();
                    for read in &mut first {
                        let mut context = Context::from_waker(Waker::noop());
                        assert!(read.as_mut().poll(&mut context).is_pending());
                    }
                    yield_now().await;
                    peers.iter().for_each(|mut peer| peer.write_all(b"kept").unwrap());
                    yield_now().await;
                    drop(first);
                    for ours in streams {
                        let next = timeout(SOON, read(ours)).await;
                        assert_eq!(next.expect(name), b"kept", "{name}");
                    }
                }));
            }
        },
    );
}
