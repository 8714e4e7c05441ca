//! Scheduling groups: who gets how much time, and which group a task is in.

use std::boxed::Box;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::vec::Vec;

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use proptest::prelude::*;

use super::port::{Port, Unparker, cell, executor, executor_on, rounds};
use crate::call::{Endpoint, Mesh};
use crate::combine::{when_all, yield_now};
use crate::error::GroupError;
use crate::sync::Event;
use crate::timer::Sleep;
use crate::{Budget, Executor, GroupTable, LocalHandle, SchedulingGroup, Stats, switch_to};

type Local = LocalHandle<Unparker>;

/// Spawns a task in `group` that always has work, and takes `cost` for a poll.
fn spawn_busy(local: Local, group: SchedulingGroup, cost: Duration) {
    let busy = async move {
        loop {
            local.cell().unparker().advance(cost);
            yield_now().await;
        }
    };
    local.with_group(group, || local.spawn(busy).unwrap().detach()).unwrap();
}

/// Two tasks that always have work but never yield: each wakes the other.
fn spawn_pair(local: Local, group: SchedulingGroup, cost: Duration) {
    let events = Rc::new([Event::new(), Event::new()]);
    for me in [0, 1] {
        let events = events.clone();
        let half = async move {
            loop {
                local.cell().unparker().advance(cost);
                events[1 - me].set();
                events[me].wait().await;
                events[me].reset();
            }
        };
        local.with_group(group, || local.spawn(half).unwrap().detach()).unwrap();
    }
}

fn run_for(executor: &mut Executor<Port>, time: Duration) {
    let end = executor.local().now() + time;
    while executor.local().now() < end {
        executor.turn();
    }
}

fn busy(local: Local, group: SchedulingGroup) -> Duration {
    local.group_stats(group).unwrap().busy
}

/// How many times as long the first group ran as the second, in the time to come.
fn ratio(executor: &mut Executor<Port>, groups: [SchedulingGroup; 2], time: Duration) -> f64 {
    let local = executor.local();
    let before = groups.map(|group| busy(local, group));
    run_for(executor, time);
    let ran = |n: usize| (busy(local, groups[n]) - before[n]).as_secs_f64();
    ran(0) / ran(1)
}

const MS: Duration = Duration::from_millis(1);
const US: Duration = Duration::from_micros(1);

