//! The executor cell: the part of an executor that stays where it is forever.
//!
//! A waker may be used on any thread at any time, also when its task, its executor or the whole
//! runtime is gone. So what wakers reach is not owned by the executor: it is `'static`, declared by
//! the user in a `static` or leaked once and used again for the next executor on that core.
//!
//! It has two parts on separate cache lines: [`Shared`], all atomics, for every core; and
//! [`OwnerState`], all plain cells, for the one core that runs the executor. No method of
//! `OwnerState` keeps a cell borrowed while foreign code runs, so all of it may be entered again
//! from a poll, a destructor or a wake.
//!
//! Invariants: *Owner only* and *Headers are forever* (see [`crate::task`]), and
//!
//! - **One claim.** At most one executor uses an executor cell at a time (`in_use`), and each has
//!   an epoch of its own. A handle that is tied to the executor's thread and finds its own epoch
//!   here knows that it is on the executor's core and that the executor lives.

use core::cell::Cell;
use core::fmt;
use core::mem;
use core::ptr::{self, NonNull};
use core::time::Duration;

use super::budget::{Budget, Pace, Stride};
use super::group_table::GroupTable;
use super::stats::Counters;
use super::turn::PollOtherwise;
use super::wake::{Fifo, Inbox, wake_on};
use super::watch::Watches;
use crate::coop::{TaskBudget, UNITS};
use crate::error::CellInUse;
use crate::prim::{AtomicBool, AtomicU32, Ordering, const_fn, fence, ordering, planted, statics};
use crate::reactor::{Clock, Unpark};
use crate::task::cell::{CellAddress, Header};
use crate::task::slots::{Returned, Slots};
use crate::time::Instant;
use crate::timer::queue::sealed::Queue;

/// Wakes the task in a slot of the executor cell that has this function.
pub(crate) type WakeFn = unsafe fn(NonNull<Header>);

/// What all executor cells have in common: everything but the unparker.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
pub(crate) struct Shared {
    /// A [`WakeFn`] that knows the type of the unparker; null until the first executor has claimed
    /// the cell. So an executor cell in a `static` begins as zeroes, which an image does not have
    /// to hold.
    wake: statics::AtomicPtr<()>,
    inbox: Inbox,
    asleep: AtomicBool,
    in_use: AtomicBool,
    epoch: AtomicU32,
    returned: Returned,
    owner: OwnerHalf,
}

/// Keeps the plain cells off the line that other cores write to. Machines of 32 bits are taken for
/// small ones without such lines, here and below [`crate::task`]: there nothing is padded.
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
struct OwnerHalf(OwnerState);

// SAFETY: all is atomics but the owner's state, which `owner` hands out under *Owner only* alone.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to a particular thread while no executor uses it.
unsafe impl Send for Shared {}

impl Shared {
    const_fn! {
        const fn new() -> Self {
            Self {
                wake: statics::AtomicPtr::new(ptr::null_mut()),
                inbox: Inbox::new(),
                asleep: AtomicBool::new(false),
                in_use: AtomicBool::new(false),
                epoch: AtomicU32::new(0),
                returned: Returned::new(),
                owner: OwnerHalf(OwnerState::new()),
            }
        }
    }

    /// That of the executor cell which owns a task's slot.
    #[inline]
    pub(crate) fn of(header: &Header) -> &'static Shared {
        // SAFETY: *Headers are forever*, and so is the executor cell at the address that each has
        // from [`ExecutorCell::address`].
        unsafe { header.executor.as_ptr().cast().as_ref() }
    }

    /// The part that only the owner may touch.
    ///
    /// # Safety
    /// *Owner only*: the caller runs on the thread of the executor that uses this executor cell
    /// now.
    #[inline]
    pub(crate) unsafe fn owner(&self) -> &OwnerState {
        &self.owner.0
    }

    /// The budget of the task that is polled, for the futures at its leaves. It is atomic, hence no
    /// matter of *Owner only*.
    #[inline]
    pub(crate) fn task_budget(&self) -> &TaskBudget {
        &self.owner.0.task_budget
    }

    /// The group of the task that is polled. It is atomic, too.
    #[inline]
    pub(crate) fn current_group(&self) -> u8 {
        self.owner.0.current_group()
    }

    /// How its tasks are woken.
    ///
    /// # Safety
    /// An executor has claimed the cell, now or before.
    #[inline]
    pub(crate) unsafe fn wake(&self) -> WakeFn {
        let wake = self.wake.load(statics::Ordering::Relaxed);
        // SAFETY: the caller's promise: it is not null any more, so `claim` has stored it, from a
        // function of this very type.
        unsafe { mem::transmute::<*mut (), WakeFn>(wake) }
    }

    /// Which executor uses the executor cell, or will use it next.
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(crate) fn returned(&self) -> &Returned {
        &self.returned
    }

    /// The owner says that it will sleep unless there is work; `true` if there is none.
    ///
    /// Pairs with [`ExecutorCell::wake_remote`]: each side writes, passes a full fence, then reads
    /// what the other wrote, so at least one of them sees the other.
    pub(crate) fn announce_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        fence(ordering!(SeqCst, "park: owner announces its sleep"));
        let idle = self.inbox.is_empty() || planted("park: owner looks once more");
        if !idle {
            self.awake();
        }
        idle
    }

    /// Whether the owner sleeps, or is about to. Only a hint, unless a fence stands before it.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// The owner is awake again and needs no unpark.
    #[inline]
    pub(crate) fn awake(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Relaxed);
        }
    }

    /// Takes the executor cell for a new executor; `false` if one uses it.
    pub(crate) fn claim(&self) -> bool {
        // Acquire: pairs with `release`, so the former owner's plain writes are ours to see.
        let acquire = ordering!(Acquire, "cell: claim");
        self.in_use.compare_exchange(false, true, acquire, Ordering::Relaxed).is_ok()
    }

    /// The executor is gone and nothing of it is left in the owner's state. An executor cell whose
    /// epochs are used up stays in use forever, so that no two executors have the same epoch.
    pub(crate) fn release(&self) {
        if let Some(next) = self.epoch().checked_add(1) {
            self.epoch.store(next, Ordering::Relaxed);
            self.in_use.store(false, ordering!(Release, "cell: release"));
        }
    }
}

