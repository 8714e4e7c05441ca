//! What is held of a task from outside: [`Reservation`], room for one that is not spawned yet;
//! [`JoinHandle`], to await or abort it on its own core; [`AbortHandle`], to abort it from
//! anywhere.
//!
//! # Invariants
//!
//! - **Reserved is free.** The slot of a reservation is in no free list and holds nothing: its
//!   state word is that of a free slot, so wakes and shutdown pass it by.
//!
//! and *Owner only* (see [`crate::task`]): a reservation stays on the core of its executor.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::{self, MaybeUninit};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker, ready};

use super::cell::Shared;
use super::spawn::{LocalHandle, StaysOnItsCore};
use super::wake::raw_waker;
use crate::coop::Leaf;
use crate::defer::defer;
use crate::error::Cancelled;
use crate::prim::{Ordering, planted};
use crate::reactor::Unpark;
use crate::task::cell::Header;
use crate::task::slots::MAIN_CLASS;
use crate::task::state::Hold;
use crate::unobserved::{self, Source};

/// The outcome of a spawned task, to be awaited on the core that spawned it.
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped when it comes. If a
/// panic ended it, or does so later, that is [reported](crate::unobserved).
///
/// # Errors
///
/// [`Cancelled`] if the task was aborted, its poll panicked, or its executor ended first.
///
/// # Cancellation
///
/// Awaiting by `&mut` may be given up and taken up again; nothing is lost.
///
/// # Panics
///
/// When polled again after it has given its result.
///
/// ```
/// # use miniss_core::doctest::executor;
/// let mut executor = executor();
/// let local = executor.local();
/// let answer = executor.block_on(async move { local.spawn(async { 6 * 7 }).unwrap().await });
/// assert_eq!(answer, Ok(42));
/// ```
#[must_use = "dropping a JoinHandle detaches the task; say so with `detach()`"]
pub struct JoinHandle<T> {
    /// `None` once the result has been given, and the handle has let go of the slot.
    slot: Option<NonNull<Header>>,
    epoch: u32,
    leaf: Leaf,
    /// Owns a `T` that may not leave the core.
    marker: PhantomData<(T, StaysOnItsCore)>,
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// The slot was just spawned by the executor incarnation `epoch` of its executor cell, on this
    /// thread, with a task whose output is a `T`; there is no other handle.
    pub(crate) unsafe fn new(slot: NonNull<Header>, epoch: u32) -> Self {
        Self { slot: Some(slot), epoch, leaf: Leaf::new(), marker: PhantomData }
    }

    /// Calls `act` with the slot, while this handle holds it.
    pub(crate) fn with_slot(&self, act: impl FnOnce(NonNull<Header>)) {
        if let Some(slot) = self.slot {
            act(slot);
        }
    }

    /// The task borrows from a scope.
    pub(crate) fn mark_scoped(&self) {
        if let Some(header) = self.header() {
            header.state.mark_scoped();
        }
    }