#[test]
fn busy_groups_share_the_time_as_their_shares_say_and_as_they_are_changed() {
    let mut executor = executor();
    let local = executor.local();
    let groups = [("large", 1_000), ("small", 100)];
    let groups = groups.map(|(name, shares)| local.create_group(name, shares).unwrap());
    groups.iter().for_each(|&group| spawn_busy(local, group, 30 * US));
    let at_first = ratio(&mut executor, groups, 500 * MS);
    assert!((9.0..11.0).contains(&at_first), "{at_first}");
    local.set_shares(groups[1], 500).unwrap();
    let changed = ratio(&mut executor, groups, 500 * MS);
    assert!((1.9..2.1).contains(&changed), "{changed}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: rounds(48) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the groups do, and however long their polls are.
    #[test]
    fn each_busy_group_has_its_part_of_the_time(
        groups in
            prop::collection::vec((50..=1_000_u32, 20..200_u32, 1..4_u32, any::<bool>()), 2..6),
        main_is_one in any::<bool>(),
    ) {
        let mut executor = executor();
        let local = executor.local();
        let mut made = Vec::new();
        for &(shares, cost_us, tasks, yields) in &groups {
            let group = if main_is_one && made.is_empty() {
                SchedulingGroup::MAIN
            } else {
                local.create_group("busy", shares).unwrap()
            };
            local.set_shares(group, shares).unwrap();
            let spawn = if yields { spawn_busy } else { spawn_pair };
            (0..tasks).for_each(|_| spawn(local, group, cost_us * US));
            made.push((group, shares));
        }
        let time = 600 * MS;
        run_for(&mut executor, time);
        let sum: u32 = made.iter().map(|(_, shares)| shares).sum();
        for (group, shares) in made {
            let wanted = time.as_secs_f64() * f64::from(shares) / f64::from(sum);
            let had = busy(local, group).as_secs_f64();
            prop_assert!((0.9..1.1).contains(&(had / wanted)), "{had} of {wanted}: {groups:?}");
        }
    }
}

#[test]
fn a_group_that_was_idle_has_saved_up_nothing() {
    let mut executor = executor();
    let local = executor.local();
    let groups = ["busy", "idle"].map(|name| local.create_group(name, 100).unwrap());
    spawn_busy(local, groups[0], 50 * US);
    run_for(&mut executor, 500 * MS);
    spawn_busy(local, groups[1], 50 * US);
    let even = ratio(&mut executor, groups, 20 * MS);
    assert!((0.9..1.1).contains(&even), "{even}");
}

#[test]
fn a_group_with_little_to_do_waits_no_longer_than_a_slice() {
    let batch = |local: Local| local.create_group("batch", 100).unwrap();
    ticks_come_in_time(batch, 100);
    ticks_come_in_time(|_| SchedulingGroup::MAIN, 100);
    ticks_come_in_time(|_| SchedulingGroup::MAIN, 1);
}

fn ticks_come_in_time(batch: impl FnOnce(Local) -> SchedulingGroup, pairs: u32) {
    let mut executor = executor();
    let local = executor.local();
    let batch = batch(local);
    local.set_shares(batch, 100).unwrap();
    let quick = local.create_group("quick", 1_000).unwrap();
    (0..pairs).for_each(|_| spawn_pair(local, batch, 20 * US));
    let ticks = Rc::new(Cell::new(0));
    let ticked = ticks.clone();
    let ticker = async move {
        loop {
            Sleep::new(local, 2 * MS).await;
            ticked.set(ticked.get() + 1);
        }
    };
    local.with_group(quick, || local.spawn(ticker).unwrap().detach()).unwrap();
    run_for(&mut executor, 1_000 * MS);
    assert!(ticks.get() > 300, "{} ticks", ticks.get());
    let stats = local.group_stats(quick).unwrap();
    assert!(stats.delays.percentile(99.0) < MS, "{:?}", stats.delays);
    assert!(stats.delays.percentile(100.0) < 2 * MS, "a slice, and the poll that ends it");
    assert!(stats.delays.count() >= 300);
    assert!(busy(local, batch) > 900 * MS, "it takes what is left");
}

/// A busy main group beside a group that a main task wakes every so often, for so much work: which
/// part of the time that group has, and how long it waits at most.
fn woken_by_main(every: Duration, work: Duration, yields: bool) -> (f64, Duration) {
    let mut executor = executor();
    let local = executor.local();
    let woken = local.create_group("woken", 100).unwrap();
    let spawn = if yields { spawn_busy } else { spawn_pair };
    (0..3).for_each(|_| spawn(local, SchedulingGroup::MAIN, 20 * US));
    let (event, waits) = (Rc::new(Event::new()), Rc::new(Cell::new(None)));
    let wakes = {
        let (event, waits) = (event.clone(), waits.clone());
        async move {
            let mut last = local.now();
            loop {
                if local.now() - last >= every && waits.get().is_none() {
                    last = local.now();
                    waits.set(Some(last));
                    event.set();
                }
                yield_now().await;
            }
        }
    };
    local.spawn(wakes).unwrap().detach();
    let longest = Rc::new(Cell::new(Duration::ZERO));
    let works = {
        let longest = longest.clone();
        async move {
            loop {
                event.wait().await;
                event.reset();
                longest.set(longest.get().max(local.now() - waits.get().unwrap()));
                for _ in 0..work.as_micros() / 20 {
                    local.cell().unparker().advance(20 * US);
                    yield_now().await;
                }
                waits.set(None);
            }
        }
    };
    local.with_group(woken, || local.spawn(works).unwrap().detach()).unwrap();
    run_for(&mut executor, 10 * MS);
    let (before, polls) = (busy(local, woken), local.stats().polls);
    longest.set(Duration::ZERO);
    let mains = local.group_stats(SchedulingGroup::MAIN).unwrap();
    let (start, woken_polls) = (local.now(), local.group_stats(woken).unwrap().polls);
    run_for(&mut executor, 1_000 * MS);
    let took = local.now() - start;
    let mains = {
        let now = local.group_stats(SchedulingGroup::MAIN).unwrap();
        (now.polls - mains.polls, now.busy - mains.busy)
    };
    let had = busy(local, woken) - before;
    let woken_polls = local.group_stats(woken).unwrap().polls - woken_polls;
    assert_eq!(mains.0 + woken_polls, local.stats().polls - polls, "each poll is a group's");
    assert_eq!(mains.1 + had, took, "so is the time: there was nothing else");
    (had.as_secs_f64() / took.as_secs_f64(), longest.get())
}

#[test]
fn a_task_of_another_group_that_a_main_task_wakes_has_its_share() {
    for yields in [false, true] {
        let (part, longest) = woken_by_main(4 * MS, 200 * US, yields);
        assert!((0.04..0.05).contains(&part), "all that it asks for: {part}");
        assert!(longest <= 600 * US, "a turn, and the poll that ends it: {longest:?}");
        let (part, _) = woken_by_main(MS, MS, yields);
        assert!((0.9..1.1).contains(&(part * 11.0)), "its share: {part}");
    }
}

#[test]
fn the_turn_that_makes_the_first_group_polls_no_task_of_it() {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        let group = local.create_group("group", 100).unwrap();
        let spawns = async move {
            let inner = local.spawn(async move { local.current_group() }).unwrap();
            (local.current_group(), inner.await.unwrap())
        };
        let spawns = local.with_group(group, || local.spawn(spawns).unwrap()).unwrap();
        let main = local.spawn(async move { local.current_group() }).unwrap();
        assert_eq!(spawns.await, Ok((group, group)));
        assert_eq!(main.await, Ok(SchedulingGroup::MAIN));
    });
}

