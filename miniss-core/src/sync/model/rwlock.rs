//! A reader-writer lock: a count of readers, a flag and a queue.
//!
//! `user future ─▶ [rwlock] ─▶ wait list`, beside its model.

use super::*;
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

struct Model {
    readers: usize,
    writer: bool,
    line: Line<Self>,
}

/// Whether a future is a writer.
type Writes = bool;

impl Model {
    fn enter(&mut self, writes: Writes) -> bool {
        let free = !self.writer && (!writes || self.readers == 0);
        match writes {
            true => self.writer |= free,
            false => self.readers += usize::from(free),
        }
        free
    }

    fn try_enter(&mut self, writes: Writes) -> bool {
        self.line.waiting.is_empty() && self.enter(writes)
    }

    fn leave(&mut self, writes: Writes) {
        match writes {
            true => self.writer = false,
            false => self.readers -= 1,
        }
        self.serve();
    }

    fn downgrade(&mut self) {
        self.writer = false;
        self.readers = 1;
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(writes) = self.line.front()
            && self.enter(writes)
        {
            self.line.wake(writes);
        }
    }
}

impl Naive for Model {
    type Want = Writes;
    type Outcome = Writes;

    fn line(&mut self) -> &mut Line<Self> {
        &mut self.line
    }

    fn arrive(&mut self, writes: Writes) -> Option<Writes> {
        self.try_enter(writes).then_some(writes)
    }

    fn give_up(&mut self, outcome: Option<Writes>) {
        match outcome {
            Some(writes) => self.leave(writes),
            None => self.serve(),
        }
    }
}

enum Guard<'a> {
    Read(RwLockReadGuard<'a, u32>),
    Write(RwLockWriteGuard<'a, u32>),
}

impl Guard<'_> {
    const fn writes(&self) -> Writes {
        matches!(self, Self::Write(_))
    }
}

async fn lock(lock: &RwLock<u32>, writes: Writes) -> Guard<'_> {
    match writes {
        true => Guard::Write(lock.write().await),
        false => Guard::Read(lock.read().await),
    }
}

fn try_lock(lock: &RwLock<u32>, writes: Writes) -> Option<Guard<'_>> {
    match writes {
        true => lock.try_write().map(Guard::Write),
        false => lock.try_read().map(Guard::Read),
    }
}

/// What the value ought to be; those who write add one to it.
fn touch(guard: &mut Guard<'_>, value: &mut u32) {
    match guard {
        Guard::Read(guard) => assert_eq!(**guard, *value),
        Guard::Write(guard) => {
            *value += 1;
            **guard += 1;
        }
    }
}

proptest! {
    #[test]
    fn a_rwlock_is_a_count_a_flag_and_a_queue(steps in steps(6)) {
        let (rwlock, mut value) = (RwLock::new(0), 0);
        let mut pair = Pair::new(Model { readers: 0, writer: false, line: Line::new() });
        let mut held: Vec<Guard<'_>> = Vec::new();
        for step in steps {
            match step {
                Step::Poll { slot, want } => {
                    let polled = pair.poll(slot, want == 0, lock(&rwlock, want == 0));
                    if let Some((writes, guard)) = polled {
                        prop_assert_eq!(guard.writes(), writes);
                        held.push(guard);
                    }
                }
                Step::Drop(slot) => pair.drop(slot),
                Step::Leak(slot) => pair.leak(slot),
                Step::Act(0..3, n) if !held.is_empty() => {
                    let guard = held.swap_remove(n % held.len());
                    pair.naive.leave(guard.writes());
                    drop(guard);
                }
                Step::Act(3, _) if held.iter().any(Guard::writes) => {
                    if let Some(Guard::Write(guard)) = held.pop() {
                        pair.naive.downgrade();
                        held.push(Guard::Read(RwLockWriteGuard::downgrade(guard)));
                    }
                }
                Step::Act(4, n) => {
                    let guard = try_lock(&rwlock, n % 2 == 0);
                    prop_assert_eq!(guard.is_some(), pair.naive.try_enter(n % 2 == 0));
                    held.extend(guard);
                }
                Step::Act(..) => {}
            }
            held.iter_mut().for_each(|guard| touch(guard, &mut value));
            pair.check(rwlock.waiters());
        }
    }
}
