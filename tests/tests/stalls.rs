//! Polls that hold a shard are reported while they do: which task, and where its code stands. What
//! waits, or has nothing to do, is not.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use log::Level;
use miniss_linux::diagnostics::{Event, count};
use miniss_linux::sharded::SchedulingGroup;
use miniss_linux::task::spawn_named;
use miniss_linux::time::sleep;
use miniss_linux::{Runtime, run_on, spawn, spawn_blocking, stats, submit_to, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::drivers::drivers;
use miniss_tests::logger::{Logger, install};

/// A stall, and the time after which it counts as one.
const LIMIT: Duration = Duration::from_millis(5);
/// So long that nothing but what is planned is held for it, on whatever machine: where the first
/// line counts, which is the only one for a while.
const LONG: Duration = Duration::from_millis(500);

/// Where lines about stalls go.
const TARGET: &str = "miniss_linux::runtime";

/// Blocks the thread until another stall than those before is known.
#[inline(never)]
fn block_the_shard(before: u64) {
    while count(Event::Stalled) == before {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Blocks the thread until a line about a stall is written: the count is raised before anyone looks
/// where the thread is. A line about the driver may be there from the start.
#[inline(never)]
fn block_until_it_is_written(logger: &Logger) {
    while logger.lines_of(TARGET).is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The first line about a stall. It is there soon: the count is raised before it is written.
fn first_line(logger: &Logger) -> String {
    loop {
        match &logger.lines_of(TARGET)[..] {
            [] => thread::sleep(Duration::from_millis(1)),
            [(level, line), ..] => {
                assert_eq!(*level, Level::Warn);
                return line.clone();
            }
        }
    }
}

#[test]
fn a_task_that_blocks_its_shard_is_named_with_its_code() {
    alone("a_task_that_blocks_its_shard_is_named_with_its_code", || {
        let logger = install(|| {});
        let runtime = Runtime::builder().shards(2).stall_limit(LONG).build().unwrap();
        let site = line!() + 2;
        runtime.block_on(async {
            let blocks = async || spawn(async { block_until_it_is_written(logger) }).await.unwrap();
            submit_to(1, blocks).await.unwrap();
        });
        let line = first_line(logger);
        for part in ["shard 1 ", &format!("stalls.rs:{site}:"), "block_until"] {
            assert!(line.contains(part), "{part} is missing in: {line}");
        }
        for part in ["poll_task", "restore_rt", "backtrace", "block_on"] {
            assert!(!line.contains(part), "{part} is in: {line}");
        }
    });
}

#[test]
fn a_task_that_has_a_name_is_named_by_it() {
    alone("a_task_that_has_a_name_is_named_by_it", || {
        let logger = install(|| {});
        let runtime = Runtime::builder().shards(1).stall_limit(LONG).build().unwrap();
        let site = line!() + 2;
        runtime.block_on(async {
            spawn_named("blocker", async { block_until_it_is_written(logger) }).await.unwrap();
        });
        let line = first_line(logger);
        let place = format!("stalls.rs:{site}:");
        for part in ["the task `blocker`, spawned at ", &place, "block_until"] {
            assert!(line.contains(part), "{part} is missing in: {line}");
        }
        assert!(!line.contains("Named"), "{line}");
    });
}

#[test]
fn the_scheduling_group_of_what_blocks_is_named_and_its_stalls_are_counted() {
    alone("the_scheduling_group_of_what_blocks_is_named_and_its_stalls_are_counted", || {
        let logger = install(|| {});
        let runtime = Runtime::builder().shards(1).stall_limit(LONG).build().unwrap();
        runtime.block_on(async {
            let group = SchedulingGroup::create("a sweep", 100).await.unwrap();
            // The first group counts from the next turn on.
            yield_now().await;
            let blocks = || spawn(async { block_until_it_is_written(logger) });
            group.with(blocks).unwrap().await.unwrap();
            sleep(Duration::from_millis(1)).await;
            let stalls = (stats().stalls, group.stats().unwrap().stalls);
            assert!(stalls.0 >= 1 && stalls.1 >= 1, "{stalls:?}");
        });
        let line = first_line(logger);
        assert!(line.contains(", of the group a sweep"), "{line}");
    });
}

#[test]
fn each_stall_counts_once_however_long_it_is_and_few_are_written() {
    alone("each_stall_counts_once_however_long_it_is_and_few_are_written", || {
        let logger = install(|| {});
        let start = Instant::now();
        let runtime = Runtime::builder().shards(1).stall_limit(LIMIT).build().unwrap();
        for stalls in 0..4 {
            runtime.block_on(async {
                spawn(async move {
                    block_the_shard(stalls);
                    thread::sleep(10 * LIMIT);
                })
                .await
                .unwrap();
            });
        }
        // On a machine that gives no time to the shard, the rest of it may look held, too.
        assert!(count(Event::Stalled) >= 4);
        drop(runtime);
        let lines = logger.lines_of(TARGET).len() as u64;
        let lines_max = 1 + start.elapsed().as_secs() / 12;
        assert!(1 <= lines && lines <= lines_max, "{lines} lines");
    });
}

#[test]
fn a_stall_of_the_main_future_and_of_a_destructor_at_the_end_are_seen() {
    alone("a_stall_of_the_main_future_and_of_a_destructor_at_the_end_are_seen", || {
        struct Blocks(u64);
        impl Drop for Blocks {
            fn drop(&mut self) {
                block_the_shard(self.0);
            }
        }
        let runtime = Runtime::builder().shards(2).stall_limit(LIMIT).build().unwrap();
        runtime.block_on(async { block_the_shard(0) });
        runtime.block_on(async {
            let leaves = async || {
                let blocks = Blocks(count(Event::Stalled));
                spawn(async move {
                    std::future::pending::<()>().await;
                    drop(blocks);
                })
                .detach();
            };
            submit_to(1, leaves).await.unwrap();
        });
        drop(runtime);
        assert!(count(Event::Stalled) >= 2);
    });
}

#[test]
fn sleep_and_what_runs_between_two_block_ons_is_no_stall() {
    alone("sleep_and_what_runs_between_two_block_ons_is_no_stall", || {
        // So long that only what does not move at all would count.
        let limit = Duration::from_secs(1);
        for driver in drivers() {
            let builder = Runtime::builder().shards(2).driver(driver).stall_limit(limit);
            let runtime = builder.build().unwrap();
            runtime.block_on(async {
                let blocks = spawn_blocking(move || thread::sleep(2 * limit));
                sleep(2 * limit).await;
                blocks.await.unwrap();
                run_on(1, || ()).await.unwrap();
            });
            thread::sleep(2 * limit);
        }
        assert_eq!(count(Event::Stalled), 0);
    });
}

#[test]
fn a_handler_of_the_program_for_the_signal_is_left_alone() {
    static RECEIVED: AtomicBool = AtomicBool::new(false);
    alone("a_handler_of_the_program_for_the_signal_is_left_alone", || {
        let logger = install(|| {});
        let runtime = Runtime::builder().shards(1).stall_limit(LONG).build().unwrap();
        runtime.block_on(async {
            use miniss_linux::signal::{SignalKind, signal};
            let urgent = signal(SignalKind::from_raw(libc::SIGURG)).unwrap();
            spawn(async move {
                urgent.recv().await.unwrap();
                RECEIVED.store(true, Relaxed);
            })
            .detach();
            spawn(async { block_the_shard(0) }).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        });
        assert!(!RECEIVED.load(Relaxed), "the program got a signal that was ours");
        assert!(first_line(logger).contains("SIGURG"));
    });
}
