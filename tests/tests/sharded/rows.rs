//! Rows of the failure catalogue that no tool is the subject of: what surrounds the shards, and
//! what all of them stand on. Scenarios S6, S7, S10, S13, T8, T14.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::poll;
use miniss_linux::sharded::{ServiceGroup, invoke_on_all};
use miniss_linux::time::sleep;
use miniss_linux::topology::allowed_cpus;
use miniss_linux::{CallError, Runtime, run_on, spawn, stats, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::{counted, resident_bytes};
use miniss_tests::deadline::SOON;
use miniss_tests::drivers::drivers;
use miniss_tests::kernel;

use super::{Count, on_shard_0, runtime, soon};

#[test]
fn s6_s7_the_affinity_mask_changes_while_more_shards_than_cpus_run() {
    alone("rows::s6_s7_the_affinity_mask_changes_while_more_shards_than_cpus_run", || {
        let all = allowed_cpus().unwrap();
        let (first, last) = (all[0], all[all.len() - 1]);
        for driver in drivers() {
            let builder = Runtime::builder().shards(5).driver(driver).shutdown_timeout(SOON);
            let runtime = builder.build().unwrap();
            runtime.block_on(counted(async {
                let calling = spawn(async {
                    for _ in 0..200 {
                        let calls = invoke_on_all(async || yield_now().await);
                        assert_eq!(soon(calls).await.unwrap().len(), 5);
                    }
                });
                // From one CPU to another and back, shard after shard, and all of them at once.
                for cpus in [[last], [first], [last]] {
                    for shard in 0..5 {
                        let mask = soon(run_on(shard, move || {
                            kernel::allow_cpus(&cpus).unwrap();
                            allowed_cpus().unwrap()
                        }));
                        assert_eq!(mask.await.unwrap(), cpus);
                    }
                    sleep(Duration::from_millis(1)).await;
                }
                let freed = all.clone();
                let free = invoke_on_all(async move || kernel::allow_cpus(&freed).unwrap());
                soon(free).await.unwrap();
                soon(calling).await.unwrap();
            }));
        }
    });
}

#[test]
fn s10_s13_while_a_shard_blocks_for_two_seconds_others_work_and_memory_is_bounded() {
    static GROUP: ServiceGroup =
        ServiceGroup::new("blocked", 1, 8).queue_timeout(Duration::from_millis(1));
    /// Two shards may call the one that blocks.
    const IN_FLIGHT: usize = 8 / 2;
    const BLOCK: Duration = Duration::from_secs(2);
    /// More than what is in flight takes, and far less than what is refused.
    const MEMORY: u64 = 16 << 20;
    let call = |ran: &Count| {
        let (ran, load) = (ran.clone(), vec![7_u8; 1 << 20]);
        GROUP.submit_to(1, async move || {
            ran.add();
            load.len()
        })
    };
    alone(
        "rows::s10_s13_while_a_shard_blocks_for_two_seconds_others_work_and_memory_is_bounded",
        || {
            runtime(3).block_on(counted(async {
                let busy = || stats().busy;
                let (before, memory) = (run_on(1, busy).await.unwrap(), resident_bytes());
                let (blocked, ran) = (Count::default(), Count::default());
                let ends = blocked.clone();
                let block = run_on(1, move || {
                    thread::sleep(BLOCK);
                    ends.add();
                });
                let mut in_flight: Vec<_> = (0..IN_FLIGHT).map(|_| Box::pin(call(&ran))).collect();
                for call in &mut in_flight {
                    assert!(poll!(call).is_pending(), "it has room, and waits for the answer");
                }
                let mut refused = 0;
                while blocked.value() == 0 {
                    match soon(call(&ran)).await {
                        Err(CallError::QueueTimedOut(_)) => refused += 1,
                        outcome => assert!(outcome.is_ok() && blocked.value() > 0, "{outcome:?}"),
                    }
                    assert_eq!(soon(run_on(2, || 5)).await.unwrap(), 5);
                    assert!(resident_bytes() < memory + MEMORY, "what is refused is gone");
                }
                assert!(refused > 0 && ran.value() <= IN_FLIGHT + 1);
                soon(block).await.unwrap();
                for call in in_flight {
                    assert_eq!(soon(call).await.unwrap(), 1 << 20);
                }
                let after = soon(run_on(1, busy)).await.unwrap();
                assert!(after - before >= BLOCK, "the metrics show it: {:?}", after - before);
            }));
        },
    );
}

#[test]
fn t8_a_task_has_as_many_wakers_as_anyone_clones() {
    /// Beyond what 16 bits can count, with their sign or without.
    const LIVE: usize = 100_000;
    on_shard_0("T8", 1, async || {
        let (mut wakers, mut is_first) = (Vec::new(), true);
        let task = poll_fn(|cx| {
            if std::mem::replace(&mut is_first, false) {
                wakers.extend((0..LIVE).map(|_| cx.waker().clone()));
                // And ten times as many that come and go.
                (0..10 * LIVE).for_each(|_| drop(cx.waker().clone()));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        soon(task).await;
        let before = stats().polls;
        wakers.iter().for_each(Waker::wake_by_ref);
        // Of all these wakes comes one poll.
        yield_now().await;
        assert!(stats().polls - before < 10);
        drop(wakers);
    });
}

#[test]
fn t14_an_abort_that_races_the_end_of_a_task_has_one_outcome() {
    on_shard_0("T14", 2, async || {
        let (mut done, mut cancelled) = (0, 0);
        for round in 0..2_000 {
            let value = Count::default();
            let kept = value.clone();
            let task = spawn(async move {
                for _ in 0..round % 4 {
                    yield_now().await;
                }
                kept.add();
                round
            });
            let handle = task.abort_handle().expect("it has just begun");
            let abort = run_on(1, move || handle.abort());
            for _ in 0..round % 7 {
                yield_now().await;
            }
            match soon(task).await {
                Ok(output) => {
                    assert_eq!((output, value.value()), (round, 1));
                    done += 1;
                }
                Err(error) => {
                    assert!(error.is_cancelled(), "{error}");
                    cancelled += 1;
                }
            }
            soon(abort).await.unwrap();
            // The one in the task is gone, whichever it was.
            assert_eq!(std::sync::Arc::strong_count(&value.0), 1);
        }
        assert_eq!(done + cancelled, 2_000);
        println!("{done} came first, {cancelled} did not");
    });
}
