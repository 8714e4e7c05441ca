//! A slot that holds a task: its header, its future, and the functions that know the future's type.
//!
//! The [`Header`] is the one cache line that queues, wakers and handles point at; the table of who
//! may touch which of its fields stands in [`super`], and so do the invariants. A slot's memory is
//! laid out once as `Header` plus a class of bytes; for the life of one task it is looked at as a
//! [`TaskCell`] of that task's future.

use core::cell::{Cell, UnsafeCell};
use core::future::Future;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};

use super::slots::class_for;
use super::state::State;
use crate::prim::{self, AtomicBool, AtomicU32, Ordering::Relaxed};

/// What is known of a task's type once it has been erased.
#[derive(Debug)]
pub(crate) struct TaskVtable {
    /// Polls the future. On `Ready` the future is gone and the output is in the stage.
    pub(crate) poll: unsafe fn(NonNull<Header>, &Waker) -> Poll<()>,
    /// Drops the future in place.
    pub(crate) drop_future: unsafe fn(NonNull<Header>),
    /// Moves the output to where the pointer says.
    pub(crate) read_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output in place.
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
}

/// Where an executor cell is. What is there, only the executor knows: for a task it is a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellAddress(NonNull<()>);

impl CellAddress {
    pub(crate) const fn new(cell: NonNull<()>) -> Self {
        Self(cell)
    }

    pub(crate) const fn as_ptr(self) -> NonNull<()> {
        self.0
    }
}

/// One line beside each future; on machines of 32 bits ten words.
#[derive(Debug)]
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(align(8)))]
pub(crate) struct Header {
    /// The executor cell that owns the slot.
    pub(crate) executor: CellAddress,
    /// The type of the task in the slot; `None` before the first.
    pub(crate) vtable: Cell<Option<&'static TaskVtable>>,
    /// Link in the run queue while queued, in the free list while free.
    pub(crate) next: Cell<*const Header>,
    /// Link in the inbox of remote wakes.
    pub(crate) inbox_next: prim::UnsafeCell<*mut Header>,
    /// The waker of the task that awaits the `JoinHandle`.
    pub(crate) joiner: UnsafeCell<Option<Waker>>,
    pub(crate) state: State,
    /// Which task of this slot's life this is; tells a late abort from a timely one.
    pub(crate) generation: AtomicU32,
    /// The highest generation whose abort was asked for from another core.
    pub(crate) abort_wanted: AtomicU32,
    pub(crate) in_inbox: AtomicBool,
    /// The size class of the slot.
    pub(crate) class: u8,
    /// The index of the task's scheduling group.
    pub(crate) group: Cell<u8>,
}

#[cfg(all(not(any(loom, shuttle)), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Header>() == 64, "a parked task costs one cache line");
#[cfg(all(not(any(loom, shuttle)), target_pointer_width = "32"))]
const _: () = assert!(size_of::<Header>() == 40, "a parked task costs ten words");

impl Header {
    /// The header of a free slot of the executor cell at `executor`.
    pub(crate) fn new(executor: CellAddress, class: u8) -> Self {
        Self {
            executor,
            vtable: Cell::new(None),
            next: Cell::new(ptr::null()),
            inbox_next: prim::UnsafeCell::new(ptr::null_mut()),
            joiner: UnsafeCell::new(None),
            state: State::free(),
            generation: AtomicU32::new(1),
            abort_wanted: AtomicU32::new(0),
            in_inbox: AtomicBool::new(false),
            class,
            group: Cell::new(0),
        }
    }

    /// The type of the task in the slot.
    pub(crate) fn vtable(&self) -> &'static TaskVtable {
        self.vtable.get().expect("a live slot has a vtable")
    }

    /// Whether a task may be placed here: the slot has none, and its generations are not used up.
    pub(crate) fn is_free(&self) -> bool {
        self.state.is_free() && self.generation.load(Relaxed) != u32::MAX
    }

    /// Whether another core asked to abort this very task.
    #[inline]
    pub(crate) fn abort_is_wanted(&self) -> bool {
        self.abort_wanted.load(Relaxed) == self.generation.load(Relaxed)
    }

    /// Ends the present generation, so that its abort handles no longer mean the slot's next task;
    /// a task without abort handles need not end it. A slot retires (`false`) when its generations
    /// are used up.
    pub(crate) fn next_generation(&self) -> bool {
        let step = if prim::planted("abort: of this very task") { 0 } else { 1 };
        let next = self.generation.load(Relaxed).saturating_add(step);
        self.generation.store(next, Relaxed);
        next != u32::MAX
    }

    /// Takes the waker of the task that awaits the handle.
    ///
    /// # Safety
    /// Owner only.
    pub(crate) unsafe fn take_joiner(&self) -> Option<Waker> {
        // SAFETY: *Owner only*: no one else is inside the cell, and no reference into it
        // outlives this statement.
        unsafe { (*self.joiner.get()).take() }
    }
}

/// The future until it completes, then its output; `state` says which.
#[repr(C)]
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

/// A slot that holds a task of type `F`.
#[repr(C)]
pub(crate) struct TaskCell<F: Future> {
    header: Header,
    stage: Stage<F>,
}

/// The vtable of tasks of type `F`.
struct Vtable<F>(PhantomData<F>);

impl<F: Future> Vtable<F> {
    const TABLE: TaskVtable = TaskVtable {
        poll: poll::<F>,
        drop_future: drop_future::<F>,
        read_output: read_output::<F>,
        drop_output: drop_output::<F>,
    };
}

/// As [`Vtable`], but the output in the stage is a box and is read out of it.
#[cfg(feature = "alloc")]
struct BoxedVtable<F, T>(PhantomData<(F, T)>);

