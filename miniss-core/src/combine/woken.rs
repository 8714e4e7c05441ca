//! Which parts of a whole were woken: a waker for each, so that one wake costs one poll.
//!
//! A few futures share the waker of the task that they run in, and all of them are polled whenever
//! it is woken. For a thousand that would be a thousand polls for each wake. So where there are
//! more than [`FEW`], each has a waker of its own, which notes its part, and wakes the whole.
//!
//! # What a poll of the whole costs
//!
//! At most [`POLLS_MAX`] parts are polled, each once, in the order of their numbers. Those that are
//! left come first in the next poll, for which the whole wakes itself. So no part keeps the others
//! from being polled, and the whole does not keep other tasks from being polled. Wakes are counted
//! once: a part that was woken ten times is polled once.
//!
//! # Blocks, and the list of those that were woken
//!
//! A block is one bit for each of as many parts as a word has bits. A part's waker is the address
//! of a byte in its block: the block is aligned to as many bytes as it has parts, or more, so the
//! address says both which block and which part. To clone a waker is to count one share more.
//!
//! The wake that sets the first bit of a block puts the block on the list; the one that puts the
//! first block on the list wakes the whole. The owner takes the whole list, and then from each
//! block all of its bits. This is the inbox of a core (`executor::wake`) with bits for a flag.
//!
//! # The waker of the whole
//!
//! Its owner leaves it in a place, and any thread takes it, to wake it. The place is one pointer to
//! a counted waker. Both sides swap it, so no side ever waits for the other or tries again;
//! interrupt handlers may use it, too. The owner keeps a share of its own. As long as the same task
//! polls it, it puts that share back and allocates nothing.
//!
//! # Why no wake is lost
//!
//! Both sides change the bits by a read-modify-write (acquire and release), so they stand in one
//! order. If a wake finds bits, the owner has not taken them yet, and the poll that follows sees
//! all that was written before the wake. If it finds none, the block is on no list, and the wake
//! puts it there. The owner leaves its waker before it looks at the list. So a wake that puts the
//! first block there finds that waker, or the owner sees the block.
//!
//! A wake writes, then takes the waker; the owner leaves its waker, then reads. All swaps of the
//! place (acquire and release) stand in one order. If the wake's swap comes first, the owner's swap
//! sees what was written before it. If the owner's swap comes first, the wake finds the waker and
//! uses it. Or another wake has taken the waker in between and uses it; then the owner is polled
//! again and swaps again, and the two cases hold for that swap.
//!
//! # What may outlive what
//!
//! A waker keeps its block, a block keeps the [`Hub`], and the hub keeps no block: what the list
//! leads to is the owner's. Once that is gone the list is still written, and never read: a pointer
//! in it may lead nowhere. Nothing of a part is in a block, so the last waker may be dropped on any
//! thread: only words are freed.
//!
//! # Invariants
//!
//! - **Blocks last as long as their owner.** A [`Woken`] keeps a share in each of its blocks, and
//!   only blocks of its own stand in its list. So whatever its list leads to is there.
//! - **Bits are a place in the list.** A block that has bits stands in the list once, or was taken
//!   from it by the owner. `next` belongs to the wake that set the first bit, until its push; then
//!   to the owner, which takes it with the list.
//! - **A waker is a share.** The data word of a part's waker is the address of a byte of a block
//!   in which it has a share.
//! - **The place is a share.** The pointer in it is null, or has a share in the waker that it leads
//!   to. The one that swaps it out owns that share.

use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::ptr;
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

use crate::coop::{self, BudgetPlace, TaskBudget};
use crate::prim::{Arc, AtomicPtr, AtomicUsize, Ordering, UnsafeCell, ordering};

/// Up to this number of parts share the waker of the whole: that takes no memory, and a wake polls
/// all of them.
pub(super) const FEW: usize = 8;

/// Up to this number of parts are polled in one poll of the whole.
pub(super) const POLLS_MAX: usize = 128;

