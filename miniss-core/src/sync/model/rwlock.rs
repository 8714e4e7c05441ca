//! A reader-writer lock: a count of readers, a flag and a queue.

use super::*;
#[cfg(feature = "alloc")]
use crate::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::rc::Rc;

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

/// The lock in hand: guards that borrow it and those that own a share in it are one queue.
enum Guard<'a> {
    Read(RwLockReadGuard<'a, u32>),
    Write(RwLockWriteGuard<'a, u32>),
    #[cfg(feature = "alloc")]
    OwnedRead(OwnedRwLockReadGuard<u32>),
    #[cfg(feature = "alloc")]
    OwnedWrite(OwnedRwLockWriteGuard<u32>),
}

impl Guard<'_> {
    const fn writes(&self) -> Writes {
        match self {
            Self::Write(_) => true,
            #[cfg(feature = "alloc")]
            Self::OwnedWrite(_) => true,
            _ => false,
        }
    }

    fn downgrade(self) -> Self {
        match self {
            Self::Write(guard) => Self::Read(RwLockWriteGuard::downgrade(guard)),
            #[cfg(feature = "alloc")]
            Self::OwnedWrite(guard) => Self::OwnedRead(OwnedRwLockWriteGuard::downgrade(guard)),
            reader => reader,
        }
    }
}

async fn lock(lock: &Rc<RwLock<u32>>, writes: Writes, owned: bool) -> Guard<'_> {
    match (writes, owned) {
        #[cfg(feature = "alloc")]
        (true, true) => Guard::OwnedWrite(lock.write_owned().await),
        #[cfg(feature = "alloc")]
        (false, true) => Guard::OwnedRead(lock.read_owned().await),
        (true, _) => Guard::Write(lock.write().await),
        (false, _) => Guard::Read(lock.read().await),
    }
}

fn try_lock(lock: &Rc<RwLock<u32>>, writes: Writes, owned: bool) -> Option<Guard<'_>> {
    match (writes, owned) {
        #[cfg(feature = "alloc")]
        (true, true) => lock.try_write_owned().map(Guard::OwnedWrite),
        #[cfg(feature = "alloc")]
        (false, true) => lock.try_read_owned().map(Guard::OwnedRead),
        (true, _) => lock.try_write().map(Guard::Write),
        (false, _) => lock.try_read().map(Guard::Read),
    }
}

/// What the value ought to be; those who write add one to it.
fn touch(guard: &mut Guard<'_>, value: &mut u32) {
    let writes = guard.writes();
    *value += u32::from(writes);
    match guard {
        Guard::Write(guard) => **guard += 1,
        #[cfg(feature = "alloc")]
        Guard::OwnedWrite(guard) => **guard += 1,
        _ => {}
    }
    let seen = match guard {
        Guard::Read(guard) => **guard,
        Guard::Write(guard) => **guard,
        #[cfg(feature = "alloc")]
        Guard::OwnedRead(guard) => **guard,
        #[cfg(feature = "alloc")]
        Guard::OwnedWrite(guard) => **guard,
    };
    assert_eq!(seen, *value);
}

proptest! {
    #[test]
    fn a_rwlock_is_a_count_a_flag_and_a_queue(steps in steps(6)) {
        let (rwlock, mut value) = (Rc::new(RwLock::new(0)), 0);
        let mut pair = Pair::new(Model { readers: 0, writer: false, line: Line::new() });
        let mut held: Vec<Guard<'_>> = Vec::new();
        for step in steps {
            match step {
                Step::Poll { slot, want } => {
                    let lock = lock(&rwlock, want == 0, slot % 2 == 0);
                    let polled = pair.poll(slot, want == 0, lock);
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
                    let writer = held.pop().expect("a writer is held alone");
                    pair.naive.downgrade();
                    held.push(writer.downgrade());
                }
                Step::Act(4, n) => {
                    let guard = try_lock(&rwlock, n % 2 == 0, n % 4 < 2);
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
