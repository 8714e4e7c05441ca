//! Where the slots of a table come from.

use super::pool::{Element, Pool};
use super::room::Room;

/// Where the slots of an [`OpTable`](super::OpTable) come from: the [`Heap`], or memory that is
/// [`Fixed`](super::Fixed). There are no others.
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
pub trait Memory: Source {}

/// What a memory does; no one else is to implement it.
pub trait Source: Sized + 'static {
    /// Whether an operation that does not fit a slot may have a place on the heap.
    const BOXES: bool;

    /// Adds memory for elements to a pool, if there is any to be had.
    fn grow<T: Element>(pool: &Pool<T>) -> bool;

    /// The table is gone. If it is not `idle`, its slots stay as they are, forever.
    ///
    /// # Safety
    /// All elements of the room came from this memory, and no one uses it any more, except for
    /// whoever performs the operations in flight; if it is `idle`, there are none.
    unsafe fn give_back(room: &Room<Self>, idle: bool);
}

/// Slots from the heap: a table that grows. It takes the `alloc` feature to make one.
///
/// See `OpTable::new`, which is not there without the feature.
#[derive(Debug)]
#[non_exhaustive]
pub struct Heap;

impl Memory for Heap {}

#[cfg(feature = "alloc")]
impl Source for Heap {
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
impl Source for Heap {
    const BOXES: bool = false;

    fn grow<T: Element>(_pool: &Pool<T>) -> bool {
        false
    }

    unsafe fn give_back(_room: &Room<Self>, _idle: bool) {}
}
