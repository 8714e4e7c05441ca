//! `[woken]`: polls counted for every combinator, and wakers that outlive what they woke.

use super::*;
use crate::collections::test_waker::{Counter, acting, poll_once, poll_with};
use crate::combine::{
    map_reduce, max_concurrent_for_each, parallel_for_each, when_all, when_all_succeed, when_any,
    yield_now,
};
use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn};
use core::pin::Pin;
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc as StdArc, Mutex};
use std::thread;

/// Parts that wait until they are let go, and count their polls.
#[derive(Default)]
struct Parts {
    polls: Cell<usize>,
    wakers: RefCell<Vec<Option<Waker>>>,
    let_go: RefCell<Vec<bool>>,
}

type Part = Pin<Box<dyn Future<Output = Result<usize, ()>>>>;

impl Parts {
    fn new(count: usize) -> Rc<Self> {
        let parts = Self::default();
        parts.wakers.borrow_mut().resize(count, None);
        parts.let_go.borrow_mut().resize(count, false);
        Rc::new(parts)
    }

    fn part(self: &Rc<Self>, number: usize) -> Part {
        let parts = self.clone();
        Box::pin(poll_fn(move |cx| {
            parts.polls.set(parts.polls.get() + 1);
            if parts.let_go.borrow()[number] {
                return Poll::Ready(Ok(number));
            }
            parts.wakers.borrow_mut()[number] = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn all(self: &Rc<Self>) -> Vec<Part> {
        (0..self.let_go.borrow().len()).map(|number| self.part(number)).collect()
    }

    fn let_go(&self, number: usize) {
        self.let_go.borrow_mut()[number] = true;
        let waker = self.wakers.borrow_mut()[number].take();
        waker.expect("it was polled").wake();
    }

    fn take_polls(&self) -> usize {
        self.polls.take()
    }
}

const MANY: usize = 1_000;

type Whole = Pin<Box<dyn Future<Output = ()>>>;

/// Each combinator over many parts.
fn wholes(parts: &Rc<Parts>) -> [(&'static str, Whole); 6] {
    let (each, bounded, mapped) = (parts.clone(), parts.clone(), parts.clone());
    let to_unit = |result: Result<usize, ()>| result.map(drop);
    [
        ("when_all", {
            let all = when_all(parts.all());
            Box::pin(async { assert_eq!(all.await.len(), MANY) })
        }),
        ("when_all of an array", {
            let mut all = parts.all().into_iter();
            let all = when_all([(); MANY].map(|()| all.next().unwrap()));
            Box::pin(async { assert_eq!(all.await[7], Ok(7)) })
        }),
        ("when_all_succeed", {
            let all = when_all_succeed(parts.all());
            Box::pin(async { assert_eq!(all.await.unwrap(), (0..MANY).collect::<Vec<_>>()) })
        }),
        ("parallel_for_each", {
            let all = parallel_for_each(0..MANY, move |number| {
                let part = each.part(number);
                async move { to_unit(part.await) }
            });
            Box::pin(async { all.await.unwrap() })
        }),
        ("max_concurrent_for_each", {
            let all = max_concurrent_for_each(0..MANY, MANY, move |number| {
                let part = bounded.part(number);
                async move { to_unit(part.await) }
            });
            Box::pin(async { all.await.unwrap() })
        }),
        ("map_reduce", {
            let all = map_reduce(0..MANY, move |n| mapped.part(n), 0, |sum, n| sum + n.unwrap());
            Box::pin(async { assert_eq!(all.await, MANY * (MANY - 1) / 2) })
        }),
    ]
}

/// Polls as often as it is woken.
fn poll_while_woken(whole: &mut Whole, waker: &(StdArc<Counter>, Waker)) -> Poll<()> {
    loop {
        let wakes = waker.0.wakes();
        let polled = poll_with(whole.as_mut(), &waker.1);
        if polled.is_ready() || waker.0.wakes() == wakes {
            return polled;
        }
    }
}

#[test]
fn a_part_is_polled_first_and_when_it_was_woken() {
    for index in 0..6 {
        let parts = Parts::new(MANY);
        let (name, mut whole) = wholes(&parts).into_iter().nth(index).unwrap();
        parts.take_polls();
        let waker = Counter::new();
        assert!(poll_while_woken(&mut whole, &waker).is_pending());
        assert_eq!(parts.take_polls(), MANY, "{name}: each once");
        // In an order that is no one's: all numbers, since 7 and a thousand have no divisor.
        for step in 1..=MANY {
            let wakes = waker.0.wakes();
            parts.let_go(step * 7 % MANY);
            assert_eq!(waker.0.wakes(), wakes + 1, "{name}");
            assert_eq!(poll_while_woken(&mut whole, &waker).is_ready(), step == MANY, "{name}");
        }
        assert_eq!(parts.take_polls(), MANY, "{name}: each once more");
    }
}

#[test]
fn when_any_polls_who_was_woken_and_gives_the_others_back() {
    let parts = Parts::new(MANY);
    let mut all = Box::pin(when_any(parts.all()));
    let (counter, waker) = Counter::new();
    while parts.polls.get() < MANY {
        assert!(poll_with(all.as_mut(), &waker).is_pending());
    }
    assert_eq!((parts.take_polls(), counter.wakes()), (MANY, MANY / POLLS_MAX));
    for number in [700, 3] {
        parts.wakers.borrow()[number].as_ref().unwrap().wake_by_ref();
        assert!(poll_with(all.as_mut(), &waker).is_pending());
        assert_eq!(parts.take_polls(), 1);
    }
    parts.let_go(700);
    parts.let_go(3);
    let Poll::Ready((index, output, others)) = poll_with(all.as_mut(), &waker) else {
        panic!("two are ready")
    };
    assert_eq!((index, output, others.len()), (3, Ok(3), MANY - 1));
    assert_eq!(parts.take_polls(), 1, "the first in the order of the input, and no other");
}

#[test]
fn a_wake_of_a_leaf_of_a_tree_polls_what_is_on_the_way() {
    let parts = Parts::new(MANY);
    let inner_polls = Rc::new(Cell::new(0));
    let branch = |leaves: core::ops::Range<usize>| {
        let (polls, parts) = (inner_polls.clone(), parts.clone());
        let mut all = Box::pin(when_all(leaves.map(|leaf| parts.part(leaf)).collect::<Vec<_>>()));
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            all.as_mut().poll(cx).map(drop)
        })
    };
    let branches = (0..MANY / 20).map(|first| branch(first * 20..first * 20 + 20));
    let tree = when_all(branches.collect::<Vec<_>>());
    let mut tree: Whole = Box::pin(async { drop(tree.await) });
    let waker = Counter::new();
    assert!(poll_while_woken(&mut tree, &waker).is_pending());
    assert_eq!((parts.take_polls(), inner_polls.take()), (MANY, MANY / 20));
    parts.let_go(333);
    assert!(poll_while_woken(&mut tree, &waker).is_pending());
    assert_eq!((parts.take_polls(), inner_polls.take()), (1, 1));
}

#[test]
fn many_wakes_of_a_part_are_one_poll_and_the_task_of_the_last_poll_is_woken() {
    let parts = Parts::new(20);
    let mut all = Box::pin(when_all(parts.all()));
    let [(old, old_waker), (new, new_waker)] = [Counter::new(), Counter::new()];
    assert!(poll_with(all.as_mut(), &old_waker).is_pending());
    assert!(poll_with(all.as_mut(), &new_waker).is_pending());
    assert_eq!(parts.take_polls(), 20, "nothing was woken in between");
    for _ in 0..10 {
        parts.wakers.borrow()[7].as_ref().unwrap().wake_by_ref();
    }
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert!(poll_with(all.as_mut(), &new_waker).is_pending());
    assert_eq!(parts.take_polls(), 1);
}

#[test]
fn parts_that_wake_themselves_forever_keep_neither_others_nor_the_task_waiting() {
    let polls = Rc::new(Cell::new(0));
    let others = Rc::new(Cell::new(0));
    let part = |number: usize| -> Whole {
        let (polls, others) = (polls.clone(), others.clone());
        Box::pin(async move {
            if number.is_multiple_of(2) {
                loop {
                    polls.set(polls.get() + 1);
                    yield_now().await;
                }
            }
            for _ in 0..3 {
                yield_now().await;
            }
            others.set(others.get() + 1);
        })
    };
    let mut all = Box::pin(when_all((0..MANY).map(part).collect::<Vec<_>>()));
    let (counter, waker) = Counter::new();
    for round in 1..=5 * MANY / POLLS_MAX {
        polls.set(0);
        assert!(poll_with(all.as_mut(), &waker).is_pending());
        assert!(polls.get() <= POLLS_MAX, "{} polls in one", polls.get());
        assert!(counter.wakes() >= round, "it must be woken to go on");
    }
    assert_eq!(others.get(), MANY / 2, "each had its turns");
}

#[test]
fn a_part_is_dropped_as_it_ends_and_one_that_panics_leaves_the_rest_to_be_dropped() {
    let alive = Rc::new(());
    let part = |number: usize| {
        let held = alive.clone();
        async move {
            let _held = held;
            match number {
                3 => {}
                5 => {
                    yield_now().await;
                    panic!("the sixth panics")
                }
                _ => pending().await,
            }
        }
    };
    let mut all = Box::pin(when_all((0..20).map(part).collect::<Vec<_>>()));
    assert!(poll_once(all.as_mut()).is_pending());
    assert_eq!(Rc::strong_count(&alive), 20, "the fourth is gone");
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(all.as_mut()))).is_err());
    drop(all);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn a_waker_that_outlives_its_whole_wakes_nothing_and_keeps_nothing_of_it() {
    let parts = Parts::new(20);
    let (counter, waker) = Counter::new();
    let mut all = Box::pin(when_all(parts.all()));
    assert!(poll_with(all.as_mut(), &waker).is_pending());
    drop(waker);
    let late: Vec<_> = parts.wakers.borrow_mut().drain(..).flatten().collect();
    drop(all);
    assert_eq!((Rc::strong_count(&parts), StdArc::strong_count(&counter)), (1, 1));
    let again = late.clone();
    thread::spawn(move || late.into_iter().for_each(Waker::wake)).join().unwrap();
    again.iter().for_each(Waker::wake_by_ref);
    assert_eq!(counter.wakes(), 0);
}

#[test]
fn a_whole_that_is_done_is_woken_by_no_part_even_before_it_is_dropped() {
    let parts = Parts::new(20);
    let (counter, waker) = Counter::new();
    let (mut all, mut any) = (Box::pin(when_all(parts.all())), Box::pin(when_any(parts.all())));
    assert!(poll_with(all.as_mut(), &waker).is_pending());
    let of_all: Vec<_> = parts.wakers.borrow().iter().flatten().cloned().collect();
    assert!(poll_with(any.as_mut(), &waker).is_pending());
    (0..20).for_each(|number| parts.let_go(number));
    of_all.iter().for_each(Waker::wake_by_ref);
    assert!(poll_with(all.as_mut(), &waker).is_ready());
    assert!(poll_with(any.as_mut(), &waker).is_ready());
    let wakes = counter.wakes();
    drop(waker);
    of_all.into_iter().for_each(Waker::wake);
    assert_eq!((counter.wakes(), StdArc::strong_count(&counter)), (wakes, 1));
}

#[test]
fn a_part_keeps_its_waker_from_poll_to_poll_and_no_two_parts_share_one() {
    let mut woken = Woken::new(PARTS + 2);
    woken.begin(Waker::noop());
    let mut wakers = Vec::new();
    while let Some(part) = woken.next() {
        wakers.push(woken.poll(part, |cx| cx.waker().clone()));
    }
    for (part, waker) in wakers.iter().enumerate() {
        let same: Vec<_> = wakers.iter().map(|other| other.will_wake(waker)).collect();
        assert!(woken.poll(part, |cx| cx.waker().will_wake(waker)));
        assert_eq!(same.iter().filter(|same| **same).count(), 1);
    }
}

#[test]
fn parts_are_told_in_the_order_of_their_numbers_and_those_left_over_come_first() {
    let count = POLLS_MAX + PARTS;
    let mut woken = Woken::new(count);
    let (counter, waker) = Counter::new();
    let told = |woken: &mut Woken| {
        woken.begin(&waker);
        let told: Vec<_> = core::iter::from_fn(|| woken.next()).collect();
        woken.end(&waker);
        told
    };
    assert_eq!(told(&mut woken), (0..POLLS_MAX).collect::<Vec<_>>());
    assert_eq!(counter.wakes(), 1, "there are more");
    for part in [count - 1, 5, PARTS + 1, 5] {
        woken.poll(part, |cx| cx.waker().wake_by_ref());
    }
    assert_eq!(told(&mut woken), (POLLS_MAX..count).collect::<Vec<_>>());
    assert_eq!(counter.wakes(), 3, "one of the wakes of parts, and one since there are more");
    assert_eq!(told(&mut woken), [5, PARTS + 1], "the last one was among those left over");
    assert_eq!(told(&mut woken), []);
    woken.add(count);
    woken.poll(count, |cx| cx.waker().wake_by_ref());
    assert_eq!(told(&mut woken), [count]);
}

#[test]
fn a_wake_of_the_whole_may_wake_its_parts_and_drop_it() {
    let parts = Parts::new(20);
    let whole: Rc<RefCell<Option<Whole>>> = Rc::default();
    let all = when_all(parts.all());
    *whole.borrow_mut() = Some(Box::pin(async { drop(all.await) }));
    let (place, theirs) = (whole.clone(), parts.clone());
    let waker = acting(move || {
        theirs.wakers.borrow()[5].as_ref().unwrap().wake_by_ref();
        drop(place.take());
    });
    let polled = poll_with(whole.borrow_mut().as_mut().unwrap().as_mut(), &waker);
    assert!(polled.is_pending());
    let waker = parts.wakers.borrow()[3].clone().unwrap();
    waker.wake();
    assert!(whole.borrow().is_none());
}

#[test]
fn wakes_from_other_threads_lose_no_part() {
    const THREADS: usize = 3;
    type Slot = Mutex<(bool, Option<Waker>)>;
    let slots: StdArc<[Slot]> = (0..MANY).map(|_| Slot::default()).collect();
    let part = |number: usize| {
        let slots = slots.clone();
        poll_fn(move |cx| {
            let mut slot = slots[number].lock().unwrap();
            slot.1 = Some(cx.waker().clone());
            if slot.0 { Poll::Ready(()) } else { Poll::Pending }
        })
    };
    let all = when_all((0..MANY).map(part).collect::<Vec<_>>());
    let wake = |first: usize| {
        let slots = slots.clone();
        move || {
            for number in (first..MANY).step_by(THREADS) {
                let waker = {
                    let mut slot = slots[number].lock().unwrap();
                    slot.0 = true;
                    slot.1.clone()
                };
                waker.into_iter().for_each(Waker::wake);
            }
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|first| thread::spawn(wake(first))).collect();
    let outputs = block_on(all);
    assert_eq!(outputs.len(), MANY);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Polls on this thread whenever it is unparked.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: StdArc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(StdArc::new(Unpark(thread::current())));
    let mut future = Box::pin(future);
    loop {
        match poll_with(future.as_mut(), &waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
