//! Blocks of parts, their wakers, and the list of those blocks that have a part that was woken.
//!
//! A block is one bit for each of as many parts as a word has bits. A part's waker is the address
//! of a byte in its block: the block is aligned to as many bytes as it has parts, or more, so the
//! address says both which block and which part. To clone a waker is to count one share more.
//!
//! Whoever sets the first bit of a block puts it on the list; whoever puts the first block on the
//! list wakes the whole. The owner takes the list, whole, and then from each block all of its bits.
//! This is the inbox of a core (`executor::wake`) with bits for a flag.
//!
//! # Why no wake is lost
//!
//! Both sides change the bits by a read-modify-write (acquire and release), so they stand in one
//! order. If a wake finds bits, the owner has not taken them yet, and the poll that follows sees
//! all that was written before the wake. If it finds none, the block is on no list, and the wake
//! puts it there. The owner leaves its waker before it looks at the list. So a wake that puts the
//! first block there finds that waker, or the owner sees the block (see `whole`).
//!
//! # Who may outlive whom
//!
//! A waker keeps its block, a block keeps the [`Hub`], and the hub keeps no block: what the list
//! leads to is the owner's. Once that is gone the list is still written, and never read: a pointer
//! in it may lead nowhere. Nothing of a part is in a block, so that whoever drops the last waker,
//! on whatever thread, drops words.
//!
//! # Invariants
//!
//! - **Bits are a place in the list.** A block that has bits stands in the list once, or was taken
//!   from it by the owner. `next` belongs to the wake that set the first bit, until its push; then
//!   to the owner, which takes it with the list.
//! - **A waker is a share.** The data word of a part's waker is the address of a byte of a block
//!   in which it has a share.

use core::mem::ManuallyDrop;
use core::ptr;
use core::task::{RawWaker, RawWakerVTable, Waker};

use super::whole::Place;
use crate::coop::{BudgetPlace, TaskBudget};
use crate::prim::{Arc, AtomicPtr, AtomicUsize, Ordering, UnsafeCell, ordering};

/// Parts in a block. In models few, so that two threads need not share one.
pub(super) const PARTS: usize = if cfg!(loom) { 2 } else { usize::BITS as usize };

/// The list, and the waker of the whole.
pub(super) struct Hub {
    woken: AtomicPtr<Block>,
    pub(super) whole: Place,
    /// That of the task that polls the whole, for the leaves of the parts.
    pub(super) budget: BudgetPlace,
}

/// Some parts of a whole.
#[repr(align(64))]
pub(super) struct Block {
    /// Which of them were woken.
    parts: AtomicUsize,
    next: UnsafeCell<*const Block>,
    number: usize,
    hub: Arc<Hub>,
}

const _: () = assert!(PARTS <= align_of::<Block>(), "an address says which part it is");

// SAFETY: "Bits are a place in the list": `next` is touched by one thread at a time, and what it
// leads to is only followed by the owner. The rest is `Sync`.
unsafe impl Sync for Block {}
// SAFETY: as above; it borrows nothing.
unsafe impl Send for Block {}

impl Hub {
    pub(super) fn new() -> Self {
        let woken = AtomicPtr::new(ptr::null_mut());
        Self { woken, whole: Place::new(), budget: BudgetPlace::new() }
    }

