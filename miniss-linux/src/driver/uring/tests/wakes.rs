//! What ends a sleep: the eventfd, however often it is rung, and messages from ring to ring.

use super::*;
use crate::cross::Bell;
use miniss_core::Doorbell;

/// A driver whose bell is watched.
fn driver_of(bell: &'static Bell) -> Closing {
    let driver = driver_with_bell(8, bell.hang().unwrap());
    driver.arm_bell();
    turn(&driver);
    driver
}

/// Sleeps until woken, and says whether it was before the end of patience.
fn is_woken(driver: &Driver) -> bool {
    let start = now();
    driver.arm_bell();
    driver.enter(Wait::Nanos(PATIENCE.as_nanos() as u64));
    driver.reap();
    now() - start < PATIENCE
}

#[test]
fn every_ring_of_the_eventfd_ends_a_sleep_of_its_own() {
    static BELL: Bell = Bell::new();
    let driver = driver_of(&BELL);
    for _ in 0..50 {
        BELL.ring();
        assert!(is_woken(&driver));
    }
    assert!(driver.bell_is_armed.get());
}

#[test]
fn a_bell_that_rang_before_it_was_watched_is_heard() {
    static BELL: Bell = Bell::new();
    let eventfd = BELL.hang().unwrap();
    BELL.ring();
    let driver = driver_with_bell(8, eventfd);
    assert!(is_woken(&driver));
}

#[test]
fn a_watch_that_ended_is_taken_up_again() {
    static BELL: Bell = Bell::new();
    let driver = driver_of(&BELL);
    end_watch(&driver);
    BELL.ring();
    assert!(is_woken(&driver));
    assert!(driver.bell_is_armed.get());
}

#[test]
fn a_message_ends_a_sleep() {
    static BELL: Bell = Bell::new();
    let sleeper = driver_of(&BELL);
    let ringer = driver(8);
    let ring = sleeper.ring_fd_owned().unwrap();
    for _ in 0..50 {
        assert!(ringer.ring_other(ring.as_raw_fd(), BELL.name().unwrap()));
        ringer.submit();
        assert!(is_woken(&sleeper));
    }
    assert!(sleeper.bell_is_armed.get(), "a message is no end of the watch");
}

#[test]
fn a_message_that_fails_is_followed_by_the_eventfd() {
    static BELL: Bell = Bell::new();
    let sleeper = driver_of(&BELL);
    let ringer = driver(8);
    let (no_ring, _peer) = UnixStream::pair().unwrap();
    assert!(ringer.ring_other(no_ring.as_raw_fd(), BELL.name().unwrap()));
    turn(&ringer);
    assert!(is_woken(&sleeper));
}

#[test]
fn a_bell_that_was_taken_down_rings_nobody() {
    static BELL: Bell = Bell::new();
    let _driver = driver_of(&BELL);
    BELL.take_down();
    BELL.ring();
}

/// Has the kernel give up the watch, as it does when its queue overflows.
fn end_watch(driver: &Driver) {
    if let Some(ring) = &*driver.ring.borrow() {
        let all = io_uring::types::CancelBuilder::any().all();
        let _ = ring.submitter().register_sync_cancel(None, all);
    }
    turn_until(driver, || !driver.bell_is_armed.get());
}