/// The part of an executor that outlives it, so that wakers may point there forever.
///
/// Declare one per core as a `static`, or leak one and keep it for the next executor on that core.
/// An executor cell keeps the memory of its tasks' slots, for reuse.
///
/// ```
/// use miniss_core::{ExecutorCell, Clock, Unpark, time::Instant, timer::Wheel};
///
/// struct Unparker;
/// // SAFETY: `is_local` keeps its default.
/// unsafe impl Unpark for Unparker {
///     fn unpark(&self) {}
/// }
///
/// impl Clock for Unparker {
///     type Timers = Wheel;
///
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
///
/// static CORE_0: ExecutorCell<Unparker> = ExecutorCell::new(Unparker);
/// ```
#[repr(C)]
pub struct ExecutorCell<U: Clock> {
    /// First, so that a pointer to it is one to the executor cell.
    shared: Shared,
    timers: OwnersTimers<U::Timers>,
    unparker: U,
}

/// Behind [`OwnerState`], of which it is a part whose type the port chooses.
struct OwnersTimers<Q>(Q);

// SAFETY: as for `Shared`: `ExecutorCell::timers` hands it out under *Owner only* alone.
unsafe impl<Q> Sync for OwnersTimers<Q> {}
// SAFETY: as for `Shared`.
unsafe impl<Q> Send for OwnersTimers<Q> {}

impl<U: Unpark> ExecutorCell<U> {
    const_fn! {
        /// An executor cell that no executor uses yet.
        pub const fn new(unparker: U) -> Self {
            Self { shared: Shared::new(), timers: OwnersTimers(U::Timers::NEW), unparker }
        }
    }

    /// The unparker of the core that uses this executor cell.
    ///
    /// ```
    /// # use miniss_core::{Clock, Unpark, doctest};
    /// doctest::executor().local().cell().unparker().unpark();
    /// ```
    #[inline]
    pub fn unparker(&self) -> &U {
        &self.unparker
    }

    /// The [index](crate::SchedulingGroup::index) of the group whose task is polled, for another
    /// thread that watches this one. It may have changed meanwhile.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// let local = executor.local();
    /// let group = local.create_group("queries", 500).unwrap();
    /// let index = async move { local.cell().current_group_index() };
    /// let index = local.with_group(group, || local.spawn(index).unwrap()).unwrap();
    /// assert_eq!(executor.block_on(index).unwrap(), group.index());
    /// ```
    pub fn current_group_index(&self) -> usize {
        self.shared.current_group().into()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A pointer from which all of the executor cell may be reached.
    pub(crate) fn shared_ptr(&'static self) -> NonNull<Shared> {
        NonNull::from(self).cast()
    }

    /// What the headers of its slots know of it.
    pub(crate) fn address(&'static self) -> CellAddress {
        CellAddress::new(self.shared_ptr().cast())
    }

    /// # Safety
    /// As for [`Shared::owner`].
    #[inline]
    pub(crate) unsafe fn owner(&self) -> &OwnerState {
        // SAFETY: the caller's promise.
        unsafe { self.shared.owner() }
    }

    /// # Safety
    /// As for [`Shared::owner`].
    #[inline]
    pub(crate) unsafe fn timers(&self) -> &U::Timers {
        &self.timers.0
    }

    /// A wake from another core, a foreign thread or an interrupt handler.
    #[cold]
    pub(crate) fn wake_remote(&self, slot: NonNull<Header>) {
        if !self.shared.inbox.push(slot) {
            return;
        }
        // The other half of `announce_sleep`.
        fence(ordering!(SeqCst, "park: a waker looks for a sleeper"));
        let asleep = &self.shared.asleep;
        // The swap makes it one unpark per sleep, however many wakers there are. Relaxed: the
        // fences carry the argument alone.
        if asleep.load(Ordering::Relaxed)
            && (asleep.swap(false, Ordering::Relaxed) || planted("park: one unpark per sleep"))
        {
            self.unparker.unpark();
        }
    }

    /// Takes the executor cell for a new executor.
    pub(crate) fn claim(&'static self) -> Result<u32, CellInUse> {
        if !self.shared.claim() {
            return Err(CellInUse);
        }
        let wake: WakeFn = wake_on::<U>;
        self.shared.wake.store(wake as *mut (), statics::Ordering::Relaxed);
        // SAFETY: *Owner only*: we have just become the one owner.
        unsafe { self.owner() }.open(&self.shared, self.address(), self.unparker.now());
        Ok(self.shared.epoch())
    }
}

impl<U: Clock> fmt::Debug for ExecutorCell<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutorCell")
            .field("address", &ptr::from_ref(self).cast::<()>())
            .field("in_use", &self.shared.in_use)
            .finish_non_exhaustive()
    }
}

