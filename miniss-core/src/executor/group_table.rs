//! How an executor keeps to the shares of its scheduling groups.
//!
//! A task is in one group, whose index stands in its header; it begins in the group of whatever
//! spawns it. Wakes know nothing of groups: all ready tasks come to the run queue. If the program
//! has made a group, a turn first distributes them over the queues of their groups. Then it polls
//! slice by slice: the group whose [virtual time](super::virtual_time) is least runs until its
//! queue is empty or the turn's budget is spent, and is charged for the time that it took.
//!
//! A task that yields stands behind the reactor's next turn. Its group counts as one that has work
//! meanwhile; so if such a group is the one whose turn it is, the turn ends. Otherwise two groups
//! of one yielding task each would take turns, whatever their shares.
//!
//! A program that makes no group pays for none: its turns take the loop without groups, and its
//! executor cells have no table. While all tasks that are ready are the main group's, turns take
//! that loop, too: what it did is counted, and charged, when it is alone no longer. A turn begins
//! with a look whether it is alone, and is again one among groups with the first task of another
//! group that the loop meets.
//!
//! Invariants: *One owner* (see [`crate::task::slab`]), here for the table; *Owner only* and
//! *Headers are forever* (see [`crate::task`]).

use core::cell::Cell;
use core::fmt;
use core::ptr::{self, NonNull};
use core::time::Duration;

use super::cell::OwnerState;
use super::group::SchedulingGroup;
use super::run::run_task;
use super::stats::{Counter, DelayCounters, GroupStats, STALL_NS, TimeCounter, counted};
use super::turn::{Take, Turn};
use super::virtual_time::{GROUPS_MAX, SHARES_MAX, VirtualTimes};
use super::wake::Fifo;
use crate::defer::defer;
use crate::error::GroupError;
use crate::prim::{AtomicPtr, Ordering, const_fn};
use crate::task::cell::{CellAddress, Header};
use crate::time::Instant;

/// Shares of the main group: as many as one can have.
const MAIN_SHARES: u32 = SHARES_MAX;
const MAIN: usize = SchedulingGroup::MAIN.index();

/// If more tasks are ready, no one looks whether all are the main group's: a turn among groups does
/// not cost more than that look.
const LOOKED_AT_MAX: usize = 64;

/// Memory for the scheduling groups of one executor, to be declared in a `static` and
/// [lent](crate::LocalHandle::lend_groups) where there is no heap. With a heap, an executor takes
/// it from there when its first group is made.
pub struct GroupTable {
    /// The executor cell that it was lent to.
    owner: AtomicPtr<()>,
    groups: [Group; GROUPS_MAX],
    times: VirtualTimes,
    /// Groups with tasks that have yielded in this turn, and no other ready ones.
    behind: Cell<usize>,
    /// The task that is polled.
    running: Cell<Option<NonNull<Header>>>,
    /// When the slice under way began, or the next one will.
    slice_start: Cell<Instant>,
    /// A task has used up the turn's time. Or it is the one in which the first group was made.
    turn_is_over: Cell<bool>,
    /// The executor's polls, and its time outside of parking, that groups have been charged for.
    polls_charged: Cell<u64>,
    busy_ns_charged: Cell<u64>,
    generations: Cell<u32>,
}

// SAFETY: no one uses a table before it is `'static` and stays where it is.
unsafe impl Send for GroupTable {}
// SAFETY: *One owner*: all but the owner word is touched on one core only.
unsafe impl Sync for GroupTable {}

/// One group.
pub(super) struct Group {
    name: Cell<&'static str>,
    shares: Cell<u32>,
    /// Zero: there is none with this index, unless it is the main group.
    generation: Cell<u32>,
    queue: Fifo,
    /// Since when it has work and waits.
    ready_since: Cell<Instant>,
    polls: Counter,
    slices: Counter,
    busy_ns: TimeCounter,
    stalls: Counter,
    delays: DelayCounters,
}

impl Group {
    const fn new() -> Self {
        Self {
            name: Cell::new(""),
            shares: Cell::new(0),
            generation: Cell::new(0),
            queue: Fifo::new(),
            ready_since: Cell::new(Instant::ZERO),
            polls: Counter::new(),
            slices: Counter::new(),
            busy_ns: TimeCounter::new(),
            stalls: Counter::new(),
            delays: DelayCounters::new(),
        }
    }

