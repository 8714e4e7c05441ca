//! Elements that are free or in use, and a list of the free ones.

use core::cell::Cell;
use core::ptr::NonNull;

use super::chunks::Chunks;

/// The end of a list of elements, and the index of none of them.
pub(super) const NONE: u32 = u32::MAX;

/// What a pool can hold.
pub trait Element {
    /// A new one, which is free.
    fn free() -> Self;

    /// Its link, which the pool uses while it is free.
    fn next(&self) -> &Cell<u32>;
}

/// Elements by index, and a list of the free ones.
pub struct Pool<T> {
    elements: Chunks<T>,
    free: Cell<u32>,
}

impl<T: Element> Pool<T> {
    pub(super) const fn new() -> Self {
        Self { elements: Chunks::new(), free: Cell::new(NONE) }
    }

    #[inline]
    pub(super) fn at(&self, index: u32) -> Option<&T> {
        self.elements.at(index)
    }

    /// How many elements there are, in use or used before.
    #[cfg(all(test, feature = "alloc", not(loom)))]
    pub(super) fn count(&self) -> u32 {
        self.elements.count()
    }

    /// All elements, in use or used before.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.elements.count()).filter_map(|index| self.at(index))
    }

    /// Takes a free element.
    #[inline]
    pub(super) fn take(&self) -> Option<(u32, &T)> {
        let index = self.free.get();
        // There is none at `NONE`.
        let element = self.at(index)?;
        self.free.set(element.next().replace(NONE));
        Some((index, element))
    }

    /// Puts back an element that no one uses.
    #[inline]
    pub(super) fn put(&self, index: u32, element: &T) {
        element.next().set(self.free.replace(index));
    }

    /// Takes in the elements of one piece of memory, all of which are free.
    ///
    /// # Safety
    /// As for [`Chunks::adopt`].
    pub(super) unsafe fn adopt(&self, first: NonNull<T>, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.elements.adopt(first, count) };
        // Backwards: the first is the first to be taken.
        for index in (0..self.elements.count()).rev() {
            self.put(index, self.at(index).expect("below the count"));
        }
    }

    /// Takes an element that was never used before, from memory that is there.
    pub(super) fn take_new(&self) -> Option<(u32, &T)> {
        self.elements.push(T::free())
    }

    /// Adds memory from the heap; `false` if it is out.
    #[cfg(feature = "alloc")]
    pub(super) fn grow(&self) -> bool {
        self.elements.grow()
    }

    /// Gives the elements back to the heap.
    ///
    /// # Safety
    /// As for [`Chunks::free`].
    #[cfg(feature = "alloc")]
    pub(super) unsafe fn free(&self) {
        self.free.set(NONE);
        // SAFETY: the caller's promise.
        unsafe { self.elements.free() };
    }
}
