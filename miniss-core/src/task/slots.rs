//! Where tasks live: slots of a few size classes, in chunks that are never given back.
//!
//! A slot is a header and, behind it, a multiple of 64 bytes (on 32 bits in slabs, of 8). Spawning
//! takes the first free slot of the smallest class that fits; ending a task puts it back: a few
//! loads and stores. When a class has none free and there is a heap, it grows by a chunk; where
//! there is none, a slot of a larger class will do. Futures over [`INLINE_BYTES_MAX`] are boxed,
//! and the box is what lives in the slot.
//!
//! A chunk comes from the heap or is a [`TaskSlab`](super::TaskSlab) in a `static`; what follows
//! is the same for both. Chunks stay with their executor cell forever (*Headers are forever*, see
//! [`super`]), so an executor's memory for tasks stands at its high-water mark.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use super::cell::{CellAddress, Header};
use crate::prim::{AtomicPtr, Ordering, const_fn, ordering};

/// Bytes of one step between size classes.
pub(crate) const STEP_BYTES: usize = 64;
/// The alignment of every slot.
pub(crate) const SLOT_ALIGN: usize = align_of::<Header>();
/// The largest future (or output) that lives in its slot, in bytes.
pub(crate) const INLINE_BYTES_MAX: usize = CLASSES * STEP_BYTES;
/// Classes of 64, 128, … 1024 bytes: the waste is under one line, and 16 list heads are two lines.
/// On machines of 32 bits, where futures are half as large, up to 320 bytes.
pub(crate) const CLASSES: usize = if cfg!(target_pointer_width = "64") { 16 } else { 5 };
/// The class of the one slot that is part of the executor cell itself, for the main future.
pub(crate) const MAIN_CLASS: u8 = CLASSES as u8;
/// The class of slots that stand in no free list: their slab looks for a free one itself.
pub(crate) const OWN_CLASS: u8 = MAIN_CLASS + 1;
/// A chunk is about this large while tasks are few; of the largest slots it has 15.
#[cfg(feature = "alloc")]
const CHUNK_BYTES_MIN: usize = 16 * 1024;
/// And this large when they are many, so that its own line is lost among theirs.
#[cfg(feature = "alloc")]
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// The class of a task cell of `size` bytes (header included) and alignment `align`.
/// `None`: it must be boxed.
pub(crate) const fn class_for(size: usize, align: usize) -> Option<u8> {
    let payload = size.saturating_sub(size_of::<Header>());
    if align > SLOT_ALIGN || payload > INLINE_BYTES_MAX {
        return None;
    }
    let steps = payload.div_ceil(STEP_BYTES);
    Some(if steps == 0 { 0 } else { (steps - 1) as u8 })
}

/// The line before a number of slots, kept in a list so that shutdown finds every task.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(align(8)))]
#[derive(Debug)]
pub(crate) struct Chunk {
    next: Cell<*const Chunk>,
    slot_bytes: Cell<usize>,
    slots: Cell<usize>,
    /// Who owns a slab, as [`TaskSlab`](super::TaskSlab) has it. It stands here because there is
    /// room on the line.
    pub(super) owner: AtomicPtr<()>,
}