    pub(super) fn stats(&self) -> GroupStats {
        GroupStats {
            name: self.name.get(),
            shares: self.shares.get(),
            polls: self.polls.value(),
            slices: self.slices.value(),
            busy: Duration::from_nanos(self.busy_ns.value()),
            stalls: self.stalls.value(),
            delays: self.delays.snapshot(),
        }
    }
}

/// A slice that is under way.
struct Slice {
    group: usize,
    last_behind: *const Header,
}

impl GroupTable {
    const_fn! {
        /// A table that no executor uses yet.
        ///
        /// ```
        /// # use miniss_core::doctest::executor;
        /// use miniss_core::GroupTable;
        /// static GROUPS: GroupTable = GroupTable::new();
        /// # let executor = executor();
        /// executor.local().lend_groups(&GROUPS).unwrap();
        /// ```
        pub const fn new() -> Self {
            Self {
                owner: AtomicPtr::new(ptr::null_mut()),
                groups: [const { Group::new() }; GROUPS_MAX],
                times: VirtualTimes::new(),
                behind: Cell::new(0),
                running: Cell::new(None),
                slice_start: Cell::new(Instant::ZERO),
                turn_is_over: Cell::new(false),
                polls_charged: Cell::new(0),
                busy_ns_charged: Cell::new(0),
                generations: Cell::new(0),
            }
        }
    }

    /// Makes the table the executor cell's; `false` if it is another's.
    pub(super) fn claim(&self, cell: CellAddress) -> bool {
        let (ours, relaxed) = (cell.as_ptr().as_ptr(), Ordering::Relaxed);
        // Relaxed: only the owner goes on from here, as for a slab.
        match self.owner.compare_exchange(ptr::null_mut(), ours, relaxed, relaxed) {
            Ok(_) => true,
            Err(present) => present == ours,
        }
    }

    pub(super) fn find(&self, group: SchedulingGroup) -> Result<&Group, GroupError> {
        let found = &self.groups[group.index()];
        if found.generation.get() == group.generation {
            Ok(found)
        } else {
            Err(GroupError::NotFound)
        }
    }

    /// The group with this index, or the main group if there is none.
    pub(super) fn named(&self, index: u8) -> SchedulingGroup {
        match self.groups[index as usize].generation.get() {
            0 => SchedulingGroup::MAIN,
            generation => SchedulingGroup { index, generation },
        }
    }

    /// A name for a group, of an index that is free.
    pub(super) fn free_group(&self) -> Option<SchedulingGroup> {
        let index = (1..GROUPS_MAX as u8).find(|&index| self.is_free(index))?;
        // It wraps after four thousand million groups.
        let generation = self.generations.get().checked_add(1).unwrap_or(1);
        self.generations.set(generation);
        Some(SchedulingGroup { index, generation })
    }

    pub(super) fn is_free(&self, index: u8) -> bool {
        self.named(index) == SchedulingGroup::MAIN && index != SchedulingGroup::MAIN.index
    }

    /// The task that is polled, in a turn among groups.
    pub(super) fn running(&self) -> Option<NonNull<Header>> {
        self.running.get()
    }

    fn add(&self, group: SchedulingGroup, name: &'static str, shares: u32) {
        let new = &self.groups[group.index()];
        new.name.set(name);
        new.generation.set(group.generation);
        new.polls.reset();
        new.slices.reset();
        new.busy_ns.reset();
        new.stalls.reset();
        new.delays.reset();
        self.times.reset(group.index());
        self.set_shares(group, shares);
    }

    pub(super) fn set_shares(&self, group: SchedulingGroup, shares: u32) {
        self.groups[group.index()].shares.set(shares);
        self.times.set_shares(group.index(), shares);
    }

    /// The table begins again, with the main group alone.
    pub(super) fn reset(&self, owner: &OwnerState, now: Instant) {
        self.groups.iter().for_each(|group| group.generation.set(0));
        self.behind.set(0);
        self.turn_is_over.set(false);
        self.note_charged(owner, now);
        self.add(SchedulingGroup::MAIN, "main", MAIN_SHARES);
    }

    /// Moves the ready tasks to the queues of their groups, which have waited since `since`.
    fn distribute(&self, owner: &OwnerState, since: Instant) {
        while let Some(slot) = owner.queue.pop() {
            // SAFETY: *Headers are forever*.
            let index = unsafe { slot.as_ref() }.group.get() as usize;
            self.groups[index].queue.push(slot);
            self.note_ready(owner, index, since);
        }
    }

