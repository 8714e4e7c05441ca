//! The last value alone.
//!
//! Values stand in slots, and `latest` says in which the last one is. A sender takes a slot that is
//! free, fills it, and makes it the latest by one exchange, which gives it the one before: that it
//! drops and frees. The receiver takes the latest by leaving none. So no one ever waits for the
//! one that it has interrupted: it takes another slot.
//!
//! # Invariants
//!
//! - **A slot has one owner.** Who has cleared a slot's bit in `free` owns the slot, until
//!   its exchange of `latest`; who gets it out of there owns it until the bit is set again.
//!
//! and *One receiver* (see [`Receiver`]).

use core::fmt;
use core::mem::MaybeUninit;

use super::receiver::sealed::Sealed;
use super::receiver::{Receiver, Reception, Source};
use crate::error::{NotSent, Refused};
use crate::prim::{AtomicU8, Ordering, UnsafeCell, ordering};

/// For two senders that interrupt each other, the latest and the one that is received.
const SLOTS: u8 = 4;
/// In `latest`: there is none.
const NONE: u8 = SLOTS;

/// The last value that was sent, until it is received; those before it are dropped by the sender.
///
/// Any number of handlers and cores may send. Two at a time always have room: one that has
/// interrupted another, or that sends on another core meanwhile. Of three or more, all in the
/// middle of sending, some may get their value back.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::interrupt::Signal;
///
/// static TEMPERATURE: Signal<f32> = Signal::new();
///
/// TEMPERATURE.send(20.5).unwrap(); // in an interrupt handler
/// TEMPERATURE.send(21.0).unwrap();
///
/// let mut temperature = TEMPERATURE.receiver().unwrap();
/// executor().block_on(async {
///     assert_eq!(temperature.recv().await, 21.0);
/// });
/// assert_eq!(temperature.try_recv(), None);
/// ```
pub struct Signal<T> {
    slots: [UnsafeCell<MaybeUninit<T>>; SLOTS as usize],
    /// A bit for each slot.
    free: AtomicU8,
    latest: AtomicU8,
    reception: Reception,
}

// SAFETY: *A slot has one owner*; the values are `Send`.
unsafe impl<T: Send> Sync for Signal<T> {}

impl<T: Send> Signal<T> {
    /// Without a value.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        let slots = [const { UnsafeCell::new(MaybeUninit::uninit()) }; SLOTS as usize];
        Self {
            slots,
            free: AtomicU8::new((1 << SLOTS) - 1),
            latest: AtomicU8::new(NONE),
            reception: Reception::new(),
        }
    }

    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            slots: core::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
            free: AtomicU8::new((1 << SLOTS) - 1),
            latest: AtomicU8::new(NONE),
            reception: Reception::new(),
        }
    }

    /// Sends `value` in place of the last that was not received, which is dropped here, and wakes
    /// the task that waits. Wait-free.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the value and [`Busy`](NotSent::Busy), if more than two are in the middle
    /// of sending.
    ///
    /// # Panics
    ///
    /// If the destructor of the value before does, or the waker of the task; this value has been
    /// sent then.
    pub fn send(&self, value: T) -> Result<(), Refused<T, NotSent>> {
        let Some(slot) = self.claim() else { return Err(Refused::new(value, NotSent::Busy)) };
        self.slots[usize::from(slot)].with_mut(|place| {
            // SAFETY: *A slot has one owner*: us.
            unsafe { (*place).write(value) };
        });
        // Release: pairs with who gets the slot. Acquire: with who has filled the one before.
        let before = self.latest.swap(slot, ordering!(AcqRel, "interrupt: the latest"));
        let before = self.take_out(before);
        self.reception.waker.wake();
        drop(before);
        Ok(())
    }

    /// The receiving end; `None` while someone has it.
    pub fn receiver(&'static self) -> Option<Receiver<Self>> {
        Receiver::claim(self)
    }

    /// Takes a free slot.
    fn claim(&self) -> Option<u8> {
        (0..SLOTS).find(|slot| {
            let bit = 1 << slot;
            // Acquire: pairs with `take_out`, which has read the slot.
            self.free.fetch_and(!bit, ordering!(Acquire, "interrupt: claim a slot")) & bit != 0
        })
    }

    /// The value in `slot`, which `latest` named; the slot is free then.
    fn take_out(&self, slot: u8) -> Option<T> {
        let place = self.slots.get(usize::from(slot))?;
        // SAFETY: *A slot has one owner*: us, and it was filled.
        let value = place.with_mut(|place| unsafe { (*place).assume_init_read() });
        self.free.fetch_or(1 << slot, ordering!(Release, "interrupt: free a slot"));
        Some(value)
    }
}

impl<T: Send + 'static> Source for Signal<T> {
    type Value = T;
}

impl<T: Send + 'static> Sealed<T> for Signal<T> {
    fn reception(&self) -> &Reception {
        &self.reception
    }

    unsafe fn has_value(&self) -> bool {
        self.latest.load(Ordering::Relaxed) != NONE
    }

    unsafe fn take(&self) -> Option<T> {
        // Acquire: pairs with the sender that has filled the slot.
        let latest = self.latest.swap(NONE, ordering!(Acquire, "interrupt: take the latest"));
        self.take_out(latest)
    }
}

impl<T> Drop for Signal<T> {
    fn drop(&mut self) {
        let latest = self.latest.load(Ordering::Relaxed);
        if let Some(place) = self.slots.get(usize::from(latest)) {
            // SAFETY: *A slot has one owner*: no one else is here any more, and it was filled.
            place.with_mut(|place| unsafe { (*place).assume_init_drop() });
        }
    }
}

impl<T: Send> Default for Signal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Signal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_value = self.latest.load(Ordering::Relaxed) != NONE;
        f.debug_struct("Signal").field("has_value", &has_value).finish_non_exhaustive()
    }
}
