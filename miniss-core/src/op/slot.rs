//! One slot: an operation in flight, what is known of its outcome, and the completions that wait to
//! be collected.
//!
//! Invariants: see [`super`]. *No one else inside* is upheld here: while code of an operation runs,
//! [`Slot::enter`] hides the vtable, so code that comes again through the table panics instead of
//! borrowing the payload twice.
//!
//! Completions of multishot operations wait in nodes. One pool of nodes serves all slots of a
//! table: an idle slot holds none, and a busy one allocates nothing once the pool has as many as
//! were ever needed at once.

use core::any::TypeId;
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::mem::MaybeUninit;
use core::task::Waker;

use super::blocks::Blocks;
use super::operation::{Completion, Operation};
use super::pool::{Element, NONE, Pool};
use crate::defer::defer;

/// Payloads up to this size live in their slot; larger ones in a block, if there is a heap.
pub(super) const PAYLOAD_BYTES: usize = 64;

/// The memory of a payload.
#[repr(C, align(16))]
pub(super) struct Payload([MaybeUninit<u8>; PAYLOAD_BYTES]);

/// The code of an operation, where its type is not known any more.
pub(super) struct OpVtable {
    pub(super) type_id: fn() -> TypeId,
    pub(super) settle_orphan: unsafe fn(*mut Payload, Completion, &Blocks),
    pub(super) orphan_part: unsafe fn(*mut Payload, Completion),
    pub(super) refuse_part: unsafe fn(*mut Payload, Completion),
    pub(super) wants_cancel_after: unsafe fn(*mut Payload, Completion, u32) -> bool,
    pub(super) ended: unsafe fn(*mut Payload),
    pub(super) describe: unsafe fn(*mut Payload, &mut fmt::Formatter<'_>) -> fmt::Result,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Free,
    InFlight,
    /// In flight, and to be told of its end.
    Listening,
    /// In flight, but a part found no room: no more parts are kept.
    Overflowed,
    /// Both.
    OverflowedListening,
    /// In flight, and its key is gone.
    Orphan,
    /// The terminal completion is here; the key has not collected it yet.
    Done,
}

/// One operation, or none.
#[repr(C, align(64))]
pub struct Slot {
    pub(super) stage: Cell<Stage>,
    /// Stands in the cancel list.
    pub(super) cancel_wanted: Cell<bool>,
    pub(super) generation: Cell<u32>,
    /// Link in the free list or in the cancel list, never both: a free slot wants no cancel.
    pub(super) next: Cell<u32>,
    pub(super) completion: Cell<Completion>,
    /// Completions of a multishot operation that wait to be collected.
    pub(super) parts: Parts,
    /// Hidden while code of the operation runs. A free slot has none.
    pub(super) vtable: Cell<Option<&'static OpVtable>>,
    /// Only an operation in flight has one.
    pub(super) waker: Cell<Option<Waker>>,
    pub(super) payload: UnsafeCell<Payload>,
}

const _: () = assert!(size_of::<Slot>() == 128, "documented at `FixedOps`");

impl Element for Slot {
    fn free() -> Self {
        Self {
            stage: Cell::new(Stage::Free),
            cancel_wanted: Cell::new(false),
            generation: Cell::new(0),
            next: Cell::new(NONE),
            completion: Cell::new(Completion { result: 0, flags: 0 }),
            parts: Parts::new(),
            vtable: Cell::new(None),
            waker: Cell::new(None),
            payload: UnsafeCell::new(Payload([MaybeUninit::uninit(); PAYLOAD_BYTES])),
        }
    }

    fn next(&self) -> &Cell<u32> {
        &self.next
    }
}

impl Slot {
    /// The vtable of the operation in the slot. Panics if code of the operation runs just now.
    #[track_caller]
    pub(super) fn vtable(&self) -> &'static OpVtable {
        self.vtable.get().expect("an operation must not be touched from inside of it")
    }

    /// Panics if code of the operation runs just now.
    #[track_caller]
    pub(super) fn assert_no_one_inside(&self) {
        self.vtable();
    }

    /// Keeps `waker` unless it is known already. This runs foreign code: afterwards the operation
    /// may be done, or another may be in the slot, which then keeps its own waker.
    #[inline(always)]
    pub(super) fn register(&self, waker: &Waker) {
        let known = self.waker.take();
        match known {
            Some(known) if known.will_wake(waker) => self.waker.set(Some(known)),
            former => {
                let generation = self.generation.get();
                let waker = waker.clone();
                drop(former);
                // One that is done keeps none, for no one would take it out again.
                let waits = self.stage.get() != Stage::Done;
                if waits && self.generation.get() == generation {
                    drop(self.waker.replace(Some(waker)));
                }
            }
        }
    }

