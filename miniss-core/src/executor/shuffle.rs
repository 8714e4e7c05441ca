//! Another order of polling, for tests: whoever leans on first come, first served finds out.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::run_queue::fifo::Fifo;
use crate::task::header::Header;

/// How many of the tasks at the front may be passed over for another.
const PASSED_MAX: u64 = 8;

/// A sequence of numbers that look random, by xorshift (G. Marsaglia, "Xorshift RNGs", 2003).
#[derive(Debug)]
pub(super) struct Shuffle(Cell<u64>);

impl Shuffle {
    /// `None` for the seed 0, from which nothing but 0 follows.
    pub(super) fn new(seed: u64) -> Option<Self> {
        (seed != 0).then_some(Self(Cell::new(seed)))
    }

    /// Takes one of the first tasks of the queue; those before it go to its end.
    pub(super) fn pop(&self, queue: &Fifo) -> Option<NonNull<Header>> {
        for _ in 0..self.next() % PASSED_MAX {
            queue.push(queue.pop()?);
        }
        queue.pop()
    }

    fn next(&self) -> u64 {
        let mut bits = self.0.get();
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        self.0.set(bits);
        bits
    }
}
