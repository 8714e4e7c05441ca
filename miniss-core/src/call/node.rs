//! A node: one call, there and back; and what nodes are kept in on the way.
//!
//! Invariants: see [`super`].

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::{self, ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::task::Waker;

use super::home::HomeRef;
use super::memory;
use crate::defer::to_the_end;
use crate::error::CallError;

/// What the caller knows of its call. Belongs to the caller's corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Not back yet.
    Away,
    /// Back, with an output.
    Done,
    /// Back without one.
    Failed(CallError),
}

/// What a node that travels has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// The closure, to be run.
    Work,
    /// The output.
    Output,
    /// Nothing: the closure was dropped, or its future was.
    Nothing,
    /// Nothing: the closure went into a task that has not begun.
    Unstarted,
    /// Nothing: there was no room for that task.
    NoRoom,
}

/// What is known of a call's types once they have been erased.
pub(super) struct CallVtable {
    /// Takes the work out of the node and runs it here, or starts it as a task.
    /// The reference is to the exchange of the core that runs it.
    pub(super) run: unsafe fn(Held, &HomeRef),
    /// Drops the work in place.
    pub(super) drop_work: unsafe fn(NonNull<Node>),
    /// Moves the output to where the pointer says.
    pub(super) read_output: unsafe fn(NonNull<Node>, *mut ()),
    /// Drops the output in place.
    pub(super) drop_output: unsafe fn(NonNull<Node>),
    pub(super) layout: Layout,
}

/// The part of a node that does not depend on its types. It and the smallest bodies share a line.
#[repr(C)]
pub(super) struct Node {
    /// The next in an outbox or a chain.
    pub(super) next: Cell<*mut Node>,
    pub(super) vtable: Cell<&'static CallVtable>,
    pub(super) cargo: Cell<Cargo>,
    pub(super) outcome: Cell<Outcome>,
    pub(super) abandoned: Cell<bool>,
    /// Whether it stands in the list of the calls that strangers await.
    pub(super) is_listed: Cell<bool>,
    /// The caller's place in the mesh.
    pub(super) from: u32,
    pub(super) waker: Cell<Option<Waker>>,
    /// Its neighbours in that list.
    pub(super) before: Cell<*mut Node>,
    pub(super) after: Cell<*mut Node>,
}

/// A node with its body: the work on the way there, the output on the way back.
#[repr(C)]
pub(super) struct Typed<W, T> {
    pub(super) node: Node,
    body: Body<W, T>,
}

#[repr(C)]
union Body<W, T> {
    work: ManuallyDrop<W>,
    output: ManuallyDrop<T>,
}

impl<W, T> Typed<W, T> {
    pub(super) const LAYOUT: Layout = Layout::new::<Self>();

    /// Writes a call into fresh or recycled memory.
    ///
    /// # Safety
    /// The memory has this type's layout and is the caller's alone.
    pub(super) unsafe fn write(
        memory: NonNull<u8>,
        work: W,
        from: u32,
        vtable: &'static CallVtable,
    ) -> Held {
        let node = Node {
            next: Cell::new(ptr::null_mut()),
            vtable: Cell::new(vtable),
            cargo: Cell::new(Cargo::Work),
            outcome: Cell::new(Outcome::Away),
            abandoned: Cell::new(false),
            is_listed: Cell::new(false),
            from,
            waker: Cell::new(None),
            before: Cell::new(ptr::null_mut()),
            after: Cell::new(ptr::null_mut()),
        };
        let typed = Self { node, body: Body { work: ManuallyDrop::new(work) } };
        // SAFETY: the caller's promise.
        unsafe { memory.cast::<Self>().write(typed) };
        Held(memory.cast())
    }

    /// # Safety
    /// *One holder*: the caller, and the cargo is the work of this very type.
    pub(super) unsafe fn take_work(held: &Held) -> W {
        held.node().cargo.set(Cargo::Nothing);
        let typed = held.0.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise; the cargo says that it is gone now.
        unsafe { ManuallyDrop::take(&mut (*typed).body.work) }
    }

    /// # Safety
    /// *One holder*: the caller, and there is no cargo.
    pub(super) unsafe fn put_output(held: &Held, output: T) {
        let typed = held.0.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        unsafe { (&raw mut (*typed).body.output).write(ManuallyDrop::new(output)) };
        held.node().cargo.set(Cargo::Output);
    }

    /// # Safety
    /// *One holder*: the caller, and the cargo is the work, which is not touched again.
    pub(super) unsafe fn drop_work(node: NonNull<Node>) {
        let typed = node.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut (*typed).body.work) };
    }

    /// # Safety
    /// *One holder*: the caller, and the cargo is the output, which is not touched again; `to` is
    /// valid for a write of a `T`.
    pub(super) unsafe fn read_output(node: NonNull<Node>, to: *mut ()) {
        let typed = node.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        let output = unsafe { ManuallyDrop::take(&mut (*typed).body.output) };
        // SAFETY: the caller's promise.
        unsafe { to.cast::<T>().write(output) };
    }

    /// # Safety
    /// *One holder*: the caller, and the cargo is the output, which is not touched again.
    pub(super) unsafe fn drop_output(node: NonNull<Node>) {
        let typed = node.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut (*typed).body.output) };
    }
}