    /// Runs code of the operation, which gets its vtable; meanwhile the slot hides it.
    ///
    /// # Panics
    /// If code of the operation runs already.
    #[inline]
    #[track_caller]
    pub(super) fn enter<R>(&self, f: impl FnOnce(&'static OpVtable) -> R) -> R {
        let vtable = self.vtable();
        self.vtable.set(None);
        let _shown_again = defer(|| self.vtable.set(Some(vtable)));
        f(vtable)
    }

    /// Gives the operation a completion that no one will collect.
    pub(super) fn orphan_part(&self, completion: Completion) {
        // SAFETY: the slot is in use, so it holds the operation of its vtable. *No one else
        // inside*: the vtable was there, and is hidden now.
        self.enter(|vtable| unsafe { (vtable.orphan_part)(self.payload.get(), completion) });
    }

    /// Gives the operation a completion that there is no room for.
    pub(super) fn refuse_part(&self, completion: Completion) {
        // SAFETY: as in `orphan_part`.
        self.enter(|vtable| unsafe { (vtable.refuse_part)(self.payload.get(), completion) });
    }

    /// Whether the operation would rather be cancelled than receive more.
    pub(super) fn wants_cancel_after(&self, completion: Completion) -> bool {
        let (payload, waiting) = (self.payload.get(), self.parts.len());
        // SAFETY: as in `orphan_part`.
        self.enter(|vtable| unsafe { (vtable.wants_cancel_after)(payload, completion, waiting) })
    }

    /// Tells the operation that its terminal completion is here.
    pub(super) fn ended(&self) {
        // SAFETY: as in `orphan_part`.
        self.enter(|vtable| unsafe { (vtable.ended)(self.payload.get()) });
    }

    /// Has the operation say what it asks for.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: as in `orphan_part`.
        self.enter(|vtable| unsafe { (vtable.describe)(self.payload.get(), f) })
    }

    /// Drops an operation whose terminal completion no one will collect.
    ///
    /// # Safety
    /// *Owned while in flight*: the terminal completion has come, and no one has a key. The blocks
    /// are those of its table.
    pub(super) unsafe fn settle_orphan(&self, completion: Completion, blocks: &Blocks) {
        let payload = self.payload.get();
        // From here on the payload is gone, and code that looks for it finds no vtable.
        // SAFETY: as in `orphan_part`; the rest is the caller's promise.
        self.enter(|vtable| unsafe { (vtable.settle_orphan)(payload, completion, blocks) });
    }
}

/// How operations of type `O` lie in a payload.
pub(super) struct Layout<O>(core::marker::PhantomData<O>);

impl<O: Operation> Layout<O> {
    pub(super) const INLINE: bool =
        size_of::<O>() <= PAYLOAD_BYTES && align_of::<O>() <= align_of::<Payload>();

    pub(super) const VTABLE: &'static OpVtable = &OpVtable {
        type_id: TypeId::of::<O>,
        settle_orphan: settle_orphan::<O>,
        orphan_part: orphan_part::<O>,
        refuse_part: refuse_part::<O>,
        wants_cancel_after: wants_cancel_after::<O>,
        ended: ended::<O>,
        describe: describe::<O>,
    };

    /// Where an operation stands when it begins.
    pub(super) const BEGINS: Stage = if O::HEARS_END { Stage::Listening } else { Stage::InFlight };

    /// Moves `op` in; gives it back if it takes a block and there is no memory for it.
    ///
    /// # Safety
    /// The payload is free, and the caller's alone.
    #[inline]
    pub(super) unsafe fn put(payload: *mut Payload, op: O, blocks: &Blocks) -> Result<(), O> {
        if Self::INLINE {
            // SAFETY: fits by size and alignment; free by the caller's promise.
            unsafe { payload.cast::<O>().write(op) };
        } else {
            let place = blocks.put(op)?;
            // SAFETY: a pointer fits; free by the caller's promise.
            unsafe { payload.cast::<*mut O>().write(place) };
        }
        Ok(())
    }

    /// Where the operation lies. It stays there until it is taken.
    ///
    /// # Safety
    /// The payload holds an `O`.
    pub(super) unsafe fn locate(payload: *mut Payload) -> *mut O {
        if Self::INLINE {
            payload.cast()
        } else {
            // SAFETY: `put` wrote the pointer there.
            unsafe { payload.cast::<*mut O>().read() }
        }
    }

    /// Moves the operation out.
    ///
    /// # Safety
    /// The payload holds an `O`, which is the caller's alone; afterwards it is free. The blocks are
    /// those that it was [put](Self::put) with.
    pub(super) unsafe fn take(payload: *mut Payload, blocks: &Blocks) -> O {
        // SAFETY: the caller's promise.
        let place = unsafe { Self::locate(payload) };
        if Self::INLINE {
            // SAFETY: it lies there, and the caller will not look again.
            unsafe { place.read() }
        } else {
            // SAFETY: `put` has put it there, and no one will look again.
            unsafe { blocks.take(place) }
        }
    }
}