impl Chunk {
    const_fn! {
        /// Before any slots: all zeros, so that a `static` takes no room in the program's image.
        pub(crate) const fn empty() -> Self {
            Self {
                next: Cell::new(ptr::null()),
                slot_bytes: Cell::new(0),
                slots: Cell::new(0),
                owner: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }
}

/// The slot for the main future: there is always room for it, heap or not.
#[repr(C)]
struct MainSlot {
    header: Header,
    /// Two references, to the future and its output.
    payload: [usize; 2],
}

/// The slots of one executor. Owner only, but for [`Returned`].
#[derive(Debug)]
pub(crate) struct Slots {
    free: [Cell<*const Header>; CLASSES + 1],
    chunks: Cell<*const Chunk>,
    live: Cell<usize>,
    main: UnsafeCell<MaybeUninit<MainSlot>>,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self {
            free: [const { Cell::new(ptr::null()) }; CLASSES + 1],
            chunks: Cell::new(ptr::null()),
            live: Cell::new(0),
            main: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Tasks alive, those that only a handle still holds included.
    pub(crate) fn live(&self) -> usize {
        self.live.get()
    }

    /// Makes the main slot fit for use: called once in the life of the executor cell.
    pub(crate) fn set_up_main(&self, cell: CellAddress) {
        let slot = self.main.get().cast::<Header>();
        // SAFETY: the first use of the slot, so no one knows it yet; size and alignment are its
        // own.
        unsafe { slot.write(Header::new(cell, MAIN_CLASS)) };
        // SAFETY: part of an executor cell, thus not null.
        self.link(unsafe { NonNull::new_unchecked(slot) });
    }

    /// Takes a free slot of `class`.
    #[inline]
    pub(crate) fn take(&self, class: u8) -> Option<NonNull<Header>> {
        let list = &self.free[class as usize];
        let slot = NonNull::new(list.get().cast_mut())?;
        // SAFETY: *Headers are forever*, and a free slot is the owner's.
        list.set(unsafe { slot.as_ref() }.next.get());
        self.live.set(self.live.get() + 1);
        Some(slot)
    }

    /// Puts back a slot that no one holds. A slot whose generations are used up is not put back:
    /// one slot lost in four thousand million tasks that had an `AbortHandle`.
    #[inline]
    pub(crate) fn put(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are forever*.
        let header = unsafe { slot.as_ref() };
        let had_abort_handle = header.state.release();
        self.live.set(self.live.get() - 1);
        let is_fresh = !had_abort_handle || header.next_generation();
        if is_fresh && header.class != OWN_CLASS {
            self.link(slot);
        }
    }

    /// Takes a free slot of any class above `class`.
    pub(crate) fn take_larger(&self, class: u8) -> Option<NonNull<Header>> {
        (class + 1..MAIN_CLASS).find_map(|larger| self.take(larger))
    }

    /// Takes a free slot of a chunk whose slots are of [`OWN_CLASS`].
    ///
    /// # Safety
    /// The chunk was [adopted](Self::adopt) with that class, and `chunk` may be used for all of it.
    pub(crate) unsafe fn take_of(&self, chunk: NonNull<Chunk>) -> Option<NonNull<Header>> {
        // SAFETY: the caller's promise.
        let slot = unsafe { slots_of(chunk.as_ptr()) }.find(|slot| {
            // SAFETY: *Headers are forever*.
            unsafe { slot.as_ref() }.is_free()
        })?;
        self.live.set(self.live.get() + 1);
        Some(slot)
    }

    fn link(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are forever*.
        let header = unsafe { slot.as_ref() };
        let list = &self.free[header.class as usize];
        header.next.set(list.get());
        list.set(slot.as_ptr());
    }

    /// Takes back the slots whose handles outlived a former executor of this executor cell.
    pub(crate) fn reclaim(&self, returned: &Returned) {
        let acquire = ordering!(Acquire, "returned: reclaim");
        let mut slot = returned.0.swap(ptr::null_mut(), acquire).cast_const();
        while let Some(header) = NonNull::new(slot.cast_mut()) {
            // SAFETY: *Headers are forever*; read before `put` links it again.
            slot = unsafe { header.as_ref() }.next.get();
            self.live.set(self.live.get() + 1);
            self.put(header);
        }
    }

    /// Slots that a handle holds beyond the end of the executor are not counted any more.
    pub(crate) fn forget_live(&self) {
        self.live.set(0);
    }

    /// Calls `visit` for every slot there is but the main one, free ones included.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(NonNull<Header>)) {
        let mut chunk = self.chunks.get();
        // SAFETY: chunks are never given back, and the list only grows at its head.
        while let Some(here) = unsafe { chunk.as_ref() } {
            // SAFETY: chunks in the list are followed by their slots.
            unsafe { slots_of(chunk) }.for_each(&mut visit);
            chunk = here.next.get();
        }
    }

    /// Calls `visit` for every slot there is, free ones included. The main slot is set up.
    pub(crate) fn for_each_and_main(&self, mut visit: impl FnMut(NonNull<Header>)) {
        self.for_each(&mut visit);
        if let Some(main) = NonNull::new(self.main.get()) {
            visit(main.cast());
        }
    }

    /// Makes headers of the `slots` slots of `slot_bytes` bytes each, header included, behind
    /// `chunk`, and owns them forever. Those of a size class are free for any task from now
    /// on.
    ///
    /// # Safety
    /// The chunk is empty, and is followed by that much memory, which `chunk` may be used for,
    /// which is never given back, and which no one else uses. A slot of a size class is large
    /// enough for it, and a multiple of the alignment of slots.
    pub(crate) unsafe fn adopt(
        &self,
        chunk: NonNull<Chunk>,
        (slot_bytes, slots): (usize, usize),
        class: u8,
        cell: CellAddress,
    ) {
        // SAFETY: the caller's promise.
        let header = unsafe { chunk.as_ref() };
        header.slot_bytes.set(slot_bytes);
        header.slots.set(slots);
        // SAFETY: as above.
        for slot in unsafe { slots_of(chunk.as_ptr()) } {
            // SAFETY: as above, and no one knows the slot yet.
            unsafe { slot.write(Header::new(cell, class)) };
            if class != OWN_CLASS {
                self.link(slot);
            }
        }
        header.next.set(self.chunks.replace(chunk.as_ptr()));
    }

    /// Grows `class` by a chunk and takes a slot of it; `None` if there is no memory for it.
    #[cfg(feature = "alloc")]
    #[cold]
    pub(crate) fn grow(&self, class: u8, cell: CellAddress) -> Option<NonNull<Header>> {
        use alloc::alloc::{Layout, alloc};

        let slot_bytes = size_of::<Header>() + (class as usize + 1) * STEP_BYTES;
        let chunk_bytes = (self.live.get() * slot_bytes).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        let slots = chunk_bytes / slot_bytes;
        let bytes = size_of::<Chunk>() + slots * slot_bytes;
        let layout = Layout::from_size_align(bytes, SLOT_ALIGN).ok()?;
        // SAFETY: the layout is not empty.
        let chunk = NonNull::new(unsafe { alloc(layout) })?.cast::<Chunk>();
        // SAFETY: fresh memory of the right size and alignment.
        unsafe { chunk.write(Chunk::empty()) };
        // SAFETY: as above; it is leaked here, and the slots are of the class's size.
        unsafe { self.adopt(chunk, (slot_bytes, slots), class, cell) };
        self.take(class)
    }
}

/// The slots behind a chunk, the last one first, so that a free list made of them begins with the
/// first.
///
/// # Safety
/// The chunk is followed by its slots, `chunk` may be used for all of them, and they stay.
unsafe fn slots_of(chunk: *const Chunk) -> impl Iterator<Item = NonNull<Header>> {
    // SAFETY: the caller's promise.
    let Chunk { slot_bytes, slots, .. } = unsafe { &*chunk };
    let (slot_bytes, slots) = (slot_bytes.get(), slots.get());
    (0..slots).rev().map(move |index| {
        let offset = size_of::<Chunk>() + index * slot_bytes;
        // SAFETY: slots follow the chunk's own line, one after the other.
        let slot = unsafe { chunk.cast_mut().byte_add(offset) };
        // SAFETY: inside an allocation, thus not null.
        unsafe { NonNull::new_unchecked(slot.cast()) }
    })
}

/// Slots that were let go of by handles which outlived their executor, on any thread.
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
            // SAFETY: *Headers are forever*; the slot is the caller's until the exchange.
            unsafe { slot.as_ref() }.next.set(head);
            // Release: the next owner reads `next` and the state after its acquiring swap.
            match self.0.compare_exchange_weak(
                head,
                slot.as_ptr(),
                ordering!(Release, "returned: push"),
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_class_that_fits_is_taken() {
        let header = size_of::<Header>();
        assert_eq!(class_for(header, SLOT_ALIGN), Some(0));
        assert_eq!(class_for(header + 64, SLOT_ALIGN), Some(0));
        assert_eq!(class_for(header + 65, SLOT_ALIGN), Some(1));
        assert_eq!(class_for(header + INLINE_BYTES_MAX, 8), Some(CLASSES as u8 - 1));
        assert_eq!(class_for(header + INLINE_BYTES_MAX + 1, 8), None);
        assert_eq!(class_for(header + 8, 2 * SLOT_ALIGN), None);
    }
}
