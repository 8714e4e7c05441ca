//! `[wait list]` alone: order, leaving, and wakers that misbehave.

use super::*;
use crate::collections::test_waker::{Counter, acting, panicking};
use core::pin::pin;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

fn leaked<T: Copy>() -> &'static WaitList<T> {
    crate::kept::forever(WaitList::new())
}

fn queued<'l, T: Copy>(list: &'l WaitList<T>, payload: T) -> Pin<Box<Waiter<'l, T>>> {
    let waiter = Box::pin(Waiter::new(list, payload));
    waiter.as_ref().enqueue();
    waiter
}

#[test]
fn first_come_first_served() {
    let list = WaitList::new();
    let waiters: Vec<_> = (0..4).map(|i| queued(&list, i)).collect();
    assert_eq!(list.front(), Some(0));
    assert_eq!(list.wake_while(|i| (i < 2).then_some(i + 10)), 2);
    let payloads: Vec<_> = waiters.iter().map(|w| w.payload()).collect();
    assert_eq!(payloads, [10, 11, 2, 3]);
}

#[test]
fn leaving_from_front_middle_and_back_keeps_the_rest_in_order() {
    for gone in 0..3 {
        let list = WaitList::new();
        let mut waiters: Vec<_> = (0..3).map(|i| queued(&list, i)).collect();
        drop(waiters.remove(gone));
        let mut seen = Vec::new();
        list.wake_while(|i| {
            seen.push(i);
            Some(i)
        });
        let expected: Vec<_> = (0..3).filter(|&i| i != gone).collect();
        assert_eq!(seen, expected);
        assert!(list.is_empty() && list.front().is_none());
    }
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_woken() {
    let list = WaitList::new();
    let waiter = queued(&list, ());
    let (old, old_waker) = Counter::new();
    let (new, new_waker) = Counter::new();
    waiter.register(&old_waker);
    waiter.register(&new_waker);
    list.wake_first(());
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
}

#[test]
fn a_waiter_that_was_served_may_queue_again() {
    let list = WaitList::new();
    let waiter = queued(&list, 1);
    assert!(list.wake_first(2));
    waiter.as_ref().enqueue();
    assert_eq!((list.len(), list.front()), (1, Some(2)));
}

#[test]
fn a_wake_may_drop_its_neighbours_and_join_again() {
    let list = leaked();
    let first = pin!(Waiter::new(list, 'a'));
    first.as_ref().enqueue();
    let second = queued(list, 'b');
    let third = queued(list, 'c');
    first.register(&acting(move || {
        drop(second);
        crate::kept::forever(queued(list, 'd'));
    }));
    let mut seen = Vec::new();
    list.wake_while(|name| {
        seen.push(name);
        Some(name)
    });
    assert_eq!(seen, ['a', 'c', 'd']);
    assert!(!third.is_queued());
}

#[test]
fn decide_may_empty_the_list_under_its_own_feet() {
    let list = WaitList::new();
    let mut waiter = Some(queued(&list, 1));
    let woken = list.wake_while(|i| {
        waiter = None;
        Some(i)
    });
    assert_eq!((woken, list.len()), (0, 0));
}

#[test]
fn a_waker_that_panics_does_not_strand_those_behind_it() {
    let list = WaitList::new();
    let (first, second) = (queued(&list, 0), queued(&list, 0));
    first.register(&panicking());
    let (counter, waker) = Counter::new();
    second.register(&waker);
    let outcome = catch_unwind(AssertUnwindSafe(|| list.wake_while(|_| Some(1))));
    assert!(outcome.is_err());
    assert_eq!((counter.wakes(), second.payload(), list.len()), (1, 1, 0));
}

#[test]
fn a_decide_that_panics_is_not_asked_again() {
    let list = WaitList::new();
    let waiters = [queued(&list, 0), queued(&list, 1), queued(&list, 2)];
    let decide = |i| (i == 0).then_some(9).or_else(|| panic!("cannot decide about {i}"));
    assert!(catch_unwind(AssertUnwindSafe(|| list.wake_while(decide))).is_err());
    assert_eq!((waiters[0].payload(), list.len(), list.front()), (9, 2, Some(1)));
    assert_eq!(list.wake_while(Some), 2);
}

#[test]
fn a_leaked_waiter_outlives_a_move_of_its_list() {
    let list = WaitList::new();
    crate::kept::forever(queued(&list, 5));
    let moved = Box::new(list);
    assert_eq!(moved.front(), Some(5));
    assert!(moved.wake_first(6) && moved.is_empty());
}

/// What a waiter in a tree of lists is: a leaf with a name, or a list, by its number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Twig {
    Leaf(u32),
    List(usize),
}

