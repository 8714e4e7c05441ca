//! The futures toolkit on shards: cleanups that wait, loops that give way.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::ops::ControlFlow::{Break, Continue};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use miniss_linux::combine::{
    FutureExt, do_until, map_reduce, max_concurrent_for_each, parallel_for_each, repeat,
};
use miniss_linux::sync::{Barrier, Event};
use miniss_linux::time::{Duration, Instant, sleep, timeout};
use miniss_linux::{CurrentShard, Runtime, maybe_yield, spawn, stats, submit_to, yield_now};
use miniss_tests::deadline::deadline;

fn on_one_shard<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().shards(1).build().unwrap().block_on(body)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A cleanup that waits, then counts itself in `done`.
fn goodbye(done: &Rc<Cell<u32>>) -> impl Future<Output = ()> + use<> {
    let done = done.clone();
    async move {
        sleep(millis(2)).await;
        done.set(done.get() + 1);
    }
}

async fn until(done: &Cell<u32>, count: u32) {
    while done.get() < count {
        sleep(millis(1)).await;
    }
}

#[test]
fn a_cleanup_that_waits_runs_to_its_end_whatever_ends_the_work() {
    let _deadline = deadline("finally_on");
    on_one_shard(async {
        let done = Rc::new(Cell::new(0));
        let ok = ready(Ok::<_, ()>(1)).finally_on(CurrentShard, || goodbye(&done)).await;
        assert_eq!((ok, done.get()), (Ok(1), 1));
        let failed = ready(Err::<(), _>(2)).finally_on(CurrentShard, || goodbye(&done)).await;
        assert_eq!((failed, done.get()), (Err(2), 2));

        let endless = pending::<Result<(), ()>>().finally_on(CurrentShard, || goodbye(&done));
        assert!(timeout(millis(1), endless).await.is_err());
        assert_eq!(done.get(), 2, "it has only begun");
        until(&done, 3).await;

        let count = done.clone();
        let task = spawn(async move {
            let endless = pending::<Result<(), ()>>();
            endless.finally_on(CurrentShard, || goodbye(&count)).await
        });
        sleep(millis(1)).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        until(&done, 4).await;

        let count = done.clone();
        let task = spawn(async move {
            let panics = async { panic!("the work panics") };
            FutureExt::finally_on::<(), (), _>(panics, CurrentShard, || goodbye(&count)).await
        });
        assert!(task.await.is_err());
        until(&done, 5).await;
    });
}

#[test]
fn a_cleanup_cut_off_in_the_middle_goes_on() {
    let _deadline = deadline("finally_on, cut off");
    on_one_shard(async {
        let (done, may_end) = (Rc::new(Cell::new(0)), Rc::new(Event::new()));
        let cleanup = || {
            let (done, may_end) = (done.clone(), may_end.clone());
            async move {
                may_end.wait().await;
                done.set(done.get() + 1);
            }
        };
        let quick = ready(Ok::<(), ()>(())).finally_on(CurrentShard, cleanup);
        assert!(timeout(millis(1), quick).await.is_err(), "the cleanup takes longer");
        may_end.set();
        until(&done, 1).await;
        sleep(millis(5)).await;
        assert_eq!(done.get(), 1, "once");
    });
}

#[test]
#[should_panic(expected = "before the cleanup")]
fn a_cleanup_that_panics_is_not_taken_for_a_success() {
    let _deadline = deadline("finally_on, panic");
    on_one_shard(async {
        let panics = async || assert!(std::hint::black_box(false), "the cleanup panics");
        let _ = ready(Ok::<(), ()>(())).finally_on(CurrentShard, panics).await;
    });
}

#[test]
fn a_cleanup_too_large_for_a_task_slot_is_boxed() {
    let _deadline = deadline("finally_on, large");
    on_one_shard(async {
        let total = Rc::new(Cell::new(0));
        let (sum, ballast) = (total.clone(), [7_u8; 4096]);
        let cleanup = async move || {
            sleep(millis(1)).await;
            sum.set(ballast.iter().map(|byte| u32::from(*byte)).sum());
        };
        ready(Ok::<(), ()>(())).finally_on(CurrentShard, cleanup).await.unwrap();
        assert_eq!(total.get(), 7 * 4096);
    });
}

