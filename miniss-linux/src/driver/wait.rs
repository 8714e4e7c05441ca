//! One enter per turn: submit what has gathered, take what has completed, and sleep if there is
//! nothing to do.
//!
//! Sleeping and being woken costs tens of microseconds in a virtual machine and a few on bare
//! metal. A shard that sleeps for less than that has paid more than one that looks for work
//! meanwhile. How long it will take is not known beforehand, so both kinds of spinning learn from
//! what happened, and stop where it does not pay.

#![forbid(unsafe_code)]

use std::cell::RefMut;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use miniss_core::time::Instant;
use miniss_core::{Idle, Reactor};

use super::ring::Ring;
use super::submit::Driver;
use super::sys::{Wait, now};
use super::unpark::Unparker;
use crate::diagnostics::{self, Event};

/// The reactor of a shard: through it the executor drives the driver.
pub(crate) struct UringReactor {
    driver: Rc<Driver>,
    spin: IdleSpin,
    call_spin: CallSpin,
}

impl UringReactor {
    pub(crate) fn new(driver: Rc<Driver>) -> Self {
        let spin = IdleSpin::new(driver.config.idle_spin_ns);
        let call_spin = CallSpin::new(driver.config.call_spin_ns);
        Self { driver, spin, call_spin }
    }
}

impl Reactor for UringReactor {
    type Unparker = Unparker;

    /// Enters only if the kernel has something to do; what has completed is in memory.
    #[inline]
    fn poll(&mut self) -> usize {
        self.driver.submit();
        self.driver.reap()
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        self.driver.arm_eventfd();
        let expects_calls = self.call_spin.is_on() && idle.expects_calls();
        let spins = self.spins(expects_calls);
        if spins.longest() > 0 {
            self.driver.submit();
        }
        if self.driver.reap() > 0 {
            return;
        }
        if self.finds_work(spins, deadline, idle) || !idle.confirmed() {
            self.driver.submit();
            self.driver.reap();
            return;
        }
        let start = expects_calls.then(now);
        match wait_for(deadline) {
            // A timer is due, so there is no time to sleep.
            Wait::No => self.driver.submit(),
            wait => self.driver.enter(wait),
        }
        self.driver.reap();
        if let Some(start) = start.filter(|_| idle.has_calls()) {
            self.call_spin.slept(nanos_since(start));
        }
    }
}

/// For how long to look for work this time, for either reason.
#[derive(Clone, Copy)]
struct Spins {
    idle_ns: u64,
    call_ns: u64,
}

impl Spins {
    fn longest(&self) -> u64 {
        self.idle_ns.max(self.call_ns)
    }
}

/// Looks at memory between two reads of the clock.
const LOOKS_PER_CLOCK: u32 = 16;

impl UringReactor {
    #[inline]
    fn spins(&mut self, expects_calls: bool) -> Spins {
        let call_ns = if expects_calls { self.call_spin.window_ns() } else { 0 };
        Spins { idle_ns: self.spin.window_ns(), call_ns }
    }

    /// Looks for work, and learns whether it was worth it. `true` if there is some.
    #[inline]
    fn finds_work(&mut self, spins: Spins, deadline: Option<Instant>, idle: Idle<'_>) -> bool {
        if spins.longest() == 0 {
            return false;
        }
        let start = now();
        let found = self.driver.spin(start, spins.longest(), deadline, idle);
        if spins.idle_ns > 0 {
            if found { self.spin.hit() } else { self.spin.miss() }
        }
        if spins.call_ns > 0 {
            let took = nanos_since(start);
            let in_time = found && idle.has_calls() && took <= spins.call_ns.saturating_mul(2);
            if in_time { self.call_spin.hit(took) } else { self.call_spin.miss() }
        }
        found
    }
}

fn nanos_since(start: Instant) -> u64 {
    (now() - start).as_nanos() as u64
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
        self.try_submit().unwrap_or_else(|error| is_broken(&error));
    }

    /// Enters the kernel and waits there.
    pub(super) fn enter(&self, wait: Wait) {
        self.try_enter(wait).unwrap_or_else(|error| is_broken(&error));
    }

    /// As [`submit`](Self::submit), for callers that must not panic.
    #[inline]
    pub(super) fn try_submit(&self) -> io::Result<()> {
        let Some(mut ring) = self.ring_mut() else { return Ok(()) };
        if self.ops.wants_cancel() {
            self.push_cancels(&mut ring);
        }
        if ring.wants_enter() { self.enter_with(ring, Wait::No) } else { Ok(()) }
    }

    /// As [`enter`](Self::enter), for callers that must not panic.
    pub(super) fn try_enter(&self, wait: Wait) -> io::Result<()> {
        let Some(mut ring) = self.ring_mut() else { return Ok(()) };
        self.push_cancels(&mut ring);
        self.enter_with(ring, wait)
    }

    #[inline]
    fn enter_with(&self, ring: RefMut<'_, Ring>, wait: Wait) -> io::Result<()> {
        enter(ring, wait).inspect_err(|_| self.refuse())
    }

    #[inline]
    fn ring_mut(&self) -> Option<RefMut<'_, Ring>> {
        RefMut::filter_map(self.ring.borrow_mut(), Option::as_mut).ok()
    }

    /// Looks for work from `start` for so long, but not past the deadline. `true` if there is some.
    fn spin(&self, start: Instant, ns: u64, deadline: Option<Instant>, idle: Idle<'_>) -> bool {
        let spin_end = start + Duration::from_nanos(ns);
        let end = deadline.map_or(spin_end, |deadline| deadline.min(spin_end));
        loop {
            for _ in 0..LOOKS_PER_CLOCK {
                if idle.has_work() || self.has_events() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if now() >= end {
                return false;
            }
        }
    }

    /// Whether a look at the queues would find something, without a system call.
    fn has_events(&self) -> bool {
        let mut ring = self.ring.borrow_mut();
        ring.as_mut().is_some_and(|ring| ring.has_completions() || ring.wants_enter())
    }
}

