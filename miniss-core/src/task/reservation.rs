//! Room for a task, taken before it is needed.
//!
//! # Invariants
//!
//! - **Reserved is free.** The slot of a reservation is in no free list and holds nothing: its
//!   state word is that of a free slot, so wakes and shutdown pass it by.
//!
//! and *Owner only* (see [`super`]): a reservation stays on the core of its executor.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;

use super::header::Header;
use super::join::JoinHandle;
use crate::executor::LocalHandle;
use crate::unpark::Unpark;

/// A slot for one task of type `F`, made by [`LocalHandle::reserve`]: spawning into it cannot fail.
///
/// Dropping it gives the slot back.
///
/// ```
/// # use miniss_core::doctest::executor;
/// let mut executor = executor();
/// let room = executor.local().reserve().unwrap();
/// // From here on nothing can be refused.
/// let handle = room.spawn(async { 5 });
/// assert_eq!(executor.block_on(handle), Ok(5));
/// ```
///
/// Room for one type is none for another, not even for a subtype:
///
/// ```compile_fail
/// use miniss_core::{Reservation, doctest::Unparker};
///
/// struct Work<T>(T);
/// type Room<T> = Reservation<Work<T>, Unparker>;
/// fn shorten<'a>(room: Room<fn(&'static u8)>) -> Room<fn(&'a u8)> {
///     room
/// }
/// ```
#[must_use = "a reservation that is dropped gives its slot back"]
pub struct Reservation<F, U: Unpark> {
    slot: NonNull<Header>,
    local: LocalHandle<U>,
    /// Neither more nor less than `F`: another type, even a subtype, may need another slot.
    future: PhantomData<fn(F) -> F>,
}

impl<F: Future + 'static, U: Unpark> Reservation<F, U> {
    /// # Safety
    /// The slot was just taken from the home of `local`, and fits a task of type `F`.
    pub(crate) unsafe fn new(slot: NonNull<Header>, local: LocalHandle<U>) -> Self {
        Self { slot, local, future: PhantomData }
    }

    /// Starts `future` as a task, behind those that are ready already.
    ///
    /// If the executor is ending or gone, the future is dropped and the handle's outcome is
    /// [`Cancelled`](crate::error::Cancelled).
    ///
    /// See [`Reservation`] for an example.
    pub fn spawn(self, future: F) -> JoinHandle<F::Output> {
        let this = mem::ManuallyDrop::new(self);
        match this.local.open_owner() {
            // SAFETY: *Reserved is free*, of the executor that `owner` belongs to; it fits `F`,
            // which borrows nothing.
            Ok(owner) => unsafe { this.local.start(owner, this.slot, future) },
            // SAFETY: *Reserved is free*.
            Err(_) => unsafe { this.local.refuse::<F>(this.slot) },
        }
    }
}

impl<F, U: Unpark> Drop for Reservation<F, U> {
    fn drop(&mut self) {
        // SAFETY: *Reserved is free*, and we are the one who holds it.
        unsafe { self.local.give_back(self.slot) };
    }
}

impl<F, U: Unpark> fmt::Debug for Reservation<F, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").finish_non_exhaustive()
    }
}