#[test]
fn a_poll_that_holds_the_core_counts_as_a_stall_once_and_for_its_group() {
    let mut executor = executor();
    let local = executor.local();
    let hold = move |time| {
        local.cell().unparker().advance(time);
        yield_now()
    };
    let mut after = |time| {
        executor.block_on(async {
            // Quick ones, so that the loop looks at the clock as seldom as it does.
            for _ in 0..100 {
                yield_now().await;
            }
            hold(time).await;
            Sleep::new(local, 100 * MS).await;
        });
        local.stats().stalls
    };
    assert_eq!(after(Stats::STALL - Duration::from_nanos(1)), 0);
    assert_eq!(after(Stats::STALL), 1);
    assert_eq!(after(1_000 * MS), 2, "once, however long, and not for the sleep");
    assert_eq!(after(Duration::ZERO), 2);
    let group = local.create_group("sweep", 100).unwrap();
    let held = async move { hold(30 * MS).await };
    let held = local.with_group(group, || local.spawn(held).unwrap()).unwrap();
    executor.block_on(held).unwrap();
    assert_eq!(local.stats().stalls, 3);
    let stalls =
        [group, SchedulingGroup::MAIN].map(|group| local.group_stats(group).unwrap().stalls);
    assert_eq!(stalls, [1, 0]);
}

#[test]
fn what_was_done_before_there_was_a_limit_is_no_stall() {
    let mut executor = executor();
    let local = executor.local();
    local.cell().unparker().advance(1_000 * MS);
    executor.set_budget(Budget { time_max: Duration::ZERO, ..Budget::default() });
    let yields = async {
        loop {
            yield_now().await;
        }
    };
    local.spawn(yields).unwrap().detach();
    (0..100).for_each(|_| assert!(executor.turn()));
    executor.set_budget(Budget::default());
    (0..100).for_each(|_| assert!(executor.turn()));
    assert_eq!(local.stats().stalls, 0);
}

/// A part whose waker is not its task's.
fn with_strange_waker(part: impl Future<Output = ()>) -> impl Future<Output = ()> {
    struct Strange(Waker);
    impl Wake for Strange {
        fn wake(self: Arc<Self>) {
            self.0.wake_by_ref();
        }
    }
    let mut part = Box::pin(part);
    poll_fn(move |cx| {
        let waker = Arc::new(Strange(cx.waker().clone())).into();
        part.as_mut().poll(&mut Context::from_waker(&waker))
    })
}

#[test]
fn tasks_are_in_the_group_of_what_spawns_them_until_they_switch() {
    let mut executor = executor();
    let local = executor.local();
    let group = local.create_group("group", 100).unwrap();
    let is_here = async move || {
        let here = local.spawn(async move { local.current_group() }).unwrap().await.unwrap();
        here == local.current_group() && here == group
    };
    executor.block_on(async {
        assert_eq!(local.current_group(), SchedulingGroup::MAIN);
        assert_eq!(switch_to(local, group).await, Ok(SchedulingGroup::MAIN));
        assert_eq!(switch_to(local, group).await, Ok(group), "at once");
        assert!(is_here().await);
        Sleep::new(local, MS).await;
        assert!(is_here().await, "a timer wakes it there");
        assert_eq!(switch_to(local, SchedulingGroup::MAIN).await, Ok(group));
        assert!(!is_here().await);
        let part = async || {
            let _ = switch_to(local, group).await;
        };
        when_all((part(), yield_now())).await;
        assert!(is_here().await, "a part takes the whole along");
        let _ = switch_to(local, SchedulingGroup::MAIN).await;
        with_strange_waker(part()).await;
        assert!(is_here().await, "the executor knows which task it polls");
    });
    assert_eq!(executor.block_on(async { local.current_group() }), SchedulingGroup::MAIN);
}

