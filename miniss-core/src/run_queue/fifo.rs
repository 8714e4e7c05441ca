//! The local run queue: a singly linked list through the headers, first in, first out.
//!
//! Invariants: **Queued once** (the `QUEUED` bit of the state is set exactly while a header is
//! linked here, so `next` has one use) and *Owner only* (see [`crate::task`]). It has no bound of
//! its own: its links are in the tasks, so it can never be full.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::task::header::Header;

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
