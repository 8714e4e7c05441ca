//! Where the slots of a table come from: the heap, or a `static`, where there is no heap or a bound
//! is wanted.
//!
//! # Invariants
//!
//! - **One table.** Between taking the claim and giving it back, only one table, on one core,
//!   touches the memory, and the kernel, which performs its operations. A claim that is not given
//!   back stays taken.
//! - **Set up once.** Slots and nodes are initialised by the first claim, and stay so.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::operation::OpsInUse;
use super::pool::{COUNT_MAX, Element, Pool, Room};
use super::slot::{Node, Slot};
#[cfg(doc)]
use super::table::OpTable;
use crate::prim::statics::{AtomicUsize, Ordering};

/// Where the slots of an [`OpTable`] come from: the [`Heap`], or memory that is [`Fixed`].
/// There are no others.
///
/// ```
/// use miniss_core::op::{Memory, OpTable};
///
/// /// A driver over either.
/// struct Driver<M: Memory> {
///     ops: OpTable<M>,
/// }
/// # assert_eq!(Driver { ops: OpTable::new() }.ops.in_flight(), 0);
/// ```
pub trait Memory: sealed::Source {}

pub(super) mod sealed {
    use super::{Element, Pool, Room};

    /// What a memory does.
    pub trait Source: Sized + 'static {
        /// Whether an operation that does not fit a slot may have a place on the heap.
        const BOXES: bool;

        /// Adds memory for elements to a pool, if there is any to be had.
        fn grow<T: Element>(pool: &Pool<T>) -> bool;

        /// The table is gone. If it is not `idle`, its slots stay as they are, forever.
        ///
        /// # Safety
        /// All elements of the room came from this memory. Only the kernel, or who else performs
        /// the operations in flight, may still use it; if it is `idle`, there are none.
        unsafe fn give_back(room: &Room<Self>, idle: bool);
    }
}

/// Slots from the heap: a table that grows. It takes the `alloc` feature to make one.
///
/// See `OpTable::new`, which is not there without the feature.
#[derive(Debug)]
#[non_exhaustive]
pub struct Heap;

impl Memory for Heap {}

#[cfg(feature = "alloc")]
impl sealed::Source for Heap {
    const BOXES: bool = true;

    fn grow<T: Element>(pool: &Pool<T>) -> bool {
        pool.grow()
    }

    unsafe fn give_back(room: &Room<Self>, idle: bool) {
        // SAFETY: the caller's promise; only we look at parts, and we do not any more.
        unsafe { room.parts.free() };
        if idle {
            // SAFETY: the caller's promise.
            unsafe { room.slots.free() };
        }
    }
}

/// Without a heap no table is made over it.
#[cfg(not(feature = "alloc"))]
impl sealed::Source for Heap {
    const BOXES: bool = false;

    fn grow<T: Element>(_pool: &Pool<T>) -> bool {
        false
    }

    unsafe fn give_back(_room: &Room<Self>, _idle: bool) {}
}

/// Memory for `SLOTS` operations of a table, and for `PARTS` parts of multishot operations that
/// wait to be collected, to be declared in a `static`.
///
/// [`OpTable::fixed`] makes a table of it, one at a time. When that table is dropped, another may
/// be made, unless an operation was in flight or uncollected: the kernel may still write to its
/// slot, so the memory is never used for anything else.
///
/// A slot takes 128 bytes, 64 of them for the operation itself: see [`fits`](OpTable::fits). A
/// larger buffer is lent to it as a `&'static mut [u8]`. A part takes 12 bytes. The memory is not
/// initialised before it is used, so it adds nothing to the image of a program.
///
/// A slot is in use until its operation has been collected and, if a cancel was asked for, until
/// [`next_cancel`](OpTable::next_cancel) has come by it.
///
/// ```
/// use miniss_core::op::{Completion, FixedOps, InsertError, OpTable, Operation};
///
/// struct Read(&'static mut [u8]);
/// impl Operation for Read {
///     type Output = (i32, &'static mut [u8]);
///     fn settle(self, completion: Completion) -> Self::Output {
///         (completion.result, self.0)
///     }
/// }
/// const _: () = assert!(OpTable::fits::<Read>());
///
/// static OPS: FixedOps<1> = FixedOps::new();
///
/// let table = OpTable::fixed(&OPS).unwrap();
/// # let (first, second) = (vec![0; 512].leak(), vec![0; 512].leak());
/// let key = table.try_insert(Read(first)).unwrap();
/// let refused = table.try_insert(Read(second)).unwrap_err();
/// assert_eq!(refused.reason, InsertError::NoRoom);
/// assert_eq!(refused.value.0.len(), 512); // it is still ours
///
/// table.complete(key.id(), Completion { result: 4, flags: 0 }, false);
/// # let cx = &mut core::task::Context::from_waker(core::task::Waker::noop());
/// assert!(table.poll(&key, cx).is_ready());
/// assert!(table.try_insert(refused.value).is_ok());
/// ```
#[repr(C)]
pub struct FixedOps<const SLOTS: usize, const PARTS: usize = 0> {
    slots: Elements<Slot, SLOTS>,
    parts: Elements<Node, PARTS>,
    claim: Claim,
}

