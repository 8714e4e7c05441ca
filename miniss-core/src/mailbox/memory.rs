//! The memory of nodes: whole cache lines, kept for the next call by the endpoint that made them.
//!
//! `submit_to ─▶ [memory of the node] ─▶ lane ─▶ the other core ─▶ lane ─▶ [back again]`
//!
//! Invariants: see [`super`].

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::RefCell;
use core::ptr::NonNull;

/// Cores do not share lines, so nodes are made of whole ones.
const LINE_BYTES: usize = 64;
/// Nodes of up to this many lines are kept; larger ones are rare, and their copying costs more.
const LINES_MAX: usize = 8;
/// Nodes kept per size; a burst beyond that goes back to the heap.
const KEPT_MAX: usize = 1024;

/// Memory of former nodes, by size in lines.
pub(super) struct Memory {
    kept: [RefCell<Vec<NonNull<u8>>>; LINES_MAX],
}

impl Memory {
    pub(super) const fn new() -> Self {
        Self { kept: [const { RefCell::new(Vec::new()) }; LINES_MAX] }
    }

    /// Memory for a node: a former one's if there is one.
    pub(super) fn take(&self, layout: Layout) -> NonNull<u8> {
        let kept = line_count(layout).and_then(|lines| self.kept[lines - 1].borrow_mut().pop());
        kept.unwrap_or_else(|| allocate(layout))
    }

    /// Keeps the memory of a node that is gone, if there is room.
    ///
    /// # Safety
    /// The memory came from [`take`](Self::take) with this layout and is not used any more.
    pub(super) unsafe fn put(&self, memory: NonNull<u8>, layout: Layout) {
        if let Some(lines) = line_count(layout) {
            let mut kept = self.kept[lines - 1].borrow_mut();
            if kept.len() < KEPT_MAX {
                return kept.push(memory);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { free(memory, layout) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for (index, kept) in self.kept.iter_mut().enumerate() {
            let bytes = (index + 1) * LINE_BYTES;
            let layout = Layout::from_size_align(bytes, LINE_BYTES).expect("a few lines");
            for memory in kept.get_mut().drain(..) {
                // SAFETY: kept memory is nobody's, and whole lines of this number.
                unsafe { free(memory, layout) };
            }
        }
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    let layout = whole_lines(layout);
    // SAFETY: a line is not empty.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives the memory of a node back to the heap.
///
/// # Safety
/// The memory came from [`Memory::take`] with this layout, or one of as many lines if they are
/// kept, and is not used any more.
pub(super) unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    // SAFETY: the caller's promise; `allocate` rounded in the same way.
    unsafe { dealloc(memory.as_ptr(), whole_lines(layout)) };
}

/// How many lines a node takes, if nodes of that size are kept.
fn line_count(layout: Layout) -> Option<usize> {
    let lines = layout.size().div_ceil(LINE_BYTES);
    (lines <= LINES_MAX && layout.align() <= LINE_BYTES).then_some(lines)
}

/// What is allocated for a node: memory fits every node of as many lines.
fn whole_lines(layout: Layout) -> Layout {
    layout.align_to(LINE_BYTES).expect("a small alignment").pad_to_align()
}
