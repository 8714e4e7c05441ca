//! What runs, in which order, and what the reactor is asked meanwhile.

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::vec::Vec;

use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use super::port::{Port, cell, executor, executor_on, on_both_ports, wait_until};
use crate::combine::yield_now;
use crate::error::CellInUse;
use crate::sync::Event;
use crate::time::Instant;
use crate::timer::Sleep;
use crate::{Budget, Executor};

#[test]
fn block_on_gives_the_value_of_a_future_that_borrows() {
    on_both_ports(|mut executor| {
        let mut text = alloc::string::String::from("a");
        executor.block_on(async {
            yield_now().await;
            text.push('b');
        });
        assert_eq!(executor.block_on(async { text.len() }), 2);
    });
}

#[test]
fn tasks_run_in_the_order_in_which_they_were_spawned_and_woken() {
    on_both_ports(|mut executor| {
        executor.set_shuffle(0);
        let local = executor.local();
        let log = Rc::new(RefCell::new(Vec::new()));
        let wakers: Vec<_> = (0..4).map(|_| Rc::new(Cell::new(None))).collect();
        for (id, waker) in wakers.iter().enumerate() {
            let (log, waker) = (log.clone(), waker.clone());
            let polled = Cell::new(0);
            let task = wait_until(&waker, move || {
                log.borrow_mut().push(id);
                polled.replace(polled.get() + 1) == 1
            });
            local.spawn(task).unwrap().detach();
        }
        executor.settle();
        for id in [2, 0, 3, 1] {
            wakers[id].take().unwrap().wake();
        }
        executor.settle();
        assert_eq!(*log.borrow(), [0, 1, 2, 3, 2, 0, 3, 1]);
    });
}

#[test]
fn a_task_that_wakes_itself_forever_starves_neither_reactor_nor_timers_nor_others() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let spins = Rc::new(Cell::new(0_u64));
        let counted = spins.clone();
        let spin = async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        };
        local.spawn(spin).unwrap().detach();
        local.spawn(async {}).unwrap().detach();
        for turn in 1..=10 {
            executor.turn();
            assert_eq!(spins.get(), turn, "once a turn, however long it spins");
            assert_eq!(executor.reactor().log.polls.get(), turn);
        }
        assert!(executor.reactor().log.parks.borrow().is_empty(), "it is never idle");
        executor.block_on(Sleep::until(local, local.now()));
    });
}

#[test]
fn tasks_that_wake_each_other_forever_leave_the_reactor_its_turn() {
    let mut executor = executor();
    executor.set_budget(Budget { polls_max: 10, ..Budget::default() });
    let local = executor.local();
    let wakers = [Rc::new(Cell::new(None)), Rc::new(Cell::new(None))];
    for (me, other) in [(0, 1), (1, 0)] {
        let (me, other) = (wakers[me].clone(), wakers[other].clone());
        let ping = poll_fn(move |cx| {
            me.set(Some(cx.waker().clone()));
            if let Some(other) = other.take() {
                core::task::Waker::wake(other);
            }
            Poll::<()>::Pending
        });
        local.spawn(ping).unwrap().detach();
    }
    for turn in 1..=5 {
        assert!(executor.turn());
        assert_eq!(local.stats().polls, turn * 10);
        assert_eq!(executor.reactor().log.polls.get(), turn);
    }
}

#[test]
fn tasks_that_take_long_leave_the_reactor_its_turn_in_time() {
    let time_max = Budget::default().time_max;
    for (ready, with_timer) in [(3, false), (30, false), (30, true), (200, false), (200, true)] {
        let mut executor = executor();
        let local = executor.local();
        for _ in 0..ready {
            let task = async move {
                loop {
                    local.cell().unparker().advance(time_max);
                    yield_now().await;
                }
            };
            local.spawn(task).unwrap().detach();
        }
        if with_timer {
            local.spawn(Sleep::new(local, Duration::from_secs(3600))).unwrap().detach();
        }
        for _ in 0..100 {
            let start = local.now();
            executor.turn();
            let took = local.now() - start;
            assert!(took <= 3 * time_max, "a turn of {ready} tasks took {took:?}");
        }
    }
}

#[test]
fn a_task_that_works_for_long_between_leaves_that_are_ready_gives_way_in_time() {
    let mut executor = executor();
    let (local, event) = (executor.local(), Rc::new(Event::new()));
    let time_max = Budget::default().time_max;
    event.set();
    let task = async move {
        loop {
            local.cell().unparker().advance(time_max);
            event.wait().await;
        }
    };
    local.spawn(task).unwrap().detach();
    // The first turn shows that its polls take long.
    for turn in 0..20 {
        let start = local.now();
        executor.turn();
        let took = local.now() - start;
        assert!(turn == 0 || took <= 2 * time_max, "turn {turn} took {took:?}");
    }
}

#[test]
fn a_spent_budget_keeps_the_order_of_those_that_wait() {
    let mut executor = executor();
    executor.set_shuffle(0);
    executor.set_budget(Budget { polls_max: 2, ..Budget::default() });
    let log = Rc::new(RefCell::new(Vec::new()));
    for id in 0..5 {
        let log = log.clone();
        executor.local().spawn(async move { log.borrow_mut().push(id) }).unwrap().detach();
    }
    executor.reactor().log.naps.set(true);
    let mut seen = Vec::new();
    for _ in 0..3 {
        executor.turn();
        seen.push(log.borrow().len());
    }
    assert_eq!(seen, [2, 4, 5]);
    assert_eq!(*log.borrow(), [0, 1, 2, 3, 4]);
}

