//! The inbox: wakes that come from other cores, foreign threads and interrupt handlers.
//!
//! `waker on another core ─▶ [inbox] ─▶ run queue ─▶ executor`
//!
//! A stack of headers that any number of wakers push to and home alone takes, whole. It allocates
//! nothing, it can never be full (the link is in the header), and a header stands in it at most
//! once: the second wake finds `in_inbox` set and leaves. Taking everything at once leaves no room
//! for the ABA problem. Home turns the stack round, so wakes are served in the order they came.
//!
//! # Why no wake is lost
//!
//! Both sides change `in_inbox` by a read-modify-write (acquire and release), so they stand in one
//! order. If the waker's comes after home's, it reads `false` and pushes. If it comes before,
//! home's swap reads from it (or from a later one), and the poll that follows home's swap sees all
//! that the waker wrote before it woke.

use core::ptr::{self, NonNull};

use crate::prim::{AtomicPtr, Ordering, const_fn};
use crate::task::header::Header;

/// The stack of headers woken from afar.
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
        // SAFETY: *Headers are for ever*.
        let header = unsafe { slot.as_ref() };
        // AcqRel: see the essay above.
        if header.in_inbox.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            header.inbox_next.store(head, Ordering::Relaxed);
            // Release: pairs with the acquiring swap in `drain`, which then reads `inbox_next`.
            match self.0.compare_exchange_weak(
                head,
                slot.as_ptr(),
                Ordering::Release,
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

    /// Takes everything, oldest first. Home only.
    #[inline]
    pub(crate) fn drain(&self, mut wake: impl FnMut(NonNull<Header>)) {
        if self.is_empty() {
            return;
        }
        let mut next = reversed(self.0.swap(ptr::null_mut(), Ordering::Acquire));
        while let Some(slot) = NonNull::new(next) {
            // SAFETY: *Headers are for ever*.
            let header = unsafe { slot.as_ref() };
            // Read before the flag falls: after that, another waker may link it anew.
            next = header.inbox_next.load(Ordering::Relaxed);
            header.in_inbox.swap(false, Ordering::AcqRel);
            wake(slot);
        }
    }
}

/// Turns round a stack that was taken: its links belong to us while `in_inbox` is set.
fn reversed(mut head: *mut Header) -> *mut Header {
    let mut turned = ptr::null_mut();
    // SAFETY: *Headers are for ever*.
    while let Some(header) = unsafe { head.as_ref() } {
        let next = header.inbox_next.load(Ordering::Relaxed);
        header.inbox_next.store(turned, Ordering::Relaxed);
        turned = head;
        head = next;
    }
    turned
}