#[test]
fn a_part_may_switch_in_the_very_turn_that_makes_the_first_group() {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        let group = local.create_group("group", 100).unwrap();
        with_strange_waker(async { assert!(switch_to(local, group).await.is_ok()) }).await;
        assert_eq!(local.current_group(), group);
    });
}

#[test]
fn the_tasks_of_a_group_that_is_destroyed_go_on_in_the_main_group() {
    let mut executor = executor();
    let local = executor.local();
    let group = local.create_group("brief", 100).unwrap();
    let event = Rc::new(Event::new());
    let waits = {
        let event = event.clone();
        async move {
            event.wait().await;
            local.current_group()
        }
    };
    let ready = async move { local.current_group() };
    let spawn = || (local.spawn(waits).unwrap(), local.spawn(ready).unwrap());
    let (waits, ready) = local.with_group(group, spawn).unwrap();
    let destroyer = async move {
        switch_to(local, group).await.unwrap();
        local.destroy_group(group).unwrap();
        local.current_group()
    };
    assert_eq!(executor.block_on(destroyer), SchedulingGroup::MAIN);
    event.set();
    assert_eq!(executor.block_on(waits), Ok(SchedulingGroup::MAIN));
    executor.block_on(ready).unwrap();
    let gone = Err(GroupError::NotFound);
    assert_eq!(local.set_shares(group, 5), gone);
    assert_eq!(local.group_stats(group).map(drop), gone);
    assert_eq!(local.with_group(group, || ()), gone);
    assert_eq!(executor.block_on(switch_to(local, group)).map(drop), gone);
    assert_eq!(local.destroy_group(group), gone);
    let next = local.create_group("next", 100).unwrap();
    assert_eq!(local.destroy_group(group), gone, "the next with its index is another");
    assert_eq!(local.group_stats(next).unwrap().polls, 0);
}

#[test]
fn destroying_a_group_leaves_no_ready_task_behind() {
    let mut executor = executor();
    let local = executor.local();
    let groups = ["a", "b"].map(|name| local.create_group(name, 100).unwrap());
    let done = Rc::new(Cell::new(0));
    for group in groups {
        for _ in 0..10 {
            let done = done.clone();
            let task = async move {
                yield_now().await;
                let _ = local.destroy_group(groups[1]);
                done.set(done.get() + 1);
            };
            local.with_group(group, || local.spawn(task).unwrap().detach()).unwrap();
        }
    }
    executor.settle();
    assert_eq!(done.get(), 20);
}

#[test]
fn there_are_sixteen_groups_and_wrong_shares_are_refused() {
    let executor = executor();
    let local = executor.local();
    for shares in [0, 1_001] {
        assert_eq!(local.create_group("wrong", shares), Err(GroupError::BadShares));
        assert_eq!(local.set_shares(SchedulingGroup::MAIN, shares), Err(GroupError::BadShares));
    }
    let groups: Vec<_> = (1..16).map(|shares| local.create_group("one", shares).unwrap()).collect();
    assert_eq!(local.create_group("more", 1), Err(GroupError::Full));
    assert_eq!(local.destroy_group(SchedulingGroup::MAIN), Err(GroupError::Main));
    local.destroy_group(groups[7]).unwrap();
    let again = local.create_group("again", 1).unwrap();
    assert_ne!(again, groups[7]);
    let other = super::port::executor();
    other.local().adopt_group(again, "again", 1).unwrap();
    assert_eq!(other.local().adopt_group(groups[7], "again", 1), Err(GroupError::Full));
    assert_eq!(other.local().group_stats(again).unwrap().name, "again");
    drop(executor);
    assert_eq!(local.create_group("late", 1), Err(GroupError::Closed));
    assert_eq!(local.current_group(), SchedulingGroup::MAIN);
}

#[test]
fn a_table_that_was_lent_is_one_executor_cells() {
    static TABLE: GroupTable = GroupTable::new();
    let (one, other) = (executor(), executor());
    one.local().lend_groups(&TABLE).unwrap();
    one.local().create_group("kept", 1).unwrap();
    one.local().lend_groups(&TABLE).unwrap();
    assert_eq!(other.local().lend_groups(&TABLE), Err(GroupError::InUse));
    let cell = one.local().cell();
    drop(one);
    let next = executor_on(cell);
    next.local().lend_groups(&TABLE).unwrap();
    for _ in 1..16 {
        next.local().create_group("new", 1).unwrap();
    }
}