    fn header(&self) -> Option<&'static Header> {
        // SAFETY: *Headers are forever*.
        self.slot.map(|slot| unsafe { slot.as_ref() })
    }

    /// Whether the task has ended, by completion or abort.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let executor = executor();
    /// let handle = executor.local().spawn(async {}).unwrap();
    /// assert!(!handle.is_finished());
    /// ```
    pub fn is_finished(&self) -> bool {
        self.header().is_none_or(|header| header.state.is_done())
    }

    /// Asks the executor to drop the task's future at its next turn. A task that has ended by
    /// then keeps its result.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, error::Cancelled};
    /// let mut executor = executor();
    /// let handle = executor.local().spawn(core::future::pending::<()>()).unwrap();
    /// handle.abort();
    /// assert_eq!(executor.block_on(handle), Err(Cancelled));
    /// ```
    pub fn abort(&self) {
        if let (Some(slot), Some(header)) = (self.slot, self.header())
            && header.state.request_abort()
        {
            // SAFETY: *Owner only*: the future is still there, so its executor is too, and this
            // handle never left that thread.
            unsafe { Shared::of(header).owner() }.wake(slot);
        }
    }

    /// A handle that aborts the task from any thread.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, error::Cancelled};
    /// let mut executor = executor();
    /// let handle = executor.local().spawn(core::future::pending::<()>()).unwrap();
    /// let abort = handle.abort_handle();
    /// std::thread::spawn(move || abort.abort()).join().unwrap();
    /// assert_eq!(executor.block_on(handle), Err(Cancelled));
    /// ```
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            task: self.slot.map(|slot| {
                // SAFETY: *Headers are forever*.
                let header = unsafe { slot.as_ref() };
                header.state.mark_abort_handle();
                // SAFETY: *Our table, our header*.
                let waker = unsafe { Waker::from_raw(raw_waker(slot)) };
                (waker, header.generation.load(Ordering::Relaxed))
            }),
        }
    }

    /// Lets the task go on although no one waits for it. The same as dropping the handle.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// executor().local().spawn(async {}).unwrap().detach();
    /// ```
    pub fn detach(self) {}

    /// Moves the result out. The task has ended.
    fn take_result(&self, slot: NonNull<Header>, header: &Header) -> Result<T, Cancelled> {
        if !header.state.take_output() {
            return Err(Cancelled);
        }
        let mut output = MaybeUninit::<T>::uninit();
        // SAFETY: *Stage follows state*: we have just taken an output of type `T`.
        unsafe { (header.vtable().read_output)(slot, output.as_mut_ptr().cast()) };
        // SAFETY: written by the line above.
        Ok(unsafe { output.assume_init() })
    }

    /// Lets go of the slot: back to its executor, or to the executor cell if that is gone.
    fn let_go(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        // SAFETY: *Headers are forever*.
        let header = unsafe { slot.as_ref() };
        if header.state.drop_handle() == Hold::Kept {
            return;
        }
        let shared = Shared::of(header);
        if shared.epoch() == self.epoch || planted("handle: only its owner") {
            // SAFETY: *Owner only*: the executor of this handle lives, and on this very thread.
            unsafe { shared.owner() }.slots.put(slot);
        } else {
            shared.returned().push(slot);
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Cancelled>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = self.slot.expect("a JoinHandle was polled after it had given its result");
        // SAFETY: *Headers are forever*.
        let header = unsafe { slot.as_ref() };
        if !header.state.is_done() {
            register(header, cx.waker());
        }
        // Asked again, for `register` runs foreign code.
        if !header.state.is_done() {
            return Poll::Pending;
        }
        ready!(self.leaf.poll_proceed(cx));
        let result = self.take_result(slot, header);
        self.let_go();
        Poll::Ready(result)
    }
}

/// Notes the waker of the task that awaits the outcome of one that is not done.
///
/// To clone and to drop a waker is foreign code, which may even run the task to its end: the cell
/// is not in use meanwhile, and a task that is done takes no joiner.
fn register(header: &Header, waker: &Waker) {
    // SAFETY: *Owner only*; the reference ends with this statement, and nothing foreign is called.
    let known = unsafe { &*header.joiner.get() }.as_ref().is_some_and(|old| old.will_wake(waker));
    if known {
        return;
    }
    let waker = waker.clone();
    if header.state.is_done() {
        return;
    }
    // SAFETY: *Owner only*; the former joiner is dropped once the cell is free again.
    let former = unsafe { (*header.joiner.get()).replace(waker) };
    drop(former);
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let (Some(slot), Some(header)) = (self.slot, self.header()) else { return };
        // SAFETY: *Owner only*: this handle is what put it there.
        let joiner = unsafe { header.take_joiner() };
        // The panic of a main future unwinds to the caller of `block_on`.
        if header.state.has_failed() && header.class != MAIN_CLASS {
            unobserved::report(Source::Task, "panic");
        }
        let output = header.state.is_done() && header.state.take_output();
        self.let_go_after(output.then_some(slot));
        drop(joiner);
    }
}

