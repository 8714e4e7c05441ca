//! A node is the memory of one call, there and back. As it travels it is a message, whose body
//! holds first the work and then the output.
//!
//! Invariants: see [`super`].

use core::alloc::Layout;
use core::cell::Cell;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::task::Waker;

use super::call::EndpointRef;
use super::memory;
use crate::defer::{defer, to_the_end};
use crate::error::CallError;

/// So many cores fit the field of a node.
pub(super) const CORES_MAX: usize = 1 << 16;

/// The part of a node that does not depend on its types. It and the smallest bodies share a line.
#[repr(C)]
pub(super) struct Node {
    /// The next in a list of messages.
    pub(super) next: Cell<*mut Node>,
    pub(super) vtable: Cell<&'static CallVtable>,
    pub(super) content: Cell<Content>,
    pub(super) outcome: Cell<Outcome>,
    pub(super) abandoned: Cell<bool>,
    /// Whether it is in the list of the calls that are awaited outside of the caller's executor.
    pub(super) is_listed: Cell<bool>,
    /// The caller's core: below [`CORES_MAX`].
    pub(super) caller: u16,
    /// The index of the caller's scheduling group, in which the work is done.
    pub(super) group: u8,
    pub(super) waker: Cell<Option<Waker>>,
    /// Its neighbours in that list.
    pub(super) before: Cell<*mut Node>,
    pub(super) after: Cell<*mut Node>,
}

/// What the caller knows of its call. *Caller only*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Not back yet.
    Away,
    /// Back, with an output.
    Done,
    /// Back without one.
    Failed(CallError),
}

/// What the body of a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
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
    /// Takes the work out of the message and runs it here, or starts it as a task.
    /// The reference is to the endpoint of the core that runs it.
    pub(super) run: unsafe fn(Message, &EndpointRef),
    /// Drops the work in place.
    pub(super) drop_work: unsafe fn(NonNull<Node>),
    /// Moves the output to where the pointer says.
    pub(super) read_output: unsafe fn(NonNull<Node>, *mut ()),
    /// Drops the output in place.
    pub(super) drop_output: unsafe fn(NonNull<Node>),
    pub(super) layout: Layout,
}

impl CallVtable {
    /// For work of type `W` with an output of type `T`, which `run` runs.
    pub(super) const fn new<W, T>(run: unsafe fn(Message, &EndpointRef)) -> Self {
        Self {
            run,
            drop_work: Typed::<W, T>::drop_work,
            read_output: Typed::<W, T>::read_output,
            drop_output: Typed::<W, T>::drop_output,
            layout: Typed::<W, T>::LAYOUT,
        }
    }
}

/// A node with its body.
#[repr(C)]
pub(super) struct Typed<W, T> {
    node: Node,
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
        (caller, group): (u16, u8),
        vtable: &'static CallVtable,
    ) -> Message {
        let node = Node {
            next: Cell::new(ptr::null_mut()),
            vtable: Cell::new(vtable),
            content: Cell::new(Content::Work),
            outcome: Cell::new(Outcome::Away),
            abandoned: Cell::new(false),
            is_listed: Cell::new(false),
            caller,
            group,
            waker: Cell::new(None),
            before: Cell::new(ptr::null_mut()),
            after: Cell::new(ptr::null_mut()),
        };
        let typed = Self { node, body: Body { work: ManuallyDrop::new(work) } };
        // SAFETY: the caller's promise.
        unsafe { memory.cast::<Self>().write(typed) };
        Message(memory.cast())
    }

    /// # Safety
    /// *One holder*: the caller, and the content is the work, of this very type.
    pub(super) unsafe fn take_work(message: &Message) -> W {
        message.node().content.set(Content::Nothing);
        let typed = message.0.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise. The content says that it is gone now.
        unsafe { ManuallyDrop::take(&mut (*typed).body.work) }
    }

    /// # Safety
    /// *One holder*: the caller, and the body is empty.
    pub(super) unsafe fn put_output(message: &Message, output: T) {
        let typed = message.0.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        unsafe { (&raw mut (*typed).body.output).write(ManuallyDrop::new(output)) };
        message.node().content.set(Content::Output);
    }

    /// # Safety
    /// *One holder*: the caller, and the content is the work, which is not touched again.
    unsafe fn drop_work(node: NonNull<Node>) {
        let typed = node.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut (*typed).body.work) };
    }

    /// # Safety
    /// *One holder*: the caller, and the content is the output, which is not touched again; `to` is
    /// valid for a write of a `T`.
    unsafe fn read_output(node: NonNull<Node>, to: *mut ()) {
        let typed = node.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        let output = unsafe { ManuallyDrop::take(&mut (*typed).body.output) };
        // SAFETY: the caller's promise.
        unsafe { to.cast::<T>().write(output) };
    }

    /// # Safety
    /// *One holder*: the caller, and the content is the output, which is not touched again.
    unsafe fn drop_output(node: NonNull<Node>) {
        let typed = node.cast::<Self>().as_ptr();
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut (*typed).body.output) };
    }
}