    /// Puts a block on the list; whether it is the first.
    ///
    /// # Safety
    /// "Bits are a place in the list": the caller has set the first bit of `block`.
    unsafe fn push(&self, block: &Block) -> bool {
        let mut head = self.woken.load(Ordering::Relaxed);
        loop {
            // SAFETY: the caller's promise: it is our turn with the link.
            block.next.with_mut(|next| unsafe { *next = head });
            // Release: pairs with the acquiring swap in `take_all`, which then reads `next`.
            match self.woken.compare_exchange_weak(
                head,
                ptr::from_ref(block).cast_mut(),
                ordering!(Release, "woken: push"),
                Ordering::Relaxed,
            ) {
                Ok(_) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    /// Whether no block stands in the list. Whoever puts one there after the owner has left its
    /// waker wakes the whole.
    pub(super) fn is_empty(&self) -> bool {
        self.woken.load(Ordering::Relaxed).is_null()
    }

    /// Takes the whole list, in no order, and tells the numbers of its blocks.
    ///
    /// # Safety
    /// The caller is the owner, and all blocks of this hub are there.
    pub(super) unsafe fn take_all(&self, mut block: impl FnMut(usize)) {
        if self.is_empty() {
            return;
        }
        let taken = self.woken.swap(ptr::null_mut(), ordering!(Acquire, "woken: take all"));
        let mut next = taken.cast_const();
        // SAFETY: the caller's promise.
        while let Some(taken) = unsafe { next.as_ref() } {
            // SAFETY: "Bits are a place in the list": the link was taken with it.
            next = taken.next.with_mut(|next| unsafe { *next });
            block(taken.number);
        }
    }
}

impl Block {
    /// A block whose `parts` are woken from the start: the owner has "taken it from the list".
    pub(super) fn new(hub: &Arc<Hub>, number: usize, parts: usize) -> Arc<Self> {
        let next = UnsafeCell::new(ptr::null());
        Arc::new(Self { parts: AtomicUsize::new(parts), next, number, hub: Arc::clone(hub) })
    }

    /// Takes all its bits. Owner only, who has taken the block from the list.
    pub(super) fn take_parts(&self) -> usize {
        // AcqRel: see the essay above.
        self.parts.swap(0, ordering!(AcqRel, "woken: take parts"))
    }

    fn wake(&self, part: usize) {
        // AcqRel: see the essay above.
        let woken = self.parts.fetch_or(1 << part, ordering!(AcqRel, "woken: part"));
        // SAFETY: "Bits are a place in the list": we have set the first.
        if woken == 0 && unsafe { self.hub.push(self) } {
            self.hub.whole.take().into_iter().for_each(|whole| whole.wake_by_ref());
        }
    }
}

/// The waker of a part, with the share that `block` is.
pub(super) fn waker(block: &Arc<Block>, part: usize) -> ManuallyDrop<Waker> {
    let raw = raw_waker(Arc::as_ptr(block), part);
    // SAFETY: "A waker is a share": it has that of `block`, and it is not dropped.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
}

/// One `static`, whose address tells a part's waker from others.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_share);

/// The budget of the task that polls the whole of which `waker` wakes a part, if it does.
pub(crate) fn budget_of(waker: &Waker) -> Option<&'static TaskBudget> {
    if !ptr::eq(waker.vtable(), &VTABLE) {
        return None;
    }
    let (block, _) = parts_of(waker.data());
    // SAFETY: "A waker is a share": so the block is there, for as long as the waker is borrowed.
    unsafe { &*block }.hub.budget.get()
}

fn raw_waker(block: *const Block, part: usize) -> RawWaker {
    debug_assert!(part < PARTS);
    // A block has at least as many bytes as parts: a multiple of its alignment.
    RawWaker::new(block.cast::<u8>().wrapping_add(part).cast(), &VTABLE)
}

/// Block and part of a waker.
fn parts_of(data: *const ()) -> (*const Block, usize) {
    let part = data.addr() % align_of::<Block>();
    (data.cast::<u8>().wrapping_sub(part).cast(), part)
}

/// # Safety
/// `data` is the data word of a part's waker. The same is so for the other three.
unsafe fn clone(data: *const ()) -> RawWaker {
    let (block, part) = parts_of(data);
    // SAFETY: "A waker is a share": the block is there, and the clone has a share of its own.
    unsafe { Arc::increment_strong_count(block) };
    raw_waker(block, part)
}

unsafe fn wake(data: *const ()) {
    let (block, part) = parts_of(data);
    // SAFETY: "A waker is a share": it becomes ours, and is given up even if the wake unwinds.
    let block = unsafe { Arc::from_raw(block) };
    block.wake(part);
}

unsafe fn wake_by_ref(data: *const ()) {
    let (block, part) = parts_of(data);
    // SAFETY: "A waker is a share": so the block is there, for as long as the waker is borrowed.
    unsafe { &*block }.wake(part);
}

unsafe fn drop_share(data: *const ()) {
    let (block, _) = parts_of(data);
    // SAFETY: "A waker is a share": this is its end.
    unsafe { Arc::decrement_strong_count(block) };
}