/// The parts that were woken and not polled since.
pub(super) struct Woken {
    hub: Arc<Hub>,
    /// The waker that was registered last.
    whole: Option<Arc<Waker>>,
    /// *Blocks last as long as their owner*. Part `n` is in block `n / PARTS`.
    blocks: Vec<Arc<Block>>,
    /// Blocks that were taken from the list and are to be looked at, the next one last.
    round: Vec<usize>,
    /// The block that is being looked at, and which of its parts are left.
    block: usize,
    parts: usize,
    /// In this poll the list is not looked at: what is left from the one before comes first.
    is_behind: bool,
    polls_left: usize,
}

impl Woken {
    /// `count` parts, all of which are to be polled.
    pub(super) fn new(count: usize) -> Self {
        let hub = Arc::new(Hub::new());
        let all_of =
            |first: usize| usize::MAX >> (usize::BITS as usize - (count - first).min(PARTS));
        let blocks: Vec<_> = (0..count)
            .step_by(PARTS)
            .map(|first| Block::new(&hub, first / PARTS, all_of(first)))
            .collect();
        let round = (0..blocks.len()).rev().collect();
        let (block, parts, is_behind, polls_left) = (0, 0, false, 0);
        Self { hub, whole: None, blocks, round, block, parts, is_behind, polls_left }
    }

    /// Begins a poll of the whole, of which `waker` is to be woken from now on.
    pub(super) fn begin(&mut self, waker: &Waker) {
        self.register(waker);
        self.hub.budget.set(coop::budget_of(waker));
        self.look();
    }

    /// As [`begin`](Self::begin), for one who does not wait: the waker of the whole stays.
    pub(super) fn look(&mut self) {
        self.polls_left = POLLS_MAX;
        self.is_behind = self.has_more();
        if !self.is_behind {
            self.take_list();
        }
    }

    fn register(&mut self, waker: &Waker) {
        let known = self.whole.take().filter(|known| known.will_wake(waker));
        let whole = known.unwrap_or_else(|| Arc::new(waker.clone()));
        self.hub.whole.put(&whole);
        self.whole = Some(whole);
    }

    /// The next part to be polled in this poll of the whole.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.polls_left == 0 {
            return None;
        }
        while self.parts == 0 {
            self.next_block()?;
        }
        self.polls_left -= 1;
        let part = self.parts.trailing_zeros() as usize;
        self.parts &= self.parts - 1;
        Some(self.block * PARTS + part)
    }

    /// Goes on to the next block; `None` if there is none.
    fn next_block(&mut self) -> Option<()> {
        self.block = self.round.pop()?;
        self.parts = self.blocks[self.block].take_parts();
        Some(())
    }

    /// A part of this round is still to be polled.
    fn has_more(&self) -> bool {
        self.parts != 0 || !self.round.is_empty()
    }

    fn take_list(&mut self) {
        let round = &mut self.round;
        // SAFETY: *Blocks last as long as their owner*.
        unsafe { self.hub.take_all(|block| round.push(block)) };
        round.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Ends a poll of the whole. If parts are left, it is woken to go on with them.
    pub(super) fn end(&self, waker: &Waker) {
        if self.is_left() {
            waker.wake_by_ref();
        }
    }

    /// Whether parts are left that this poll of the whole did not come to.
    pub(super) fn is_left(&self) -> bool {
        self.has_more() || self.is_behind && !self.hub.is_empty()
    }

    /// Polls one part, with a waker of its own.
    pub(super) fn poll<R>(&self, part: usize, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let waker = waker(&self.blocks[part / PARTS], part % PARTS);
        poll(&mut Context::from_waker(&waker))
    }

    /// One part more, which the caller polls first.
    pub(super) fn add(&mut self, part: usize) {
        if part / PARTS == self.blocks.len() {
            self.blocks.push(Block::new(&self.hub, self.blocks.len(), 0));
        }
    }
}

impl Drop for Woken {
    /// Wakers of parts that are still there wake nothing from now on.
    fn drop(&mut self) {
        drop(self.hub.whole.take());
    }
}