type Elements<T, const COUNT: usize> = UnsafeCell<[MaybeUninit<T>; COUNT]>;

// SAFETY: *One table*: the memory is touched on one core at a time, and when it is given back, no
// operation is in it.
unsafe impl<const SLOTS: usize, const PARTS: usize> Sync for FixedOps<SLOTS, PARTS> {}

impl<const SLOTS: usize, const PARTS: usize> FixedOps<SLOTS, PARTS> {
    /// Memory that no table uses yet.
    pub const fn new() -> Self {
        Self {
            slots: UnsafeCell::new([const { MaybeUninit::uninit() }; SLOTS]),
            parts: UnsafeCell::new([const { MaybeUninit::uninit() }; PARTS]),
            claim: Claim(AtomicUsize::new(NEW)),
        }
    }

    pub(super) fn claim(&'static self) -> Result<Room<Fixed>, OpsInUse> {
        let is_new = self.claim.take()?;
        let room = Room::new(Fixed { claim: &self.claim });
        // SAFETY: *One table*: it is that of this room, since just now.
        unsafe { set_up(&self.slots, &room.slots, is_new) };
        // SAFETY: as above.
        unsafe { set_up(&self.parts, &room.parts, is_new) };
        Ok(room)
    }
}

/// Puts all elements into the pool as free ones. Those that were used before keep their
/// generations, so that an id of a former table is a stale one.
///
/// # Safety
/// *One table*: it is that of the pool, which is new.
unsafe fn set_up<T: Element, const COUNT: usize>(
    elements: &'static Elements<T, COUNT>,
    pool: &Pool<T>,
    is_new: bool,
) {
    const { assert!(COUNT as u64 <= COUNT_MAX, "a pool has no more places") };
    let first = NonNull::from(elements).cast::<T>();
    for index in if is_new { 0..COUNT } else { 0..0 } {
        // SAFETY: one of the elements, which only the caller has, by its promise.
        unsafe { first.add(index).write(T::free()) };
    }
    // SAFETY: *Set up once*: before or just now. What is `'static` stays.
    unsafe { pool.adopt(first, COUNT) };
}

/// Who may touch the memory.
struct Claim(AtomicUsize);

/// No one yet: it is not initialised.
const NEW: usize = 0;
/// A table.
const TAKEN: usize = 1;
/// No one; the elements are initialised, and all are free.
const GIVEN_BACK: usize = 2;

impl Claim {
    /// Takes the memory for a table; tells whether it is new.
    fn take(&self) -> Result<bool, OpsInUse> {
        // Acquire, with the Release of `give_back`: what the former table wrote is there.
        match self.0.swap(TAKEN, Ordering::Acquire) {
            TAKEN => Err(OpsInUse),
            claim => Ok(claim == NEW),
        }
    }

    fn give_back(&self) {
        self.0.store(GIVEN_BACK, Ordering::Release);
    }
}

/// Slots from [`FixedOps`]: a table that does not grow.
///
/// See [`OpTable::fixed`].
pub struct Fixed {
    claim: &'static Claim,
}

impl Memory for Fixed {}

impl sealed::Source for Fixed {
    const BOXES: bool = false;

    fn grow<T: Element>(_pool: &Pool<T>) -> bool {
        false
    }

    unsafe fn give_back(room: &Room<Self>, idle: bool) {
        if idle {
            // The cancel list may still hold slots that are free.
            room.slots.iter().for_each(|slot| slot.cancel_wanted.set(false));
            room.memory.claim.give_back();
        }
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixed").finish_non_exhaustive()
    }
}

impl<const SLOTS: usize, const PARTS: usize> Default for FixedOps<SLOTS, PARTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SLOTS: usize, const PARTS: usize> fmt::Debug for FixedOps<SLOTS, PARTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedOps").field("slots", &SLOTS).field("parts", &PARTS).finish()
    }
}