/// The names in a list, front to back.
fn leaves(list: &WaitList<Twig>) -> Vec<u32> {
    let mut names = Vec::new();
    list.wake_while(|twig| {
        if let Twig::Leaf(name) = twig {
            names.push(name);
        }
        Some(twig)
    });
    names
}

/// Flattens `lists[0]`; how often it asked what is inside.
fn flatten(lists: &[WaitList<Twig>]) -> usize {
    let asked = core::cell::Cell::new(0);
    let inside = |twig| {
        asked.set(asked.get() + 1);
        match twig {
            Twig::Leaf(_) => None,
            Twig::List(number) => Some(&lists[number]),
        }
    };
    // SAFETY: the waiters of each test borrow all lists, and a list stands in one of less number.
    unsafe { lists[0].flatten(inside) };
    asked.get()
}

#[test]
fn a_tree_of_lists_becomes_one_in_order_and_each_waiter_is_seen_once() {
    use Twig::{Leaf, List};
    let lists = [const { WaitList::new() }; 5];
    let twigs = [
        (0, List(1)),
        (0, Leaf(3)),
        (0, List(4)),
        (1, Leaf(1)),
        (1, List(2)),
        (2, List(3)),
        (2, Leaf(2)),
        (4, Leaf(4)),
    ];
    let waiters = twigs.map(|(list, twig)| queued(&lists[list], twig));
    assert_eq!(flatten(&lists), twigs.len());
    assert_eq!((lists[0].len(), lists[1].len(), lists[4].len()), (4, 0, 0));
    let queued: Vec<_> = waiters.iter().map(|waiter| waiter.is_queued()).collect();
    assert_eq!(queued, twigs.map(|(_, twig)| matches!(twig, Leaf(_))));
    let _late = self::queued(&lists[0], Leaf(5));
    assert_eq!(leaves(&lists[0]), [1, 2, 3, 4, 5]);
}

#[test]
fn a_waiter_leaves_the_list_that_took_its_own_over() {
    use Twig::{Leaf, List};
    for gone in 0..3 {
        let lists = [const { WaitList::new() }; 2];
        let _stands_for_it = queued(&lists[0], List(1));
        let mut waiters: Vec<_> = (0..3).map(|name| queued(&lists[1], Leaf(name))).collect();
        flatten(&lists);
        drop(waiters.remove(gone as usize));
        assert_eq!((lists[0].len(), lists[1].len()), (2, 0));
        waiters[0].leave();
        waiters[0].as_ref().enqueue();
        assert_eq!((lists[0].len(), lists[1].len()), (1, 1), "it joins its own again");
        let left: Vec<_> = (0..3).filter(|&name| name != gone).collect();
        assert_eq!((leaves(&lists[0]), leaves(&lists[1])), (left[1..].into(), left[..1].into()));
    }
}

#[test]
fn an_empty_list_leaves_nothing_in_its_place() {
    for (front, back) in [(false, false), (true, false), (false, true), (true, true)] {
        let lists = [const { WaitList::new() }; 2];
        let _front = front.then(|| queued(&lists[0], Twig::Leaf(1)));
        let stands_for_it = queued(&lists[0], Twig::List(1));
        let _back = back.then(|| queued(&lists[0], Twig::Leaf(2)));
        flatten(&lists);
        assert!(!stands_for_it.is_queued());
        let names: Vec<_> = [front.then_some(1), back.then_some(2)].into_iter().flatten().collect();
        assert_eq!(leaves(&lists[0]), names);
    }
}

proptest! {
    /// Any sequence of joins, leaves and wakes agrees with a `VecDeque` of names.
    #[test]
    fn behaves_like_a_plain_queue(steps in prop::collection::vec((0..3u8, 0..8usize), 0..64)) {
        let list = WaitList::new();
        let waiters: Vec<_> = (0..8).map(|i| Box::pin(Waiter::new(&list, i))).collect();
        let mut model = VecDeque::new();
        for (step, i) in steps {
            match step {
                0 => {
                    waiters[i].as_ref().enqueue();
                    if !model.contains(&i) { model.push_back(i); }
                }
                1 => {
                    prop_assert_eq!(waiters[i].leave(), model.contains(&i));
                    model.retain(|&name| name != i);
                }
                _ => {
                    let first = model.pop_front();
                    prop_assert_eq!(list.front(), first);
                    prop_assert_eq!(list.wake_first(first.unwrap_or(0)), first.is_some());
                }
            }
            prop_assert_eq!(list.len(), model.len());
            prop_assert_eq!(list.front(), model.front().copied());
        }
    }
}
