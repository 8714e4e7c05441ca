//! Candidate: the waker points to a header that counts its holders, with biased counts.
//!
//! `completion ─▶ [waker] ─▶ run queue ─▶ executor ─▶ task`
//!
//! The owner counts in a plain cell, all others in an atomic, which may go below zero. When the
//! task ends, the owner adds its count to the atomic and from then on counts there too. The thread
//! that brings the sum to zero frees the header. A foreign wake of a shard that is gone leaks the
//! header: a model may.
//!
//! Invariants: **Counted** (a header lives while the sum of both counts is not zero, or the task
//! has not ended), **Owner only** (plain cells are touched by the thread whose `HERE` is the owner)
//! and **Shards are forever** (leaked).

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering, fence};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::Design;

/// Set in `foreign` once the owner has added its count; the count itself is in the bits above.
const MERGED: i32 = 1;
const ONE: i32 = 2;

thread_local! {
    static HERE: Cell<*const Shard> = const { Cell::new(ptr::null()) };
}

/// What is left of an executor for wakers to reach.
#[derive(Debug)]
struct Shard {
    inbox: AtomicPtr<Header>,
    is_asleep: AtomicBool,
    head: Cell<*const Header>,
    tail: Cell<*const Header>,
}

/// A parked task beside its future.
#[repr(align(64))]
#[derive(Debug)]
struct Header {
    owner: &'static Shard,
    next: Cell<*const Header>,
    inbox_next: AtomicPtr<Header>,
    foreign: AtomicI32,
    /// Holders that the owner counted, the task itself among them; below zero where others brought
    /// more.
    counted_by_owner: Cell<i32>,
    is_merged: Cell<bool>,
    is_queued: Cell<bool>,
    in_inbox: AtomicBool,
    /// Space that a whole task needs and this model does not use: vtable and joiner.
    _rest: [usize; 3],
}

impl Header {
    #[inline]
    fn is_local(&self) -> bool {
        ptr::eq(HERE.get(), self.owner)
    }

    /// Its owner, and the owner still counts by itself.
    #[inline]
    fn is_biased(&self) -> bool {
        self.is_local() && !self.is_merged.get()
    }

    #[inline]
    fn hold(&self) {
        if self.is_biased() {
            self.counted_by_owner.set(self.counted_by_owner.get() + 1);
        } else {
            self.foreign.fetch_add(ONE, Ordering::Relaxed);
        }
    }

    fn merge(&self) -> i32 {
        self.is_merged.set(true);
        let count = self.counted_by_owner.get() * ONE + MERGED;
        self.foreign.fetch_add(count, Ordering::AcqRel) + count
    }
}

/// # Safety
/// *Counted*: the caller gives up a hold of its own.
#[inline]
unsafe fn let_go(header: NonNull<Header>) {
    // SAFETY: *Counted*.
    let this = unsafe { header.as_ref() };
    if this.is_biased() {
        this.counted_by_owner.set(this.counted_by_owner.get() - 1);
    } else if this.foreign.fetch_sub(ONE, Ordering::AcqRel) == ONE + MERGED {
        // SAFETY: *Counted*: ours was the last hold; all headers come from a `Box`.
        drop(unsafe { Box::from_raw(header.as_ptr()) });
    }
}

impl Shard {
    #[inline]
    fn wake_local(&self, header: &Header) {
        if header.is_queued.replace(true) {
            return;
        }
        header.next.set(ptr::null());
        // SAFETY: *Counted*: what is queued is a task that has not ended.
        match unsafe { self.tail.replace(header).as_ref() } {
            Some(tail) => tail.next.set(header),
            None => self.head.set(header),
        }
    }

    #[cold]
    fn wake_remote(&self, header: &Header) {
        if header.in_inbox.swap(true, Ordering::AcqRel) {
            return;
        }
        // The inbox holds it too, for its task may end meanwhile.
        header.hold();
        let this = ptr::from_ref(header).cast_mut();
        let mut head = self.inbox.load(Ordering::Relaxed);
        loop {
            header.inbox_next.store(head, Ordering::Relaxed);
            let (success, failure) = (Ordering::Release, Ordering::Relaxed);
            match self.inbox.compare_exchange_weak(head, this, success, failure) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.is_asleep.swap(false, Ordering::AcqRel);
        }
    }

