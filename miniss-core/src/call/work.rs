//! How the two kinds of work are run, and how the reply finds its way whatever happens.
//!
//! Invariants: see [`super`].

use core::marker::PhantomData;

use super::home::HomeRef;
use super::node::{CallVtable, Cargo, Held, Typed};
use super::queue::Queue;
use super::shared::Shared;
use crate::reactor::Unpark;

/// Sends a node back when it is dropped, with the output or without: also if the work unwinds, or
/// its task is dropped with the executor.
struct Reply<U: Unpark, Q: Queue + 'static> {
    held: Option<Held>,
    exchange: Shared<U, Q>,
}

impl<U: Unpark, Q: Queue + 'static> Reply<U, Q> {
    /// # Safety
    /// The home is that of this core's `Exchange<U, Q>`.
    unsafe fn new(held: Held, home: &HomeRef) -> Self {
        // SAFETY: the caller's promise.
        Self { held: Some(held), exchange: unsafe { Shared::of(home.clone()) } }
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("held until dropped")
    }
}

impl<U: Unpark, Q: Queue + 'static> Drop for Reply<U, Q> {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        // A task that is dropped before it begins while the executor lives could not be spawned.
        if held.node().cargo.get() == Cargo::Unstarted && self.exchange.local().open_owner().is_ok()
        {
            held.node().cargo.set(Cargo::NoRoom);
        }
        self.exchange.send_back(held);
    }
}

/// An async closure becomes a task.
pub(super) struct AsyncWork<F, T, U, Q>(PhantomData<(F, T, U, Q)>);

impl<F, T, U, Q> AsyncWork<F, T, U, Q>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
    U: Unpark,
    Q: Queue + 'static,
{
    pub(super) const VTABLE: &'static CallVtable = &vtable_of::<F, T>(Self::run);

    /// # Safety
    /// *One holder*: the caller, and the cargo is the work. The home is that of this core's
    /// `Exchange<U, Q>`.
    unsafe fn run(held: Held, home: &HomeRef) {
        // SAFETY: the caller's promise.
        let reply = unsafe { Reply::<U, Q>::new(held, home) };
        // SAFETY: *One holder*: the reply now, and the cargo is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.held()) };
        reply.held().node().cargo.set(Cargo::Unstarted);
        let local = reply.exchange.local();
        let task = async move {
            reply.held().node().cargo.set(Cargo::Nothing);
            let output = work().await;
            // SAFETY: *One holder*: the reply holds the node, and its work is gone.
            unsafe { Typed::<F, T>::put_output(reply.held(), output) };
        };
        // If it cannot be spawned it is dropped, and the reply goes back to say so.
        drop(local.spawn(task));
    }
}

/// A plain closure is called on the spot.
pub(super) struct SyncWork<F, T, U, Q>(PhantomData<(F, T, U, Q)>);

impl<F, T, U, Q> SyncWork<F, T, U, Q>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    U: Unpark,
    Q: Queue + 'static,
{
    pub(super) const VTABLE: &'static CallVtable = &vtable_of::<F, T>(Self::run);

    /// # Safety
    /// As for [`AsyncWork::run`].
    unsafe fn run(held: Held, home: &HomeRef) {
        // SAFETY: the caller's promise.
        let reply = unsafe { Reply::<U, Q>::new(held, home) };
        // SAFETY: *One holder*: the reply now, and the cargo is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.held()) };
        let output = work();
        // SAFETY: *One holder*: the reply holds the node, and its work is gone.
        unsafe { Typed::<F, T>::put_output(reply.held(), output) };
    }
}

const fn vtable_of<W, T>(run: unsafe fn(Held, &HomeRef)) -> CallVtable {
    CallVtable {
        run,
        drop_work: Typed::<W, T>::drop_work,
        read_output: Typed::<W, T>::read_output,
        drop_output: Typed::<W, T>::drop_output,
        layout: Typed::<W, T>::LAYOUT,
    }
}