#[cfg(feature = "alloc")]
impl<F: Future<Output = alloc::boxed::Box<T>>, T> BoxedVtable<F, T> {
    const TABLE: TaskVtable =
        TaskVtable { read_output: read_boxed_output::<F, T>, ..Vtable::<F>::TABLE };
}

/// The size class of a task of type `F`; `None`: it must be boxed.
pub(crate) const fn class_of<F: Future>() -> Option<u8> {
    class_for(size_of::<TaskCell<F>>(), align_of::<TaskCell<F>>())
}

/// Writes `future` to a free slot and queues nothing yet.
///
/// # Safety
/// Owner only. The slot is free, large and aligned enough for a `TaskCell<F>`, and what `F`
/// borrows outlives the task.
#[inline]
pub(crate) unsafe fn place<F: Future>(slot: NonNull<Header>, future: F) {
    // SAFETY: the caller's promise.
    unsafe { place_as(slot, future, &Vtable::<F>::TABLE) };
}

/// As [`place`], for a future whose output is too large for a slot: the handle reads a `T`.
///
/// # Safety
/// As for [`place`].
#[cfg(feature = "alloc")]
pub(crate) unsafe fn place_with_boxed_output<F, T>(slot: NonNull<Header>, future: F)
where
    F: Future<Output = alloc::boxed::Box<T>>,
{
    // SAFETY: the caller's promise.
    unsafe { place_as(slot, future, &BoxedVtable::<F, T>::TABLE) };
}

/// # Safety
/// As for [`place`]; the vtable is one for `F`.
#[inline]
unsafe fn place_as<F: Future>(slot: NonNull<Header>, future: F, vtable: &'static TaskVtable) {
    let cell = slot.cast::<TaskCell<F>>().as_ptr();
    // SAFETY: the caller owns the free slot (*Owner only*) and vouches for its size and
    // alignment; a free slot's stage holds nothing that would have to be dropped.
    unsafe { (&raw mut (*cell).stage.future).write(ManuallyDrop::new(future)) };
    // SAFETY: *Headers are forever*.
    let header = unsafe { slot.as_ref() };
    header.vtable.set(Some(vtable));
    header.state.spawn();
}

/// Makes `slot` that of a task of type `F` that has ended without an output.
///
/// # Safety
/// As for [`place`].
pub(crate) unsafe fn place_nothing<F: Future>(slot: NonNull<Header>) {
    // SAFETY: *Headers are forever*.
    let header = unsafe { slot.as_ref() };
    header.vtable.set(Some(&Vtable::<F>::TABLE));
    header.state.end_before_it_began();
}

/// # Safety
/// Owner only; the stage holds a future of type `F` that no one else is inside of.
unsafe fn poll<F: Future>(slot: NonNull<Header>, waker: &Waker) -> Poll<()> {
    let cell = slot.cast::<TaskCell<F>>().as_ptr();
    // SAFETY: *Stage follows state*: the caller checked that the future is there. It stays where
    // it is until it is dropped in place, so pinning it is honest.
    let future = unsafe { Pin::new_unchecked(&mut *(*cell).stage.future) };
    let Poll::Ready(output) = future.poll(&mut Context::from_waker(waker)) else {
        return Poll::Pending;
    };
    // SAFETY: as above; the future is not touched again.
    unsafe { drop_future::<F>(slot) };
    // SAFETY: *Stage follows state*: the future is gone, so the stage is free for the output.
    unsafe { (&raw mut (*cell).stage.output).write(ManuallyDrop::new(output)) };
    // SAFETY: *Headers are forever*.
    unsafe { slot.as_ref() }.state.put_output();
    Poll::Ready(())
}

/// # Safety
/// Owner only; the stage holds a future of type `F` that no one is inside of.
unsafe fn drop_future<F: Future>(slot: NonNull<Header>) {
    let cell = slot.cast::<TaskCell<F>>().as_ptr();
    // SAFETY: *Headers are forever*.
    unsafe { slot.as_ref() }.state.take_future();
    // SAFETY: *Stage follows state*: it was there, and from the line above on, no one will look
    // for it again, even if its destructor unwinds.
    unsafe { ManuallyDrop::drop(&mut (*cell).stage.future) };
}

/// # Safety
/// Owner only; the caller has just taken the output in the state word; `to` is valid for a write
/// of `F::Output`.
unsafe fn read_output<F: Future>(slot: NonNull<Header>, to: *mut ()) {
    let cell = slot.cast::<TaskCell<F>>().as_ptr();
    // SAFETY: *Stage follows state*: the output was there and belongs to the caller now.
    let output = unsafe { ManuallyDrop::take(&mut (*cell).stage.output) };
    // SAFETY: the caller vouches for `to`.
    unsafe { to.cast::<F::Output>().write(output) };
}

/// # Safety
/// As for [`read_output`], but `to` is valid for a write of `T`.
#[cfg(feature = "alloc")]
unsafe fn read_boxed_output<F, T>(slot: NonNull<Header>, to: *mut ())
where
    F: Future<Output = alloc::boxed::Box<T>>,
{
    let cell = slot.cast::<TaskCell<F>>().as_ptr();
    // SAFETY: *Stage follows state*: the output was there and belongs to the caller now.
    let output = unsafe { ManuallyDrop::take(&mut (*cell).stage.output) };
    // SAFETY: the caller vouches for `to`.
    unsafe { to.cast::<T>().write(*output) };
}

/// # Safety
/// Owner only; the caller has just taken the output in the state word.
unsafe fn drop_output<F: Future>(slot: NonNull<Header>) {
    let cell = slot.cast::<TaskCell<F>>().as_ptr();
    // SAFETY: *Stage follows state*: the output was there and belongs to the caller now.
    unsafe { ManuallyDrop::drop(&mut (*cell).stage.output) };
}