    /// Owner only.
    fn take_in(&self) {
        if self.inbox.load(Ordering::Relaxed).is_null() {
            return;
        }
        let mut next = self.inbox.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(header) = NonNull::new(next) {
            // SAFETY: *Counted*: the inbox holds it.
            let this = unsafe { header.as_ref() };
            next = this.inbox_next.load(Ordering::Relaxed);
            this.in_inbox.swap(false, Ordering::AcqRel);
            if !this.is_merged.get() {
                self.wake_local(this);
            }
            // SAFETY: the inbox's hold, which is ours now.
            unsafe { let_go(header) };
        }
    }

    /// Owner only.
    fn run(&self) -> usize {
        let mut ran = 0;
        // SAFETY: *Counted*: what is queued is a task that has not ended.
        while let Some(header) = unsafe { self.head.get().as_ref() } {
            self.head.set(header.next.get());
            if header.next.get().is_null() {
                self.tail.set(ptr::null());
            }
            header.is_queued.set(false);
            ran += 1;
        }
        ran
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

/// The header that a waker points to.
///
/// # Safety
/// `data` is the data of a waker of ours, which holds the header meanwhile.
unsafe fn header<'a>(data: *const ()) -> &'a Header {
    // SAFETY: *Counted*.
    unsafe { &*data.cast::<Header>() }
}

/// # Safety
/// As for [`header`].
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called by a waker.
    unsafe { header(data) }.hold();
    RawWaker::new(data, &VTABLE)
}

/// # Safety
/// As for [`header`].
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called by a waker.
    let header = unsafe { header(data) };
    match header.is_local() {
        true if header.is_merged.get() => {}
        true => header.owner.wake_local(header),
        false => header.owner.wake_remote(header),
    }
}

/// # Safety
/// As for [`header`].
unsafe fn wake(data: *const ()) {
    // SAFETY: passed on.
    unsafe { wake_by_ref(data) };
    // SAFETY: `wake` takes the waker, and its hold with it.
    unsafe { release(data) };
}

/// # Safety
/// As for [`header`].
unsafe fn release(data: *const ()) {
    // SAFETY: the data of our wakers is a header's address, never null.
    let header = unsafe { NonNull::new_unchecked(data.cast_mut().cast()) };
    // SAFETY: *Counted*; the waker's hold ends here.
    unsafe { let_go(header) };
}

/// An executor whose wakers count.
#[derive(Debug)]
pub struct Counted {
    shard: &'static Shard,
    tasks: Vec<NonNull<Header>>,
    wakers: Vec<Waker>,
}

impl Design for Counted {
    const NAME: &'static str = "biased counts";
    const TASK_BYTES: usize = size_of::<Header>();

    fn new(tasks: usize) -> Self {
        let shard: &'static Shard = Box::leak(Box::new(Shard {
            inbox: AtomicPtr::new(ptr::null_mut()),
            is_asleep: AtomicBool::new(false),
            head: Cell::new(ptr::null()),
            tail: Cell::new(ptr::null()),
        }));
        HERE.set(shard);
        let tasks: Vec<_> = (0..tasks).map(|_| new_task(shard)).collect();
        // SAFETY: the header was just made, and `hold` counts this waker.
        let waker = |task: &NonNull<Header>| unsafe {
            task.as_ref().hold();
            Waker::new(task.as_ptr().cast_const().cast(), &VTABLE)
        };
        let wakers = tasks.iter().map(waker).collect();
        Self { shard, tasks, wakers }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn know_local(&self, yes: bool) {
        HERE.set(if yes { self.shard } else { ptr::null() });
    }

    fn turn(&mut self) -> usize {
        // As for `know_local`: the way in is not what it switches.
        let knew = HERE.replace(self.shard);
        self.shard.take_in();
        let ran = self.shard.run();
        HERE.set(knew);
        ran
    }
}

impl Drop for Counted {
    /// Ends all tasks: the owner's counts become everyone's.
    fn drop(&mut self) {
        HERE.set(self.shard);
        self.turn();
        for &task in &self.tasks {
            // SAFETY: *Counted*: the task has not ended.
            unsafe { task.as_ref() }.merge();
            // SAFETY: the task's own hold.
            unsafe { let_go(task) };
        }
        HERE.set(ptr::null());
    }
}

fn new_task(owner: &'static Shard) -> NonNull<Header> {
    NonNull::from(Box::leak(Box::new(Header {
        owner,
        next: Cell::new(ptr::null()),
        inbox_next: AtomicPtr::new(ptr::null_mut()),
        foreign: AtomicI32::new(0),
        counted_by_owner: Cell::new(1),
        is_merged: Cell::new(false),
        is_queued: Cell::new(false),
        in_inbox: AtomicBool::new(false),
        _rest: [0; 3],
    })))
}