/// Parts in a block. A loom model uses few, so that two threads need not share one.
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

// SAFETY: *Bits are a place in the list*: `next` is touched by one thread at a time, and what it
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
    /// *Bits are a place in the list*: the caller has set the first bit of `block`.
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

    /// Whether the list is empty. A wake that puts a block there after the owner has stored its
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
            // SAFETY: *Bits are a place in the list*: the link was taken with it.
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
        // AcqRel: see *Why no wake is lost*, above.
        self.parts.swap(0, ordering!(AcqRel, "woken: take parts"))
    }

    fn wake(&self, part: usize) {
        // AcqRel: see *Why no wake is lost*, above.
        let woken = self.parts.fetch_or(1 << part, ordering!(AcqRel, "woken: part"));
        // SAFETY: *Bits are a place in the list*: we have set the first.
        if woken == 0 && unsafe { self.hub.push(self) } {
            self.hub.whole.take().into_iter().for_each(|whole| whole.wake_by_ref());
        }
    }
}

/// The waker of a part, with the share that `block` is.
pub(super) fn waker(block: &Arc<Block>, part: usize) -> ManuallyDrop<Waker> {
    let raw = raw_waker(Arc::as_ptr(block), part);
    // SAFETY: *A waker is a share*: it has that of `block`, and it is not dropped.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
}

/// One `static`, whose address tells a part's waker from others.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_share);

/// If `waker` wakes a part: the budget of the task that polls the whole.
pub(crate) fn budget_of(waker: &Waker) -> Option<&'static TaskBudget> {
    if !ptr::eq(waker.vtable(), &VTABLE) {
        return None;
    }
    let (block, _) = parts_of(waker.data());
    // SAFETY: *A waker is a share*: so the block is there, for as long as the waker is borrowed.
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
    // SAFETY: *A waker is a share*: the block is there, and the clone has a share of its own.
    unsafe { Arc::increment_strong_count(block) };
    raw_waker(block, part)
}

unsafe fn wake(data: *const ()) {
    let (block, part) = parts_of(data);
    // SAFETY: *A waker is a share*: it becomes ours, and is given up even if the wake unwinds.
    let block = unsafe { Arc::from_raw(block) };
    block.wake(part);
}

unsafe fn wake_by_ref(data: *const ()) {
    let (block, part) = parts_of(data);
    // SAFETY: *A waker is a share*: so the block is there, for as long as the waker is borrowed.
    unsafe { &*block }.wake(part);
}

unsafe fn drop_share(data: *const ()) {
    let (block, _) = parts_of(data);
    // SAFETY: *A waker is a share*: this is its end.
    unsafe { Arc::decrement_strong_count(block) };
}

/// Where the waker of a whole lies until it is taken.
pub(super) struct Place(AtomicPtr<Waker>);

impl Place {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Leaves `waker` in the place of the former one.
    pub(super) fn put(&self, waker: &Arc<Waker>) {
        let share = Arc::into_raw(Arc::clone(waker)).cast_mut();
        // AcqRel: see *Why no wake is lost*, above.
        let former = self.0.swap(share, ordering!(AcqRel, "whole: put"));
        // SAFETY: *The place is a share*: it was swapped out.
        drop(unsafe { share_of(former) });
    }

    /// Takes the waker. `None` if it was taken since it was put, or its owner has gone.
    pub(super) fn take(&self) -> Option<Arc<Waker>> {
        // AcqRel: see *Why no wake is lost*, above.
        let taken = self.0.swap(ptr::null_mut(), ordering!(AcqRel, "whole: take"));
        // SAFETY: *The place is a share*: it was swapped out.
        unsafe { share_of(taken) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// # Safety
/// *The place is a share*: the pointer was swapped out of it just now.
unsafe fn share_of(waker: *mut Waker) -> Option<Arc<Waker>> {
    // SAFETY: the caller's promise.
    (!waker.is_null()).then(|| unsafe { Arc::from_raw(waker) })
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
