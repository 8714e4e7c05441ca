//! A clock that stands still: hours take no time, and what is in progress elsewhere comes first.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use miniss_linux::time::{Duration, Instant, advance, interval, sleep, sleep_until, timeout};
use miniss_linux::{
    BuildError, Runtime, maybe_yield, need_preempt, spawn, spawn_blocking, yield_now,
};
use miniss_tests::census::counted;
use miniss_tests::random::Random;
use miniss_tests::sockets::both_ends;

use crate::harness::with_each_driver;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs `case` on the one shard of a runtime of each driver, whose clock stands.
#[track_caller]
fn paused(case: impl AsyncFn()) {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).start_paused(true).build().unwrap();
        runtime.block_on(counted(case()));
    });
}

#[test]
fn a_hundred_tasks_sleep_for_days_in_order_and_to_the_nanosecond() {
    paused(async || {
        let (start, mut random) = (Instant::now(), Random::new());
        let woken = Rc::new(RefCell::new(Vec::new()));
        let nap = |delay: Duration| {
            let woken = woken.clone();
            spawn(async move {
                sleep(delay).await;
                assert_eq!(start.elapsed(), delay);
                woken.borrow_mut().push(delay);
            })
        };
        let mut delays = Vec::new();
        for _ in 0..100 {
            delays.push(Duration::from_nanos(random.below(400_000_000_000_000) + 1));
        }
        for nap in delays.iter().map(|&delay| nap(delay)).collect::<Vec<_>>() {
            nap.await.unwrap();
        }
        delays.sort();
        assert_eq!(*woken.borrow(), delays);
    });
}

#[test]
fn timeouts_ticks_and_deadlines_are_exact() {
    paused(async || {
        let start = Instant::now();
        let never = std::future::pending::<()>();
        assert!(timeout(HOUR, never).await.is_err());
        assert_eq!(start.elapsed(), HOUR);
        assert_eq!(timeout(HOUR, async { sleep(HOUR / 2).await }).await, Ok(()));
        assert_eq!(start.elapsed(), HOUR * 3 / 2);
        let mut ticks = interval(HOUR);
        for number in 0..48 {
            ticks.tick().await;
            assert_eq!(start.elapsed(), HOUR * 3 / 2 + HOUR * number);
        }
        sleep_until(start + HOUR * 100).await;
        assert_eq!(start.elapsed(), HOUR * 100);
        // Time that no one waits for does not pass.
        thread::sleep(Duration::from_millis(2));
        assert_eq!(start.elapsed(), HOUR * 100);
    });
}

#[test]
fn what_is_advanced_over_is_due_and_what_comes_later_is_not() {
    paused(async || {
        let naps = Rc::new(Cell::new(0));
        for hours in 1..=3 {
            let naps = naps.clone();
            spawn(async move {
                sleep(HOUR * hours).await;
                naps.set(naps.get() + 1);
            })
            .detach();
        }
        // They begin to wait.
        sleep(Duration::from_nanos(1)).await;
        for (by, woken) in [(HOUR / 2, 0), (HOUR / 2, 1), (HOUR * 2 - HOUR / 100, 2), (HOUR, 3)] {
            advance(by).await;
            // In whichever order ready tasks are polled.
            while naps.get() < woken {
                yield_now().await;
            }
            assert_eq!(naps.get(), woken);
        }
        advance(Duration::ZERO).await;
    });
}

#[test]
fn while_threads_work_the_clock_stays_where_it_is() {
    paused(async || {
        let start = Instant::now();
        let work = || spawn_blocking(|| thread::sleep(Duration::from_millis(30)));
        timeout(Duration::from_millis(1), work()).await.expect("it takes no time").unwrap();
        // Also when others sleep meanwhile.
        let nap = spawn(sleep(HOUR));
        timeout(Duration::from_millis(1), work()).await.expect("it takes no time").unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        nap.await.unwrap();
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn a_loop_that_gives_way_when_its_time_is_over_gives_way() {
    paused(async || {
        let is_set = Rc::new(Cell::new(false));
        let sets = is_set.clone();
        spawn(async move { sets.set(true) }).detach();
        while !is_set.get() {
            maybe_yield().await;
        }
        assert!(need_preempt());
    });
}

#[test]
fn sockets_and_sleeps_go_on_beside_one_another() {
    paused(async || {
        let (server, client) = both_ends().await.unwrap();
        let echo = spawn(async move {
            loop {
                let bytes = server.recv().await.unwrap();
                if bytes.is_empty() {
                    return;
                }
                sleep(HOUR).await;
                server.write_all(bytes).await.0.unwrap();
            }
        });
        let start = Instant::now();
        for number in 0..50_u8 {
            client.write_all([number]).await.0.unwrap();
            assert_eq!(client.recv().await.unwrap()[..], [number]);
        }
        assert!(start.elapsed() >= 50 * HOUR);
        drop(client);
        echo.await.unwrap();
    });
}

#[test]
fn what_the_kernel_has_in_progress_gets_a_moment_at_each_step() {
    const STEPS: u32 = 20;
    paused(async || {
        let (server, client) = both_ends().await.unwrap();
        let waits = spawn(async move { server.recv().await.map(|bytes| bytes.len()) });
        // It begins to wait.
        yield_now().await;
        let start = std::time::Instant::now();
        for _ in 0..STEPS {
            sleep(HOUR).await;
        }
        assert!(start.elapsed() >= STEPS * Duration::from_millis(1));
        assert!(!waits.is_finished());
        drop(client);
        assert_eq!(waits.await.unwrap().unwrap(), 0);
    });
}

#[test]
fn the_clock_is_that_of_one_runtime_alone() {
    with_each_driver(|builder| {
        let before = Instant::now();
        let paused = builder.clone().shards(1).start_paused(true).build().unwrap();
        let real = builder.shards(1).build().unwrap();
        let end = paused.block_on(async {
            sleep(HOUR).await;
            Instant::now()
        });
        assert!(end >= before + HOUR);
        // Outside, and in the other, no hour has passed; inside, the clock stands where it stood.
        assert!(Instant::now() < end);
        let nap = Duration::from_millis(2);
        real.block_on(async {
            let start = Instant::now();
            assert!(start < end);
            sleep(nap).await;
            assert!(start.elapsed() >= nap && Instant::now() < end);
        });
        assert_eq!(paused.block_on(async { Instant::now() }), end);
        drop(paused);
        // The next one in its place has a clock that goes.
        let start = std::time::Instant::now();
        real.block_on(sleep(nap));
        assert!(start.elapsed() >= nap);
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    with_each_driver(|builder| {
        let refused = builder.clone().shards(2).start_paused(true).build().unwrap_err();
        assert!(matches!(&refused, BuildError::InvalidConfig(why) if why.contains("`shards(1)`")));
        let runtime: Runtime = builder.shards(1).build().unwrap();
        let advanced = catch_unwind(AssertUnwindSafe(|| runtime.block_on(advance(HOUR))));
        let why = advanced.unwrap_err();
        let why = why.downcast_ref::<String>().map_or("", |why| why);
        assert!(why.contains("start_paused(true)"), "{why}");
    });
}
