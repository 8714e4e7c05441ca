//! Operations that are too large for a slot, in blocks from the heap.
//!
//! A table keeps some of the blocks that it has allocated, so that large operations soon allocate
//! no more than small ones. An operation that is too large even for a block has a box of its own.
//! Where there is no heap, a table takes neither.
//!
//! # Invariants
//!
//! - **Blocks are free or used.** A block in the list holds nothing. One that holds an operation is
//!   in no list, and belongs to that operation's slot.

#[cfg(feature = "alloc")]
mod heap {
    use alloc::alloc::{Layout, alloc, dealloc};
    use alloc::boxed::Box;
    use core::cell::Cell;
    use core::mem::MaybeUninit;
    use core::ptr::NonNull;

    /// Room for a message header with eight pieces, and for the buffers that they are pieces of.
    const BLOCK_BYTES: usize = 384;

    /// So many free blocks are kept, which is 96 KiB; further ones go back to the heap.
    const KEPT_MAX: usize = 256;

    /// Free, and then it may name another; or used, and then it is an operation.
    #[repr(C, align(16))]
    union Block {
        next: Option<NonNull<Block>>,
        _operation: [MaybeUninit<u8>; BLOCK_BYTES],
    }

    const fn fits<O>() -> bool {
        size_of::<O>() <= BLOCK_BYTES && align_of::<O>() <= align_of::<Block>()
    }

    /// The free blocks of a table.
    pub(in super::super) struct Blocks {
        free: Cell<Option<NonNull<Block>>>,
        kept: Cell<usize>,
    }

    impl Blocks {
        pub(in super::super) const fn new() -> Self {
            Self { free: Cell::new(None), kept: Cell::new(0) }
        }

        /// Moves `op` to a place of its own; gives it back if there is no memory.
        pub(in super::super) fn put<O>(&self, op: O) -> Result<*mut O, O> {
            let place = if fits::<O>() { self.take_block().cast() } else { place_for::<O>() };
            if place.is_null() {
                return Err(op);
            }
            // SAFETY: of an `O`'s size and alignment, and nothing is there.
            unsafe { place.write(op) };
            Ok(place)
        }

        /// Moves an operation back out.
        ///
        /// # Safety
        /// It is one that was [`put`](Self::put) here, and is not used any more.
        pub(in super::super) unsafe fn take<O>(&self, place: *mut O) -> O {
            if !fits::<O>() {
                // SAFETY: it was allocated as a box is.
                return *unsafe { Box::from_raw(place) };
            }
            // SAFETY: it lies there, and no one will look again.
            let op = unsafe { place.read() };
            // SAFETY: *Blocks are free or used*: the operation has just left it.
            unsafe { self.put_block(place.cast()) };
            op
        }

        /// Keeps a block for the next operation, or gives it back to the heap.
        ///
        /// # Safety
        /// `take_block` gave it, and nothing is in it any more.
        unsafe fn put_block(&self, block: *mut Block) {
            let kept = self.kept.get();
            if kept == KEPT_MAX {
                // SAFETY: `take_block` allocated it, and it is in no list.
                return unsafe { dealloc(block.cast(), Layout::new::<Block>()) };
            }
            self.kept.set(kept + 1);
            // SAFETY: a block of ours that holds nothing.
            unsafe { block.write(Block { next: self.free.get() }) };
            self.free.set(NonNull::new(block));
        }

        /// A block that holds nothing; null if there is no memory.
        fn take_block(&self) -> *mut Block {
            let Some(block) = self.free.get() else {
                // SAFETY: a block is not empty.
                return unsafe { alloc(Layout::new::<Block>()) }.cast();
            };
            self.kept.set(self.kept.get() - 1);
            // SAFETY: *Blocks are free or used*: it is in the list, so it names the next.
            self.free.set(unsafe { block.as_ref().next });
            block.as_ptr()
        }
    }

    impl Drop for Blocks {
        fn drop(&mut self) {
            while let Some(block) = self.free.get() {
                self.take_block();
                // SAFETY: `take_block` allocated it, and it is in the list no more.
                unsafe { dealloc(block.as_ptr().cast(), Layout::new::<Block>()) };
            }
        }
    }

    /// Memory as a box has it; null if there is none.
    fn place_for<O>() -> *mut O {
        let layout = Layout::new::<O>();
        match layout.size() {
            0 => NonNull::dangling().as_ptr(),
            // SAFETY: the size is not zero.
            _ => unsafe { alloc(layout) }.cast(),
        }
    }
}

#[cfg(not(feature = "alloc"))]
mod heap {
    pub(in super::super) struct Blocks;

    impl Blocks {
        pub(in super::super) const fn new() -> Self {
            Self
        }

        pub(in super::super) fn put<O>(&self, op: O) -> Result<*mut O, O> {
            Err(op)
        }

        /// # Safety
        /// Nothing was ever put.
        pub(in super::super) unsafe fn take<O>(&self, _place: *mut O) -> O {
            unreachable!("nothing was put on a heap that is not there")
        }
    }
}

pub(super) use heap::Blocks;
