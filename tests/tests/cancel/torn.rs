//! Writes of several tasks on one stream, some of them given up at any moment: each is one piece of
//! what the peer reads, and what went out of those that were given up is told.

#![forbid(unsafe_code)]

use std::io::Read;
use std::net;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use miniss_linux::net::TcpStream;
use miniss_linux::{Runtime, spawn};
use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;
use miniss_tests::sockets::{blocking_pair, shrink_buffers};

use super::{GiveUp, give_up};

const TASKS: u8 = 3;
const WRITES: u8 = 40;
const LEN_MAX: u64 = 40_000;

/// A write of one byte, again and again.
struct Written {
    byte: u8,
    len: usize,
    /// How much it says that it wrote; `None` if it was given up.
    done: Option<usize>,
}

async fn write(stream: Rc<TcpStream>, form: u64, bytes: Vec<u8>) -> usize {
    let len = bytes.len();
    match form {
        0 => stream.write(bytes).await.0.unwrap(),
        1 => stream.write_vectored([bytes]).await.0.unwrap(),
        2 => stream.write_all(bytes).await.0.map(|()| len).unwrap(),
        _ => {
            let halves = [bytes[..len / 2].to_vec(), bytes[len / 2..].to_vec()];
            stream.write_vectored_all(halves).await.0.map(|()| len).unwrap()
        }
    }
}

/// Each write has a byte of its own, from `first` on.
async fn write_many(stream: Rc<TcpStream>, first: u8, mut random: Random) -> Vec<Written> {
    let mut written = Vec::new();
    for byte in first..first + WRITES {
        let len = random.below(LEN_MAX) as usize;
        let writing = write(stream.clone(), random.below(4), vec![byte; len]);
        let done = match random.below(4) {
            0 => give_up(GiveUp::Drop, &mut random, writing).await,
            1 => give_up(GiveUp::Abort, &mut random, writing).await,
            _ => Some(writing.await),
        };
        written.push(Written { byte, len, done });
    }
    written
}

/// Reads to the end, now in small pieces and now in large ones.
fn collect(mut peer: net::TcpStream, mut random: Random) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), vec![0; LEN_MAX as usize]);
        loop {
            let most = 1 + random.below(LEN_MAX) as usize;
            match peer.read(&mut piece[..most]).unwrap() {
                0 => return all,
                len => all.extend_from_slice(&piece[..len]),
            }
            if random.below(8) == 0 {
                thread::sleep(Duration::from_micros(random.below(500)));
            }
        }
    })
}

/// How long the piece of each byte is; there must be one at most.
fn pieces(all: &[u8]) -> [usize; 256] {
    let mut len_of = [0; 256];
    for piece in all.chunk_by(|a, b| a == b) {
        let len = &mut len_of[usize::from(piece[0])];
        assert_eq!(*len, 0, "a write goes on behind another");
        *len = piece.len();
    }
    len_of
}

#[test]
fn writes_given_up_at_any_moment_stay_in_one_piece_and_are_counted() {
    let _deadline = deadline("writes given up");
    let mut random = Random::new();
    let runtime = Runtime::builder().shards(1).ring_entries(2).build().unwrap();
    for _ in 0..20 {
        let (ours, peer) = blocking_pair();
        shrink_buffers(&ours);
        let all = collect(peer, Random::from_seed(random.number()));
        let (written, cancelled) = runtime.block_on(async {
            let stream = Rc::new(TcpStream::from_std(ours).unwrap());
            let start = |task| {
                let random = Random::from_seed(random.number());
                spawn(write_many(stream.clone(), task * WRITES, random))
            };
            let tasks: Vec<_> = (0..TASKS).map(start).collect();
            let mut written = Vec::new();
            for task in tasks {
                written.extend(task.await.unwrap());
            }
            (written, stream.cancelled_write_bytes().await)
        });
        let len_of = pieces(&all.join().unwrap());
        let mut of_given_up = 0;
        for Written { byte, len, done } in written {
            let went_out = len_of[usize::from(byte)];
            match done {
                Some(done) => assert_eq!(went_out, done),
                None => of_given_up += went_out,
            }
            assert!(went_out <= len);
        }
        assert_eq!(cancelled, of_given_up);
    }
}