    fn note_ready(&self, owner: &OwnerState, index: usize, since: Instant) {
        let (bit, ready) = (1 << index, owner.ready_groups.get());
        if (ready | self.behind.get()) & bit == 0 {
            self.times.enter(index);
            self.groups[index].ready_since.set(since);
        }
        owner.ready_groups.set(ready | bit);
    }

    /// What a group has done.
    pub(super) fn stats(
        &self,
        owner: &OwnerState,
        group: SchedulingGroup,
        now: Instant,
    ) -> Result<GroupStats, GroupError> {
        let mut stats = self.find(group)?.stats();
        if group == SchedulingGroup::MAIN && self.running.get().is_none_or(is_main) {
            let (polls, busy_ns) = self.uncharged(owner, now);
            stats.polls += polls;
            stats.busy += Duration::from_nanos(busy_ns);
        }
        Ok(stats)
    }

    /// The executor's polls, and its time, that no group has been charged for.
    fn uncharged(&self, owner: &OwnerState, now: Instant) -> (u64, u64) {
        match counted(self.polls_charged.get(), owner.counters.polls.value()) {
            // Time without a poll is no group's.
            0 => (0, 0),
            polls => (polls, owner.counters.busy_by(now).wrapping_sub(self.busy_ns_charged.get())),
        }
    }

    fn note_charged(&self, owner: &OwnerState, now: Instant) {
        self.polls_charged.set(owner.counters.polls.value());
        self.busy_ns_charged.set(owner.counters.busy_by(now));
    }

    /// Charges the main group for what it did alone.
    fn charge_main(&self, owner: &OwnerState, now: Instant) {
        let (polls, busy_ns) = self.uncharged(owner, now);
        self.note_charged(owner, now);
        if polls > 0 {
            self.groups[MAIN].polls.add(polls);
            self.groups[MAIN].busy_ns.add(busy_ns);
            self.times.charge_alone(MAIN, busy_ns.max(polls));
            self.behind.set(0);
        }
    }

    /// Whether all tasks that are ready are the main group's, as far as a short look can tell.
    fn is_main_alone(&self, owner: &OwnerState) -> bool {
        let mut tasks = owner.queue.iter();
        owner.ready_groups.get() == 0
            && tasks.by_ref().take(LOOKED_AT_MAX).all(is_main)
            && tasks.next().is_none()
    }

    /// Polls tasks in the order they were woken, up to the first that is not the main group's.
    /// Returns whether there is one.
    fn poll_main_alone(&self, owner: &OwnerState, turn: &mut Turn<'_>) -> bool {
        self.turn_is_over.set(false);
        let _ended = defer(|| self.running.set(None));
        while let Some(next) = owner.queue.iter().next() {
            if !is_main(next) {
                return true;
            }
            let Take::Task(slot) = turn.take(owner, &owner.queue) else { return false };
            self.running.set(Some(slot));
            owner.counters.polls.add(1);
            run_task(owner, slot);
        }
        false
    }

    fn begin_turn(&self, owner: &OwnerState, now: Instant) {
        self.charge_main(owner, now);
        self.slice_start.set(now);
        self.turn_is_over.set(false);
        self.distribute(owner, now);
        // Tasks that the main group has polled alone in this turn, and that have yielded.
        self.behind.set(if owner.behind.is_empty() { 0 } else { 1 << MAIN });
    }

    /// The group that is next; `None` if the turn is over, or no task is ready in the group whose
    /// turn it is.
    fn next(&self, owner: &OwnerState) -> Option<usize> {
        if self.turn_is_over.get() {
            return None;
        }
        let ready = owner.ready_groups.get();
        let group = self.times.least(ready | self.behind.get())?;
        (ready & (1 << group) != 0).then_some(group)
    }

    fn begin_slice(&self, owner: &OwnerState, index: usize) -> Slice {
        let group = &self.groups[index];
        owner.set_current_group(index as u8);
        group.slices.add(1);
        group.delays.add(self.slice_start.get() - group.ready_since.get());
        Slice { group: index, last_behind: owner.behind.last() }
    }

    /// Charges the group for its time, and sees which groups have work now.
    fn end_slice(&self, owner: &OwnerState, slice: &Slice, now: Instant) {
        let (index, bit) = (slice.group, 1 << slice.group);
        let group = &self.groups[index];
        let start = self.slice_start.replace(now);
        let took_ns = now.nanos_since(start);
        let (polls, _) = self.uncharged(owner, now);
        self.note_charged(owner, now);
        group.polls.add(polls);
        group.busy_ns.add(took_ns);
        group.stalls.add(u64::from(took_ns >= STALL_NS));
        // By a coarse clock a slice may take no time, but no poll is done in less than this.
        self.times.charge(index, took_ns.max(polls));
        group.ready_since.set(now);
        if group.queue.is_empty() {
            owner.ready_groups.set(owner.ready_groups.get() & !bit);
            if !ptr::eq(owner.behind.last(), slice.last_behind) {
                self.behind.set(self.behind.get() | bit);
            }
        }
        owner.set_current_group(SchedulingGroup::MAIN.index);
        self.running.set(None);
        self.distribute(owner, start);
    }
}

