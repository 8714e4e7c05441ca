//! Wakes and calls between shards, and what becomes of them when a shard goes down.

use std::future::{Future, pending, poll_fn};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::buf::IoBuf;
use crate::coop::unconstrained;
use crate::driver::tests::kinds;
use crate::net::UnixStream;
use crate::time::sleep;
use crate::{
    CallError, Runtime, ShardId, run_on, spawn, spawn_blocking, stats, submit_to, unobserved,
    yield_now,
};

const PATIENCE: Duration = Duration::from_secs(120);

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// Has the executor itself wake a waker that panics.
async fn bring_down() {
    let mut sleep = pin!(sleep(Duration::from_millis(1)));
    let waker = Waker::from(Arc::new(Panicking));
    poll_fn(|_| sleep.as_mut().poll(&mut Context::from_waker(&waker))).await;
    pending().await
}

#[test]
fn a_shard_that_goes_down_tells_all_who_wait_for_it() {
    let start = Instant::now();
    let runtime = Runtime::builder().shards(2).shutdown_timeout(PATIENCE).build().unwrap();
    let handle = runtime.handle();
    assert_eq!(handle.shards(), 2);
    let gone = ShardId::new(1);
    runtime.block_on(async {
        let waiting = submit_to(gone, async || pending::<()>().await);
        let foreign = handle.submit_to(gone, async || pending::<()>().await);
        let culprit = submit_to(gone, bring_down);
        assert!(matches!(culprit.await, Err(CallError::ShardGone(shard)) if shard == gone));
        assert!(matches!(waiting.await, Err(CallError::ShardGone(_))));
        assert!(matches!(foreign.await, Err(CallError::ShardGone(_))));
        assert!(matches!(submit_to(gone, async || ()).await, Err(CallError::ShardGone(_))));
    });
    assert!(matches!(handle.submit_to(gone, async || ()).wait(), Err(CallError::ShardGone(_))));
    drop(runtime);
    assert!(start.elapsed() < PATIENCE / 2);
}

#[test]
fn a_panic_out_of_shard_0_leaves_the_runtime_in_order() {
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            spawn(bring_down()).detach();
            pending::<()>().await
        })
    }));
    assert!(attempt.is_err());
    assert_eq!(ShardId::try_current(), None);
    assert_eq!(runtime.block_on(async { submit_to(1, async || 5).await }).unwrap(), 5);
}

#[test]
fn the_shard_that_shard_0_woke_last_runs_while_it_rests() {
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    // Asleep by now.
    std::thread::sleep(Duration::from_millis(20));
    runtime.block_on(async {
        drop(submit_to(1, async move || tell.send(()).unwrap()));
    });
    told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it sleeps on"));
}

#[test]
fn a_wake_within_a_shard_is_a_local_one() {
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let before = stats();
        (0..10).for_each(|_| spawn(yield_now()).detach());
        spawn(yield_now()).await.unwrap();
        let after = stats();
        assert!(after.wakes_local >= before.wakes_local + 10);
        assert_eq!(after.wakes_remote, before.wakes_remote);
    });
}

#[test]
fn a_call_made_in_a_busy_turn_runs_while_shard_0_rests() {
    for (others, panics) in [(0, true), (300, false), (1_000, false), (300, true)] {
        let runtime = Runtime::builder().shards(2).build().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let main = || {
            runtime.block_on(async {
                (0..others).for_each(|_| spawn(async {}).detach());
                drop(run_on(1, move || tell.send(()).unwrap()));
                assert!(!panics, "as planned");
            })
        };
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(main));
        assert_eq!(left.is_err(), panics);
        told.recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{others} tasks, {panics}: it was not sent"));
    }
}

#[test]
fn more_calls_than_a_lane_holds_all_run_while_shard_0_rests() {
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        for _ in 0..5_000 {
            let ran = ran.clone();
            drop(run_on(1, move || ran.fetch_add(1, SeqCst)));
        }
    });
    let deadline = Instant::now() + PATIENCE;
    while ran.load(SeqCst) < 5_000 {
        assert!(Instant::now() < deadline, "{ran:?} of 5,000");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn work_whose_destructor_panics_does_not_stop_the_end() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("a destructor that panics");
            }
        }
    }
    let runtime = Runtime::builder().shards(1).build().unwrap();
    let handle = runtime.handle();
    let panics = Panics;
    let call = handle.submit_to(0, async move || drop(panics));
    drop(runtime);
    assert!(matches!(call.wait(), Err(CallError::ShardGone(_))));
}

#[test]
fn a_wait_for_ones_own_shard_panics_unless_the_output_is_there() {
    let runtime = Runtime::builder().shards(1).build().unwrap();
    let handle = runtime.handle();
    let ran = Arc::new(AtomicBool::new(false));
    let call = handle.submit_to(0, {
        let ran = ran.clone();
        async move || ran.store(true, SeqCst)
    });
    runtime.block_on(async {
        while !ran.load(SeqCst) {
            yield_now().await;
        }
    });
    call.wait().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| handle.submit_to(0, async || ()).wait()));
    let panic = *panic.unwrap_err().downcast::<&str>().unwrap();
    assert!(panic.contains("would wait forever"), "{panic}");
}

