//! The inbox: wakes that come from other cores, foreign threads and interrupt handlers.
//!
//! A stack of headers that any number of wakers push to and home alone takes, whole. It allocates
//! nothing, it can never be full (the link is in the header), and a header stands in it at most
//! once: the second wake finds `in_inbox` set and leaves. Taking everything at once leaves no room
//! for the ABA problem. OwnerState turns the stack round, so wakes are served in the order they
//! came.
//!
//! # Why no wake is lost
//!
//! Both sides change `in_inbox` by a read-modify-write (acquire and release), so they stand in one
//! order. If the waker's comes after home's, it reads `false` and pushes. If it comes before,
//! home's swap reads from it (or from a later one), and the poll that follows home's swap sees all
//! that the waker wrote before it woke.
//!
//! # Invariant
//!
//! - **The link goes with the flag.** `inbox_next` belongs to the waker that raised `in_inbox`,
//!   until its push; then to home, which takes it with the stack; and to no one once home has
//!   lowered the flag.

use core::ptr::{self, NonNull};

use crate::prim::{AtomicPtr, Ordering, const_fn, ordering, planted};
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