impl Default for GroupTable {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for GroupTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupTable").finish_non_exhaustive()
    }
}

/// A turn among groups.
impl OwnerState {
    /// From the next one on, turns are those of groups.
    pub(super) fn add_group(
        &self,
        table: &GroupTable,
        group: SchedulingGroup,
        name: &'static str,
        shares: u32,
    ) {
        table.add(group, name, shares);
        let is_first = !self.has_groups.replace(true);
        self.poll_otherwise.set(Some(poll_groups));
        table.turn_is_over.set(table.turn_is_over.get() || is_first);
    }

    /// The turn ends with the poll under way.
    pub(super) fn end_turn_of_groups(&self) {
        if let Some(table) = self.groups.get() {
            table.turn_is_over.set(true);
        }
    }

    /// Puts the tasks of all groups back into the run queue: the executor ends.
    pub(super) fn forget_groups(&self) {
        let Some(table) = self.groups.get() else { return };
        table.groups.iter().for_each(|group| self.queue.append(&group.queue));
        self.ready_groups.set(0);
        self.poll_otherwise.set(None);
    }

    /// Calls `run`, whose spawns are in the group with this index, if there is one.
    #[inline]
    pub(crate) fn with_group<T>(&self, index: u8, run: impl FnOnce() -> T) -> T {
        let before = self.current_group();
        if index == before {
            return run();
        }
        let table = self.groups.get().filter(|_| self.groups_are_own.get());
        self.set_current_group(table.map_or(0, |table| table.named(index).index));
        let _back = defer(|| self.set_current_group(before));
        let output = run();
        if table.is_some_and(|table| table.turn_is_over.get()) {
            // In the turn that makes the first group, no one would ask for the group of a task.
            self.end_turn();
        }
        output
    }

    /// Ends a group. Its tasks, ready or not, are in the main group from now on.
    pub(super) fn remove_group(&self, table: &GroupTable, group: SchedulingGroup) {
        let index = group.index();
        table.groups[index].generation.set(0);
        self.slots.for_each_and_main(|slot| {
            // SAFETY: *Headers are forever*.
            let group = &unsafe { slot.as_ref() }.group;
            if group.get() as usize == index {
                group.set(SchedulingGroup::MAIN.index);
            }
        });
        let queue = &table.groups[index].queue;
        if !queue.is_empty() {
            table.groups[MAIN].queue.append(queue);
            table.note_ready(self, MAIN, table.slice_start.get());
        }
        let others = !(1 << index);
        self.ready_groups.set(self.ready_groups.get() & others);
        table.behind.set(table.behind.get() & others);
        if self.current_group() as usize == index {
            self.set_current_group(SchedulingGroup::MAIN.index);
        }
    }
}

/// Whether a task is the main group's.
fn is_main(slot: NonNull<Header>) -> bool {
    // SAFETY: *Headers are forever*.
    unsafe { slot.as_ref() }.group.get() == SchedulingGroup::MAIN.index
}

/// Polls tasks slice by slice, as long as the budget of the turn allows it. While the main group
/// has all the work, it needs no slices.
fn poll_groups(owner: &OwnerState, mut turn: Turn<'_>) {
    let Some(table) = owner.groups.get() else { return };
    let now = turn.now;
    let may_be_alone = turn.shuffle.is_none() && table.is_main_alone(owner);
    if may_be_alone && !table.poll_main_alone(owner, &mut turn) {
        return;
    }
    table.begin_turn(owner, now());
    while let Some(index) = table.next(owner) {
        let slice = table.begin_slice(owner, index);
        let _ended = defer(|| table.end_slice(owner, &slice, now()));
        while !table.turn_is_over.get() {
            match turn.take(owner, &table.groups[index].queue) {
                Take::Task(slot) => {
                    table.running.set(Some(slot));
                    owner.counters.polls.add(1);
                    run_task(owner, slot);
                }
                Take::Empty => break,
                Take::Spent => return,
            }
        }
    }
}
