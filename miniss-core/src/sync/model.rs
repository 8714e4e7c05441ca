//! Random lives of the primitives, each against a naive model that only remembers.

#![forbid(unsafe_code)]

mod barrier;
mod condvar;
mod event;
mod gate;
mod rwlock;
mod semaphore;

use core::fmt::Debug;
use core::future::Future;
use core::pin::Pin;
use core::task::Poll;
use proptest::collection::vec;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::vec::Vec;

use crate::collections::test_waker::{Counter, poll_with};

const SLOTS: usize = 5;

/// One thing to do. What acts there are, and what a number means, is up to each model.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Polls the future in a slot, or puts a new one there and polls it.
    Poll {
        slot: usize,
        want: usize,
    },
    Drop(usize),
    Leak(usize),
    Act(usize, usize),
}

fn steps(acts: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..SLOTS, 0..4usize).prop_map(|(slot, want)| Step::Poll { slot, want }),
        3 => (0..SLOTS).prop_map(Step::Drop),
        1 => (0..SLOTS * 8).prop_map(Step::Leak),
        8 => (0..acts, any::<usize>()).prop_map(|(act, n)| Step::Act(act, n)),
    ];
    vec(step, 0..96)
}

/// A naive queue: who waits for what, in order, and what became of those who were taken out.
struct Line<N: Naive + ?Sized> {
    waiting: VecDeque<(usize, N::Want)>,
    woken: BTreeMap<usize, N::Outcome>,
}

impl<N: Naive> Line<N> {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), woken: BTreeMap::new() }
    }

    /// Takes the first one out.
    fn wake(&mut self, outcome: N::Outcome) -> bool {
        let first = self.waiting.pop_front();
        first.is_some_and(|(name, _)| self.woken.insert(name, outcome).is_none())
    }

    fn wake_all(&mut self, outcome: N::Outcome) {
        while self.wake(outcome) {}
    }

    fn front(&self) -> Option<N::Want> {
        self.waiting.front().map(|(_, want)| *want)
    }
}

/// What a primitive would be if nothing had to be fast.
trait Naive {
    type Want: Copy;
    type Outcome: Copy + Debug;

    fn line(&mut self) -> &mut Line<Self>;

    /// The first poll of a new future; `None` if it must wait.
    fn arrive(&mut self, want: Self::Want) -> Option<Self::Outcome>;

    /// A future was dropped while it waited, or before it learned of its outcome.
    fn give_up(&mut self, outcome: Option<Self::Outcome>);
}

struct Slot<'a, O> {
    name: usize,
    future: Pin<Box<dyn Future<Output = O> + 'a>>,
    counter: Arc<Counter>,
}

/// The real futures beside the naive model.
struct Pair<'a, N: Naive, O> {
    naive: N,
    slots: [Option<Slot<'a, O>>; SLOTS],
    names: usize,
}

impl<'a, N: Naive, O> Pair<'a, N, O> {
    fn new(naive: N) -> Self {
        Self { naive, slots: [const { None }; SLOTS], names: 0 }
    }

    /// Polls with a fresh waker. What is ready is compared by the caller.
    fn poll<F>(&mut self, slot: usize, want: N::Want, future: F) -> Option<(N::Outcome, O)>
    where
        F: Future<Output = O> + 'a,
    {
        let (counter, waker) = Counter::new();
        let expected = match &mut self.slots[slot] {
            Some(slot) => self.naive.line().woken.remove(&slot.name),
            empty => {
                let (name, future) = (self.names, Box::pin(future));
                *empty = Some(Slot { name, future, counter: Arc::clone(&counter) });
                self.names += 1;
                self.arrive(name, want)
            }
        };
        let mut polled = self.slots[slot].take().expect("filled just now");
        let outcome = poll_with(Pin::new(&mut polled.future), &waker);
        match (expected, outcome) {
            (Some(expected), Poll::Ready(outcome)) => return Some((expected, outcome)),
            (None, Poll::Pending) => {}
            (expected, outcome) => {
                panic!("expected {expected:?}, and it is ready: {}", outcome.is_ready())
            }
        }
        polled.counter = counter;
        self.slots[slot] = Some(polled);
        None
    }

    fn arrive(&mut self, name: usize, want: N::Want) -> Option<N::Outcome> {
        let outcome = self.naive.arrive(want);
        if outcome.is_none() {
            self.naive.line().waiting.push_back((name, want));
        }
        outcome
    }

    fn drop(&mut self, slot: usize) {
        let Some(dropped) = self.slots[slot].take() else { return };
        let line = self.naive.line();
        line.waiting.retain(|(name, _)| *name != dropped.name);
        let outcome = line.woken.remove(&dropped.name);
        self.naive.give_up(outcome);
    }

    /// The future stays in its queue forever.
    fn leak(&mut self, slot: usize) {
        let leaked = self.slots.get_mut(slot).and_then(Option::take);
        crate::kept::forget(leaked.map(|slot| slot.future));
    }

    /// Exactly those were woken, once, who are so in the model, and as many wait.
    fn check(&mut self, waiters: usize) {
        let line = self.naive.line();
        assert_eq!(waiters, line.waiting.len(), "those who wait");
        for slot in self.slots.iter().flatten() {
            let woken = line.woken.contains_key(&slot.name);
            assert_eq!(slot.counter.wakes(), usize::from(woken), "wakes of {}", slot.name);
        }
    }
}
