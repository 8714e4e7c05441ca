//! One enter per turn: submit, post, and sleep if there is nothing to do.
//!
//! `task ─▶ run queue ─▶ executor ─▶ [driver: park] ─▶ kernel`

use std::rc::Rc;
use std::time::Duration;

use miniss_core::time::Instant;
use miniss_core::{Idle, Reactor};

use super::submit::Driver;
use super::sys::{Wait, now};
use crate::cross::Bell;

/// The reactor of a shard: the port between core and driver.
pub(crate) struct UringReactor {
    driver: Rc<Driver>,
    spin: Spin,
}

impl UringReactor {
    pub(crate) fn new(driver: Rc<Driver>) -> Self {
        let spin = Spin { ns: driver.config.idle_spin_ns, misses: 0, sleeps: 0 };
        Self { driver, spin }
    }
}

impl Reactor for UringReactor {
    type Bell = Bell;

    /// Enters only if there is something to submit or to post; what has completed is in memory.
    #[inline]
    fn poll(&mut self) -> usize {
        self.driver.submit();
        self.driver.reap()
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        let driver = &*self.driver;
        driver.arm_bell();
        if self.spin.ns > 0 {
            driver.submit();
        }
        if driver.reap() > 0 {
            return;
        }
        if self.spin.until_work(driver, deadline, idle) || !idle.confirmed() {
            driver.submit();
            driver.reap();
            return;
        }
        match wait_for(deadline) {
            // A timer is due: there is no sleep to be had, and perhaps nothing to submit.
            Wait::No => driver.submit(),
            wait => driver.enter(wait),
        }
        driver.reap();
    }
}

/// How long the kernel may keep us.
fn wait_for(deadline: Option<Instant>) -> Wait {
    let Some(deadline) = deadline else { return Wait::Forever };
    match (deadline - now()).as_nanos() as u64 {
        0 => Wait::No,
        nanos => Wait::Nanos(nanos),
    }
}

impl Driver {
    /// Hands over what has gathered, if anything has.
    #[inline]
    pub(crate) fn submit(&self) {
        let mut ring = self.ring.borrow_mut();
        let Some(ring) = &mut *ring else { return };
        if self.ops.wants_cancel() {
            self.push_cancels(ring);
        }
        if ring.wants_enter() {
            report(ring.enter(Wait::No));
        }
    }

    /// Enters the kernel and waits there.
    pub(super) fn enter(&self, wait: Wait) {
        let mut ring = self.ring.borrow_mut();
        let Some(ring) = &mut *ring else { return };
        self.push_cancels(ring);
        // A cancel that found no room must not wait for a completion that it is to bring about.
        let wait = if self.ops.wants_cancel() { Wait::No } else { wait };
        report(ring.enter(wait));
    }

    /// Whether a look at the queues would find something, without a system call.
    fn has_events(&self) -> bool {
        let mut ring = self.ring.borrow_mut();
        ring.as_mut().is_some_and(|ring| ring.has_completions() || ring.wants_enter())
    }
}

/// What is not one of the errors that mean *later* means that the ring is broken: every operation
/// on it would hang. Saying so is all that can be done.
fn report(result: std::io::Result<()>) {
    if let Err(error) = result {
        panic!("io_uring_enter failed, so no operation of this shard can end any more: {error}");
    }
}

/// Looks for work for a while before sleeping, since sleeping and being woken costs tens of
/// microseconds. When spinning has not paid [`MISSES_MAX`] times in a row, it is tried only before
/// one sleep in [`RETRY_EVERY`], until it pays again.
#[derive(Debug)]
struct Spin {
    ns: u64,
    misses: u32,
    sleeps: u32,
}

const MISSES_MAX: u32 = 4;
const RETRY_EVERY: u32 = 64;
/// Looks at memory between two reads of the clock.
const LOOKS_PER_CLOCK: u32 = 16;

impl Spin {
    fn is_worth_trying(&mut self) -> bool {
        if self.ns == 0 {
            return false;
        }
        self.sleeps = self.sleeps.wrapping_add(1);
        self.misses < MISSES_MAX || self.sleeps.is_multiple_of(RETRY_EVERY)
    }

    /// `true` if work came while spinning.
    fn until_work(&mut self, driver: &Driver, deadline: Option<Instant>, idle: Idle<'_>) -> bool {
        if !self.is_worth_trying() {
            return false;
        }
        let spin_end = now() + Duration::from_nanos(self.ns);
        let end = deadline.map_or(spin_end, |deadline| deadline.min(spin_end));
        while now() < end {
            for _ in 0..LOOKS_PER_CLOCK {
                if idle.has_work() || driver.has_events() {
                    self.misses = 0;
                    return true;
                }
                std::hint::spin_loop();
            }
        }
        self.misses = self.misses.saturating_add(1);
        false
    }
}
