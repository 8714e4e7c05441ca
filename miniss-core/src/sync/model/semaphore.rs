//! A semaphore: a number and a queue.

use super::*;
#[cfg(feature = "alloc")]
use crate::sync::OwnedUnits;
use crate::sync::{Closed, Semaphore, TryAcquireError, Units};
use std::rc::Rc;

struct Model {
    available: isize,
    closed: bool,
    line: Line<Self>,
}

impl Model {
    fn take(&mut self, units: usize) -> bool {
        let enough = self.available >= units as isize;
        self.available -= if enough { units as isize } else { 0 };
        enough
    }

    fn add(&mut self, units: usize) {
        self.available += units as isize;
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(units) = self.line.front().filter(|_| !self.closed)
            && self.take(units)
        {
            self.line.wake(Ok(units));
        }
    }

    fn try_take(&mut self, units: usize) -> bool {
        !self.closed && self.line.waiting.is_empty() && self.take(units)
    }
}

impl Naive for Model {
    type Want = usize;
    type Outcome = Result<usize, Closed>;

    fn line(&mut self) -> &mut Line<Self> {
        &mut self.line
    }

    fn arrive(&mut self, units: usize) -> Option<Self::Outcome> {
        if self.closed {
            return Some(Err(Closed));
        }
        self.try_take(units).then_some(Ok(units))
    }

    fn give_up(&mut self, outcome: Option<Self::Outcome>) {
        self.add(outcome.and_then(Result::ok).unwrap_or(0));
    }
}

/// Units in hand: those that borrow the semaphore and those that own a share in it are one queue.
enum Held<'a> {
    Borrowed(Units<'a>),
    #[cfg(feature = "alloc")]
    Owned(OwnedUnits),
}

impl Held<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::Borrowed(units) => units.len(),
            #[cfg(feature = "alloc")]
            Self::Owned(units) => units.len(),
        }
    }
}

async fn acquire(semaphore: &Rc<Semaphore>, units: usize, owned: bool) -> Result<Held<'_>, Closed> {
    match owned {
        #[cfg(feature = "alloc")]
        true => semaphore.acquire_owned(units).await.map(Held::Owned),
        _ => semaphore.acquire(units).await.map(Held::Borrowed),
    }
}

fn try_acquire(
    semaphore: &Rc<Semaphore>,
    units: usize,
    owned: bool,
) -> Result<Held<'_>, TryAcquireError> {
    match owned {
        #[cfg(feature = "alloc")]
        true => semaphore.try_acquire_owned(units).map(Held::Owned),
        _ => semaphore.try_acquire(units).map(Held::Borrowed),
    }
}

proptest! {
    #[test]
    fn a_semaphore_is_a_number_and_a_queue(steps in steps(12)) {
        let semaphore = Rc::new(Semaphore::new(3));
        let naive = Model { available: 3, closed: false, line: Line::new() };
        let mut pair = Pair::new(naive);
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Poll { slot, want } => {
                    let acquire = acquire(&semaphore, want, slot % 2 == 0);
                    let polled = pair.poll(slot, want, acquire);
                    if let Some((expected, units)) = polled {
                        prop_assert_eq!(units.as_ref().map(Held::len), expected.as_ref().copied());
                        held.extend(units.ok());
                    }
                }
                Step::Drop(slot) => pair.drop(slot),
                Step::Leak(slot) => pair.leak(slot),
                Step::Act(0..6, n) if !held.is_empty() => {
                    let units = held.swap_remove(n % held.len());
                    pair.naive.add(units.len());
                    drop(units);
                }
                Step::Act(6..9, n) => {
                    pair.naive.add(n % 3);
                    semaphore.release(n % 3);
                }
                Step::Act(9, n) => {
                    pair.naive.available -= (n % 3) as isize;
                    semaphore.consume(n % 3);
                }
                Step::Act(10, n) => {
                    let units = try_acquire(&semaphore, n % 3, n % 2 == 0).ok();
                    prop_assert_eq!(units.is_some(), pair.naive.try_take(n % 3));
                    held.extend(units);
                }
                Step::Act(11, n) if n % 8 == 0 => {
                    semaphore.close();
                    pair.naive.closed = true;
                    pair.naive.line.wake_all(Err(Closed));
                }
                Step::Act(..) => {}
            }
            pair.check(semaphore.waiters());
            prop_assert_eq!(semaphore.available(), pair.naive.available);
        }
    }
}