#[test]
fn outside_of_a_task_no_one_switches() {
    let executor = executor();
    let local = executor.local();
    let group = local.create_group("group", 1).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut switch = pin!(switch_to(local, group));
    assert!(switch.as_mut().poll(&mut cx).is_pending());
    assert_eq!(switch.as_mut().poll(&mut cx), Poll::Ready(Err(GroupError::NoTask)));
}

#[test]
fn a_panic_in_a_slice_leaves_the_groups_in_order() {
    let mut executor = executor();
    let local = executor.local();
    let group = local.create_group("group", 100).unwrap();
    let panics = async { panic!("on purpose") };
    let bad = local.with_group(group, || local.spawn(panics).unwrap()).unwrap();
    let good = local.with_group(group, || local.spawn(async { 5 }).unwrap()).unwrap();
    let turn = catch_unwind(AssertUnwindSafe(|| while executor.turn() {}));
    if turn.is_ok() {
        catch_unwind(AssertUnwindSafe(|| executor.turn())).unwrap_err();
    }
    assert!(bad.is_finished());
    assert_eq!(local.current_group(), SchedulingGroup::MAIN);
    assert_eq!(executor.block_on(good), Ok(5));
    assert_eq!(local.group_stats(group).unwrap().polls, 2);
}

#[test]
fn an_executor_ends_among_groups_and_the_next_begins_without() {
    let cell = cell(true);
    let mut executor = executor_on(cell);
    let local = executor.local();
    let group = local.create_group("group", 100).unwrap();
    let alive = Rc::new(());
    for _ in 0..10 {
        let alive = alive.clone();
        let task = async move {
            switch_to(local, group).await.unwrap();
            yield_now().await;
            drop(alive);
        };
        local.spawn(task).unwrap().detach();
    }
    executor.turn();
    local.with_group(group, || local.spawn(async {}).unwrap().detach()).unwrap();
    drop(executor);
    assert_eq!(Rc::strong_count(&alive), 1);
    let mut next = executor_on(cell);
    let local = next.local();
    assert_eq!(next.block_on(async { local.current_group() }), SchedulingGroup::MAIN);
    assert_eq!(local.group_stats(group).map(drop), Err(GroupError::NotFound));
    assert_eq!(local.group_stats(SchedulingGroup::MAIN).unwrap().polls, 0, "not counted yet");
}

#[test]
fn a_pinned_switch_may_be_given_up() {
    let mut executor = executor();
    let local = executor.local();
    let group = local.create_group("group", 100).unwrap();
    executor.block_on(async {
        let mut switch = Box::pin(switch_to(local, group));
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut switch).poll(cx).is_pending())).await;
        drop(switch);
        yield_now().await;
        assert!(polled && local.current_group() == group);
    });
}

#[test]
fn calls_take_their_group_along_where_it_is_known() {
    let (mut here, mut there) = (executor(), executor());
    here.reactor().log.naps.set(true);
    there.reactor().log.naps.set(true);
    let mesh = Arc::new(Mesh::<_, 16>::new(2));
    let end = Endpoint::open(mesh.clone(), 0, here.local()).unwrap();
    let _other = Endpoint::open(mesh, 1, there.local()).unwrap();
    let known = here.local().create_group("known", 100).unwrap();
    let unknown = here.local().create_group("unknown", 100).unwrap();
    there.local().adopt_group(known, "known", 700).unwrap();
    let polls = |there: &Executor<Port>, group| there.local().group_stats(group).unwrap().polls;
    for group in [known, unknown, SchedulingGroup::MAIN] {
        let before = polls(&there, known);
        let call = || (end.submit_to(1, async || yield_now().await), end.run_on(1, || ()));
        let (call, run) = here.local().with_group(group, call).unwrap();
        let handle = here.local().spawn(when_all((call, run))).unwrap();
        while !handle.is_finished() {
            here.turn();
            there.turn();
        }
        assert_eq!(here.block_on(handle), Ok((Ok(()), Ok(()))));
        let expected = if group == known { 2 } else { 0 };
        assert_eq!(polls(&there, known) - before, expected);
        assert_eq!(there.local().current_group(), SchedulingGroup::MAIN);
    }
}