/// # Safety
/// *Owned while in flight*: the terminal completion has come, and the payload holds an `O`. The
/// blocks are those of its table.
unsafe fn settle_orphan<O: Operation>(
    payload: *mut Payload,
    completion: Completion,
    blocks: &Blocks,
) {
    // SAFETY: the caller's promise.
    unsafe { Layout::<O>::take(payload, blocks) }.settle_orphan(completion);
}

/// # Safety
/// The payload holds an `O`. *No one else inside*.
unsafe fn orphan_part<O: Operation>(payload: *mut Payload, completion: Completion) {
    // SAFETY: the caller's promise.
    let op = unsafe { &mut *Layout::<O>::locate(payload) };
    op.orphan_part(completion);
}

/// # Safety
/// The payload holds an `O`. *No one else inside*.
unsafe fn refuse_part<O: Operation>(payload: *mut Payload, completion: Completion) {
    // SAFETY: the caller's promise.
    let op = unsafe { &mut *Layout::<O>::locate(payload) };
    op.refuse_part(completion);
}

/// # Safety
/// The payload holds an `O`. *No one else inside*.
unsafe fn wants_cancel_after<O: Operation>(
    payload: *mut Payload,
    completion: Completion,
    waiting: u32,
) -> bool {
    // SAFETY: the caller's promise.
    let op = unsafe { &mut *Layout::<O>::locate(payload) };
    op.wants_cancel_after(completion, waiting)
}

/// # Safety
/// The payload holds an `O`. *No one else inside*.
unsafe fn ended<O: Operation>(payload: *mut Payload) {
    // SAFETY: the caller's promise.
    unsafe { &mut *Layout::<O>::locate(payload) }.ended();
}

/// # Safety
/// The payload holds an `O`, which is in flight. *No one else inside*.
unsafe fn describe<O: Operation>(payload: *mut Payload, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // SAFETY: the caller's promise.
    let this = unsafe { Layout::<O>::locate(payload) };
    // SAFETY: *Owned while in flight*: it stays there. *No one else inside*: no code of it runs,
    // and no one else has a reference. Nor do we make one, for the kernel may write to it.
    unsafe { O::describe(this, f) }
}

/// A slot's FIFO: head and tail in the pool.
pub(super) struct Parts {
    head: Cell<u32>,
    tail: Cell<u32>,
    len: Cell<u32>,
}

/// One completion in a FIFO, or none.
pub struct Node {
    completion: Cell<Completion>,
    next: Cell<u32>,
}

const _: () = assert!(size_of::<Node>() == 12, "documented at `FixedOps`");

impl Element for Node {
    fn free() -> Self {
        let completion = Completion { result: 0, flags: 0 };
        Self { completion: Cell::new(completion), next: Cell::new(NONE) }
    }

    fn next(&self) -> &Cell<u32> {
        &self.next
    }
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { head: Cell::new(NONE), tail: Cell::new(NONE), len: Cell::new(0) }
    }

    /// Puts a completion at the back, in a node that has just been taken from the pool.
    #[inline]
    pub(super) fn push(&self, pool: &Pool<Node>, (index, node): (u32, &Node), part: Completion) {
        node.completion.set(part);
        self.len.set(self.len.get() + 1);
        match self.tail.replace(index) {
            NONE => self.head.set(index),
            tail => pool.at(tail).expect("listed nodes are in the pool").next.set(index),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        self.len.get()
    }

    /// Takes the completion at the front.
    #[inline]
    pub(super) fn pop(&self, pool: &Pool<Node>) -> Option<Completion> {
        let len = self.len.get().checked_sub(1)?;
        let index = self.head.get();
        let node = pool.at(index).expect("listed nodes are in the pool");
        self.len.set(len);
        let next = node.next.get();
        self.head.set(next);
        if next == NONE {
            self.tail.set(NONE);
        }
        pool.put(index, node);
        Some(node.completion.get())
    }
}
