//! A wake: from a waker to the queue of tasks that will be polled next.
//!
//! The waker is the address of a task's header. Cloning and dropping it does nothing at all, since
//! a header is never given back (*Headers are forever*, see [`crate::task`]). From there two ways
//! lead to the run queue. On the executor's own core a wake is a look at the state word and a push
//! on a list, [`Fifo`]. From anywhere else it is a push on the [`Inbox`], and an unpark if the core
//! sleeps. No destructor ever runs in here, so a future is always dropped by its own core.
//!
//! Neither queue has a bound of its own: the links are in the tasks, so they can never be full.
//!
//! # The inbox
//!
//! A stack of headers that any number of wakers push to, and that the owner alone takes, whole. A
//! header stands in it at most once: the second wake finds `in_inbox` set and leaves. Taking
//! everything at once leaves no room for the ABA problem. The owner turns the stack round, so wakes
//! are served in the order they came.
//!
//! Why no wake is lost: both sides change `in_inbox` by a read-modify-write (acquire and release),
//! so they stand in one order. If the waker's comes after the owner's, it reads `false` and pushes.
//! If it comes before, the owner's swap reads from it (or from a later one), and the poll that
//! follows that swap sees all that the waker wrote before it woke.
//!
//! # Invariants
//!
//! - **Our table, our header.** The data word of a waker with [`TABLE`] is a header's address.
//!   [`raw_waker`] makes them all, and to make one with other data breaks what [`RawWaker`] asks
//!   for. A `static` has an address of its own, so a waker with that address has this table.
//! - **Queued once.** The `QUEUED` bit of the state is set exactly while a header is linked in a
//!   [`Fifo`], so `next` has one use.
//! - **The link goes with the flag.** `inbox_next` belongs to the waker that raised `in_inbox`,
//!   until its push; then to the owner, which takes it with the stack; and to no one once the owner
//!   has lowered the flag.
//!
//! and *Owner only* (see [`crate::task`]).

use core::cell::Cell;
use core::iter;
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

use super::cell::{ExecutorCell, OwnerState, Shared};
use crate::coop::TaskBudget;
use crate::prefetch::prefetch;
use crate::prim::{AtomicPtr, Ordering, const_fn, ordering, planted};
use crate::reactor::Unpark;
use crate::task::cell::Header;
use crate::task::state::Wake;

#[cfg(all(test, loom))]
mod loom;

/// The functions of the wakers of all tasks. What depends on the kind of unparker stands in the
/// executor cell.
static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The waker of the task at `header`. Making, cloning and dropping it costs nothing.
#[inline]
pub(crate) fn raw_waker(header: NonNull<Header>) -> RawWaker {
    RawWaker::new(header.as_ptr().cast_const().cast(), &TABLE)
}

/// The executor cell of the task that `waker` wakes; `None` if it is not the waker of a task.
#[inline]
pub(crate) fn executor_of(waker: &Waker) -> Option<NonNull<Shared>> {
    // SAFETY: *Headers are forever*.
    header_of(waker).map(|slot| unsafe { slot.as_ref() }.executor.as_ptr().cast())
}

/// The header of the task that `waker` wakes; `None` if it is not the waker of a task.
#[inline]
pub(crate) fn header_of(waker: &Waker) -> Option<NonNull<Header>> {
    if !ptr::eq(waker.vtable(), &TABLE) {
        return None;
    }
    // SAFETY: *Our table, our header*: an address, which is never null.
    Some(unsafe { NonNull::new_unchecked(waker.data().cast_mut().cast()) })
}

/// The budget for the task that `waker` wakes; `None` if it is not the waker of a task.
#[inline]
pub(crate) fn budget_of(waker: &Waker) -> Option<&'static TaskBudget> {
    // SAFETY: executor cells are `'static`.
    executor_of(waker).map(|cell| unsafe { cell.as_ref() }.task_budget())
}

/// # Safety
/// `data` is the data word of one of our wakers: a header's address.
unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &TABLE)
}

/// # Safety
/// As for [`clone`].
unsafe fn wake(data: *const ()) {
    // SAFETY: an address is never null.
    let slot = unsafe { NonNull::new_unchecked(data.cast_mut().cast::<Header>()) };
    // SAFETY: *Headers are forever*.
    let shared = Shared::of(unsafe { slot.as_ref() });
    // SAFETY: a task's header was made by an executor on its executor cell. What brought the waker
    // to this thread brought the writes before it, too.
    let wake = unsafe { shared.wake() };
    // SAFETY: the executor cell's own function, for a header that points at it.
    unsafe { wake(slot) };
}

/// # Safety
/// None: it looks at nothing.
unsafe fn drop_nothing(_: *const ()) {}

/// Wakes a task on an executor whose unparker is a `U`.
///
/// # Safety
/// The header is that of a slot of an `ExecutorCell<U>`.
pub(crate) unsafe fn wake_on<U: Unpark>(slot: NonNull<Header>) {
    // SAFETY: *Headers are forever*.
    let address = unsafe { slot.as_ref() }.executor;
    // SAFETY: the caller's promise, and executor cells are `'static`.
    let cell = unsafe { address.as_ptr().cast::<ExecutorCell<U>>().as_ref() };
    if cell.unparker().is_local() {
        // SAFETY: *Owner only*: the unparker vouches for it.
        unsafe { cell.owner() }.wake(slot);
    } else {
        cell.wake_remote(slot);
    }
}

