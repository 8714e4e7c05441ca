//! Candidate: the waker is a number, shard, slot and generation, and points nowhere.
//!
//! `completion ─▶ [waker] ─▶ run queue ─▶ executor ─▶ task`
//!
//! Locally: the shard is compared with a thread-local, the slot looked up in a table of chunks, the
//! generation compared. Remotely: the slot's bit is set in a bitmap of the shard, and the word's
//! in a summary.
//!
//! Invariants: **Shards are forever** (leaked, so bitmap and table stay valid) and **Owner only**
//! (the cells of a shard are touched by the one thread whose `HERE` is this shard).

use std::array;
use std::cell::{Cell, UnsafeCell};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::Design;

const SHARDS: usize = 1024;
const CHUNK: usize = 256;
const CHUNKS: usize = 16;
const WORDS: usize = CHUNK * CHUNKS / 64;
/// "No slot" in a link.
const NONE: u32 = u32::MAX;

thread_local! {
    static HERE: Cell<*const Shard> = const { Cell::new(ptr::null()) };
}

static TABLE: [AtomicPtr<Shard>; SHARDS] = [const { AtomicPtr::new(ptr::null_mut()) }; SHARDS];
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

/// A parked task beside its future.
#[repr(align(64))]
struct Slot {
    generation: Cell<u32>,
    next: Cell<u32>,
    is_queued: Cell<bool>,
    /// Space that a whole task needs and this model does not use: vtable and joiner.
    _rest: [usize; 3],
}

type Chunk = [Slot; CHUNK];

struct Shard {
    id: usize,
    /// A bit for each word of `woken` that may have one.
    summary: AtomicU64,
    woken: [AtomicU64; WORDS],
    is_asleep: AtomicBool,
    chunks: UnsafeCell<Vec<Box<Chunk>>>,
    head: Cell<u32>,
    tail: Cell<u32>,
}

impl Shard {
    /// # Safety
    /// *Owner only*, and the slot was allocated.
    #[inline]
    unsafe fn slot(&self, slot: u32) -> &Slot {
        // SAFETY: the chunks do not change after `new`.
        unsafe { &(&*self.chunks.get())[slot as usize / CHUNK][slot as usize % CHUNK] }
    }

    /// # Safety
    /// As for [`slot`](Self::slot).
    #[inline]
    unsafe fn wake_local(&self, index: u32, generation: u32) {
        // SAFETY: *Owner only*, passed on.
        let slot = unsafe { self.slot(index) };
        if slot.generation.get() != generation || slot.is_queued.replace(true) {
            return;
        }
        slot.next.set(NONE);
        match self.tail.replace(index) {
            NONE => self.head.set(index),
            // SAFETY: as above.
            tail => unsafe { self.slot(tail) }.next.set(index),
        }
    }

    #[cold]
    fn wake_remote(&self, index: u32) {
        let (word, bit) = (index as usize / 64, index % 64);
        if self.woken[word].fetch_or(1 << bit, Ordering::AcqRel) != 0 {
            return;
        }
        self.summary.fetch_or(1 << word, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.is_asleep.swap(false, Ordering::AcqRel);
        }
    }

    /// # Safety
    /// *Owner only*.
    unsafe fn take_in(&self) {
        if self.summary.load(Ordering::Relaxed) == 0 {
            return;
        }
        for word in bits(self.summary.swap(0, Ordering::AcqRel)) {
            for bit in bits(self.woken[word as usize].swap(0, Ordering::AcqRel)) {
                let index = word * 64 + bit;
                // SAFETY: *Owner only*; only allocated slots have wakers.
                unsafe { self.wake_local(index, self.slot(index).generation.get()) };
            }
        }
    }

    /// # Safety
    /// *Owner only*.
    unsafe fn run(&self) -> usize {
        let mut ran = 0;
        while self.head.get() != NONE {
            // SAFETY: passed on; a queued slot was allocated.
            let slot = unsafe { self.slot(self.head.get()) };
            self.head.set(slot.next.get());
            if slot.next.get() == NONE {
                self.tail.set(NONE);
            }
            slot.is_queued.set(false);
            ran += 1;
        }
        ran
    }
}

fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}

/// Generation, slot and shard in one word: 24, 24 and 16 bits.
fn pack(shard: usize, slot: u32, generation: u32) -> *const () {
    ptr::without_provenance(shard | (slot as usize) << 16 | (generation as usize) << 40)
}

static VTABLE: RawWakerVTable =
    RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| {});

fn wake(data: *const ()) {
    let word = data.addr();
    let (id, slot) = (word & 0xffff, (word >> 16) as u32 & 0xff_ffff);
    let owner = HERE.get();
    // SAFETY: *Shards are forever*.
    match unsafe { owner.as_ref() } {
        // SAFETY: *Owner only* by the thread-local; the id came from `pack`.
        Some(owner) if owner.id == id => unsafe { owner.wake_local(slot, (word >> 40) as u32) },
        // SAFETY: *Shards are forever*, and the id came from `pack`.
        _ => unsafe { &*TABLE[id].load(Ordering::Acquire) }.wake_remote(slot),
    }
}

/// An executor whose wakers are numbers.
#[derive(Debug)]
pub struct Ids {
    shard: *const Shard,
    wakers: Vec<Waker>,
}

impl Ids {
    fn shard(&self) -> &'static Shard {
        // SAFETY: *Shards are forever*.
        unsafe { &*self.shard }
    }
}

impl Design for Ids {
    const NAME: &'static str = "ids";
    const TASK_BYTES: usize = size_of::<Slot>();

    fn new(tasks: usize) -> Self {
        assert!(tasks <= CHUNK * CHUNKS);
        // A few numbers serve for all measurements: those that are used again are of shards that
        // are gone.
        let id = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let chunks = (0..tasks.div_ceil(CHUNK)).map(|_| Box::new(array::from_fn(|_| new_slot())));
        let shard: &'static Shard = Box::leak(Box::new(Shard {
            id,
            summary: AtomicU64::new(0),
            woken: [const { AtomicU64::new(0) }; WORDS],
            is_asleep: AtomicBool::new(false),
            chunks: UnsafeCell::new(chunks.collect()),
            head: Cell::new(NONE),
            tail: Cell::new(NONE),
        }));
        TABLE[id].store(ptr::from_ref(shard).cast_mut(), Ordering::Release);
        HERE.set(shard);
        // SAFETY: the vtable takes every word that `pack` made.
        let waker = |slot| unsafe { Waker::new(pack(id, slot as u32, 1), &VTABLE) };
        Self { shard, wakers: (0..tasks).map(waker).collect() }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn know_local(&self, yes: bool) {
        HERE.set(if yes { self.shard } else { ptr::null() });
    }

    fn turn(&mut self) -> usize {
        // SAFETY: *Owner only*: a design does not leave its thread.
        unsafe { self.shard().take_in() };
        // SAFETY: as above.
        unsafe { self.shard().run() }
    }
}

impl Drop for Ids {
    fn drop(&mut self) {
        HERE.set(ptr::null());
    }
}

fn new_slot() -> Slot {
    Slot {
        generation: Cell::new(1),
        next: Cell::new(NONE),
        is_queued: Cell::new(false),
        _rest: [0; 3],
    }
}
