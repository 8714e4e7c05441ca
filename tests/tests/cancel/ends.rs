//! Runtimes that end with operations in flight. Scenarios R7 to R9, T12.

use std::cell::Cell;
use std::future::Future;
use std::io::{ErrorKind, Write};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::buf::{IoBuf, IoBufMut};
use miniss_linux::net::TcpStream;
use miniss_linux::time::sleep;
use miniss_linux::{Runtime, spawn};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::sockets::pair;

use super::{GiveUp, give_up};

/// A buffer over memory that stays forever, so that a late write would be seen.
struct Canary {
    memory: *mut [u8],
    dropped: Arc<AtomicUsize>,
}

const SONG: u8 = 0xA5;

impl Canary {
    fn new(dropped: &Arc<AtomicUsize>) -> Self {
        let memory = Box::into_raw(vec![SONG; 64].into_boxed_slice());
        Self { memory, dropped: dropped.clone() }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl IoBuf for Canary {
    fn as_init(&self) -> &[u8] {
        // SAFETY: leaked forever, and ours alone.
        unsafe { &*self.memory }
    }
}

// SAFETY: always the same leaked memory, all of it initialised.
unsafe impl IoBufMut for Canary {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: leaked forever, and ours alone; the caller writes bytes only.
        unsafe { &mut *(self.memory as *mut [MaybeUninit<u8>]) }
    }

    unsafe fn set_len(&mut self, _: usize) {}
}

#[test]
fn r7_r9_a_runtime_dropped_with_reads_in_flight_writes_nothing_afterwards() {
    alone("ends::r7_r9_a_runtime_dropped_with_reads_in_flight_writes_nothing_afterwards", || {
        let before = Census::take();
        let dropped = Arc::new(AtomicUsize::new(0));
        let runtime = Runtime::builder().shards(2).shutdown_timeout(SOON).build().unwrap();
        let mut peers = Vec::new();
        let memory: Vec<*mut [u8]> = runtime.block_on(async {
            let mut start = |by_recv: bool| {
                let ((ours, peer), canary) = (pair(), Canary::new(&dropped));
                let memory = canary.memory;
                peers.push(peer);
                spawn(async move {
                    if by_recv {
                        drop(ours.recv().await);
                    }
                    drop(ours.read(canary).await);
                })
                .detach();
                memory
            };
            let memory = (0..200).map(|at| start(at % 4 == 0)).collect();
            sleep(Duration::from_millis(10)).await;
            memory
        });
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < SOON, "the end was cut short");
        assert_eq!(dropped.load(Ordering::Relaxed), 200, "buffers that were not given back");
        for peer in &mut peers {
            // Refused once the peer has learnt that no one is there.
            let _ = peer.write_all(&[0; 64]);
        }
        thread::sleep(Duration::from_millis(50));
        for canary in memory {
            // SAFETY: leaked forever, and no one else's any more.
            assert!(unsafe { &*canary }.iter().all(|&byte| byte == SONG), "written after the end");
        }
        drop(peers);
        before.assert_back();
    });
}

#[test]
fn r8_forgotten_reads_neither_hang_the_end_nor_write_after_it() {
    alone("ends::r8_forgotten_reads_neither_hang_the_end_nor_write_after_it", || {
        let before = Census::take();
        let dropped = Arc::new(AtomicUsize::new(0));
        let runtime = Runtime::builder().shards(1).shutdown_timeout(SOON).build().unwrap();
        let (mut peers, mut memory) = (Vec::new(), Vec::new());
        runtime.block_on(async {
            for _ in 0..500 {
                let ((ours, peer), canary) = (pair(), Canary::new(&dropped));
                memory.push(canary.memory);
                peers.push(peer);
                let read = async move { drop(ours.read(canary).await) };
                give_up(GiveUp::Forget, &mut Random::from_seed(1), read).await;
            }
        });
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < SOON, "the end was cut short");
        for peer in &mut peers {
            let _ = peer.write_all(&[0; 64]);
        }
        thread::sleep(Duration::from_millis(50));
        for canary in memory {
            // SAFETY: leaked forever, and no one else's any more.
            assert!(unsafe { &*canary }.iter().all(|&byte| byte == SONG), "written after the end");
        }
        drop(peers);
        // What was forgotten stays open, and nothing else.
        let after = Census::take();
        assert!(after.descriptors <= before.descriptors + 500, "{before:?} {after:?}");
    });
}

/// It may be given bytes that no one could find again.
#[test]
fn r8_a_connection_with_a_forgotten_read_does_not_move() {
    let _deadline = deadline("a move with a forgotten read");
    Runtime::builder().shards(1).build().unwrap().block_on(async {
        let (stream, _peer) = pair();
        let mut read = Box::pin(stream.read(vec![0; 8]));
        assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        std::mem::forget(read);
        let error = stream.detach().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    });
}

#[test]
fn the_end_of_a_runtime_drops_each_future_on_its_own_shard_once() {
    struct Counted(thread::ThreadId, Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            assert_eq!(thread::current().id(), self.0);
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    let _deadline = deadline("drops at the end");
    let drops = Arc::new(AtomicUsize::new(0));
    let runtime = Runtime::builder().shards(3).build().unwrap();
    let counter = drops.clone();
    runtime.run(async move || {
        for _ in 0..100 {
            let counted = Counted(thread::current().id(), counter.clone());
            spawn(async move {
                let _counted = counted;
                let (ours, _peer) = pair();
                ours.recv().await.map(drop)
            })
            .detach();
        }
        sleep(Duration::from_millis(5)).await;
    });
    drop(runtime);
    assert_eq!(drops.load(Ordering::Relaxed), 300);
}

#[test]
fn a_future_that_spawns_and_reads_while_it_is_dropped_at_the_end_does_no_harm() {
    struct Restless(Rc<Cell<u32>>, Option<TcpStream>);
    impl Drop for Restless {
        fn drop(&mut self) {
            let stream = self.1.take().unwrap();
            let task = spawn(async move { drop(stream.recv().await) });
            assert!(task.is_finished(), "a task has started during the end");
            let _ = pin!(task).poll(&mut Context::from_waker(Waker::noop()));
            self.0.set(self.0.get() + 1);
        }
    }
    let _deadline = deadline("restless drops");
    let drops = Rc::new(Cell::new(0));
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let mut peers = Vec::new();
    runtime.block_on(async {
        for _ in 0..20 {
            let (ours, peer) = pair();
            peers.push(peer);
            let restless = Restless(drops.clone(), Some(ours));
            spawn(async move {
                let _restless = restless;
                std::future::pending::<()>().await;
            })
            .detach();
        }
        sleep(Duration::from_millis(1)).await;
    });
    drop(runtime);
    assert_eq!(drops.get(), 20);
}