#[test]
fn a_sleep_without_end_is_one_sleep() {
    for forever in [Duration::MAX, Duration::from_secs(1 << 33), Duration::from_secs(1 << 34)] {
        let runtime = Runtime::builder().shards(2).build().unwrap();
        let parks = || run_on(1, || crate::stats().parks);
        let before = runtime.block_on(async {
            run_on(1, move || spawn(sleep(forever)).detach()).await.unwrap();
            parks().await.unwrap()
        });
        std::thread::sleep(Duration::from_millis(100));
        let parks = runtime.block_on(async { parks().await.unwrap() }) - before;
        assert!(parks < 10, "{parks} sleeps in a tenth of a second");
    }
}

/// Panics when it is dropped, whatever else goes on: to unwind would end the program.
struct Ruthless;

static RUTHLESS_DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Ruthless {
    fn drop(&mut self) {
        RUTHLESS_DROPPED.fetch_add(1, SeqCst);
        panic!("as planned");
    }
}

/// The destructor of an answer for which no one waits reaches no one: neither who drops the handle,
/// be it in the middle of a panic, nor the shard; it is counted.
#[test]
fn no_answer_that_is_given_up_reaches_who_drops_its_handle() {
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let handle = runtime.handle();
    let answer = async || Some(Ruthless);
    let mut expected = 0;
    for (unwinds, has_come) in [(false, false), (false, true), (true, false), (true, true)] {
        let counted = unobserved::count();
        let main = async {
            let _handles = (
                spawn(answer()),
                submit_to(1, answer),
                run_on(1, || Some(Ruthless)),
                handle.submit_to(1, answer),
            );
            if has_come {
                // What was sent later is answered later.
                submit_to(1, yield_now).await.unwrap();
                handle.submit_to(1, yield_now).await.unwrap();
            }
            assert!(!unwinds, "as planned");
        };
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(main);
        }));
        assert_eq!(left.is_err(), unwinds);
        expected += 4;
        let deadline = Instant::now() + PATIENCE;
        while RUTHLESS_DROPPED.load(SeqCst) < expected || unobserved::count() < counted + 4 {
            assert!(Instant::now() < deadline, "unwinds: {unwinds}, has come: {has_come}");
            runtime.block_on(async { submit_to(1, yield_now).await }).unwrap();
        }
    }
    // Both shards are as they were.
    assert_eq!(runtime.run(async || 7), [7, 7]);
}

/// The same goes for what an operation gives back: here a buffer, as it is done or when it is.
#[test]
fn a_buffer_that_comes_back_in_vain_reaches_no_one() {
    struct Buffer(Arc<AtomicUsize>);

    impl IoBuf for Buffer {
        fn as_init(&self) -> &[u8] {
            b"as planned"
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            panic!("as planned");
        }
    }

    for driver in kinds() {
        let runtime = Runtime::builder().shards(1).driver(driver).build().unwrap();
        let dropped = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            for (number, is_done) in [(1, true), (2, false)] {
                let (stream, mut peer) = full_stream();
                // On a slow machine the task may have used up its turn: the write begins all the
                // same.
                let mut write = Box::pin(unconstrained(stream.write(Buffer(dropped.clone()))));
                poll_fn(|cx| {
                    assert!(write.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                let mut last = 0;
                while is_done && last != b'd' {
                    if peer.read_exact(slice::from_mut(&mut last)).is_err() {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
                drop(write);
                while dropped.load(SeqCst) < number {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        });
    }
}

/// A stream that has no room for more until its peer, which does not block, has read something.
fn full_stream() -> (UnixStream, std::os::unix::net::UnixStream) {
    let (mut ours, peer) = std::os::unix::net::UnixStream::pair().unwrap();
    for socket in [&ours, &peer] {
        socket.set_nonblocking(true).unwrap();
    }
    while ours.write(&[0; 4096]).is_ok() {}
    (UnixStream::from_std(ours).unwrap(), peer)
}

#[test]
fn what_blocks_either_runs_or_was_given_up_and_its_handle_says_which() {
    let runtime = Runtime::builder().shards(2).blocking_threads(2).build().unwrap();
    let outcomes = runtime.run(async || {
        let ran = Arc::new(AtomicUsize::new(0));
        let mut told = 0;
        for number in 0..200 {
            let work = || {
                let ran = ran.clone();
                spawn_blocking(move || ran.fetch_add(1, SeqCst))
            };
            let (handle, other) = (work(), work());
            if number % 2 == 0 {
                yield_now().await;
            }
            handle.abort();
            told += usize::from(handle.await.is_ok()) + usize::from(other.await.is_ok());
        }
        (told, ran.load(SeqCst))
    });
    for (told, ran) in outcomes {
        assert_eq!(told, ran);
        assert!((200..=400).contains(&ran));
    }
}