impl<T> JoinHandle<T> {
    /// Drops the output that no one will see, then lets go of the slot, even if that unwinds.
    fn let_go_after(&mut self, output: Option<NonNull<Header>>) {
        let _at_the_end = defer(|| self.let_go());
        if let Some(slot) = output {
            // SAFETY: *Headers are forever*.
            let vtable = unsafe { slot.as_ref() }.vtable();
            // SAFETY: *Stage follows state*: the caller has just taken the output.
            unsafe { (vtable.drop_output)(slot) };
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}

/// Aborts a task from any thread, interrupt handler or core.
///
/// It keeps nothing alive. After the task has ended it does nothing, also when the task's slot
/// has long been given to another. [`JoinHandle::abort_handle`] makes it.
#[derive(Clone, Debug)]
pub struct AbortHandle {
    /// The task's waker and generation; `None` if it had ended when the handle was made.
    task: Option<(Waker, u32)>,
}

impl AbortHandle {
    /// Asks the task's executor to drop its future at its next turn. A task that has ended by
    /// then keeps its result.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// let handle = executor.local().spawn(async { 5 }).unwrap();
    /// let abort = handle.abort_handle();
    /// assert_eq!(executor.block_on(handle), Ok(5));
    /// abort.abort(); // too late: nothing happens
    /// ```
    pub fn abort(&self) {
        let Some((waker, generation)) = &self.task else { return };
        let header = waker.data().cast::<Header>();
        // SAFETY: our own waker, so its data word is a header; *Headers are forever*.
        let wanted = unsafe { &(*header).abort_wanted };
        // The highest generation wins, so that a late abort of a former task cannot hide a
        // timely one. Relaxed: the wake below carries it to the owner.
        wanted.fetch_max(*generation, Ordering::Relaxed);
        if planted("abort: the highest generation wins") {
            wanted.store(*generation, Ordering::Relaxed);
        }
        waker.wake_by_ref();
    }
}

/// A slot for one task of type `F`, made by [`LocalHandle::reserve`]: spawning into it cannot fail.
///
/// Dropping it gives the slot back.
///
/// ```
/// # use miniss_core::doctest::executor;
/// let mut executor = executor();
/// let room = executor.local().reserve().unwrap();
/// // From here on nothing can be refused.
/// let handle = room.spawn(async { 5 });
/// assert_eq!(executor.block_on(handle), Ok(5));
/// ```
///
/// Room for one type is none for another, not even for a subtype:
///
/// ```compile_fail
/// use miniss_core::{Reservation, doctest::Unparker};
///
/// struct Work<T>(T);
/// type Room<T> = Reservation<Work<T>, Unparker>;
/// fn shorten<'a>(room: Room<fn(&'static u8)>) -> Room<fn(&'a u8)> {
///     room
/// }
/// ```
#[must_use = "a reservation that is dropped gives its slot back"]
pub struct Reservation<F, U: Unpark> {
    slot: NonNull<Header>,
    local: LocalHandle<U>,
    /// Neither more nor less than `F`: another type, even a subtype, may need another slot.
    future: PhantomData<fn(F) -> F>,
}

impl<F: Future + 'static, U: Unpark> Reservation<F, U> {
    /// # Safety
    /// The slot was just taken through `local`, and fits a task of type `F`.
    pub(crate) unsafe fn new(slot: NonNull<Header>, local: LocalHandle<U>) -> Self {
        Self { slot, local, future: PhantomData }
    }

    /// Starts `future` as a task, behind those that are ready already.
    ///
    /// If the executor is ending or gone, the future is dropped and the handle's outcome is
    /// [`Cancelled`](crate::error::Cancelled).
    pub fn spawn(self, future: F) -> JoinHandle<F::Output> {
        let this = mem::ManuallyDrop::new(self);
        match this.local.open_owner() {
            // SAFETY: *Reserved is free*, of the executor that `owner` belongs to; it fits `F`,
            // which borrows nothing.
            Ok(owner) => unsafe { this.local.start(owner, this.slot, future) },
            // SAFETY: *Reserved is free*.
            Err(_) => unsafe { this.local.refuse::<F>(this.slot) },
        }
    }
}

impl<F, U: Unpark> Drop for Reservation<F, U> {
    fn drop(&mut self) {
        // SAFETY: *Reserved is free*, and we are the one who holds it.
        unsafe { self.local.give_back(self.slot) };
    }
}

impl<F, U: Unpark> fmt::Debug for Reservation<F, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").finish_non_exhaustive()
    }
}