/// A node in the hands of its one holder.
pub(super) struct Held(pub(super) NonNull<Node>);

impl Held {
    pub(super) fn node(&self) -> &Node {
        // SAFETY: *One holder*: it is us, and only the caller's corner, which consists of cells
        // that we leave alone, is touched by another core.
        unsafe { self.0.as_ref() }
    }

    /// Drops the closure or the output, whichever is in it.
    pub(super) fn drop_cargo(&self) {
        let vtable = self.node().vtable.get();
        match self.node().cargo.replace(Cargo::Nothing) {
            // SAFETY: *One holder*: it is us, and the cargo says what is there.
            Cargo::Work => unsafe { (vtable.drop_work)(self.0) },
            // SAFETY: as above.
            Cargo::Output => unsafe { (vtable.drop_output)(self.0) },
            Cargo::Nothing | Cargo::Unstarted | Cargo::NoRoom => {}
        }
    }

    /// Gives up the node: cargo, waker, and, even if these unwind, memory.
    pub(super) fn destroy(self) {
        struct Freed(Held);
        impl Drop for Freed {
            fn drop(&mut self) {
                let layout = self.0.node().vtable.get().layout;
                // SAFETY: *Home again*: no one else knows the node any more.
                unsafe { memory::free(self.0.0.cast(), layout) };
            }
        }
        let freed = Freed(self);
        let _waker = freed.0.node().waker.take();
        freed.0.drop_cargo();
    }
}

/// One call on its way to another core, or back: what a lane carries.
///
/// Dropping a parcel drops the call's closure or output.
///
/// See [`Queue`](super::Queue) for an example.
#[derive(Debug)]
pub struct Parcel(NonNull<Node>);

// SAFETY: *One holder*: the parcel holds its node, and the cargo may cross threads, which
// `Endpoint::submit_to` demands of the closure and the output.
unsafe impl Send for Parcel {}

impl Parcel {
    /// # Safety
    /// *One holder*: the caller, who lets go of the node.
    pub(super) unsafe fn new(node: NonNull<Node>) -> Self {
        Self(node)
    }

    pub(super) fn from_held(held: Held) -> Self {
        Self(held.0)
    }

    pub(super) fn into_held(self) -> Held {
        Held(self.into_node())
    }

    /// The node, which the caller holds now.
    pub(super) fn into_node(self) -> NonNull<Node> {
        let node = self.0;
        mem::forget(self);
        node
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        Held(self.0).destroy();
    }
}

/// Nodes in the hands of their one holder, linked. Dropping it destroys those that are left.
pub(super) struct Chain {
    next: *mut Node,
}

impl Chain {
    pub(super) fn new(head: NonNull<Node>) -> Self {
        Self { next: head.as_ptr() }
    }
}

impl Iterator for Chain {
    type Item = Held;

    fn next(&mut self) -> Option<Held> {
        let held = Held(NonNull::new(self.next)?);
        self.next = held.node().next.replace(ptr::null_mut());
        Some(held)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        to_the_end(|| self.next().map(Held::destroy).is_some());
    }
}

/// A list of nodes with both ends known. Dropping it does not drop them: some may be waited for.
pub(super) struct Outbox {
    head: Cell<*mut Node>,
    tail: Cell<*mut Node>,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self { head: Cell::new(ptr::null_mut()), tail: Cell::new(ptr::null_mut()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// Puts a node at the back.
    pub(super) fn push(&self, held: Held) {
        let node = held.0.as_ptr();
        held.node().next.set(ptr::null_mut());
        let tail = self.tail.replace(node);
        if self.is_empty() {
            self.head.set(node);
        } else {
            // SAFETY: *One holder*: the outbox holds what is in it, and it is not empty.
            unsafe { (*tail).next.set(node) };
        }
    }

    /// Puts a node at the front.
    pub(super) fn put_back(&self, held: Held) {
        if self.is_empty() {
            return self.push(held);
        }
        held.node().next.set(self.head.replace(held.0.as_ptr()));
    }

    /// Takes the node at the front.
    pub(super) fn pop(&self) -> Option<Held> {
        let held = Held(NonNull::new(self.head.get())?);
        self.head.set(held.node().next.replace(ptr::null_mut()));
        Some(held)
    }

    /// Takes everything as one chain.
    pub(super) fn take(&self) -> Option<Chain> {
        let head = NonNull::new(self.head.replace(ptr::null_mut()))?;
        Some(Chain::new(head))
    }
}

/// Reads the output of a node that has come back.
pub(super) fn take_output<T>(held: &Held) -> Option<T> {
    if held.node().cargo.get() != Cargo::Output {
        return None;
    }
    held.node().cargo.set(Cargo::Nothing);
    let mut output = MaybeUninit::<T>::uninit();
    let read = held.node().vtable.get().read_output;
    // SAFETY: the cargo was the output, which is ours now, of the type that `Call<T>` was made for.
    unsafe { read(held.0, output.as_mut_ptr().cast()) };
    // SAFETY: written by the line above.
    Some(unsafe { output.assume_init() })
}
