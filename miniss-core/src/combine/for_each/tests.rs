//! `[for each]`, bounded and not, on the heap and off it.

use super::*;
use crate::collections::test_waker::{Counter, now, poll_once, poll_with};
use crate::combine::yield_now;
use crate::sync::Semaphore;
use core::cell::{Cell, RefCell};
use core::future::{pending, ready};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec::Vec;

type Outcome = Result<(), &'static str>;

async fn after(turns: usize, outcome: Outcome) -> Outcome {
    for _ in 0..turns {
        yield_now().await;
    }
    outcome
}

fn polls_until_ready<F: Future>(future: F) -> (usize, F::Output) {
    let mut future = pin!(future);
    let mut polls = 0;
    loop {
        polls += 1;
        if let Poll::Ready(output) = poll_once(future.as_mut()) {
            return (polls, output);
        }
    }
}

/// The body of each test, for a bound of `$max`, on the heap and off it.
macro_rules! on_both {
    ($name:ident, $max:literal, $body:expr) => {
        #[test]
        fn $name() {
            #[cfg(feature = "alloc")]
            ($body)(&|items, f| Box::pin(max_concurrent_for_each(items, $max, f)));
            ($body)(&|items, f| {
                Box::pin(max_concurrent_for_each_fixed::<$max, _, _, _, _>(items, f))
            });
        }
    };
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;
type Each<'a> = Box<dyn FnMut(usize) -> Running<'a> + 'a>;
type Items = std::vec::IntoIter<usize>;
type Run<'a> = &'a dyn Fn(Items, Each<'a>) -> Running<'a>;

fn items(count: usize) -> Items {
    (0..count).collect::<Vec<_>>().into_iter()
}

on_both!(at_most_so_many_run_at_once_and_the_next_starts_as_one_ends, 3, |run: Run<'static>| {
    let log = Rc::new(RefCell::new(Vec::new()));
    let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (starts, now_running, at_most) = (log.clone(), running.clone(), most.clone());
    let each = move |item: usize| -> Running<'static> {
        let (running, most) = (now_running.clone(), at_most.clone());
        starts.borrow_mut().push(item);
        Box::pin(async move {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            yield_now().await;
            running.set(running.get() - 1);
            Ok(())
        })
    };
    let (polls, outcome) = polls_until_ready(run(items(10), Box::new(each)));
    assert_eq!((outcome, most.get(), running.get()), (Ok(()), 3, 0));
    assert_eq!(*log.borrow(), items(10).collect::<Vec<_>>());
    assert_eq!(polls, 5, "three at a time, four times, and a last look");
});

on_both!(after_a_failure_the_rest_is_done_and_the_first_error_stays, 2, |run: Run<'static>| {
    let done = Rc::new(Cell::new(0));
    let count = done.clone();
    let each = move |item: usize| -> Running<'static> {
        let count = count.clone();
        Box::pin(async move {
            // Item 0 is the first in order, item 1 the first in time.
            after(if item == 0 { 3 } else { 1 }, Ok(())).await?;
            count.set(count.get() + 1);
            match item {
                0 => Err("late"),
                1 => Err("first"),
                _ => Ok(()),
            }
        })
    };
    let (_, outcome) = polls_until_ready(run(items(6), Box::new(each)));
    assert_eq!((outcome, done.get()), (Err("first"), 6));
});

on_both!(dropped_in_the_middle_each_is_dropped_once_and_no_more_begin, 2, |run: Run<'static>| {
    let alive = Rc::new(());
    let begun = Rc::new(Cell::new(0));
    let (held, count) = (alive.clone(), begun.clone());
    let each = move |item: usize| -> Running<'static> {
        count.set(count.get() + 1);
        let held = held.clone();
        Box::pin(async move {
            let _held = held;
            if item > 0 {
                pending::<()>().await;
            }
            Ok(())
        })
    };
    let mut all = run(items(10), Box::new(each));
    assert!(poll_once(Pin::new(&mut all)).is_pending());
    assert_eq!((begun.get(), Rc::strong_count(&alive)), (3, 4));
    drop(all);
    assert_eq!((begun.get(), Rc::strong_count(&alive)), (3, 1));
});