impl OwnerState {
    /// A local wake: queues the task in `slot` unless it is queued or done. Reads and writes one
    /// cache line of the task and one of ours; no atomic read-modify-write.
    #[inline]
    pub(crate) fn wake(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are forever*.
        match unsafe { slot.as_ref() }.state.wake() {
            Wake::Queue => self.queue.push(slot),
            Wake::QueueBehind => self.behind.push(slot),
            Wake::Nothing => return,
        }
        fetch_future(slot);
        self.counters.wakes_local.add(1);
    }

    /// Queues the tasks that were woken remotely.
    #[inline]
    pub(crate) fn drain_inbox(&self, shared: &Shared) {
        shared.inbox().drain(|slot| {
            // SAFETY: *Headers are forever*.
            if unsafe { slot.as_ref() }.state.wake() != Wake::Nothing {
                self.queue.push(slot);
                fetch_future(slot);
            }
            self.counters.wakes_remote.add(1);
        });
    }
}

/// The poll will want the future, which lies behind the header. Among more tasks than the cache
/// holds, this takes a third off a wake and its poll; else it is one instruction.
#[inline]
fn fetch_future(slot: NonNull<Header>) {
    prefetch(slot.as_ptr().wrapping_add(1));
}

/// A FIFO of task headers.
#[derive(Debug)]
pub(crate) struct Fifo {
    head: Cell<*const Header>,
    tail: Cell<*const Header>,
}

impl Fifo {
    pub(crate) const fn new() -> Self {
        Self { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// The address of the task at the front; zero if there is none.
    #[inline]
    pub(crate) fn first(&self) -> usize {
        self.head.get().addr()
    }

    /// The tasks, from front to back.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = NonNull<Header>> {
        let mut next = self.head.get();
        iter::from_fn(move || {
            let slot = NonNull::new(next.cast_mut())?;
            // SAFETY: *Headers are forever*.
            next = unsafe { slot.as_ref() }.next.get();
            Some(slot)
        })
    }

    /// The task at the back, or null.
    pub(crate) fn last(&self) -> *const Header {
        self.tail.get()
    }

    /// Puts a task at the back.
    #[inline]
    pub(crate) fn push(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are forever*.
        unsafe { slot.as_ref() }.next.set(ptr::null());
        // SAFETY: as above; a null tail means an empty queue.
        match unsafe { self.tail.get().as_ref() } {
            Some(tail) => tail.next.set(slot.as_ptr()),
            None => self.head.set(slot.as_ptr()),
        }
        self.tail.set(slot.as_ptr());
    }

    /// Takes the task at the front.
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<Header>> {
        let slot = NonNull::new(self.head.get().cast_mut())?;
        // SAFETY: *Headers are forever*.
        let next = unsafe { slot.as_ref() }.next.get();
        self.head.set(next);
        if next.is_null() {
            self.tail.set(ptr::null());
        }
        Some(slot)
    }

    /// Moves all of `other` behind what is here.
    #[inline]
    pub(crate) fn append(&self, other: &Fifo) {
        if other.is_empty() {
            return;
        }
        // SAFETY: *Headers are forever*; a null tail means an empty queue.
        match unsafe { self.tail.get().as_ref() } {
            Some(tail) => tail.next.set(other.head.get()),
            None => self.head.set(other.head.get()),
        }
        self.tail.set(other.tail.get());
        other.head.set(ptr::null());
        other.tail.set(ptr::null());
    }
}

/// The stack of headers that were woken remotely.
#[derive(Debug)]
pub(crate) struct Inbox(AtomicPtr<Header>);

impl Inbox {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// Notes a wake; `false` if the header stands here already. Lock-free.
    #[must_use]
    pub(crate) fn push(&self, slot: NonNull<Header>) -> bool {
        // SAFETY: *Headers are forever*.
        let header = unsafe { slot.as_ref() };
        // AcqRel: see the essay above.
        let stands_here = header.in_inbox.swap(true, ordering!(AcqRel, "inbox: raise the flag"));
        if stands_here && !planted("inbox: a header stands here once") {
            return false;
        }
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: *The link goes with the flag*: we have raised it.
            header.inbox_next.with_mut(|next| unsafe { *next = head });
            // Release: pairs with the acquiring swap in `drain`, which then reads `inbox_next`.
            match self.0.compare_exchange_weak(
                head,
                slot.as_ptr(),
                ordering!(Release, "inbox: push"),
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// Whether nothing waits here. Only a hint, unless a fence stands before it (see
    /// [`Idle`](crate::Idle)).
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Takes everything, oldest first. Owner only.
    #[inline]
    pub(crate) fn drain(&self, mut wake: impl FnMut(NonNull<Header>)) {
        if self.is_empty() {
            return;
        }
        let taken = self.0.swap(ptr::null_mut(), ordering!(Acquire, "inbox: take all"));
        let mut next = reversed(taken);
        while let Some(slot) = NonNull::new(next) {
            // SAFETY: *Headers are forever*.
            let header = unsafe { slot.as_ref() };
            // Read before the flag falls: after that, another waker may link it again.
            // SAFETY: *The link goes with the flag*: it was taken with the stack.
            next = header.inbox_next.with_mut(|next| unsafe { *next });
            header.in_inbox.swap(false, ordering!(AcqRel, "inbox: lower the flag"));
            wake(slot);
        }
    }
}

/// Turns round a stack that was taken.
fn reversed(mut head: *mut Header) -> *mut Header {
    let mut turned = ptr::null_mut();
    // SAFETY: *Headers are forever*.
    while let Some(header) = unsafe { head.as_ref() } {
        // SAFETY: *The link goes with the flag*: it was taken with the stack.
        let next = header.inbox_next.with_mut(|next| unsafe { next.replace(turned) });
        turned = head;
        head = next;
    }
    turned
}
