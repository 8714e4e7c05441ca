//! Much more, much larger or much longer than usual. Scenarios S10, T11, T15.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Budget, Runtime, ShardId, run_on, spawn, stats, submit_to, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::sockets::both_ends;

const LONG: Duration = SOON;

/// Tells when it is dropped.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn s10_a_shard_that_stalls_is_left_behind_by_the_end_and_the_others_are_unharmed() {
    alone("s10_a_shard_that_stalls_is_left_behind_by_the_end_and_the_others_are_unharmed", || {
        let limit = Duration::from_millis(200);
        let builder = Runtime::builder().shards(3).shutdown_timeout(limit);
        let runtime = builder.build().unwrap();
        let (stalls, gone) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (end_stall, stall_ends) = mpsc::channel::<()>();
        runtime.block_on(async {
            let (tell, guard) = (stalls.clone(), Gone(Arc::clone(&gone)));
            let stalled = submit_to(1, async move || {
                let _guard = guard;
                // A handle on a shard that will be gone when this goes on.
                let call = submit_to(2, async || 5);
                tell.store(true, Ordering::Release);
                stall_ends.recv().unwrap();
                call.await.is_ok()
            });
            while !stalls.load(Ordering::Acquire) {
                sleep(Duration::from_millis(1)).await;
            }
            for _ in 0..100 {
                assert_eq!(submit_to(2, async || 6).await.unwrap(), 6);
            }
            drop(stalled);
        });
        drop(runtime);
        assert!(!gone.load(Ordering::Acquire), "the end waited for the shard that stalls");
        let next = Runtime::builder().shards(3).build().unwrap();
        assert_eq!(next.run(async || submit_to(1, async || 7).await.unwrap()), [7; 3]);
        end_stall.send(()).unwrap();
        while !gone.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(next.run(async || submit_to(1, async || 8).await.unwrap()), [8; 3]);
    });
}

#[test]
fn times_without_end_end_no_runtime_early_and_harm_nothing() {
    /// Tells where it is dropped.
    struct Place(mpsc::Sender<Option<ShardId>>);
    impl Drop for Place {
        fn drop(&mut self) {
            self.0.send(ShardId::try_current()).unwrap();
        }
    }
    let _deadline = deadline("times without end");
    let nanos_max = Duration::from_nanos(u64::MAX);
    let longer = nanos_max + Duration::from_nanos(1);
    for time in [Duration::MAX, longer, nanos_max, nanos_max / 2, Duration::from_secs(1 << 62)] {
        let (tell, places) = mpsc::channel();
        let builder = Runtime::builder().shards(2).shutdown_timeout(time).idle_spin(time);
        let runtime = builder.call_spin(time).build().unwrap();
        runtime.run(async move || {
            for other in 0..2 {
                (0..100).for_each(|_| drop(run_on(other, || 5)));
                assert_eq!(submit_to(other, async || 5).await.unwrap(), 5);
            }
            let place = Place(tell);
            spawn(async move {
                sleep(time).await;
                drop(place);
            })
            .detach();
            yield_now().await;
        });
        drop(runtime);
        let mut places: Vec<_> = places.iter().collect();
        places.sort();
        assert_eq!(places, [Some(ShardId::new(0)), Some(ShardId::new(1))], "{time:?}");
    }
}

#[test]
fn the_smallest_and_the_largest_budgets_get_everything_done() {
    let _deadline = deadline("budgets");
    for polls_max in [0, 1, u32::MAX] {
        for time_max in [Duration::ZERO, Duration::MAX] {
            let mut budget = Budget::default();
            (budget.polls_max, budget.time_max) = (polls_max, time_max);
            let runtime = Runtime::builder().shards(2).budget(budget).build().unwrap();
            let done = runtime.run(async || {
                let (server, client) = both_ends().await.unwrap();
                let tasks: Vec<_> = (0..100).map(|_| spawn(yield_now())).collect();
                client.write_all("ping").await.0.unwrap();
                assert_eq!(server.read_exact([0; 4]).await.1, *b"ping");
                for task in tasks {
                    task.await.unwrap();
                }
                sleep(Duration::from_millis(1)).await;
                submit_to(0, async || 1).await.unwrap() + submit_to(1, async || 1).await.unwrap()
            });
            assert_eq!(done, [2, 2], "{budget:?}");
        }
    }
}