on_both!(one_that_panics_leaves_the_others_to_be_dropped_once, 3, |run: Run<'static>| {
    let alive = Rc::new(());
    let held = alive.clone();
    let each = move |item: usize| -> Running<'static> {
        let held = held.clone();
        Box::pin(async move {
            let _held = held;
            yield_now().await;
            assert!(item != 1, "the second panics");
            pending().await
        })
    };
    let mut all = run(items(10), Box::new(each));
    assert!(poll_once(Pin::new(&mut all)).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(Pin::new(&mut all)))).is_err());
    drop(all);
    assert_eq!(Rc::strong_count(&alive), 1);
});

on_both!(very_many_that_are_ready_at_once_give_the_others_a_turn, 4, |run: Run<'static>| {
    let (counter, waker) = Counter::new();
    let mut all = run(items(1_000), Box::new(|_| Box::pin(ready(Ok(())))));
    let mut turns = 0;
    while poll_with(Pin::new(&mut all), &waker).is_pending() {
        turns += 1;
        assert_eq!(counter.wakes(), turns, "it must be woken to go on");
    }
    assert_eq!(turns, 1_000 / BEGUN_PER_POLL_MAX);
});

on_both!(very_many_that_end_at_once_do_not_keep_another_from_its_poll, 2, |run: Run<'static>| {
    let semaphore = Rc::new(Semaphore::new(0));
    let units = semaphore.clone();
    let each = move |item| -> Running<'static> {
        let units = units.clone();
        Box::pin(async move {
            match item {
                0 => yield_now().await,
                1 => drop(units.acquire(1).await),
                _ => {}
            }
            Ok(())
        })
    };
    let mut all = run(items(1_000), Box::new(each));
    assert!(poll_once(Pin::new(&mut all)).is_pending());
    semaphore.release(1);
    assert!(poll_once(Pin::new(&mut all)).is_pending());
    assert_eq!(semaphore.available(), 1, "the second had its unit and has given it back");
    assert_eq!(polls_until_ready(all).1, Ok(()));
});

on_both!(no_items_are_done_at_once, 2, |run: Run<'static>| {
    let outcome = now(run(items(0), Box::new(|_| unreachable!("there is none"))));
    assert_eq!(outcome, Ok(()));
});

on_both!(futures_that_must_not_move_stay_put, 2, |run: Run<'static>| {
    let semaphore = Rc::new(Semaphore::new(0));
    let acquired = Rc::new(Cell::new(0));
    let (units, count) = (semaphore.clone(), acquired.clone());
    let each = move |_| -> Running<'static> {
        let (units, count) = (units.clone(), count.clone());
        Box::pin(async move {
            let _units = units.acquire(1).await;
            count.set(count.get() + 1);
            Ok(())
        })
    };
    let mut all = run(items(5), Box::new(each));
    assert!(poll_once(Pin::new(&mut all)).is_pending());
    assert_eq!(semaphore.waiters(), 2);
    semaphore.release(2);
    assert!(poll_once(Pin::new(&mut all)).is_ready());
    assert_eq!((acquired.get(), semaphore.available()), (5, 2));
});

#[cfg(feature = "alloc")]
#[test]
fn all_start_at_once_in_order_and_all_are_waited_for_after_a_failure() {
    let log = RefCell::new(Vec::new());
    let each = async |item: usize| {
        log.borrow_mut().push(item);
        after(10 - item, Ok(())).await?;
        log.borrow_mut().push(10 + item);
        if item.is_multiple_of(2) { Err("even") } else { Ok(()) }
    };
    let mut all = pin!(parallel_for_each(0..4, each));
    assert!(log.borrow().is_empty(), "nothing happens before the first poll");
    assert!(poll_once(all.as_mut()).is_pending());
    assert_eq!(*log.borrow(), [0, 1, 2, 3]);
    assert_eq!(polls_until_ready(all).1, Err("even"));
    assert_eq!(log.borrow()[4..], [13, 12, 11, 10], "in the order in which they ended");
}

#[cfg(feature = "alloc")]
#[test]
#[should_panic(expected = "at most zero")]
fn at_most_zero_is_refused_at_once() {
    drop(max_concurrent_for_each([1], 0, async |_| Ok::<(), ()>(())));
}
