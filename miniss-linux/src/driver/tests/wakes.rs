//! What ends a sleep: the eventfd, however often it is written to.

use super::*;
use crate::driver::unpark::Unparker;
use miniss_core::Unpark;

/// For what must not come: it would be here at once.
const A_WHILE_NS: u64 = 20_000_000;

/// A driver whose unparker is watched.
fn driver_of(unparker: &'static Unparker) -> Closing {
    let driver = driver_with_eventfd(8, unparker.open().unwrap());
    driver.backend.arm_unparker();
    turn(&driver);
    driver
}

/// Sleeps until woken, and says whether it was before the end of patience.
fn is_woken(driver: &ShardDriver) -> bool {
    let start = now();
    driver.backend.arm_unparker();
    enter(driver, Wait::Nanos(PATIENCE.as_nanos() as u64));
    driver.reap();
    now() - start < PATIENCE
}

#[test]
fn every_write_to_the_eventfd_ends_a_sleep_of_its_own() {
    static UNPARKER: Unparker = Unparker::new();
    let driver = driver_of(&UNPARKER);
    for _ in 0..50 {
        UNPARKER.unpark();
        assert!(is_woken(&driver));
    }
    assert!(uring(&driver).eventfd_is_armed.get());
}

#[test]
fn an_unpark_before_the_eventfd_is_watched_ends_the_sleep() {
    static UNPARKER: Unparker = Unparker::new();
    let eventfd = UNPARKER.open().unwrap();
    UNPARKER.unpark();
    let driver = driver_with_eventfd(8, eventfd);
    assert!(is_woken(&driver));
}

#[test]
fn a_watch_that_ended_is_taken_up_again() {
    static UNPARKER: Unparker = Unparker::new();
    let driver = driver_of(&UNPARKER);
    end_watch(&driver);
    UNPARKER.unpark();
    assert!(is_woken(&driver));
    assert!(uring(&driver).eventfd_is_armed.get());
}

#[test]
fn an_unparker_that_was_closed_wakes_no_one() {
    static UNPARKER: Unparker = Unparker::new();
    let driver = driver_of(&UNPARKER);
    UNPARKER.close();
    UNPARKER.unpark();
    enter(&driver, Wait::Nanos(A_WHILE_NS));
    assert_eq!(driver.reap(), 0);
}

/// Has the kernel give up the watch, as it does when its queue overflows.
fn end_watch(driver: &ShardDriver) {
    if let Some(ring) = &*uring(driver).ring.borrow() {
        let all = io_uring::types::CancelBuilder::any().all();
        let _ = ring.submitter().register_sync_cancel(None, all);
    }
    turn_until(driver, || !uring(driver).eventfd_is_armed.get());
}
