//! The memory that a future and its promise share, and the links by which they hold it.
//!
//! Both ends may be on different cores. Who may touch which field when:
//!
//! | field          | who              | when                                                |
//! |----------------|------------------|-----------------------------------------------------|
//! | `state`        | both             | until they have left                                |
//! | `storage`      | the last one out | as it closes the cell                               |
//! | `waker`, write | the future       | while the word has neither `WAKER` nor `DONE`       |
//! | `waker`, read  | both             | until they have left; owner: see *Waker turn*       |
//! | `outcome`      | the promise      | before `end`, and after it if that says `Abandoned` |
//! | `outcome`      | the future       | from seeing `DONE` with `OUTCOME` until `leave`     |
//!
//! # The place of the waker
//!
//! It may be copied while it is being replaced. A waker is two words. They are kept as two atomics,
//! so that a promise may copy them before it knows whether they will be its own (see `state`). A
//! copy made at the wrong moment is then a pair of meaningless words, not a data race. Only
//! [`WakerCopy::into_waker`] turns words back into a waker, and it is `unsafe`. All accesses are
//! relaxed; the state word orders them.
//!
//! # Invariants
//!
//! - **Two ends.** An open cell has one [`Link`] in a future's [`Waiter`] and one in a promise,
//!   made together as the cell was opened. An end is done with its link at the transition by which
//!   it leaves. Only the last one out uses it once more: it closes the cell, as its last act. So a
//!   link that is used points to a live, open cell.
//! - **Outcome turn.** The outcome is touched only by the end whose turn it is in the table above.
//!   It is filled by `put_outcome` and emptied by `take_outcome`, each at most once.
//! - **Waker turn.** The waker in the slot has one owner, and only the owner may turn a copy into a
//!   [`Waker`]. It is the future, from `put` on; it becomes the promise at the transition that
//!   returns `Ended::Wake` (with the copy made before it) or `Ended::TakeWaker`.
//!
//! All three follow from the state word's transitions and nothing else, on the heap and in a
//! `static` alike. A cell that is closed holds nothing that needs dropping: the ends move values
//! and wakers out first and drop them afterwards. So a panic in such a `drop` finds the cell closed
//! already.
//!
//! The links never make a reference to the whole cell, only to one field at a time: the other end
//! may free the cell while we return from our last transition, and at that moment only a reference
//! to an atomic may exist.

use core::fmt;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::task::{RawWakerVTable, Waker};

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

use super::future::{Future, Waiter};
use super::promise::Promise;
use super::state::State;
use crate::error::BrokenPromise;
use crate::prim::{AtomicPtr, Ordering, UnsafeCell, const_fn};

/// Room for one future and its promise at a time, for programs without a heap.
///
/// ```
/// use miniss_core::PromiseCell;
///
/// static ANSWER: PromiseCell<u32> = PromiseCell::new();
///
/// let (mut future, promise) = ANSWER.pair().expect("no one else uses it");
/// assert!(ANSWER.pair().is_none(), "one pair at a time");
/// promise.complete(42).unwrap();
/// assert_eq!(future.try_take(), Some(Ok(42)));
/// assert!(ANSWER.pair().is_some(), "both ends are done with it");
/// ```
pub struct PromiseCell<T, E = BrokenPromise> {
    state: State,
    storage: Storage,
    waker: WakerSlot,
    outcome: UnsafeCell<MaybeUninit<Result<T, E>>>,
}

/// Where a cell lies, and so what closing it means.
#[derive(Clone, Copy)]
enum Storage {
    /// In a `static`: it becomes free for the next pair.
    Static,
    /// In a box of its own: the box is freed.
    #[cfg(feature = "alloc")]
    Heap,
}

// SAFETY: `&PromiseCell` only hands out links (*Two ends*). Through them values of `T` and `E` move
// from one thread to another, one owner at a time (*Outcome turn*), which `Send` allows; no two
// threads ever share one. The waker is `Send` and `Sync` itself.
unsafe impl<T: Send, E: Send> Sync for PromiseCell<T, E> {}

impl<T, E> PromiseCell<T, E> {
    const_fn! {
        /// A free cell, to be put in a `static`.
        ///
        /// ```
        /// use miniss_core::PromiseCell;
        /// static CELL: PromiseCell<[u8; 16]> = PromiseCell::new();
        /// assert!(CELL.pair().is_some());
        /// ```
        pub const fn new() -> Self {
            Self {
                state: State::free(),
                storage: Storage::Static,
                waker: WakerSlot::new(),
                outcome: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }
}

impl<T, E: From<BrokenPromise>> PromiseCell<T, E> {
    /// A future and its promise in this cell, or `None` while a former pair is in use.
    ///
    /// The cell is free again once the promise is completed or dropped, and the future has given
    /// its result or is dropped.
    ///
    /// ```
    /// use miniss_core::PromiseCell;
    ///
    /// static CELL: PromiseCell<u32> = PromiseCell::new();
    /// let (future, promise) = CELL.pair().unwrap();
    /// drop(future);
    /// assert!(CELL.pair().is_none(), "the promise still uses it");
    /// drop(promise);
    /// assert!(CELL.pair().is_some());
    /// ```
    pub fn pair(&'static self) -> Option<(Future<T, E>, Promise<T, E>)> {
        self.state.open().then(|| ends(NonNull::from(self)))
    }
}

impl<T, E> Default for PromiseCell<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E> fmt::Debug for PromiseCell<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromiseCell").finish_non_exhaustive()
    }
}