#[test]
fn the_end_of_the_runtime_starts_the_cleanup_in_place() {
    let _deadline = deadline("finally_on, at the end");
    let (begun, cleaned) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let count = |counter: &Arc<AtomicU32>| {
        let counter = counter.clone();
        move || _ = counter.fetch_add(1, Relaxed)
    };
    let runtime = Runtime::builder().shards(2).build().unwrap();
    runtime.block_on(async {
        for shard in 0..2 {
            let (begin, clean) = (count(&begun), count(&cleaned));
            let endless = async move {
                begin();
                pending::<Result<(), ()>>().await
            };
            let leave_behind = async move || {
                let clean = async move || clean();
                spawn(endless.finally_on(CurrentShard, clean)).detach();
            };
            submit_to(shard, leave_behind).await.unwrap();
        }
        while begun.load(Relaxed) < 2 {
            sleep(millis(1)).await;
        }
    });
    assert_eq!(cleaned.load(Relaxed), 0);
    drop(runtime);
    assert_eq!(cleaned.load(Relaxed), 2);
}

/// Work that no timer interrupts.
fn spin(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        std::hint::spin_loop();
    }
}

fn ticker() -> Rc<Cell<u32>> {
    let ticks = Rc::new(Cell::new(0));
    let count = ticks.clone();
    spawn(async move {
        loop {
            sleep(millis(1)).await;
            count.set(count.get() + 1);
        }
    })
    .detach();
    ticks
}

#[test]
fn long_work_that_asks_lets_a_ticker_tick_and_short_work_does_not_stop() {
    let _deadline = deadline("maybe_yield");
    on_one_shard(async {
        let ticks = ticker();
        while ticks.get() < 50 {
            spin(Duration::from_micros(10));
            maybe_yield().await;
        }

        // A stall of the machine may use up a turn, but not every turn.
        for _ in 0..100 {
            yield_now().await;
            let mut short = std::pin::pin!(async {
                for _ in 0..10 {
                    maybe_yield().await;
                }
            });
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            if short.as_mut().poll(&mut cx).is_ready() {
                return;
            }
        }
        panic!("a short loop gave way each time");
    });
}

#[test]
fn loops_of_the_toolkit_let_a_ticker_tick() {
    let _deadline = deadline("do_until");
    on_one_shard(async {
        let ticks = ticker();
        let work = async || {
            spin(Duration::from_micros(10));
            Ok::<(), ()>(())
        };
        do_until(CurrentShard, || ticks.get() == 50, work).await.unwrap();
        let work = async || {
            spin(Duration::from_micros(10));
            if ticks.get() >= 100 { Break("done") } else { Continue(()) }
        };
        assert_eq!(repeat(CurrentShard, work).await, "done");
    });
}

#[test]
fn many_at_once_on_the_timers_of_a_shard() {
    let _deadline = deadline("for each");
    on_one_shard(async {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let each = async |index: u64| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            sleep(Duration::from_micros(100 + index % 7 * 50)).await;
            running.set(running.get() - 1);
            if index == 13 { Err(index) } else { Ok(()) }
        };
        assert_eq!(max_concurrent_for_each(0..200, 8, each).await, Err(13));
        assert_eq!((most.take(), running.get()), (8, 0));
        // None ends before all have begun.
        let all = Barrier::new(200);
        let each_of_all = async |index| {
            all.wait().await;
            each(index).await
        };
        assert_eq!(parallel_for_each(0..200, each_of_all).await, Err(13));
        assert_eq!((running.get(), stats().timers_armed), (0, 0));

        let late_first = async |index: u64| {
            sleep(Duration::from_micros(2_000 - index * 100)).await;
            index
        };
        let in_order = map_reduce(0..20, late_first, Vec::new(), |mut list, index| {
            list.push(index);
            list
        });
        assert_eq!(in_order.await, (0..20).collect::<Vec<_>>());
    });
}
