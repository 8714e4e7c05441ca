//! One slot: the payload of an operation in flight, and what is known of its outcome.
//!
//! Invariants: see [`super`].

use core::any::TypeId;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::task::Waker;

use super::boxed::Blocks;
use super::part::Parts;
use super::pool::{Element, NONE};

/// What a driver reports of an operation, in the kernel's own terms.
///
/// See [`Operation`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// The result; below zero it is a negated error number.
    pub result: i32,
    /// Flags that the driver and the operation understand.
    pub flags: u32,
}

/// An operation: what the kernel may touch while it is in flight, and how to read the outcome.
///
/// ```
/// use miniss_core::op::{Completion, Operation};
///
/// struct Read {
///     buffer: Vec<u8>,
/// }
///
/// impl Operation for Read {
///     type Output = (i32, Vec<u8>);
///     fn settle(self, completion: Completion) -> Self::Output {
///         (completion.result, self.buffer)
///     }
/// }
/// ```
pub trait Operation: Sized + 'static {
    /// What the future gives.
    type Output;

    /// Makes the output from the terminal completion.
    ///
    /// See [`Operation`] for an example.
    fn settle(self, completion: Completion) -> Self::Output;

    /// A completion that is not the last one has come; with it, `waiting` of them are to be
    /// collected. `true` asks for a cancel, to stem a flow that no one drinks from.
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// struct Accept;
    ///
    /// impl Operation for Accept {
    ///     type Output = i32;
    ///     fn settle(self, completion: Completion) -> i32 {
    ///         completion.result
    ///     }
    ///     fn wants_cancel_after(&mut self, _connection: Completion, waiting: u32) -> bool {
    ///         waiting == 2
    ///     }
    /// }
    ///
    /// let table = OpTable::new();
    /// let key = table.insert(Accept);
    /// for connection in [5, 6] {
    ///     assert!(!table.wants_cancel());
    ///     table.complete(key.id(), Completion { result: connection, flags: 0 }, true);
    /// }
    /// assert_eq!(table.next_cancel(), Some(key.id()));
    /// # table.complete(key.id(), Completion { result: -125, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    fn wants_cancel_after(&mut self, completion: Completion, waiting: u32) -> bool {
        let _ = (completion, waiting);
        false
    }

    /// The terminal completion came when no one waits any more: let go of what it brought (close a
    /// descriptor, return a buffer). By default the output is made and dropped.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// /// Counts the connections that it had to close.
    /// struct Accept(Rc<Cell<u32>>);
    ///
    /// impl Operation for Accept {
    ///     type Output = i32;
    ///     fn settle(self, completion: Completion) -> i32 {
    ///         completion.result
    ///     }
    ///     fn settle_orphan(mut self, completion: Completion) {
    ///         self.orphan_part(completion);
    ///     }
    ///     fn orphan_part(&mut self, _connection: Completion) {
    ///         self.0.set(self.0.get() + 1);
    ///     }
    /// }
    ///
    /// let closed = Rc::new(Cell::new(0));
    /// let table = OpTable::new();
    /// let key = table.insert(Accept(closed.clone()));
    /// let id = key.id();
    /// table.orphan(key);
    /// table.complete(id, Completion { result: 5, flags: 0 }, true);
    /// table.complete(id, Completion { result: 6, flags: 0 }, false);
    /// assert_eq!(closed.get(), 2);
    /// ```
    fn settle_orphan(self, completion: Completion) {
        drop(self.settle(completion));
    }

    /// A completion that is not the last one came when no one waits any more. Operations
    /// that complete once never see it.
    ///
    /// See [`settle_orphan`](Self::settle_orphan) for an example.
    fn orphan_part(&mut self, completion: Completion) {
        let _ = completion;
    }

    /// A completion that is not the last one came when someone waits, but there is no room to keep
    /// it. The parts before it can still be collected; it and all that follow come here, so that
    /// there is no gap before the end, and a cancel is asked for. By default it is
    /// [`orphan_part`](Self::orphan_part)'s. Whoever must tell this end from another, such as an
    /// operation that is started again after a cancel, notes it here for [`settle`](Self::settle).
    ///
    /// ```
    /// # use core::task::{Context, Poll, Waker};
    /// use miniss_core::op::{Completion, FixedOps, OpTable, Operation, Part};
    ///
    /// /// A flow of bytes; whether some are missing.
    /// struct Receive(bool);
    ///
    /// impl Operation for Receive {
    ///     type Output = bool;
    ///     fn settle(self, _end: Completion) -> bool {
    ///         self.0
    ///     }
    ///     fn refuse_part(&mut self, _bytes: Completion) {
    ///         self.0 = true;
    ///     }
    /// }
    ///
    /// static OPS: FixedOps<1, 2> = FixedOps::new();
    /// let table = OpTable::fixed(&OPS).unwrap();
    /// let key = table.try_insert(Receive(false)).unwrap();
    /// let bytes = |count| Completion { result: count, flags: 0 };
    /// (1..=3).for_each(|count| table.complete(key.id(), bytes(count), true));
    /// assert_eq!((table.next_cancel(), table.parts_refused()), (Some(key.id()), 1));
    /// table.complete(key.id(), bytes(-125), false);
    /// # let cx = &mut Context::from_waker(Waker::noop());
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::More(bytes(1))));
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::More(bytes(2))));
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::End(true)));
    /// ```
    fn refuse_part(&mut self, completion: Completion) {
        self.orphan_part(completion);
    }
}

/// Payloads up to this size live in their slot; larger ones in a block, if there is a heap.
pub(super) const PAYLOAD_BYTES: usize = 64;

/// The memory of a payload.
#[repr(C, align(16))]
pub(super) struct Payload([MaybeUninit<u8>; PAYLOAD_BYTES]);

/// What is known of an operation's type once it has been erased.
pub(super) struct OpVtable {
    pub(super) type_id: fn() -> TypeId,
    pub(super) settle_orphan: unsafe fn(*mut Payload, Completion, &Blocks),
    pub(super) orphan_part: unsafe fn(*mut Payload, Completion),
    pub(super) refuse_part: unsafe fn(*mut Payload, Completion),
    pub(super) wants_cancel_after: unsafe fn(*mut Payload, Completion, u32) -> bool,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Free,
    InFlight,
    /// In flight, but a part found no room: none is kept any more.
    Overflowed,
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
    /// Hidden while code of the operation runs. A free slot has none, nor a waker.
    pub(super) vtable: Cell<Option<&'static OpVtable>>,
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
    /// The vtable of the operation in the slot, which no one is inside of.
    #[track_caller]
    pub(super) fn vtable(&self) -> &'static OpVtable {
        self.vtable.get().expect("an operation must not be touched from inside of it")
    }

    /// Panics if code of the operation runs just now.
    #[track_caller]
    pub(super) fn assert_no_one_inside(&self) {
        self.vtable();
    }

    /// Keeps `waker` unless it is known already. This runs foreign code, after which another
    /// operation may be here; it then keeps its own waker.
    pub(super) fn register(&self, waker: &Waker) {
        let known = self.waker.take();
        match known {
            Some(known) if known.will_wake(waker) => self.waker.set(Some(known)),
            former => {
                let generation = self.generation.get();
                let waker = waker.clone();
                if self.generation.get() == generation {
                    drop(self.waker.replace(Some(waker)));
                }
                drop(former);
            }
        }
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
    };

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