/// A future and its promise in a box of their own.
#[cfg(feature = "alloc")]
pub(super) fn heap_pair<T, E>() -> (Future<T, E>, Promise<T, E>) {
    let cell = Box::new(PromiseCell {
        state: State::opened(),
        storage: Storage::Heap,
        waker: WakerSlot::new(),
        outcome: UnsafeCell::new(MaybeUninit::uninit()),
    });
    ends(NonNull::from(Box::leak(cell)))
}

/// The two ends of a cell that has just been opened. Only its openers call this, once each.
fn ends<T, E>(cell: NonNull<PromiseCell<T, E>>) -> (Future<T, E>, Promise<T, E>) {
    (Future::waiting(Waiter::new(Link(cell))), Promise::from_link(Link(cell)))
}

/// The pointer by which one end holds a cell. To drop it does nothing: an end leaves by a
/// transition.
///
/// Invariant in `T` and `E`, as `UnsafeCell` is: a promise for `&'static str` must not be taken
/// for one that accepts a shorter-lived `&str`.
pub(super) struct Link<T, E>(NonNull<PromiseCell<T, E>>);

// SAFETY: a link stands for one of the *Two ends*; moving it moves the right to put or take a `T`
// or an `E` (*Outcome turn*), for which these must be `Send`. The state word and the words of the
// waker are atomic.
unsafe impl<T: Send, E: Send> Send for Link<T, E> {}

// SAFETY: safe code reaches only the atomics through `&Link`; the rest is `unsafe` to call and
// needs the end's turn, which `&Link` alone never gives.
unsafe impl<T: Send, E: Send> Sync for Link<T, E> {}

impl<T, E> Link<T, E> {
    /// The state word.
    pub(super) fn state(&self) -> &State {
        // SAFETY: *Two ends*: the cell is live.
        unsafe { &(*self.0.as_ptr()).state }
    }

    /// The place of the waker.
    pub(super) fn waker(&self) -> &WakerSlot {
        // SAFETY: *Two ends*: the cell is live.
        unsafe { &(*self.0.as_ptr()).waker }
    }

    /// Fills in the outcome.
    ///
    /// # Safety
    /// It is the caller's turn with the outcome, which has not been filled in.
    pub(super) unsafe fn put_outcome(&self, outcome: Result<T, E>) {
        // SAFETY: *Two ends*: the cell is live; no one else touches the outcome, by the contract.
        unsafe {
            (*self.0.as_ptr()).outcome.with_mut(|slot| (*slot).write(outcome));
        }
    }

    /// Moves the outcome out.
    ///
    /// # Safety
    /// It is the caller's turn with the outcome, which has been filled in and not been taken.
    pub(super) unsafe fn take_outcome(&self) -> Result<T, E> {
        // SAFETY: *Two ends*: the cell is live; by the contract the outcome is there and no one
        // else touches it.
        unsafe { (*self.0.as_ptr()).outcome.with_mut(|slot| (*slot).assume_init_read()) }
    }

    /// Gives the cell back.
    ///
    /// # Safety
    /// The caller is the last one out, and touches the cell no more.
    pub(super) unsafe fn close(&self) {
        // SAFETY: *Two ends*: the cell is live until the last one out closes it.
        match unsafe { (*self.0.as_ptr()).storage } {
            Storage::Static => self.state().close(),
            #[cfg(feature = "alloc")]
            Storage::Heap => {
                // SAFETY: `heap_pair` made it by leaking a box, and no other link is in use, by
                // the contract.
                drop(unsafe { Box::from_raw(self.0.as_ptr()) });
            }
        }
    }
}

/// Room for one waker. To drop it drops nothing: the state word says who owns the waker.
pub(super) struct WakerSlot {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// The words that were in a slot at some moment. They may be a waker's, or of two different ones.
#[derive(Clone, Copy)]
pub(super) struct WakerCopy {
    data: *const (),
    vtable: *const RawWakerVTable,
}

impl WakerSlot {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { data: AtomicPtr::new(ptr::null_mut()), vtable: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Puts a waker in. What was there is forgotten, not dropped.
    #[inline]
    pub(super) fn put(&self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
    }

    /// Copies the words.
    #[inline]
    pub(super) fn copy(&self) -> WakerCopy {
        WakerCopy {
            data: self.data.load(Ordering::Relaxed),
            vtable: self.vtable.load(Ordering::Relaxed),
        }
    }

    /// Whether the words are those of `waker`: [`Waker::will_wake`], for a waker that may have
    /// been woken and dropped since.
    #[inline]
    pub(super) fn holds(&self, waker: &Waker) -> bool {
        let copy = self.copy();
        copy.data == waker.data() && ptr::eq(copy.vtable, waker.vtable())
    }
}

impl WakerCopy {
    /// The waker whose words these are.
    ///
    /// # Safety
    /// The words are those of a waker that was put in the slot, the caller owns it (*Waker turn*),
    /// and it is turned into a waker only this once.
    #[inline]
    pub(super) unsafe fn into_waker(self) -> Waker {
        #[cfg(loom)]
        assert!(!self.vtable.is_null(), "a waker was taken that is not there");
        // SAFETY: by the contract, both words come from one waker, which `put` kept from being
        // dropped and which no one else will turn back.
        unsafe { Waker::new(self.data, &*self.vtable) }
    }
}

/// To the models, freeing the slot is one more access: an end that may still touch it is in a race.
#[cfg(all(test, loom))]
impl Drop for WakerSlot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.data.with_mut(|_| ());
            self.vtable.with_mut(|_| ());
        }
    }
}
