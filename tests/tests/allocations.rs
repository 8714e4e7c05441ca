//! Nothing is allocated in the steady state: not for a task, a wake, a timer, a call to another
//! shard, nor for what is received and sent.
//!
//! A test of its own, because it counts every allocation of the process's threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, run_on, spawn, submit_to, yield_now};

/// Counts what the calling thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const WARM_UP: usize = 200;
const ROUNDS: usize = 1_000;

/// How much this shard allocates for `ROUNDS` rounds, once it is warm.
async fn allocations<F: Future>(mut round: impl FnMut() -> F) -> u64 {
    for _ in 0..WARM_UP {
        round().await;
    }
    let before = ALLOCATIONS.get();
    for _ in 0..ROUNDS {
        round().await;
    }
    ALLOCATIONS.get() - before
}

fn runtime(shards: usize) -> Runtime {
    Runtime::builder().shards(shards).build().unwrap()
}

#[test]
fn the_counter_counts() {
    let counted = runtime(1).block_on(allocations(async || drop(Box::new(5))));
    assert_eq!(counted, ROUNDS as u64);
}

#[test]
fn a_task_its_wakes_and_its_end_allocate_nothing() {
    let counted = runtime(1).block_on(allocations(async || {
        let task = spawn(async {
            yield_now().await;
            [7_u64; 16]
        });
        assert_eq!(task.await.unwrap(), [7; 16]);
    }));
    assert_eq!(counted, 0);
}

#[test]
fn timers_allocate_nothing() {
    let counted = runtime(1).block_on(allocations(async || {
        sleep(Duration::from_micros(1)).await;
        timeout(Duration::from_secs(60), yield_now()).await.unwrap();
    }));
    assert_eq!(counted, 0);
}

#[test]
fn calls_to_another_shard_allocate_nothing_on_either() {
    let there = async || ALLOCATIONS.get();
    let runtime = runtime(2);
    runtime.block_on(async {
        let call = async || {
            assert_eq!(submit_to(1, async || 5).await.unwrap(), 5);
            assert_eq!(run_on(1, || 6).await.unwrap(), 6);
        };
        allocations(call).await;
        let before = submit_to(1, there).await.unwrap();
        assert_eq!(allocations(call).await, 0, "on the caller's shard");
        assert_eq!(submit_to(1, there).await.unwrap(), before, "on the other shard");
    });
}

#[test]
fn receiving_and_sending_allocate_nothing() {
    let runtime = runtime(1);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let echo = spawn(async move {
            loop {
                let received = server.recv().await.unwrap();
                if received.is_empty() {
                    return;
                }
                server.write_all(received).await.0.unwrap();
            }
        });
        let buffer = Cell::new(vec![0; 64]);
        let counted = allocations(async || {
            client.write_all("what goes out comes back").await.0.unwrap();
            let (result, back) = client.read(buffer.take()).await;
            assert_eq!(&back[..result.unwrap()], b"what goes out comes back");
            buffer.set(back);
        })
        .await;
        assert_eq!(counted, 0);
        drop(client);
        echo.await.unwrap();
    });
}