#[test]
fn the_reactor_sleeps_until_the_earliest_timer() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        for millis in [30, 10, 20] {
            local.spawn(Sleep::new(local, Duration::from_millis(millis))).unwrap().detach();
        }
        executor.block_on(Sleep::new(local, Duration::from_millis(25)));
        let at = |millis: u64| Some(Instant::from_nanos(millis * 1_000_000));
        assert_eq!(*executor.reactor().log.parks.borrow(), [at(10), at(20), at(25)]);
        assert_eq!(executor.reactor().log.polls.get(), 1, "only as `block_on` ends");
        assert_eq!(local.stats().timers_fired, 3);
        assert_eq!(local.stats().timers_armed, 1);
    });
}

#[test]
fn an_idle_executor_polls_no_one_without_a_reason() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        local.spawn(core::future::pending::<()>()).unwrap().detach();
        executor.settle();
        let polls = local.stats().polls;
        for _ in 0..100 {
            executor.settle();
        }
        assert_eq!(local.stats().polls, polls);
        assert_eq!(executor.reactor().log.polls.get(), 0);
    });
}

#[test]
fn a_reactor_that_wakes_a_task_before_it_sleeps_is_not_allowed_to_sleep() {
    on_both_ports(|mut executor| {
        let waker = Rc::new(Cell::new(None::<core::task::Waker>));
        let (given, done) = (waker.clone(), Rc::new(Cell::new(false)));
        let set = done.clone();
        let event = move || {
            set.set(true);
            if let Some(waker) = given.take() {
                waker.wake();
            }
        };
        *executor.reactor().log.event.borrow_mut() = Some(Box::new(event));
        executor.block_on(wait_until(&waker, move || done.get()));
    });
}

#[test]
fn a_main_future_that_was_woken_as_it_ended_leaves_room_for_the_next() {
    on_both_ports(|mut executor| {
        for round in 0..10 {
            let woken_at_the_end = poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(round)
            });
            assert_eq!(executor.block_on(woken_at_the_end), round);
        }
        executor.settle();
        assert_eq!(executor.local().stats().tasks_live, 0);
    });
}

#[test]
fn tasks_outlast_the_block_on_that_spawned_them() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let handle = executor.block_on(async move {
            let later = async move {
                Sleep::new(local, Duration::from_millis(1)).await;
                "later"
            };
            local.spawn(later)
        });
        let handle = handle.unwrap();
        assert!(!handle.is_finished());
        assert_eq!(executor.block_on(handle), Ok("later"));
    });
}

#[test]
fn an_executor_cell_has_one_owner_at_a_time() {
    let cell = cell(true);
    for round in 0..3 {
        let mut owner = executor_on(cell);
        let other = std::thread::spawn(|| Executor::new(cell, NoPort).err()).join().unwrap();
        assert_eq!(other, Some(CellInUse));
        assert_eq!(owner.local().stats().spawned, 0, "counts begin again");
        assert_eq!(owner.block_on(async { round }), round);
    }
}

/// A reactor that is made in vain.
struct NoPort;

impl crate::Reactor for NoPort {
    type Unparker = super::port::Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, _idle: crate::Idle<'_>) {}
}

#[test]
fn the_counters_tell_what_happened() {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async move {
        let twice = local.spawn(yield_now()).unwrap();
        Sleep::new(local, Duration::from_micros(3)).await;
        twice.await.unwrap();
    });
    let stats = local.stats();
    assert_eq!((stats.spawned, stats.tasks_live, stats.timers_armed), (2, 0, 0));
    assert_eq!((stats.polls, stats.wakes_local, stats.wakes_remote), (4, 2, 0));
    assert_eq!((stats.parks, stats.timers_fired), (1, 1));
    assert_eq!((stats.idle, stats.busy), (Duration::from_micros(3), Duration::ZERO));
}

#[test]
fn time_is_idle_in_a_sleep_and_busy_outside_of_it() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let work = |micros| local.cell().unparker().advance(Duration::from_micros(micros));
        executor.block_on(async {
            for _ in 0..3 {
                work(2);
                Sleep::new(local, Duration::from_micros(10)).await;
            }
            work(5);
        });
        let stats = local.stats();
        assert_eq!(stats.busy, Duration::from_micros(11));
        assert_eq!(stats.idle, Duration::from_micros(30));
    });
}

/// The order in which twenty tasks are polled that are spawned one after the other.
fn order_of_twenty(executor: &mut Executor<Port>) -> Vec<i32> {
    let log = Rc::new(RefCell::new(Vec::new()));
    for id in 0..20 {
        let log = log.clone();
        executor.local().spawn(async move { log.borrow_mut().push(id) }).unwrap().detach();
    }
    executor.settle();
    log.take()
}

#[test]
fn a_shuffled_executor_polls_in_an_order_that_follows_from_the_seed() {
    let order = |seed| {
        let mut executor = executor();
        executor.set_shuffle(seed);
        order_of_twenty(&mut executor)
    };
    let fair: Vec<_> = (0..20).collect();
    assert_eq!(order(0), fair);
    assert_ne!(order(1), fair);
    assert_ne!(order(1), order(2));
    assert_eq!(order(1), order(1));
    let mut all = order(3);
    all.sort_unstable();
    assert_eq!(all, fair, "everyone is polled");
}

#[test]
fn a_shuffled_executor_goes_on_to_other_orders() {
    let mut executor = executor();
    executor.set_shuffle(1);
    let mut orders: Vec<_> = (0..100).map(|_| order_of_twenty(&mut executor)).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 100);
}
