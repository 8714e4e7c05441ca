//! Scheduling groups on shards: shares of the time, and the way of a task's group.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use miniss_linux::sharded::{SchedulingGroup, invoke_on_all, switch_to};
use miniss_linux::sync::Event;
use miniss_linux::time::sleep;
use miniss_linux::{GroupError, run_on, spawn, submit_to, yield_now};

use super::{Count, kill, on_shard_0, soon, until};

/// Keeps the processor busy, as code that computes does.
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

/// How long the executor has run tasks of the group on this shard.
fn busy(group: SchedulingGroup) -> f64 {
    group.stats().unwrap().busy.as_secs_f64()
}

/// The executor's own account, for the machine may do other things meanwhile: as it goes on, what
/// it charges one group too much for is made good.
#[test]
fn busy_groups_share_the_time_of_a_shard_as_their_shares_say() {
    on_shard_0("shares", 1, async || {
        let large = SchedulingGroup::create("large", 1000).await.unwrap();
        let small = SchedulingGroup::create("small", 100).await.unwrap();
        for group in [large, small] {
            let busy = async || {
                loop {
                    work(Duration::from_micros(20));
                    yield_now().await;
                }
            };
            group.with(|| spawn(busy()).detach()).unwrap();
        }
        for shares in [100, 500] {
            small.set_shares(shares).await.unwrap();
            let before = [large, small].map(busy);
            let wanted = 1000.0 / f64::from(shares);
            let settled = async {
                loop {
                    sleep(Duration::from_millis(20)).await;
                    let had = [busy(large) - before[0], busy(small) - before[1]];
                    let off = had[0] / had[1] / wanted;
                    if had[0] + had[1] > 0.2 && (0.9..1.1).contains(&off) {
                        break;
                    }
                }
            };
            soon(settled).await;
        }
    });
}

#[test]
fn a_group_beside_a_busy_one_waits_no_longer_than_a_turn() {
    on_shard_0("a quick group", 1, async || {
        const BUSY: usize = 2_000;
        let batch = SchedulingGroup::create("batch", 100).await.unwrap();
        let quick = SchedulingGroup::create("quick", 1000).await.unwrap();
        let (polls, set_at) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let event = Rc::new(Event::new());
        // Each has the next one woken, so all of them are ready most of the time.
        let ring: Rc<Vec<Event>> = Rc::new((0..BUSY).map(|_| Event::new()).collect());
        for me in 0..BUSY {
            let (polls, set_at) = (polls.clone(), set_at.clone());
            let (event, ring) = (event.clone(), ring.clone());
            let task = async move {
                loop {
                    polls.set(polls.get() + 1);
                    if polls.get() % 300 == 0 && !event.is_set() {
                        set_at.set(polls.get());
                        event.set();
                    }
                    ring[(me + 1) % BUSY].set();
                    ring[me].wait().await;
                    ring[me].reset();
                }
            };
            batch.with(|| spawn(task).detach()).unwrap();
        }
        let waits = quick.with(|| {
            let polls = polls.clone();
            spawn(async move {
                let mut waited = Vec::new();
                while waited.len() < 200 {
                    event.wait().await;
                    event.reset();
                    waited.push(polls.get() - set_at.get());
                }
                waited
            })
        });
        let mut waits = soon(waits.unwrap()).await.unwrap();
        waits.sort();
        // Not each: what the machine does meanwhile counts as the group's own time, too.
        let median = waits[waits.len() / 2];
        assert!(median <= 256, "{median} polls came first: more than a turn has, of {BUSY} tasks");
        let stats = quick.stats().unwrap();
        assert!(stats.delays.count() >= 200, "each wait is in the histogram");
    });
}

#[test]
fn tasks_and_calls_are_in_the_group_of_the_task_that_makes_them() {
    on_shard_0("inheritance", 3, async || {
        let group = SchedulingGroup::create("group", 300).await.unwrap();
        let here = async || SchedulingGroup::current();
        assert_eq!(switch_to(group).await, Ok(SchedulingGroup::MAIN));
        assert_eq!(spawn(here()).await.unwrap(), group);
        let nested = async move || submit_to(2, here).await.unwrap();
        assert_eq!(soon(submit_to(1, nested)).await.unwrap(), group);
        assert_eq!(soon(run_on(1, SchedulingGroup::current)).await.unwrap(), group);
        assert_eq!(soon(invoke_on_all(here)).await.unwrap(), [group; 3]);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(SchedulingGroup::current(), group, "a timer leaves it where it was");
        assert_eq!(switch_to(SchedulingGroup::MAIN).await, Ok(group));
        assert_eq!(soon(submit_to(1, here)).await.unwrap(), SchedulingGroup::MAIN);
        let shares = async move || group.stats().map(|stats| (stats.name, stats.shares));
        assert_eq!(soon(invoke_on_all(shares)).await.unwrap(), [Ok(("group", 300)); 3]);
    });
}

#[test]
fn a_group_ends_on_all_shards_and_its_tasks_go_on_in_the_main_group() {
    on_shard_0("the end of a group", 2, async || {
        let group = SchedulingGroup::create("brief", 10).await.unwrap();
        let (begun, ended) = (Count::default(), Count::default());
        let counts = (begun.clone(), ended.clone());
        let there = async move || {
            counts.0.add();
            until(|| counts.1.value() > 0).await;
            SchedulingGroup::current()
        };
        let call = group.with(|| submit_to(1, there)).unwrap();
        until(|| begun.value() > 0).await;
        group.destroy().await.unwrap();
        ended.add();
        assert_eq!(soon(call).await.unwrap(), SchedulingGroup::MAIN);
        assert_eq!(group.destroy().await, Err(GroupError::NotFound));
        assert_eq!(group.set_shares(5).await, Err(GroupError::NotFound));
        assert_eq!(SchedulingGroup::MAIN.destroy().await, Err(GroupError::Main));
        // Names are used again, also by those who make groups at the same time.
        for _ in 0..3 {
            let create = async || SchedulingGroup::create("many", 7).await;
            let made = soon(invoke_on_all(create)).await.unwrap();
            for group in made {
                let group = group.unwrap();
                let shares = async move || group.stats().unwrap().shares;
                assert_eq!(soon(invoke_on_all(shares)).await.unwrap(), [7; 2]);
                group.destroy().await.unwrap();
            }
        }
    });
}

#[test]
fn groups_are_made_although_a_shard_has_died() {
    on_shard_0("a dead shard", 3, async || {
        kill(1).await;
        let group = soon(SchedulingGroup::create("late", 10)).await.unwrap();
        let shares = async move || group.stats().unwrap().shares;
        assert_eq!(soon(submit_to(2, shares)).await.unwrap(), 10);
        soon(group.destroy()).await.unwrap();
    });
}
