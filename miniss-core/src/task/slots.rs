//! Where tasks live: slots of a few size classes, in chunks that are never given back.
//!
//! `user future ─▶ [task] ─▶ run queue ─▶ executor ─▶ reactor`
//!
//! A slot is a header line and a multiple of 64 bytes behind it. Spawning takes the first free slot
//! of the smallest class that fits; ending a task puts it back: a few loads and stores. When a
//! class has none free and there is a heap, it grows by a chunk. Futures over [`INLINE_BYTES_MAX`]
//! are boxed, and the box is what lives in the slot.
//!
//! Chunks stay with their anchor for ever (*Headers are for ever*, see [`super`]), so
//! an executor's memory for tasks stands at its high-water mark.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use super::header::Header;
use crate::executor::anchor::Base;
use crate::prim::{AtomicPtr, Ordering};

/// Bytes of one step between size classes, and the alignment of every slot.
pub(crate) const STEP_BYTES: usize = 64;
/// The largest future (or output) that lives in its slot, in bytes.
pub(crate) const INLINE_BYTES_MAX: usize = CLASSES * STEP_BYTES;
/// Classes of 64, 128, … 1024 bytes: the waste is under one line, and 16 list heads are two lines.
pub(crate) const CLASSES: usize = 16;
/// The class of the one slot that is part of the anchor itself, for the main future.
pub(crate) const MAIN_CLASS: u8 = CLASSES as u8;
/// A chunk is about this large; a class never grows by fewer than 8 slots.
#[cfg(feature = "alloc")]
const CHUNK_BYTES: usize = 16 * 1024;

/// The class of a task cell of `size` bytes (header included) and alignment `align`.
/// `None`: it must be boxed.
pub(crate) const fn class_for(size: usize, align: usize) -> Option<u8> {
    let payload = size.saturating_sub(size_of::<Header>());
    if align > STEP_BYTES || payload > INLINE_BYTES_MAX {
        return None;
    }
    let steps = payload.div_ceil(STEP_BYTES);
    Some(if steps == 0 { 0 } else { (steps - 1) as u8 })
}

/// One allocation of slots, kept in a list so that shutdown finds every task.
#[repr(C, align(64))]
#[derive(Debug)]
struct Chunk {
    next: *const Chunk,
    slot_bytes: usize,
    slots: usize,
}

/// The slot for the main future: there is always room for it, heap or not.
#[repr(C, align(64))]
struct MainSlot {
    header: Header,
    payload: [u8; STEP_BYTES],
}

