//! Counters: what an executor has done, always on.

use core::cell::Cell;
use core::time::Duration;

use crate::time::Instant;

/// [`Stats::STALL`].
pub(super) const STALL_NS: u64 = Stats::STALL.as_nanos() as u64;

/// One counter, which only the owner changes: by a load, an add and a store. It is as wide as the
/// machine's words.
#[derive(Debug)]
pub(crate) struct Counter(Cell<usize>);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(0))
    }

    pub(crate) fn reset(&self) {
        self.0.set(0);
    }

    #[inline(always)]
    pub(crate) fn add(&self, more: u64) {
        self.0.set(self.0.get().wrapping_add(more as usize));
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.get() as u64
    }
}

/// How much was counted between two values of a counter, which may have wrapped.
#[inline]
pub(crate) fn counted(before: u64, after: u64) -> u64 {
    (after as usize).wrapping_sub(before as usize) as u64
}

/// A sum of times, in nanoseconds.
#[derive(Debug)]
pub(crate) struct TimeCounter(Cell<u64>);

impl TimeCounter {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(0))
    }

    pub(crate) fn reset(&self) {
        self.0.set(0);
    }

    pub(crate) fn add(&self, more_ns: u64) {
        self.0.set(self.0.get().wrapping_add(more_ns));
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.get()
    }
}

/// The live counters.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) turns: Counter,
    pub(crate) polls: Counter,
    pub(crate) spawned: Counter,
    pub(crate) wakes_local: Counter,
    pub(crate) wakes_remote: Counter,
    pub(crate) parks: Counter,
    pub(crate) events: Counter,
    pub(crate) timers_fired: Counter,
    pub(crate) busy_ns: TimeCounter,
    pub(crate) idle_ns: TimeCounter,
    /// When the last park ended, or the executor began; never, while it parks.
    busy_start: Cell<Instant>,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            turns: Counter::new(),
            polls: Counter::new(),
            spawned: Counter::new(),
            wakes_local: Counter::new(),
            wakes_remote: Counter::new(),
            parks: Counter::new(),
            events: Counter::new(),
            timers_fired: Counter::new(),
            busy_ns: TimeCounter::new(),
            idle_ns: TimeCounter::new(),
            busy_start: Cell::new(Instant::ZERO),
        }
    }

    /// A new executor begins, busy.
    pub(crate) fn reset(&self, now: Instant) {
        for counter in [
            &self.turns,
            &self.polls,
            &self.spawned,
            &self.wakes_local,
            &self.wakes_remote,
            &self.parks,
            &self.events,
            &self.timers_fired,
        ] {
            counter.reset();
        }
        self.busy_ns.reset();
        self.idle_ns.reset();
        self.busy_start.set(now);
    }

    /// A busy stretch ends now.
    pub(crate) fn busy_until(&self, now: Instant) {
        self.busy_ns.add(now.nanos_since(self.busy_start.replace(Instant::MAX)));
    }

    /// An idle stretch ends, and a busy one begins.
    pub(crate) fn idle_until(&self, start: Instant, now: Instant) {
        self.idle_ns.add(now.nanos_since(start));
        self.busy_start.set(now);
    }

    /// Time outside of parking up to now, in nanoseconds.
    pub(crate) fn busy_by(&self, now: Instant) -> u64 {
        self.busy_ns.value().wrapping_add(now.nanos_since(self.busy_start.get()))
    }

    pub(crate) fn snapshot(&self, now: Instant) -> Stats {
        Stats {
            turns: self.turns.value(),
            polls: self.polls.value(),
            spawned: self.spawned.value(),
            wakes_local: self.wakes_local.value(),
            wakes_remote: self.wakes_remote.value(),
            parks: self.parks.value(),
            events: self.events.value(),
            timers_fired: self.timers_fired.value(),
            busy: Duration::from_nanos(self.busy_by(now)),
            idle: Duration::from_nanos(self.idle_ns.value()),
            ..Stats::default()
        }
    }
}

