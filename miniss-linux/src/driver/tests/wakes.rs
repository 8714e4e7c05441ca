//! What ends a sleep: the eventfd, however often it is written to.

use super::*;
use crate::driver::unpark::Unparker;
use miniss_core::Unpark;

/// For what must not come: it would be here at once.
const A_WHILE_NS: u64 = 20_000_000;

/// One driver of each kind that is to be had, one after the other, for an eventfd of its own that
/// wakes have gone to `before` it was there.
fn drivers_of(unparker: &'static Unparker, before: usize) -> impl Iterator<Item = Closing> {
    [over_ring_with_eventfd, |_, eventfd| Some(epoll_with_eventfd(eventfd))].into_iter().filter_map(
        move |over| {
            let eventfd = unparker.open().unwrap();
            (0..before).for_each(|_| unparker.unpark());
            over(8, eventfd)
        },
    )
}

/// The eventfd is watched from now on.
fn watch(driver: &ShardDriver) {
    driver.backend.arm_unparker();
    turn(driver);
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
    for driver in drivers_of(&UNPARKER, 0) {
        watch(&driver);
        for _ in 0..50 {
            UNPARKER.unpark();
            assert!(is_woken(&driver));
        }
    }
}

#[test]
fn an_unpark_before_the_eventfd_is_watched_ends_the_sleep() {
    static UNPARKER: Unparker = Unparker::new();
    for driver in drivers_of(&UNPARKER, 1) {
        assert!(is_woken(&driver));
    }
}

#[test]
fn a_watch_that_ended_is_taken_up_again() {
    static UNPARKER: Unparker = Unparker::new();
    let eventfd = UNPARKER.open().unwrap();
    let Some(driver) = over_ring_with_eventfd(8, eventfd) else { return };
    watch(&driver);
    end_watch(&driver);
    UNPARKER.unpark();
    assert!(is_woken(&driver));
    assert!(uring(&driver).eventfd_is_armed.get());
}

#[test]
fn an_unparker_that_was_closed_wakes_no_one() {
    static UNPARKER: Unparker = Unparker::new();
    for driver in drivers_of(&UNPARKER, 0) {
        watch(&driver);
        UNPARKER.close();
        UNPARKER.unpark();
        enter(&driver, Wait::Nanos(A_WHILE_NS));
        assert_eq!(driver.reap(), 0);
    }
}

/// Has the kernel give up the watch, as it does when its queue overflows.
fn end_watch(driver: &ShardDriver) {
    if let Some(ring) = &*uring(driver).ring.borrow() {
        let all = io_uring::types::CancelBuilder::any().all();
        let _ = ring.submitter().register_sync_cancel(None, all);
    }
    turn_until(driver, || !uring(driver).eventfd_is_armed.get());
}