/// Enters the kernel, and reports what there is to report when nothing is borrowed any more: the
/// program's logger may use the runtime.
fn enter(mut ring: RefMut<'_, Ring>, wait: Wait) -> io::Result<()> {
    let result = ring.enter(wait);
    let overflowed = ring.take_overflowed();
    drop(ring);
    if overflowed {
        diagnostics::report(
            Event::QueueOverflowed,
            format_args!(
                "more operations completed at once than the completion queue has room for; \
                 nothing is lost, but more `ring_entries` would be faster"
            ),
        );
    }
    result
}

/// An error that is not one of those that mean *later*: no operation on the ring would ever end. So
/// the shard ends, and each caller that waits for it is told.
#[cold]
fn is_broken(error: &io::Error) {
    panic!("io_uring_enter failed, so no operation of this shard can end any more: {error}");
}

/// Looks for anything, for as long as the user said, before every sleep. When that has not paid
/// [`MISSES_MAX`] times in a row, it is tried only before one sleep in [`RETRY_EVERY`], until it
/// pays again.
#[derive(Debug)]
pub(super) struct IdleSpin {
    ns: u64,
    misses: u32,
    sleeps: u32,
}

const MISSES_MAX: u32 = 4;
const RETRY_EVERY: u32 = 64;

impl IdleSpin {
    pub(super) fn new(ns: u64) -> Self {
        Self { ns, misses: 0, sleeps: 0 }
    }

    /// For how long to look this time.
    #[inline]
    pub(super) fn window_ns(&mut self) -> u64 {
        if self.ns == 0 {
            return 0;
        }
        self.sleeps = self.sleeps.wrapping_add(1);
        let tries = self.misses < MISSES_MAX || self.sleeps.is_multiple_of(RETRY_EVERY);
        if tries { self.ns } else { 0 }
    }

    pub(super) fn hit(&mut self) {
        self.misses = 0;
    }

    pub(super) fn miss(&mut self) {
        self.misses = self.misses.saturating_add(1);
    }
}

/// Looks for calls and replies of other shards while some are expected: a call is under way, or one
/// was just answered.
///
/// It begins when a call has ended a short sleep, and then looks for no longer than that sleep
/// took; so it costs no more than it may save. When something comes early, the next look is
/// shorter. When nothing comes in time it stops. It begins again after a number of short sleeps,
/// which doubles each time.
#[derive(Debug)]
pub(super) struct CallSpin {
    /// A sleep that takes longer is not short.
    max_ns: u64,
    window_ns: u64,
    misses: u32,
    /// How many short sleeps are still to be passed by.
    passes: u32,
}

/// Less is not worth two looks at the clock.
const WINDOW_MIN_NS: u64 = 2_000;
/// A window is as many times as long as what came last took.
const MARGIN: u64 = 4;
/// Passes by at most 2 to the power of this many short sleeps.
const MISSES_COUNTED: u32 = 8;

impl CallSpin {
    pub(super) fn new(max_ns: u64) -> Self {
        Self { max_ns, window_ns: 0, misses: 0, passes: 0 }
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.max_ns > 0
    }

    /// For how long to look, if something is expected.
    #[inline]
    pub(super) fn window_ns(&self) -> u64 {
        self.window_ns
    }

    /// Something came after `ns`.
    pub(super) fn hit(&mut self, ns: u64) {
        self.window_ns = self.bounded(MARGIN.saturating_mul(ns).max(self.window_ns / 2));
        self.misses = 0;
    }

    /// Nothing came in time.
    pub(super) fn miss(&mut self) {
        self.window_ns = 0;
        self.misses = (self.misses + 1).min(MISSES_COUNTED);
        self.passes = 1 << self.misses;
    }

    /// A call or a reply that was expected ended a sleep of `ns`.
    pub(super) fn slept(&mut self, ns: u64) {
        if ns > self.max_ns {
            return;
        }
        if self.passes > 0 {
            self.passes -= 1;
            return;
        }
        self.window_ns = self.bounded(ns);
    }

    fn bounded(&self, ns: u64) -> u64 {
        ns.max(WINDOW_MIN_NS).min(self.max_ns)
    }
}

#[cfg(test)]
mod tests;