/// The slots of one executor. Home only, but for [`Returned`].
#[derive(Debug)]
pub(crate) struct Slots {
    free: [Cell<*const Header>; CLASSES + 1],
    chunks: Cell<*const Chunk>,
    live: Cell<usize>,
    main: UnsafeCell<MaybeUninit<MainSlot>>,
    main_is_set_up: Cell<bool>,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self {
            free: [const { Cell::new(ptr::null()) }; CLASSES + 1],
            chunks: Cell::new(ptr::null()),
            live: Cell::new(0),
            main: UnsafeCell::new(MaybeUninit::uninit()),
            main_is_set_up: Cell::new(false),
        }
    }

    /// Tasks alive, those that only a handle still holds included.
    pub(crate) fn live(&self) -> usize {
        self.live.get()
    }

    /// Makes the main slot fit for use, once in the life of the anchor.
    pub(crate) fn set_up_main(&self, anchor: NonNull<Base>) {
        if self.main_is_set_up.replace(true) {
            return;
        }
        let slot = self.main.get().cast::<Header>();
        // SAFETY: the first use of the slot, so nobody knows it yet; size and alignment are its
        // own.
        unsafe { slot.write(Header::new(anchor, MAIN_CLASS)) };
        // SAFETY: part of an anchor, thus not null.
        self.link(unsafe { NonNull::new_unchecked(slot) });
    }

    /// Whether `class` has no slot free.
    #[cfg(feature = "alloc")]
    pub(crate) fn is_empty(&self, class: u8) -> bool {
        self.free[class as usize].get().is_null()
    }

    /// Takes a free slot of `class`.
    #[inline]
    pub(crate) fn take(&self, class: u8) -> Option<NonNull<Header>> {
        let list = &self.free[class as usize];
        let slot = NonNull::new(list.get().cast_mut())?;
        // SAFETY: *Headers are for ever*, and a free slot is home's.
        list.set(unsafe { slot.as_ref() }.next.get());
        self.live.set(self.live.get() + 1);
        Some(slot)
    }

    /// Puts back a slot that nobody holds. A slot whose generations are used up is not put back:
    /// 64 bytes lost once in four thousand million tasks.
    #[inline]
    pub(crate) fn put(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are for ever*.
        let header = unsafe { slot.as_ref() };
        header.state.release();
        self.live.set(self.live.get() - 1);
        if header.next_generation() {
            self.link(slot);
        }
    }

    fn link(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are for ever*.
        let header = unsafe { slot.as_ref() };
        let list = &self.free[header.class as usize];
        header.next.set(list.get());
        list.set(slot.as_ptr());
    }

    /// Takes in the slots whose handles outlived a former executor of this anchor.
    pub(crate) fn take_in(&self, returned: &Returned) {
        let mut slot = returned.0.swap(ptr::null_mut(), Ordering::Acquire).cast_const();
        while let Some(header) = NonNull::new(slot.cast_mut()) {
            // SAFETY: *Headers are for ever*; read before `put` links it anew.
            slot = unsafe { header.as_ref() }.next.get();
            self.live.set(self.live.get() + 1);
            self.put(header);
        }
    }

    /// Slots that a handle holds beyond the end of the executor are not counted any more.
    pub(crate) fn forget_live(&self) {
        self.live.set(0);
    }

    /// Calls `visit` for every slot there is, free ones included.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(NonNull<Header>)) {
        let mut chunk = self.chunks.get();
        // SAFETY: chunks are never given back, and the list only grows at its head.
        while let Some(here) = unsafe { chunk.as_ref() } {
            for index in 0..here.slots {
                // SAFETY: `index` is below the count with which the chunk was made.
                let slot = unsafe { slot_of(chunk, here.slot_bytes, index) };
                visit(slot);
            }
            chunk = here.next;
        }
    }

    /// Grows `class` by a chunk; `false` if there is no memory for it.
    #[cfg(feature = "alloc")]
    #[cold]
    pub(crate) fn grow(&self, class: u8, anchor: NonNull<Base>) -> bool {
        use alloc::alloc::{Layout, alloc};

        let slot_bytes = size_of::<Header>() + (class as usize + 1) * STEP_BYTES;
        let slots = (CHUNK_BYTES / slot_bytes).max(8);
        let bytes = size_of::<Chunk>() + slots * slot_bytes;
        let Ok(layout) = Layout::from_size_align(bytes, STEP_BYTES) else { return false };
        // SAFETY: the layout is not empty.
        let chunk = unsafe { alloc(layout) }.cast::<Chunk>();
        if chunk.is_null() {
            return false;
        }
        // SAFETY: fresh memory of the right size and alignment.
        unsafe { chunk.write(Chunk { next: self.chunks.get(), slot_bytes, slots }) };
        for index in (0..slots).rev() {
            // SAFETY: inside the fresh chunk; 64-byte steps keep the alignment.
            let slot = unsafe { slot_of(chunk, slot_bytes, index) };
            // SAFETY: as above, and nobody knows the slot yet.
            unsafe { slot.write(Header::new(anchor, class)) };
            self.link(slot);
        }
        self.chunks.set(chunk);
        true
    }
}

/// # Safety
/// `index` is below the number of slots of the chunk.
unsafe fn slot_of(chunk: *const Chunk, slot_bytes: usize, index: usize) -> NonNull<Header> {
    // SAFETY: slots follow the chunk's own line, one after the other.
    let slot = unsafe { chunk.cast_mut().byte_add(size_of::<Chunk>() + index * slot_bytes) };
    // SAFETY: inside an allocation, thus not null.
    unsafe { NonNull::new_unchecked(slot.cast()) }
}

/// Slots let go of by handles that outlived their executor, on whatever thread they were.
#[derive(Debug)]
pub(crate) struct Returned(AtomicPtr<Header>);

impl Returned {
    crate::prim::const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// Hands back a slot that only the caller still held.
    pub(crate) fn push(&self, slot: NonNull<Header>) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: *Headers are for ever*; the slot is the caller's until the exchange.
            unsafe { slot.as_ref() }.next.set(head);
            // Release: the next owner reads `next` and the state after its acquiring swap.
            match self.0.compare_exchange_weak(
                head,
                slot.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_class_that_fits_is_taken() {
        let header = size_of::<Header>();
        assert_eq!(class_for(header, 64), Some(0));
        assert_eq!(class_for(header + 64, 64), Some(0));
        assert_eq!(class_for(header + 65, 64), Some(1));
        assert_eq!(class_for(header + INLINE_BYTES_MAX, 8), Some(CLASSES as u8 - 1));
        assert_eq!(class_for(header + INLINE_BYTES_MAX + 1, 8), None);
        assert_eq!(class_for(header + 8, 128), None);
    }
}