/// A node in the hands of its one holder. To drop a message does not free it: its caller may wait.
pub(super) struct Message(pub(super) NonNull<Node>);

impl Message {
    #[inline]
    pub(super) fn node(&self) -> &Node {
        // SAFETY: *One holder*: it is us. Another core touches only what is *Caller only*: cells
        // that we leave alone.
        unsafe { self.0.as_ref() }
    }

    /// Takes the output of a call that has come back, if there is one.
    ///
    /// # Safety
    /// `T` is the type of the call's output.
    #[inline]
    pub(super) unsafe fn take_output<T>(&self) -> Option<T> {
        if self.node().content.get() != Content::Output {
            return None;
        }
        self.node().content.set(Content::Nothing);
        let mut output = MaybeUninit::<T>::uninit();
        let read = self.node().vtable.get().read_output;
        // SAFETY: *One holder*: it is us. The content was the output, of type `T`.
        unsafe { read(self.0, output.as_mut_ptr().cast()) };
        // SAFETY: written by the line above.
        Some(unsafe { output.assume_init() })
    }

    /// Drops the closure or the output, whichever is in it.
    pub(super) fn drop_content(&self) {
        let vtable = self.node().vtable.get();
        match self.node().content.replace(Content::Nothing) {
            // SAFETY: *One holder*: it is us, and the content says what is there.
            Content::Work => unsafe { (vtable.drop_work)(self.0) },
            // SAFETY: as above.
            Content::Output => unsafe { (vtable.drop_output)(self.0) },
            Content::Nothing | Content::Unstarted | Content::NoRoom => {}
        }
    }

    /// Drops content and waker and, even if these unwind, frees the memory.
    pub(super) fn destroy(self) {
        let layout = self.node().vtable.get().layout;
        // SAFETY: *Back to the caller*: no one else knows the node any more.
        let _freed = defer(|| unsafe { memory::free(self.0.cast(), layout) });
        let _waker = self.node().waker.take();
        self.drop_content();
    }
}

/// A queue of messages without a bound: they are linked by their nodes. To drop it does not free
/// them: their callers may wait.
pub(super) struct MessageList {
    head: Cell<*mut Node>,
    tail: Cell<*mut Node>,
}

impl MessageList {
    pub(super) const fn new() -> Self {
        Self { head: Cell::new(ptr::null_mut()), tail: Cell::new(ptr::null_mut()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// Puts a message at the back.
    pub(super) fn push(&self, message: Message) {
        let node = message.0.as_ptr();
        message.node().next.set(ptr::null_mut());
        let tail = self.tail.replace(node);
        if self.is_empty() {
            self.head.set(node);
        } else {
            // SAFETY: *One holder*: the list holds what is in it, and it is not empty.
            unsafe { (*tail).next.set(node) };
        }
    }

    /// Puts a message at the front.
    pub(super) fn put_back(&self, message: Message) {
        if self.is_empty() {
            return self.push(message);
        }
        message.node().next.set(self.head.replace(message.0.as_ptr()));
    }

    /// Takes the message at the front.
    pub(super) fn pop(&self) -> Option<Message> {
        let message = Message(NonNull::new(self.head.get())?);
        self.head.set(message.node().next.replace(ptr::null_mut()));
        Some(message)
    }

    /// Takes all messages.
    pub(super) fn take(&self) -> Chain {
        Chain { next: self.head.replace(ptr::null_mut()) }
    }
}

/// Messages that were taken out of a list. Unlike that, it frees those that are left in it.
pub(super) struct Chain {
    next: *mut Node,
}

impl Chain {
    /// Of a node and those that are linked to it; null: empty.
    ///
    /// # Safety
    /// *One holder*: the caller, who lets go of them.
    pub(super) unsafe fn new(head: *mut Node) -> Self {
        Self { next: head }
    }

    pub(super) const fn empty() -> Self {
        Self { next: ptr::null_mut() }
    }
}

impl Iterator for Chain {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let message = Message(NonNull::new(self.next)?);
        self.next = message.node().next.replace(ptr::null_mut());
        Some(message)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        to_the_end(|| self.next().map(Message::destroy).is_some());
    }
}
