//! `[do_with]`: when the value goes.

use super::*;
use crate::collections::test_waker::poll_once;
use crate::combine::yield_now;
use core::cell::Cell;
use core::task::Poll;
use std::boxed::Box;

struct Dropped<'a>(&'a Cell<u32>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

async fn suspends(_: &mut Dropped<'_>) -> u32 {
    yield_now().await;
    yield_now().await;
    7
}

#[test]
fn a_fu_9_do_with_drops_the_value_once_after_a_suspended_body() {
    let drops = Cell::new(0);
    let mut work = Box::pin(do_with(Dropped(&drops), suspends));
    assert!(poll_once(work.as_mut()).is_pending());
    assert!(poll_once(work.as_mut()).is_pending());
    assert_eq!(drops.get(), 0);
    assert_eq!(poll_once(work.as_mut()), Poll::Ready(7));
    assert_eq!(drops.get(), 1);
    drop(work);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_fu_9_do_with_dropped_midway_drops_the_value_once() {
    let drops = Cell::new(0);
    let mut work = Box::pin(do_with(Dropped(&drops), suspends));
    assert!(poll_once(work.as_mut()).is_pending());
    drop(work);
    assert_eq!(drops.get(), 1);
}

#[test]
fn the_value_is_held_once() {
    let work = do_with([0u8; 1000], async |_| yield_now().await);
    assert!(size_of_val(&work) < 1100);
}
