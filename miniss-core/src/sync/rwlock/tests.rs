//! `[rwlock]` polled by hand: sharing, exclusion, order, and guards that change or go.

use super::*;
use crate::collections::test_waker::waiting;
use crate::collections::test_waker::{Counter, now, poll_once, poll_with};
use crate::kept::forget;
use core::future::Future;
use core::pin::Pin;
use core::task::{Poll, Waker};
use std::boxed::Box;

fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    match poll_once(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("still waiting"),
    }
}

#[test]
fn many_read_or_one_writes() {
    let lock = RwLock::new(1);
    let readers = [now(lock.read()), now(lock.read())];
    assert!(lock.try_write().is_none());
    assert_eq!(*readers[0] + *readers[1], 2);
    drop(readers);
    let mut writer = now(lock.write());
    *writer = 2;
    assert!(lock.try_read().is_none() && lock.try_write().is_none());
    drop(writer);
    assert_eq!(*lock.try_read().unwrap(), 2);
}

#[test]
fn a_writer_is_not_starved_by_readers_that_come_after_it() {
    let lock = RwLock::new(0);
    let reader = now(lock.read());
    let (counter, waker) = Counter::new();
    let mut write = waiting(lock.write(), &waker);
    let mut late = waiting(lock.read(), Waker::noop());
    assert!(lock.try_read().is_none());
    drop(reader);
    assert_eq!(counter.wakes(), 1);
    *ready(write.as_mut()) = 7;
    assert_eq!(*ready(late.as_mut()), 7);
}

#[test]
fn readers_are_not_starved_by_a_writer_that_comes_after_them() {
    let lock = RwLock::new(0);
    let writer = now(lock.write());
    let mut reads = [(); 2].map(|()| waiting(lock.read(), Waker::noop()));
    let mut write = waiting(lock.write(), Waker::noop());
    drop(writer);
    let guards = reads.each_mut().map(|read| ready(read.as_mut()));
    assert!(poll_once(write.as_mut()).is_pending());
    drop(guards);
    assert!(poll_once(write.as_mut()).is_ready());
}

#[test]
fn polling_a_hundred_times_registers_one_waiter() {
    let lock = RwLock::new(0);
    let reader = now(lock.read());
    let (counter, waker) = Counter::new();
    let mut write = Box::pin(lock.write());
    for _ in 0..100 {
        assert!(poll_with(write.as_mut(), &waker).is_pending());
    }
    assert_eq!(lock.waiters(), 1);
    drop(reader);
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_writer_that_gives_up_lets_the_readers_behind_it_pass() {
    let lock = RwLock::new(0);
    let _reader = now(lock.read());
    let write = waiting(lock.write(), Waker::noop());
    let mut read = waiting(lock.read(), Waker::noop());
    drop(write);
    assert_eq!(*ready(read.as_mut()), 0);
}

#[test]
fn a_writer_dropped_after_it_was_let_in_frees_the_lock() {
    let lock = RwLock::new(0);
    let reader = now(lock.read());
    let write = waiting(lock.write(), Waker::noop());
    let mut read = waiting(lock.read(), Waker::noop());
    drop(reader);
    assert!(poll_once(read.as_mut()).is_pending());
    drop(write);
    assert_eq!(*ready(read.as_mut()), 0);
}

#[test]
fn a_downgrade_lets_in_readers_up_to_the_next_writer() {
    let lock = RwLock::new(0);
    let mut writer = now(lock.write());
    let mut before = waiting(lock.read(), Waker::noop());
    let mut write = waiting(lock.write(), Waker::noop());
    let mut after = waiting(lock.read(), Waker::noop());
    *writer = 3;
    let reader = RwLockWriteGuard::downgrade(writer);
    assert_eq!(*reader + *ready(before.as_mut()), 6);
    assert!(poll_once(after.as_mut()).is_pending());
    drop(reader);
    *ready(write.as_mut()) = 4;
    assert_eq!(*ready(after.as_mut()), 4);
}

#[test]
fn a_leaked_waiter_keeps_its_turn_and_a_leaked_reader_keeps_writers_out() {
    let lock = RwLock::new(0);
    forget(now(lock.read()));
    let mut write = waiting(lock.write(), Waker::noop());
    assert!(poll_once(write.as_mut()).is_pending());
    drop(write);
    assert_eq!(*lock.try_read().unwrap(), 0);
    forget(waiting(lock.write(), Waker::noop()));
    assert!(lock.try_read().is_none());
    assert_eq!(Box::new(lock).into_inner(), 0);
}

#[test]
fn unsized_values_and_borrowed_access_are_fine() {
    let mut lock = RwLock::new([1, 2, 3]);
    lock.get_mut()[0] = 5;
    let lock: &RwLock<[i32]> = &lock;
    assert_eq!(now(lock.read()).iter().sum::<i32>(), 10);
    now(lock.write()).fill(1);
    assert_eq!(std::format!("{lock:?}"), "RwLock { value: [1, 1, 1], .. }");
    let writer = now(lock.write());
    assert_eq!(std::format!("{lock:?} {writer:?}"), "RwLock { value: <locked>, .. } [1, 1, 1]");
}

#[cfg(feature = "alloc")]
#[test]
fn an_owned_downgrade_whose_wake_panics_goes_on_as_a_reader_that_gives_way() {
    use crate::collections::test_waker::panicking;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    let lock = Rc::new(RwLock::new(0));
    let mut writer = now(lock.write_owned());
    *writer = 3;
    let mut read = waiting(lock.read_owned(), &panicking());
    let downgraded = catch_unwind(AssertUnwindSafe(|| OwnedRwLockWriteGuard::downgrade(writer)));
    assert!(downgraded.is_err());
    assert_eq!(*ready(read.as_mut()), 3);
    drop(read);
    assert!(lock.try_write_owned().is_some(), "a unit was lost");
    assert_eq!(Rc::strong_count(&lock), 1, "a share was lost");
}
