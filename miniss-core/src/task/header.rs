//! The header of a task: the one cache line that everyone who is not the future points at.
//!
//! The table of who may touch which field stands in [`super`].

use core::cell::{Cell, UnsafeCell};
use core::ptr::{self, NonNull};
use core::task::{Poll, Waker};

use super::state::State;
use crate::executor::cell::Shared;
use crate::prim::{self, AtomicBool, AtomicU32, Ordering::Relaxed};

/// What is known of a task's type once it has been erased.
#[derive(Debug)]
pub(crate) struct TaskVtable {
    /// Polls the future. On `Ready` the future is gone and the output is in the stage.
    pub(crate) poll: unsafe fn(NonNull<Header>, &Waker) -> Poll<()>,
    /// Drops the future in place.
    pub(crate) drop_future: unsafe fn(NonNull<Header>),
    /// Moves the output to where the pointer says.
    pub(crate) read_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output in place.
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
}

/// One line beside each future.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Header {
    /// The executor that owns the slot.
    pub(crate) executor: NonNull<Shared>,
    /// The type of the task in the slot; `None` before the first.
    pub(crate) vtable: Cell<Option<&'static TaskVtable>>,
    /// Link in the run queue while queued, in the free list while free.
    pub(crate) next: Cell<*const Header>,
    /// Link in the inbox of foreign wakes.
    pub(crate) inbox_next: prim::UnsafeCell<*mut Header>,
    /// Who awaits the `JoinHandle`.
    pub(crate) joiner: UnsafeCell<Option<Waker>>,
    pub(crate) state: State,
    /// Which task of this slot's life this is; tells a late abort from a timely one.
    pub(crate) generation: AtomicU32,
    /// The highest generation whose abort was asked for from another core.
    pub(crate) abort_wanted: AtomicU32,
    pub(crate) in_inbox: AtomicBool,
    /// The size class of the slot.
    pub(crate) class: u8,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Header>() == 64, "a parked task costs one cache line");

impl Header {
    /// The header of a free slot of the executor at `executor`.
    pub(crate) fn new(executor: NonNull<Shared>, class: u8) -> Self {
        Self {
            executor,
            vtable: Cell::new(None),
            next: Cell::new(ptr::null()),
            inbox_next: prim::UnsafeCell::new(ptr::null_mut()),
            joiner: UnsafeCell::new(None),
            state: State::free(),
            generation: AtomicU32::new(1),
            abort_wanted: AtomicU32::new(0),
            in_inbox: AtomicBool::new(false),
            class,
        }
    }

    /// The type of the task in the slot.
    pub(crate) fn vtable(&self) -> &'static TaskVtable {
        self.vtable.get().expect("a live slot has a vtable")
    }

    /// Whether a task may be placed here: the slot has none, and its generations are not used up.
    pub(crate) fn is_free(&self) -> bool {
        self.state.is_free() && self.generation.load(Relaxed) != u32::MAX
    }

    /// Whether another core asked to abort this very task.
    #[inline]
    pub(crate) fn abort_is_wanted(&self) -> bool {
        self.abort_wanted.load(Relaxed) == self.generation.load(Relaxed)
    }

    /// Ends the present generation, so that its abort handles no longer mean the slot's next task;
    /// a task without abort handles need not end it. A slot retires (`false`) when its generations
    /// are used up.
    pub(crate) fn next_generation(&self) -> bool {
        let step = if prim::planted("abort: of this very task") { 0 } else { 1 };
        let next = self.generation.load(Relaxed).saturating_add(step);
        self.generation.store(next, Relaxed);
        next != u32::MAX
    }

    /// Takes the waker of whoever awaits the handle.
    ///
    /// # Safety
    /// Owner only.
    pub(crate) unsafe fn take_joiner(&self) -> Option<Waker> {
        // SAFETY: *Owner only*: no one else is inside the cell, and no reference into it
        // outlives this statement.
        unsafe { (*self.joiner.get()).take() }
    }
}
