//! The turn of a shard in its driver: hand over what has gathered, take what has completed, and
//! sleep if there is nothing to do. Each turn enters the kernel for that once at most; over epoll
//! the calls of the requests themselves come besides.

#![forbid(unsafe_code)]

use std::io;
use std::rc::Rc;
use std::time::Duration;

use miniss_core::time::Instant;
use miniss_core::{Idle, Reactor};

use super::backend::AnyBackend;
use super::clock::ShardClock;
use super::spin::{CallSpin, IdleSpin};
use super::start::ShardDriver;
use super::sys::{Wait, now};
use super::unpark::Unparker;
use crate::stall::ShardBeat;

/// The reactor of a shard: through it the executor drives the driver.
pub(crate) struct ShardReactor {
    driver: Rc<ShardDriver>,
    spin: IdleSpin,
    call_spin: CallSpin,
    beat: Option<ShardBeat>,
}

impl ShardReactor {
    pub(crate) fn new(driver: Rc<ShardDriver>, beat: Option<ShardBeat>) -> Self {
        let spin = IdleSpin::new(driver.config.idle_spin_ns);
        let call_spin = CallSpin::new(driver.config.call_spin_ns);
        Self { driver, spin, call_spin, beat }
    }
}

impl Reactor for ShardReactor {
    type Unparker = Unparker;

    /// Enters only if the kernel has something to do; what has completed is in memory.
    #[inline]
    fn poll(&mut self) -> usize {
        if let Some(beat) = &self.beat {
            beat.goes_on();
        }
        self.driver.submit();
        self.driver.reap()
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        if let Some(beat) = &self.beat {
            beat.sleeps();
        }
        self.look_and_sleep(deadline, idle);
        if let Some(beat) = &self.beat {
            beat.wakes();
        }
    }
}

impl ShardReactor {
    fn look_and_sleep(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        self.driver.backend.arm_unparker();
        // A cancel may end its operation at once, and wake a task: so before the last look.
        self.driver.push_cancels();
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
        if let (Some(clock), Some(deadline)) = (self.driver.standing_clock(), deadline) {
            return self.wait_beside(clock, deadline, idle);
        }
        let start = expects_calls.then(now);
        match wait_for(deadline) {
            // A timer is due, so there is no time to sleep.
            Wait::No => self.driver.submit(),
            wait => self.driver.sleep(wait).unwrap_or_else(|error| is_broken(&error)),
        }
        self.driver.reap();
        if let Some(start) = start.filter(|_| idle.has_calls()) {
            self.call_spin.slept(nanos_since(start));
        }
    }
}

/// While a clock stands, so long a shard with nothing to do waits for what the kernel has in
/// progress, and looks again for what threads do.
const BESIDE_NS: u64 = 1_000_000;

impl ShardReactor {
    /// Sets a clock that stands forward to the next deadline. What is in progress elsewhere comes
    /// first: the kernel has a moment for it, and work on threads ends.
    #[cold]
    fn wait_beside(&self, clock: &ShardClock, deadline: Instant, idle: Idle<'_>) {
        let (driver, on_threads) = (&self.driver, self.driver.ops.on_pool.pool_is_busy());
        let waits = on_threads || driver.in_flight() > 0 || driver.backend.is_awaited();
        let wait = if waits { Wait::Nanos(BESIDE_NS) } else { Wait::No };
        driver.sleep(wait).unwrap_or_else(|error| is_broken(&error));
        if driver.reap() == 0 && !idle.has_work() && !on_threads {
            clock.set_forward(deadline);
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

impl ShardReactor {
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

impl ShardDriver {
    /// Hands over what has gathered, if anything has.
    #[inline]
    pub(crate) fn submit(&self) {
        self.try_submit().unwrap_or_else(|error| is_broken(&error));
    }

    /// Hands over before the turn ends, so that a device is at work meanwhile.
    pub(crate) fn submit_early(&self) {
        if let AnyBackend::Uring(uring) = &self.backend
            && let Some(ring) = &mut *uring.ring.borrow_mut()
        {
            ring.submit_early();
        }
    }

    /// Enters the kernel and waits there. All cancels have been handed over.
    #[inline]
    fn sleep(&self, wait: Wait) -> io::Result<()> {
        self.backend.enter(wait).inspect_err(|_| self.refuse())
    }

    /// As [`submit`](Self::submit), for callers that must not panic.
    #[inline]
    pub(super) fn try_submit(&self) -> io::Result<()> {
        self.push_cancels();
        self.backend.submit().inspect_err(|_| self.refuse())
    }

    /// Enters the kernel, with all cancels, and waits there.
    pub(super) fn try_enter(&self, wait: Wait) -> io::Result<()> {
        self.push_cancels();
        self.sleep(wait)
    }

    /// Settles what has completed; returns how much that was.
    #[inline]
    pub(super) fn reap(&self) -> usize {
        self.is_reaping.set(true);
        let settled = self.backend.reap(&self.ops);
        self.is_reaping.set(false);
        settled
    }

    /// Submits what has gathered and settles what completes at once, outside of any turn. The next
    /// turn settles the rest.
    pub(crate) fn settle(&self) {
        // Not while completions are being settled: those come first, so that the bytes of a stream
        // keep their order.
        while !self.is_reaping.get() && self.try_submit().is_ok() {
            if self.reap() == 0 {
                return;
            }
        }
    }

    /// Looks for work from `start` for so long, but not past the deadline. `true` if there is some.
    fn spin(&self, start: Instant, ns: u64, deadline: Option<Instant>, idle: Idle<'_>) -> bool {
        let spin_end = start + Duration::from_nanos(ns);
        let end = deadline.map_or(spin_end, |deadline| deadline.min(spin_end));
        loop {
            for _ in 0..LOOKS_PER_CLOCK {
                if idle.has_work() || self.backend.has_events() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if self.backend.look().unwrap_or_else(|error| is_broken(&error)) {
                return true;
            }
            if now() >= end {
                return false;
            }
        }
    }
}

/// An error that is not one of those that mean *later*: no operation on the ring would ever end. So
/// the shard ends, and each caller that waits for it is told.
#[cold]
fn is_broken(error: &io::Error) -> ! {
    panic!("the kernel refuses to be entered, so no operation of this shard can end: {error}");
}
