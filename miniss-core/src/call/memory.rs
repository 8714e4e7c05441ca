//! The memory of nodes: whole cache lines, kept for the next call by the endpoint that made them.
//!
//! Nodes come from the heap, by size in lines, or from a *pool*: a fixed number of places of one
//! size. Either way those that are free make up lists, whose links lie in the free memory itself.
//!
//! # Invariant
//!
//! - **Free is no one's.** Memory in a list is large enough for what the list is for, and no one
//!   else knows it. A list is touched on the endpoint's core only.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use crate::error::CallError;

/// Cores do not share lines, so nodes are made of whole ones.
pub(super) const LINE_BYTES: usize = 64;
/// Nodes of up to this many lines are kept; larger ones are rare, and their copying costs more.
const LINES_MAX: usize = 8;
/// Nodes kept per size; a burst beyond that goes back to the heap.
#[cfg(feature = "alloc")]
const KEPT_MAX: usize = 1024;

/// Memory of former nodes, by size in lines, or the free places of a pool.
pub(super) struct Memory {
    /// A pool uses the first one only.
    free: [FreeList; LINES_MAX],
    /// How many bytes a place of the pool has; 0 if nodes come from the heap.
    pool_bytes: usize,
}

impl Memory {
    /// Memory from the heap.
    #[cfg(feature = "alloc")]
    pub(super) const fn heap() -> Self {
        Self { free: [const { FreeList::new() }; LINES_MAX], pool_bytes: 0 }
    }

    /// A pool without places.
    pub(super) const fn pool(place_bytes: usize) -> Self {
        Self { free: [const { FreeList::new() }; LINES_MAX], pool_bytes: place_bytes }
    }

    /// Adds a place to a pool.
    ///
    /// # Safety
    /// The place has as many bytes as the pool was made for, begins a line, and stays the pool's
    /// forever.
    pub(super) unsafe fn add(&self, place: NonNull<u8>) {
        // SAFETY: the caller's promise; a place is at least a line.
        unsafe { self.free[0].push(place) };
    }

    /// Memory for a node: a former one's if there is one.
    ///
    /// # Errors
    /// [`CallError::NoRoom`] or [`CallError::TooLarge`].
    #[inline]
    pub(super) fn take(&self, layout: Layout) -> Result<NonNull<u8>, CallError> {
        let former = self.list_for(layout).and_then(FreeList::pop);
        former.map_or_else(|| self.take_again(layout), Ok)
    }

    /// Keeps the memory of a node that is gone, if there is room.
    ///
    /// # Safety
    /// The memory came from [`take`](Self::take) with this layout and is not used any more.
    #[inline]
    pub(super) unsafe fn put(&self, memory: NonNull<u8>, layout: Layout) {
        match self.list_for(layout) {
            // SAFETY: *Free is no one's* by the caller's promise, and it is for this list.
            Some(list) if self.keeps_more(list) => unsafe { list.push(memory) },
            // SAFETY: the caller's promise. What is not kept came from the heap.
            _ => unsafe { free(memory, layout) },
        }
    }

    /// The list of memory that fits; a pool has but one.
    #[inline]
    fn list_for(&self, layout: Layout) -> Option<&FreeList> {
        if self.pool_bytes != 0 {
            return self.pool_fits(layout).then_some(&self.free[0]);
        }
        line_count(layout).map(|lines| &self.free[lines - 1])
    }

    fn pool_fits(&self, layout: Layout) -> bool {
        layout.size() <= self.pool_bytes && layout.align() <= LINE_BYTES
    }

    #[cfg(feature = "alloc")]
    fn keeps_more(&self, list: &FreeList) -> bool {
        self.pool_bytes != 0 || list.len.get() < KEPT_MAX
    }

    #[cfg(not(feature = "alloc"))]
    fn keeps_more(&self, _list: &FreeList) -> bool {
        true
    }

    /// Memory that is no former node's, which only the heap has.
    #[cold]
    fn take_again(&self, layout: Layout) -> Result<NonNull<u8>, CallError> {
        if self.pool_bytes == 0 {
            return allocate(layout).ok_or(CallError::NoRoom);
        }
        Err(if self.pool_fits(layout) { CallError::NoRoom } else { CallError::TooLarge })
    }

    /// What becomes of a call without room whose caller cannot be told at once: as with any
    /// allocation, the heap's end is the program's; a pool's is an error.
    #[cold]
    pub(super) fn give_up(&self, _layout: Layout) {
        #[cfg(feature = "alloc")]
        if self.pool_bytes == 0 {
            alloc::alloc::handle_alloc_error(_layout);
        }
    }
}

#[cfg(feature = "alloc")]
impl Drop for Memory {
    fn drop(&mut self) {
        if self.pool_bytes != 0 {
            return;
        }
        for (index, list) in self.free.iter().enumerate() {
            let bytes = (index + 1) * LINE_BYTES;
            let layout = Layout::from_size_align(bytes, LINE_BYTES).expect("a few lines");
            while let Some(memory) = list.pop() {
                // SAFETY: *Free is no one's*, and this is whole lines of this number.
                unsafe { free(memory, layout) };
            }
        }
    }
}

/// Free memory of one size.
struct FreeList {
    head: Cell<*mut Free>,
    len: Cell<usize>,
}

/// What lies at the beginning of free memory.
struct Free {
    next: *mut Free,
}

impl FreeList {
    const fn new() -> Self {
        Self { head: Cell::new(ptr::null_mut()), len: Cell::new(0) }
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let head = NonNull::new(self.head.get())?;
        // SAFETY: *Free is no one's*, and `push` wrote the link.
        self.head.set(unsafe { head.as_ref() }.next);
        self.len.set(self.len.get() - 1);
        Some(head.cast())
    }

    /// # Safety
    /// *Free is no one's*: the memory is the list's from now on.
    #[inline]
    unsafe fn push(&self, memory: NonNull<u8>) {
        let memory = memory.cast::<Free>();
        // SAFETY: the caller's promise, and a line has room for a link.
        unsafe { memory.write(Free { next: self.head.get() }) };
        self.head.set(memory.as_ptr());
        self.len.set(self.len.get() + 1);
    }
}

#[cfg(feature = "alloc")]
fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    // SAFETY: a line is not empty.
    NonNull::new(unsafe { alloc::alloc::alloc(whole_lines(layout)) })
}

#[cfg(not(feature = "alloc"))]
fn allocate(_layout: Layout) -> Option<NonNull<u8>> {
    None
}

/// Gives the memory of a node back to the heap.
///
/// # Safety
/// The memory came from a heap's [`Memory::take`] with this layout, or one of as many lines if they
/// are kept, and is not used any more.
#[cfg(feature = "alloc")]
pub(super) unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller's promise; `allocate` rounded in the same way.
    unsafe { alloc::alloc::dealloc(memory.as_ptr(), whole_lines(layout)) };
}

/// # Safety
/// None: there is no heap, so it is never called.
#[cfg(not(feature = "alloc"))]
pub(super) unsafe fn free(_memory: NonNull<u8>, _layout: Layout) {}

/// How many lines a node takes, if nodes of that size are kept.
#[inline]
fn line_count(layout: Layout) -> Option<usize> {
    let lines = layout.size().div_ceil(LINE_BYTES);
    (lines <= LINES_MAX && layout.align() <= LINE_BYTES).then_some(lines)
}

/// What is allocated for a node: memory fits every node of as many lines.
#[cfg(feature = "alloc")]
fn whole_lines(layout: Layout) -> Layout {
    layout.align_to(LINE_BYTES).expect("a small alignment").pad_to_align()
}