/// What an executor has done since it began. Counts wrap after 2^64; on machines of 32 bits after
/// 2^32, but times after 2^64 there, too.
///
/// ```
/// # use miniss_core::doctest::executor;
/// let mut executor = executor();
/// executor.block_on(async {});
/// assert_eq!(executor.local().stats().polls, 1);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Times round the loop.
    pub turns: u64,
    /// Tasks taken from the run queue: nearly always to be polled, now and then to be dropped.
    pub polls: u64,
    /// Tasks spawned.
    pub spawned: u64,
    /// Local wakes that queued a task.
    pub wakes_local: u64,
    /// Remote wakes: those that came through the inbox.
    pub wakes_remote: u64,
    /// Times there was nothing to do and the reactor was asked to park.
    pub parks: u64,
    /// Events that the reactor settled without parking.
    pub events: u64,
    /// Timers that fired.
    pub timers_fired: u64,
    /// Time outside of parking, up to now.
    pub busy: Duration,
    /// Time inside of parking.
    pub idle: Duration,
    /// Stalls: polls that held this core for [`Stats::STALL`] or longer, each counted when it is
    /// over.
    ///
    /// It is always on, for it costs nothing but what the loop does anyway: it looks at the clock
    /// before and after each poll while polls are slow, and once in 32 while they are quick. So
    /// what is counted are times of that length between two looks in which a task was polled. Two
    /// stalls among 32 quick polls may count as one; 32 polls that together take as long count as
    /// one, but only the first time; and so does a reactor that blocks, or code around
    /// [`turn`](crate::Executor::turn). Time that the machine takes away counts, too. With
    /// [`Budget::time_max`](crate::Budget::time_max) zero nothing does.
    pub stalls: u64,
    /// Tasks alive now, those that only a handle still holds and rooms that are reserved included.
    pub tasks_live: usize,
    /// Timers armed now.
    pub timers_armed: usize,
}

impl Stats {
    /// From here on a poll counts as a stall: 25 ms.
    pub const STALL: Duration = Duration::from_millis(25);
}

/// So many kinds of delays are told apart: those of up to one microsecond, of up to two, of up to
/// four and so on; the last one has all from four seconds on.
const DELAYS: usize = 24;

/// How often a group has waited for how long.
#[derive(Debug)]
pub(crate) struct DelayCounters([Counter; DELAYS]);

impl DelayCounters {
    pub(crate) const fn new() -> Self {
        Self([const { Counter::new() }; DELAYS])
    }

    pub(crate) fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }

    pub(crate) fn add(&self, delay: Duration) {
        let whole_us = (delay.as_nanos() as u64).div_ceil(1_000);
        let kind = whole_us.max(1).next_power_of_two().trailing_zeros() as usize;
        self.0[kind.min(DELAYS - 1)].add(1);
    }

    pub(crate) fn snapshot(&self) -> Delays {
        let mut counts = [0; DELAYS];
        counts.iter_mut().zip(&self.0).for_each(|(count, counter)| *count = counter.value());
        Delays(counts)
    }
}

/// What a scheduling group has done since it was made. Counts wrap as those of [`Stats`].
///
/// While no other group has a task that is ready, the main group needs no turns of its own: its
/// polls and its time are counted, but no slices, no delays and no stalls ([`Stats::stalls`] has
/// these).
///
/// ```
/// # use miniss_core::{SchedulingGroup, doctest::executor};
/// let mut executor = executor();
/// let local = executor.local();
/// let group = local.create_group("queries", 500).unwrap();
/// let handle = local.with_group(group, || local.spawn(async {}).unwrap()).unwrap();
/// executor.block_on(handle).unwrap();
/// let stats = local.group_stats(group).unwrap();
/// assert_eq!((stats.name, stats.shares, stats.polls), ("queries", 500, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupStats {
    /// What it was called as it was made.
    pub name: &'static str,
    /// Its shares.
    pub shares: u32,
    /// Tasks taken from its queue.
    pub polls: u64,
    /// How often it was its turn.
    pub slices: u64,
    /// Time in its slices. For the main group, also the time outside of parking while no other had
    /// work, the reactor's included.
    pub busy: Duration,
    /// Slices that took [`Stats::STALL`] or longer. A slice ends with the first poll after the time
    /// of a turn, so that is as many polls that held the core.
    pub stalls: u64,
    /// How long it waited for each slice.
    pub delays: Delays,
}

/// A histogram of scheduling delays: how long a group that had work waited for its turn.
///
/// Time counts from where the executor saw the work: with a wake in another task's slice, from the
/// beginning of that slice. Where the main group had all the work before, it counts from where the
/// loop came to the task, or from the beginning of the next turn.
///
/// ```
/// # use miniss_core::{SchedulingGroup, doctest::executor};
/// # let executor = executor();
/// let stats = executor.local().group_stats(SchedulingGroup::MAIN).unwrap();
/// assert_eq!(stats.delays.count(), 0);
/// assert!(stats.delays.percentile(99.0).is_zero());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delays([u64; DELAYS]);

impl Delays {
    /// How many delays there are in it.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// A delay that so many in a hundred did not exceed: a power of two in microseconds, so up to
    /// twice what it was. Zero if there are none.
    pub fn percentile(&self, percent: f64) -> Duration {
        let wanted = self.count() as f64 * percent / 100.0;
        let mut seen = 0;
        let reached = self.buckets().find(|(_, count)| {
            seen += count;
            *count > 0 && seen as f64 >= wanted
        });
        reached.map_or(Duration::ZERO, |(bound, _)| bound)
    }

    /// The longest delay of each kind, and how many there are of it, from the shortest on. The last
    /// kind has all that are longer.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.0.iter().enumerate().map(|(kind, &count)| (Duration::from_micros(1 << kind), count))
    }
}
