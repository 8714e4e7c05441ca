//! Sets of tasks, on the smallest port.

use super::*;
use crate::combine::yield_now;
use crate::doctest::executor;
use crate::error::Cancelled;
use core::cell::Cell;
use core::future::pending;
use core::pin::pin;
use core::task::Waker;
use std::rc::Rc;

/// Notes that it was dropped.
struct Guest(Rc<Cell<usize>>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// More than are polled at once, and than an empty set keeps room for.
const MANY: usize = 1_000;

async fn after(turns: usize) -> usize {
    for _ in 0..turns {
        yield_now().await;
    }
    turns
}

#[test]
fn outcomes_come_in_the_order_in_which_tasks_end() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    executor.block_on(async {
        [30, 10, 20].into_iter().for_each(|turns| set.spawn(after(turns)));
        for turns in [10, 20, 30] {
            assert_eq!(set.join_next().await, Some(Ok(turns)));
        }
        assert_eq!(set.join_next().await, None);
    });
}

#[test]
fn each_of_many_comes_once_and_places_are_used_again() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    executor.block_on(async {
        for _ in 0..3 {
            (0..MANY).for_each(|number| set.spawn(after((number * 7) % 50)));
            let mut sum = 0;
            while let Some(turns) = set.join_next().await {
                sum += turns.unwrap();
            }
            assert_eq!(sum, MANY / 50 * (49 * 50 / 2));
        }
    });
    assert!(set.places.len() <= KEPT && set.free.len() <= KEPT);
}

#[test]
fn one_that_has_ended_is_found_among_many_that_have_not() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    executor.block_on(async {
        (0..MANY).for_each(|_| set.spawn(pending()));
        assert_eq!(set.try_join_next(), None);
        set.spawn(async { 5 });
        yield_now().await;
        yield_now().await;
        assert_eq!(set.try_join_next(), Some(Ok(5)));
        assert_eq!(set.try_join_next(), None);
        assert_eq!(set.len(), MANY);
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing_and_a_task_that_comes_later_is_waited_for() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    executor.block_on(async {
        set.spawn(after(20));
        {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(pin!(set.join_next()).poll(&mut cx).is_pending());
        }
        set.spawn(after(5));
        assert_eq!(set.join_next().await, Some(Ok(5)));
        assert_eq!(set.join_next().await, Some(Ok(20)));
    });
}

#[test]
fn to_drop_a_set_aborts_its_tasks_and_to_detach_them_does_not() {
    let mut executor = executor();
    let local = executor.local();
    let ended = Rc::new(Cell::new(0));
    let staying = |ended: &Rc<Cell<usize>>| {
        let guest = Guest(ended.clone());
        async move {
            pending::<()>().await;
            drop(guest);
        }
    };
    executor.block_on(async {
        let mut set = JoinSet::on(local);
        (0..3).for_each(|_| set.spawn(staying(&ended)));
        set.detach_all();
        assert!(set.is_empty());
        set.spawn(staying(&ended));
        drop(set);
        after(3).await;
        assert_eq!(ended.get(), 1, "only the one that was in the set");
    });
    drop(executor);
    assert_eq!(ended.get(), 4);
}

#[test]
fn after_a_shutdown_the_set_is_empty_and_can_be_used() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    let ended = Rc::new(Cell::new(0));
    executor.block_on(async {
        for _ in 0..MANY {
            let guest = Guest(ended.clone());
            set.spawn(async move {
                pending::<()>().await;
                drop(guest);
                0
            });
        }
        set.shutdown().await;
        assert_eq!((ended.get(), set.len()), (MANY, 0));
        set.spawn(after(1));
        assert_eq!(set.join_next().await, Some(Ok(1)));
    });
}

#[test]
fn a_task_that_was_spawned_elsewhere_belongs_to_the_set_once_it_is_put_there() {
    let mut executor = executor();
    let local = executor.local();
    let mut set = JoinSet::on(local);
    set.insert(local.spawn(pending::<()>()).unwrap());
    set.abort_all();
    assert_eq!(executor.block_on(set.join_next()), Some(Err(Cancelled)));
}

#[test]
fn where_the_executor_is_gone_a_task_is_one_that_was_aborted() {
    let executor = executor();
    let mut set = JoinSet::on(executor.local());
    drop(executor);
    let ended = Rc::new(Cell::new(0));
    let guest = Guest(ended.clone());
    set.spawn(async move { drop(guest) });
    assert_eq!(ended.get(), 1, "the future is dropped");
    assert_eq!(set.try_join_next(), Some(Err(Cancelled)));
    assert_eq!(set.try_join_next(), None);
}

#[test]
#[should_panic(expected = "each task of the set has an output")]
fn all_outputs_are_to_be_had_only_if_there_are_all() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    set.spawn(pending::<()>());
    set.abort_all();
    executor.block_on(set.join_all());
}

#[test]
fn a_look_takes_all_that_have_ended_whatever_the_budget() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    executor.block_on(async {
        (0..MANY).for_each(|number| set.spawn(async move { number }));
        // From here on it is known to the set whose budget counts.
        assert!(set.join_next().await.is_some());
        while !set.tasks().all(|task| task.is_finished()) {
            yield_now().await;
        }
        let taken = core::iter::from_fn(|| set.try_join_next()).count();
        assert_eq!((taken, set.len()), (MANY - 1, 0));
    });
}

#[test]
fn a_look_does_not_take_the_waker_of_one_who_waits() {
    let mut executor = executor();
    let mut set = JoinSet::on(executor.local());
    let wait = executor.block_on(async {
        set.spawn(after(5));
        core::future::poll_fn(|cx| {
            let polled = set.poll_join_next(cx);
            assert!(polled.is_ready() || set.try_join_next().is_none());
            polled
        })
        .await
    });
    assert_eq!(wait, Some(Ok(5)));
}