/// As aligned as a page.
#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Page([u8; 4096]);

#[test]
fn large_aligned_and_empty_values_travel_unharmed() {
    let _deadline = deadline("odd values");
    let runtime = Runtime::builder().shards(2).build().unwrap();
    runtime.block_on(async {
        for shard in [0, 1] {
            let page = Page([shard as u8 + 7; 4096]);
            let back = submit_to(shard, async move || {
                yield_now().await;
                page
            });
            let back = back.await.unwrap();
            assert_eq!(back.0, page.0);
            assert_eq!(std::ptr::from_ref(&back).addr() % 4096, 0);
            assert_eq!(run_on(shard, move || page).await.unwrap().0, page.0);
            submit_to(shard, async || ()).await.unwrap();
            let large = [shard as u64; 1000];
            assert_eq!(submit_to(shard, async move || large).await.unwrap(), large);
            let task = spawn(async move {
                let held = (page, large);
                yield_now().await;
                held
            });
            let (page_back, large_back) = task.await.unwrap();
            assert!(page_back.0 == page.0 && large_back == large);
        }
    });
}

#[test]
fn t15_two_hundred_thousand_parked_tasks_all_wake() {
    let _deadline = deadline("T15");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let live = stats().tasks_live;
        let wakers: Rc<Cell<Vec<Waker>>> = Rc::default();
        let park = |_| {
            let (wakers, mut parked) = (wakers.clone(), false);
            spawn(poll_fn(move |cx| {
                if std::mem::replace(&mut parked, true) {
                    return Poll::Ready(());
                }
                let mut all = wakers.take();
                all.push(cx.waker().clone());
                wakers.set(all);
                Poll::Pending
            }))
        };
        let tasks: Vec<_> = (0..200_000).map(park).collect();
        let mut parked = Vec::new();
        while parked.len() < tasks.len() {
            sleep(Duration::from_millis(1)).await;
            parked.append(&mut wakers.take());
        }
        for waker in parked {
            waker.wake_by_ref();
            waker.wake();
        }
        for task in tasks {
            timeout(LONG, task).await.expect("each is woken").unwrap();
        }
        assert_eq!(stats().tasks_live, live);
    });
}

#[test]
fn t11_a_chain_of_a_hundred_thousand_tasks_needs_no_deep_stack() {
    fn chain(rest: u32) -> Pin<Box<dyn Future<Output = u32>>> {
        Box::pin(async move {
            match rest {
                0 => 0,
                _ => spawn(chain(rest - 1)).await.unwrap() + 1,
            }
        })
    }
    let _deadline = deadline("T11");
    let runtime = Runtime::builder().shards(2).stack_bytes(256 << 10).build().unwrap();
    let lengths = runtime.run(async || spawn(chain(100_000)).await.unwrap());
    assert_eq!(lengths, [100_000; 2]);
}

#[test]
fn a_call_that_calls_on_and_on_a_thousand_deep_comes_back() {
    type Boxed = Pin<Box<dyn Future<Output = u32>>>;
    fn deeper(rest: u32) -> Boxed {
        let next = move || async move || deeper(rest - 1).await;
        Box::pin(async move {
            match rest {
                0 => 0,
                _ => submit_to(rest as usize % 2, next()).await.unwrap() + 1,
            }
        })
    }
    let _deadline = deadline("deep calls");
    let runtime = Runtime::builder().shards(2).build().unwrap();
    assert_eq!(runtime.block_on(async { deeper(1000).await }), 1000);
}