/// Run queue, slots and counters of one core.
pub(crate) struct OwnerState {
    /// Tasks to be polled.
    pub(crate) queue: Fifo,
    /// Tasks that woke themselves while they ran: they go behind the reactor's next turn.
    pub(crate) behind: Fifo,
    pub(crate) slots: Slots,
    /// Places that other cores write to without a wake.
    pub(crate) watches: Watches,
    pub(crate) counters: Counters,
    /// How often the loop looks at the clock.
    pub(crate) stride: Stride,
    /// For tasks that ask whether to give way.
    pub(crate) pace: Pace,
    /// For the leaves of the task that is polled.
    pub(crate) task_budget: TaskBudget,
    /// Tasks may be spawned: an executor is there, and not ending.
    pub(crate) is_open: Cell<bool>,
    /// A group was made beside the main group.
    pub(crate) has_groups: Cell<bool>,
    /// The group of the task that is polled, by its index. Atomic, so that a call may ask for it
    /// although the executor may be gone.
    pub(crate) current_group: statics::AtomicU8,
    /// The table is as this executor has made it.
    pub(crate) groups_are_own: Cell<bool>,
    /// Groups with tasks in their queues, as bits.
    pub(crate) ready_groups: Cell<usize>,
    /// Stays from one executor to the next.
    pub(crate) groups: Cell<Option<&'static GroupTable>>,
    /// How a turn goes that does not poll tasks in the order they were woken: by groups, or
    /// shuffled. Programs that use neither do not even have the code.
    pub(crate) poll_otherwise: Cell<Option<PollOtherwise>>,
}

impl OwnerState {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                queue: Fifo::new(),
                behind: Fifo::new(),
                slots: Slots::new(),
                watches: Watches::new(),
                counters: Counters::new(),
                stride: Stride::new(),
                pace: Pace::new(),
                task_budget: TaskBudget::new(),
                is_open: Cell::new(false),
                has_groups: Cell::new(false),
                groups_are_own: Cell::new(false),
                current_group: statics::AtomicU8::new(0),
                ready_groups: Cell::new(0),
                groups: Cell::new(None),
                poll_otherwise: Cell::new(None),
            }
        }
    }

    /// A new executor begins.
    pub(crate) fn open(&self, shared: &Shared, address: CellAddress, now: Instant) {
        if shared.epoch() == 0 {
            self.slots.set_up_main(address);
        }
        self.slots.reclaim(shared.returned());
        self.counters.reset(now);
        self.stride.begin(now);
        self.pace.start_again();
        self.task_budget.set_units(UNITS);
        self.task_budget.lift();
        self.groups_are_own.set(false);
        self.has_groups.set(false);
        self.poll_otherwise.set(None);
        self.is_open.set(true);
    }

    #[inline]
    pub(crate) fn current_group(&self) -> u8 {
        self.current_group.load(statics::Ordering::Relaxed)
    }

    pub(crate) fn set_current_group(&self, index: u8) {
        self.current_group.store(index, statics::Ordering::Relaxed);
    }

    /// How much may be done in a turn.
    pub(crate) fn budget(&self) -> Budget {
        let time_max = Duration::from_nanos(self.stride.time_max_ns());
        Budget { polls_max: self.pace.polls_max.get(), time_max }
    }

    /// Ends the turn with the poll under way, which has used up its time: the tasks that are queued
    /// keep their order, and are polled after the reactor was asked.
    pub(crate) fn end_turn(&self) {
        self.queue.append(&self.behind);
        self.behind.append(&self.queue);
        self.end_turn_of_groups();
    }

    /// Whether no task is ready.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.behind.first() | self.ready_groups.get() == 0
    }
}
