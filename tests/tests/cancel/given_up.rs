//! Accepts, reads, writes and connects given up at random moments. Scenarios R8, R12, N12.

use std::io::Write;
use std::net;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::time::timeout;
use miniss_linux::{Runtime, stats};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::SOON;
use miniss_tests::random::Random;
use miniss_tests::sockets::{blocking_pair, full_listener, pair, shrink_buffers};

use super::{GiveUp, TIMES, give_up, settled};

#[test]
fn r12_accepts_given_up_at_any_moment_leave_no_descriptor() {
    alone("given_up::r12_accepts_given_up_at_any_moment_leave_no_descriptor", || {
        for how in [GiveUp::Drop, GiveUp::Abort] {
            let before = Census::take();
            let runtime = Runtime::builder().shards(1).build().unwrap();
            runtime.block_on(accepts(how));
            drop(runtime);
            before.assert_back();
        }
    });
}

async fn accepts(how: GiveUp) {
    let random = &mut Random::new();
    let (tasks, mut accepted) = (stats().tasks_live, 0);
    for round in 0..TIMES / 10 {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        for _ in 0..10 {
            let client = net::TcpStream::connect(address).unwrap();
            let ours = listener.clone();
            let accept = async move { ours.accept().await.unwrap() };
            accepted += usize::from(give_up(how, random, accept).await.is_some());
            drop(client);
        }
        if round % 2 == 0 {
            // What no one took is still there for the next.
            let _client = net::TcpStream::connect(address).unwrap();
            listener.accept().await.unwrap();
        }
    }
    settled(0).await;
    assert_eq!(stats().tasks_live, tasks, "{accepted} were accepted");
}

#[test]
fn r12_a_forgotten_accept_does_not_stop_the_end_of_the_runtime() {
    alone("given_up::r12_a_forgotten_accept_does_not_stop_the_end_of_the_runtime", || {
        let before = Census::take();
        let runtime = Runtime::builder().shards(1).shutdown_timeout(SOON).build().unwrap();
        runtime.block_on(async {
            for _ in 0..50 {
                let listener = Rc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
                let accept = async move { listener.accept().await.map(drop) };
                give_up(GiveUp::Forget, &mut Random::from_seed(1), accept).await;
            }
        });
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < SOON, "the end was cut short");
        let after = Census::take();
        // What was forgotten stays open, and nothing else.
        assert!(after.descriptors <= before.descriptors + 50, "{before:?} {after:?}");
    });
}

#[test]
fn r12_reads_given_up_at_any_moment_leave_nothing_in_flight() {
    alone("given_up::r12_reads_given_up_at_any_moment_leave_nothing_in_flight", || {
        for how in [GiveUp::Drop, GiveUp::Abort, GiveUp::Forget] {
            let before = Census::take();
            let runtime = Runtime::builder().shards(1).build().unwrap();
            runtime.block_on(reads(how));
            drop(runtime);
            if how != GiveUp::Forget {
                before.assert_back();
            }
        }
    });
}

async fn reads(how: GiveUp) {
    let random = &mut Random::new();
    let tasks = stats().tasks_live;
    for round in 0..TIMES {
        let (ours, mut peer) = pair();
        if round % 3 == 0 {
            peer.write_all(b"early").unwrap();
        }
        let by_recv = round % 2 == 0;
        let read = async move {
            match by_recv {
                true => ours.recv().await.map(|bytes| bytes.len()).unwrap(),
                false => ours.read(vec![0; 64]).await.0.unwrap(),
            }
        };
        let read = give_up(how, random, read).await;
        assert!(read.is_none_or(|len| len == 5 || round % 3 != 0), "{read:?}");
        if round % 3 == 1 {
            // The peer may have been told already that no one listens.
            let _ = peer.write_all(b"late");
        }
    }
    if how != GiveUp::Forget {
        settled(0).await;
        assert_eq!(stats().tasks_live, tasks);
    }
}

#[test]
fn r12_writes_given_up_at_any_moment_leave_nothing_in_flight() {
    alone("given_up::r12_writes_given_up_at_any_moment_leave_nothing_in_flight", || {
        for how in [GiveUp::Drop, GiveUp::Abort, GiveUp::Forget] {
            let before = Census::take();
            let runtime = Runtime::builder().shards(1).build().unwrap();
            runtime.block_on(writes(how));
            drop(runtime);
            if how != GiveUp::Forget {
                before.assert_back();
            }
        }
    });
}

async fn writes(how: GiveUp) {
    let random = &mut Random::new();
    for round in 0..TIMES {
        let (ours, peer) = blocking_pair();
        shrink_buffers(&ours);
        let ours = TcpStream::from_std(ours).unwrap();
        let bytes = vec![7_u8; 1 << (10 + round % 11)];
        let write = async move {
            match round % 2 {
                0 => ours.write_all(bytes).await.0,
                _ => ours.write_vectored_all([bytes.clone(), bytes]).await.0,
            }
        };
        if let Some(written) = give_up(how, random, write).await {
            written.unwrap();
        }
        drop(peer);
    }
    if how != GiveUp::Forget {
        settled(0).await;
    }
}

#[test]
fn n12_connects_given_up_leave_no_descriptor_and_no_late_connection() {
    alone("given_up::n12_connects_given_up_leave_no_descriptor_and_no_late_connection", || {
        let (listener, waiting) = full_listener();
        let address = listener.local_addr().unwrap();
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(async {
            let before = Census::take();
            let late = timeout(Duration::from_millis(5), TcpStream::connect(address)).await;
            assert!(late.is_err(), "connected to a full listener");
            let random = &mut Random::new();
            for round in 0..TIMES {
                let how = [GiveUp::Drop, GiveUp::Abort][round % 2];
                let done = give_up(how, random, TcpStream::connect(address)).await;
                assert!(done.is_none());
            }
            settled(0).await;
            before.assert_back();
        });
        // Room again: no one comes but those who waited.
        for _ in &waiting {
            listener.accept().unwrap();
        }
        listener.set_nonblocking(true).unwrap();
        thread::sleep(Duration::from_millis(1200));
        assert!(listener.accept().is_err(), "a connect that was cancelled has arrived");
    });
}
